"""Writes the export of a log that is made on the way: a line, a leaf and an entry at a time.

The format is that of `services/audit/export.py`. Memory holds one tile a level; nothing is synced
to the disk, since what is half made is simply made again.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from bench.history.keys import canonical_fast
from services.audit.export import (
    FACTS_PER_FILE,
    VKEYS,
    File,
    LogName,
    Taken,
    facts_path,
    number_of,
    partial_tiles,
    tlog_path,
)
from shared.ledger import entries
from shared.ledger.facts import tags_of
from shared.ledger.integrator import CHECKPOINT_PATH, WITNESSED_PATH
from shared.ledger.merkle import Frontier, complete_root, leaf_hash
from shared.ledger.notes import Checkpoint, Note, SigningKey
from shared.ledger.tiles import ENTRIES, WIDTH, pack_entries, tile_path

WITNESSED_EVERY = 4 * WIDTH
"""What is witnessed ends at a multiple of this: a little behind, as in life."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """A fact as an export has it, with its members in this order."""

    position: int
    recorded_at: datetime
    kind: str
    tags: list[str]
    data: msgspec.Raw
    parts: list[str]


_encoder = msgspec.json.Encoder()


class _Level:
    """The tile under way of one level."""

    def __init__(self) -> None:
        self.index = 0
        self.hashes = list[bytes]()


class Tree:
    """The public files of a log as it grows by leaves."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._entries = list[bytes]()
        self._levels = list[_Level]()
        self._frontier = Frontier()
        self._leaves = list[bytes]()

    def add(self, entry: bytes) -> None:
        """Take an entry in; a tile is written once it is full."""
        self._entries.append(entry)
        self._leaves.append(leaf_hash(entry))
        if len(self._entries) == WIDTH:
            self._full()

    def frontier(self) -> Frontier:
        """Return the frontier of all leaves so far."""
        return self._frontier.extended(self._leaves)

    def finish(self) -> None:
        """Write the tiles that are not full."""
        if self._entries:
            self._write(ENTRIES, self._index(0), len(self._entries), pack_entries(self._entries))
            self._write(0, self._index(0), len(self._leaves), b"".join(self._leaves))
        for number, level in enumerate(self._levels[1:], start=1):
            if level.hashes:
                self._write(number, level.index, len(level.hashes), b"".join(level.hashes))

    def _index(self, number: int) -> int:
        while len(self._levels) <= number:
            self._levels.append(_Level())
        return self._levels[number].index

    def _full(self) -> None:
        index = self._index(0)
        self._write(ENTRIES, index, WIDTH, pack_entries(self._entries))
        self._write(0, index, WIDTH, b"".join(self._leaves))
        self._frontier = self._frontier.extended(self._leaves)
        self._levels[0].index += 1
        self._climb(1, complete_root(self._leaves))
        self._entries, self._leaves = [], []

    def _climb(self, number: int, joined: bytes) -> None:
        self._index(number)
        level = self._levels[number]
        level.hashes.append(joined)
        if len(level.hashes) == WIDTH:
            self._write(number, level.index, WIDTH, b"".join(level.hashes))
            level.index += 1
            hashes, level.hashes = level.hashes, []
            self._climb(number + 1, complete_root(hashes))

    def _write(self, level: int | str, index: int, width: int, content: bytes) -> None:
        path = self._root / tile_path(level, index, width)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class LogWriter:
    """Writes one log of an export."""

    def __init__(
        self, export: Path, log: LogName, keys: Sequence[SigningKey], witness: SigningKey
    ) -> None:
        self._export, self._log, self._keys, self._witness = export, log, keys, witness
        self.origin = keys[0].name
        self.position = 0
        self._tree = Tree(export / log / "tlog")
        self._witnessed: Frontier | None = None
        self._file: BinaryIO | None = None

    def add(self, at: datetime, fact: Any, personal: msgspec.Raw | None = None) -> int:
        """Record a fact; returns its position. `personal` is the data of one that has such."""
        parts = [hashlib.sha256(personal).hexdigest()] if personal else []
        data = personal or canonical_fast(fact)
        return self.add_raw(at, fact.NAME, tags_of(fact), data, parts)

    def add_raw(
        self, at: datetime, kind: str, tags: list[str], data: bytes, parts: list[str]
    ) -> int:
        """Record what a fact would come to."""
        self.position += 1
        digests = [bytes.fromhex(one) for one in parts]
        self._tree.add(entries.encode(self.position, at, kind, tags, data, part_digests=digests))
        line = Line(self.position, at, kind, tags, msgspec.Raw(data), parts)
        self._facts().write(_encoder.encode(line) + b"\n")
        if not self.position % WITNESSED_EVERY:
            self._witnessed = self._tree.frontier()
        return self.position

    def finish(self, at: datetime) -> Taken:
        """Write what is left: tiles, and the notes, signed at an instant (UTC)."""
        if self._file:
            self._file.close()
        self._tree.finish()
        whole = self._tree.frontier()
        self._note(CHECKPOINT_PATH, whole, self._keys, at)
        witnessed = self._witnessed or whole
        self._note(WITNESSED_PATH, witnessed, [*self._keys, self._witness], at)
        self._witnessed_tiles(witnessed.size)
        keys = "".join(f"{key.verifier}\n" for key in self._keys)
        (self._tlog(VKEYS)).write_text(keys)
        return Taken(self.origin, whole.size, whole.root().hex())

    def _witnessed_tiles(self, size: int) -> None:
        """Write the partial tiles that what is witnessed needs: of levels of hashes alone.

        It ends with a full tile of entries, so none of those is cut.
        """
        for level, index, width in partial_tiles(size):
            path = self._tlog(tile_path(level, index, width))
            if not path.exists():
                content = self._widest(level, index)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content[: width * 32])

    def _widest(self, level: int | str, index: int) -> bytes:
        full = self._tlog(tile_path(level, index))
        if full.exists():
            return full.read_bytes()
        partial = max(full.with_name(f"{full.name}.p").iterdir(), key=lambda one: int(one.name))
        return partial.read_bytes()

    def _note(
        self, path: str, frontier: Frontier, keys: Sequence[SigningKey], at: datetime
    ) -> None:
        body = Checkpoint(self.origin, frontier.size, frontier.root()).body()
        signatures = tuple(key.sign(body, at) for key in keys)
        self._tlog(path).write_bytes(Note(body, signatures).text().encode())

    def _tlog(self, path: str) -> Path:
        return self._export / tlog_path(self._log, path)

    def _facts(self) -> BinaryIO:
        """Return the file in which the fact of this position lies."""
        if self._file is None or self.position % FACTS_PER_FILE == 1:
            if self._file:
                self._file.close()
            file = self._export / facts_path(self._log, number_of(self.position))
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = file.open("wb")
        return self._file


def file_of(export: Path, path: str) -> File:
    """Return a file of an export as its manifest names it."""
    with (export / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return File(path, (export / path).stat().st_size, digest)


def personal_data(fact: Any, key_id: str, fact_id: str) -> msgspec.Raw:
    """Return the data of a fact that says something of a person, without that part."""
    members: dict[str, Any] = msgspec.to_builtins(fact)
    ((subject, fields),) = type(fact).PERSONAL.items()
    for name in fields:
        del members[name]
    members["personal"] = {"id": fact_id, "keys": {subject: key_id}}
    return msgspec.Raw(canonical_fast(members))
