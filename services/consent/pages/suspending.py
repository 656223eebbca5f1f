"""“Open nothing in my name”: one press on the citizen's own page, and one that takes it back.

The link of that page went to the citizen's own phone a few minutes ago, so neither asks for a code;
taking back counts a day later, and the phone hears of both.
"""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from services.consent.application.gathering import Gathering
from services.consent.application.suspending import Suspending
from services.consent.pages.rendering import SECURITY_HEADERS, LangForm, Rendering
from shared.contracts.reasons import Lang
from shared.errors import Rejection


def routes(gathering: Gathering, suspending: Suspending, *, sandbox: bool) -> APIRouter:
    """Return what the two buttons of a citizen's own page do."""
    router = APIRouter(tags=["citizen"], include_in_schema=False)
    pages = _Pages(gathering, sandbox=sandbox)

    @router.post("/me/{link}/suspension")
    async def order(link: str, lang: LangForm = "vi") -> Response:
        return await pages.act(link, lang, suspending.order_own)

    @router.post("/me/{link}/lifting")
    async def lift(link: str, lang: LangForm = "vi") -> Response:
        return await pages.act(link, lang, suspending.lift_own)

    return router


class _Pages(Rendering):
    def __init__(self, gathering: Gathering, *, sandbox: bool) -> None:
        super().__init__(sandbox=sandbox)
        self._gathering = gathering

    async def act(self, link: str, lang: Lang, what: Callable[[str], Awaitable[None]]) -> Response:
        try:
            await what(await self._gathering.citizen_id(link))
        except Rejection as no:
            return self._over(no, lang)
        return RedirectResponse(f"/me/{link}?lang={lang}", 303, SECURITY_HEADERS)
