"""Checks a part of a log: each fact by the proof beside it, and that it is of the part."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import zip_longest

from services.audit.export import BadExport, Subset, facts_path, number_of, proofs_path, read_proof
from services.audit.exported import ExportedLog
from services.audit.findings import Finding, Found, LogChecked
from shared.ledger.integrator import CHECKPOINT_PATH
from shared.ledger.merkle import BadProof, check_inclusion, leaf_hash
from shared.ledger.recorder import StoredFact


def check_part(
    log: ExportedLog, checked: LogChecked, subset: Subset, told: Callable[[int], None]
) -> None:
    """Check that each fact of a part is proved, and of it; raises `Found`."""
    note = log.fetch(CHECKPOINT_PATH)
    before, at = 0, datetime.min.replace(tzinfo=UTC)
    for number in log.numbers():
        for fact, line in zip_longest(log.facts(number), _proofs(log, number)):
            if fact is None or line is None:
                raise _unproved(log, "facts and proofs are not as many", number, before)
            if fact.position <= before or fact.recorded_at < at:
                raise _unproved(log, "not behind the one before it", number, fact.position)
            if not subset.holds(fact):
                raise _unproved(log, "the fact is not of the subset", number, fact.position)
            _proved(log, checked, fact, line, note)
            before, at = fact.position, fact.recorded_at
            checked.facts += 1
        told(before)


def _proofs(log: ExportedLog, number: int) -> Iterator[bytes]:
    path = proofs_path(log.name, number)
    try:
        yield from log.export.lines(path)
    except FileNotFoundError:
        raise Found(Finding("the file is missing", log.name, path)) from None
    except BadExport as error:
        raise Found(Finding(str(error), log.name, path)) from error


def _unproved(log: ExportedLog, how: str, number: int, position: int) -> Found:
    return Found(Finding(how, log.name, facts_path(log.name, number), position))


def _proved(
    log: ExportedLog, checked: LogChecked, fact: StoredFact, line: bytes, note: bytes
) -> None:
    """Hold that a proof is of this fact, under the checkpoint whose signature is checked."""
    how, index = None, fact.position - 1
    try:
        proof = read_proof(line)
        if proof.index != index or proof.note != note:
            how = "the proof is of another fact, or under another checkpoint"
        else:
            leaf = leaf_hash(fact.entry())
            check_inclusion(index, checked.size, leaf, proof.hashes, checked.root)
    except (BadProof, BadExport) as error:
        how = str(error)
    if how:
        path = proofs_path(log.name, number_of(fact.position))
        raise Found(Finding(how, log.name, path, fact.position))
