"""Opens an export, a folder or a zip, that anybody may have made: nothing in it is believed.

Nothing is unpacked, so no path of it leads anywhere, and no more is read of a file than it may be
long. A zip that would swell beyond reason is not read at all.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from typing_extensions import override

from services.audit.export import LINE_BYTES_MAX, MANIFEST, MANIFEST_BYTES_MAX, BadExport
from services.audit.writing import paths_in

BLOCK_BYTES = 1 << 20

SWELLING_MAX = 200
"""Times that a zip may be smaller than what is in it; facts come to a fifth."""

SMALL_BYTES = 1 << 24
"""What any zip may hold, however small it is."""

SPOILED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What reading a zip raises when it is cut, changed, encrypted or of another kind."""


class Unreadable(Exception):
    """There is no export to be checked where we were told, or it cannot be read."""


class Export(Protocol):
    """The files of an export by their paths."""

    def sizes(self) -> dict[str, int]:
        """Return every path with the bytes that are there; -1 for what is no plain file."""

    def opened(self, path: str) -> BinaryIO:
        """Return a file to be read; raises `FileNotFoundError`."""


class Opened:
    """An export with all that is read from it."""

    def __init__(self, place: Path, export: Export) -> None:
        self.place, self._export = place, export
        self.sizes = export.sizes()

    def manifest(self) -> bytes:
        """Return the manifest's bytes; raises `Unreadable` if there is none."""
        try:
            return self.content(MANIFEST, MANIFEST_BYTES_MAX)
        except FileNotFoundError:
            raise Unreadable(f"{self.place}: there is no {MANIFEST}") from None

    def content(self, path: str, bytes_max: int) -> bytes:
        """Return a file's bytes; raises `FileNotFoundError`, `Unreadable`."""
        if self._size(path) > bytes_max:
            raise Unreadable(f"{self.place}: {path} has more than {bytes_max:,} bytes")
        with self._reading(path) as file:
            return file.read(bytes_max)

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of a file, hexadecimal; raises `FileNotFoundError`, `Unreadable`."""
        digest = hashlib.sha256()
        with self._reading(path) as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def lines(self, path: str) -> Iterator[bytes]:
        """Return a file's lines without their ends.

        Raises `FileNotFoundError`, `Unreadable`, and `BadExport` for a line that is cut or too
        long.
        """
        rest = b""
        with self._reading(path) as file:
            while block := file.read(BLOCK_BYTES):
                *whole, rest = (rest + block).split(b"\n")
                yield from whole
                if len(rest) > LINE_BYTES_MAX:
                    raise BadExport(f"a line has more than {LINE_BYTES_MAX:,} bytes")
        if rest:
            raise BadExport("the last line is cut")

    def lines_at(self, path: str, starts: Sequence[int]) -> Iterator[bytes]:
        """Return the lines that begin at some bytes of a file, in order, without their ends.

        Raises `FileNotFoundError`, `Unreadable`, and `BadExport` for a line that is cut or too
        long.
        """
        with self._reading(path) as file:
            for start in starts:
                file.seek(start)
                line = file.readline(LINE_BYTES_MAX)
                if not line.endswith(b"\n"):
                    raise BadExport(f"{path}: the line at byte {start:,} is cut, or too long")
                yield line[:-1]

    def _size(self, path: str) -> int:
        if self.sizes.get(path, -1) < 0:
            raise FileNotFoundError(path)
        return self.sizes[path]

    @contextmanager
    def _reading(self, path: str) -> Iterator[BinaryIO]:
        self._size(path)
        try:
            with self._export.opened(path) as file:
                yield file
        except SPOILED as error:
            raise Unreadable(f"{self.place}: {path}: {error}") from error


@contextmanager
def opened_export(place: Path) -> Iterator[Opened]:
    """Give an export, a folder or a zip; raises `Unreadable`."""
    if place.is_dir():
        yield Opened(place, _Folder(place))
        return
    with _archive(place) as archive:
        yield Opened(place, _Zip(place, archive))


def _archive(place: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(place)
    except FileNotFoundError:
        raise Unreadable(f"there is no {place}") from None
    except (*SPOILED, OSError) as error:
        raise Unreadable(f"{place} is neither a folder nor a whole zip: {error}") from error


class _Folder(Export):
    def __init__(self, root: Path) -> None:
        self._root = root

    @override
    def sizes(self) -> dict[str, int]:
        return {path: self._plain_size(self._root / path) for path in paths_in(self._root)}

    @override
    def opened(self, path: str) -> BinaryIO:
        return (self._root / path).open("rb")

    def _plain_size(self, file: Path) -> int:
        """Return a file's bytes, -1 for a link, which might lead anywhere, and for a device."""
        return file.stat().st_size if file.is_file() and not file.is_symlink() else -1


class _Zip(Export):
    def __init__(self, place: Path, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        members = archive.infolist()
        self._members = {one.filename: one for one in members}
        if len(self._members) != len(members):
            raise Unreadable(f"{place} has two files of one name")
        swollen = sum(one.file_size for one in members)
        if swollen > SMALL_BYTES + SWELLING_MAX * place.stat().st_size:
            raise Unreadable(f"{place} would swell to {swollen:,} bytes")

    @override
    def sizes(self) -> dict[str, int]:
        return {name: one.file_size for name, one in self._members.items() if not one.is_dir()}

    @override
    def opened(self, path: str) -> BinaryIO:
        return cast("BinaryIO", self._archive.open(self._members[path]))
