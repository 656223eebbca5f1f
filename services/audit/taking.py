"""Takes an export from the live services, and goes on where it was if it was ended on the way.

First it takes each log's checkpoint, and keeps that as its plan; whatever comes after, however the
log grows, is the content under that checkpoint. Every file is made from that alone and gets its
name when it is whole, so the same command goes on from the files that are there. Memory holds one
page of facts and a few tiles.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import msgspec

from services.audit.export import (
    FACTS_PER_FILE,
    FORMAT,
    JWKS,
    LEDGER_FORMAT,
    MANIFEST,
    NOTICE_ID,
    PATH,
    README,
    VKEYS,
    BadExport,
    File,
    LogName,
    Manifest,
    Subset,
    Taken,
    cut,
    facts_path,
    fingerprint,
    levels_of,
    number_of,
    partial_tiles,
    proof_line,
    proofs_path,
    read_manifest,
    tlog_path,
)
from services.audit.reading import Unreadable, opened_export
from services.audit.sources import PAGE_FACTS, Source
from services.audit.writing import Part
from shared.ledger.integrator import CHECKPOINT_PATH, WITNESSED_PATH
from shared.ledger.merkle import inclusion_proof
from shared.ledger.notes import BadNote, Checkpoint, Note
from shared.ledger.proofs import Proof
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import ENTRIES, WIDTH, BadTile, Tiles, tile_path, tiles_of

Progress = Callable[[int, int], None]
"""Told up to which position facts are taken, in all logs together, and of how many."""

TILES_KEPT = 256
"""Tiles kept while proofs are made: 2 MB, so that facts in order ask for each once."""

NODES_KEPT = 1 << 14
"""Hashes above leaves kept meanwhile: neighbours' proofs share nearly all of theirs."""

TEXTS = Path(__file__).parent / "texts"
DOCS = Path(__file__).parents[2] / "docs"


class NotTaken(Exception):
    """There is no export, and why; nothing that was there before is changed."""


@dataclass(frozen=True)
class Outcome:
    """An export that is there, and whether it had been there before."""

    manifest: Manifest
    fingerprint: str
    was_there: bool


@dataclass(frozen=True)
class Taking:
    """What is to be taken, from where and to where."""

    sources: Mapping[LogName, Source]
    subset: Subset | None
    place: Path
    now: Callable[[], datetime]

    def run(self, progress: Progress) -> Outcome:
        """Take the export, or go on with it, or find it there.

        Raises `NotTaken`, `NoAnswer`, `Busy`, and `BadTile` where a log's public files lack one.
        """
        part = Part(self.place)
        if self.place.exists():
            found = self._found()
            part.sweep()
            return found
        with part.taken():
            plan = self._plan(part)
            done, size = 0, sum(one.size for one in plan.logs.values())
            for log, taken in plan.logs.items():
                before = done
                taking = _OfLog(part, self.sources[log], log, taken, plan.subset)
                for done in taking.run():
                    progress(before + done, size)
                done = before + taken.size
                progress(done, size)
            return self._finish(part, plan)

    def _found(self) -> Outcome:
        try:
            with opened_export(self.place) as export:
                content = export.manifest()
                manifest = read_manifest(content)
        except (BadExport, Unreadable) as error:
            raise NotTaken(f"{self.place} is there, and is no export: {error}") from error
        if not self._is_asked(manifest):
            raise NotTaken(f"{self.place} is there, and is another export")
        return Outcome(manifest, fingerprint(content), was_there=True)

    def _is_asked(self, manifest: Manifest) -> bool:
        return set(manifest.logs) == set(self.sources) and manifest.subset == self.subset

    # -- the plan -----------------------------------------------------------------------------

    def _plan(self, part: Part) -> Manifest:
        """Return what was planned, or what is from now on."""
        if not part.plan.exists():
            part.clear()
            plan = self._begin(part)
            part.keep_plan(plan.content())
            return plan
        plan = read_manifest(part.plan.read_bytes())
        if not self._is_asked(plan):
            raise NotTaken(f"another export was begun there; {part.plan.parent} has it")
        for log, source in self.sources.items():
            if plan.logs[log].origin != _opened(source.file(CHECKPOINT_PATH), log).origin:
                raise NotTaken(f"what was begun is not of the log that now answers as {log}")
        return plan

    def _begin(self, part: Part) -> Manifest:
        part.write(README, (TEXTS / README).read_bytes())
        part.write(LEDGER_FORMAT, (DOCS / LEDGER_FORMAT).read_bytes())
        logs = {
            log: _begin_log(part, source, log, self.subset) for log, source in self.sources.items()
        }
        if "consent" in self.sources:
            part.write(JWKS, self.sources["consent"].jwks())
        return Manifest(FORMAT, self.now(), logs, self.subset)

    # -- the end ------------------------------------------------------------------------------

    def _finish(self, part: Part, plan: Manifest) -> Outcome:
        missing = self._take_texts(part) if "consent" in self.sources else []
        paths = [path for path in part.paths() if path != MANIFEST]
        files = [_file(part, path) for path in paths]
        manifest = msgspec.structs.replace(plan, texts_missing=missing, files=files)
        content = manifest.content()
        part.write(MANIFEST, content)
        part.finish()
        return Outcome(manifest, fingerprint(content), was_there=False)

    def _take_texts(self, part: Part) -> list[str]:
        """Take the texts of the notices that facts name; returns those without any."""
        missing = list[str]()
        for notice_id in sorted(_notices_in(part)):
            texts = self.sources["consent"].texts(notice_id)
            for name, text in texts.items():
                if not PATH.fullmatch(f"texts/{name}"):
                    raise NotTaken(f"the consent service names a text {name!r}")
                part.write(f"texts/{name}", text.encode())
            if not texts:
                missing.append(notice_id)
        return missing


def _opened(note: bytes | None, log: LogName) -> Checkpoint:
    if note is None:
        raise NotTaken(f"there is no checkpoint of {log}: that log is empty, or was never sealed")
    try:
        return Checkpoint.parse(Note.parse(note).body)
    except BadNote as error:
        raise NotTaken(f"the checkpoint is none: {error}") from error


def _begin_log(part: Part, source: Source, log: LogName, subset: Subset | None) -> Taken:
    """Take the notes of a log: what is witnessed first, which is never ahead of the other.

    The proofs of a subset are under what is witnessed, if anything is: each then has its witnesses.
    """
    notes = {path: source.file(path) for path in (WITNESSED_PATH, CHECKPOINT_PATH, VKEYS)}
    if subset is not None and notes[WITNESSED_PATH] is not None:
        notes[CHECKPOINT_PATH] = notes[WITNESSED_PATH]
    checkpoint = _opened(notes[CHECKPOINT_PATH], log)
    for path, content in notes.items():
        if content is not None:
            part.write(tlog_path(log, path), content)
    return Taken(checkpoint.origin, checkpoint.size, checkpoint.root.hex())


def _notices_in(part: Part) -> set[str]:
    """Return the notices that the consent log's facts name."""
    found = set[bytes]()
    for path in part.paths():
        if path.startswith("consent/facts/"):
            with (part.root / path).open("rb") as lines:
                for line in lines:
                    if b'"notice_id":"' in line:
                        found.update(NOTICE_ID.findall(line))
    return {one.decode() for one in found}


def _file(part: Part, path: str) -> File:
    with (part.root / path).open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        return File(path, content.tell(), digest)


class _OfLog:
    """Takes one log, whole or a subset of it."""

    def __init__(
        self, part: Part, source: Source, log: LogName, taken: Taken, subset: Subset | None
    ) -> None:
        self._part, self._source, self._log = part, source, log
        self._size, self._subset = taken.size, subset

    def run(self) -> Iterator[int]:
        """Take what is not there yet; yields up to which position."""
        return self._whole() if self._subset is None else self._some(self._subset)

    # -- all of it ----------------------------------------------------------------------------

    def _whole(self) -> Iterator[int]:
        for after in range(0, self._size, FACTS_PER_FILE):
            until = min(after + FACTS_PER_FILE, self._size)
            path = facts_path(self._log, number_of(after + 1))
            if not self._part.has(path):
                with self._part.writing(path) as file:
                    for line, fact in self._facts(after, until):
                        file.write(line + b"\n")
                        if not fact.position % PAGE_FACTS:
                            yield fact.position
            for level in (ENTRIES, 0):
                self._tiles(level, after, until)
            yield until
        for level, count in levels_of(self._size):
            self._tiles(level, 0, count)
        self._witnessed_tiles()

    def _facts(
        self, after: int, until: int, tags: Sequence[str] = ()
    ) -> Iterator[tuple[bytes, StoredFact]]:
        """Return the facts behind a position, and not behind another, as the service has them."""
        while after < until:
            limit = min(PAGE_FACTS, until - after)
            page = self._source.page(after=after, limit=limit, tags=tags)
            for line, fact in page:
                if not after < fact.position:
                    raise NotTaken(f"position {fact.position:,} came behind {after:,}")
                after = fact.position
                if after <= until:
                    yield line, fact
            if not page:
                return

    def _tiles(self, level: int | str, start: int, end: int) -> None:
        """Take the tiles of a level's hashes from `start`, the beginning of a tile, to `end`."""
        first = start // WIDTH
        for index, width in tiles_of(end - start):
            path = tlog_path(self._log, tile_path(level, first + index, width))
            if not self._part.has(path):
                self._part.write(path, self._tile(level, first + index, width))

    def _tile(self, level: int | str, index: int, width: int) -> bytes:
        """Return a tile, cut from the full one where the partial one is gone; raises `BadTile`."""
        for path in (tile_path(level, index, width), tile_path(level, index)):
            content = self._source.file(path)
            if content is not None:
                return cut(level, content, width)
        raise BadTile(f"{tile_path(level, index, width)} is missing")

    def _witnessed_tiles(self) -> None:
        """Make the partial tiles of the witnessed checkpoint, which is a little behind."""
        file = self._part.root / tlog_path(self._log, WITNESSED_PATH)
        if not file.exists():
            return
        counts = dict(levels_of(self._size))
        for level, index, width in partial_tiles(_opened(file.read_bytes(), self._log).size):
            path = tlog_path(self._log, tile_path(level, index, width))
            if not self._part.has(path):
                wider = min(counts[level] - index * WIDTH, WIDTH)
                content = self._part.root / tlog_path(self._log, tile_path(level, index, wider))
                self._part.write(path, cut(level, content.read_bytes(), width))

    # -- a subset -----------------------------------------------------------------------------

    def _some(self, subset: Subset) -> Iterator[int]:
        bounds = subset.bounds()
        after = (self._next_file() - 1) * FACTS_PER_FILE
        if bounds and not after:
            after = self._before(bounds[0])
        wanted = self._wanted(subset, after)
        prove = self._prover()
        for number, facts in groupby(wanted, key=lambda one: number_of(one[1].position)):
            yield from self._write_some(number, facts, prove)

    def _next_file(self) -> int:
        """Return the number behind the last file of which facts and proofs are there."""
        there = self._part.root / self._log / "proofs"
        return max((int(file.stem) for file in there.glob("[0-9]*.ndjson")), default=0) + 1

    def _wanted(self, subset: Subset, after: int) -> Iterator[tuple[bytes, StoredFact]]:
        bounds = subset.bounds()
        for line, fact in self._facts(after, self._size, subset.tags):
            if bounds and fact.recorded_at >= bounds[1]:
                return
            if subset.holds(fact):
                yield line, fact

    def _before(self, instant: datetime) -> int:
        """Return the last position recorded before an instant: times never decrease."""
        low, high = 0, self._size
        while low < high:
            middle = (low + high + 1) // 2
            page = self._source.page(after=middle - 1, limit=1)
            if page and page[0][1].recorded_at < instant:
                low = middle
            else:
                high = middle - 1
        return low

    def _prover(self) -> Callable[[int], Proof]:
        """Return what proves a position under the checkpoint, from the log's public tiles."""
        note = (self._part.root / tlog_path(self._log, CHECKPOINT_PATH)).read_bytes()
        file = lru_cache(TILES_KEPT)(self._source.file)

        def fetch(path: str) -> bytes:
            if (content := file(path)) is None:
                raise FileNotFoundError(path)
            return content

        tiles = Tiles(fetch, self._size)
        node = lru_cache(NODES_KEPT)(tiles.node)

        def prove(position: int) -> Proof:
            path = inclusion_proof(position - 1, self._size, node)
            tiles.forget()
            return Proof(position - 1, tuple(path), note)

        return prove

    def _write_some(
        self,
        number: int,
        facts: Iterable[tuple[bytes, StoredFact]],
        prove: Callable[[int], Proof],
    ) -> Iterator[int]:
        """Write a file of facts, and then its proofs, whose file says that both are there."""
        positions = list[int]()
        with self._part.writing(facts_path(self._log, number)) as file:
            for line, fact in facts:
                file.write(line + b"\n")
                positions.append(fact.position)
                yield fact.position
        with self._part.writing(proofs_path(self._log, number)) as file:
            for position in positions:
                file.write(proof_line(prove(position)) + b"\n")
