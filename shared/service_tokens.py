"""How one service calls another: as a client there, by keys of its own, as a bank does.

A token is got ahead of time, by one request for all that wait, and each call is signed. Whatever
goes wrong is an `httpx.HTTPError`: the caller hears that nobody answered, and nothing opens.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import msgspec
from joserfc.jwk import OKPKey
from typing_extensions import override

from shared.clock import Clock
from shared.oauth.asking import proof, token_form
from shared.oauth.assertions import TOKEN_PATH
from shared.oauth.proofs import Asked
from shared.signing import Key, NoKey, Signer, load_keys, renew_keys
from shared.watched import Watched

KEYS = "client-keys"
"""The folder, in a service's own, of the keys by which it says elsewhere who it is."""

ROW = "client.json"
"""The file, in a service's folder, that the other service's operator adds to its clients."""

ASKED_WITHIN = 3.0
"""Seconds to wait for a token: as long as a call may take to connect and be answered."""

RENEWED_BEFORE = timedelta(seconds=60)
"""How long before a token ends the next one is asked for, while calls go on with this one."""

ASKED_AGAIN_AFTER = timedelta(seconds=5)
"""The shortest time between two such requests, should the first fail."""

MARGIN = timedelta(seconds=5)
"""How long before its end a token is not used any more: it has to arrive, too."""

JTI_BYTES = 16

KEY_UNKNOWN = "assertion_key_unknown"
"""What the other says of a key that its operator has not been given yet."""

logger = logging.getLogger(__name__)


class NoAccess(httpx.HTTPError):
    """No access token could be got."""


class Bearer(httpx.Auth):
    """Sends a bearer token; for a sandbox, and for whoever has no client yet."""

    def __init__(self, token: str) -> None:
        self._token = token

    @override
    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


@dataclass(frozen=True, kw_only=True, slots=True)
class Other:
    """Another service: where it answers, and what it is called, which is what we sign for."""

    url: str
    public_url: str = ""

    @property
    def issuer(self) -> str:
        """Return the address that it goes by; the one at which it answers, if not said."""
        return (self.public_url or self.url).rstrip("/")


class _Token(msgspec.Struct):
    """What is read of an answer that gives a token."""

    access_token: str
    token_type: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class _Held:
    """A token, and the time in which we use it."""

    text: str
    since: datetime
    until: datetime

    def counts_at(self, now: datetime) -> bool:
        return self.since <= now < self.until - MARGIN

    def ends_soon_at(self, now: datetime) -> bool:
        return now >= self.until - RENEWED_BEFORE


class Access(httpx.Auth):
    """Adds an access token to each request, and a proof that it is ours."""

    def __init__(
        self, client_id: str, folder: Path, other: Other, http: httpx.AsyncClient, now: Clock
    ) -> None:
        """`folder` is our service's own; `http` also carries the requests for tokens."""
        self._keys = Watched(folder / KEYS, partial(_signers, client_id))
        self._other = other
        self._path = httpx.URL(other.url).raw_path.rstrip(b"/")
        self._http = http
        self._now = now
        self._bound = OKPKey.generate_key(
            "Ed25519"
        )  # no file has it: it lives as long as tokens do
        self._held: _Held | None = None
        self._asking: asyncio.Task[_Held] | None = None
        self._asked_at: datetime | None = None

    @override
    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign a request; once more with another token, if this one does not count there."""
        token = await self._token()
        answer = yield self._signed(request, token)
        if _is_refused(answer):
            if self._held and self._held.text == token:
                self._held = None
            yield self._signed(request, await self._token())

    def _signed(self, request: httpx.Request, token: str) -> httpx.Request:
        path = request.url.raw_path.partition(b"?")[0].removeprefix(self._path).decode("ascii")
        asked = Asked(request.method, self._other.issuer + path, token)
        request.headers["Authorization"] = f"DPoP {token}"
        request.headers["DPoP"] = proof(self._bound, asked, _jti(), self._now())
        return request

    async def _token(self) -> str:
        """Return a token that counts; raises `NoAccess`."""
        now, held = self._now(), self._held
        if held is None or not held.counts_at(now):
            self._renew(now)
            assert self._asking
            return (await asyncio.shield(self._asking)).text
        if held.ends_soon_at(now) and not self._asked_lately(now):
            self._renew(now)
        return held.text

    def _asked_lately(self, now: datetime) -> bool:
        asked_at = self._asked_at
        return asked_at is not None and timedelta(0) <= now - asked_at < ASKED_AGAIN_AFTER

    def _renew(self, now: datetime) -> None:
        """Ask for a token, unless that is under way: one request, for all who wait for it."""
        if self._asking is None or self._asking.done():
            self._asked_at = now
            self._asking = asyncio.create_task(self._renewed())
            self._asking.add_done_callback(_heard)

    async def _renewed(self) -> _Held:
        try:
            async with asyncio.timeout(ASKED_WITHIN):
                self._held = await self._asked()
        except (httpx.HTTPError, NoKey, TimeoutError, ValueError) as error:
            why = str(error) if isinstance(error, NoAccess) else type(error).__name__
            logger.warning("no access token from %s: %s", self._other.issuer, why)
            raise NoAccess(why) from error
        return self._held

    async def _asked(self) -> _Held:
        """Ask by the newest key that the other knows: a new one may not be registered yet."""
        code = "no_key"
        for signer in self._keys.content():
            now = self._now()
            if not signer.keys[0].signs_at(now):
                continue
            answer = await self._request(signer, now)
            if answer.is_success:
                return _held(answer, now)
            code = _code(answer)
            if code != KEY_UNKNOWN:
                break
        raise NoAccess(code)

    async def _request(self, signer: Signer, now: datetime) -> httpx.Response:
        issuer = self._other.issuer
        form = token_form(signer, issuer, _jti(), now)
        asked = Asked("POST", issuer + TOKEN_PATH)
        headers = {"DPoP": proof(self._bound, asked, _jti(), now)}
        address = self._other.url.rstrip("/") + TOKEN_PATH
        return await self._http.request("POST", address, data=form, headers=headers, auth=None)


def create_client(folder: Path, client_id: str, own_id: str, now: Clock) -> None:
    """Make the keys of a service that is another's client, where missing, and its row there."""
    renew_keys(folder / KEYS, now())
    ours = [_public(key) for key in load_keys(folder / KEYS) if key.valid_until > now()]
    row = {"client_id": client_id, "role": "service", "id": own_id, "jwks": {"keys": ours}}
    beside = folder / f"{ROW}.new"
    beside.write_text(json.dumps(row, indent=1) + "\n", encoding="ascii")
    beside.replace(folder / ROW)


def _public(key: Key) -> dict[str, str]:
    members = key.jwk.as_dict(private=False)
    return {**{name: str(members[name]) for name in ("kty", "crv", "x")}, "kid": key.kid}


def _signers(client_id: str, folder: Path) -> list[Signer]:
    """Return who signs by each key of the folder, the newest first."""
    keys = sorted(load_keys(folder), key=lambda key: key.valid_from, reverse=True)
    return [Signer(client_id, [key]) for key in keys]


def _held(answer: httpx.Response, now: datetime) -> _Held:
    given = msgspec.json.decode(answer.content, type=_Token)
    if given.token_type.lower() != "dpop":
        raise ValueError("a token of another kind")
    return _Held(given.access_token, now, now + timedelta(seconds=given.expires_in))


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


def _is_refused(answer: httpx.Response) -> bool:
    """Tell whether an answer says that the token does not count (RFC 6750 section 3.1)."""
    said = answer.headers.get("www-authenticate", "")
    return answer.status_code == httpx.codes.UNAUTHORIZED and 'error="invalid_token"' in said


def _heard(task: asyncio.Task[_Held]) -> None:
    """Hear how it ended, which was written down, also where nobody waits for it."""
    if not task.cancelled():
        task.exception()


def _jti() -> str:
    return secrets.token_urlsafe(JTI_BYTES)
