"""How a fact becomes a leaf of the tree: `docs/ledger-format.md`, in code.

An entry names place, time and kind, and holds digests of the rest, over the bytes as stored. So it
may be shown to anyone: whom a fact concerns is not in it, and only the fact's holder can tell. A
personal part that is erased leaves its digest, and every proof as it was.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

VERSION = 2

HEADER = struct.Struct(">BQqH")
"""Version, position, microseconds since 1970-01-01 UTC, bytes of the kind."""

DIGESTS = struct.Struct(">32s32sB")
"""Of the tags, of the data, and how many digests of personal parts follow."""

DIGEST_BYTES = 32
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    stamp = (recorded_at - EPOCH) // timedelta(microseconds=1)
    return b"".join(
        (
            HEADER.pack(VERSION, position, stamp, len(name)),
            name,
            tags_digest(tags),
            hashlib.sha256(data).digest(),
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
        recorded_at = EPOCH + timedelta(microseconds=stamp)
        tags, data, count = DIGESTS.unpack_from(entry, start)
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise BadEntry(str(error)) from error
    parts = entry[start + DIGESTS.size :]
    if version != VERSION or len(parts) != count * DIGEST_BYTES:
        raise BadEntry(f"no entry of version {VERSION} and {len(entry)} bytes")
    return Entry(position, recorded_at, kind, tags, data, digests_in(parts))


def digests_in(row: bytes) -> tuple[bytes, ...]:
    """Return the digests that lie in a row, one behind the other."""
    starts = range(0, len(row), DIGEST_BYTES)
    return tuple(row[start : start + DIGEST_BYTES] for start in starts)


def tags_digest(tags: Sequence[str]) -> bytes:
    """Return the digest of the tags in their order, each behind its length in bytes."""
    texts = [tag.encode() for tag in tags]
    return hashlib.sha256(b"".join([len(one).to_bytes(2) + one for one in texts])).digest()
