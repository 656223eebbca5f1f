"""What earlier lines of a file named, to find a second naming: on disk, whatever the length.

As marks and ids only, in a file of the service's folder that has no name any more as soon as it is
open, and is never committed. Not among temporary files: those lie in memory on many a machine.
"""

import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

CACHE_KB = 8_192
"""What is held of the file in memory; the names come in no order, so more is asked for again."""

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
def nothing_named(folder: Path) -> Iterator[Repeats]:
    """Give a record of what a file names, on the disk of a folder."""
    handle, name = tempfile.mkstemp(dir=folder, prefix="list-")
    os.close(handle)
    database = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
    with closing(Repeats(database)) as repeats:
        try:
            database.execute("PRAGMA journal_mode=OFF")
            database.execute(f"PRAGMA cache_size=-{CACHE_KB}")
            database.execute("CREATE TABLE named (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
        finally:
            Path(name).unlink()
        database.execute("BEGIN")
        yield repeats
