"""Messages to the citizen's phone: one port, a gateway over HTTP, an outbox for development."""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import httpx

SEND_TIMEOUT_S = 5.0
"""Seconds to wait for the gateway: the citizen is looking at the page."""

OUTBOX_MESSAGES_MAX = 200
"""Messages that the development outbox remembers."""


class NotSent(Exception):
    """The gateway did not take the message; it may be sent again."""


class SmsGateway(Protocol):
    """Hands a message to a phone network.

    Returns once the gateway has taken it, raises `NotSent` otherwise; keeps no copy in any log.
    """

    async def send(self, phone: str, text: str) -> None:
        """Send a text to a phone number in E.164 form."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message in the outbox."""

    phone: str
    text: str


class Outbox:
    """Keeps messages in memory, to be read at `/sandbox/outbox`; for development only."""

    def __init__(self) -> None:
        self.messages: deque[Message] = deque(maxlen=OUTBOX_MESSAGES_MAX)

    async def send(self, phone: str, text: str) -> None:
        """Keep the message."""
        self.messages.append(Message(phone, text))

    async def close(self) -> None:
        """Nothing is held."""


class HttpGateway:
    """Posts `{"to": …, "text": …}` to an operator's gateway."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=SEND_TIMEOUT_S)

    async def send(self, phone: str, text: str) -> None:
        """Send, or raise `NotSent`."""
        try:
            answer = await self._client.post(self._url, json={"to": phone, "text": text})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise NotSent(type(error).__name__) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
