"""What a problem's `type` leads to (RFC 9457 section 3.1.1): its code, in words, for two readers.

A program gets JSON; a browser, which asks for HTML first, gets a page. Both are for everybody: a
code says nothing of anybody.
"""

from html import escape

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from shared.contracts.reasons import REASONS
from shared.errors import Kind, Rejection

PATH = "/problems"

HEADERS = {
    "Cache-Control": "public, max-age=86400",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}

PAGE = """<!doctype html>
<html lang="vi">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{code} – Thuận</title>
<main>
<h1>{code}</h1>
<p>{vi}</p>
<p lang="en">{en}</p>
</main>
</html>
"""


def problem_type(public_url: str, code: str) -> str:
    """Return the address that names a code, at the service that says it."""
    return f"{public_url}{PATH}/{code}"


def routes(public_url: str) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["problems"])

    @router.get(PATH + "/{code}")
    async def problem(code: str, request: Request) -> Response:
        """Give what a code says, in English and Vietnamese: JSON, or a page to who asks for it.

        The status is in the problem itself: the same code may be a rejection or a conflict.
        """
        sentences = REASONS.get(code)
        if sentences is None:
            raise Rejection(Kind.UNKNOWN, "not_found")
        if "text/html" in request.headers.get("accept", ""):
            said = {"code": code, "vi": sentences.vi, "en": sentences.en}
            page = PAGE.format_map({name: escape(text) for name, text in said.items()})
            return HTMLResponse(page, headers=HEADERS)
        address = problem_type(public_url, code)
        body = {"type": address, "code": code, "title": sentences.en, "title_vi": sentences.vi}
        return JSONResponse(body, headers=HEADERS)

    return router
