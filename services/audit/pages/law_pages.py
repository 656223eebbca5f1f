"""The laws: which of them are broken, where, and by what."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.audit.laws import LAWS, Law
from services.audit.pages.rendering import Rendering, lang_of
from shared.contracts.reasons import Lang


class LawPages(Rendering):
    """This page."""

    def routes(self) -> APIRouter:
        """Return its route."""
        router = APIRouter()
        router.get("/laws")(self.laws)
        return router

    def laws(self, request: Request) -> Response:
        """Show every violation with its place, and every law with how often it is broken."""
        state, lang = self._parts.verifying.state, lang_of(request)
        counts = state.judged.counts if state.judged else {}
        return self.page(
            request,
            "laws.html",
            here="laws",
            state=state,
            total=sum(counts.values()),
            violations=[
                {"one": one, "law": _said(LAWS[one.law], lang)}
                for one in (state.judged.violations if state.judged else ())
            ],
            laws=[
                {"number": number, "says": _said(law, lang), "source": law.source, "count": count}
                for number, law in sorted(LAWS.items())
                for count in [counts.get(number, 0)]
            ],
        )


def _said(law: Law, lang: Lang) -> str:
    return law.vi if lang == "vi" else law.en
