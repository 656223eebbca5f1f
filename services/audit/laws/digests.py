"""Digests of documents that lie in stored bytes: no slower than SHA-256 where those are canonical.

Making canonical JSON (RFC 8785) anew takes sixty times as long as hashing what is there. So bytes
are hashed as they are once it is sure that they are the canonical ones.
"""

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from shared.canonical import digest

STATEMENTS_KEPT = 1 << 10
"""Digests kept: a statement comes in its fact, and soon again in its signed event."""


class _Fraction(Exception):
    """Canonical JSON spells numbers that are not whole in a way of its own."""


def _fraction(_: str) -> float:
    raise _Fraction


_whole = msgspec.json.Decoder(float_hook=_fraction)
_sorted = msgspec.json.Encoder(order="sorted")


@lru_cache(STATEMENTS_KEPT)
def digest_of(raw: bytes) -> bytes:
    """Return the SHA-256 of the canonical form of JSON; raises `ValueError` for none.

    In ASCII, without fractions, canonical JSON is plain JSON with sorted names and no spaces.
    """
    try:
        if raw.isascii() and _sorted.encode(_whole.decode(raw)) == raw:
            return hashlib.sha256(raw).digest()
    except _Fraction:
        pass
    return bytes.fromhex(digest(msgspec.json.decode(raw)))


def has_digest(document: Any, wanted: str) -> bool:
    """Tell whether a document of text and whole numbers has a digest, or one that begins so."""
    quick = _sorted.encode(document)
    if quick.isascii() and hashlib.sha256(quick).hexdigest().startswith(wanted):
        return True
    return digest(document).startswith(wanted)
