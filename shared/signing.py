"""Signatures of the services: JWS with Ed25519 and nothing else, keys with a public validity.

A key file is a private JWK (RFC 8037) with two members of ours, `valid_from` and `valid_until`
(RFC 3339, UTC). Its name is its RFC 7638 thumbprint, and so is its `kid`. Whoever verifies looks
the key up in a set it trusts; a key, address or certificate inside a token is never used.
"""

import base64
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

ALGORITHM = "Ed25519"
"""The one JOSE algorithm that we sign with and accept (RFC 9864): nothing is negotiated."""

KEY_VALIDITY = timedelta(days=366)
"""How long a new key signs; its public half stays published for ever."""

KEY_RENEWED_BEFORE = timedelta(days=60)
"""How long before the last key ends a new one is made, so that a yearly `init` is enough."""

_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM])

DOTS = 2
"""They part a compact JWS into header, payload and signature (RFC 7515 section 7.1)."""

TOKEN_CHARACTERS_MAX = 16_384
"""A token of ours has about 2,500 characters; a far longer one is not worth parsing."""


class BadToken(Exception):
    """A token that proves nothing; `code` says why (`token_malformed`, `signature_invalid`, …)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NoKey(Exception):
    """There is no private key that is valid now: run the service's `init`."""


@dataclass(frozen=True)
class Key:
    """A public or private key with the time in which what it signs counts."""

    jwk: OKPKey
    valid_from: datetime
    valid_until: datetime

    @cached_property
    def kid(self) -> str:
        """Return the RFC 7638 thumbprint."""
        return self.jwk.thumbprint()

    def signs_at(self, instant: datetime) -> bool:
        """Tell whether a signature made at the instant counts."""
        return self.valid_from <= instant < self.valid_until

    def public(self) -> dict[str, Any]:
        """Return the public JWK with `kid`, `alg`, `use` and validity."""
        return {
            **self.jwk.as_dict(private=False),
            "kid": self.kid,
            "alg": ALGORITHM,
            "use": "sig",
            "valid_from": _text(self.valid_from),
            "valid_until": _text(self.valid_until),
        }


class Signer:
    """Signs with the newest private key of a folder that is valid at the time of signing."""

    def __init__(self, issuer: str, keys: Iterable[Key]) -> None:
        self.issuer = issuer
        self.keys = sorted(keys, key=lambda key: key.valid_from)

    def sign(self, typ: str, payload: bytes, at: datetime) -> str:
        """Return the compact JWS of the payload, of the given type; raises `NoKey`."""
        key = self.key_at(at)
        header = {"alg": ALGORITHM, "typ": typ, "kid": key.kid}
        return jws.serialize_compact(header, payload, key.jwk, registry=_REGISTRY)

    def key_at(self, instant: datetime) -> Key:
        """Return the key that signs at an instant, among those that are still ours.

        Raises `NoKey` where there is none. Ed25519 signs the same bytes in one way only (RFC 8032).
        """
        for key in reversed(self.keys):
            if key.signs_at(instant):
                return key
        raise NoKey(self.issuer)

    def public_keys(self) -> dict[str, Any]:
        """Return all keys as a JWK set, those of the past included."""
        return {"keys": [key.public() for key in self.keys]}


class TrustedKeys:
    """The public keys of an issuer, by `kid`."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys = {key.kid: key for key in keys}

    @classmethod
    def from_jwks(cls, document: Mapping[str, Any]) -> "TrustedKeys":
        """Read a JWK set; raises `ValueError` for what is not one. The `kid` is recomputed."""
        try:
            return cls([_key(member) for member in document["keys"]])
        except (KeyError, TypeError, JoseError) as error:
            raise ValueError("not a JWK set of Ed25519 keys with validity") from error

    def __contains__(self, kid: object) -> bool:
        return kid in self._keys

    def verify(self, token: str, typ: str, *, characters_max: int = TOKEN_CHARACTERS_MAX) -> bytes:
        """Return the payload of a token of this type, signed by a key that was valid at its `iat`.

        Raises `BadToken` with `token_malformed`, `token_type`, `key_unknown`, `signature_invalid`
        or `key_not_valid`. `characters_max` is for types that are longer than most.
        """
        return self.check(read_compact(token, characters_max=characters_max), typ)

    def check(self, read: jws.CompactSignature, typ: str) -> bytes:
        """Return the payload of a token that was taken apart before, as `verify` does."""
        header = read.headers()
        if header.get("typ") != typ:
            raise BadToken("token_type")
        key = self._keys.get(str(header.get("kid")))
        if key is None:
            raise BadToken("key_unknown")
        try:
            good = jws.validate_compact(read, key.jwk, registry=_REGISTRY)
        except (JoseError, ValueError) as error:
            raise BadToken("signature_invalid") from error
        if not good:
            raise BadToken("signature_invalid")
        if not key.signs_at(_issued_at(read.payload)):
            raise BadToken("key_not_valid")
        return read.payload


def token_header(token: str, *, characters_max: int = TOKEN_CHARACTERS_MAX) -> dict[str, Any]:
    """Return the header of a compact JWS without believing it; raises `BadToken`."""
    return dict(read_compact(token, characters_max=characters_max).headers())


def read_compact(token: str, *, characters_max: int = TOKEN_CHARACTERS_MAX) -> jws.CompactSignature:
    """Return the parts of a compact JWS without believing them; raises `BadToken`."""
    if len(token) > characters_max or not token.isascii() or token.count(".") != DOTS:
        raise BadToken("token_malformed")
    if not _is_one_spelling(token.rpartition(".")[2]):
        raise BadToken("token_malformed")
    try:
        return jws.extract_compact(token.encode())
    except (JoseError, ValueError, TypeError) as error:
        raise BadToken("token_malformed") from error


def _is_one_spelling(signature: str) -> bool:
    """Tell whether the signature, which nothing else covers, could be written in no other way."""
    try:
        decoded = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except ValueError:
        return False
    return base64.urlsafe_b64encode(decoded).rstrip(b"=") == signature.encode()


def _issued_at(payload: bytes) -> datetime:
    try:
        issued_at = msgspec.json.decode(payload)["iat"]
        return datetime.fromtimestamp(issued_at, UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise BadToken("token_malformed") from error


def create_key(folder: Path, at: datetime) -> Key:
    """Make a key that signs from `at` on, and keep it in the folder for its owner alone."""
    start = at.replace(microsecond=0)  # `iat` has whole seconds
    key = Key(OKPKey.generate_key("Ed25519"), start, start + KEY_VALIDITY)
    document = {
        **key.jwk.as_dict(private=True),
        "valid_from": _text(key.valid_from),
        "valid_until": _text(key.valid_until),
    }
    write_secret(folder / f"{key.kid}.jwk.json", json.dumps(document).encode())
    return key


def renew_keys(folder: Path, at: datetime) -> None:
    """Make a key unless one of the folder's still signs for some time to come."""
    if not any(key.signs_at(at + KEY_RENEWED_BEFORE) for key in load_keys(folder)):
        create_key(folder, at)


def load_keys(folder: Path) -> list[Key]:
    """Return the keys of a folder; raises `ValueError` for a file that is not one."""
    return [_key(json.loads(file.read_bytes())) for file in sorted(folder.glob("*.jwk.json"))]


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read; raises `FileExistsError`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _key(document: Mapping[str, Any]) -> Key:
    members = {name: document[name] for name in ("kty", "crv", "x", "d") if name in document}
    if members.get("crv") != "Ed25519":
        raise ValueError("only Ed25519 keys sign here")
    return Key(
        OKPKey.import_key(members),
        datetime.fromisoformat(document["valid_from"]),
        datetime.fromisoformat(document["valid_until"]),
    )


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
