"""What a fact says of a person, encrypted under that person's own key, so that it can be erased.

A fact's class names its personal fields and whose they are. They are in no byte of the fact, which
has instead

    "personal": {"id": "<random, the fact's own>", "keys": {"citizen": "<key id>"}}

Each person's fields are one part, stored beside the fact: nonce, then AES-256-GCM of their
canonical JSON. Its associated data are the log's name, the fact's id, its kind and the key's id,
each behind its length: a part opens in its own place and nowhere else. The fact's leaf has the
digest of the part as it is stored, so erasing it leaves every proof as it was.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.canonical import canonical
from shared.ledger.facts import ERASED, Fact, tags_of
from shared.ledger.recorder import Part, PersonalEvent, StoredFact

NONCE_BYTES = 12
"""The nonce size that AES-GCM is defined for (NIST SP 800-38D 5.2.1.1)."""

FACT_ID_BYTES = 16


class KeyMissing(Exception):
    """The keys do not know one that the log names: they are older than the log, or another's."""


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """A person's key, and the id that it is found by, which is random and says nothing."""

    id: str
    secret: bytes


class SubjectKeys(Protocol):
    """Where the keys of all persons are kept; any thread may call."""

    def in_use(self, subject: str) -> SubjectKey:
        """Return the key that takes what is said of a person from now on, made if need be."""

    def secret(self, key_id: str) -> bytes | None:
        """Return the secret of a key, None if it was destroyed; raises `KeyMissing`."""

    def retire(self, subject: str) -> list[str]:
        """Let a person's keys take nothing more; returns the ids of those not yet destroyed."""

    def destroy(self, key_ids: Sequence[str]) -> None:
        """Destroy keys for good, those too that are not known here."""

    def close(self) -> None:
        """Let go of the keys."""


class Spoiled(Exception):
    """A personal part was changed, or moved from its place."""


class _Header(msgspec.Struct):
    id: str
    keys: dict[str, str]

    def key_ids(self) -> list[str]:
        """Return the keys in the order of the parts."""
        return [self.keys[subject] for subject in sorted(self.keys)]


class _Data(msgspec.Struct):
    personal: _Header


class Personal:
    """Splits facts into what anyone may keep for ever and what can be erased, and joins them."""

    def __init__(self, origin: str, keys: SubjectKeys) -> None:
        self._origin = origin
        self._keys = keys

    def event(self, happened: Fact) -> PersonalEvent:
        """Return a fact as it is stored; raises `ValueError` if a part of it was erased."""
        members: dict[str, Any] = msgspec.to_builtins(happened)
        fact_id, key_ids, parts = secrets.token_hex(FACT_ID_BYTES), dict[str, str](), []
        for subject, fields in sorted(happened.PERSONAL.items()):
            if any(getattr(happened, name) is ERASED for name in fields):
                raise ValueError(f"{happened.NAME}: what was erased cannot be recorded anew")
            key = self._keys.in_use(f"{subject}:{getattr(happened, f'{subject}_id')}")
            place = self._place(fact_id, happened.NAME, key.id)
            nonce = secrets.token_bytes(NONCE_BYTES)
            text = canonical({name: members.pop(name) for name in fields})
            parts.append(Part(key.id, nonce + AESGCM(key.secret).encrypt(nonce, text, place)))
            key_ids[subject] = key.id
        data = canonical({**members, "personal": {"id": fact_id, "keys": key_ids}})
        return PersonalEvent(happened.NAME, data, tags_of(happened), tuple(parts))

    def opened(self, stored: StoredFact) -> dict[str, Any]:
        """Return the personal fields of a fact read with its parts, without those erased.

        Raises `Spoiled`, and `KeyMissing` for a part whose key is neither there nor destroyed.
        """
        members = dict[str, Any]()
        if not any(stored.parts):
            return members
        header = msgspec.json.decode(stored.data, type=_Data).personal
        for part, key_id in zip(stored.parts, header.key_ids(), strict=True):
            secret = None if part is None else self._keys.secret(key_id)
            if part and secret:
                place = self._place(header.id, stored.kind, key_id)
                members |= _open(stored.position, part, secret, place)
        return members

    def _place(self, *names: str) -> bytes:
        texts = [name.encode() for name in (self._origin, *names)]
        return b"".join(len(text).to_bytes(2) + text for text in texts)


def _open(position: int, part: Part, secret: bytes, place: bytes) -> dict[str, Any]:
    nonce, sealed = part.data[:NONCE_BYTES], part.data[NONCE_BYTES:]
    try:
        text = AESGCM(secret).decrypt(nonce, sealed, place)
    except (InvalidTag, ValueError) as error:
        raise Spoiled(f"position {position}") from error
    members: dict[str, Any] = msgspec.json.decode(text)
    return members


def keys_of(data: bytes) -> list[str]:
    """Return the ids of the keys that a fact names for its parts, in their order; maybe none."""
    try:
        return msgspec.json.decode(data, type=_Data).personal.key_ids()
    except msgspec.DecodeError:
        return []
