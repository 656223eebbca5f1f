"""The checkpoints that were signed, in a database of their own: the memory of what we said.

It must outlive a restored backup of the log, so it is kept and saved apart from it. A checkpoint
enters only behind the one it was made from; so of two integrators one signs, and never a smaller
tree. Rows are only ever added.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.ledger.database import Database, create_database
from shared.ledger.merkle import EMPTY_ROOT

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
    create_database(file, SCHEMA)


class Checkpoints:
    """The signed checkpoints of one log; each call opens the file, so any thread may call."""

    def __init__(self, file: Path) -> None:
        self._database = Database(file)

    def last(self) -> Signed:
        """Return the newest."""
        with self._database.connection() as connection:
            return _last(connection)

    def add(self, behind: Signed, signed: Signed, at: datetime) -> None:
        """Keep a checkpoint, durably; raises `Overtaken` unless `behind` is still the newest."""
        with self._database.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            if _last(connection) != behind:
                raise Overtaken
            row = (signed.size, signed.root, signed.note, at.isoformat())
            connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?)", row)
            connection.execute("COMMIT")


def _last(connection: sqlite3.Connection) -> Signed:
    row = connection.execute(
        "SELECT size, root, note FROM checkpoints ORDER BY size DESC LIMIT 1"
    ).fetchone()
    return Signed(*row) if row else Signed()
