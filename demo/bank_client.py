"""How a bank calls: one class that every httpx client takes, as `docs/bank-api.md` explains it.

It needs httpx, joserfc and http-message-signatures, and nothing of this project: take it with you.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver
from http_message_signatures.algorithms import ECDSA_P256_SHA256
from joserfc import jws
from joserfc.jwk import ECKey
from typing_extensions import override

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

COVERED = ("@method", "@target-uri", "content-digest", "content-type")
"""What a signature covers of a request: enough that it can be no other."""

EARLY_S = 30
"""Seconds before its end at which a token is renewed."""


class NoToken(Exception):
    """The service gives no token, and says why."""


class BankAuth(httpx.Auth):
    """Gets a token when one is needed, proves each request (DPoP), signs whatever has a body."""

    requires_request_body = True

    def __init__(
        self, service: str, client_id: str, key: ECKey, now: Callable[[], float] = time.time
    ) -> None:
        """`service` is the address of one service; each gives tokens of its own.

        `now` is in seconds since 1970: another than the machine's where a sandbox's was moved.
        """
        self._now = now
        self._service, self._client_id, self._key = service, client_id, key
        self._token, self._ends = "", 0.0
        self._signer = HTTPMessageSigner(
            signature_algorithm=ECDSA_P256_SHA256, key_resolver=_Own(key)
        )

    @override
    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send a request as the bank's, behind one for a token if there is none that counts."""
        if self._now() > self._ends - EARLY_S:
            answer = yield self._for_token()
            told = json.loads(await answer.aread())
            if answer.is_error:
                raise NoToken(f"{told.get('code')}: {told.get('error_description')}")
            self._token, self._ends = told["access_token"], self._now() + told["expires_in"]
        await request.aread()
        self._sign(request)
        yield request

    def _for_token(self) -> httpx.Request:
        address, now = f"{self._service}/oauth/token", int(self._now())
        claims = {"iss": self._client_id, "sub": self._client_id, "aud": self._service}
        header = {"typ": "JWT", "kid": self._key.thumbprint()}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": BEARER,
            "client_assertion": self._jws(header, {**claims, "exp": now + 60}),
        }
        return httpx.Request(
            "POST", address, data=form, headers={"DPoP": self._proof("POST", address)}
        )

    def _sign(self, request: httpx.Request) -> None:
        address = str(request.url.copy_with(query=None))
        ath = _base64(hashlib.sha256(self._token.encode()).digest())
        request.headers["Authorization"] = f"DPoP {self._token}"
        request.headers["DPoP"] = self._proof(request.method, address, ath=ath)
        if request.content:
            self._signer.sign(
                request,
                key_id=self._key.thumbprint(),
                created=datetime.fromtimestamp(self._now(), UTC),
                covered_component_ids=COVERED,
                body=request.content,
            )

    def _proof(self, method: str, address: str, **more: str) -> str:
        header = {"typ": "dpop+jwt", "jwk": self._key.as_dict(private=False)}
        return self._jws(header, {"htm": method, "htu": address, "iat": int(self._now()), **more})

    def _jws(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        claims = {"jti": secrets.token_urlsafe(), **claims}  # fresh each time: none is taken twice
        return jws.serialize_compact({"alg": "ES256", **header}, json.dumps(claims), self._key)


class _Own(HTTPSignatureKeyResolver):
    """Gives the bank's own key to whatever signs."""

    def __init__(self, key: ECKey) -> None:
        self._key = key

    @override
    def resolve_private_key(self, key_id: str) -> Any:
        return self._key.private_key

    @override
    def resolve_public_key(self, key_id: str) -> Any:
        return self._key.public_key


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
