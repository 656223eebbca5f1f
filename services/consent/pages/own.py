"""The page of everything in a citizen's name, and the form that sends its link to their phone.

The answer to the form is the same for every number, and is given before anything is looked up.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from pydantic import TypeAdapter, ValidationError
from starlette.background import BackgroundTask

from services.consent.accounts import Attempt, OpenedAccount
from services.consent.application.gathering import Everything, Gathering, Look, Matter
from services.consent.application.suspending import Suspending
from services.consent.notices import Names
from services.consent.pages.rendering import (
    SECURITY_HEADERS,
    LangForm,
    LangQuery,
    Rendering,
    local_time,
    told,
)
from services.consent.pages.sides import cards
from services.consent.pages.words import WORDS
from services.consent.views import SuspensionView
from shared.contracts.fields import Phone
from shared.contracts.reasons import Lang
from shared.errors import Kind, Rejection
from shared.web import STATUS

COUNTRY, TRUNK = "+84", "0"
"""How a number begins in E.164, and as people here write it."""

NUMBER: TypeAdapter[str] = TypeAdapter(Phone)

SAW = {
    "standing": "saw_answer",
    "purposes": "saw_answer",
    "positions": "saw_answer",
    "event": "saw_signed",
    "receipt": "saw_receipt",
    "product": "saw_question",
    "notice": "saw_question",
    "history": "saw_question_history",
    "overview": "saw_overview",
}
"""What the fields are to a citizen; those that the question itself has say nothing of them."""

SAW_OF_ACCOUNT = {
    "standing": "saw_account",
    "history": "saw_history",
    "account_end": "saw_account_end",
    "overview": "saw_overview",
}


TRIED = {
    "request.rejected.1": "tried_asking",
    "capture.rejected.1": "tried_capture",
    "submission.rejected.1": "tried_submission",
    "opening.rejected.1": "tried_opening",
}
"""What somebody tried, by the fact that it was rejected."""

ATTEMPTS_SHOWN = 20
"""The newest; how many more there are is said."""


def routes(gathering: Gathering, suspending: Suspending, *, sandbox: bool) -> APIRouter:
    """Return the form, and the page of a link."""
    router = APIRouter(tags=["citizen"], include_in_schema=False)
    pages = _Pages(gathering, suspending, sandbox=sandbox)

    @router.get("/me")
    async def form(sent: str = "", lang: LangQuery = "vi") -> Response:
        return pages.sent(lang) if sent else pages.form(lang)

    @router.post("/me")
    async def ask(phone: Annotated[str, Form()] = "", lang: LangForm = "vi") -> Response:
        return pages.ask(phone, lang)

    @router.get("/me/{link}")
    async def show(link: str, lang: LangQuery = "vi") -> Response:
        return await pages.show(link, lang)

    return router


class _Pages(Rendering):
    def __init__(self, gathering: Gathering, suspending: Suspending, *, sandbox: bool) -> None:
        super().__init__(sandbox=sandbox)
        self._gathering, self._suspending = gathering, suspending

    def form(self, lang: Lang, *, wrong: bool = False) -> Response:
        status = STATUS[Kind.MALFORMED] if wrong else 200
        return self._page("own_ask.html", lang, status=status, wrong=wrong)

    def sent(self, lang: Lang) -> Response:
        return self._page("own_sent.html", lang)

    def ask(self, typed: str, lang: Lang) -> Response:
        number = _number(typed)
        if number is None:
            return self.form(lang, wrong=True)
        task = BackgroundTask(self._gathering.ask, number)
        address = f"/me?sent=1&lang={lang}"
        return RedirectResponse(address, 303, SECURITY_HEADERS, background=task)

    async def show(self, link: str, lang: Lang) -> Response:
        try:
            everything = await self._gathering.gather(link, lang)
            held = await self._suspending.own(await self._gathering.citizen_id(link))
        except Rejection as no:
            return self._over(no, lang)
        return self._page(
            "own.html",
            lang,
            link=link,
            matters=[_matter(one, lang) for one in everything.matters],
            accounts=_accounts(everything, lang),
            stop=_stop(held, lang),
            looks=_looks(everything, lang),
            attempts=_attempts(everything, lang),
            attempts_more=max(0, len(everything.attempts) - ATTEMPTS_SHOWN),
        )


def _stop(held: list[SuspensionView], lang: Lang) -> dict[str, str]:
    """Return how it stands with “open nothing in my name”: the words, and what a button does."""
    words = WORDS[lang]
    if not held:
        return {"says": words["stop_open"], "act": "suspension", "button": words["stop_order"]}
    ends = [one.lifted.effective_from for one in held if one.lifted]
    if len(ends) == len(held):
        says = words["stop_ends"].format(start=local_time(max(ends), lang))
        return {"says": says, "act": "suspension", "button": words["stop_order"]}
    if any(one.ordered.ordered_by.startswith("citizen:") for one in held if not one.lifted):
        return {"says": words["stop_holds"], "act": "lifting", "button": words["stop_lift"]}
    return {"says": words["stop_by_authority"], "act": "", "button": ""}


def _number(typed: str) -> str | None:
    """Return a number in E.164 form, however people here write it; None for what is none."""
    digits = re.sub(r"[\s.()-]", "", typed)
    if digits.startswith(TRUNK):
        digits = COUNTRY + digits.removeprefix(TRUNK)
    elif digits.startswith(COUNTRY.removeprefix("+")):
        digits = f"+{digits}"
    try:
        return NUMBER.validate_python(digits)
    except ValidationError:
        return None


def _matter(matter: Matter, lang: Lang) -> dict[str, Any]:
    """Return what the page shows of a question."""
    view = matter.view
    return {
        "link": matter.link,
        "names": matter.names,
        "standing": view.standing,
        "at": local_time(view.places["requested"].recorded_at, lang),
        "sides": cards(view, matter.sides, lang),
        "decided": bool(set(view.places) - {"requested"}),
        "for_other": matter.for_other,
    }


def _accounts(everything: Everything, lang: Lang) -> list[dict[str, Any]] | None:
    """Return what the page shows of accounts, with the names of the questions they come from."""
    if everything.accounts is None:
        return None
    names = _names(everything)
    return [_account(one, names, lang) for one in everything.accounts]


def _account(account: OpenedAccount, names: Any, lang: Lang) -> dict[str, Any]:
    return {
        "names": names.get(account.consent_id),
        "says": WORDS[lang].get(f"account_{account.standing}", account.standing),
        "end": account.account_end,
        "declined_for": account.declined_for,
    }


def _names(everything: Everything) -> dict[str | None, Names]:
    return {one.consent_id: one.names for one in everything.matters}


def _looks(everything: Everything, lang: Lang) -> list[dict[str, Any]]:
    """Return what the page shows of others' looks."""
    names = _names(everything)
    return [_look(one, names, everything.readers, lang) for one in everything.looks]


def _attempts(everything: Everything, lang: Lang) -> list[dict[str, Any]]:
    """Return what the page shows of what others tried and the rules rejected."""
    newest = everything.attempts[:ATTEMPTS_SHOWN]
    return [_attempt(one, everything.readers, lang) for one in newest]


def _attempt(attempt: Attempt, readers: Mapping[str, str], lang: Lang) -> dict[str, Any]:
    return {
        **_who(attempt.tried_by, readers, lang),
        "tried": WORDS[lang][TRIED[attempt.kind]],
        "at": local_time(attempt.at, lang),
        "reasons": [told(one, lang) for one in attempt.reasons],
    }


def _who(caller: str, readers: Mapping[str, str], lang: Lang) -> dict[str, str | None]:
    """Return what somebody is called: what they are, and the name of their bank or office."""
    role, _, own_id = caller.partition(":")
    name = readers.get(caller) or (own_id if role == "bank" else None)
    return {"reader": WORDS[lang].get(f"reader_{role}", "").format(id=own_id), "name": name}


def _look(
    look: Look, names: Mapping[str | None, Names], readers: Mapping[str, str], lang: Lang
) -> dict[str, Any]:
    looked, words = look.looked, WORDS[lang]
    return {
        **_who(looked.read_by, readers, lang),
        "saw": [words[one] for one in _saw(look)],
        "names": names.get(looked.consent_id),
        "why": words[f"why_{looked.purpose}"],
        "ground": words[f"ground_{looked.ground}"] if looked.ground else None,
        "case": looked.case_id,
        "first": local_time(looked.first_at, lang),
        "last": local_time(looked.last_at, lang),
    }


def _saw(look: Look) -> list[str]:
    """Return the names of the words for what was seen, each once."""
    if look.of_account and look.looked.consent_id is None:
        return ["saw_attempt"]
    words = SAW_OF_ACCOUNT if look.of_account else SAW
    return list(dict.fromkeys(words[one] for one in look.looked.fields if one in words))
