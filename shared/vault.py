"""Personal data, sealed under a key per person, outside the log, where it can be erased.

Facts name a person by a random id and nothing else. What a person can be reached by lies here:
AES-256-GCM under that person's data key, which is itself wrapped by a key-encryption key from a
file. The associated data ties every value to its owner and field, so values cannot be swapped.
"""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap

from shared.signing import write_secret

KEY_BYTES = 32
NONCE_BYTES = 12
"""The nonce size that AES-GCM is defined for (NIST SP 800-38D 5.2.1.1)."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (owner TEXT PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sealed (
    owner TEXT NOT NULL REFERENCES keys, field TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (owner, field)
) STRICT;
"""


class Spoiled(Exception):
    """A sealed value was changed, or moved from its place."""


def create_vault(folder: Path) -> None:
    """Make an empty vault and its key-encryption key in the folder, unless they are there."""
    key = folder / "vault.key"
    if not key.exists():
        write_secret(key, os.urandom(KEY_BYTES))
    with closing(sqlite3.connect(folder / "vault.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(SCHEMA)
    (folder / "vault.db").chmod(0o600)


class Vault:
    """Sealed texts by owner and field."""

    def __init__(self, folder: Path) -> None:
        self._wrapping_key = (folder / "vault.key").read_bytes()
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            folder / "vault.db", isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA synchronous=FULL")

    def put(self, owner: str, field: str, text: str) -> None:
        """Seal a text, durably; replaces an earlier one."""
        with self._lock:
            key = self._key(owner) or self._new_key(owner)
            nonce = os.urandom(NONCE_BYTES)
            value = nonce + AESGCM(key).encrypt(nonce, text.encode(), _place(owner, field))
            self._connection.execute(
                "INSERT INTO sealed VALUES (?, ?, ?)"
                " ON CONFLICT (owner, field) DO UPDATE SET value = excluded.value",
                (owner, field, value),
            )

    def get(self, owner: str, field: str) -> str | None:
        """Return a text, None if it was never there or is erased; raises `Spoiled`."""
        with self._lock:
            row = self._connection.execute(
                "SELECT value FROM sealed WHERE owner = ? AND field = ?", (owner, field)
            ).fetchone()
            key = self._key(owner)
        if row is None or key is None:
            return None
        value: bytes = row[0]
        nonce, sealed = value[:NONCE_BYTES], value[NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, sealed, _place(owner, field)).decode()
        except InvalidTag:
            raise Spoiled(field) from None

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _key(self, owner: str) -> bytes | None:
        row = self._connection.execute(
            "SELECT wrapped FROM keys WHERE owner = ?", (owner,)
        ).fetchone()
        return aes_key_unwrap(self._wrapping_key, row[0]) if row else None

    def _new_key(self, owner: str) -> bytes:
        key = os.urandom(KEY_BYTES)
        wrapped = aes_key_wrap(self._wrapping_key, key)
        self._connection.execute("INSERT INTO keys VALUES (?, ?)", (owner, wrapped))
        return key


def _place(owner: str, field: str) -> bytes:
    return f"{len(owner)}:{owner}{field}".encode()
