"""What waits to be sent to webhooks, and what became of what was: one small file, `webhooks.db`.

It is no record: all of it follows from the log, but for what was delivered. So it is not flushed
with each event. After a power cut, what was delivered last is sent again, and lost altogether, it
is all sent again from where each webhook was registered. An event is in it, or still behind the
position `read_to`, in one transaction: none is ever in neither.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import Unavailable
from shared.hearing.deliveries import Condition, Delivery, Hook, State, Tried, Try
from shared.hearing.events import Event
from shared.hearing.schedule import Waiting
from shared.ledger.database import BUSY_TIMEOUT_S, create_database

FILE = "webhooks.db"

KEPT = 10_000
"""Deliveries of one webhook that are kept once they are over, for its log; some 300 bytes each."""

WAITING_MAX = 1_000
"""Events of one webhook that wait in memory; what comes behind them waits in the log."""

TRIES_KEPT = 12
"""Attempts of one delivery that its log shows, the newest."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS webhooks (
    bank_id     TEXT NOT NULL,
    webhook_id  TEXT NOT NULL,
    since       INTEGER NOT NULL,  -- where it was registered
    read_to     INTEGER NOT NULL,  -- what lies behind is not in deliveries yet
    failures    INTEGER NOT NULL DEFAULT 0,  -- attempts in a row
    rests_until REAL NOT NULL DEFAULT 0,     -- seconds since 1970, like all times here
    disabled_at REAL,
    PRIMARY KEY (bank_id, webhook_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
    bank_id    TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    position   INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    body       BLOB NOT NULL,   -- empty once it is over
    chains     TEXT NOT NULL,   -- JSON
    state      TEXT NOT NULL,   -- waiting, delivered, dead
    due_at     REAL NOT NULL,
    first_at   REAL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    tries      TEXT NOT NULL DEFAULT '[]',  -- JSON, see Try
    PRIMARY KEY (bank_id, webhook_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS again (  -- what was asked for once more, by which request
    bank_id    TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    PRIMARY KEY (bank_id, webhook_id, request_id)
) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_by_state
    ON deliveries (bank_id, webhook_id, state, position);
"""

OWN = "bank_id = ? AND webhook_id = ?"

BEGIN = "INSERT INTO webhooks (bank_id, webhook_id, since, read_to) VALUES (?, ?, ?, ?)"

WAKE = f"UPDATE deliveries SET due_at = 0 WHERE {OWN} AND state = 'waiting'"


def create_queue(folder: Path) -> None:
    """Make the file in a service's folder unless it is there."""
    create_database(folder / FILE, SCHEMA)


class Queue:
    """The file, through one connection that all threads of the process share.

    Every method raises `Unavailable` if the file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        if not self._file.exists():
            raise FileNotFoundError(f"nothing at {self._file}: run init")
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None

    def keep(self, hooks: Iterable[tuple[Hook, int]]) -> None:
        """Have these webhooks, each from where it was registered, and no others."""
        wanted = {(*hook, since) for hook, since in hooks}
        with self._changing() as connection:
            there = {*connection.execute("SELECT bank_id, webhook_id, since FROM webhooks")}
            for bank_id, webhook_id, _ in there - wanted:
                for table in ("webhooks", "deliveries", "again"):
                    connection.execute(f"DELETE FROM {table} WHERE {OWN}", (bank_id, webhook_id))
            for bank_id, webhook_id, since in wanted - there:
                connection.execute(BEGIN, (bank_id, webhook_id, since, since))

    def condition(self, hook: Hook) -> Condition | None:
        """Return how a webhook is, None if nothing was done for it yet."""
        with self._reading() as connection:
            row = connection.execute(
                f"SELECT read_to, failures, rests_until, disabled_at FROM webhooks WHERE {OWN}",
                hook,
            ).fetchone()
        return Condition(*row) if row else None

    def waiting(self, hook: Hook) -> list[Waiting]:
        """Return what is to be sent, in the log's order."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT position, chains, kind, body, due_at, first_at, attempts FROM deliveries"
                f" WHERE {OWN} AND state = 'waiting' ORDER BY position",
                hook,
            ).fetchall()
        return [
            Waiting(position, tuple(msgspec.json.decode(chains)), *rest)
            for position, chains, *rest in rows
        ]

    def take_in(self, hook: Hook, since: int, events: Sequence[Event], read_to: int) -> None:
        """Have these events wait; all that is up to `read_to` is among them, or came before.

        Nothing, if the webhook that was registered at `since` is no more.
        """
        with self._changing() as connection:
            if not _is_there(connection, hook, since):
                return
            connection.executemany(
                "INSERT OR IGNORE INTO deliveries"
                " (bank_id, webhook_id, position, kind, body, chains, state, due_at)"
                " VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0)",
                [(*hook, one.position, one.kind, one.body, _json(one.chains)) for one in events],
            )
            connection.execute(f"UPDATE webhooks SET read_to = ? WHERE {OWN}", (read_to, *hook))

    def forget(self, hook: Hook) -> None:
        """Remove what is long over from a webhook's delivery log; the feed still has it."""
        with self._changing() as connection:
            oldest = f"SELECT position FROM deliveries WHERE {OWN} ORDER BY position DESC LIMIT 1"
            connection.execute(
                f"DELETE FROM deliveries WHERE {OWN} AND state <> 'waiting'"
                f" AND position < ({oldest} OFFSET ?)",
                (*hook, *hook, KEPT),
            )
            newest = f"SELECT rowid FROM again WHERE {OWN} ORDER BY rowid DESC LIMIT 1 OFFSET ?"
            connection.execute(
                f"DELETE FROM again WHERE {OWN} AND rowid < ({newest})", (*hook, *hook, KEPT)
            )

    def tried(
        self,
        hook: Hook,
        since: int,
        all_tried: Sequence[Tried],
        condition: Condition,
        *,
        wakes: bool,
    ) -> None:
        """Keep what came of attempts, in the order in which they ended, and how the webhook is.

        `wakes` makes all that waits due at once: its consumer is back.
        """
        with self._changing() as connection:
            if not _is_there(connection, hook, since):
                return
            for one in all_tried:
                _keep(connection, hook, one)
            connection.execute(
                "UPDATE webhooks SET failures = ?, rests_until = ?,"
                f" disabled_at = coalesce(?, disabled_at) WHERE {OWN}",
                (condition.failures, condition.rests_until, condition.disabled_at, *hook),
            )
            if wakes:
                connection.execute(WAKE, hook)

    def enable(self, hook: Hook) -> None:
        """Send to a webhook again whose consumer had said that it is gone, or did not answer."""
        with self._changing() as connection:
            connection.execute(
                "UPDATE webhooks SET disabled_at = NULL, failures = 0, rests_until = 0"
                f" WHERE {OWN}",
                hook,
            )
            connection.execute(WAKE, hook)

    def again(self, hook: Hook, since: int, event: Event, request_id: str) -> None:
        """Send an event once more, as if it had never been sent; nothing, if this request did.

        Raises `Unavailable` too where whoever sends has not heard yet that the webhook is another,
        and where as many wait already as may.
        """
        with self._changing() as connection:
            connection.execute(f"{BEGIN} ON CONFLICT DO NOTHING", (*hook, since, since))
            if not _is_there(connection, hook, since):
                raise Unavailable("contended")
            asked = "INSERT OR IGNORE INTO again VALUES (?, ?, ?)"
            if not connection.execute(asked, (*hook, request_id)).rowcount:
                return
            if _waiting_beside(connection, hook, event.position) >= WAITING_MAX:
                raise Unavailable("overloaded")
            connection.execute(
                "INSERT INTO deliveries"
                " (bank_id, webhook_id, position, kind, body, chains, state, due_at)"
                " VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0)"
                " ON CONFLICT DO UPDATE SET body = excluded.body, state = 'waiting', due_at = 0,"
                " first_at = NULL, attempts = 0",
                (*hook, event.position, event.kind, event.body, _json(event.chains)),
            )

    def deliveries(
        self, hook: Hook, *, after: int, limit: int, state: State | None
    ) -> list[Delivery]:
        """Return the delivery log of a webhook behind a position."""
        of_state, values = (" AND state = ?", [state]) if state else ("", [])
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT position, kind, state, attempts, due_at, tries FROM deliveries"
                f" WHERE {OWN} AND position > ?{of_state} ORDER BY position LIMIT ?",
                [*hook, after, *values, limit],
            ).fetchall()
        return [
            Delivery(position, kind, State(now), attempts, due_at, _tries(tries))
            for position, kind, now, attempts, due_at, tries in rows
        ]

    def counts(self, hook: Hook) -> dict[str, int]:
        """Return how many deliveries of a webhook are in each state, of those that are kept."""
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT state, count(*) FROM deliveries WHERE {OWN} GROUP BY state", hook
            ).fetchall()
        return {**{str(state): 0 for state in State}, **dict(rows)}

    def version(self) -> int:
        """Return a number that is another once somebody else has changed the file."""
        with self._reading() as connection:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._open:
                self._open.close()
            self._open = None

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._open is None:
                    self._open = _connect(self._file)
                yield self._open
            except sqlite3.Error as error:
                raise Unavailable("store_unavailable") from error


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _is_there(connection: sqlite3.Connection, hook: Hook, since: int) -> bool:
    """Tell whether a webhook is the one that was registered there, and no other of the same id."""
    found = connection.execute(f"SELECT 1 FROM webhooks WHERE {OWN} AND since = ?", (*hook, since))
    return found.fetchone() is not None


def _waiting_beside(connection: sqlite3.Connection, hook: Hook, position: int) -> int:
    waiting = f"SELECT count(*) FROM deliveries WHERE {OWN} AND state = 'waiting'"
    (count,) = connection.execute(f"{waiting} AND position <> ?", (*hook, position)).fetchone()
    return int(count)


def _keep(connection: sqlite3.Connection, hook: Hook, tried: Tried) -> None:
    one, place = tried.waiting, (*hook, tried.waiting.position)
    (kept,) = connection.execute(
        f"SELECT tries FROM deliveries WHERE {OWN} AND position = ?", place
    ).fetchone()
    tries = [*_tries(kept), tried.tried][-TRIES_KEPT:]
    over = tried.state is not State.WAITING
    connection.execute(
        "UPDATE deliveries SET state = ?, due_at = ?, first_at = ?, attempts = ?, tries = ?,"
        f" body = CASE WHEN ? THEN x'' ELSE body END WHERE {OWN} AND position = ?",
        (tried.state, one.due_at, one.first_at, one.attempts, _json(tries), over, *place),
    )


def _tries(text: str) -> list[Try]:
    return msgspec.json.decode(text, type=list[Try])


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
