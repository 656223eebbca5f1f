"""The embedded store: one SQLite file, WAL, synchronous=FULL, so a commit that returned is on disk.

Positions are given under `BEGIN IMMEDIATE`, which one connection of one process holds at a time.
Triggers refuse to change or remove a fact, whoever asks.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery
from eventsourcing.persistence import IntegrityError
from typing_extensions import override

from shared.ledger.entries import digests_in, instant_of, stamp_of
from shared.ledger.merkle import Frontier
from shared.ledger.recorder import (
    SCHEMA_VERSION,
    Append,
    Appended,
    Commit,
    Head,
    Page,
    Part,
    Recorder,
    SchemaMissing,
    StoredFact,
)
from shared.ledger.selection import as_of_head, matching, matching_positions, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_TIMEOUT_S = 5.0
"""Seconds to wait for another process's commit before giving up: commits take milliseconds."""

CACHE_KB = 32_768
"""What a connection keeps of the file: with SQLite's usual 2 MB the index of a long log's tags is
read from the file again and again."""

SCHEMA = """
CREATE TABLE facts (
    position    INTEGER PRIMARY KEY,
    recorded_at INTEGER NOT NULL,  -- microseconds since 1970-01-01 UTC
    kind        TEXT NOT NULL,
    tags        TEXT NOT NULL,     -- JSON array, in the order given
    data        BLOB NOT NULL,     -- canonical JSON, RFC 8785
    leaf        BLOB NOT NULL,     -- docs/ledger-format.md
    parts       BLOB NOT NULL      -- SHA-256 of each personal part, in a row
) STRICT;
CREATE INDEX facts_by_kind ON facts (kind, position);
CREATE TABLE fact_tags (
    tag      TEXT NOT NULL,
    position INTEGER NOT NULL REFERENCES facts (position),
    kind     TEXT NOT NULL,
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE commits (
    position    INTEGER PRIMARY KEY,  -- the last that was committed
    recorded_at INTEGER NOT NULL,
    root        BLOB NOT NULL,        -- of the tree up to it
    frontier    BLOB NOT NULL
) STRICT;
CREATE INDEX commits_by_time ON commits (recorded_at, position);
CREATE TABLE parts (
    position INTEGER NOT NULL REFERENCES facts (position),
    number   INTEGER NOT NULL,
    key_id   TEXT NOT NULL,
    data     BLOB NOT NULL,
    PRIMARY KEY (position, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX parts_by_key ON parts (key_id);
CREATE TRIGGER facts_stay BEFORE UPDATE ON facts
    BEGIN SELECT RAISE(ABORT, 'facts are never changed'); END;
CREATE TRIGGER facts_remain BEFORE DELETE ON facts
    BEGIN SELECT RAISE(ABORT, 'facts are never removed'); END;
CREATE TRIGGER facts_follow BEFORE INSERT ON facts
    WHEN new.position <> (SELECT coalesce(max(position), 0) + 1 FROM facts)
    BEGIN SELECT RAISE(ABORT, 'positions have no gaps'); END;
CREATE TRIGGER tags_stay BEFORE UPDATE ON fact_tags
    BEGIN SELECT RAISE(ABORT, 'facts are never changed'); END;
CREATE TRIGGER tags_remain BEFORE DELETE ON fact_tags
    BEGIN SELECT RAISE(ABORT, 'facts are never removed'); END;
CREATE TRIGGER commits_stay BEFORE UPDATE ON commits
    BEGIN SELECT RAISE(ABORT, 'commits are never changed'); END;
CREATE TRIGGER commits_remain BEFORE DELETE ON commits
    BEGIN SELECT RAISE(ABORT, 'commits are never removed'); END;
CREATE TRIGGER parts_stay BEFORE UPDATE ON parts
    BEGIN SELECT RAISE(ABORT, 'parts are never changed'); END;
CREATE TRIGGER parts_remain BEFORE DELETE ON parts
    WHEN NOT EXISTS (SELECT 1 FROM fact_tags WHERE tag = 'key:' || old.key_id)
    BEGIN SELECT RAISE(ABORT, 'a part goes only after the fact that erases its key'); END;
"""

BY_KIND = "CREATE INDEX IF NOT EXISTS fact_tags_by_kind ON fact_tags (tag, kind, position)"
"""A bank's own entry is found among a million facts with the bank's tag. It came later, so a store
from before gets it when it is initialised again."""

SELECT_LAST = "SELECT position, recorded_at FROM commits ORDER BY position DESC LIMIT 1"

LOOK = """
SELECT DISTINCT asked.value ->> 'number' FROM json_each(?) AS asked
WHERE EXISTS (
    SELECT 1 FROM fact_tags AS found
    WHERE found.tag = asked.value ->> 'tag' AND found.position > asked.value ->> 'after'
        AND (asked.value ->> 'kinds' IS NULL
            OR found.kind IN (SELECT value FROM json_each(asked.value, '$.kinds')))
        AND NOT EXISTS (
            SELECT 1 FROM json_each(asked.value, '$.others') AS other
            WHERE NOT EXISTS (
                SELECT 1 FROM fact_tags AS too
                WHERE too.tag = other.value AND too.position = found.position))
)
"""
"""Which of the conditions asked about (`selection.wanted`) fail: one statement for a batch, because
the driver's share of a statement is more than what a condition takes to look up."""


def create_schema(path: Path) -> None:
    """Make an empty ledger at `path`, its version in `user_version`, unless one is there."""
    with closing(_connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _statements(SCHEMA):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        if version in {0, SCHEMA_VERSION}:
            connection.execute(BY_KIND)
        connection.execute("COMMIT")


class SQLiteRecorder(Recorder):
    """A ledger in one SQLite file; one writing connection and one reading one per process."""

    READS_LOCALLY = True

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._writer, self._reader = _open(path), _open(path)
        self._writing, self._reading = threading.Lock(), threading.Lock()

    @override
    def page(
        self,
        query: DCBQuery | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        as_of: int | None = None,
    ) -> Page:
        matches, parameters = matching(query, after, "?", limit)
        with self._reading:
            last, stamp = self._reader.execute(SELECT_LAST).fetchone() or (0, None)
            head = as_of_head(last, as_of)
            rows = self._reader.execute(
                "SELECT position, recorded_at, kind, tags, data, leaf, parts FROM facts"
                f" WHERE {matches} AND position <= ? ORDER BY position LIMIT ?",
                [*parameters, head, -1 if limit is None else limit],
            ).fetchall()
        return Page([_stored(row) for row in rows], head, stamp and instant_of(stamp))

    @override
    def head(self) -> int:
        with self._reading:
            return _position(self._reader)

    @override
    def end(self) -> Head:
        with self._reading:
            return _end(self._reader)

    @override
    def commit(self, position: int) -> Commit | None:
        with self._reading:
            row = self._reader.execute(
                "SELECT position, root FROM commits WHERE position <= ?"
                " ORDER BY position DESC LIMIT 1",
                [position],
            ).fetchone()
        return Commit(*row) if row else None

    @override
    def position_at(self, instant: datetime) -> int:
        with self._reading:
            row = self._reader.execute(
                "SELECT position FROM commits WHERE recorded_at <= ?"
                " ORDER BY recorded_at DESC, position DESC LIMIT 1",
                [stamp_of(instant)],
            ).fetchone()
        return int(row[0]) if row else 0

    @override
    def parts(self, positions: Sequence[int]) -> dict[tuple[int, int], Part]:
        with self._reading:
            rows = self._reader.execute(
                "SELECT position, number, key_id, data FROM parts"
                " WHERE position IN (SELECT value FROM json_each(?))",
                [json.dumps(list(positions))],
            ).fetchall()
        return {(position, number): Part(*part) for position, number, *part in rows}

    @override
    def forget(self, key_ids: Sequence[str]) -> None:
        """Remove the parts, and overwrite what they leave in the file and its journal."""
        with self._writing:
            with _transaction(self._writer):
                self._writer.execute(
                    "DELETE FROM parts WHERE key_id IN (SELECT value FROM json_each(?))",
                    [json.dumps(list(key_ids))],
                )
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @override
    def append_batch(self, batch: Sequence[Append]) -> list[Appended | IntegrityError]:
        with self._writing, _transaction(self._writer):
            before = _end(self._writer)
            failing = self._failing([append.condition for append in batch])
            outcomes, facts, end = self._place(batch, before, failing)
            if facts:
                self._insert(facts, end)
        self._tell_waiting()
        return outcomes

    @override
    def close(self) -> None:
        with self._writing, self._reading:
            self._writer.close()
            self._reader.close()

    def _failing(self, conditions: Sequence[DCBAppendCondition | None]) -> list[bool]:
        if len(conditions) == 1:  # asked in its own words it takes half the time
            return [conditions[0] is not None and self._fails(conditions[0])]
        rows, others = wanted(conditions)
        failing = {number for (number,) in self._writer.execute(LOOK, [rows])}
        failing.update(number for number, condition in others if self._fails(condition))
        return [number in failing for number in range(len(conditions))]

    def _fails(self, condition: DCBAppendCondition) -> bool:
        query, after = condition.fail_if_events_match, condition.after or 0
        positions, parameters = matching_positions(query, after, "?")
        return self._writer.execute(f"{positions} LIMIT 1", parameters).fetchone() is not None

    def _insert(self, facts: Sequence[StoredFact], end: Head) -> None:
        assert end.recorded_at is not None
        stamp = stamp_of(end.recorded_at)
        self._writer.executemany(
            "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(one.position, stamp, *_columns(one)) for one in facts],
        )
        self._writer.executemany(
            "INSERT INTO fact_tags VALUES (?, ?, ?)",
            [(tag, one.position, one.kind) for one in facts for tag in dict.fromkeys(one.tags)],
        )
        if parts := [row for one in facts for row in one.part_rows()]:
            self._writer.executemany("INSERT INTO parts VALUES (?, ?, ?, ?)", parts)
        self._writer.execute(
            "INSERT INTO commits VALUES (?, ?, ?, ?)",
            (end.position, stamp, end.tree.root(), end.tree.pack()),
        )


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise SchemaMissing(f"no ledger at {path}")
    connection = _connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        connection.close()
        raise SchemaMissing(f"{path} holds version {version}, not {SCHEMA_VERSION}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KB}")
    connection.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> "Iterator[None]":
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _position(connection: sqlite3.Connection) -> int:
    (position,) = connection.execute("SELECT coalesce(max(position), 0) FROM commits").fetchone()
    return int(position)


def _end(connection: sqlite3.Connection) -> Head:
    row = connection.execute(
        "SELECT position, recorded_at, frontier FROM commits ORDER BY position DESC LIMIT 1"
    ).fetchone()
    return Head(Frontier.unpack(row[0], row[2]), instant_of(row[1])) if row else Head()


def _stored(row: tuple[Any, ...]) -> StoredFact:
    position, stamp, kind, tags, data, leaf, parts = row
    instant, named = instant_of(stamp), msgspec.json.decode(tags)
    return StoredFact(position, instant, kind, named, data, leaf, digests_in(parts))


def _columns(fact: StoredFact) -> tuple[Any, ...]:
    return (
        fact.kind,
        msgspec.json.encode(fact.tags).decode(),
        fact.data,
        fact.leaf,
        b"".join(fact.part_digests),
    )


def _statements(script: str) -> list[str]:
    """Split a script into statements, a trigger's body staying whole."""
    statements, pending = list[str](), ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
