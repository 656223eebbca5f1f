"""Ways to change the export of the stage, beside those of `tests/support/tampering.py`."""

import re
from pathlib import Path

import msgspec

from services.audit.export import LogName
from shared.clock import system_clock
from shared.ledger.keys import load_keys
from shared.ledger.recorder import StoredFact
from tests.audit.conftest import Stage
from tests.support.tampering import Change, Tamper, facts_of, lines_of, put_lines, remade

PROOFS = "consent/proofs/000001.ndjson"


def in_proof(old: bytes, new: bytes) -> Tamper:
    """Return what changes the first proof."""

    def tamper(export: Path) -> None:
        first, *rest = lines_of(export, PROOFS)
        assert old in first
        put_lines(export, [first.replace(old, new, 1), *rest], PROOFS)

    return tamper


def behind(export: Path) -> None:
    """Add a fact behind the checkpoint."""
    lines = lines_of(export)
    last = re.sub(rb'"position":\d+', b'"position":%d' % (len(lines) + 1), lines[-1])
    put_lines(export, [*lines, last])


def forged(stage: Stage, export: Path, change: Change, log: LogName = "consent") -> Path:
    """Return an export that the operator rewrote, consistently, and signed with its own keys."""
    copy = stage.copy(export)
    facts = [change(fact) for fact in facts_of(copy, log)]
    remade(copy, log, facts, load_keys(stage.folder / log / "log.keys.json"), system_clock())
    return copy


def renamed(position: int) -> Change:
    """Return what changes the data of one fact."""

    def change(fact: StoredFact) -> StoredFact:
        if fact.position != position:
            return fact
        return msgspec.structs.replace(fact, data=fact.data.replace(b'"N"', b'"M"'))

    return change
