"""Ways to change an export: by accident, by hand, and by an operator with the log's own keys."""

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from services.audit.export import File, LogName, read_fact, read_manifest
from services.audit.writing import paths_in
from shared.clock import system_clock
from shared.ledger.keys import load_keys
from shared.ledger.notes import Checkpoint, Note
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import PublicFolder
from tests.audit.conftest import Stage

FACTS = "consent/facts/000001.ndjson"
PROOFS = "consent/proofs/000001.ndjson"
Tamper = Callable[[Path], None]


def lines_of(export: Path, path: str = FACTS) -> list[bytes]:
    """Return a file's lines with their ends."""
    return (export / path).read_bytes().splitlines(keepends=True)


def put_lines(export: Path, lines: list[bytes], path: str = FACTS) -> None:
    """Write a file anew."""
    (export / path).write_bytes(b"".join(lines))


def in_line(position: int, old: bytes, new: bytes) -> Tamper:
    """Return what changes one fact's line."""

    def tamper(export: Path) -> None:
        lines = lines_of(export)
        changed = re.sub(old, new, lines[position - 1], count=1)
        assert changed != lines[position - 1]
        put_lines(export, [*lines[: position - 1], changed, *lines[position:]])

    return tamper


def in_proof(old: bytes, new: bytes) -> Tamper:
    """Return what changes the first proof."""

    def tamper(export: Path) -> None:
        first, *rest = lines_of(export, PROOFS)
        assert old in first
        put_lines(export, [first.replace(old, new, 1), *rest], PROOFS)

    return tamper


def without(position: int) -> Tamper:
    """Return what leaves one fact out."""
    return lambda export: put_lines(
        export, [line for at, line in enumerate(lines_of(export), start=1) if at != position]
    )


def swapped(export: Path) -> None:
    """Exchange two facts."""
    lines = lines_of(export)
    lines[6], lines[7] = lines[7], lines[6]
    put_lines(export, lines)


def behind(export: Path) -> None:
    """Add a fact behind the checkpoint."""
    lines = lines_of(export)
    last = re.sub(rb'"position":\d+', b'"position":%d' % (len(lines) + 1), lines[-1])
    put_lines(export, [*lines, last])


def flipped(path: str, at: int) -> Tamper:
    """Return what changes a bit of a file."""

    def tamper(export: Path) -> None:
        content = bytearray((export / path).read_bytes())
        content[at] ^= 1
        (export / path).write_bytes(content)

    return tamper


def written(path: str, content: bytes) -> Tamper:
    """Return what writes a file."""
    return lambda export: void((export / path).write_bytes(content))


def gone(path: str) -> Tamper:
    """Return what removes a file."""
    return lambda export: (export / path).unlink()


def void(_: object) -> None:
    """Return nothing."""


def rewritten(export: Path, **changes: Any) -> None:
    """Write the manifest anew, so that it fits what lies there."""
    manifest = read_manifest((export / "manifest.json").read_bytes())
    files = [_file(export, path) for path in paths_in(export) if path != "manifest.json"]
    manifest = msgspec.structs.replace(manifest, **{"files": files, **changes})
    (export / "manifest.json").write_bytes(manifest.content())


def _file(export: Path, path: str) -> File:
    content = (export / path).read_bytes()
    return File(path, len(content), hashlib.sha256(content).hexdigest())


def forged(
    stage: Stage,
    export: Path,
    change: Callable[[StoredFact], StoredFact],
    log: LogName = "consent",
) -> Path:
    """Return an export that the operator rewrote, consistently, and signed with its own keys."""
    copy = stage.copy(export)
    facts = [change(read_fact(line[:-1])) for line in lines_of(copy, f"{log}/facts/000001.ndjson")]
    put_lines(copy, [_line(fact) for fact in facts], f"{log}/facts/000001.ndjson")
    tlog = copy / log / "tlog"
    shutil.rmtree(tlog / "tile")
    root = PublicFolder(tlog).grow(0, [fact.entry() for fact in facts]).root()
    keys = load_keys(stage.folder / log / "log.keys.json")
    body = Checkpoint(keys[0].name, len(facts), root).body()
    signatures = tuple(key.sign(body, system_clock()) for key in keys)
    (tlog / "checkpoint").write_bytes(Note(body, signatures).text().encode())
    manifest = read_manifest((copy / "manifest.json").read_bytes())
    said = msgspec.structs.replace(manifest.logs[log], root=root.hex(), size=len(facts))
    rewritten(copy, logs={**manifest.logs, log: said})
    return copy


def _line(fact: StoredFact) -> bytes:
    document = {
        "position": fact.position,
        "recorded_at": fact.recorded_at,
        "kind": fact.kind,
        "tags": fact.tags,
        "data": msgspec.Raw(fact.data),
        "parts": [digest.hex() for digest in fact.part_digests],
    }
    return msgspec.json.encode(document) + b"\n"


def renamed(position: int) -> Callable[[StoredFact], StoredFact]:
    """Return what changes the data of one fact."""

    def change(fact: StoredFact) -> StoredFact:
        if fact.position != position:
            return fact
        return msgspec.structs.replace(fact, data=fact.data.replace(b'"N"', b'"M"'))

    return change
