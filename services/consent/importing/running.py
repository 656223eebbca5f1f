"""Imports tables of the directory: asks for each line at once or not at all, and tells what came.

Many lines are asked for together, so that they share transactions (group commit); lines about the
same thing never are, so that a file has one outcome, whoever is faster. A line is one append: a
crash leaves whole lines, and the same file again does the rest.
"""

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from services.consent.directory import Entry
from services.consent.facts import Right, RightGranted, StaffPhoneMarked, StaffPhoneUnmarked
from services.consent.importing.kinds import Asking, Kind, column_of
from services.consent.importing.tables import Line, Table
from shared.clock import VIETNAM
from shared.contracts.reasons import sentence
from shared.errors import Reason, Rejection, Unavailable
from shared.ledger.log import AskedT, Outcome, StateT, Verb
from shared.ledger.together import TOGETHER, Step
from shared.marks import KEY_BYTES, Marks

LINES_AT_ONCE = 1_000
"""Lines asked for together: a few full transactions, and half of what may wait for the writer."""

ALONE = frozenset({Right.CONTRACT, Right.PERMISSION, Right.DEVICE})
"""Rights with lines of their own; the others are particulars of an office or a clerk."""


class Performing(Protocol):
    """A log, or a rehearsal over one."""

    async def perform(self, verb: Verb[StateT, AskedT], asked: AskedT) -> Outcome[StateT]:
        """Decide and record; raises `Rejection`."""


class Came(StrEnum):
    """What came of a line."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Change:
    """What a line changed: of what, what it was (None: nothing), what it is now."""

    of: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one line: `about` is its id or ids, empty where it could not be read."""

    number: int
    came: Came
    about: str = ""
    changes: Sequence[Change] = ()
    reasons: Sequence[Reason] = ()


class Stopped(Exception):
    """The store does not answer: the line may be in, and what follows; the lines before are."""

    def __init__(self, path: Path, number: int, no: Unavailable) -> None:
        super().__init__(f"{path}:{number}: {sentence(no.code, 'en')}")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A line that can be asked for."""

    number: int
    about: str
    steps: Sequence[Step]


class Importing:
    """Imports tables, one after the other; a line may not contradict another of any of them."""

    def __init__(self, performing: Performing, asking: Asking, said: "Said") -> None:
        self._performing = performing
        self._asking = asking
        self._said = said

    async def run(self, table: Table, kind: Kind) -> AsyncIterator[Told]:
        """Yield what comes of each line, in order; raises `Stopped`."""
        for lines in self._together(table, kind):
            came = await asyncio.gather(
                *(self._perform(one, table) for one in lines), return_exceptions=True
            )
            for one in came:
                if isinstance(one, BaseException):
                    raise one
                yield one

    def _together(self, table: Table, kind: Kind) -> Iterator[list[_Asked | Told]]:
        """Yield lines that can be asked for at once: bounded in number, each about another."""
        lines = list[_Asked | Told]()
        for line in table.lines():
            read, again = self._read(line, kind)
            if again or len(lines) == LINES_AT_ONCE:
                yield lines
                lines = []
            lines.append(read)
        yield lines

    def _read(self, line: Line, kind: Kind) -> tuple[_Asked | Told, bool]:
        """Return what a line asks for, or why nothing, and whether another line was about it."""
        read = list(line.reasons) or kind.read(line.cells)
        if not isinstance(read, BaseModel):
            return Told(line.number, Came.BAD, reasons=read), False
        about = kind.id(read)
        earlier = self._said.earlier(f"{kind.noun}:{about}", read)
        if earlier is False:
            reasons = [Reason("line_contradicts")]
            return Told(line.number, Came.BAD, about, reasons=reasons), False
        steps = list(kind.asks(self._asking, read))
        return _Asked(line.number, about, steps), earlier is not None

    async def _perform(self, line: _Asked | Told, table: Table) -> Told:
        if isinstance(line, Told):
            return line
        try:
            outcome = await self._performing.perform(TOGETHER, line.steps)
        except Unavailable as no:
            raise Stopped(table.path, line.number, no) from no
        except Rejection as no:
            reasons = [column_of(one, table.columns) for one in no.reasons]
            return Told(line.number, Came.BAD, line.about, reasons=reasons)
        added = [one.fact for one in outcome.added]
        before = [one.fact for one in outcome.state[: len(outcome.state) - len(added)]]
        return Told(line.number, _came(added, before), line.about, [*_changes(added, before)])


def _came(added: Sequence[Any], before: Sequence[Any]) -> Came:
    """Return what came of a line: new, if what it is about was not there."""
    if not added:
        return Came.SAME
    first = added[0]
    if isinstance(first, RightGranted) and first.right in ALONE:
        return Came.CHANGED if _granted(first, before) else Came.NEW
    return Came.NEW if isinstance(first, Entry) else Came.CHANGED


def _changes(added: Sequence[Any], before: Sequence[Any]) -> Iterator[Change]:
    marked = sum(isinstance(one, StaffPhoneMarked) for one in added)
    unmarked = sum(isinstance(one, StaffPhoneUnmarked) for one in added)
    for one in added:
        match one:
            case RightGranted():
                held = _granted(one, before)
                yield Change(one.right, _term(held[-1]) if held else None, _term(one))
            case StaffPhoneMarked() | StaffPhoneUnmarked():
                pass
            case _:
                yield Change("entry", None, "registered")
    if marked or unmarked:
        yield Change("phones", None, f"{marked} more, {unmarked} fewer")


def _granted(one: RightGranted, before: Sequence[Any]) -> list[RightGranted]:
    """Return the earlier grants of the same right."""
    grants = [other for other in before if isinstance(other, RightGranted)]
    return [other for other in grants if other.right_id == one.right_id]


def _term(granted: RightGranted) -> str:
    """Return a right's dates as an interval (ISO 8601-2), in Vietnam, and what its paper is."""
    start, end = (
        one.astimezone(VIETNAM).isoformat() if one else ".."
        for one in (granted.valid_from, granted.valid_until)
    )
    paper = f" with {granted.document_hash}" if granted.document_hash else ""
    return f"{start}/{end}{paper}"


# -- what the lines before said -----------------------------------------------------------------


class Said:
    """What was said of each thing, as keyed marks on disk: files of any length fit."""

    def __init__(self, database: sqlite3.Connection, marks: Marks) -> None:
        self._database = database
        self._marks = marks

    def earlier(self, about: str, line: BaseModel) -> bool | None:
        """Return whether an earlier line said the same of it, None if none said anything."""
        mark = self._marks.mark("line", line.model_dump_json())
        row = self._database.execute("SELECT mark FROM said WHERE about = ?", [about]).fetchone()
        if row is None:
            self._database.execute("INSERT INTO said VALUES (?, ?)", [about, mark])
            return None
        return bool(row[0] == mark)


@contextmanager
def nothing_said() -> Iterator[Said]:
    """Give a record of what lines say; it lies in a file that is removed as soon as it is open."""
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=OFF")
        database.execute("CREATE TABLE said (about TEXT PRIMARY KEY, mark TEXT) WITHOUT ROWID")
        database.execute("BEGIN")  # never committed: it is not to outlast this
        yield Said(database, Marks(secrets.token_bytes(KEY_BYTES)))
