"""Checks a whole log: every tile, entry and fact, up to the root."""

import re
from collections.abc import Callable, Iterator, Sequence

from services.audit.export import facts_path, number_of, tlog_path
from services.audit.exported import ExportedLog
from services.audit.findings import Finding, Found, LogChecked
from shared.ledger.indexes import KIND, untrue
from shared.ledger.notes import VerifierKey
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import ENTRIES, WIDTH, tile_path
from shared.ledger.verify import Wrong, verify

_TILE_NAMED = re.compile(r"tile/[\w/.]*\w")

Taken = Callable[[StoredFact], None]
"""Takes in each fact of a log in order, before it is known whether it was sealed so."""


def check_whole(
    log: ExportedLog,
    checked: LogChecked,
    keys: Sequence[VerifierKey],
    told: Callable[[int], None],
    taken: Taken | None,
) -> None:
    """Check all of a log, as `./run verify` checks a service's; raises `Found`."""
    segments = list[StoredFact]()
    try:
        verified = verify(
            log.fetch,
            log.said.origin,
            keys,
            facts=_taken(log, segments, taken),
            progress=lambda done, _: told(done),
        )
    except Wrong as wrong:
        raise Found(_finding(log, wrong)) from wrong
    checked.facts, checked.entries = verified.facts, verified.entries
    checked.indexed = _indexed(log, segments)


def _taken(
    log: ExportedLog, segments: list[StoredFact], taken: Taken | None
) -> Iterator[StoredFact]:
    """Return all facts in order, and keep those by which the log's tags are indexed."""
    for fact in _between(log, 1, log.said.size):
        if fact.kind == KIND:
            segments.append(fact)
        if taken:
            taken(fact)
        yield fact


def _between(log: ExportedLog, first: int, last: int) -> Iterator[StoredFact]:
    for number in range(number_of(first), number_of(last) + 1) if first <= last else ():
        for fact in log.facts(number):
            if first <= fact.position <= last:
                yield fact


def _indexed(log: ExportedLog, segments: Sequence[StoredFact]) -> int:
    """Return up to which position tags are indexed, and truly; raises `Found`."""
    indexed = 0
    for segment in segments:
        how, indexed = untrue(segment, indexed, lambda first, last: _between(log, first, last))
        if how:
            path = facts_path(log.name, number_of(segment.position))
            raise Found(Finding(f"the index of tags: {how}", log.name, path, segment.position))
    return indexed


def _finding(log: ExportedLog, wrong: Wrong) -> Finding:
    """Return a finding that names the file, too, in which a position is wrong."""
    position, named = wrong.position, _TILE_NAMED.search(wrong.how)
    if named:
        file = tlog_path(log.name, named[0])
    elif position is None:
        file = None
    elif wrong.how.startswith("the fact"):
        file = facts_path(log.name, number_of(position))
    else:
        width = min(WIDTH, log.said.size - (position - 1) // WIDTH * WIDTH)
        level = 0 if "published hash" in wrong.how else ENTRIES
        file = tlog_path(log.name, tile_path(level, (position - 1) // WIDTH, width))
    return Finding(wrong.how, log.name, file, position)
