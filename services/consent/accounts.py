"""The accounts service as consent sees it: the one thing that it must be told, a stop."""

from typing import Protocol

import httpx

STOP_TIMEOUT_S = 2.0
"""Seconds to wait for each step: the citizen looks at the page, and what fails is sent again."""


class NotTold(Exception):
    """The accounts service did not take the stop; it may be sent again."""


class Accounts(Protocol):
    """Where stops go; the same stop may be sent as often as needed."""

    async def stop(self, token: str) -> int:
        """Hand over a signed stop; returns its position in the accounts log, raises `NotTold`."""

    async def close(self) -> None:
        """Let go of connections."""


class HttpAccounts:
    """Posts stops to the accounts service; nobody is there where no address is set."""

    def __init__(self, url: str, client: httpx.AsyncClient | None = None) -> None:
        self._url = url.rstrip("/")
        self._client = client or httpx.AsyncClient(timeout=STOP_TIMEOUT_S)

    async def stop(self, token: str) -> int:
        """Send, or raise `NotTold`."""
        if not self._url:
            raise NotTold("no address is set")
        try:
            answer = await self._client.post(f"{self._url}/stops", json={"stop": token})
            return int(answer.raise_for_status().json()["position"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise NotTold(type(error).__name__) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
