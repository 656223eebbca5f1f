"""The page of one citizen, by a random id: questions, accounts, what others tried, who looked."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.accounts.facts import AccountConfirmed, AccountOpened
from services.audit.pages.cases import Case, Happened, read_case
from services.audit.pages.directory import name_of
from services.audit.pages.gating import Gating
from services.audit.pages.rendering import NotHere, lang_of, reason
from services.audit.replaying import seen
from services.consent.facts import ConsentRequested
from shared.contracts.reasons import Lang
from shared.ledger.states import Subject

CALLERS = ("asked_by", "commanded_by", "redeemed_by")
"""Where a rejected fact says who tried."""


class CitizenPages(Gating):
    """This page."""

    def routes(self) -> APIRouter:
        """Return its route."""
        router = APIRouter()
        router.get("/cases/citizen/{own_id}")(self.citizen)
        return router

    def citizen(self, request: Request, own_id: str) -> Response:
        """Show what is in a citizen's name, to whoever gave a ground for it."""
        case = read_case(self._parts.history, f"citizen:{own_id}")
        if case is None:
            raise NotHere
        if not self.is_open(case):
            return self.ask(request, case, f"citizen/{own_id}")
        lang = lang_of(request)
        rejected = [one for one in case.steps if ".rejected." in one.stored.kind]
        return self.page(
            request,
            "citizen.html",
            here="case",
            own_id=own_id,
            ground=self._parts.looking.ground(case.tag),
            asked=[
                self._asked(one) for one in case.steps if isinstance(one.fact, ConsentRequested)
            ],
            accounts=list(_accounts(case)),
            attempts=[_attempt(one, lang) for one in rejected],
            looks=case.looks,
        )

    def _asked(self, one: Happened) -> dict[str, Any]:
        """Return a question, and where it stood at the end of the export."""
        log, consent_id = self._parts.history.logs["consent"], one.fact.consent_id
        found = seen(log, Subject("consent", consent_id), log.size)
        end = log.index.entries(after=log.last() - 1)[0].recorded_at
        return {
            "one": one,
            "bank": name_of(self._parts.history, "bank", one.fact.bank_id),
            "standing": found.state.standing(end) if found else "unknown",
        }


def _accounts(case: Case) -> Iterator[dict[str, Any]]:
    """Yield each account, with the end of its number if the bank has said it."""
    for one in case.steps:
        if isinstance(one.fact, AccountOpened):
            own = [
                each.fact.account_end
                for each in case.steps
                if isinstance(each.fact, AccountConfirmed)
                and each.fact.opening_id == one.fact.opening_id
            ]
            yield {"one": one, "end": own[-1] if own else None}


def _attempt(one: Happened, lang: Lang) -> dict[str, Any]:
    by = next((who for name in CALLERS if (who := getattr(one.fact, name, None))), None)
    return {"one": one, "by": by, "reasons": [reason(code, lang) for code in one.fact.reasons]}
