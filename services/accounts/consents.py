"""The consent service as accounts sees it: its public keys, and the one use of a consent."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx

from services.accounts.batches import Batches, Crowded
from services.accounts.openings import Judge
from shared.contracts.consent import REDEMPTION, ConsentEvent, Receipt, Unreadable, read_receipt
from shared.errors import Reason
from shared.signing import BadToken, TrustedKeys, read_compact

TIMEOUT = httpx.Timeout(2.0, connect=1.0)
"""Seconds to wait for each step of a call: somebody stands at a counter and waits."""

LIMITS = httpx.Limits(max_connections=8, max_keepalive_connections=8)
"""Connections to the consent service, all kept open. The client looks at every connection before
each request: with 32 of them the service opened 40 % fewer accounts a second than with 8."""

AT_ONCE_MAX = 64
"""Redemptions in one call: as many as the consent service takes."""

PATIENCE_S = 0.1
"""Seconds after which a call with redemptions keeps the next one waiting no more. Until then what
comes goes together, and costs a part of what it would alone."""

CALLS_MAX = 8
"""Calls with redemptions at a time at most: as many as there are connections."""

WAIT_S = 2.0
"""Seconds that a redemption may wait for its turn."""

KEYS_FRESH_FOR = timedelta(minutes=5)
"""How long fetched keys are used without asking again."""

KEYS_ASKED_AGAIN_AFTER = timedelta(seconds=2)
"""The shortest time between two fetches: forged key names cannot flood the consent service."""

UNAUTHORISED = frozenset({401, 403})

Came = tuple[int, Any]
"""What came of a redemption: its status, and a receipt or a problem document."""

NO_ANSWER: Came = (503, None)

logger = logging.getLogger(__name__)


class Unreachable(Exception):
    """No answer that could be trusted came in time; it is unknown whether the consent was used."""


class Denied(Exception):
    """The consent service says that the consent cannot be used."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__(*(reason.code for reason in reasons))
        self.reasons = reasons


class Consents(Protocol):
    """What accounts needs of the consent service.

    `redeem` may be repeated: the same opening and command always have the same answer.
    """

    async def keys(self, kid: str) -> TrustedKeys:
        """Return the trusted keys, fetched anew for an unknown `kid`; raises `Unreachable`."""

    async def redeem(self, judged: Judge) -> tuple[Receipt, str]:
        """Use the consent; returns the receipt and its token, raises `Denied` or `Unreachable`."""

    async def validate(self, judged: Judge) -> tuple[Reason, ...]:
        """Return why the consent could not be used now, without using it; raises `Unreachable`."""

    async def close(self) -> None:
        """Let go of connections."""


class HttpConsents:
    """Asks the consent service over HTTP, with every wait bounded."""

    def __init__(
        self, client: httpx.AsyncClient, access: httpx.Auth, now: Callable[[], datetime]
    ) -> None:
        """`access` says to the consent service who is calling."""
        self._client = client
        self._access = access
        self._now = now
        self._keys = TrustedKeys()
        self._fetched_at: datetime | None = None
        self._batches = Batches(
            self._redeem_each,
            size=AT_ONCE_MAX,
            calls=CALLS_MAX,
            patience_s=PATIENCE_S,
            wait_s=WAIT_S,
        )

    async def keys(self, kid: str) -> TrustedKeys:
        """Return the keys; an unknown `kid` makes us look again, but not for ever."""
        age = None if self._fetched_at is None else self._now() - self._fetched_at
        stale = age is None or not timedelta(0) <= age < KEYS_FRESH_FOR
        missing = kid not in self._keys and age is not None and age >= KEYS_ASKED_AGAIN_AFTER
        if stale or missing:
            answer = await self._ask("GET", "/.well-known/jwks.json", auth=None)
            try:
                self._keys = TrustedKeys.from_jwks(answer.json())
            except ValueError as error:
                raise Unreachable("the published keys cannot be read") from error
            self._fetched_at = self._now()
        return self._keys

    async def redeem(self, judged: Judge) -> tuple[Receipt, str]:
        """Use the consent for the judged command, under the opening's id.

        Those that wait go together; each has its own answer, or hears that there was none.
        """
        try:
            status, document = await self._batches.answer(judged)
        except Crowded:
            raise Unreachable("too many wait") from None
        if httpx.codes.is_success(status):
            return await self._receipt(document)
        raise _no(status, document)

    async def validate(self, judged: Judge) -> tuple[Reason, ...]:
        """Ask for the verdict on the use that `redeem` would make."""
        path = f"/consents/{_consent(judged)}/validate"
        answer = await self._ask("POST", path, json=_use(judged), auth=self._access)
        try:
            return tuple(Reason(one["code"]) for one in answer.json()["reasons"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unreachable("the verdict cannot be read") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _redeem_each(self, asked: Sequence[Judge]) -> Sequence[Came]:
        """Return what came of each: alone, or together where the consent service takes that."""
        if len(asked) > 1 and (together := await self._redeem_together(asked)):
            return together
        return await asyncio.gather(*map(self._redeem_alone, asked))

    async def _redeem_together(self, asked: Sequence[Judge]) -> Sequence[Came] | None:
        """Return what came of each; None if the call as a whole was not understood."""
        body = {"redemptions": [{"consent_id": _consent(one), **_use(one)} for one in asked]}
        answer = await self._ask("POST", "/redemptions", json=body, auth=self._access)
        if answer.is_server_error or answer.status_code in UNAUTHORISED:
            raise Unreachable(f"status {answer.status_code}")
        if not answer.is_success:  # a use that cannot be read keeps no other from being read
            return None
        try:
            came = [(int(one["status"]), one) for one in answer.json()["outcomes"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Unreachable("the outcomes cannot be read") from error
        if len(came) != len(asked):
            raise Unreachable("not as many outcomes as were asked for")
        return came

    async def _redeem_alone(self, judged: Judge) -> Came:
        path = f"/consents/{_consent(judged)}/redemptions"
        try:
            answer = await self._ask("POST", path, json=_use(judged), auth=self._access)
        except Unreachable:
            return NO_ANSWER
        return answer.status_code, _document(answer)

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return await self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            logger.warning("consent service: %s %s: %s", method, path, type(error).__name__)
            raise Unreachable(type(error).__name__) from error

    async def _receipt(self, document: Any) -> tuple[Receipt, str]:
        try:
            token = str(document["receipt"])
            read = read_compact(token)
            keys = await self.keys(str(read.headers().get("kid")))
            return read_receipt(keys.check(read, REDEMPTION)), token
        except (KeyError, TypeError, BadToken, Unreadable) as error:
            raise Unreachable("the receipt proves nothing") from error


def _consent(judged: Judge) -> str:
    assert isinstance(judged.evidence, ConsentEvent)  # judging rejects anything else
    return judged.evidence.statement.consent_id


def _use(judged: Judge) -> dict[str, str | None]:
    event, command = judged.evidence, judged.command
    assert isinstance(event, ConsentEvent)
    return {
        "redemption_id": command.opening_id,
        "statement_hash": event.statement_hash,
        "command_hash": judged.command_hash,
        "officer_id": command.officer_id or None,
        "approved_from": judged.sent_from,
    }


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _no(status: int, document: Any) -> Denied | Unreachable:
    """Read a problem document; whatever is not a plain business no counts as no answer."""
    if httpx.codes.is_server_error(status) or status in UNAUTHORISED:
        return Unreachable(f"status {status}")
    try:
        reasons = tuple(Reason(one["code"]) for one in document["reasons"])
    except (KeyError, TypeError):
        reasons = ()
    return Denied(reasons) if reasons else Unreachable(f"status {status}")
