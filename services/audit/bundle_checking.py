"""Checks an evidence bundle with nothing but what is in it and the keys that the inspector trusts.

Every file is the one in the manifest; each log's checkpoint is signed, and cosigned by the policy's
quorum; each fact is under it. What belongs to the matter is found out anew, and is there, all of it
up to the position that the bundle says, and nothing else. Then it is judged anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest

import msgspec

from services.audit.bundle import (
    BUNDLE,
    FOLLOWED,
    Claim,
    KeyProof,
    Manifest,
    Noun,
    led_to,
    paths_of,
    read_index_line,
    read_manifest,
)
from services.audit.checking import JWKS_BYTES_MAX, Trust
from services.audit.export import (
    JWKS,
    LOG_NAMES,
    MANIFEST_BYTES_MAX,
    TILE_BYTES_MAX,
    VKEYS,
    BadExport,
    LogName,
    fingerprint,
    read_fact,
    read_proof,
)
from services.audit.findings import Finding, Found
from services.audit.reading import Opened, Unreadable
from services.audit.verdicts import Matter, Verdict, agreements, verdicts
from shared.ledger.indexes import KIND, BadIndex, TagsIndexed, positions_of, read_indexed
from shared.ledger.integrator import CHECKPOINT_PATH
from shared.ledger.merkle import BadProof, check_inclusion, leaf_hash
from shared.ledger.notes import BadNote, Checkpoint, VerifierKey, opened, signers
from shared.ledger.policy import NO_QUORUM, Policy
from shared.ledger.recorder import StoredFact
from shared.ledger.verify import trusted_keys
from shared.signing import TrustedKeys

AGREED = "there is an agreement, though none is said to be"
"""What is wrong with a bundle that is to prove that there is none."""


@dataclass
class LogOfBundle:
    """What was found right of one log."""

    checkpoint: Checkpoint
    signed_by: list[str]
    cosigned_by: list[str]
    own_keys: bool
    indexed: int = 0
    facts: dict[int, StoredFact] = field(default_factory=dict)
    segments: dict[int, TagsIndexed] = field(default_factory=dict)
    proofs: dict[tuple[int, bytes], KeyProof] = field(default_factory=dict)

    @property
    def as_of(self) -> datetime:
        """Return when the newest segment was recorded: what came later is not in the bundle."""
        return self.facts[max(self.segments)].recorded_at


@dataclass
class BundleChecked:
    """A bundle that was checked: right, if nothing was found."""

    manifest: Manifest
    fingerprint: str
    logs: dict[LogName, LogOfBundle] = field(default_factory=dict)
    cases: list[Verdict] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def check_bundle(export: Opened, trust: Trust) -> BundleChecked:
    """Return what a bundle shows; at what is wrong first it stops. Raises `Unreadable`.

    Raises `BadExport` where the manifest is none.
    """
    try:
        content = export.content(BUNDLE, MANIFEST_BYTES_MAX)
    except FileNotFoundError:
        raise Unreadable(f"{export.place}: there is no {BUNDLE}") from None
    checked = BundleChecked(read_manifest(content), fingerprint(content))
    try:
        _check_files(export, checked.manifest)
        keys = _keys(export)
        for log in LOG_NAMES:
            checked.logs[log] = _OfLog(export, checked.manifest, log, trust).run()
        consent_ids = _complete(checked)
        checked.cases = _judge(checked, keys, consent_ids)
    except Found as found:
        checked.findings.append(found.finding)
    except BadExport as error:
        checked.findings.append(Finding(str(error)))
    return checked


# -- files ----------------------------------------------------------------------------------------


def _check_files(export: Opened, manifest: Manifest) -> None:
    said = {file.path: file.sha256 for file in manifest.files}
    needed = paths_of(path for path in said if path.startswith("texts/"))
    for path in sorted({*said, *needed, *export.sizes} - {BUNDLE}):
        if path not in said:
            raise Found(Finding("the file is not in the manifest", file=path))
        if export.sizes.get(path, -1) < 0:
            raise Found(Finding("the file is missing", file=path))
        if path not in needed or export.sha256(path) != said[path]:
            raise Found(Finding("the file is not what the manifest says", file=path))


def _keys(export: Opened) -> TrustedKeys:
    try:
        return TrustedKeys.from_jwks(msgspec.json.decode(export.content(JWKS, JWKS_BYTES_MAX)))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Found(Finding("no public keys (JWK set)", file=JWKS)) from error


# -- one log --------------------------------------------------------------------------------------


class _OfLog:
    """Checks that each fact of a log, and each proof of its index, is what it says."""

    def __init__(self, export: Opened, manifest: Manifest, log: LogName, trust: Trust) -> None:
        self._export, self._log, self._trust = export, log, trust
        self._said = manifest.logs[log]
        self._note = export.content(f"{log}/{CHECKPOINT_PATH}", TILE_BYTES_MAX)

    def run(self) -> LogOfBundle:
        """Return what is right; raises `Found` at the first that is not."""
        checked = self._checkpoint()
        for fact in self._facts(checked):
            checked.facts[fact.position] = fact
            if fact.kind == KIND:
                self._chain(checked, fact)
        if checked.indexed != self._said.indexed:
            raise self._wrong(f"the index ends at position {checked.indexed:,}", "facts.ndjson")
        before = (0, b"")
        for proof in map(read_index_line, self._lines("index.ndjson")):
            if (place := (proof.segment, proof.key)) <= before:
                raise self._wrong("proofs are out of order", "index.ndjson", proof.segment)
            checked.proofs[place] = proof
            before = place
        return checked

    def _checkpoint(self) -> LogOfBundle:
        own, policy = self._trust.keys_of(self._said.origin), self._trust.policy
        try:
            keys = self._own_word() if own is None else own
            note, checkpoint = opened(self._note, self._said.origin, keys)
            signed_by = [key.algorithm.name for key in signers(note, keys)]
            cosigned = list(signers(note, policy.witness_keys() if policy else ()))
        except (BadNote, UnicodeDecodeError) as error:
            raise self._wrong(str(error), CHECKPOINT_PATH) from error
        if (checkpoint.size, checkpoint.root.hex()) != (self._said.size, self._said.root):
            raise self._wrong("not the checkpoint in the manifest", CHECKPOINT_PATH)
        if not (policy or Policy(quorum=NO_QUORUM)).satisfied(cosigned):
            raise self._wrong(
                "not cosigned by the quorum that the policy asks for", CHECKPOINT_PATH
            )
        cosigned_by = [key.name for key in cosigned]
        return LogOfBundle(checkpoint, signed_by, cosigned_by, own_keys=own is not None)

    def _own_word(self) -> Sequence[VerifierKey]:
        lines = self._export.content(f"{self._log}/{VKEYS}", TILE_BYTES_MAX).decode().splitlines()
        return [key for key in trusted_keys(lines) if key.name == self._said.origin]

    def _facts(self, checked: LogOfBundle) -> Iterator[StoredFact]:
        """Yield each fact once its proof is checked."""
        before, checkpoint = 0, checked.checkpoint
        pairs = zip_longest(self._lines("facts.ndjson"), self._lines("proofs.ndjson"))
        for line, proof_line in pairs:
            if line is None or proof_line is None:
                raise self._wrong("facts and proofs are not as many", "facts.ndjson")
            fact, proof = read_fact(line), read_proof(proof_line)
            if fact.position <= before:
                raise self._wrong("not behind the one before it", "facts.ndjson", fact.position)
            if proof.index != fact.position - 1 or proof.note != self._note:
                how = "the proof is of another fact, or under another checkpoint"
                raise self._wrong(how, "proofs.ndjson", fact.position)
            try:
                leaf = leaf_hash(fact.entry())
                check_inclusion(proof.index, checkpoint.size, leaf, proof.hashes, checkpoint.root)
            except BadProof as error:
                raise self._wrong(str(error), "proofs.ndjson", fact.position) from error
            yield fact
            before = fact.position

    def _lines(self, name: str) -> Iterator[bytes]:
        try:
            yield from self._export.lines(f"{self._log}/{name}")
        except BadExport as error:
            raise self._wrong(str(error), name) from error

    def _chain(self, checked: LogOfBundle, fact: StoredFact) -> None:
        """Take in the next segment; each begins where the one before it ends."""
        try:
            said = read_indexed(fact)
        except BadIndex as error:
            raise self._wrong(str(error), "facts.ndjson", fact.position) from error
        if said.log != self._log:
            how = f"an index of the log of {said.log}"
            raise self._wrong(how, "facts.ndjson", fact.position)
        if said.first != checked.indexed + 1:
            raise self._wrong("a segment of the index is missing", "facts.ndjson", fact.position)
        checked.segments[fact.position], checked.indexed = said, said.last

    def _wrong(self, how: str, name: str, position: int | None = None) -> Found:
        return Found(Finding(how, self._log, f"{self._log}/{name}", position))


# -- what has to be there -------------------------------------------------------------------------


def _complete(checked: BundleChecked) -> set[str]:
    """Hold that all of the matter is there, and nothing else; returns its consents."""
    waiting, claimed = checked.manifest.about.claims(), set[Claim]()
    needed = {(log, position) for log in LOG_NAMES for position in checked.logs[log].segments}
    used, consent_ids = set[tuple[LogName, int, bytes]](), set[str]()
    while waiting:
        claim = waiting.pop()
        if claim in claimed:
            continue
        claimed.add(claim)
        used |= {(claim.log, segment, claim.key) for segment in checked.logs[claim.log].segments}
        consent_ids |= _followed(claim)
        for position in _positions(checked, claim):
            needed.add((claim.log, position))
            waiting += led_to(claim.log, checked.logs[claim.log].facts[position])
    _nothing_else(checked, needed, used)
    return consent_ids


def _followed(claim: Claim) -> set[str]:
    noun, _, own_id = claim.tag.partition(":")
    return {own_id} if FOLLOWED.get(noun) is Noun.INCIDENT and claim.kind is None else set()


def _positions(checked: BundleChecked, claim: Claim) -> Iterator[int]:
    """Yield where the facts of a claim are, each of which is there; raises `Found`."""
    of_log = checked.logs[claim.log]
    for segment, said in of_log.segments.items():
        proof = of_log.proofs.get((segment, claim.key))
        try:
            found = positions_of(said, claim.key, proof.leaves) if proof else None
        except BadIndex as error:
            raise _of_index(claim, str(error), segment) from error
        if found is None:
            raise _of_index(claim, f"no proof of {claim.tag}", segment)
        for position in found:
            fact = of_log.facts.get(position)
            if fact is None:
                raise _of_index(claim, f"a fact of {claim.tag} is missing", position)
            if not claim.holds(fact.kind, fact.tags):
                raise _of_index(claim, f"the index says {claim.tag} of another fact", position)
            yield position


def _of_index(claim: Claim, how: str, position: int) -> Found:
    return Found(Finding(how, claim.log, f"{claim.log}/index.ndjson", position))


def _nothing_else(
    checked: BundleChecked,
    needed: set[tuple[LogName, int]],
    used: set[tuple[LogName, int, bytes]],
) -> None:
    for log, one in checked.logs.items():
        for position in one.facts:
            if (log, position) not in needed:
                how, file = "the fact does not belong to the matter", f"{log}/facts.ndjson"
                raise Found(Finding(how, log, file, position))
        for segment, key in one.proofs:
            if (log, segment, key) not in used:
                how, file = "nothing needs the proof", f"{log}/index.ndjson"
                raise Found(Finding(how, log, file, segment))


# -- what it comes to -----------------------------------------------------------------------------


def _judge(checked: BundleChecked, keys: TrustedKeys, consent_ids: set[str]) -> list[Verdict]:
    facts = {log: one.facts for log, one in checked.logs.items()}
    matter = Matter(facts, keys, checked.logs["consent"].indexed)
    about = checked.manifest.about
    if about.absent:
        citizens = about.ids if about.noun is Noun.CITIZEN else None
        if agreed := agreements(matter, citizens):
            raise Found(Finding(AGREED, "consent", "consent/facts.ndjson", agreed[0].position))
    return verdicts(matter, consent_ids)
