"""What was shown and may not be shown again, until it would no longer count: one small file.

All processes of a service on one machine share it, and it outlives them. It holds digests, and of
each holder so many at most: whoever has used up theirs is refused, and nothing is forgotten early.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from shared.errors import Unavailable
from shared.ledger.database import BUSY_TIMEOUT_S, create_database
from shared.ledger.group import Group
from shared.oauth.once import Once

FILE = "seen-once.db"

HELD_MAX = 50_000
"""Of one holder; a client at 400 requests a second fills it in two minutes. About 5 MB."""

FORGOTTEN_AT_ONCE = 100
"""Rows that are over which one call removes, so that no call takes long; or twice what it adds."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (
    digest  BLOB PRIMARY KEY,
    holder  TEXT NOT NULL,
    expires INTEGER NOT NULL  -- seconds since 1970
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_expires ON seen (expires);
CREATE TABLE IF NOT EXISTS held (
    holder TEXT PRIMARY KEY,
    count  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS seen_added AFTER INSERT ON seen BEGIN
    INSERT INTO held VALUES (new.holder, 1) ON CONFLICT (holder) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER IF NOT EXISTS seen_removed AFTER DELETE ON seen BEGIN
    UPDATE held SET count = count - 1 WHERE holder = old.holder;
    DELETE FROM held WHERE holder = old.holder AND count = 0;
END;
"""


logger = logging.getLogger(__name__)


def create_seen_once(folder: Path) -> None:
    """Make the file in a service's folder unless it is there."""
    create_database(folder / FILE, SCHEMA)


class Shown(NamedTuple):
    """Something that a holder shows, at an instant in seconds since 1970.

    What is `lasting` is on the disk before anybody hears of it, at the price of some milliseconds;
    the rest outlives the process, but the last of it not a power cut.
    """

    once: Once
    holder: str
    now: int
    lasting: bool = False


class SeenOnce:
    """Remembers what was shown, through one connection that all threads of the process share.

    What is shown at the same time is remembered together, by a thread of its own.
    """

    def __init__(self, folder: Path, held_max: int = HELD_MAX) -> None:
        self._file = folder / FILE
        if not self._file.exists():
            raise FileNotFoundError(f"nothing at {self._file}: run init")
        self._held_max = held_max
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._together = Group[Shown, bool](self.first_each, "seen-once")

    async def is_first(self, shown: Shown) -> bool:
        """Remember something; returns whether it is shown for the first time.

        Raises `Unavailable`: the holder has shown too much, or the file cannot be written.
        """
        return await self._together.answer(shown)

    def first(self, once: Once, holder: str, now: int, *, lasting: bool = False) -> bool:
        """Do what `is_first` does, in this thread."""
        (first,) = self.first_each([Shown(once, holder, now, lasting)])
        if isinstance(first, Unavailable):
            raise first
        return first

    def first_each(self, shown: Sequence[Shown]) -> list[bool | Unavailable]:
        """Remember several in one transaction; returns of each whether it is the first, or a no."""
        with self._lock:
            try:
                connection = self._connection()
                lasting = any(one.lasting for one in shown)
                connection.execute(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
                with _transaction(connection):
                    _forget(connection, min(one.now for one in shown), 2 * len(shown))
                    return [self._first(connection, one) for one in shown]
            except sqlite3.Error:
                logger.exception("what was shown cannot be remembered")
                return [Unavailable("store_unavailable") for _ in shown]

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._together.close()
        self._together = Group(self.first_each, "seen-once")
        with self._lock:
            if self._open:
                self._open.close()
            self._open = None

    def _connection(self) -> sqlite3.Connection:
        """Return the connection, opened at the first use: none survives a fork."""
        if self._open is None:
            self._open = sqlite3.connect(
                self._file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        return self._open

    def _first(self, connection: sqlite3.Connection, shown: Shown) -> bool | Unavailable:
        digest, found = shown.once.digest, "FROM seen WHERE digest = ? AND expires"
        connection.execute(f"DELETE {found} < ?", (digest, shown.now))
        if connection.execute(f"SELECT 1 {found} >= ?", (digest, shown.now)).fetchone():
            return False
        held = connection.execute("SELECT count FROM held WHERE holder = ?", [shown.holder])
        row = held.fetchone()
        if row and row[0] >= self._held_max:
            return Unavailable("overloaded")
        added = (digest, shown.holder, shown.once.expires)
        connection.execute("INSERT INTO seen VALUES (?, ?, ?)", added)
        return True


def _forget(connection: sqlite3.Connection, now: int, at_least: int) -> None:
    """Remove what no longer counts."""
    connection.execute(
        "DELETE FROM seen WHERE digest IN"
        " (SELECT digest FROM seen WHERE expires < ? ORDER BY expires LIMIT ?)",
        (now, max(at_least, FORGOTTEN_AT_ONCE)),
    )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
