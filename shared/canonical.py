"""The one byte form of a document that is hashed, signed or stored (RFC 8785), and its digest.

Text is brought to NFC first: "Đồng ý" typed on two phones must hash alike.
"""

import hashlib
import unicodedata
from typing import Any

import msgspec
import rfc8785


def canonical(document: Any) -> bytes:
    """Return the RFC 8785 bytes of a dataclass, mapping, list or scalar, all text in NFC.

    Raises `ValueError` for what canonical JSON cannot hold (NaN, integers beyond 2^53, bytes).
    """
    return rfc8785.dumps(_nfc(msgspec.to_builtins(document)))


def digest(document: Any) -> str:
    """Return the SHA-256 of the canonical bytes as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(document)).hexdigest()


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes in NFC as 64 hexadecimal digits."""
    return hashlib.sha256(nfc(text).encode()).hexdigest()


def nfc(text: str) -> str:
    """Return the text with its letters composed (Unicode normalisation form C)."""
    return unicodedata.normalize("NFC", text)


def _nfc(value: Any) -> Any:
    match value:
        case str():
            return value if value.isascii() else nfc(value)
        case dict():
            return {_nfc(key): _nfc(item) for key, item in value.items()}
        case list() | tuple():
            return [_nfc(item) for item in value]
        case _:
            return value
