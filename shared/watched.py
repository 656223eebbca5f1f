"""A file, or a folder of files, that is read again when it changes, while the service runs.

What cannot be read then leaves in force what was read before, and the service's log says so: half
a file, saved at a bad moment, stops nobody and lets nobody in. At the start it is an error.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

ContentT = TypeVar("ContentT")

Stamp = tuple[tuple[str, int, int, int], ...]
"""Name, number, time of change and size of each file: another, where anything changed."""

logger = logging.getLogger(__name__)


class Watched(Generic[ContentT]):
    """The newest readable content of a path; raises what `read` raises, but only at the start."""

    def __init__(self, path: Path, read: Callable[[Path], ContentT]) -> None:
        self._path = path
        self._read = read
        self._stamp = _stamp(path)
        self._content = read(path)

    def content(self) -> ContentT:
        """Return the content, read again if the path changed since."""
        stamp = _stamp(self._path)  # before reading: what changes meanwhile is read next time
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._content = self._read(self._path)
            except (OSError, ValueError):
                logger.exception("%s cannot be read; what was read before holds", self._path)
        return self._content


def _stamp(path: Path) -> Stamp:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple(_state(file) for file in files)


def _state(file: Path) -> tuple[str, int, int, int]:
    try:
        state = file.stat()
    except OSError:
        return file.name, 0, 0, 0
    return file.name, state.st_ino, state.st_mtime_ns, state.st_size
