"""The format of an export: what a regulator takes home of one log or of both (docs/audit.md).

A folder, or a zip with the same content, of which every byte follows from the checkpoint that was
taken first. Facts stand in it as the service gave them, one a line; nothing is encoded anew.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, get_args

import msgspec

from shared.canonical import canonical
from shared.clock import start_of
from shared.ledger.entries import DIGEST_BYTES
from shared.ledger.merkle import HASH_BYTES
from shared.ledger.proofs import BadProofText, Proof
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import (
    ENTRIES,
    LEVEL_BITS,
    WIDTH,
    pack_entries,
    tile_path,
    unpack_entries,
)

FORMAT = "thuan-export.1"

LogName = Literal["consent", "accounts"]
LOG_NAMES: tuple[LogName, ...] = get_args(LogName)

MANIFEST = "manifest.json"
README = "README.md"
LEDGER_FORMAT = "ledger-format.md"
JWKS = "jwks.json"
VKEYS = "vkeys"

FACTS_PER_FILE = 64 * WIDTH
"""Positions whose facts share a file: some 20 MB, and what is asked for again after a kill."""

LINE_BYTES_MAX = 1 << 22
"""The largest fact has some 20,000 bytes."""

TILE_BYTES_MAX = WIDTH * (1 << 16)
"""A tile of entries holds 256, each behind two bytes of length."""

MANIFEST_BYTES_MAX = 1 << 28
"""Some 120 bytes for each file: enough for 250 million facts."""

PARTS_MAX = 255
"""An entry holds the digests of no more (docs/ledger-format.md)."""

SUBSET_SAYS = (
    "A part of the log: each fact in it is proved, and whether others are missing cannot be told."
)

_TILE = r"tile/(?:\d{1,2}|entries)/(?:x\d{3}/)*\d{3}(?:\.p/\d{1,3})?"
_OF_A_LOG = rf"(?:facts|proofs)/\d{{6,12}}\.ndjson|tlog/(?:checkpoint|witnessed|vkeys|{_TILE})"
_OF_ALL = r"README\.md|ledger-format\.md|jwks\.json|texts/[a-z0-9][a-z0-9.-]{0,99}\.txt"
PATH = re.compile(rf"(?:{_OF_ALL}|(?:consent|accounts)/(?:{_OF_A_LOG}))", re.ASCII)
"""Every path that an export has, but for its manifest; none can leave the folder."""

NOTICE_ID = re.compile(rb'"notice_id":"([a-z0-9][a-z0-9.-]{0,79})"')

Position = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Digest = Annotated[str, msgspec.Meta(pattern=f"^[0-9a-f]{{{2 * DIGEST_BYTES}}}$")]
Month = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]


class BadExport(ValueError):
    """Bytes that are not of this format; the text says why."""


# -- facts and proofs -----------------------------------------------------------------------------


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A fact as a service gives it, with its members in this order."""

    position: Position
    recorded_at: Instant
    kind: str
    tags: list[str]
    data: msgspec.Raw
    parts: Annotated[list[Digest], msgspec.Meta(max_length=PARTS_MAX)]


_lines = msgspec.json.Decoder(_Line)
_encoder = msgspec.json.Encoder()


def read_fact(line: bytes) -> StoredFact:
    """Return the fact in a line without its end; raises `BadExport`.

    A line has one spelling, so that no two programs can read two facts in it.
    """
    try:
        said = _lines.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadExport(f"no fact: {error}") from error
    if _encoder.encode(said) != line:
        raise BadExport("not the one spelling of a fact")
    return StoredFact(
        said.position,
        said.recorded_at,
        said.kind,
        said.tags,
        bytes(said.data),
        b"",
        tuple([bytes.fromhex(one) for one in said.parts]) if said.parts else (),
    )


class _ProofLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    position: Position
    proof: str


def proof_line(proof: Proof) -> bytes:
    """Return the line, without its end, that a proof stands in: its text is C2SP tlog-proof."""
    return _encoder.encode(_ProofLine(proof.index + 1, proof.text()))


def read_proof(line: bytes) -> Proof:
    """Return the proof in a line without its end; raises `BadExport`."""
    try:
        said = msgspec.json.decode(line, type=_ProofLine)
        proof = Proof.parse(said.proof)
    except (msgspec.DecodeError, BadProofText) as error:
        raise BadExport(f"no proof: {error}") from error
    if proof.index + 1 != said.position:
        raise BadExport(f"the proof is of position {proof.index + 1}, not {said.position}")
    return proof


# -- where what lies ------------------------------------------------------------------------------


def number_of(position: int) -> int:
    """Return the number of the file in which a position's fact lies, from 1."""
    return (position - 1) // FACTS_PER_FILE + 1


def facts_path(log: LogName, number: int) -> str:
    """Return the path of a file of facts."""
    return f"{log}/facts/{number:06}.ndjson"


def proofs_path(log: LogName, number: int) -> str:
    """Return the path of the proofs of a file of facts."""
    return f"{log}/proofs/{number:06}.ndjson"


def tlog_path(log: LogName, path: str) -> str:
    """Return where a log's public file lies."""
    return f"{log}/tlog/{path}"


def levels_of(size: int) -> Iterator[tuple[int | str, int]]:
    """Return each level of tiles that a tree has, and how many hashes or entries are in it."""
    yield ENTRIES, size
    level = 0
    while count := size >> level * LEVEL_BITS:
        yield level, count
        level += 1


def partial_tiles(size: int) -> list[tuple[int | str, int, int]]:
    """Return level, index and width of each tile that a tree has and a larger one replaces."""
    counts = levels_of(size)
    return [(level, *divmod(count, WIDTH)) for level, count in counts if count % WIDTH]


def cut(level: int | str, content: bytes, width: int) -> bytes:
    """Return the first `width` of a tile, which may hold more; raises `BadTile`."""
    if level != ENTRIES:
        return content[: width * HASH_BYTES]
    return pack_entries(unpack_entries(content, tile_path(level, 0, width))[:width])


# -- the manifest ---------------------------------------------------------------------------------


class Subset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which facts alone are taken: of a month in Vietnam, with all of the tags."""

    month: Month | None = None
    tags: list[str] = []
    says: str = SUBSET_SAYS

    def bounds(self) -> tuple[datetime, datetime] | None:
        """Return the first instant (UTC) of the month and of the next, None for all time."""
        if self.month is None:
            return None
        first = date.fromisoformat(f"{self.month}-01")
        following = (first + timedelta(days=31)).replace(day=1)
        return start_of(first), start_of(following)

    def holds(self, fact: StoredFact) -> bool:
        """Tell whether a fact is of the subset."""
        bounds = self.bounds()
        timely = bounds is None or bounds[0] <= fact.recorded_at < bounds[1]
        return timely and set(self.tags) <= set(fact.tags)


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which checkpoint of a log an export is; `root` is hexadecimal."""

    origin: str
    size: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    root: Digest


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file by its content."""

    path: str
    bytes: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
    sha256: Digest


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an export is, and every other file in it.

    `taken_at` is by the taker's clock, and nothing proves it. `texts_missing` are the notices that
    facts name and that the service had no text of.
    """

    format: str
    taken_at: Instant
    logs: Mapping[LogName, Taken]
    subset: Subset | None = None
    texts_missing: Sequence[str] = ()
    files: Sequence[File] = ()

    def content(self) -> bytes:
        """Return the manifest's bytes: canonical JSON (RFC 8785)."""
        return canonical(self)


def read_manifest(content: bytes) -> Manifest:
    """Return a manifest; raises `BadExport`."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
        spelled = manifest.content()
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadExport(f"no manifest: {error}") from error
    if manifest.format != FORMAT:
        raise BadExport(f"an export of the format {manifest.format}, not {FORMAT}")
    if spelled != content:
        raise BadExport("not the one spelling of a manifest (RFC 8785)")
    if strange := [file.path for file in manifest.files if not PATH.fullmatch(file.path)]:
        raise BadExport(f"an export has no file {strange[0]!r}")
    if len({file.path for file in manifest.files}) != len(manifest.files) or not manifest.logs:
        raise BadExport("a manifest names one log at least, and each file once")
    return manifest


def fingerprint(manifest: bytes) -> str:
    """Return the SHA-256 of a manifest: with it noted down, nothing of the export can change."""
    return hashlib.sha256(manifest).hexdigest()
