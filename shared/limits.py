"""What one request may take of a service: how many bytes, how deep, and how long it may take them.

The framework counts a body's bytes, and answers in plain text; here that becomes a problem document
like any other no. It waits for a body for ever; here a body has to come at some speed.
"""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROBLEM = "application/problem+json"

BODY_STARTS_WITHIN_S = 10.0
"""Seconds that a body may take whatever its size."""

BODY_BYTES_PER_S = 1_000
"""And how fast it has to come beside that: slower than any phone network, faster than nobody."""


class Limits:
    """Stands before a service's app, and outside of its framework."""

    def __init__(self, app: ASGIApp, *, too_large: Callable[[], ASGIApp]) -> None:
        """`too_large` makes the answer to a body that is larger than its route takes."""
        self._app, self._too_large = app, too_large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, its body at its pace."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        replaced = False

        async def explained(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and _is_unexplained(message):
                replaced = True
                await self._too_large()(scope, receive, send)
            if not replaced:
                await send(message)

        await self._app(scope, _Paced(receive), explained)


class _Paced:
    """Receives a body as long as it comes at its pace; raises `HTTPException` (408) if not."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._begun = time.monotonic()
        self._bytes = 0
        self._more = True

    async def __call__(self) -> Message:
        if not self._more:  # what comes now is that the client has gone
            return await self._receive()
        due = self._begun + BODY_STARTS_WITHIN_S + self._bytes / BODY_BYTES_PER_S
        try:
            async with asyncio.timeout(due - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from None
        self._bytes += len(message.get("body", b""))
        self._more = message.get("more_body", False)
        return message


def _is_unexplained(message: Message) -> bool:
    too_much = message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return too_much and Headers(raw=message["headers"]).get("content-type") != PROBLEM
