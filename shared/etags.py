"""An answer that is the same as before is not sent again (RFC 9110 sections 8.8.3 and 13.1.2).

The tag is a digest of the answer itself, so it holds whatever the answer is made of: facts, time,
rules. What it saves is the way to the client; whatever is read is read, and recorded.
"""

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DIGITS = 32
"""Hexadecimal digits of a tag: 128 bits, so that two answers never share one."""

OK, NOT_MODIFIED = 200, 304

DROPPED = ("content-length", "content-type")
"""What tells of a body that is not sent."""


class EntityTags:
    """Gives each JSON answer to a `GET` its tag, and 304 to whoever has it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "GET":
            tagged = _Tagged(send, Headers(scope=scope).get("if-none-match", ""))
            await self._app(scope, receive, tagged)
        else:
            await self._app(scope, receive, send)


class _Tagged:
    """Sends an answer with its tag, once it is known whether all of it is there at once."""

    def __init__(self, send: Send, known: str) -> None:
        self._send, self._known = send, known
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_one_document(message):
            self._start = message
            return
        if self._start:
            start, self._start = self._start, None
            message = await self._begin(start, message)
        await self._send(message)

    async def _begin(self, start: Message, body: Message) -> Message:
        """Send the head of the answer; returns what is left to send."""
        headers = MutableHeaders(raw=start["headers"])
        if body.get("more_body"):
            await self._send(start)
            return body
        tag = f'"{hashlib.sha256(body.get("body", b"")).hexdigest()[:DIGITS]}"'
        headers["etag"] = tag
        headers.setdefault("cache-control", "private, no-cache")
        if not _has(self._known, tag):
            await self._send(start)
            return body
        for name in DROPPED:
            del headers[name]
        await self._send({**start, "status": NOT_MODIFIED, "headers": headers.raw})
        return {**body, "body": b""}


def _is_one_document(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_json = headers.get("content-type", "").startswith("application/json")
    return start["status"] == OK and is_json and "etag" not in headers


def _has(known: str, tag: str) -> bool:
    """Tell whether a client names this answer among those that it has; weak tags count too."""
    names = [one.strip().removeprefix("W/") for one in known.split(",")]
    return tag in names or "*" in names
