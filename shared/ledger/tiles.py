"""The public files of a log: hashes and entries in tiles of 256, as C2SP tlog-tiles lays them out.

Their content follows from the log alone, so whoever writes a tile writes the same bytes. Partial
tiles, which older checkpoints need, go once the full one is there and holds the same.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shared.ledger.merkle import HASH_BYTES, Frontier, complete_root, frontier_at, leaf_hash

LEVEL_BITS = 8
WIDTH = 1 << LEVEL_BITS
"""Hashes in a full tile."""

ENTRIES = "entries"
"""What stands for the level in the path of a tile of entries."""

Fetch = Callable[[str], bytes]
"""Gives the file at a path; raises `FileNotFoundError` where there is none."""


class BadTile(ValueError):
    """A tile that is missing, cut, or not what the tree needs; the text names it."""


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Return the path of a tile, partial unless it is full."""
    head, last = divmod(index, 1000)
    parts = [f"{last:03}"]
    while head:
        head, part = divmod(head, 1000)
        parts.insert(0, f"x{part:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(parts)}{partial}"


def tiles_of(count: int) -> Iterator[tuple[int, int]]:
    """Return index and width of each tile that `count` hashes fill."""
    full, rest = divmod(count, WIDTH)
    yield from ((index, WIDTH) for index in range(full))
    if rest:
        yield full, rest


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """Return entries as a tile keeps them, each behind its length."""
    return b"".join([len(entry).to_bytes(2) + entry for entry in entries])


def unpack_entries(packed: bytes, path: str) -> list[bytes]:
    """Return the entries of a tile; raises `BadTile` where the last one is cut."""
    entries, at = list[bytes](), 0
    while at < len(packed):
        end = at + 2 + int.from_bytes(packed[at : at + 2])
        entries.append(packed[at + 2 : end])
        at = end
    if at != len(packed):
        raise BadTile(f"{path} is cut within an entry")
    return entries


@dataclass(frozen=True)
class Bundle:
    """A tile of entries as it is published, of which a tree needs the first `width`."""

    path: str
    packed: bytes
    width: int

    def entries(self) -> list[bytes]:
        """Return the entries; raises `BadTile`."""
        entries = unpack_entries(self.packed, self.path)
        if len(entries) not in {self.width, WIDTH}:
            raise BadTile(f"{self.path} holds {len(entries)} entries, not {self.width}")
        return entries[: self.width]


class Tiles:
    """The tiles of a tree of `size` leaves, fetched as they are needed and kept meanwhile."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch, self._size = fetch, size
        self._kept: dict[tuple[int, int], list[bytes]] = {}

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree, joined within its tile; raises `BadTile`."""
        tile_level, height = divmod(level, LEVEL_BITS)
        start = index << height
        hashes = self.tile(tile_level, start >> LEVEL_BITS)
        start %= WIDTH
        joined = hashes[start : start + (1 << height)]
        if len(joined) != 1 << height:
            raise BadTile(f"a tree of {self._size} has no node {level}/{index}")
        return complete_root(joined)

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile; raises `BadTile`."""
        kept = self._kept.get((level, index))
        if kept is None:
            kept = self._kept[level, index] = self._read(level, index)
        return kept

    def forget(self) -> None:
        """Let go of what was kept: whoever reads on in order does not come back."""
        self._kept.clear()

    def entries(self, index: int) -> list[bytes]:
        """Return the entries of a tile; raises `BadTile`."""
        return self.bundle(index).entries()

    def bundle(self, index: int) -> "Bundle":
        """Return a tile of entries as it is published; raises `BadTile`."""
        width = self._width(0, index)
        return Bundle(*self._file(ENTRIES, index, width), width)

    def frontier(self, size: int | None = None) -> Frontier:
        """Return the frontier of the first `size` leaves (all of them); raises `BadTile`."""
        return frontier_at(self._size if size is None else size, self.node)

    def _read(self, level: int, index: int) -> list[bytes]:
        width = self._width(level, index)
        path, packed = self._file(level, index, width)
        if len(packed) not in {width * HASH_BYTES, WIDTH * HASH_BYTES}:
            raise BadTile(f"{path} holds {len(packed)} bytes, not {width} hashes")
        return [packed[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]

    def _file(self, level: int | str, index: int, width: int) -> tuple[str, bytes]:
        """Return path and content of a tile, the full one where the partial one is gone."""
        for path in (tile_path(level, index, width), tile_path(level, index)):
            with suppress(FileNotFoundError):
                return path, self._fetch(path)
        raise BadTile(f"{tile_path(level, index, width)} is missing")

    def _width(self, level: int, index: int) -> int:
        hashes = self._size >> level * LEVEL_BITS
        width = min(WIDTH, hashes - index * WIDTH)
        if width <= 0:
            raise BadTile(f"a tree of {self._size} has no tile {level}/{index}")
        return width


class PublicFolder:
    """The folder in which the public files lie; a file appears in it whole, and on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def fetch(self, path: str) -> bytes:
        """Return a file's bytes; raises `FileNotFoundError`."""
        return (self.root / path).read_bytes()

    def has_tiles(self) -> bool:
        """Tell whether there is any tile; without one the folder is new, or was lost."""
        return (self.root / "tile").exists()

    def beside(self) -> Self:
        """Return an empty folder in which tiles can be written before they are published."""
        root = self.root / ".anew"
        shutil.rmtree(root, ignore_errors=True)
        return type(self)(root)

    def adopt(self, beside: "PublicFolder") -> None:
        """Publish the tiles of a folder beside, all at once, where there are none."""
        (beside.root / "tile").rename(self.root / "tile")
        _fsync_folder(self.root)

    def publish(self, path: str, content: bytes) -> None:
        """Write a file, fsync it, and only then give it its name."""
        file = self.root / path
        _make_folder(file.parent)
        beside = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
        with beside.open("wb") as writing:
            writing.write(content)
            writing.flush()
            os.fsync(writing.fileno())
        beside.replace(file)
        _fsync_folder(file.parent)

    def grow(self, old: int, entries: Sequence[bytes]) -> Frontier:
        """Write the tiles that a tree of `old` leaves needs for more entries; return its frontier.

        Raises `BadTile` if a tile of the old tree is not there.
        """
        first = old // WIDTH
        tail = Tiles(self.fetch, old).entries(first) if old % WIDTH else []
        self._write_entries(first, [*tail, *entries])
        size = old + len(entries)
        hashes = [leaf_hash(entry) for entry in entries]
        level = 0
        while hashes:
            hashes = self._write_level(level, old >> level * LEVEL_BITS, old, hashes)
            level += 1
        return Tiles(self.fetch, size).frontier()

    def _publish_tile(self, level: int | str, index: int, width: int, content: bytes) -> None:
        path = tile_path(level, index, width)
        try:
            self.publish(path, content)
        except FileNotFoundError:  # another integrator filled the tile, and cleared partial ones
            if not (self.root / tile_path(level, index)).exists():
                raise
        if width == WIDTH:
            shutil.rmtree(self.root / f"{path}.p", ignore_errors=True)

    def _write_entries(self, first: int, entries: Sequence[bytes]) -> None:
        for index, width in tiles_of(len(entries)):
            packed = pack_entries(entries[index * WIDTH : index * WIDTH + width])
            self._publish_tile(ENTRIES, first + index, width, packed)

    def _write_level(self, level: int, had: int, old: int, added: Sequence[bytes]) -> list[bytes]:
        """Write a level's tiles behind its first `had` hashes; return the next level's hashes."""
        first = had // WIDTH
        tail = Tiles(self.fetch, old).tile(level, first) if had % WIDTH else []
        hashes = [*tail, *added]
        above = list[bytes]()
        for index, width in tiles_of(len(hashes)):
            tile = hashes[index * WIDTH : index * WIDTH + width]
            self._publish_tile(level, first + index, width, b"".join(tile))
            if width == WIDTH:
                above.append(complete_root(tile))
        return above


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _fsync_folder(folder.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
