"""A client shows that it has a key by signing what it is about to send (DPoP, RFC 9449).

The proof is for one method, one address, one access token, one minute, and counts once. So a token
that was stolen is worth nothing without the key, and a proof is worth nothing anywhere else.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from shared.oauth.jose import (
    NotProved,
    PublicKey,
    Why,
    check_signed,
    public_key,
    read_claims,
    said,
    thumbprint,
)
from shared.oauth.once import Once, is_id, until
from shared.signing import BadToken

TYPE = "dpop+jwt"

WINDOW_S = 60
"""Seconds that a proof may be old, and by which a client's clock may be ahead of ours. Clocks that
are kept differ by less; the longer it is, the more proofs must be remembered."""

DEFAULT_PORTS = {"http": 80, "https": 443}

UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""The characters of an address that mean the same with and without `%` (RFC 3986 section 2.3)."""

CODES = {
    Why.MALFORMED: "proof_malformed",
    Why.ALGORITHM: "proof_algorithm",
    Why.SIGNATURE: "proof_signature",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that a proof is for; `token` is the access token that goes with it, if any."""

    method: str
    address: str
    token: str | None = None


class _Claims(msgspec.Struct):
    jti: str
    htm: str
    htu: str
    iat: float
    ath: str | None = None


def check_proof(headers: Sequence[str], asked: Asked, now: datetime) -> tuple[str, Once]:
    """Return the thumbprint of the key that signed, and what may not be shown again.

    `headers` are all `DPoP` headers of the request: there must be one. Checks all of RFC 9449
    section 4.3 but whether it was shown before. Raises `BadToken` with `proof_missing`,
    `proof_malformed`, `proof_key`, `proof_algorithm`, `proof_signature`, `proof_method`,
    `proof_address`, `proof_time` or `proof_token`.
    """
    if len(headers) != 1:
        raise BadToken("proof_missing")
    key, claims = _signed(headers[0])
    if claims.htm != asked.method:
        raise BadToken("proof_method")
    address = plain_address(asked.address)
    if address is None or plain_address(claims.htu) != address:
        raise BadToken("proof_address")
    if not abs(now.timestamp() - claims.iat) <= WINDOW_S:
        raise BadToken("proof_time")
    if asked.token is not None and claims.ath != token_hash(asked.token):
        raise BadToken("proof_token")
    jkt = thumbprint(key)
    return jkt, Once("proof", jkt, claims.jti, until(claims.iat + WINDOW_S))


def token_hash(token: str) -> str:
    """Return the `ath` of an access token: SHA-256, base64url."""
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def plain_address(address: str) -> str | None:
    """Return an address without query and fragment in its one spelling, None if it is not one.

    Scheme and host in small letters, no default port, no needless `%` (RFC 3986 section 6.2).
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    beside = "" if port in {None, DEFAULT_PORTS[parts.scheme]} else f":{port}"
    path = re.sub(r"%([0-9A-Fa-f]{2})", _plain, parts.path or "/")
    return f"{parts.scheme}://{parts.hostname}{beside}{path}"


def _plain(escaped: re.Match[str]) -> str:
    character = chr(int(escaped[1], 16))
    return character if character in UNRESERVED else escaped[0].upper()


def _signed(proof: str) -> tuple[PublicKey, _Claims]:
    try:
        read = said(proof)
        header = read.headers()
        if header.get("typ") != TYPE:
            raise BadToken("proof_malformed")
        key = _key(header.get("jwk"))
        check_signed(read, key)
        claims = read_claims(read.payload, _Claims)
    except NotProved as error:
        raise BadToken(CODES[error.why]) from error
    if not is_id(claims.jti):
        raise BadToken("proof_malformed")
    return key, claims


def _key(jwk: object) -> PublicKey:
    try:
        return public_key(jwk)
    except ValueError as error:
        raise BadToken("proof_key") from error
