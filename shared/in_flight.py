"""Which requests are being processed, by any process of a folder: a locked file for each.

The system lets go of a lock when its process dies, however that happens. So a request whose
process was killed is never in flight for ever, and nothing has to be remembered or timed.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = "in-flight"


class InFlight:
    """The requests under way, each by a name of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._folder.mkdir(exist_ok=True, mode=0o700)
        for left in self._folder.iterdir():  # by processes that were killed
            with self.alone(left.name):
                pass

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Hold a name for the time of a block, and tell whether nobody else holds it."""
        path = self._folder / name
        held = _locked(path)
        try:
            yield held is not None
        finally:
            if held is not None:
                path.unlink()  # before the lock goes: whoever opened it meanwhile finds it gone
                os.close(held)


def _locked(path: Path) -> int | None:
    """Return a file that is locked and stands at its path, None if somebody else has that."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)  # it was another's, who removed it before we had the lock
