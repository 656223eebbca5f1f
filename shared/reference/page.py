"""`GET /docs`: all that a service can be asked, on a page that fetches nothing elsewhere."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.reference.reading import read

HERE = Path(__file__).parent

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def routes(document: Callable[[], dict[str, Any]]) -> APIRouter:
    """Return the routes; `document` gives the service's own."""
    router = APIRouter(include_in_schema=False)

    @cache
    def page() -> str:
        return _TEMPLATES.get_template("reference.html").render(api=read(document()))

    @router.get("/docs", response_class=HTMLResponse)
    async def reference() -> HTMLResponse:
        """Give the page; it needs no token, since it says nothing of anybody."""
        return HTMLResponse(page(), headers=HEADERS)

    @router.get("/docs/reference.css")
    async def style() -> FileResponse:
        """Give the page's own style."""
        return FileResponse(HERE / "reference.css", headers=HEADERS)

    return router


_TEMPLATES = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
