"""What all pages for a citizen have in common: templates, headers, languages, times."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import Form, Query
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BeforeValidator

from services.consent.pages.words import WORDS
from shared.clock import VIETNAM
from shared.contracts.reasons import Lang, sentence
from shared.errors import Kind, Rejection
from shared.web import STATUS

HERE = Path(__file__).parent

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " script-src 'self'; connect-src 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""The link is in the address, so the address goes to nobody; no page may frame this one."""

TIME_FORMATS: dict[Lang, str] = {"vi": "%H:%M ngày %d/%m/%Y", "en": "%H:%M on %d %b %Y"}
"""How a time is read in each language; 08/09 alone would be two days to two readers."""


def _known_lang(value: object) -> object:
    return value if value in WORDS else "vi"


TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""One for all pages: a template that several of them have in common is compiled once."""


LangQuery = Annotated[Lang, BeforeValidator(_known_lang), Query()]
LangForm = Annotated[Lang, BeforeValidator(_known_lang), Form()]


class Rendering:
    """Makes pages out of templates; what has pages to show inherits it."""

    def __init__(self, *, sandbox: bool) -> None:
        self._sandbox = sandbox

    def _sorry(self, no: Rejection, lang: Lang, link: str | None) -> Response:
        """Say why not; of a link that we did not make, the same whatever it was.

        `link` is the citizen's page to go back to, None where there is none.
        """
        ours = no.code not in {"not_found", "consent_unknown"}
        code = no.reasons[0].code if ours else "not_found"
        return self._page(
            "sorry.html",
            lang,
            status=STATUS[no.kind],
            link=link if ours else None,
            sentences=[told(reason.code, lang) for reason in no.reasons],
            passkey_needed=any(reason.code == "grade_too_low" for reason in no.reasons),
            both={one: told(code, one) for one in WORDS},
        )

    def _over(self, no: Rejection, lang: Lang) -> Response:
        """Say that a link to an own page is over, or that we could not look."""
        out = no.kind is Kind.UNAVAILABLE
        text = told(no.code, lang) if out else WORDS[lang]["own_over"]
        return self._page("own_over.html", lang, status=STATUS[no.kind], text=text)

    def _page(self, name: str, lang: Lang, *, status: int = 200, **values: Any) -> Response:
        html = TEMPLATES.get_template(name).render(
            **values,
            lang=lang,
            words=WORDS[lang],
            other="en" if lang == "vi" else "vi",
            sandbox=self._sandbox,
        )
        return HTMLResponse(html, status, SECURITY_HEADERS)


def local_time(instant: datetime, lang: Lang) -> str:
    """Return a time in Vietnam as it is read in a language."""
    return instant.astimezone(VIETNAM).strftime(TIME_FORMATS[lang])


def told(code: str, lang: Lang) -> str:
    """Return a reason as the citizen is told it; the shared table speaks to clerks and banks."""
    return WORDS[lang].get(f"no_{code}") or sentence(code, lang)
