"""The embedded store: one SQLite file, WAL, synchronous=FULL, so a commit that returned is on disk.

Positions are given under `BEGIN IMMEDIATE`, which one connection of one process holds at a time.
Triggers refuse to change or remove a fact, whoever asks.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery
from eventsourcing.persistence import IntegrityError
from typing_extensions import override

from shared.ledger.recorder import (
    Append,
    Appended,
    Page,
    Recorder,
    StoredFact,
    matching_positions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA_VERSION = 1
"""Kept in SQLite's `user_version`; a store of another version is not opened."""

BUSY_TIMEOUT_S = 5.0
"""Seconds to wait for another process's commit before giving up: commits take milliseconds."""

SCHEMA = """
CREATE TABLE facts (
    position    INTEGER PRIMARY KEY,
    recorded_at INTEGER NOT NULL,  -- microseconds since 1970-01-01 UTC
    kind        TEXT NOT NULL,
    tags        TEXT NOT NULL,     -- JSON array, in the order given
    data        BLOB NOT NULL      -- canonical JSON, RFC 8785
) STRICT;
CREATE INDEX facts_by_kind ON facts (kind, position);
CREATE TABLE fact_tags (
    tag      TEXT NOT NULL,
    position INTEGER NOT NULL REFERENCES facts (position),
    kind     TEXT NOT NULL,
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;
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
"""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SchemaMissing(Exception):
    """The store has no ledger, or one of another version: run the service's `init` first."""


def create_schema(path: Path) -> None:
    """Make an empty ledger at `path`; does nothing where one of this version is already."""
    with closing(_connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _statements(SCHEMA):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
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
        self, query: DCBQuery | None = None, *, after: int = 0, limit: int | None = None
    ) -> Page:
        positions, parameters = matching_positions(query or DCBQuery(), after, "?")
        with self._reading:
            head = _head(self._reader)[0]
            rows = self._reader.execute(
                "SELECT position, recorded_at, kind, tags, data FROM facts"
                f" WHERE position IN ({positions}) AND position <= ? ORDER BY position LIMIT ?",
                [*parameters, head, -1 if limit is None else limit],
            ).fetchall()
        return Page([_stored(row) for row in rows], head)

    @override
    def head(self) -> int:
        with self._reading:
            return _head(self._reader)[0]

    @override
    def append_batch(self, batch: Sequence[Append]) -> list[Appended | IntegrityError]:
        with self._writing, _transaction(self._writer):
            head, last = _head(self._writer)
            recorded_at = self._time_after(last)
            outcomes = list[Appended | IntegrityError]()
            for append in batch:
                if append.condition and self._fails(append.condition):
                    outcomes.append(IntegrityError(append.condition))
                    continue
                self._insert(append, head, recorded_at)
                head += len(append.events)
                outcomes.append(Appended(head, recorded_at))
        self._tell_waiting()
        return outcomes

    @override
    def close(self) -> None:
        with self._writing, self._reading:
            self._writer.close()
            self._reader.close()

    def _fails(self, condition: DCBAppendCondition) -> bool:
        positions, parameters = matching_positions(
            condition.fail_if_events_match, condition.after or 0, "?"
        )
        found = self._writer.execute(f"{positions} LIMIT 1", parameters).fetchone()
        return found is not None

    def _insert(self, append: Append, head: int, recorded_at: datetime) -> None:
        stamp = (recorded_at - EPOCH) // timedelta(microseconds=1)
        for position, event in enumerate(append.events, start=head + 1):
            tags = json.dumps(event.tags, ensure_ascii=False)
            self._writer.execute(
                "INSERT INTO facts VALUES (?, ?, ?, ?, ?)",
                (position, stamp, event.type, tags, event.data),
            )
            self._writer.executemany(
                "INSERT INTO fact_tags VALUES (?, ?, ?)",
                [(tag, position, event.type) for tag in dict.fromkeys(event.tags)],
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


def _head(connection: sqlite3.Connection) -> tuple[int, datetime | None]:
    row = connection.execute(
        "SELECT position, recorded_at FROM facts ORDER BY position DESC LIMIT 1"
    ).fetchone()
    return (row[0], EPOCH + timedelta(microseconds=row[1])) if row else (0, None)


def _stored(row: tuple[Any, ...]) -> StoredFact:
    position, stamp, kind, tags, data = row
    recorded_at = EPOCH + timedelta(microseconds=stamp)
    return StoredFact(position, recorded_at, kind, json.loads(tags), data)


def _statements(script: str) -> list[str]:
    """Split a script into statements, a trigger's body staying whole."""
    statements, pending = list[str](), ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
