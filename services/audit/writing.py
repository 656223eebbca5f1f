"""Writes an export so that it can end at any moment: a file has its name once it is whole.

All is put together in a folder beside, `NAME.part`; the export comes to its own name at the end,
in one step. Whoever finds it there finds all of it.
"""

import fcntl
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

BLOCK_BYTES = 1 << 20

ZIP_LEVEL = 2
"""Facts shrink to a fifth at once; more effort costs minutes and saves little."""

ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The same content makes the same zip: its files have no times."""


class Busy(Exception):
    """Another process is taking this very export."""


class Part:
    """The folder in which an export is put together."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._beside = place.with_name(f"{place.name}.part")
        self.root = self._beside / "export"
        self.plan = self._beside / "plan.json"

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the folder, made if it is not there; raises `Busy` where another does."""
        self._beside.mkdir(parents=True, exist_ok=True)
        with (self._beside / "lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"{self._beside} is being written by another process") from None
            yield

    def clear(self) -> None:
        """Begin anew: what is there belongs to no plan."""
        shutil.rmtree(self.root, ignore_errors=True)

    def has(self, path: str) -> bool:
        """Tell whether a file is there, and so is whole."""
        return (self.root / path).exists()

    def write(self, path: str, content: bytes) -> None:
        """Write a file at once."""
        with self.writing(path) as file:
            file.write(content)

    @contextmanager
    def writing(self, path: str) -> Iterator[BinaryIO]:
        """Give a file to be written, which gets its name when all of it is on disk."""
        with _named(self.root / path) as file:
            yield file

    def keep_plan(self, content: bytes) -> None:
        """Keep what was decided first; from then on what is there is gone on with."""
        with _named(self.plan) as file:
            file.write(content)

    def paths(self) -> list[str]:
        """Return the paths of all files, once nothing half-written is left."""
        for half in self.root.rglob(".*.part"):
            half.unlink()
        return paths_in(self.root)

    def finish(self) -> None:
        """Give the export its name: a folder, or a zip where the name ends so."""
        if is_zip(self._place):
            with _named(self._place) as file:
                _zip(self.root, file)
        else:
            self.root.rename(self._place)
            _fsync(self._place.parent)
        self.sweep()

    def sweep(self) -> None:
        """Remove what is left of putting it together."""
        shutil.rmtree(self._beside, ignore_errors=True)


def is_zip(place: Path) -> bool:
    """Tell whether an export is to be a zip."""
    return place.suffix.lower() == ".zip"


def paths_in(root: Path) -> list[str]:
    """Return the paths of all that lies under a folder and is none itself, in order."""
    files = (file for file in root.rglob("*") if file.is_symlink() or not file.is_dir())
    return sorted(file.relative_to(root).as_posix() for file in files)


@contextmanager
def _named(file: Path) -> Iterator[BinaryIO]:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.part")
    with beside.open("wb") as writing:
        yield writing
        writing.flush()
        os.fsync(writing.fileno())
    beside.replace(file)
    _fsync(file.parent)


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _zip(root: Path, file: BinaryIO) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=ZIP_LEVEL) as made:
        for path in paths_in(root):
            info = zipfile.ZipInfo(path, ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.file_size = (root / path).stat().st_size  # so that it knows if it is a large one
            with made.open(info, "w") as member, (root / path).open("rb") as content:
                shutil.copyfileobj(content, member, BLOCK_BYTES)
