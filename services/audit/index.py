"""An index beside an export, so that one question does not read a million facts.

It holds where each fact lies and under which tags, and nothing that a fact says: that is read from
the export each time. It is made once from the export, named by its fingerprint, and disposable.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from services.audit.export import (
    BadExport,
    Instant,
    LogName,
    Position,
    facts_path,
    number_of,
)
from services.audit.reading import Opened
from shared.ledger.entries import instant_of, stamp_of
from shared.ledger.selection import matching

VERSION = 1

CACHE_KB = 65_536

ROWS_AT_ONCE = 4_096

TABLES = """
CREATE TABLE facts (
    position    INTEGER PRIMARY KEY,
    recorded_at INTEGER NOT NULL,  -- microseconds since 1970-01-01 UTC
    kind        TEXT NOT NULL,
    start       INTEGER NOT NULL   -- of its line, in bytes from the beginning of its file
) STRICT;
CREATE TEMP TABLE found_tags (tag TEXT NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL);
CREATE TABLE fact_tags (
    tag TEXT NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE digests (
    program TEXT NOT NULL, position INTEGER NOT NULL, subjects INTEGER NOT NULL,
    digest BLOB NOT NULL, PRIMARY KEY (program, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE made_of (fingerprint TEXT NOT NULL, version INTEGER NOT NULL) STRICT;
"""

SORTED = """
INSERT OR IGNORE INTO fact_tags SELECT tag, position, kind FROM found_tags ORDER BY tag, position;
DROP TABLE found_tags;
CREATE INDEX facts_by_kind ON facts (kind, position);
CREATE INDEX facts_by_time ON facts (recorded_at, position);
"""
"""Tags are sorted once, at the end: a tree that grows at random places reads itself again."""

Told = Callable[[int, int], None]


class Line(msgspec.Struct, frozen=True, gc=False):
    """What the index takes of a fact's line."""

    position: Position
    recorded_at: Instant
    kind: str
    tags: list[str]


_lines = msgspec.json.Decoder(Line)


class Entry(NamedTuple):
    """Where a fact lies: its position, when it was recorded (UTC), its kind, and its line."""

    position: int
    recorded_at: datetime
    kind: str
    start: int


class Index:
    """The index of one log of an export."""

    def __init__(self, path: Path) -> None:
        self._store = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._store.execute(f"PRAGMA cache_size=-{CACHE_KB}")

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def entries(
        self,
        *arms: DCBQueryItem,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
    ) -> list[Entry]:
        """Return where the facts lie that match any of the arms, in order; all, if there is none.

        Those behind `after`, up to and with `until`.
        """
        matches, parameters = matching(DCBQuery(items=list(arms)), after, "?", limit)
        rows = self._store.execute(
            "SELECT position, recorded_at, kind, start FROM facts"
            f" WHERE {matches} AND position <= ? ORDER BY position LIMIT ?",
            [*parameters, 2**63 - 1 if until is None else until, -1 if limit is None else limit],
        )
        return [Entry(one[0], instant_of(one[1]), one[2], one[3]) for one in rows]

    def position_at(self, instant: datetime) -> int:
        """Return the last position that was recorded at an instant or before, 0 if none was."""
        (found,) = self._store.execute(
            "SELECT position FROM facts WHERE recorded_at <= ?"
            " ORDER BY recorded_at DESC, position DESC LIMIT 1",
            [stamp_of(instant)],
        ).fetchone() or (0,)
        return int(found)

    def tags(self, beginning: str, *, limit: int) -> list[str]:
        """Return up to so many tags that begin with a text, such as `consent:4f`, in order."""
        rows = self._store.execute(
            "SELECT DISTINCT tag FROM fact_tags WHERE tag >= ? AND tag < ? LIMIT ?",
            [beginning, f"{beginning}\U0010ffff", limit],
        )
        return [str(tag) for (tag,) in rows]

    def counts(self) -> dict[str, int]:
        """Return how many facts of each kind there are."""
        rows = self._store.execute("SELECT kind, COUNT(*) FROM facts GROUP BY kind ORDER BY kind")
        return dict(rows.fetchall())

    def digest(self, program: str, position: int) -> tuple[int, bytes] | None:
        """Return the subjects and the digest that a program came to, None if it is not kept."""
        row = self._store.execute(
            "SELECT subjects, digest FROM digests WHERE program = ? AND position = ?",
            [program, position],
        ).fetchone()
        return (int(row[0]), bytes(row[1])) if row else None

    def keep(self, program: str, position: int, subjects: int, digest: bytes) -> None:
        """Keep what a program came to at a position."""
        self._store.execute(
            "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)",
            [program, position, subjects, digest],
        )


def open_index(
    export: Opened, log: LogName, fingerprint: str, numbers: Sequence[int], told: Told
) -> Index:
    """Return the index of a log, made if there is none of this very export; raises `BadExport`.

    `numbers` are those of the log's files; `told` hears how far it is, in positions and files.
    """
    folder = export.place.with_name(f"{export.place.name}.index")
    path = folder / f"{log}.sqlite"
    if not _is_of(path, fingerprint):
        folder.mkdir(exist_ok=True)
        beside = path.with_suffix(".part")
        beside.unlink(missing_ok=True)
        with closing(sqlite3.connect(beside)) as store:
            _make(store, _all_lines(export, log, numbers), told)
            store.execute("INSERT INTO made_of VALUES (?, ?)", [fingerprint, VERSION])
            store.commit()
        beside.replace(path)
    return Index(path)


def _is_of(path: Path, fingerprint: str) -> bool:
    """Tell whether an index is whole, of our version, and of this export."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path)) as store:
            made_of = store.execute("SELECT fingerprint, version FROM made_of").fetchone()
    except sqlite3.DatabaseError:
        return False
    return bool(made_of == (fingerprint, VERSION))


def _make(store: sqlite3.Connection, lines: Iterable[tuple[Line, int]], told: Told) -> None:
    """Fill an empty index; what is left of one that was not finished is no index."""
    store.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {TABLES}")
    facts, tags = list[tuple[int, int, str, int]](), list[tuple[str, int, str]]()
    for line, start in lines:
        facts.append((line.position, stamp_of(line.recorded_at), line.kind, start))
        tags += [(tag, line.position, line.kind) for tag in line.tags]
        if len(facts) == ROWS_AT_ONCE:
            _add(store, facts, tags)
            told(line.position, number_of(line.position))
    _add(store, facts, tags)
    store.executescript(SORTED)


def _add(
    store: sqlite3.Connection,
    facts: list[tuple[int, int, str, int]],
    tags: list[tuple[str, int, str]],
) -> None:
    store.executemany("INSERT INTO facts VALUES (?, ?, ?, ?)", facts)
    store.executemany("INSERT INTO found_tags VALUES (?, ?, ?)", tags)
    facts.clear()
    tags.clear()


def _all_lines(export: Opened, log: LogName, numbers: Sequence[int]) -> Iterator[tuple[Line, int]]:
    """Return the lines of a log's files, and where each begins in its own."""
    for number in numbers:
        path, start = facts_path(log, number), 0
        for line in export.lines(path):
            try:
                yield _lines.decode(line), start
            except (msgspec.DecodeError, ValueError) as error:
                raise BadExport(f"{path}: no fact at byte {start:,}: {error}") from error
            start += len(line) + 1
