"""Makes an evidence bundle from a whole export of both logs, and checks it before it has its name.

Facts are found by going through the export once for each step that leads on (a citizen, their
consents, whatever the gate looked at), and once more for the leaves of the index. In memory are the
facts of the matter and one segment of the index. The same export and question make the same bytes.
"""

import hashlib
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from services.audit.bundle import (
    BUNDLE,
    FORMAT,
    About,
    Claim,
    KeyProof,
    Manifest,
    Member,
    OfLog,
    index_line,
    led_to,
)
from services.audit.bundle_checking import AGREED, BundleChecked, check_bundle
from services.audit.checking import Trust
from services.audit.export import (
    JWKS,
    LEDGER_FORMAT,
    LOG_NAMES,
    README,
    TILE_BYTES_MAX,
    VKEYS,
    BadExport,
    LogName,
    facts_path,
    number_of,
    proof_line,
    read_fact,
    read_manifest,
    tlog_path,
)
from services.audit.findings import Finding
from services.audit.reading import Opened, opened_export
from services.audit.writing import ZIP_TIME
from shared.ledger.indexes import (
    KIND,
    BadIndex,
    Prover,
    Segment,
    TagsIndexed,
    read_indexed,
)
from shared.ledger.integrator import CHECKPOINT_PATH, WITNESSED_PATH
from shared.ledger.merkle import inclusion_proof
from shared.ledger.notes import BadNote, Checkpoint, Note
from shared.ledger.proofs import Proof
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import Tiles

BUNDLE_README = Path(__file__).parent / "texts" / "bundle.md"


class NotBundled(Exception):
    """There is no bundle, and why."""


class _Tagged(msgspec.Struct):
    """As much of a fact's line as it is found by."""

    position: int
    kind: str
    tags: list[str]


_tagged = msgspec.json.Decoder(_Tagged)


@dataclass
class _Log:
    """What is gathered of one log."""

    note: bytes
    checkpoint: Checkpoint
    segments: dict[int, TagsIndexed] = field(default_factory=dict)
    lines: dict[int, bytes] = field(default_factory=dict)
    facts: dict[int, StoredFact] = field(default_factory=dict)
    proofs: list[KeyProof] = field(default_factory=list)

    @property
    def indexed(self) -> int:
        """Return up to which position an index covers the log."""
        return max((one.last for one in self.segments.values()), default=0)

    def keep(self, line: bytes) -> StoredFact:
        """Take in a fact of the matter."""
        fact = read_fact(line)
        self.lines[fact.position], self.facts[fact.position] = line, fact
        return fact


def make_bundle(export: Opened, about: About, place: Path) -> BundleChecked:
    """Make a bundle of what an export has about something; returns it as it was then checked.

    Raises `NotBundled`, and `BadExport`, `BadTile`, `Unreadable` for an export that is wrong.
    """
    if place.exists():
        raise NotBundled(f"{place} is there already")
    manifest = read_manifest(export.manifest())
    if manifest.subset or set(manifest.logs) != set(LOG_NAMES):
        raise NotBundled("a bundle is made from an export of both logs, whole")
    making = _Making(export, about)
    making.gather()
    beside = place.with_name(f".{place.name}.part")
    try:
        with beside.open("wb") as file:
            making.write(file)
            file.flush()
            os.fsync(file.fileno())
        with opened_export(beside) as made:
            checked = check_bundle(made, Trust())
        if checked.findings:
            raise NotBundled(_why(checked.findings[0]))
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
    return checked


def _why(finding: Finding) -> str:
    """Return why there is no bundle: an agreement that is there, or an export that is not right."""
    if finding.how == AGREED:
        return f"there is an agreement, in the log of consents at position {finding.position:,}"
    return f"the export does not hold together: {finding.how}"


class _Making:
    def __init__(self, export: Opened, about: About) -> None:
        self._export, self._about = export, about
        self._logs = {log: self._begun(log) for log in LOG_NAMES}

    def gather(self) -> None:
        """Find what belongs to the matter, and prove that it is all."""
        for log in LOG_NAMES:
            self._find_segments(log)
        claimed = self._find_facts()
        for log in LOG_NAMES:
            keys = sorted({claim.key for claim in claimed if claim.log == log})
            self._prove_all(log, keys)

    def write(self, file: "zipfile._ZipWritable") -> None:
        """Write the zip; its files are stored as they are, so that one content has one zip."""
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as made:
            members = [Member(path, _add(made, path, parts)) for path, parts in self._files()]
            logs = {
                log: OfLog(
                    one.checkpoint.origin,
                    one.checkpoint.size,
                    one.checkpoint.root.hex(),
                    one.indexed,
                )
                for log, one in self._logs.items()
            }
            content = Manifest(FORMAT, self._about, logs, members).content()
            _add(made, BUNDLE, [content])

    # -- gathering ----------------------------------------------------------------------------

    def _begun(self, log: LogName) -> _Log:
        """Return a log as far as it is witnessed, or signed where nothing is."""
        paths = [tlog_path(log, name) for name in (WITNESSED_PATH, CHECKPOINT_PATH)]
        path = next((one for one in paths if one in self._export.sizes), paths[-1])
        try:
            note = self._export.content(path, TILE_BYTES_MAX)
            return _Log(note, Checkpoint.parse(Note.parse(note).body))
        except (FileNotFoundError, BadNote) as error:
            raise NotBundled(f"no checkpoint in {path}: {error}") from error

    def _lines(self, log: LogName) -> Iterator[tuple[_Tagged, bytes]]:
        """Yield all facts under the checkpoint, no further read than what they are found by."""
        size = self._logs[log].checkpoint.size
        for number in range(1, number_of(size) + 1) if size else ():
            for line in self._export.lines(facts_path(log, number)):
                try:
                    tagged = _tagged.decode(line)
                except msgspec.DecodeError as error:
                    raise BadExport(f"{facts_path(log, number)}: no fact: {error}") from error
                if tagged.position > size:
                    return
                yield tagged, line

    def _find_segments(self, log: LogName) -> None:
        one = self._logs[log]
        for tagged, line in self._lines(log):
            if tagged.kind != KIND:
                continue
            try:
                said = read_indexed(one.keep(line))
            except BadIndex as error:
                raise NotBundled(f"{log}, position {tagged.position:,}: {error}") from error
            one.segments[tagged.position] = said
        if not one.segments:
            raise NotBundled(f"the log of {log} has no index yet: ask for one (./run audit index)")

    def _find_facts(self) -> set[Claim]:
        """Return every claim, once all that belongs to them is found."""
        claimed, new = set[Claim](), set(self._about.claims())
        while new:
            claimed |= new
            found = [claim for log in LOG_NAMES for claim in self._found(log, new)]
            new = set(found) - claimed
        return claimed

    def _found(self, log: LogName, claims: Iterable[Claim]) -> Iterator[Claim]:
        """Keep the facts of new claims; yields the claims that they lead to."""
        kinds = dict[str, set[str | None]]()
        for claim in claims:
            if claim.log == log:
                kinds.setdefault(claim.tag, set()).add(claim.kind)
        one = self._logs[log]
        for tagged, line in self._lines(log) if kinds else ():
            wanted = [kinds[tag] for tag in tagged.tags if tag in kinds]
            if tagged.position <= one.indexed and any(
                None in some or tagged.kind in some for some in wanted
            ):
                yield from led_to(log, one.keep(line))

    def _prove_all(self, log: LogName, keys: Sequence[bytes]) -> None:
        one, waiting = self._logs[log], iter(self._logs[log].segments.items())
        position, said = next(waiting)
        segment = Segment()
        for tagged, _ in self._lines(log):
            segment.add(tagged.position, tagged.kind, tagged.tags)
            if tagged.position == said.last:
                prover = Prover(segment.leaves())
                if (prover.count, prover.root()) != (said.count, said.root):
                    raise NotBundled(f"{log}, position {position:,}: the index is not true")
                one.proofs += [KeyProof(position, key, tuple(prover.prove(key))) for key in keys]
                segment = Segment()
                position, said = next(waiting, (position, said))

    # -- writing ------------------------------------------------------------------------------

    def _files(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Yield each file in the order of their names."""
        files = dict[str, Iterable[bytes]]()
        for log in LOG_NAMES:
            files |= {f"{log}/{name}": parts for name, parts in self._of_log(log).items()}
        texts = [path for path in self._export.sizes if path.startswith("texts/")]
        for path in (JWKS, LEDGER_FORMAT, *texts):
            files[path] = [self._export.content(path, TILE_BYTES_MAX)]
        files[README] = [BUNDLE_README.read_bytes()]
        yield from sorted(files.items())

    def _of_log(self, log: LogName) -> dict[str, Iterable[bytes]]:
        one = self._logs[log]
        positions = sorted(one.lines)
        return {
            CHECKPOINT_PATH: [one.note],
            VKEYS: [self._export.content(tlog_path(log, VKEYS), TILE_BYTES_MAX)],
            "facts.ndjson": (one.lines[position] + b"\n" for position in positions),
            "proofs.ndjson": self._proofs(log, positions),
            "index.ndjson": (index_line(proof) + b"\n" for proof in one.proofs),
        }

    def _proofs(self, log: LogName, positions: Sequence[int]) -> Iterator[bytes]:
        one = self._logs[log]
        size = one.checkpoint.size
        tiles = Tiles(lambda path: self._export.content(tlog_path(log, path), TILE_BYTES_MAX), size)
        for position in positions:
            path = inclusion_proof(position - 1, size, tiles.node)
            yield proof_line(Proof(position - 1, tuple(path), one.note)) + b"\n"


def _add(made: zipfile.ZipFile, path: str, parts: Iterable[bytes]) -> str:
    """Write a file into the zip; returns its SHA-256."""
    digest = hashlib.sha256()
    info = zipfile.ZipInfo(path, ZIP_TIME)
    with made.open(info, "w", force_zip64=True) as member:
        for part in parts:
            member.write(part)
            digest.update(part)
    return digest.hexdigest()
