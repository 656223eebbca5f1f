"""The pages of clerks, offices, places and banks, and of a suspension."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.audit.pages.cases import Happened
from services.audit.pages.directory import name_of
from services.audit.pages.drawing import bars, periods
from services.audit.pages.places import NOUNS, period_of, read_place
from services.audit.pages.rendering import NotHere, Rendering, lang_of, reason
from services.consent.facts import LiftingProposed, SuspensionLifted, SuspensionOrdered
from shared.ledger.log import about

Day = Annotated[date | None, Query()]


class PlacePages(Rendering):
    """These pages."""

    def routes(self) -> APIRouter:
        """Return their routes."""
        router = APIRouter()
        router.get("/places/suspension/{own_id}")(self.suspension)
        router.get("/places/{noun}/{own_id}")(self.place)
        return router

    def place(
        self,
        request: Request,
        noun: str,
        own_id: str,
        first: Annotated[date | None, Query(alias="from")] = None,
        until: Day = None,
    ) -> Response:
        """Show one of the directory, and what was done there within some days."""
        if noun not in NOUNS:
            raise NotHere
        history, lang = self._parts.history, lang_of(request)
        period = period_of(history, first, until)
        place = read_place(history, noun, own_id, period)
        if place is None:
            raise NotHere
        return self.page(
            request,
            "place.html",
            here="place",
            place=place,
            called=name_of(history, noun, own_id),
            period=period,
            gantt=periods.draw(place.spans, place.end),
            bars=bars.draw(period.days, place.attempts.by_day),
            reasons=lambda one: [reason(code, lang) for code in getattr(one.fact, "reasons", [])],
        )

    def suspension(self, request: Request, own_id: str) -> Response:
        """Show a suspension: what it stops, by whom, and whether it still does."""
        log = self._parts.history.logs.get("consent")
        kinds = [SuspensionOrdered, LiftingProposed, SuspensionLifted]
        arm = about(f"suspension:{own_id}", kinds=kinds)
        found = (
            [Happened("consent", one, log.decoded(one)) for one in log.found(arm)] if log else []
        )
        if not found:
            raise NotHere
        return self.page(
            request,
            "suspension.html",
            here="place",
            own_id=own_id,
            facts=[{"one": one, "said": _said(one.fact)} for one in found],
            of={noun: getattr(found[0].fact, f"{noun}_id", None) for noun in (*NOUNS, "citizen")},
        )


def _said(fact: Any) -> dict[str, Any]:
    names = ("ordered_by", "proposed_by", "approved_by", "why", "effective_from")
    said = {name: getattr(fact, name) for name in names if hasattr(fact, name)}
    return {name: _by(one) for name, one in said.items()}


def _by(said: Any) -> Any:
    """Return who did something; of a citizen only that it was one."""
    return "citizen" if str(said).startswith("citizen:") else said
