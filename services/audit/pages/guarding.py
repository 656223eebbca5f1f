"""Stands before all pages: only this machine's own browser is answered, and only with pages.

A page elsewhere could make the browser ask here, under a name that leads to loopback (DNS
rebinding) or with a form of its own: so the host must be loopback by name, and what a form sends
must come from here.
"""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from services.audit.pages.rendering import SECURITY_HEADERS, Rendering, lang_of
from services.audit.pages.words import WORDS

FORBIDDEN = 403


class Guarding(Rendering):
    """The guard; it is a middleware."""

    async def __call__(
        self, request: Request, following: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Answer a request, or let it through; whatever comes back has every header."""
        if not _is_own(request):
            text = WORDS[lang_of(request)]["foreign"]
            return self.sorry(request, text, status=FORBIDDEN)
        answer = await following(request)
        for name, value in SECURITY_HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer


def _is_own(request: Request) -> bool:
    """Tell whether a request is for loopback, and a form's from one of these pages."""
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    own_form = request.method in {"GET", "HEAD"} or origin in {None, f"http://{host}"}
    return _is_loopback(host) and own_form


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
