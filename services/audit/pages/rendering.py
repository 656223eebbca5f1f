"""What all of the regulator's pages have in common: templates, headers, languages, times."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.audit.pages.fact_words import fact_word
from services.audit.pages.parts import Parts
from services.audit.pages.words import WORDS
from shared.clock import VIETNAM
from shared.contracts.reasons import REASONS, Lang, sentence

HERE = Path(__file__).parent

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " script-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Addresses have ids in them, so they go to nobody else; a form says where it was sent from."""

TIME_FORMATS: dict[Lang, str] = {"vi": "%H:%M:%S ngày %d/%m/%Y", "en": "%H:%M:%S on %d %b %Y"}
DAY_FORMATS: dict[Lang, str] = {"vi": "%d/%m/%Y", "en": "%d %b %Y"}
"""How a time and a day are read in each language."""

ID_SHOWN = 8
"""Of a long random id, as many letters tell it from the others on a page."""


class NotHere(Exception):
    """There is no such page in this export."""


def lang_of(request: Request) -> Lang:
    """Return the language that the address names, else the browser's, else Vietnamese."""
    asked = request.query_params.get("lang")
    if asked in {"vi", "en"}:
        return cast("Lang", asked)
    wanted = request.headers.get("accept-language", "").lower().split(",")
    known = [one.strip()[:2] for one in wanted]
    return next((one for lang in known for one in WORDS if one == lang), "vi")


def local_time(instant: datetime, lang: Lang) -> str:
    """Return a time in Vietnam as it is read in a language."""
    return instant.astimezone(VIETNAM).strftime(TIME_FORMATS[lang])


def local_day(instant: datetime, lang: Lang) -> str:
    """Return a day in Vietnam as it is read in a language."""
    return instant.astimezone(VIETNAM).strftime(DAY_FORMATS[lang])


def number(value: int, lang: Lang) -> str:
    """Return a number with its thousands apart."""
    return f"{value:,}".replace(",", "." if lang == "vi" else ",")


def short(own_id: str) -> str:
    """Return the beginning of a long id."""
    return own_id if len(own_id) <= 2 * ID_SHOWN else f"{own_id[:ID_SHOWN]}…"


def reason(code: str, lang: Lang) -> str:
    """Return the sentence of a reason; the code, if it is of a later program or a bank's own."""
    return sentence(code, lang) if code in REASONS else code


def address(lang: Lang, *parts: object, **query: object) -> str:
    """Return an address on these pages, in a language."""
    path = "/".join(quote(str(one), safe="") for one in parts)
    said = {name: one for name, one in query.items() if one is not None}
    return f"/{path}?{urlencode({**said, 'lang': lang})}"


class Rendering:
    """Makes pages out of templates."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            undefined=StrictUndefined,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["short"] = short

    def page(self, request: Request, name: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page in the language that the request asks for."""
        lang = lang_of(request)
        html = self._templates.get_template(name).render(
            lang=lang,
            words=WORDS[lang],
            switched=_switched(request, "en" if lang == "vi" else "vi"),
            other="en" if lang == "vi" else "vi",
            local=not self._parts.looking.online,
            looks_file=self._parts.looking.file,
            typed=request.query_params.get("q", ""),
            **_said_in(lang),
            **values,
        )
        return HTMLResponse(html, status, SECURITY_HEADERS)

    def sorry(self, request: Request, text: str, *, status: int, detail: str = "") -> Response:
        """Return a page that says why there is no other."""
        return self.page(request, "sorry.html", status=status, here="", text=text, detail=detail)


def _said_in(lang: Lang) -> Mapping[str, Any]:
    """Return what templates call to say something in a language."""
    return {
        "url": lambda *parts, **query: address(lang, *parts, **query),
        "time": lambda instant: local_time(instant, lang),
        "day": lambda instant: local_day(instant, lang),
        "short_day": lambda day: day.strftime(DAY_FORMATS[lang]),
        "number": lambda value: number(value, lang),
        "fact_word": lambda kind: fact_word(kind, lang),
        "reason": lambda code: reason(code, lang),
    }


def _switched(request: Request, other: str) -> str:
    """Return the address of the same page in the other language."""
    query = [(name, one) for name, one in request.query_params.multi_items() if name != "lang"]
    return f"{request.url.path}?{urlencode([*query, ('lang', other)])}"
