"""The proof that one fact lies in its log, step by step from the leaf to the root.

It is made from the export's tiles, or, of a part of a log, read as it was made then; and checked
before it is shown, so that what does not lead to the root is shown as that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.audit.checking import Trust
from services.audit.export import (
    TILE_BYTES_MAX,
    BadExport,
    number_of,
    proofs_path,
    read_proof,
    tlog_path,
)
from services.audit.history import FoundHistory, History
from services.audit.pages.seals import Sealed, read_seal
from shared.ledger.merkle import BadProof, check_inclusion, inclusion_proof, leaf_hash, node_hash
from shared.ledger.proofs import Proof
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import BadTile, Tiles


@dataclass(frozen=True)
class Step:
    """One hash joined with its sibling, which stands on the left of it or on the right."""

    sibling: bytes
    on_left: bool
    joined: bytes


@dataclass(frozen=True)
class Proven:
    """A fact's leaf, the way up, and the checkpoint; `wrong` says why it does not lead there."""

    leaf: bytes
    steps: Sequence[Step]
    sealed: Sealed
    proof: Proof
    wrong: str | None

    @property
    def reached(self) -> bytes:
        """Return the root that the steps lead to."""
        return self.steps[-1].joined if self.steps else self.leaf


def prove(history: History, log: FoundHistory, fact: StoredFact, trust: Trust) -> Proven:
    """Return the proof of a fact, under what was witnessed where that reaches so far.

    Raises `BadExport` where there is nothing to make it from.
    """
    sealed = _seal(history, log, fact.position, trust)
    if history.manifest.subset is None:
        proof = _made(history, log, fact.position, sealed)
    else:
        proof = _read(history, log, fact.position)
    leaf, checkpoint = leaf_hash(fact.entry()), sealed.checkpoint
    steps = list(_steps(proof, leaf, checkpoint.size))
    try:
        check_inclusion(proof.index, checkpoint.size, leaf, proof.hashes, checkpoint.root)
        wrong = None if proof.note == sealed.note else "the proof is under another checkpoint"
    except BadProof as error:
        wrong = str(error)
    return Proven(leaf, steps, sealed, proof, wrong)


def _seal(history: History, log: FoundHistory, position: int, trust: Trust) -> Sealed:
    for witnessed in (True, False):
        sealed = read_seal(history.export, log.name, trust, witnessed=witnessed)
        if sealed and position <= sealed.checkpoint.size <= log.size:
            return sealed
    raise BadExport(f"{log.name}: no checkpoint covers position {position:,}")


def _made(history: History, log: FoundHistory, position: int, sealed: Sealed) -> Proof:
    def fetch(path: str) -> bytes:
        return history.export.content(tlog_path(log.name, path), TILE_BYTES_MAX)

    size = sealed.checkpoint.size
    try:
        hashes = inclusion_proof(position - 1, size, Tiles(fetch, size).node)
    except BadTile as error:
        raise BadExport(f"{log.name}: {error}") from error
    return Proof(position - 1, tuple(hashes), sealed.note)


def _read(history: History, log: FoundHistory, position: int) -> Proof:
    path = proofs_path(log.name, number_of(position))
    try:
        for line in history.export.lines(path):
            proof = read_proof(line)
            if proof.index == position - 1:
                return proof
    except FileNotFoundError:
        raise BadExport(f"{path}: the file is missing") from None
    raise BadExport(f"{path}: no proof of position {position:,}")


def _steps(proof: Proof, leaf: bytes, size: int) -> Iterator[Step]:
    """Yield the way up (RFC 9162, 2.1.3.2), as far as the hashes lead."""
    at, last, joined = proof.index, size - 1, leaf
    for sibling in proof.hashes:
        on_left = bool(at & 1 or at == last)
        if on_left:
            joined = node_hash(sibling, joined)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            joined = node_hash(joined, sibling)
        yield Step(sibling, on_left, joined)
        at, last = at >> 1, last >> 1
