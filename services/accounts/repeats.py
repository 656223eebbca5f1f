"""What earlier lines of a file named, to find a second naming: on disk, whatever the length.

As marks and ids only, in a file that is gone as soon as it is open, and never committed.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

import msgspec

ENTER = "INSERT OR IGNORE INTO named SELECT value FROM json_each(?) RETURNING name"


class Repeats:
    """The names of one file so far; used by one thread at a time, whichever it is."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._lock = threading.Lock()

    def new(self, names: Iterable[str]) -> set[str]:
        """Return those of the names that were never given before."""
        asked = msgspec.json.encode(sorted(set(names))).decode()
        with self._lock:
            return {name for (name,) in self._database.execute(ENTER, [asked])}

    def close(self) -> None:
        """Forget all, once whoever asks has been answered."""
        with self._lock:
            self._database.close()


@contextmanager
def nothing_named() -> Iterator[Repeats]:
    """Give a record of what a file names."""
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    with closing(Repeats(database)) as repeats:
        database.execute("PRAGMA journal_mode=OFF")
        database.execute("CREATE TABLE named (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
        database.execute("BEGIN")
        yield repeats
