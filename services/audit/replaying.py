"""Any moment again: the facts of an export, folded by the rules that the services run.

The digest of all states is that of the live service at the same position (`GET /log/state`), or
one of the two is not what it seems. What differs between two moments is told by subject.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from services.audit.export import TILE_BYTES_MAX, tlog_path
from services.audit.folding import Folding
from services.audit.history import FoundHistory, LogHistory
from services.audit.memory import uncollected
from services.audit.reading import Opened
from shared.ledger.facts import Recorded
from shared.ledger.log import about
from shared.ledger.notes import BadNote, VerifierKey, opened
from shared.ledger.states import Subject, state_text
from shared.ledger.tiles import BadTile, Tiles

Told = Callable[[int, int], None]

TOLD_EVERY = 1_024


@dataclass(frozen=True, slots=True)
class Digested:
    """What stands for every state of a log at a position: the root over so many subjects."""

    position: int
    subjects: int
    digest: bytes
    unread: Sequence[str] = ()
    """Facts that made no state, because this program cannot read them: where, and why."""


@dataclass(frozen=True)
class Difference:
    """What a log's subjects came to between two positions, by tag; with the members that differ."""

    before: Digested
    after: Digested
    new: Sequence[str] = ()
    changed: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """One subject at a position: its state, and the facts that made it."""

    subject: Subject
    position: int
    state: Any
    history: Sequence[Recorded]


# -- moments --------------------------------------------------------------------------------------


class NoMoment(Exception):
    """The moment that is asked for is none of this log."""


def at_checkpoint(export: Opened, log: LogHistory, note: bytes, keys: Sequence[VerifierKey]) -> int:
    """Return the position of a checkpoint that somebody kept; raises `NoMoment`.

    It is signed by one of the keys, and this log begins with what it stands for.
    """
    try:
        _, checkpoint = opened(note, log.origin, keys)
    except BadNote as error:
        raise NoMoment(f"the checkpoint: {error}") from error
    if checkpoint.size > log.size:
        raise NoMoment(f"the checkpoint is of {checkpoint.size:,} facts, here are {log.size:,}")

    def fetch(path: str) -> bytes:
        return export.content(tlog_path(log.name, path), TILE_BYTES_MAX)

    try:
        root = Tiles(fetch, log.size).frontier(checkpoint.size).root()
    except (BadTile, FileNotFoundError) as error:
        raise NoMoment(f"no tiles to compare the checkpoint with: {error}") from error
    if root != checkpoint.root:
        raise NoMoment("the checkpoint is of another history")
    return checkpoint.size


# -- the whole ------------------------------------------------------------------------------------


def replay(folding: Folding, log: LogHistory, until: int, told: Told) -> None:
    """Take in the facts of a log behind the last taken, up to and with a position.

    Raises `BadExport`, `Unreadable`.
    """
    with uncollected():
        for stored in log.facts(after=folding.position, until=until):
            folding.read(stored)
            if stored.position % TOLD_EVERY == 0:
                told(stored.position, until)


def digest(log: FoundHistory, position: int, told: Told) -> Digested:
    """Return the digest at a position; one that this program made before is kept in the index."""
    if kept := log.index.digest(program(), position):
        return Digested(position, *kept)
    with Folding(log) as folding:
        replay(folding, log, position, told)
        return _digested(log, folding, position)


def difference(log: FoundHistory, before: int, after: int, told: Told) -> Difference:
    """Return what came to be, and what became of what was there, between two positions."""
    with Folding(log) as folding:
        replay(folding, log, before, told)
        first = _digested(log, folding, before)
        folding.remember()
        replay(folding, log, after, told)
        second = _digested(log, folding, after)
        found = list(folding.differing())
    changed = [tag for tag, is_new in found if not is_new]
    return Difference(
        first,
        second,
        [tag for tag, is_new in found if is_new],
        {tag: _members(log, tag, before, after) for tag in changed},
    )


def _digested(log: FoundHistory, folding: Folding, position: int) -> Digested:
    made = Digested(position, *folding.digest(), tuple(folding.unread))
    if not made.unread:
        log.index.keep(program(), position, made.subjects, made.digest)
    return made


def _members(log: FoundHistory, tag: str, before: int, after: int) -> list[str]:
    """Return the names of the members in which a subject differs between two positions."""
    then, now = (seen(log, Subject.of(tag), position) for position in (before, after))
    return differing(then and then.state, now and now.state)


def differing(one: Any, other: Any) -> list[str]:
    """Return the names of the members in which two states of one subject differ."""
    sides = [msgspec.json.decode(state_text(state)) for state in (one, other)]
    if not all(isinstance(side, dict) for side in sides):
        return ["all"]
    return sorted(name for name in sides[0] | sides[1] if sides[0].get(name) != sides[1].get(name))


@cache
def program() -> str:
    """Return what stands for this program's rules: a digest is kept under it, and no longer."""
    root, made = Path(__file__).parents[2], hashlib.sha256()
    for folder in ("services/consent", "services/accounts", "shared"):
        for file in sorted((root / folder).rglob("*.py")):
            made.update(file.relative_to(root).as_posix().encode() + b"\n" + file.read_bytes())
    return made.hexdigest()


# -- one subject ----------------------------------------------------------------------------------


def seen(log: FoundHistory, subject: Subject, position: int) -> Seen | None:
    """Return a subject as it was at a position, None if nothing of it was there; by its tag."""
    noun = log.nouns.by_name.get(subject.noun)
    if noun is None:
        return None
    arm = about(subject.tag, kinds=list(noun.kinds))
    history = log.recorded(arm, until=position)
    return Seen(subject, position, noun.fold(history), history) if history else None


def moment(log: FoundHistory, at: int | datetime | None) -> int:
    """Return the position that a moment means, an instant's last; raises `NoMoment`."""
    if isinstance(at, datetime):
        return log.index.position_at(at)
    if at is not None and not 0 <= at <= log.size:
        raise NoMoment(f"{log.name} has the positions 0 to {log.size:,}, and no {at:,}")
    return log.size if at is None else at
