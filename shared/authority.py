"""Gives a service's own access tokens to clients that prove who they are, and takes them back.

Here the rules of `shared/oauth/` meet what they need: the file of clients, the keys, the memory of
what was shown. Each service is its own authority; a token of one is nothing to the other.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, cast

from fastapi import Request
from typing_extensions import override

from shared.clock import Clock
from shared.errors import Kind, Rejection
from shared.message_signatures.messages import Request as Message
from shared.message_signatures.requests import (
    BadSignature,
    SignedRequest,
    fields_of,
    read_signed,
)
from shared.oauth.access import Granted, access_token, check_access, introspected
from shared.oauth.assertions import TOKEN_PATH, check_assertion
from shared.oauth.certificates import certificate_thumbprint
from shared.oauth.clients import Client, Clients, clients
from shared.oauth.once import Once
from shared.oauth.proofs import Asked, check_proof
from shared.oauth.scopes import Scope, chosen
from shared.proxies import CERTIFICATE
from shared.rates import Rates
from shared.seen_once import SeenOnce, Shown, create_seen_once
from shared.signing import (
    TOKEN_CHARACTERS_MAX,
    BadToken,
    Signer,
    TrustedKeys,
    load_keys,
    renew_keys,
)
from shared.watched import Watched
from shared.web import Caller, Prover, Role, address_of

KEYS = "token-keys"
"""The folder, in a service's own, of the keys that sign its access tokens and nothing else."""

JTI_BYTES = 16

TOKENS_PER_MINUTE = 600
"""Of one client, which needs one in ten minutes: each assertion waits for the disk, and whatever
the others show waits behind it."""

TOKENS_KEPT = 1_024
"""Tokens whose signature was good, which it stays. What else is checked is at every request."""


class KnownTokens(TrustedKeys):
    """Checks the signature of a token once: the same one comes with every request."""

    @override
    def verify(self, token: str, typ: str, *, characters_max: int = TOKEN_CHARACTERS_MAX) -> bytes:
        return self._verified(token, typ, characters_max=characters_max)

    @cached_property
    def _verified(self) -> Callable[..., bytes]:
        return lru_cache(TOKENS_KEPT)(super().verify)


class _Keys:
    """The keys of a folder, to sign with and to check with."""

    def __init__(self, issuer: str, folder: Path) -> None:
        keys = load_keys(folder)
        self.signer, self.trusted = Signer(issuer, keys), KnownTokens(keys)


class Authority(Prover):
    """Grants access tokens, and tells whom a request with one is from."""

    def __init__(
        self,
        issuer: str,
        folder: Path,
        file: Path | None,
        now: Clock,
        *,
        certificates: bool = False,
    ) -> None:
        """`issuer` is the address at which clients reach the service; `file` has the clients.

        With `certificates` a token may be bound to one that a proxy hands over (RFC 8705).
        """
        self.certificates = certificates
        self.issuer = issuer.rstrip("/")
        self._keys = Watched(folder / KEYS, partial(_Keys, self.issuer))
        self._clients = Watched(file, _read_clients) if file else None
        self._seen = SeenOnce(folder)
        self._rates = Rates(TOKENS_PER_MINUTE)
        self._now = now

    async def grant(
        self,
        assertion: str,
        proofs: Sequence[str],
        scope: str,
        certificate: str | None = None,
        *,
        client_id: str = "",
    ) -> tuple[str, Granted]:
        """Return an access token, and for whom it is; raises `Rejection`, `NoKey`, `Limited`.

        `proofs` are all `DPoP` headers of the request, `scope` what was asked for, or nothing. Only
        without a proof is the token bound to the `certificate` that a proxy handed over. Whoever
        says a `client_id`, too, says the same as the assertion (RFC 7521 section 4.2).
        """
        now, asked = self._now(), Asked("POST", self.issuer + TOKEN_PATH)
        audiences = (self.issuer, asked.address)
        try:
            client, first = check_assertion(assertion, self._known(), audiences, now)
            if client_id not in {"", client.client_id}:
                raise BadToken("client_differs")  # noqa: TRY301 - it joins the others
            scopes = chosen(scope, client.scopes)
            if certificate and self.certificates and not proofs:
                granted, second = _bound(client, scopes, certificate), None
            else:
                jkt, second = check_proof(proofs, asked, now)
                granted = Granted(client, jkt, scopes)
        except BadToken as error:
            raise _rejected(error.code) from error
        self._rates.take(client.client_id)
        # Shown again with a thief's key it would get a token: no power cut may forget it.
        await self._once(first, "assertion_replayed", client.client_id, lasting=True)
        if second:
            await self._once(second, "proof_replayed", client.client_id)
        signer = self._keys.content().signer
        return access_token(granted, signer, secrets.token_urlsafe(JTI_BYTES), now), granted

    @override
    async def caller(self, request: Request) -> Caller:
        """Return whom a request is from by its token, and a proof or a certificate.

        Each token in its own scheme: `DPoP`, or `Bearer` if it is bound to a certificate. Raises
        `Rejection`.
        """
        token = _token(request)
        if request.headers["authorization"].partition(" ")[0].lower() != "dpop":
            return self._by_certificate(request, token)
        asked = Asked(request.method, address_of(request, self.issuer), token)
        now = self._now()
        try:
            trusted = self._keys.content().trusted
            granted = check_access(token, self.issuer, trusted, self._known(), now)
            if not granted.jkt:
                raise BadToken("access_binding")  # noqa: TRY301 - it joins the others
            jkt, once = check_proof(request.headers.getlist("dpop"), asked, now)
        except BadToken as error:
            raise _rejected(error.code) from error
        if jkt != granted.jkt:
            raise Rejection(Kind.UNAUTHENTICATED, "access_key_differs")
        await self._once(once, "proof_replayed", granted.client.client_id)
        return _caller(request, granted)

    def _by_certificate(self, request: Request, token: str) -> Caller:
        """Return whom a request is from by the certificate that its token is bound to."""
        trusted = self._keys.content().trusted
        certificate: str | None = request.scope.get(CERTIFICATE)
        if certificate is None or not self.certificates:
            raise Rejection(Kind.UNAUTHENTICATED, "unauthenticated")
        try:
            granted = check_access(token, self.issuer, trusted, self._known(), self._now())
            x5t = certificate_thumbprint(certificate)
        except BadToken as error:
            raise _rejected(error.code) from error
        if not granted.x5t:
            raise _rejected("access_binding")
        if granted.x5t != x5t:
            raise _rejected("certificate_differs")
        return _caller(request, granted)

    @override
    def signed(self, request: Request, body: bytes) -> SignedRequest | None:
        """Return a request as its caller signed it; raises `Rejection`.

        None from whoever has no keys here: a bearer token's holder signs nothing.
        """
        client: Client | None = getattr(request.state, "client", None)
        if client is None:
            return None
        try:
            message = Message(
                request.method, address_of(request, self.issuer), fields_of(_fields(request))
            )
            return read_signed(message, body, client.by_thumbprint, self._now())
        except BadSignature as error:
            raise _rejected(error.code) from error

    @override
    def counts(self, request: Request) -> bool:
        """Tell whether a request's token counts now: not too old, its client not struck off.

        And good for no less than it was when the request came.
        """
        trusted, caller = self._keys.content().trusted, cast("Caller", request.state.caller)
        try:
            now = check_access(_token(request), self.issuer, trusted, self._known(), self._now())
        except BadToken:
            return False
        return caller.scopes <= now.scopes

    def introspect(self, token: str) -> dict[str, Any]:
        """Return what a token of ours is good for now (RFC 7662); of any other only `active`."""
        trusted = self._keys.content().trusted
        return introspected(token, self.issuer, trusted, self._known(), self._now())

    def _known(self) -> Clients:
        return self._clients.content() if self._clients else {}

    def close(self) -> None:
        """Close what is open."""
        self._seen.close()

    async def _once(self, once: Once, code: str, client_id: str, *, lasting: bool = False) -> None:
        """Remember something that a client showed; raises `Rejection` if it did so before."""
        shown = Shown(once, client_id, int(self._now().timestamp()), lasting)
        if not await self._seen.is_first(shown):
            raise _rejected(code)


def create_authority(folder: Path, now: Clock) -> None:
    """Make what an authority needs in a service's folder, where missing; renew its keys."""
    create_seen_once(folder)
    renew_keys(folder / KEYS, now())


def _read_clients(file: Path) -> Clients:
    """Read the file of clients; raises `ValueError` for anything else, a role we lack included."""
    found = clients(json.loads(file.read_bytes()))
    for one in found.values():
        Role(one.role)
    return found


def _fields(request: Request) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), one.decode("latin-1")) for name, one in request.headers.raw]


def _token(request: Request) -> str:
    return request.headers["authorization"].partition(" ")[2].strip()


def _bound(client: Client, scopes: frozenset[Scope], certificate: str) -> Granted:
    return Granted(client, "", scopes, certificate_thumbprint(certificate))


def _caller(request: Request, granted: Granted) -> Caller:
    """Return whom a token stands for, and leave the client there: its keys check what it signs."""
    request.state.client = granted.client
    return Caller(Role(granted.client.role), granted.client.id, granted.scopes)


def _rejected(code: str) -> Rejection:
    return Rejection(Kind.UNAUTHENTICATED, code)
