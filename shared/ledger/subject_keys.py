"""A key per person, in a database apart from the log: with the key goes all that lies under it.

Each is kept wrapped by a key-encryption key. A key that was destroyed leaves its id, so that what
lay under it is known to be erased, and not lost. Save this database apart from the log, and keep
its backups for days, not years: whoever restores one has the log's erasures carried out again.
"""

import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from shared.ledger.database import BUSY_TIMEOUT_S, create_database
from shared.ledger.personal import KeyMissing, SubjectKey, SubjectKeys
from shared.ledger.wrapping import WrappingKey, create_wrapping_key, open_wrapping_key

KEY_BYTES = 32
KEY_ID_BYTES = 16

SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id      TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    wrapped BLOB,              -- NULL once destroyed
    retired INTEGER NOT NULL   -- 1: opens what lies under it, and takes nothing more
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS keys_in_use ON keys (subject) WHERE retired = 0;
"""


def create_subject_keys(folder: Path, wrapping: str = "") -> None:
    """Make an empty database in the folder, and a wrapping key at its address, where missing."""
    create_wrapping_key(wrapping, folder)
    database = folder / "subject-keys.db"
    create_database(database, SCHEMA)
    database.chmod(0o600)


def open_subject_keys(folder: Path, wrapping: str = "") -> SubjectKeys:
    """Return the keys of a folder, as `create_subject_keys` made it."""
    return SQLiteSubjectKeys(folder / "subject-keys.db", open_wrapping_key(wrapping, folder))


class SQLiteSubjectKeys(SubjectKeys):
    """The keys of all persons; any thread may call, and any number of processes."""

    def __init__(self, file: Path, wrapping: WrappingKey) -> None:
        if not file.exists():
            raise FileNotFoundError(f"no keys at {file}: run the service's init")
        self._wrapping = wrapping
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA secure_delete=ON")

    @override
    def in_use(self, subject: str) -> SubjectKey:
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT id, wrapped FROM keys WHERE subject = ? AND retired = 0", [subject]
            ).fetchone()
            if row:
                return SubjectKey(row[0], self._wrapping.unwrap(row[1]))
            made = SubjectKey(secrets.token_hex(KEY_ID_BYTES), secrets.token_bytes(KEY_BYTES))
            wrapped = self._wrapping.wrap(made.secret)
            connection.execute("INSERT INTO keys VALUES (?, ?, ?, 0)", [made.id, subject, wrapped])
            return made

    @override
    def secret(self, key_id: str) -> bytes | None:
        with self._lock:
            row = self._connection.execute(
                "SELECT wrapped FROM keys WHERE id = ?", [key_id]
            ).fetchone()
        if row is None:
            raise KeyMissing(key_id)
        return None if row[0] is None else self._wrapping.unwrap(row[0])

    @override
    def retire(self, subject: str) -> list[str]:
        with self._transaction() as connection:
            connection.execute("UPDATE keys SET retired = 1 WHERE subject = ?", [subject])
            rows = connection.execute(
                "SELECT id FROM keys WHERE subject = ? AND wrapped IS NOT NULL ORDER BY rowid",
                [subject],
            )
            return [key_id for (key_id,) in rows]

    @override
    def destroy(self, key_ids: Sequence[str]) -> None:
        """Destroy keys for good: overwritten in the database, and in its journal."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO keys VALUES (?, '', NULL, 1)"
                " ON CONFLICT (id) DO UPDATE SET wrapped = NULL, retired = 1",
                [[key_id] for key_id in key_ids],
            )
        with self._lock:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @override
    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
