"""Puts the regulator's pages together."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware

from services.audit.bundling import NotBundled
from services.audit.export import BadExport
from services.audit.pages.bundle_pages import BundlePages
from services.audit.pages.case_pages import CasePages
from services.audit.pages.citizen_pages import CitizenPages
from services.audit.pages.front import Front
from services.audit.pages.gating import Grounds
from services.audit.pages.guarding import Guarding
from services.audit.pages.law_pages import LawPages
from services.audit.pages.looking import NotRecorded
from services.audit.pages.parts import Parts
from services.audit.pages.place_pages import PlacePages
from services.audit.pages.rendering import HERE, NotHere, Rendering, lang_of
from services.audit.pages.words import WORDS
from services.audit.reading import Unreadable

NOT_FOUND, CONFLICT, BROKEN, UNAVAILABLE = 404, 409, 500, 503

PAGES = (Front, LawPages, Grounds, CasePages, CitizenPages, PlacePages, BundlePages)


def create_app(parts: Parts) -> FastAPI:
    """Return the pages of an open export, ready to serve."""
    app = FastAPI(title="Thuận audit", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    for pages in PAGES:
        app.include_router(pages(parts).routes())
    app.add_middleware(BaseHTTPMiddleware, dispatch=Guarding(parts))
    _add_sorry(app, Rendering(parts))
    return app


def _add_sorry(app: FastAPI, rendering: Rendering) -> None:
    async def not_here(request: Request, _: Exception) -> Response:
        text = WORDS[lang_of(request)]["not_found"]
        return rendering.sorry(request, text, status=NOT_FOUND)

    async def broken(request: Request, error: Exception) -> Response:
        text = WORDS[lang_of(request)]["bad_export"]
        return rendering.sorry(request, text, status=BROKEN, detail=str(error))

    async def failed(request: Request, _: Exception) -> Response:
        text = WORDS[lang_of(request)]["unexpected"]
        return rendering.sorry(request, text, status=BROKEN)

    async def not_recorded(request: Request, error: Exception) -> Response:
        text = WORDS[lang_of(request)]["not_recorded"]
        return rendering.sorry(request, text, status=UNAVAILABLE, detail=str(error))

    async def not_bundled(request: Request, error: Exception) -> Response:
        text = WORDS[lang_of(request)]["not_bundled"]
        return rendering.sorry(request, text, status=CONFLICT, detail=str(error))

    app.add_exception_handler(NotRecorded, not_recorded)
    app.add_exception_handler(NotBundled, not_bundled)
    app.add_exception_handler(Exception, failed)
    for kind in (NotHere, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, not_here)
    for spoiled in (BadExport, Unreadable):
        app.add_exception_handler(spoiled, broken)
