"""Digests of documents that lie in stored bytes: no slower than SHA-256 where those are canonical.

Making canonical JSON (RFC 8785) anew takes sixty times as long as hashing what is there. So bytes
are hashed as they are once it is sure that they are the canonical ones.
"""

import hashlib
import unicodedata
from typing import Any

import msgspec

from shared.canonical import digest

_decoder = msgspec.json.Decoder()
_sorted = msgspec.json.Encoder(order="sorted")


def digest_of(raw: bytes) -> bytes:
    """Return the SHA-256 of the canonical form of JSON; raises `ValueError` for none."""
    document = _decoder.decode(raw)
    if _plain(document) and _sorted.encode(document) == raw and _composed(raw):
        return hashlib.sha256(raw).digest()
    return bytes.fromhex(digest(document))


def has_digest(document: Any, wanted: str) -> bool:
    """Tell whether a dataclass or mapping has a digest, or one that begins so."""
    quick = _sorted.encode(document)
    if quick.isascii() and hashlib.sha256(quick).hexdigest().startswith(wanted):
        return True
    return digest(document).startswith(wanted)


def _plain(value: Any) -> bool:
    """Tell whether canonical JSON spells this as plain JSON with sorted names does.

    It spells numbers in a way of its own, and sorts names beyond ASCII otherwise.
    """
    if isinstance(value, dict):
        return all(name.isascii() and _plain(one) for name, one in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return isinstance(value, str | bool | None) or (isinstance(value, int) and abs(value) < 2**53)


def _composed(raw: bytes) -> bool:
    return raw.isascii() or unicodedata.is_normalized("NFC", raw.decode())
