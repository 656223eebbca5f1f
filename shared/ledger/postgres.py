"""The production store: PostgreSQL, several logs in one database as schemas, several processes.

A row of its own is locked until commit, so positions are given one transaction at a time, in the
order in which they become visible. The row is never updated: the last position is the log's own.
READ COMMITTED lets the statement after the lock see the commit before it.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import psycopg
from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery
from eventsourcing.persistence import IntegrityError
from psycopg import sql
from psycopg.rows import TupleRow
from typing_extensions import override

from shared.ledger.recorder import (
    Append,
    Appended,
    Page,
    Recorder,
    StoredFact,
    matching_positions,
)

Connection = psycopg.Connection[TupleRow]

CONNECT_TIMEOUT_S = 5
"""Seconds to wait for the server before the process gives up and is started again."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS head (one boolean PRIMARY KEY DEFAULT true CHECK (one));
INSERT INTO head VALUES (true) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS facts (
    position    bigint PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    kind        text NOT NULL,
    tags        text[] NOT NULL,
    data        bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS facts_by_kind ON facts (kind, position);
CREATE TABLE IF NOT EXISTS fact_tags (
    tag      text NOT NULL,
    position bigint NOT NULL REFERENCES facts,
    kind     text NOT NULL,
    PRIMARY KEY (tag, position)
);
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'facts are never changed or removed'; END $$;
CREATE OR REPLACE TRIGGER facts_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON facts
    EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER tags_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON fact_tags
    EXECUTE FUNCTION refuse_change();
"""


def create_schema(url: str, schema: str) -> None:
    """Make an empty ledger in `schema`; does nothing where there is one already."""
    with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        name = sql.Identifier(schema)
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [schema])
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(name))
        connection.execute(SCHEMA)


class PostgresRecorder(Recorder):
    """A ledger in one schema; one writing connection and one reading one per process.

    A lost connection fails the call that met it and is opened anew by the next.
    """

    def __init__(self, url: str, schema: str, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._writer = _Line(url, schema)
        self._reader = _Line(url, schema)

    @override
    def page(
        self, query: DCBQuery | None = None, *, after: int = 0, limit: int | None = None
    ) -> Page:
        positions, parameters = matching_positions(query or DCBQuery(), after, "%s")
        with self._reader as connection:
            head = _head(connection)[0]
            rows = connection.execute(
                "SELECT position, recorded_at, kind, tags, data FROM facts"
                f" WHERE position IN ({positions}) AND position <= %s"
                " ORDER BY position LIMIT %s",
                [*parameters, head, limit],
                binary=True,
            ).fetchall()
        return Page([StoredFact(*row) for row in rows], head)

    @override
    def head(self) -> int:
        with self._reader as connection:
            return _head(connection)[0]

    @override
    def append_batch(self, batch: Sequence[Append]) -> list[Appended | IntegrityError]:
        with self._writer as connection, connection.transaction():
            connection.execute("SELECT 1 FROM head FOR UPDATE")
            head, last = _head(connection)
            recorded_at = self._time_after(last)
            outcomes = list[Appended | IntegrityError]()
            for append in batch:
                if append.condition and _fails(connection, append.condition):
                    outcomes.append(IntegrityError(append.condition))
                    continue
                _insert(connection, append, head, recorded_at)
                head += len(append.events)
                outcomes.append(Appended(head, recorded_at))
        self._tell_waiting()
        return outcomes

    @override
    def close(self) -> None:
        self._writer.close()
        self._reader.close()


class _Line:
    """One connection that one thread uses at a time, opened when first needed."""

    def __init__(self, url: str, schema: str) -> None:
        self._url, self._schema = url, schema
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def __enter__(self) -> Connection:
        self._lock.acquire()
        try:
            if self._connection is None or self._connection.closed or self._connection.broken:
                self._connection = self._open()
        except BaseException:
            self._lock.release()
            raise
        return self._connection

    def __exit__(self, *exception: object) -> None:
        self._lock.release()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _open(self) -> Connection:
        connection = psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
        connection.execute("SELECT set_config('search_path', %s, false)", [self._schema])
        return connection


def _head(connection: Connection) -> tuple[int, datetime | None]:
    row = connection.execute(
        "SELECT position, recorded_at FROM facts ORDER BY position DESC LIMIT 1"
    ).fetchone()
    return (row[0], row[1]) if row else (0, None)


def _fails(connection: Connection, condition: DCBAppendCondition) -> bool:
    positions, parameters = matching_positions(
        condition.fail_if_events_match, condition.after or 0, "%s"
    )
    found = connection.execute(f"{positions} LIMIT 1", parameters)
    return found.fetchone() is not None


def _insert(connection: Connection, append: Append, head: int, recorded_at: datetime) -> None:
    facts, tags = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for position, event in enumerate(append.events, start=head + 1):
        facts.append((position, recorded_at, event.type, event.tags, event.data))
        tags += [(tag, position, event.type) for tag in dict.fromkeys(event.tags)]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO facts VALUES (%s, %s, %s, %s, %s)", facts)
        if tags:
            cursor.executemany("INSERT INTO fact_tags VALUES (%s, %s, %s)", tags)
