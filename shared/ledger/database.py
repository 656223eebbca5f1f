"""A small SQLite database of its own: made by `init`, durable at each commit, for any thread."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BUSY_TIMEOUT_S = 5.0
"""Seconds to wait for another process's commit before giving up: commits take milliseconds."""


def create_database(file: Path, schema: str) -> None:
    """Make the database unless it is there."""
    with closing(sqlite3.connect(file, timeout=BUSY_TIMEOUT_S)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(schema)


class Database:
    """A database that is there; it is never made in passing."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            raise FileNotFoundError(f"nothing at {file}: run init")
        self._file = file

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one use; what is not committed is gone afterwards."""
        connection = sqlite3.connect(self._file, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        with closing(connection):
            connection.execute("PRAGMA synchronous=FULL")
            yield connection
