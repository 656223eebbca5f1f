"""Ways to change an export that lies in a folder: by accident, by hand, and by whoever has keys.

A file is never written in place: it is replaced, so that the files of a copy may be links.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from services.audit.export import (
    FACTS_PER_FILE,
    MANIFEST,
    File,
    LogName,
    facts_path,
    number_of,
    read_fact,
    read_manifest,
)
from services.audit.writing import paths_in
from shared.ledger.notes import Checkpoint, Note, SigningKey
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import WIDTH, PublicFolder

FACTS = "consent/facts/000001.ndjson"
Tamper = Callable[[Path], None]
Change = Callable[[StoredFact], StoredFact]

GROWN_BY = 64 * WIDTH
"""Facts of which the tiles are made anew at once."""


def linked(export: Path, copy: Path) -> Path:
    """Return a copy of an export whose files are links to those of the export."""
    return Path(shutil.copytree(export, copy, copy_function=os.link))


def put(file: Path, content: bytes) -> None:
    """Replace a file, or make it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.beside")
    beside.write_bytes(content)
    beside.replace(file)


def lines_of(export: Path, path: str = FACTS) -> list[bytes]:
    """Return a file's lines with their ends."""
    return (export / path).read_bytes().splitlines(keepends=True)


def put_lines(export: Path, lines: Iterable[bytes], path: str = FACTS) -> None:
    """Write a file anew."""
    put(export / path, b"".join(lines))


def place_of(position: int, log: LogName = "consent") -> tuple[str, int]:
    """Return the file in which a position's fact lies, and the index of its line."""
    return facts_path(log, number_of(position)), (position - 1) % FACTS_PER_FILE


def in_line(position: int, old: bytes, new: bytes) -> Tamper:
    """Return what changes one fact's line."""

    def tamper(export: Path) -> None:
        path, at = place_of(position)
        lines = lines_of(export, path)
        changed = re.sub(old, new, lines[at], count=1)
        assert changed != lines[at]
        put_lines(export, [*lines[:at], changed, *lines[at + 1 :]], path)

    return tamper


def without(position: int) -> Tamper:
    """Return what leaves one fact out."""

    def tamper(export: Path) -> None:
        path, at = place_of(position)
        lines = lines_of(export, path)
        put_lines(export, [*lines[:at], *lines[at + 1 :]], path)

    return tamper


def swapped(position: int) -> Tamper:
    """Return what exchanges a fact and the next."""

    def tamper(export: Path) -> None:
        path, at = place_of(position)
        lines = lines_of(export, path)
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
        put_lines(export, lines, path)

    return tamper


def flipped(path: str, at: int) -> Tamper:
    """Return what changes a bit of a file."""

    def tamper(export: Path) -> None:
        content = bytearray((export / path).read_bytes())
        content[at] ^= 1
        put(export / path, bytes(content))

    return tamper


def written(path: str, content: bytes) -> Tamper:
    """Return what writes a file."""
    return lambda export: put(export / path, content)


def gone(path: str) -> Tamper:
    """Return what removes a file."""
    return lambda export: (export / path).unlink()


def rewritten(export: Path, **changes: Any) -> None:
    """Write the manifest anew, so that it fits what lies there."""
    manifest = read_manifest((export / MANIFEST).read_bytes())
    said = {file.path: file for file in manifest.files}
    files = [_file(export, path, said.get(path)) for path in paths_in(export) if path != MANIFEST]
    manifest = msgspec.structs.replace(manifest, **{"files": files, **changes})
    put(export / MANIFEST, manifest.content())


def _file(export: Path, path: str, said: File | None) -> File:
    """Return a file as it is; one that is still a link to the export's is as was said."""
    if said and (export / path).stat().st_nlink > 1:
        return said
    content = (export / path).read_bytes()
    return File(path, len(content), hashlib.sha256(content).hexdigest())


def remade(
    export: Path,
    log: LogName,
    facts: Iterable[StoredFact],
    keys: Sequence[SigningKey],
    at: datetime,
) -> None:
    """Write a log anew from facts as an operator with its keys can: consistently, and signed."""
    tlog, beside = export / log / "tlog", export.with_name(f"{export.name}.beside")
    shutil.rmtree(tlog / "tile")
    size, frontier = 0, None
    for some in _chunks(facts):
        path = facts_path(log, number_of(some[0].position))
        put(beside / path, b"".join(map(line_of, some)))
        frontier = PublicFolder(tlog).grow(size, [fact.entry() for fact in some])
        size += len(some)
    assert frontier
    shutil.rmtree(export / log / "facts")
    (beside / log / "facts").rename(export / log / "facts")
    shutil.rmtree(beside)
    note = signed(Checkpoint(keys[0].name, size, frontier.root()), keys, at)
    put(tlog / "checkpoint", note)
    manifest = read_manifest((export / MANIFEST).read_bytes())
    said = msgspec.structs.replace(manifest.logs[log], root=frontier.root().hex(), size=size)
    rewritten(export, logs={**manifest.logs, log: said})


def signed(checkpoint: Checkpoint, keys: Sequence[SigningKey], at: datetime) -> bytes:
    """Return a checkpoint signed with keys at an instant (UTC)."""
    body = checkpoint.body()
    return Note(body, tuple(key.sign(body, at) for key in keys)).text().encode()


def facts_of(export: Path, log: LogName) -> Iterator[StoredFact]:
    """Return the facts of a log, in order."""
    for file in sorted((export / log / "facts").iterdir()):
        yield from (read_fact(line[:-1]) for line in file.read_bytes().splitlines(keepends=True))


def line_of(fact: StoredFact) -> bytes:
    """Return a fact's line, with its end."""
    document = {
        "position": fact.position,
        "recorded_at": fact.recorded_at,
        "kind": fact.kind,
        "tags": fact.tags,
        "data": msgspec.Raw(fact.data),
        "parts": [digest.hex() for digest in fact.part_digests],
    }
    return msgspec.json.encode(document) + b"\n"


def _chunks(facts: Iterable[StoredFact]) -> Iterator[list[StoredFact]]:
    some = list[StoredFact]()
    for fact in facts:
        some.append(fact)
        if len(some) == GROWN_BY:
            yield some
            some = []
    if some:
        yield some
