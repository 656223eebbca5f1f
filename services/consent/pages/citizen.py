"""The citizen's page: read the notice, press one of two equal buttons, type the code, done.

Every answer to a form is a redirect, so going back or reloading repeats nothing. No address but
the link itself is needed, no cookie is set, and nothing is loaded from elsewhere.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.consent.application import Consents
from services.consent.consents import Challenge, Standing
from services.consent.pages.words import WORDS
from services.consent.views import ConsentView
from shared.clock import VIETNAM
from shared.contracts.consent import Decision
from shared.contracts.reasons import Lang, sentence
from shared.errors import Kind, Rejection, Unavailable
from shared.web import STATUS

HERE = Path(__file__).parent

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""The link is in the address, so the address goes to nobody; no page may frame this one."""

LangQuery = Annotated[Lang, Query()]
LangForm = Annotated[Lang, Form()]


def routes(consents: Consents, *, sandbox: bool) -> APIRouter:
    """Return the pages of a link."""
    router = APIRouter(tags=["citizen"], include_in_schema=False)
    pages = _Pages(consents, sandbox=sandbox)
    router.mount("/static", StaticFiles(directory=HERE / "static"))

    @router.get("/c/{link}")
    async def show(link: str, lang: LangQuery = "vi") -> Response:
        return await pages.show(link, lang)

    @router.post("/c/{link}/code")
    async def ask_code(
        link: str, decision: Annotated[Decision, Form()], lang: LangForm = "vi"
    ) -> Response:
        return await pages.ask_code(link, decision, lang)

    @router.get("/c/{link}/sign/{challenge_id}")
    async def show_sign(link: str, challenge_id: str, lang: LangQuery = "vi") -> Response:
        return await pages.show_sign(link, challenge_id, lang)

    @router.post("/c/{link}/sign/{challenge_id}")
    async def sign(
        link: str,
        challenge_id: str,
        code: Annotated[str, Form(max_length=32)] = "",
        lang: LangForm = "vi",
    ) -> Response:
        return await pages.sign(link, challenge_id, code, lang)

    return router


class _Pages:
    def __init__(self, consents: Consents, *, sandbox: bool) -> None:
        self._consents = consents
        self._sandbox = sandbox
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            undefined=StrictUndefined,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["local"] = _time

    async def show(self, link: str, lang: Lang) -> Response:
        try:
            shown = await self._consents.show(self._consents.consent_id(link), lang)
        except Rejection as no:
            return self._sorry(no, lang)
        return self._page(
            "consent.html",
            lang,
            link=link,
            view=shown.view,
            asked=shown.view.consent.requested,
            names=shown.names,
            paragraphs=_paragraphs(shown.notice.text),
            standing=shown.view.standing,
            happened=_happened(shown.view, WORDS[lang]),
            open=shown.view.standing is Standing.REQUESTED,
            withdrawable=shown.view.standing in {Standing.GIVEN, Standing.REDEEMED},
        )

    async def ask_code(self, link: str, decision: Decision, lang: Lang) -> Response:
        try:
            consent_id = self._consents.consent_id(link)
            challenge_id = await self._consents.ask_signature(consent_id, decision, lang)
        except Rejection as no:
            return self._sorry(no, lang, link)
        return _see(f"/c/{link}/sign/{challenge_id}?lang={lang}")

    async def show_sign(
        self, link: str, challenge_id: str, lang: Lang, error: Rejection | None = None
    ) -> Response:
        try:
            shown = await self._consents.show(self._consents.consent_id(link), lang)
            challenge = _challenge(shown.view, challenge_id)
        except Rejection as no:
            return self._sorry(no, lang, link)
        if challenge.signed:
            return _see(f"/c/{link}?lang={lang}")
        return self._page(
            "sign.html",
            lang,
            status=STATUS[error.kind] if error else 200,
            link=link,
            names=shown.names,
            challenge_id=challenge_id,
            statement=challenge.asked.statement,
            phone_end=shown.phone_end,
            until=_time(challenge.asked.expires_at),
            error=_error(error, lang),
            over=error is not None and error.code != "code_wrong",
        )

    async def sign(self, link: str, challenge_id: str, code: str, lang: Lang) -> Response:
        try:
            await self._consents.sign(self._consents.consent_id(link), challenge_id, code)
        except Unavailable as no:
            return self._sorry(no, lang, link)
        except Rejection as no:
            if no.code.startswith("code_"):
                return await self.show_sign(link, challenge_id, lang, no)
            return self._sorry(no, lang, link)
        return _see(f"/c/{link}?lang={lang}")

    def _sorry(self, no: Rejection, lang: Lang, link: str | None = None) -> Response:
        sentences = [sentence(reason.code, lang) for reason in no.reasons]
        status = STATUS[no.kind]
        if no.kind is Kind.UNKNOWN:
            link = None
        return self._page("sorry.html", lang, status=status, link=link, sentences=sentences)

    def _page(self, name: str, lang: Lang, *, status: int = 200, **values: Any) -> Response:
        html = self._templates.get_template(name).render(
            **values,
            lang=lang,
            words=WORDS[lang],
            other="en" if lang == "vi" else "vi",
            sandbox=self._sandbox,
        )
        return HTMLResponse(html, status, SECURITY_HEADERS)


def _challenge(view: ConsentView, challenge_id: str) -> Challenge:
    challenge = view.consent.challenges.get(challenge_id)
    if challenge is None:
        raise Rejection(Kind.UNKNOWN, "challenge_unknown")
    return challenge


def _paragraphs(text: str) -> list[tuple[str, str]]:
    """Split a notice into `(tag, text)`: `# ` its title, `## ` a heading, the rest paragraphs."""
    marks = {"#": "h1", "##": "h2"}
    lines = [line for line in text.splitlines() if line]
    parted = [(line.split(" ", 1), line) for line in lines]
    return [
        (marks[words[0]], words[1]) if words[0] in marks else ("p", line) for words, line in parted
    ]


def _happened(view: ConsentView, words: dict[str, str]) -> list[tuple[str, str, int]]:
    """List what happened: words, local time, position in the log."""
    placed = sorted(view.places.items(), key=lambda item: item[1].position)
    return [(words[f"did_{name}"], _time(one.recorded_at), one.position) for name, one in placed]


def _time(instant: datetime) -> str:
    return instant.astimezone(VIETNAM).strftime("%H:%M %d/%m/%Y")


def _error(no: Rejection | None, lang: Lang) -> str:
    if no is None:
        return ""
    (reason,) = no.reasons
    text = sentence(reason.code, lang)
    return f"{text} {WORDS[lang]['tries_left']} {reason.detail}." if reason.detail else text


def _see(address: str) -> Response:
    return RedirectResponse(address, 303, SECURITY_HEADERS)
