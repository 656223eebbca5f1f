"""A compact JWS that somebody else signed: with Ed25519 or ES256, and with nothing else.

The key decides which algorithm may stand in the header, so that none is ever confused with another:
a public key is no HMAC secret, and `none` is no signature. Private and symmetric keys are refused
wherever a public one belongs.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from joserfc.registry import Header
from typing_extensions import override

from shared.signing import BadToken, read_compact

PublicKey = ECKey | OKPKey

ALGORITHMS = ("Ed25519", "EdDSA", "ES256")
"""What clients may sign with. `EdDSA` is the older name of `Ed25519` (RFC 9864)."""

BY_KEY = {("OKP", "Ed25519"): ("Ed25519", "EdDSA"), ("EC", "P-256"): ("ES256",)}
"""The algorithms of each kind of key, by `kty` and `crv`."""

PUBLIC_MEMBERS = ("kty", "crv", "x", "y")
SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""What only private and symmetric keys have (RFC 7518 section 6, RFC 8037)."""

KEYS_KEPT = 1_024
"""Keys of which is remembered what they are: a client shows the same with every request."""

ClaimsT = TypeVar("ClaimsT")


class Why(StrEnum):
    """Why a text proves nothing, whatever it is for."""

    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    SIGNATURE = "signature"


class NotProved(Exception):
    """A text that its signature does not prove."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class _Registry(jws.JWSRegistry):
    """Takes the older name for the newer, and passes over header names that it does not know."""

    @override
    def get_alg(self, name: str) -> Any:
        return super().get_alg("Ed25519" if name == "EdDSA" else name)

    @override
    def check_header(self, header: Header) -> None:
        if "b64" in header:
            raise JoseError("an unencoded payload (RFC 7797) has no place here")
        super().check_header(header)


_REGISTRY = _Registry(algorithms=("Ed25519", "ES256"), strict_check_header=False)


def public_key(jwk: object) -> PublicKey:
    """Return the public key of a JWK, its other members left out; raises `ValueError`."""
    if not isinstance(jwk, Mapping) or SECRET_MEMBERS & set(jwk):
        raise ValueError("not a public key")
    return _imported(tuple((name, str(jwk[name])) for name in PUBLIC_MEMBERS if name in jwk))


@lru_cache(KEYS_KEPT)
def _imported(given: tuple[tuple[str, str], ...]) -> PublicKey:
    members: dict[str, Any] = dict(given)
    kind = (members.get("kty"), members.get("crv"))
    if kind not in BY_KEY:
        raise ValueError("neither an Ed25519 nor a P-256 key")
    try:
        key = (OKPKey if kind[0] == "OKP" else ECKey).import_key(members)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ValueError("not a public key") from error
    return key


def thumbprint(key: PublicKey) -> str:
    """Return the RFC 7638 thumbprint, SHA-256, base64url."""
    return key.thumbprint()


def said(text: str) -> jws.CompactSignature:
    """Return what a compact JWS says without believing any of it; raises `NotProved`."""
    try:
        return read_compact(text)
    except BadToken as error:
        raise NotProved(Why.MALFORMED) from error


def check_signed(read: jws.CompactSignature, key: PublicKey) -> None:
    """Check that the key signed what was read, by an algorithm of its own; raises `NotProved`."""
    own = BY_KEY[key.key_type, str(key.as_dict(private=False)["crv"])]
    if read.headers().get("alg") not in own:
        raise NotProved(Why.ALGORITHM)
    try:
        good = jws.validate_compact(read, key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError) as error:
        raise NotProved(Why.SIGNATURE) from error
    if not good:
        raise NotProved(Why.SIGNATURE)


def read_claims(payload: bytes, claims: type[ClaimsT]) -> ClaimsT:
    """Return what a payload says; raises `NotProved` where it lacks a claim or has it otherwise."""
    try:
        return msgspec.json.decode(payload, type=claims)
    except (ValueError, RecursionError) as error:  # msgspec's are ValueErrors
        raise NotProved(Why.MALFORMED) from error
