"""The page that a warned phone opens: what was asked, by whom, and one button that stops it.

Opening it changes nothing, so whatever previews a message's links stops nothing. It needs no code:
whoever got the message holds the phone that is to be kept.
"""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from services.consent.application.enrolling import Enrolling, ShownChange
from services.consent.pages.rendering import (
    SECURITY_HEADERS,
    LangForm,
    LangQuery,
    Rendering,
    local_time,
)
from services.consent.pages.words import WORDS
from shared.contracts.reasons import Lang
from shared.errors import Rejection


def routes(enrolling: Enrolling, *, sandbox: bool) -> APIRouter:
    """Return the pages of a link to keep a phone."""
    router = APIRouter(tags=["citizen"], include_in_schema=False)
    pages = _Pages(enrolling, sandbox=sandbox)

    @router.get("/phone/{link}")
    async def show(link: str, lang: LangQuery = "vi") -> Response:
        return await pages.show(link, lang)

    @router.post("/phone/{link}")
    async def stop(link: str, lang: LangForm = "vi") -> Response:
        return await pages.stop(link, lang)

    return router


class _Pages(Rendering):
    def __init__(self, enrolling: Enrolling, *, sandbox: bool) -> None:
        super().__init__(sandbox=sandbox)
        self._enrolling = enrolling

    async def show(self, link: str, lang: Lang) -> Response:
        try:
            shown = await self._enrolling.shown(link)
        except Rejection as no:
            return self._sorry(no, lang, None)
        return self._page(
            "phone.html",
            lang,
            link=link,
            standing=shown.standing,
            meaning=_meaning(shown, lang),
            asked_by=_asked_by(shown, lang),
            asked_at=local_time(shown.change.enrolled.asked_at, lang),
            phone_end=shown.phone_end,
        )

    async def stop(self, link: str, lang: Lang) -> Response:
        """Stop it, if that can still be; either way the page then says how things stand."""
        try:
            await self._enrolling.stop(link)
        except Rejection as no:
            if no.code != "phone_rejected":
                return self._sorry(no, lang, None)
        return RedirectResponse(f"/phone/{link}?lang={lang}", 303, SECURITY_HEADERS)


def _meaning(shown: ShownChange, lang: Lang) -> str:
    start = local_time(shown.change.enrolled.effective_from, lang)
    return WORDS[lang][f"phone_meaning_{shown.standing}"].format(start=start)


def _asked_by(shown: ShownChange, lang: Lang) -> str:
    enrolled, words = shown.change.enrolled, WORDS[lang]
    if enrolled.clerk_id is None:
        return words["phone_operator"]
    return f"{words['phone_clerk']} {enrolled.clerk_id}, {shown.change.office}"
