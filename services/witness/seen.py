"""What the witness saw last of each log, and the one rule: a checkpoint continues it.

Checking and storing are one transaction. Otherwise of two requests at once the older could be
stored last, and the witness would have forgotten what it cosigned.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from shared.ledger.database import Database, create_database
from shared.ledger.merkle import EMPTY_ROOT, BadProof, check_consistency
from shared.ledger.submissions import Submission

SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (
    origin TEXT PRIMARY KEY,
    size   INTEGER NOT NULL,
    root   BLOB NOT NULL,
    note   BLOB NOT NULL      -- as the log signed it: the evidence, should another tree appear
) STRICT;
CREATE TRIGGER IF NOT EXISTS seen_grows BEFORE UPDATE ON seen
    WHEN new.size < old.size OR (new.size = old.size AND new.root <> old.root)
    BEGIN SELECT RAISE(ABORT, 'what was seen never shrinks'); END;
CREATE TRIGGER IF NOT EXISTS seen_remains BEFORE DELETE ON seen
    BEGIN SELECT RAISE(ABORT, 'what was seen is never forgotten'); END;
"""


@dataclass(frozen=True, slots=True)
class Tree:
    """A size and the root over it."""

    size: int = 0
    root: bytes = EMPTY_ROOT


class Elsewhere(Exception):
    """The log stands elsewhere for us: `size` is what we cosigned last."""

    def __init__(self, size: int) -> None:
        super().__init__(f"we saw {size}")
        self.size = size


class Discontinuous(Exception):
    """The checkpoint does not continue what we saw: the proof proves nothing."""


def judge(last: Tree, submitted: Submission) -> None:
    """Raise `Elsewhere` or `Discontinuous` unless the submission continues what was seen last."""
    size, root = submitted.checkpoint.size, submitted.checkpoint.root
    if submitted.old != last.size or (size == last.size and root != last.root):
        raise Elsewhere(last.size)
    if submitted.old in {0, size}:
        if submitted.proof:
            raise Discontinuous("there is nothing to prove")
        return
    try:
        check_consistency(last.size, size, submitted.proof, last.root, root)
    except BadProof as error:
        raise Discontinuous(str(error)) from error


def create_seen(file: Path) -> None:
    """Make the database unless it is there."""
    create_database(file, SCHEMA)


class Seen:
    """The last checkpoint of each log; each call opens the file, so any thread may call."""

    def __init__(self, file: Path) -> None:
        self._database = Database(file)

    def last(self, origin: str) -> Tree:
        """Return what was seen last of a log, the empty tree if nothing was."""
        with self._database.connection() as connection:
            return _last(connection, origin)

    def advance(self, submitted: Submission, note: bytes) -> None:
        """Judge a submission and keep it, durably; raises what `judge` raises."""
        checkpoint = submitted.checkpoint
        with self._database.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            judge(_last(connection, checkpoint.origin), submitted)
            connection.execute(
                "INSERT INTO seen VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE"
                " SET size = excluded.size, root = excluded.root, note = excluded.note",
                (checkpoint.origin, checkpoint.size, checkpoint.root, note),
            )
            connection.execute("COMMIT")


def _last(connection: sqlite3.Connection, origin: str) -> Tree:
    row = connection.execute("SELECT size, root FROM seen WHERE origin = ?", [origin]).fetchone()
    return Tree(*row) if row else Tree()
