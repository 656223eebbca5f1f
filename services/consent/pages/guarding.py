"""Sees to it that under a citizen's addresses only pages are met, each with every header.

The framework answers what no route does (404, 405), and bodies that are too large or none (413,
422), for machines: without the headers that keep a link to itself. Here such an answer becomes a
page. What the routes say passes as it is: it has the headers already.
"""

import re
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.consent.pages.rendering import SECURITY_HEADERS, Rendering, told
from services.consent.pages.words import WORDS
from shared.contracts.reasons import Lang
from shared.errors import Rejection

PAGES = re.compile(r"/(?:c|phone|not-me|me|w)(?:/|$)")
"""Where a citizen, and no machine, is the reader."""

LINK = re.compile(r"/c/([^/]+)/")
"""The link in an address below its page, which one can go back to."""

STATIC = "/static/"

FAULT, FAILED, NOT_SERVED = 400, 500, frozenset({404, 405})
"""From which status on an answer says no, or that we failed; and what has no such page."""

POLICY = "Content-Security-Policy"

NOSNIFF = {"X-Content-Type-Options": "nosniff"}


class Guarding(Rendering):
    """Stands before all routes; `own` returns a link's consent, and rejects what is not ours."""

    def __init__(self, app: ASGIApp, *, own: Callable[[str], str], sandbox: bool) -> None:
        super().__init__(sandbox=sandbox)
        self._app, self._own = app, own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever becomes of it."""
        path = scope.get("path", "") if scope["type"] == "http" else ""
        if PAGES.match(path):
            await self._guarded(scope, receive, send)
        elif path.startswith(STATIC):
            await self._app(scope, receive, _unsniffed(send))
        else:
            await self._app(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        replaced = False

        async def pages_only(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start":
                replaced = _is_for_machines(message)
                if replaced:
                    await self._instead(scope, message)(scope, receive, send)
                _add(message, SECURITY_HEADERS)
            if not replaced:
                await send(message)

        await self._app(scope, receive, pages_only)

    def _instead(self, scope: Scope, message: Message) -> Response:
        """Return the page in place of a machine's answer, with the methods that are allowed."""
        page = self._say(scope, message["status"])
        allow = Headers(raw=message["headers"]).get("allow")
        if allow:
            page.headers["Allow"] = allow
        return page

    def _say(self, scope: Scope, status: int) -> Response:
        link, lang = self._link(scope["path"]), _lang(scope)
        code = _code(status, linked=link is not None)
        return self._page(
            "sorry.html",
            lang,
            status=status,
            link=link,
            sentences=[told(code, lang)],
            passkey_needed=False,
            both={one: told(code, one) for one in WORDS},
        )

    def _link(self, path: str) -> str | None:
        """Return the link that an address is below, if we made it."""
        found = LINK.match(path)
        try:
            return found[1] if found and self._own(found[1]) else None
        except Rejection:
            return None


def _is_for_machines(message: Message) -> bool:
    """Tell whether the framework says no by itself: what our routes say has the headers."""
    return message["status"] >= FAULT and POLICY not in Headers(raw=message["headers"])


def _code(status: int, *, linked: bool) -> str:
    if status >= FAILED:
        return "failed"
    if status in NOT_SERVED:
        return "page_unknown" if linked else "not_found"
    return "malformed"


def _lang(scope: Scope) -> Lang:
    (asked, *_) = parse_qs(scope["query_string"].decode("latin-1")).get("lang", ["vi"])
    return cast("Lang", asked) if asked in WORDS else "vi"


def _unsniffed(send: Send) -> Send:
    """Return a way to send files that a browser takes for what we say they are."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            _add(message, NOSNIFF)
        await send(message)

    return sent


def _add(message: Message, more: Mapping[str, str]) -> None:
    """Add the headers that an answer does not have yet."""
    headers = MutableHeaders(raw=message["headers"])
    for name, value in more.items():
        headers.setdefault(name, value)
