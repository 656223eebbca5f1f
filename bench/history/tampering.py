"""Twenty-four ways to tamper with an export, each with how a check must find it, and where.

The operator has the keys of both logs and of the service, so the last of them rewrite everything
that these sign; what the witness cosigned is what they cannot make.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from bench.history.generate import Made, origin_of
from bench.history.keys import Chance, note_keys, witness_key
from bench.history.remaking import Remaking
from services.audit.checking import Trust, check
from services.audit.export import (
    LOG_NAMES,
    MANIFEST,
    LogName,
    Manifest,
    facts_path,
    number_of,
    read_fact,
    read_manifest,
    tlog_path,
)
from services.audit.findings import Finding
from services.audit.reading import opened_export
from shared.ledger.notes import Note, SigningKey
from shared.ledger.policy import Policy
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import ENTRIES, WIDTH, tile_path
from shared.ledger.verify import trusted_keys
from tests.support.tampering import (
    Tamper,
    facts_of,
    flipped,
    gone,
    in_line,
    line_of,
    lines_of,
    linked,
    place_of,
    put,
    put_lines,
    remade,
    rewritten,
    swapped,
    without,
    written,
)

AT = datetime.fromisoformat("2024-10-01T00:00:00Z")
"""When whatever is signed anew is signed."""

CHECKPOINT, WITNESSED = (tlog_path("consent", name) for name in ("checkpoint", "witnessed"))


@dataclass(frozen=True)
class Tampering:
    """A way to tamper, and what must be told of it: a file, a position, words; None: in no one."""

    name: str
    tamper: Tamper
    file: str | None
    position: int | None
    how: str
    fixed: bool = True
    """Whether the manifest is made to fit afterwards."""


@dataclass(frozen=True)
class Met:
    """How a tampering was found: the finding, None if it was not, or elsewhere, or otherwise."""

    name: str
    finding: Finding | None


def met(made: Made, one: Tampering, copy: Path) -> Met:
    """Tamper with a copy of an export, whose files are links, and return how it is found."""
    linked(made.export, copy)
    try:
        one.tamper(copy)
        if one.fixed:
            rewritten(copy)
        return Met(one.name, next(filter(_as_told(one), findings(made, copy)), None))
    finally:
        shutil.rmtree(copy)


def findings(made: Made, copy: Path) -> list[Finding]:
    """Return what a check finds, by whoever trusts the right keys and the right witness."""
    keys = trusted_keys(made.keys.read_text("utf-8").splitlines())
    trust = Trust(keys, Policy.parse(made.policy.read_text("utf-8")))
    with opened_export(copy) as export:
        return check(export, trust, lambda done, size: None).findings


def _as_told(one: Tampering) -> Callable[[Finding], bool]:
    def fits(found: Finding) -> bool:
        return (found.file, found.position) == (one.file, one.position) and one.how in found.how

    return fits


def ways(made: Made, seed: int) -> list[Tampering]:
    """Return all of them, for an export that was made with this seed."""
    manifest = read_manifest((made.export / MANIFEST).read_bytes())
    return [
        *_facts(made.export, manifest),
        *_tiles(manifest),
        *_notes(seed),
        *_operator(manifest, seed),
    ]


# -- facts ----------------------------------------------------------------------------------------


def _facts(export: Path, manifest: Manifest) -> Iterator[Tampering]:
    size = manifest.logs["consent"].size
    at = _plain(export, size // 2)
    file, index = place_of(at)
    last = facts_path("consent", number_of(size))
    bit = flipped(file, (export / file).stat().st_size // 2)
    yield Tampering("a bit is flipped", bit, file, None, "manifest says", fixed=False)
    data = in_line(at, b'"data":{"', b'"data":{"x":0,"')
    yield Tampering("the data of a fact", data, file, at, "data differ")
    kind = in_line(at, rb'"kind":"[a-z]', b'"kind":"z')
    yield Tampering("the kind of a fact", kind, file, at, "kind")
    time = in_line(at, rb'"recorded_at":"2', b'"recorded_at":"1')
    yield Tampering("the time of a fact", time, file, at, "recorded_at")
    tag = in_line(at, rb'"tags":\[', b'"tags":["citizen:c-0",')
    yield Tampering("a tag of a fact", tag, file, at, "tags")
    part = in_line(at, rb'"parts":\[\]', b'"parts":["' + b"0" * 64 + b'"]')
    yield Tampering("a personal part of a fact", part, file, at, "parts")
    yield Tampering("two facts are swapped", swapped(at), file, at, "missing")
    yield Tampering("a fact is deleted", without(at), file, at, "missing")
    renumbered = _moved(at, lambda lines: [*lines[:index], *lines[index + 1 :]])
    yield Tampering("deleted, the rest renumbered", renumbered, file, at, "differ")
    inserted = _moved(at, lambda lines: [*lines[: index + 1], *lines[index:]])
    yield Tampering("inserted, the rest renumbered", inserted, file, at + 1, "differ")
    _, end = place_of(size)

    def dropped(export: Path) -> None:
        put_lines(export, lines_of(export, last)[: end // 2], last)

    tail = size - end + end // 2
    yield Tampering("the tail is dropped", dropped, last, tail, "missing")
    yield Tampering("a file of facts is gone", gone(file), file, None, "missing")


def _plain(export: Path, position: int) -> int:
    """Return the first position from one on whose fact says nothing of a person."""
    path, index = place_of(position)
    plain = (at for at, line in enumerate(lines_of(export, path)[index:]) if b'"parts":[]' in line)
    return position + next(plain)


def _moved(position: int, change: Callable[[list[bytes]], list[bytes]]) -> Tamper:
    """Return what adds or leaves out a line, and numbers the lines of its file anew."""

    def tamper(export: Path) -> None:
        path, index = place_of(position)
        lines = change(lines_of(export, path))
        first = position - index
        facts = [read_fact(line[:-1]) for line in lines]
        numbered = [
            msgspec.structs.replace(fact, position=first + number)
            for number, fact in enumerate(facts)
        ]
        put_lines(export, map(line_of, numbered), path)

    return tamper


# -- tiles ----------------------------------------------------------------------------------------


def _tiles(manifest: Manifest) -> Iterator[Tampering]:
    index = manifest.logs["consent"].size // WIDTH // 2
    hashes, entries = (tlog_path("consent", tile_path(one, index)) for one in (0, ENTRIES))
    first = index * WIDTH + 1
    yield Tampering("a hash in a tile", flipped(hashes, 40), hashes, first + 1, "published hash")
    entry = flipped(entries, 40)
    yield Tampering("an entry in a tile", entry, hashes, first, "published hash")
    width = min(WIDTH, manifest.logs["consent"].size // WIDTH)
    above = tlog_path("consent", tile_path(1, 0, width))
    yield Tampering("a hash above", flipped(above, 3), above, 1, "below")
    stray = tlog_path("consent", "tile/3/009")
    yield Tampering("a tile that nothing needs", written(stray, b"x"), stray, None, "needs")


# -- notes ----------------------------------------------------------------------------------------


def _notes(seed: int) -> Iterator[Tampering]:
    def replaced(export: Path) -> None:
        put(export / CHECKPOINT, (export / WITNESSED).read_bytes())

    def strange(export: Path) -> None:
        note = Note.parse((export / CHECKPOINT).read_bytes())
        key = note_keys(Chance(seed + 1), origin_of("consent"))[0]
        put(export / CHECKPOINT, _noted(note, key))
        put(export / tlog_path("consent", "vkeys"), f"{key.verifier}\n".encode())

    def cosigned(export: Path) -> None:
        note = Note.parse((export / WITNESSED).read_bytes())
        keys = [*note_keys(Chance(seed), origin_of("consent")), witness_key(Chance(seed + 1))]
        put(export / WITNESSED, _noted(note, *keys))

    yield Tampering("an older checkpoint", replaced, CHECKPOINT, None, "in the manifest")
    yield Tampering("signed with another key", strange, CHECKPOINT, None, "no signature of")
    yield Tampering("cosigned by another witness", cosigned, WITNESSED, None, "quorum")


def _noted(note: Note, *keys: SigningKey) -> bytes:
    return Note(note.body, tuple(key.sign(note.body, AT) for key in keys)).text().encode()


# -- the operator ---------------------------------------------------------------------------------


def _operator(manifest: Manifest, seed: int) -> Iterator[Tampering]:
    at = manifest.logs["consent"].size // 2
    tail = manifest.logs["consent"].size // 2

    def shorter(export: Path) -> None:
        facts = (one for one in facts_of(export, "consent") if one.position <= tail)
        _remade(export, "consent", facts, seed)

    def backwards(export: Path) -> None:
        facts = (
            _earlier(one) if one.position == at else one for one in facts_of(export, "consent")
        )
        _remade(export, "consent", facts, seed)

    def history(export: Path) -> None:
        remaking = Remaking.of(export, at, seed)
        for log in LOG_NAMES:
            _remade(export, log, map(remaking.change, facts_of(export, log)), seed)

    def unwitnessed(export: Path) -> None:
        history(export)
        (export / WITNESSED).unlink()

    def self_witnessed(export: Path) -> None:
        history(export)
        put(export / WITNESSED, (export / CHECKPOINT).read_bytes())

    yield Tampering("the log ends earlier", shorter, WITNESSED, None, "more than there is")
    entries = tlog_path("consent", tile_path(ENTRIES, (at - 1) // WIDTH))
    yield Tampering("the log goes back in time", backwards, entries, at, "before the one in front")
    yield Tampering("both logs tell another history", history, WITNESSED, None, "not begin")
    yield Tampering("and nothing is witnessed", unwitnessed, WITNESSED, None, "missing")
    yield Tampering("and it witnesses itself", self_witnessed, WITNESSED, None, "quorum")


def _earlier(fact: StoredFact) -> StoredFact:
    return msgspec.structs.replace(fact, recorded_at=fact.recorded_at - timedelta(days=1))


def _remade(export: Path, log: LogName, facts: Iterable[StoredFact], seed: int) -> None:
    remade(export, log, facts, note_keys(Chance(seed), origin_of(log)), AT)
