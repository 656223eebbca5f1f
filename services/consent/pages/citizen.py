"""The citizen's page: read the notice, press one of two equal buttons, type the code, done.

A form that did something is answered with a redirect, so going back or reloading repeats nothing;
a dispute code alone is answered with a page, which leads nowhere: it may be anybody's who found it.
No address but the link itself is needed, no cookie is set, and nothing is loaded from elsewhere.
Whatever a phone sends, a page comes back, never a machine's error: an unknown language is
Vietnamese, and a code that cannot be one is asked for again without costing a try.
"""

import re
from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from markupsafe import Markup, escape

from services.consent.application.deciding import Deciding, Shown
from services.consent.application.stopping import Stopping
from services.consent.codes import DIGITS
from services.consent.consents import Challenge, Standing
from services.consent.decisions import STOPPED, WITHDRAWABLE
from services.consent.facts import DisputeChannel
from services.consent.pages.presses import Press, PressForm
from services.consent.pages.rendering import (
    HERE,
    SECURITY_HEADERS,
    LangForm,
    LangQuery,
    Rendering,
    local_time,
    told,
)
from services.consent.pages.sides import (
    card_alone,
    cards,
    signed_cards,
)
from services.consent.pages.words import WORDS
from services.consent.submissions import unsubmitted
from services.consent.views import ConsentView
from shared.contracts.consent import Decision
from shared.contracts.reasons import Lang
from shared.errors import Kind, Reason, Rejection
from shared.web import STATUS, Host

ANSWERABLE = {
    Decision.GIVEN: {Standing.REQUESTED},
    Decision.REFUSED: {Standing.REQUESTED},
    Decision.WITHDRAWN: WITHDRAWABLE,
    Decision.CONFIRMED: {Standing.WAITING},
}
"""Where a consent stands when a page still offers a decision."""


def routes(deciding: Deciding, stopping: Stopping, *, sandbox: bool) -> APIRouter:
    """Return the pages of a link, and the one for whoever has only a dispute code."""
    router = APIRouter(tags=["citizen"], include_in_schema=False)
    pages = _Pages(deciding, stopping, sandbox=sandbox)
    router.mount("/static", StaticFiles(directory=HERE / "static"))

    @router.get("/c/{link}")
    async def show(link: str, lang: LangQuery = "vi") -> Response:
        return await pages.show(link, lang)

    @router.get("/c/{link}/code")
    async def reopen(link: str, lang: LangQuery = "vi") -> Response:
        return _see(link, lang)

    @router.post("/c/{link}/code")
    async def ask_code(link: str, press: PressForm) -> Response:
        return await pages.ask_code(link, press)

    @router.get("/c/{link}/sign/{challenge_id}")
    async def show_sign(link: str, challenge_id: str, lang: LangQuery = "vi") -> Response:
        return await pages.show_sign(link, challenge_id, lang)

    @router.post("/c/{link}/sign/{challenge_id}")
    async def sign(
        link: str,
        challenge_id: str,
        host: Host,
        code: Annotated[str, Form()] = "",
        lang: LangForm = "vi",
    ) -> Response:
        return await pages.sign(link, challenge_id, code, lang, host)

    @router.post("/c/{link}/not-me")
    async def not_me(link: str, lang: LangForm = "vi") -> Response:
        return await pages.not_me(link, lang)

    @router.get("/not-me")
    async def show_not_me(lang: LangQuery = "vi") -> Response:
        return pages.show_not_me(lang)

    @router.post("/not-me")
    async def not_me_by_code(code: Annotated[str, Form()] = "", lang: LangForm = "vi") -> Response:
        return await pages.not_me_by_code(code, lang)

    return router


class _Pages(Rendering):
    def __init__(self, deciding: Deciding, stopping: Stopping, *, sandbox: bool) -> None:
        super().__init__(sandbox=sandbox)
        self._deciding, self._stopping = deciding, stopping

    async def show(self, link: str, lang: Lang) -> Response:
        try:
            shown = await self._deciding.show(self._deciding.consent_id(link), lang)
        except Rejection as no:
            return self._sorry(no, lang, link)
        standing = shown.view.standing
        return self._page(
            "consent.html",
            lang,
            link=link,
            names=shown.names,
            notice=notice_blocks(shown, lang),
            notice_hash=shown.notice.hash,
            standing=standing,
            meaning=meaning(shown, lang),
            happened=happened(shown.view, lang),
            open=standing in ANSWERABLE[Decision.GIVEN] and not shown.erased,
            withdrawable=standing in ANSWERABLE[Decision.WITHDRAWN] and not shown.erased,
            erased=shown.erased,
            unable=shown.unable,
            for_other=shown.for_other,
            child_agrees=shown.child_agrees,
            withdraw="ask_me_again" if standing is Standing.REFUSED else "withdraw",
            confirmable=not shown.erased and shown.confirmable,
            stoppable=standing not in STOPPED,
            passkeys=shown.passkeys,
            code_too_weak=shown.code_too_weak,
            sides=cards(shown.view, shown.notice.side, lang),
        )

    async def ask_code(self, link: str, press: Press) -> Response:
        lang = press.lang
        try:
            consent_id = self._deciding.consent_id(link)
            challenge_id = await self._deciding.ask_code(consent_id, press.pressed())
        except Rejection as no:
            return self._sorry(no, lang, link)
        return _see(f"{link}/sign/{challenge_id}", lang)

    async def show_sign(
        self, link: str, challenge_id: str, lang: Lang, error: Rejection | None = None
    ) -> Response:
        try:
            consent_id = self._deciding.consent_id(link)
            challenge = _challenge(await self._deciding.consent(consent_id), challenge_id)
            # In the statement's language: that text was served, this page serves no other.
            signed_lang: Lang = "en" if challenge.asked.statement.notice_lang == "en" else "vi"
            shown = await self._deciding.show(consent_id, signed_lang)
        except Rejection as no:
            return self._sorry(no, lang, link)
        statement, decision = challenge.asked.statement, challenge.asked.statement.decision
        if shown.erased or challenge.signed or shown.view.standing not in ANSWERABLE[decision]:
            return _see(link, lang)
        texts = self._deciding.side_texts(shown.view, lang)
        return self._page(
            "sign.html",
            lang,
            status=STATUS[error.kind] if error else 200,
            link=link,
            names=shown.names,
            challenge_id=challenge_id,
            decision=decision,
            signs="ask_me_again" if shown.view.consent.refused else decision,
            phone_end=shown.phone_end,
            for_other=shown.for_other,
            subject_agrees=statement.subject_agrees is True,
            until=local_time(challenge.asked.expires_at, lang),
            error=_error(error, lang),
            over=challenge.overtried or _is_last(error),
            sides=signed_cards(statement, texts),
            alone=card_alone(shown.view.consent, statement, texts),
        )

    async def sign(
        self, link: str, challenge_id: str, code: str, lang: Lang, host: str | None
    ) -> Response:
        try:
            consent_id = self._deciding.consent_id(link)
            await self._deciding.sign_with_code(consent_id, challenge_id, _digits(code), host=host)
        except Rejection as no:
            if no.code in {"code_wrong", "code_expired", "code_tries_used", "malformed"}:
                return await self.show_sign(link, challenge_id, lang, no)
            return self._sorry(no, lang, link)
        return _see(link, lang)

    async def not_me(self, link: str, lang: Lang) -> Response:
        try:
            await self._stopping.dispute(self._deciding.consent_id(link), DisputeChannel.LINK)
        except Rejection as no:
            return self._sorry(no, lang, link)
        return _see(link, lang)

    def show_not_me(self, lang: Lang, error: Rejection | None = None) -> Response:
        status = STATUS[error.kind] if error else 200
        text = told(error.code, lang) if error else ""
        return self._page("not_me.html", lang, status=status, error=text)

    async def not_me_by_code(self, code: str, lang: Lang) -> Response:
        try:
            await self._stopping.dispute_by_code(code)
        except Rejection as no:
            return self.show_not_me(lang, no)
        return self._page("stopped.html", lang, standing=Standing.DISPUTED)


def _digits(typed: str) -> str:
    """Return the code's digits, however they were spaced; raises `Rejection` for another number."""
    digits = re.sub(r"[^0-9]", "", typed)
    if len(digits) != DIGITS:
        raise Rejection(Kind.MALFORMED, "malformed", reasons=[Reason("code_shape")])
    return digits


def _challenge(view: ConsentView, challenge_id: str) -> Challenge:
    challenge = view.consent.challenges.get(challenge_id)
    if challenge is None:
        raise Rejection(Kind.UNKNOWN, "challenge_unknown")
    return challenge


def notice_blocks(shown: Shown, lang: Lang) -> list[tuple[int, Markup]]:
    """Part the notice into its blocks: level 1 its title, 2 a heading, 0 a paragraph.

    The text is its blocks with a blank line between; `# ` and `## ` mark title and headings.
    """
    blocks = shown.notice.text.split("\n\n")
    marked = [re.fullmatch(r"(?:(#{1,2}) )?(.*)", block, re.DOTALL) for block in blocks]
    return [(len(one[1] or ""), _spoken(one[2], shown, lang)) for one in marked if one]


def _spoken(text: str, shown: Shown, lang: Lang) -> Markup:
    """Mark names as Vietnamese inside other text, so that a screen reader says them right."""
    names = [one for one in astuple(shown.names) if one] if lang != "vi" else []
    pattern = "|".join(re.escape(one) for one in sorted(names, key=len, reverse=True))
    parts: Sequence[str] = re.split(f"({pattern})", text) if names else [text]
    name = Markup('<span lang="vi">{}</span>')
    return Markup().join(
        name.format(one) if at % 2 else escape(one) for at, one in enumerate(parts)
    )


def meaning(shown: Shown, lang: Lang) -> Markup:
    """Return what the present standing means, with its one time and the names."""
    words, names = WORDS[lang], shown.names
    start, end = _times(shown.view)
    askers = f" {words['and']} ".join(one for one in (names.bank, names.office) if one)
    text = words[_meaning_of(shown.view)].format(
        start=local_time(start, lang) if start else "",
        time=local_time(end, lang) if end else "",
        bank=names.bank,
        askers=askers,
    )
    return _spoken(text, shown, lang)


def _meaning_of(view: ConsentView) -> str:
    """Return the name of the words: waiting has three meanings, a time that ran out has two."""
    name = f"meaning_{view.standing}"
    if not view.consent.unconfirmed or view.standing not in {Standing.WAITING, Standing.LAPSED}:
        return name
    early = view.standing is Standing.WAITING and any(unsubmitted(view.consent))
    return f"{name}_{'unsubmitted' if early else 'unconfirmed'}"


def _times(view: ConsentView) -> tuple[datetime | None, datetime | None]:
    """Return from when and until when the present standing lasts, as far as it matters."""
    consent, governing = view.consent, view.consent.governing
    if consent.disputed:
        return None, consent.disputed.authority_told_by
    if consent.refused:
        return None, consent.refused.asking_again_from
    if governing:
        return governing.not_before, governing.expires_at
    return None, consent.requested.decide_by if consent.requested else None


def happened(view: ConsentView, lang: Lang) -> list[tuple[str, str, int]]:
    """List what happened: words, local time, position in the log."""
    placed = sorted(view.places.items(), key=lambda item: item[1].position)
    return [
        (WORDS[lang][f"did_{name}"], local_time(one.recorded_at, lang), one.position)
        for name, one in placed
    ]


def _error(no: Rejection | None, lang: Lang) -> str:
    if no is None:
        return ""
    (reason,) = no.reasons
    if reason.detail == "0":
        return told("code_tries_used", lang)
    text = told(reason.code, lang)
    return f"{text} {WORDS[lang]['tries_left']} {reason.detail}." if reason.detail else text


def _is_last(no: Rejection | None) -> bool:
    """Tell whether this code is of no more use."""
    if no is None or no.code == "malformed":
        return False
    return no.code != "code_wrong" or no.reasons[0].detail == "0"


def _see(address: str, lang: Lang) -> Response:
    return RedirectResponse(f"/c/{address}?lang={lang}", 303, SECURITY_HEADERS)
