"""The format of an evidence bundle: all that both logs have of one matter, for anybody to check.

A bundle holds the facts of the matter, a proof for each that it is in its log, and for each tag by
which they were found a proof that these are all (docs/ledger-format.md). What belongs to a matter
follows from what it is about and from the facts themselves, by the rules in here; so a checker
finds out alone what has to be there, and nothing else may be.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

from services.audit.export import (
    LOG_NAMES,
    BadExport,
    Digest,
    LogName,
    Position,
)
from services.consent import gate
from services.consent.facts import ConsentRequested
from services.consent.gate import Act
from shared.canonical import canonical
from shared.ledger.indexes import Proved, key_of
from shared.ledger.recorder import StoredFact

FORMAT = "thuan-bundle.1"

OWN_ID = r"^[\x21-\x7e]{1,300}$"
"""An id as a tag has it."""

BUNDLE = "bundle.json"
FILES_OF_A_LOG = ("checkpoint", "facts.ndjson", "index.ndjson", "proofs.ndjson", "vkeys")
PATH = re.compile(
    r"(?:README\.md|ledger-format\.md|jwks\.json|texts/[a-z0-9][a-z0-9.-]{0,99}\.txt"
    rf"|(?:{'|'.join(LOG_NAMES)})/(?:{'|'.join(map(re.escape, FILES_OF_A_LOG))}))",
    re.ASCII,
)
"""Every path that a bundle has, but for its manifest."""


class Noun(StrEnum):
    """What a bundle can be about."""

    ACCOUNT = "account"
    CITIZEN = "citizen"
    CLERK = "clerk"
    OFFICE = "office"
    INCIDENT = "incident"
    """Several consents, named by their ids."""


ABSENT_NOUNS = frozenset({Noun.ACCOUNT, Noun.CITIZEN})
"""Of whom it can be said that there was no agreement."""


# -- what belongs to a matter ---------------------------------------------------------------------


class Claim(NamedTuple):
    """That a bundle has all facts of a log that carry a tag, of one kind only if it is named."""

    log: LogName
    tag: str
    kind: str | None = None

    @property
    def key(self) -> bytes:
        """Return the key of its leaves in the log's index."""
        return key_of(self.tag, self.kind)

    def holds(self, kind: str, tags: Sequence[str]) -> bool:
        """Tell whether a fact of a log's is one of them."""
        return self.tag in tags and self.kind in (None, kind)


SEEDS: Mapping[Noun, Sequence[tuple[LogName, str]]] = {
    Noun.ACCOUNT: [("accounts", "opening:"), ("consent", "redemption:")],
    Noun.CITIZEN: [("consent", "citizen:"), ("accounts", "citizen:")],
    Noun.CLERK: [
        ("consent", "clerk:"),
        ("accounts", "clerk:"),
        ("consent", "asked_by:clerk:"),
        ("accounts", "commanded_by:clerk:"),
    ],
    Noun.OFFICE: [
        ("consent", "office:"),
        ("accounts", "office:"),
        ("consent", "asked_by:manager:"),
    ],
    Noun.INCIDENT: [("consent", "consent:"), ("accounts", "consent:")],
}
"""Where a matter begins: the tags of each noun, in both logs."""

FOLLOWED: Mapping[str, Noun] = {
    "consent": Noun.INCIDENT,
    "opening": Noun.ACCOUNT,
    "redemption": Noun.ACCOUNT,
}
"""The tags of a fact that lead on, and to what; a redemption has the id of its opening."""


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bundle is about; `absent` says that none of it is an agreement to open an account."""

    noun: Noun
    ids: Annotated[list[Annotated[str, msgspec.Meta(pattern=OWN_ID)]], msgspec.Meta(min_length=1)]
    absent: bool = False

    def claims(self) -> list[Claim]:
        """Return the claims with which the matter begins."""
        return [one for own_id in self.ids for one in claims_of(self.noun, own_id)]


def claims_of(noun: Noun, own_id: str) -> Iterator[Claim]:
    """Yield the claims that one id begins with."""
    for log, prefix in SEEDS[noun]:
        yield Claim(log, f"{prefix}{own_id}")


def led_to(log: LogName, stored: StoredFact) -> Iterator[Claim]:
    """Yield the claims that a fact of the matter leads to; raises `BadExport` if it is unreadable.

    Its consent and its opening whole, and of a question what the gate judged it by: the rights
    that it needed, and whatever suspended anybody concerned.
    """
    for tag in stored.tags:
        noun, _, own_id = tag.partition(":")
        if noun in FOLLOWED:
            yield from claims_of(FOLLOWED[noun], own_id)
    if log == "consent" and stored.kind == ConsentRequested.NAME:  # type: ignore[attr-defined]
        for arm in gate.boundary(Act.of(read_question(stored))):
            for kind in arm.types:
                yield Claim("consent", arm.tags[0], kind)


def read_question(stored: StoredFact) -> ConsentRequested:
    """Return a question; raises `BadExport`."""
    try:
        return msgspec.json.decode(stored.data, type=ConsentRequested)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadExport(f"position {stored.position:,} is no question: {error}") from error


# -- the manifest ---------------------------------------------------------------------------------


class OfLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Under which checkpoint a log's facts are, and up to which position they are all there."""

    origin: str
    size: Position
    root: Digest
    indexed: Position


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file by its content."""

    path: str
    sha256: Digest


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bundle is, and every other file in it."""

    format: str
    about: About
    logs: dict[LogName, OfLog]
    files: list[Member]

    def content(self) -> bytes:
        """Return the manifest's bytes: canonical JSON (RFC 8785)."""
        return canonical(self)


def read_manifest(content: bytes) -> Manifest:
    """Return a bundle's manifest; raises `BadExport`."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
        spelled = manifest.content()
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadExport(f"no manifest of a bundle: {error}") from error
    paths, about = [file.path for file in manifest.files], manifest.about
    if manifest.format != FORMAT or spelled != content:
        raise BadExport(f"not the one spelling of a manifest of the format {FORMAT}")
    if set(manifest.logs) != set(LOG_NAMES):
        raise BadExport("a bundle is of both logs")
    if paths != sorted(set(paths)) or not all(map(PATH.fullmatch, paths)):
        raise BadExport("a manifest names each file once, in order, and none that a bundle has not")
    if about.ids != sorted(set(about.ids)) or (about.noun != Noun.INCIDENT and len(about.ids) > 1):
        raise BadExport("a bundle is about one, or about several consents, each named once")
    if about.absent and about.noun not in ABSENT_NOUNS:
        raise BadExport("absence is said of an account or of a citizen")
    return manifest


# -- lines of the index ---------------------------------------------------------------------------


class _Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    index: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
    leaf: str
    path: list[Digest]


class _IndexLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    segment: Position
    key: Digest
    leaves: Annotated[list[_Leaf], msgspec.Meta(max_length=2)]


@dataclass(frozen=True, slots=True)
class KeyProof:
    """What proves where a key stands in the segment whose fact is at a position."""

    segment: int
    key: bytes
    leaves: tuple[Proved, ...]


def index_line(proof: KeyProof) -> bytes:
    """Return the line, without its end, of a proof."""
    leaves = [
        _Leaf(one.index, one.leaf.hex(), [node.hex() for node in one.path]) for one in proof.leaves
    ]
    return msgspec.json.encode(_IndexLine(proof.segment, proof.key.hex(), leaves))


def read_index_line(line: bytes) -> KeyProof:
    """Return the proof in a line without its end; raises `BadExport`."""
    try:
        said = msgspec.json.decode(line, type=_IndexLine)
        leaves = tuple(
            Proved(one.index, bytes.fromhex(one.leaf), tuple(map(bytes.fromhex, one.path)))
            for one in said.leaves
        )
    except (msgspec.DecodeError, ValueError) as error:
        raise BadExport(f"no proof of an index: {error}") from error
    proof = KeyProof(said.segment, bytes.fromhex(said.key), leaves)
    if index_line(proof) != line:
        raise BadExport("not the one spelling of a proof of an index")
    return proof


def paths_of(texts: Iterable[str]) -> list[str]:
    """Return the paths of all files that a bundle with these texts has, but for its manifest."""
    of_logs = [f"{log}/{name}" for log in LOG_NAMES for name in FILES_OF_A_LOG]
    return sorted(["README.md", "ledger-format.md", "jwks.json", *of_logs, *texts])
