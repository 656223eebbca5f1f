"""Keyed marks: equal for equal things, and silent about what they stand for.

A fact may not name a phone, an account number or a person who refused; a mark in its place is
enough to know the same one again. Without the key it cannot be guessed, not even by trying every
number there is, as a plain hash can (Decree 356/2025 art. 11.2 b).
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from shared.signing import write_secret

KEY_BYTES = 32
KEY_FILE = "marks.key"


class Marks:
    """Makes marks under one secret key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of(cls, folder: Path) -> "Marks":
        """Return the marks of a service's folder."""
        return cls((folder / KEY_FILE).read_bytes())

    def mark(self, *texts: str) -> str:
        """Return 64 hexadecimal digits for these texts in this order; the first says what for."""
        *before, last = texts
        whole = "".join(f"{len(text)}:{text}" for text in before) + last
        return hmac.digest(self._key, whole.encode(), hashlib.sha256).hex()


def create_marks(folder: Path) -> None:
    """Make the secret key of a folder, unless it is there."""
    if not (folder / KEY_FILE).exists():
        write_secret(folder / KEY_FILE, secrets.token_bytes(KEY_BYTES))
