"""Whether a later export continues an earlier one, or at which position the log was forked.

Both were checked before, so the tiles of each are the facts of each: they are compared by hashes.
"""

from collections.abc import Iterator

from services.audit.export import TILE_BYTES_MAX, LogName, facts_path, number_of, tlog_path
from services.audit.findings import Checked, Finding, LogChecked
from services.audit.reading import Opened
from shared.ledger.merkle import BadProof, check_consistency, consistency_proof
from shared.ledger.tiles import Fetch, Tiles, tiles_of


class Incomparable(Exception):
    """Two exports that say nothing of each other; the text says why."""


def compare(earlier: tuple[Opened, Checked], later: tuple[Opened, Checked]) -> list[Finding]:
    """Return where the later export does not continue the earlier one; none, if it does.

    Raises `Incomparable` for subsets, and where no log is in both.
    """
    both = (earlier[1], later[1])
    if any(one.manifest.subset for one in both):
        raise Incomparable(
            "a part of a log cannot be compared: only whole logs continue each other"
        )
    logs = [log for log in both[0].logs if log in both[1].logs]
    if not logs:
        raise Incomparable("no log is in both exports")
    found = (_continues(log, earlier, later) for log in logs)
    return [finding for finding in found if finding]


def _continues(
    log: LogName, earlier: tuple[Opened, Checked], later: tuple[Opened, Checked]
) -> Finding | None:
    old, new = earlier[1].logs[log], later[1].logs[log]
    if old.origin != new.origin:
        return Finding(f"a log of {new.origin}, which is not {old.origin}", log)
    tiles = Tiles(_fetch(later[0], log), new.size)
    if old.size <= new.size and _consistent(old, new, tiles):
        return None
    position = _fork(Tiles(_fetch(earlier[0], log), old.size), tiles, old, new)
    if position is None:
        how = f"ends at position {new.size:,}, where the other has {old.size:,}"
        return Finding(f"the later export {how}", log, None, new.size + 1)
    how = "another fact lies here than in the earlier export: the log was forked"
    return Finding(how, log, facts_path(log, number_of(position)), position)


def _consistent(old: LogChecked, new: LogChecked, tiles: Tiles) -> bool:
    """Tell whether the later tree begins with the earlier one (RFC 6962, 2.1.2)."""
    if not old.size:
        return True
    proof = consistency_proof(old.size, new.size, tiles.node)
    tiles.forget()
    try:
        check_consistency(old.size, new.size, proof, old.root, new.root)
    except BadProof:
        return False
    return True


def _fork(earlier: Tiles, later: Tiles, old: LogChecked, new: LogChecked) -> int | None:
    """Return the first position at which two logs differ, as far as both go."""
    pairs = zip(_leaves(earlier, old.size), _leaves(later, new.size), strict=False)
    both = enumerate(pairs, start=1)
    return next((position for position, (one, other) in both if one != other), None)


def _leaves(tiles: Tiles, size: int) -> Iterator[bytes]:
    for index, width in tiles_of(size):
        yield from tiles.tile(0, index)[:width]
        tiles.forget()


def _fetch(export: Opened, log: LogName) -> Fetch:
    """Return what gives a log's public files out of an export."""
    return lambda path: export.content(tlog_path(log, path), TILE_BYTES_MAX)
