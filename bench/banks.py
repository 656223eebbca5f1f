"""A bank with keys of its own, as cheap as can be beside the servers that it measures.

It does what docs/bank-api.md says of a client: a token, a proof for each request (RFC 9449), and a
signature over each body (RFC 9421). The signatures are Ed25519, straight from the library.
"""

import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from shared.clock import system_clock
from shared.message_signatures.messages import Component, content_digest, signed_fields
from shared.oauth.asking import proof, token_form
from shared.oauth.assertions import TOKEN_PATH
from shared.oauth.proofs import Asked, token_hash
from shared.signing import KEY_VALIDITY, Key, Signer

JSON = "application/json"


@dataclass
class Bank:
    """A bank's client: whom it acts for, and its key, to which its tokens are bound as well."""

    bank_id: str
    client_id: str = "bench"
    key: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519"))

    def __post_init__(self) -> None:
        """Make ready what is the same in every request."""
        private = self.key.private_key
        assert isinstance(private, Ed25519PrivateKey)
        self._sign = private.sign
        self._kid = self.key.thumbprint()
        header = {"alg": "Ed25519", "typ": "dpop+jwt", "jwk": self.key.as_dict(private=False)}
        self._header = _base64url(json.dumps(header).encode())

    def row(self) -> dict[str, Any]:
        """Return what the operator writes of it in the file of clients."""
        jwks = {"keys": [self.key.as_dict(private=False)]}
        return {"client_id": self.client_id, "role": "bank", "id": self.bank_id, "jwks": jwks}

    def token(self, port: int, issuer: str) -> str:
        """Return an access token of a service on loopback that goes by the name of `issuer`."""
        now = system_clock()
        signer = Signer(self.client_id, [Key(self.key, now, now + KEY_VALIDITY)])
        asked = Asked("POST", issuer + TOKEN_PATH)
        answer = httpx.post(
            f"http://127.0.0.1:{port}{TOKEN_PATH}",
            data=token_form(signer, issuer, secrets.token_hex(16), now),
            headers={"DPoP": proof(self.key, asked, secrets.token_hex(16), now)},
        )
        return str(answer.raise_for_status().json()["access_token"])

    def command(self, issuer: str, token: str, body: Any) -> bytes:
        """Return the bytes of a `PUT` of a new opening: proved, signed, good for a minute."""
        path, content = f"/openings/{secrets.token_hex(16)}", json.dumps(body).encode()
        at, address = int(system_clock().timestamp()), issuer + path
        fields = {
            "Host": issuer.partition("//")[2],
            "Content-Type": JSON,
            "Content-Length": str(len(content)),
            "Authorization": f"DPoP {token}",
            "DPoP": self._proof("PUT", address, token, at),
            **self._signature("PUT", address, content, at),
        }
        lines = [f"PUT {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + content

    def _proof(self, method: str, address: str, token: str, at: int) -> str:
        claims = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": address,
            "iat": at,
            "ath": token_hash(token),
        }
        signed = f"{self._header}.{_base64url(json.dumps(claims).encode())}"
        return f"{signed}.{_base64url(self._sign(signed.encode()))}"

    def _signature(self, method: str, address: str, content: bytes, at: int) -> dict[str, str]:
        digest = content_digest(content)
        components = [
            Component("@method", "", method),
            Component("@target-uri", "", address),
            Component("content-digest", "", digest),
            Component("content-type", "", JSON),
        ]
        said = f';created={at};keyid="{self._kid}"'
        return {"content-digest": digest, **signed_fields("bank", components, said, self._sign)}


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
