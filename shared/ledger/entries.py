"""How a fact becomes a leaf of the tree: `docs/ledger-format.md`, in code.

An entry names place, time and kind, and holds digests of the rest, over the bytes as stored. So it
may be shown to anyone: whom a fact concerns is not in it, and only the fact's holder can tell. A
personal part that is erased leaves its digest, and every proof as it was.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

VERSION = 2

HEADER = struct.Struct(">BQqH")
"""Version, position, microseconds since 1970-01-01 UTC, bytes of the kind."""

DIGESTS = struct.Struct(">32s32sB")
"""Of the tags, of the data, and how many digests of personal parts follow."""

DIGEST_BYTES = 32
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_S, SECOND_US = 86_400, 1_000_000

INSTANTS_KEPT = 1_024
"""All facts of a commit have one time, and what is read in order asks for the same again."""


class BadEntry(ValueError):
    """Bytes that are no entry of this format."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry says."""

    position: int
    recorded_at: datetime
    kind: str
    tags_digest: bytes
    data_digest: bytes
    part_digests: tuple[bytes, ...]


def encode(
    position: int,
    recorded_at: datetime,
    kind: str,
    tags: Sequence[str],
    data: bytes,
    *,
    part_digests: Sequence[bytes] = (),
) -> bytes:
    """Return the entry of a fact; `data` is the fact's bytes as they are stored.

    `part_digests` are the SHA-256 of its personal parts as they are stored, 255 at most.
    """
    name = kind.encode()
    return b"".join(
        (
            HEADER.pack(VERSION, position, stamp_of(recorded_at), len(name)),
            name,
            tags_digest(tags),
            sha256(data).digest(),
            len(part_digests).to_bytes(),
            *part_digests,
        )
    )


def decode(entry: bytes) -> Entry:
    """Return what the bytes say; raises `BadEntry` if they say nothing, or more."""
    try:
        version, position, stamp, length = HEADER.unpack_from(entry)
        start = HEADER.size + length
        kind = entry[HEADER.size : start].decode()
        recorded_at = instant_of(stamp)
        tags, data, count = DIGESTS.unpack_from(entry, start)
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise BadEntry(str(error)) from error
    parts = entry[start + DIGESTS.size :]
    if version != VERSION or len(parts) != count * DIGEST_BYTES:
        raise BadEntry(f"no entry of version {VERSION} and {len(entry)} bytes")
    return Entry(position, recorded_at, kind, tags, data, digests_in(parts))


@lru_cache(maxsize=INSTANTS_KEPT)
def stamp_of(instant: datetime) -> int:
    """Return an instant in microseconds since 1970-01-01 UTC."""
    since = instant - EPOCH
    return (since.days * DAY_S + since.seconds) * SECOND_US + since.microseconds


@lru_cache(maxsize=INSTANTS_KEPT)
def instant_of(stamp: int) -> datetime:
    """Return the instant, in UTC, that `stamp_of` gave; raises `OverflowError` for none."""
    return EPOCH + timedelta(microseconds=stamp)


def digests_in(row: bytes) -> tuple[bytes, ...]:
    """Return the digests that lie in a row, one behind the other."""
    if not row:  # as for nearly all facts
        return ()
    starts = range(0, len(row), DIGEST_BYTES)
    return tuple(row[start : start + DIGEST_BYTES] for start in starts)


def tags_digest(tags: Sequence[str]) -> bytes:
    """Return the digest of the tags in their order, each behind its length in bytes."""
    row = b"".join([_lengths[len(text := tag.encode())] + text for tag in tags])
    return sha256(row).digest()


class _Lengths(dict[int, bytes]):
    """Lengths as two bytes, each made once: there are few, and every tag of every fact has one."""

    def __missing__(self, length: int) -> bytes:
        made = self[length] = length.to_bytes(2)
        return made


_lengths = _Lengths()
