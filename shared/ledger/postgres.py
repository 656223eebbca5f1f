"""The production store: PostgreSQL, several logs in one database as schemas, several processes.

A row of its own is locked until commit, so positions are given one transaction at a time, in the
order in which they become visible. The row is never updated: the end is the last commit's own row.
READ COMMITTED lets the statement after the lock see the commit before it.

A process that alone appends knows where the log ends before it has the lock. It sends all in one
statement, which writes nothing if the log ends elsewhere.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery
from eventsourcing.persistence import IntegrityError
from psycopg import sql
from psycopg.rows import TupleRow
from typing_extensions import override

from shared.ledger.entries import digests_in
from shared.ledger.merkle import Frontier
from shared.ledger.recorder import (
    SCHEMA_VERSION,
    Append,
    Appended,
    Commit,
    Head,
    Look,
    Page,
    Part,
    Recorder,
    SchemaMissing,
    StoredFact,
)
from shared.ledger.selection import as_of_head, matching, matching_positions, wanted

Connection = psycopg.Connection[TupleRow]

CONNECT_TIMEOUT_S = 5
"""Seconds to wait for the server before the process gives up and is started again."""

LOOK_BACK_PAUSES_S: tuple[float, ...] = (0.0, 0.1, 0.5, 1.0, 2.0)
"""Seconds before each try to ask whether a commit took place: a server that restarts needs some."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS head (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL
);
INSERT INTO head (version) VALUES ({version}) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS facts (
    position    bigint PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    kind        text NOT NULL,
    tags        text[] NOT NULL,
    data        bytea NOT NULL,
    leaf        bytea NOT NULL,
    parts       bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS facts_by_kind ON facts (kind, position);
CREATE TABLE IF NOT EXISTS fact_tags (
    tag      text NOT NULL,
    position bigint NOT NULL,  -- of a fact: tags_belong
    kind     text NOT NULL,
    PRIMARY KEY (tag, position)
);
CREATE INDEX IF NOT EXISTS fact_tags_by_kind ON fact_tags (tag, kind, position);
CREATE TABLE IF NOT EXISTS commits (
    position    bigint PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    root        bytea NOT NULL,
    frontier    bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS commits_by_time ON commits (recorded_at, position);
CREATE TABLE IF NOT EXISTS parts (
    position bigint NOT NULL REFERENCES facts,
    number   integer NOT NULL,
    key_id   text NOT NULL,
    data     bytea NOT NULL,
    PRIMARY KEY (position, number)
);
CREATE INDEX IF NOT EXISTS parts_by_key ON parts (key_id);
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'facts are never changed or removed'; END $$;
CREATE OR REPLACE TRIGGER facts_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON facts
    EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER tags_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON fact_tags
    EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER commits_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON commits
    EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER parts_stay BEFORE UPDATE OR TRUNCATE ON parts
    EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE FUNCTION refuse_stray() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT AS $$ BEGIN  -- once a statement: a foreign key asks for each row
    IF EXISTS (SELECT FROM added
            WHERE position NOT BETWEEN 1 AND coalesce((SELECT max(position) FROM facts), 0)) THEN
        RAISE EXCEPTION 'a tag belongs to a fact' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tags_belong AFTER INSERT ON fact_tags
    REFERENCING NEW TABLE AS added EXECUTE FUNCTION refuse_stray();
CREATE OR REPLACE FUNCTION refuse_loss() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT AS $$ BEGIN  -- nobody puts other tags in their place
    IF NOT EXISTS (SELECT FROM fact_tags WHERE tag = 'key:' || old.key_id) THEN
        RAISE EXCEPTION 'a part goes only after the fact that erases its key';
    END IF;
    RETURN old;
END $$;
CREATE OR REPLACE TRIGGER parts_remain BEFORE DELETE ON parts
    FOR EACH ROW EXECUTE FUNCTION refuse_loss();
CREATE OR REPLACE FUNCTION look(asked_all json)
    RETURNS TABLE (last bigint, last_recorded_at timestamptz, last_frontier bytea, failing int[])
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    PERFORM 1 FROM head FOR UPDATE;
    RETURN QUERY SELECT ended.position, ended.recorded_at, ended.frontier, found.numbers
        FROM (SELECT ARRAY(
            SELECT DISTINCT asked.number
            FROM json_to_recordset(asked_all)
                AS asked (number int, after bigint, tag text, others json, kinds json),
            LATERAL (
                SELECT FROM fact_tags found
                WHERE found.tag = asked.tag AND found.position > asked.after
                    AND (asked.kinds IS NULL
                        OR found.kind IN (SELECT json_array_elements_text(asked.kinds)))
                    AND NOT EXISTS (
                        SELECT FROM json_array_elements_text(asked.others) AS other (tag)
                        WHERE NOT EXISTS (
                            SELECT FROM fact_tags too
                            WHERE too.tag = other.tag AND too.position = found.position))
                LIMIT 1
            ) AS hit
        )) AS found (numbers)
        LEFT JOIN LATERAL (SELECT * FROM commits ORDER BY position DESC LIMIT 1) AS ended ON true;
END $$;
"""
"""`look` locks, then says where the log ends and which of the conditions asked about fail: as one
function it costs one statement, and what it asks after the lock sees the commit before it. LATERAL
with LIMIT looks each tag up in its index and stops at the first hit, however many facts a tag has.
"""


SELECT_END = "SELECT position, recorded_at, frontier FROM commits ORDER BY position DESC LIMIT 1"

SELECT_LAST = "SELECT position, recorded_at FROM commits ORDER BY position DESC LIMIT 1"

ENTER = """
, given AS MATERIALIZED (
    SELECT given.* FROM fitting, json_to_recordset(%(facts)s) AS given
        (position bigint, kind text, tags json, named json, data_at int, leaf_at int, parts_at int,
        parts int)
), entered AS (
    INSERT INTO facts
    SELECT position, %(recorded_at)s, kind, ARRAY(SELECT json_array_elements_text(tags)),
        substr(%(bytes)b::bytea, data_at, leaf_at - data_at),
        substr(%(bytes)b::bytea, leaf_at, parts_at - leaf_at),
        substr(%(bytes)b::bytea, parts_at, parts)
    FROM given
), tagged AS (
    INSERT INTO fact_tags
    SELECT tag, position, kind FROM given, json_array_elements_text(coalesce(named, tags)) AS tag
)
INSERT INTO commits
SELECT %(position)s, %(recorded_at)s, %(root)b, %(frontier)b FROM fitting RETURNING position
"""
"""All rows of a batch, where `fitting` has a row. Facts come as JSON, and their bytes in one piece:
the driver takes longer over arrays than over all the rest."""

ENTER_LOCKED = f"WITH fitting AS (SELECT) {ENTER}"

ENTER_AT_ONCE = f"""
WITH looked AS MATERIALIZED (SELECT * FROM look(%(asked)s)), fitting AS MATERIALIZED (
    SELECT FROM looked WHERE last_frontier = %(left)b AND failing = '{{}}'
) {ENTER}
"""
"""Locks, looks and enters in one statement, a transaction of its own, if the log still ends where
this process left it and all conditions hold; otherwise enters nothing."""

INSERT_PARTS = """
INSERT INTO parts SELECT * FROM unnest(%b::bigint[], %b::int[], %b::text[], %b::bytea[])
"""

Written = tuple[list[Appended | IntegrityError], Head]
"""The outcomes of a batch, and the end of the log with it."""


SERVING = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT, INSERT ON facts, fact_tags, commits, parts TO {role};
GRANT SELECT, UPDATE (one) ON head TO {role};
"""
"""All that serving needs. Locking the head's row takes the right to update a column of it, and that
column can only be true."""

ERASING = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON facts, fact_tags, commits, head TO {role};
GRANT SELECT, DELETE ON parts TO {role};
"""
"""All that erasing needs: to remove personal parts, never a fact."""


def create_schema(
    url: str, schema: str, grant: str | None = None, erasing: str | None = None
) -> None:
    """Make an empty ledger in `schema`, unless there is one, owned by whoever connects.

    `grant` names the role that the service will serve as: it may read and add, and nothing else.
    `erasing` names the one that may remove the personal parts whose keys are erased.
    """
    with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        name = sql.Identifier(schema)
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [schema])
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(name))
        connection.execute(sql.SQL(SCHEMA).format(version=SCHEMA_VERSION))
        for rights, role in ((SERVING, grant), (ERASING, erasing)):
            if role:
                granted = sql.SQL(rights).format(schema=name, role=sql.Identifier(role))
                connection.execute(granted)


class PostgresRecorder(Recorder):
    """A ledger in one schema; one writing connection and one reading one per process.

    A lost connection fails the call that met it and is opened anew by the next.
    """

    def __init__(self, url: str, schema: str, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._writer = _Line(url, schema)
        self._reader = _Line(url, schema)
        self._left: Head | None = None  # where this process's last append left the log
        self._alone = False  # whether nobody else had appended since, when it last asked

    @override
    def page(
        self,
        query: DCBQuery | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        as_of: int | None = None,
    ) -> Page:
        with self._reader as connection:
            last, log_at = connection.execute(SELECT_LAST).fetchone() or (0, None)
            head = as_of_head(last, as_of)
            rows = _select(connection, query, after, limit, head).fetchall()
        return Page([_stored(row) for row in rows], head, log_at)

    @override
    def pages(self, looks: Sequence[Look]) -> list[Page]:
        with self._reader as connection:
            last, log_at = connection.execute(SELECT_LAST).fetchone() or (0, None)
            heads = [as_of_head(last, one.as_of) for one in looks]
            with connection.pipeline() if len(looks) > 1 else nullcontext():
                selected = [
                    _select(connection, one.query, one.after, one.limit, head)
                    for one, head in zip(looks, heads, strict=True)
                ]
            return [
                Page([_stored(row) for row in cursor.fetchall()], head, log_at)
                for cursor, head in zip(selected, heads, strict=True)
            ]

    @override
    def head(self) -> int:
        with self._reader as connection:
            return _position(connection)

    @override
    def end(self) -> Head:
        with self._reader as connection:
            return _end(connection)

    @override
    def commit(self, position: int) -> Commit | None:
        with self._reader as connection:
            return _commit(connection, position)

    @override
    def position_at(self, instant: datetime) -> int:
        with self._reader as connection:
            row = connection.execute(
                "SELECT position FROM commits WHERE recorded_at <= %s"
                " ORDER BY recorded_at DESC, position DESC LIMIT 1",
                [instant],
            ).fetchone()
        return int(row[0]) if row else 0

    @override
    def parts(self, positions: Sequence[int]) -> dict[tuple[int, int], Part]:
        with self._reader as connection:
            rows = connection.execute(
                "SELECT position, number, key_id, data FROM parts WHERE position = ANY(%s)",
                [list(positions)],
                binary=True,
            ).fetchall()
        return {(position, number): Part(*part) for position, number, *part in rows}

    @override
    def forget(self, key_ids: Sequence[str]) -> None:
        with self._writer as connection:
            connection.execute("DELETE FROM parts WHERE key_id = ANY(%s)", [list(key_ids)])

    @override
    def append_batch(self, batch: Sequence[Append]) -> list[Appended | IntegrityError]:
        with self._writer as connection:
            written = self._at_once(connection, batch) or self._in_turn(connection, batch)
            outcomes, self._left = written
        self._tell_waiting()
        return outcomes

    def _at_once(self, connection: Connection, batch: Sequence[Append]) -> Written | None:
        """Write the batch where this process left the log; None if nothing was written.

        One statement takes half the time of four, but has to be made before the lock is held. So it
        writes nothing where others appended too, or a condition fails; then `_in_turn` asks first.
        """
        if self._left is None or not self._alone:
            return None
        asked, others = wanted([append.condition for append in batch])
        outcomes, facts, end = self._place(batch, self._left, [False] * len(batch))
        if others or not facts or any(one.parts for one in facts):
            return None
        left = self._left.tree.pack()
        parameters = {"asked": asked, "left": left, **_entering(facts, end)}
        try:
            self._alone = connection.execute(ENTER_AT_ONCE, parameters).fetchone() is not None
        except psycopg.OperationalError:
            if not self._was_committed(end):
                raise
        return (outcomes, end) if self._alone else None

    def _in_turn(self, connection: Connection, batch: Sequence[Append]) -> Written:
        written: Written | None = None
        try:
            with connection.pipeline(), connection.transaction():
                written = self._write(connection, batch)
        except psycopg.OperationalError:
            if written is None or not self._was_committed(written[1]):
                raise
        return written

    def _write(self, connection: Connection, batch: Sequence[Append]) -> Written:
        """Write the batch: what is asked goes out at once, and so does what is inserted."""
        before, failing = _look(connection, [append.condition for append in batch])
        self._alone = self._left is not None and self._left.tree == before.tree
        outcomes, facts, end = self._place(batch, before, failing)
        if facts:
            connection.execute(ENTER_LOCKED, _entering(facts, end))
        if parts := [row for one in facts for row in one.part_rows()]:
            connection.execute(INSERT_PARTS, [list(column) for column in zip(*parts, strict=True)])
        return outcomes, end

    def _was_committed(self, end: Head) -> bool:
        """Tell whether a commit took place whose answer was lost.

        The lock is taken first: a transaction that is still under way ends before it is given.
        """
        for pause_s in LOOK_BACK_PAUSES_S:
            time.sleep(pause_s)
            with (
                suppress(psycopg.OperationalError),
                self._reader as connection,
                connection.transaction(),
            ):
                connection.execute("SELECT 1 FROM head FOR UPDATE")
                kept = _commit(connection, end.position)
                return kept == (Commit(end.position, end.tree.root()) if end.position else None)
        return False

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
        try:
            self._check_version(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_version(self, connection: Connection) -> None:
        try:
            version = _row(connection.execute("SELECT version FROM head"))[0]
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            raise SchemaMissing(f"no ledger in the schema {self._schema}") from None
        if version != SCHEMA_VERSION:
            raise SchemaMissing(f"{self._schema} holds version {version}, not {SCHEMA_VERSION}")


def _row(cursor: psycopg.Cursor[TupleRow]) -> TupleRow:
    row = cursor.fetchone()
    assert row is not None
    return row


def _select(
    connection: Connection, query: DCBQuery | None, after: int, limit: int | None, head: int
) -> psycopg.Cursor[TupleRow]:
    """Ask for the facts of a page, up to the head that was read before."""
    matches, parameters = matching(query, after, "%s", limit)
    return connection.execute(
        "SELECT position, recorded_at, kind, tags, data, leaf, parts FROM facts"
        f" WHERE {matches} AND position <= %s ORDER BY position LIMIT %s",
        [*parameters, head, limit],
        binary=True,
    )


def _position(connection: Connection) -> int:
    return int(_row(connection.execute("SELECT coalesce(max(position), 0) FROM commits"))[0])


def _commit(connection: Connection, position: int) -> Commit | None:
    row = connection.execute(
        "SELECT position, root FROM commits WHERE position <= %s ORDER BY position DESC LIMIT 1",
        [position],
    ).fetchone()
    return Commit(*row) if row else None


def _end(connection: Connection) -> Head:
    return _head(connection.execute(SELECT_END).fetchone())


def _stored(row: TupleRow) -> StoredFact:
    position, recorded_at, kind, tags, data, leaf, parts = row
    return StoredFact(position, recorded_at, kind, tags, data, leaf, digests_in(parts))


def _head(row: TupleRow | None) -> Head:
    return Head(Frontier.unpack(row[0], row[2]), row[1]) if row else Head()


def _look(
    connection: Connection, conditions: Sequence[DCBAppendCondition | None]
) -> tuple[Head, list[bool]]:
    """Lock the log; return its end, and of each condition whether it fails."""
    rows, others = wanted(conditions)
    locked = connection.execute("SELECT * FROM look(%s)", [rows])
    asked = [(number, _ask(connection, condition)) for number, condition in others]
    position, recorded_at, frontier, found = _row(locked)
    failing = {*found, *(number for number, cursor in asked if cursor.fetchone())}
    before = _head((position, recorded_at, frontier) if position else None)
    return before, [number in failing for number in range(len(conditions))]


def _ask(connection: Connection, condition: DCBAppendCondition) -> psycopg.Cursor[TupleRow]:
    query, after = condition.fail_if_events_match, condition.after or 0
    positions, parameters = matching_positions(query, after, "%s")
    return connection.execute(f"{positions} LIMIT 1", parameters)


class _Row(msgspec.Struct, omit_defaults=True):
    """A fact without its bytes, and where among all facts' bytes its own begin, counted from 1."""

    position: int
    kind: str
    tags: list[str]
    data_at: int
    leaf_at: int
    parts_at: int
    parts: int
    named: list[str] | None = None  # each tag once, where one is given twice


def _entering(facts: Sequence[StoredFact], end: Head) -> dict[str, Any]:
    """Return the parameters of `ENTER`."""
    rows: list[_Row] = []
    pieces: list[bytes] = []
    at = 1
    for one in facts:
        digests = b"".join(one.part_digests)
        leaf_at, parts_at = at + len(one.data), at + len(one.data) + len(one.leaf)
        row = _Row(one.position, one.kind, one.tags, at, leaf_at, parts_at, len(digests))
        if len(set(one.tags)) < len(one.tags):
            row.named = list(set(one.tags))
        rows.append(row)
        pieces += (one.data, one.leaf, digests)
        at = parts_at + len(digests)
    return {
        "facts": msgspec.json.encode(rows).decode(),
        "bytes": b"".join(pieces),
        "position": end.position,
        "recorded_at": end.recorded_at,
        "root": end.tree.root(),
        "frontier": end.tree.pack(),
    }
