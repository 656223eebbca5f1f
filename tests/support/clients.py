"""A client as a bank would write it: it signs assertions and proofs with keys of its own."""

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from http_message_signatures import ContentDigest, HTTPMessageSigner, HTTPSignatureKeyResolver
from http_message_signatures.algorithms import ECDSA_P256_SHA256, ED25519
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey
from joserfc.registry import Header
from typing_extensions import override

from shared.oauth.assertions import ASSERTION_TYPE

SigningKey = ECKey | OKPKey


COVERED = ("@method", "@target-uri", "content-digest", "content-type")


@dataclass
class Signable:
    """A request as the library signs it."""

    method: str
    url: str
    headers: dict[str, str]


class _Own(HTTPSignatureKeyResolver):
    def __init__(self, key: SigningKey) -> None:
        self.key = key

    @override
    def resolve_private_key(self, key_id: str) -> Any:
        return self.key.private_key

    @override
    def resolve_public_key(self, key_id: str) -> Any:
        return self.key.public_key


def register(file: Path, *rows: dict[str, Any]) -> None:
    """Put the file of clients in the place of the one before, as an operator should."""
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(rows))
    beside.replace(file)


class _Careless(jws.JWSRegistry):
    """Signs under any header."""

    @override
    def check_header(self, header: Header) -> None:
        pass


def signed(header: dict[str, Any], claims: object, key: Any) -> str:
    """Return a compact JWS of whatever header, also of one that nobody should accept."""
    registry = _Careless(algorithms=[header["alg"]])
    return jws.serialize_compact(header, json.dumps(claims).encode(), key, registry=registry)


def unsigned(header: dict[str, Any], claims: object) -> str:
    """Return a compact JWS with an empty signature."""
    parts = [json.dumps(part).encode() for part in (header, claims)]
    return ".".join([*(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts), ""])


def algorithm(key: SigningKey) -> str:
    """Return what a key signs with."""
    return "ES256" if isinstance(key, ECKey) else "Ed25519"


@dataclass
class BankClient:
    """A client of a bank: whom it acts for, its key, and the key that its tokens are bound to."""

    client_id: str = "so-viet-1"
    bank_id: str = "so-viet"
    key: SigningKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    bound: SigningKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519"))

    def row(self, *keys: SigningKey) -> dict[str, Any]:
        """Return what the operator writes of it in the file of clients."""
        jwks = {"keys": [one.as_dict(private=False) for one in (self.key, *keys)]}
        return {"client_id": self.client_id, "role": "bank", "id": self.bank_id, "jwks": jwks}

    def assertion(self, audience: Any, now: datetime, **changes: Any) -> str:
        """Return an assertion; `changes` are claims that differ, `header` a header that does."""
        header = {"alg": algorithm(self.key), "typ": "JWT", "kid": self.key.thumbprint()}
        header |= changes.pop("header", {})
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "exp": now.timestamp() + 60,
            "jti": secrets.token_urlsafe(),
        }
        return signed(header, claims | changes, self.key)

    def proof(
        self, method: str, address: str, now: datetime, token: str | None = None, **changes: Any
    ) -> str:
        """Return a proof for one request; `changes` are claims that differ."""
        public = self.bound.as_dict(private=False)
        header = {"alg": algorithm(self.bound), "typ": "dpop+jwt", "jwk": public}
        header |= changes.pop("header", {})
        claims = {
            "htm": method,
            "htu": address,
            "iat": int(now.timestamp()),
            "jti": secrets.token_urlsafe(),
        }
        if token is not None:
            digest = hashlib.sha256(token.encode()).digest()
            claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return signed(header, claims | changes, self.bound)

    def sign(
        self,
        method: str,
        address: str,
        body: bytes,
        now: datetime,
        covered: Sequence[str] = COVERED,
        **changes: Any,
    ) -> dict[str, str]:
        """Return the header fields of a request signed whole, by the library alone.

        `changes` are parameters that differ, such as `nonce`, or other `headers`.
        """
        message = Signable(method, address, {"Content-Type": "application/json"})
        message.headers |= changes.pop("headers", {})
        signer = HTTPMessageSigner(
            signature_algorithm=ECDSA_P256_SHA256 if isinstance(self.key, ECKey) else ED25519,
            key_resolver=_Own(self.key),
        )
        said = {"key_id": self.key.thumbprint(), "created": now, "label": "bank", **changes}
        said["use_existing_digest"] = "Content-Digest" in message.headers
        if not said["use_existing_digest"] and "content-digest" in covered:
            message.headers["Content-Digest"] = ContentDigest.create(body)
            said["use_existing_digest"] = True
        signer.sign(message, covered_component_ids=covered, **said)
        return message.headers

    def form(self, issuer: str, now: datetime) -> dict[str, str]:
        """Return the form that asks for a token."""
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(issuer, now),
        }
