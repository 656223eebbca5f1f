"""The page of one case: what happened, in lanes, as it was known at any moment."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozen,
    AccountFrozenByBank,
    AccountOpened,
    OpeningRejected,
)
from services.audit.export import LogName
from services.audit.laws import LAWS, Violation
from services.audit.pages.cases import Case, Happened, read_case, tag_of_case
from services.audit.pages.directory import name_of
from services.audit.pages.drawing import timeline
from services.audit.pages.fact_words import fact_word
from services.audit.pages.gating import Gating, masked, pretty
from services.audit.pages.lanes import lane_of
from services.audit.pages.links import Link, links
from services.audit.pages.moments import Moment, NoMoment, moment, of_step
from services.audit.pages.rendering import (
    SECURITY_HEADERS,
    NotHere,
    address,
    lang_of,
    reason,
)
from services.audit.pages.words import WORDS
from services.audit.replaying import seen
from services.consent.consents import Consent
from services.consent.facts import ConsentRequested, RequestRejected
from shared.clock import VIETNAM
from shared.contracts.reasons import Lang
from shared.ledger.states import Subject, state_text
from shared.signing import TrustedKeys

SEE_OTHER, MALFORMED = 303, 422

STANDING = {
    OpeningRejected: "account_rejected",
    AccountOpened: "account_opened",
    AccountConfirmed: "account_confirmed",
    AccountDeclined: "account_declined",
    AccountFrozen: "account_frozen",
    AccountFrozenByBank: "account_frozen",
    AccountClosed: "account_closed",
}
"""What each fact makes of an account; what is frozen or closed stays so, and a rejection undoes
nothing."""

LASTING = ((AccountClosed,), (AccountFrozen, AccountFrozenByBank))
"""What holds whatever comes behind it, the strongest first."""

ASKING = (ConsentRequested, RequestRejected, AccountOpened, OpeningRejected)
"""The facts that say where a case is, and of what."""

PLACES = ("bank", "office", "site", "clerk")


class CasePages(Gating):
    """These pages."""

    def routes(self) -> APIRouter:
        """Return their routes."""
        router = APIRouter()
        router.get("/cases/consent/{own_id}")(self.consent)
        router.get("/cases/opening/{own_id}")(self.opening)
        return router

    def consent(
        self, request: Request, own_id: str, at: str | None = None, step: int | None = None
    ) -> Response:
        """Show the case of a question."""
        return self._case(request, f"consent:{own_id}", at, step)

    def opening(
        self, request: Request, own_id: str, at: str | None = None, step: int | None = None
    ) -> Response:
        """Show the case of an opening that no consent led to; any other is its consent's."""
        tag = tag_of_case(self._parts.history, [f"opening:{own_id}"]) or ""
        if (subject := Subject.of(tag)).noun == "consent":
            there = address(lang_of(request), "cases", "consent", subject.id, at=at, step=step)
            return RedirectResponse(there, SEE_OTHER, SECURITY_HEADERS)
        return self._case(request, tag, at, step)

    def _case(self, request: Request, tag: str, at: str | None, step: int | None) -> Response:
        case = read_case(self._parts.history, tag)
        if case is None or not case.steps:
            raise NotHere
        if not self.is_open(case):
            return self.ask(request, case, f"{case.subject.noun}/{case.subject.id}")
        if step is not None:
            return RedirectResponse(_here(request, case, step), SEE_OTHER, SECURITY_HEADERS)
        return self._show(request, case, at)

    def _show(self, request: Request, case: Case, at: str | None) -> Response:
        history, lang, wrong = self._parts.history, lang_of(request), False
        try:
            known = moment(history, at)
        except NoMoment:
            known, wrong = moment(history, None), True
        found = links(case, self._keys(), whole=history.manifest.subset is None)
        drawing = timeline.draw(
            case.steps,
            found,
            known,
            fact_word=lambda kind: fact_word(kind, lang),
            word=lambda name: WORDS[lang][name],
            laws=lambda one: [each.law for each in self._broken(one)],
        )
        count = sum(map(known.knows, case.steps))
        return self.page(
            request,
            "case.html",
            status=MALFORMED if wrong else 200,
            here="case",
            case=case,
            asked_of=(asked_of := _asked(case)),
            names={noun: name_of(history, noun, asked_of[f"{noun}_id"]) for noun in PLACES},
            ground=self._parts.looking.ground(case.tag),
            line=drawing,
            rows=[_row(one, found, known, lang) for one in case.steps],
            breaks=[one for one in found if one.source is None],
            broken=[(one, each) for one in case.steps for each in self._broken(one)],
            law=lambda number: LAWS[number].vi if lang == "vi" else LAWS[number].en,
            known=known,
            count=count,
            back=_here(request, case, count - 1) if count else None,
            on=_here(request, case, count + 1) if count < len(case.steps) else None,
            all=address(lang, "cases", case.subject.noun, case.subject.id),
            at=at or "",
            wrong=wrong,
            standings=list(self._standings(case, known)),
            state=self._state(case, known),
            looks=[_look(one) for one in case.looks if known.knows(one)],
            clock=_clock,
            long=lambda length: _long(length, lang),
        )

    def _broken(self, one: Happened) -> list[Violation]:
        """Return the violations that a fact has part in, as far as the laws are judged yet."""
        judged = self._parts.verifying.state.judged
        return judged.at(one.log, one.position) if judged else []

    def _keys(self) -> TrustedKeys:
        if "consent" not in self._parts.history.logs:
            return TrustedKeys()
        return TrustedKeys.from_jwks(self._parts.history.jwks())

    # -- as it was known ----------------------------------------------------------------------

    def _standings(self, case: Case, known: Moment) -> Iterator[str]:
        """Yield the words for where the question and the account stood."""
        if log := self._parts.history.logs.get("consent"):
            at = known.at or log.index.entries(after=log.last() - 1)[0].recorded_at
            for consent_id in case.consents:
                found = seen(log, Subject("consent", consent_id), known.known["consent"])
                state = found.state if found else Consent()
                yield f"standing_{state.standing(at)}"
        if "accounts" in self._parts.history.logs:
            yield _account(case, known)

    def _state(self, case: Case, known: Moment) -> str:
        """Return the state of everything in the case, as JSON; of a refusal without names."""
        subjects: list[tuple[LogName, Subject]] = [
            *(("consent", Subject("consent", one)) for one in case.consents),
            *(("accounts", Subject("opening", one)) for one in case.openings),
            *(("accounts", Subject("consent", one)) for one in case.consents),
        ]
        states = dict[str, Any]()
        for name, subject in subjects:
            log = self._parts.history.logs.get(name)
            if log and (found := seen(log, subject, known.known[name])):
                state = msgspec.json.decode(state_text(found.state))
                states[f"{name} {subject.tag}"] = masked(state) if case.refused else state
        return pretty(states)


def _account(case: Case, known: Moment) -> str:
    facts = [one.fact for one in case.steps if known.knows(one) and type(one.fact) in STANDING]
    decisive = [one for one in facts if not isinstance(one, OpeningRejected)] or facts
    lasting = [one for kinds in LASTING for one in decisive if isinstance(one, kinds)]
    return STANDING[type([*lasting, *decisive[-1:]][0])] if decisive else "account_none"


def _asked(case: Case) -> Mapping[str, Any]:
    """Return where a case is, and of what product, as far as a fact says so."""
    names = [*(f"{one}_id" for one in PLACES), "product_id"]
    for kind in ASKING:
        for one in case.steps:
            if isinstance(one.fact, kind):
                return {name: getattr(one.fact, name, None) for name in names}
    return dict.fromkeys(names)


def _row(one: Happened, found: Sequence[Link], known: Moment, lang: Lang) -> dict[str, Any]:
    """Return a line of the table: what happened, and what it rests on."""
    own = [link for link in found if link.target is one]
    reasons = getattr(one.fact, "reasons", None) or [getattr(one.fact, "reason", None)]
    return {
        "one": one,
        "lane": lane_of(one),
        "known": known.knows(one),
        "reasons": [reason(code, lang) for code in reasons if code],
        "sources": [link for link in own if link.source and not link.stops],
        "stops": [link for link in own if link.stops],
        "wrong": [link.wrong for link in own if link.source is None],
    }


def _look(one: Happened) -> dict[str, Any]:
    fact = one.fact
    return {
        "one": one,
        "by": fact.read_by,
        "purpose": fact.purpose,
        "ground": fact.ground,
        "case": fact.case_id,
    }


def _here(request: Request, case: Case, step: int) -> str:
    """Return the address of a case when so many of its steps had happened."""
    lang, subject, steps = lang_of(request), case.subject, len(case.steps)
    at = None if step >= steps else of_step(case, step)
    return address(lang, "cases", subject.noun, subject.id, at=at) + "#story"


def _clock(instant: datetime) -> str:
    return instant.astimezone(VIETNAM).strftime("%d/%m %H:%M:%S")


def _long(length: timedelta, lang: Lang) -> str:
    """Return how long something took, in the unit that says most."""
    minutes = round(length.total_seconds() / 60)
    for unit, size in (("days", 24 * 60), ("hours", 60)):
        if minutes >= 2 * size:
            return WORDS[lang][unit].format(count=round(minutes / size))
    return WORDS[lang]["minutes"].format(count=minutes)
