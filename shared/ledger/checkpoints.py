"""The checkpoints that were signed, in a database of their own: the memory of what we said.

It must outlive a restored backup of the log, so it is kept and saved apart from it. A checkpoint
enters only behind the one it was made from; so of two integrators one signs, and never a smaller
tree. Rows are only ever added.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.ledger.merkle import EMPTY_ROOT

BUSY_TIMEOUT_S = 5.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS checkpoints (
    size      INTEGER PRIMARY KEY,
    root      BLOB NOT NULL,
    note      BLOB NOT NULL,
    signed_at TEXT NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS checkpoints_stay BEFORE UPDATE ON checkpoints
    BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
CREATE TRIGGER IF NOT EXISTS checkpoints_remain BEFORE DELETE ON checkpoints
    BEGIN SELECT RAISE(ABORT, 'checkpoints are never removed'); END;
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that was signed; the first has no leaves and no note."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: bytes = b""


class Overtaken(Exception):
    """Another integrator signed meanwhile."""


def create_checkpoints(file: Path) -> None:
    """Make the database unless it is there."""
    with closing(sqlite3.connect(file, timeout=BUSY_TIMEOUT_S)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(SCHEMA)


class Checkpoints:
    """The signed checkpoints of one log; each call opens the file, so any thread may call."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            raise FileNotFoundError(f"no checkpoints at {file}: run the service's init")
        self._file = file

    def last(self) -> Signed:
        """Return the newest."""
        with self._connection() as connection:
            return _last(connection)

    def add(self, behind: Signed, signed: Signed, at: datetime) -> None:
        """Keep a checkpoint, durably; raises `Overtaken` unless `behind` is still the newest."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            if _last(connection) != behind:
                raise Overtaken
            row = (signed.size, signed.root, signed.note, at.isoformat())
            connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?)", row)
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._file, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        with closing(connection):
            connection.execute("PRAGMA synchronous=FULL")
            yield connection


def _last(connection: sqlite3.Connection) -> Signed:
    row = connection.execute(
        "SELECT size, root, note FROM checkpoints ORDER BY size DESC LIMIT 1"
    ).fetchone()
    return Signed(*row) if row else Signed()
