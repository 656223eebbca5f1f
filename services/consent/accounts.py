"""The accounts service as consent sees it: told of stops, asked what was opened and who looked."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import httpx
import msgspec

from shared.looks import Looked

STOP_TIMEOUT_S = 2.0
"""Seconds to wait for each step: the citizen looks at the page, and what fails is sent again."""

OPENINGS_WAIT_S = 2.0
"""Seconds to wait for all of a citizen's openings: the rest of their page is shown without them."""

PAGE_OPENINGS = 100
"""Openings in one answer, the most that the service gives."""

UNREADABLE = (ValueError, KeyError, TypeError, msgspec.ValidationError)
"""What an answer of another shape than it should have leads to."""


class NotTold(Exception):
    """The accounts service did not take the stop; it may be sent again."""


class NotAnswered(Exception):
    """The accounts service did not say what was opened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedAccount:
    """An account opened in a citizen's name; `standing` is the accounts service's word for it.

    `account_end` are the number's last digits, None until the bank has said it; `declined_for` is
    the bank's own word for why it did not open it, None unless it declined.
    """

    consent_id: str
    standing: str
    account_end: str | None
    declined_for: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """What somebody tried in a citizen's name and the rules rejected; `at` in UTC.

    `kind` is the fact that says so, `tried_by` such as `clerk:gdv-01`.
    """

    kind: str
    at: datetime
    tried_by: str
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class InAccounts:
    """What accounts has in a citizen's name, oldest first, and who was shown any of it."""

    opened: list[OpenedAccount]
    looks: list[Looked]
    attempts: list[Attempt] = field(default_factory=list)


class Accounts(Protocol):
    """Where stops go and openings come from; the same stop may be sent as often as needed."""

    async def stop(self, token: str) -> int:
        """Hand over a signed stop; returns its position in the accounts log, raises `NotTold`."""

    async def of_citizen(self, citizen_id: str) -> InAccounts:
        """Return what was opened in a citizen's name, and who looked; raises `NotAnswered`."""

    async def close(self) -> None:
        """Let go of connections."""


class HttpAccounts:
    """Calls the accounts service; nobody is there where no address is set."""

    def __init__(
        self, url: str, client: httpx.AsyncClient, access: httpx.Auth | None = None
    ) -> None:
        """`access` says to the accounts service who is calling; without it, nothing is asked."""
        self._url = url.rstrip("/")
        self._client = client
        self._access = access

    async def stop(self, token: str) -> int:
        """Send, or raise `NotTold`."""
        if not self._url:
            raise NotTold("no address is set")
        try:
            answer = await self._client.post(f"{self._url}/stops", json={"stop": token})
            return int(answer.raise_for_status().json()["position"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise NotTold(type(error).__name__) from error

    async def of_citizen(self, citizen_id: str) -> InAccounts:
        """Ask page by page, or raise `NotAnswered`."""
        if not (self._url and self._access):
            raise NotAnswered("no address, or neither client nor token is set")
        try:
            async with asyncio.timeout(OPENINGS_WAIT_S):
                return await self._of_citizen(citizen_id)
        except (*UNREADABLE, httpx.HTTPError, TimeoutError) as error:
            raise NotAnswered(type(error).__name__) from error

    async def _of_citizen(self, citizen_id: str) -> InAccounts:
        opened, after = list[OpenedAccount](), 0
        while True:
            page = await self._page(citizen_id, after)
            opened += [_account(one) for one in page["openings"]]
            if len(page["openings"]) < PAGE_OPENINGS:
                looks = msgspec.convert(page["looks"], list[Looked])
                attempts = msgspec.convert(page.get("attempts", []), list[Attempt])
                return InAccounts(opened, looks, attempts)
            after = page["next"]

    async def _page(self, citizen_id: str, after: int) -> Any:
        answer = await self._client.get(
            f"{self._url}/citizens/{citizen_id}/openings",
            params={"after": after, "limit": PAGE_OPENINGS},
            auth=self._access,
        )
        return answer.raise_for_status().json()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _account(opening: Any) -> OpenedAccount:
    return OpenedAccount(
        consent_id=str(opening["consent_id"]),
        standing=str(opening["standing"]),
        account_end=opening["account_end"],
        declined_for=opening.get("declined_for"),
    )
