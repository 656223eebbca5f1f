"""A witness's pages: become one, see what waits, read a question out, sign what was said.

What the page's script asks is answered in JSON; a witness signs with a passkey alone, so without
scripts these pages only show.
"""

import json
import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from services.consent.application.witnessing import Asked, Witnessing
from services.consent.pages.citizen import ANSWERABLE, happened, meaning, notice_blocks
from services.consent.pages.passkeys import AnswerForm, document, no_to_script, yes_to_script
from services.consent.pages.presses import Press, PressForm
from services.consent.pages.rendering import (
    SECURITY_HEADERS,
    LangForm,
    LangQuery,
    Rendering,
    local_time,
)
from services.consent.pages.sides import Card, cards, signed_cards
from shared.contracts.consent import Decision
from shared.contracts.reasons import Lang
from shared.errors import Kind, Rejection
from shared.web import Host


@dataclass(frozen=True, slots=True)
class Place:
    """A question on a witness's page."""

    link: str
    consent_id: str

    @property
    def address(self) -> str:
        """Return the page's own address."""
        return f"/w/{self.link}/{self.consent_id}"


SHA_256 = re.compile(r"[0-9a-f]{64}")


def routes(witnessing: Witnessing, *, sandbox: bool) -> APIRouter:
    """Return the pages and answers of a witness's link."""
    router = APIRouter(tags=["witness"], include_in_schema=False)
    pages = _Pages(witnessing, sandbox=sandbox)

    @router.get("/w/{link}")
    async def show(link: str, lang: LangQuery = "vi") -> Response:
        return await pages.show(link, lang)

    @router.post("/w/{link}")
    async def enrol(link: str, answer: AnswerForm = "", lang: LangForm = "vi") -> Response:
        return await pages.enrol(link, answer, lang)

    @router.get("/w/{link}/{consent_id}")
    async def question(link: str, consent_id: str, lang: LangQuery = "vi") -> Response:
        return await pages.question(Place(link, consent_id), lang)

    @router.post("/w/{link}/{consent_id}/options")
    async def ask(
        link: str,
        consent_id: str,
        press: PressForm,
        challenge: Annotated[str, Form()] = "",
        scan_hash: Annotated[str, Form()] = "",
    ) -> Response:
        return await pages.ask(Place(link, consent_id), press, challenge, scan_hash)

    @router.post("/w/{link}/{consent_id}/sign/{challenge_id}/passkey")
    async def sign(
        link: str,
        consent_id: str,
        challenge_id: str,
        *,
        host: Host,
        answer: AnswerForm = "",
        lang: LangForm = "vi",
    ) -> Response:
        return await pages.sign(Place(link, consent_id), challenge_id, answer, lang, host)

    @router.post("/w/{link}/{consent_id}/sign/{challenge_id}/dissent")
    async def dissent(
        link: str, consent_id: str, challenge_id: str, lang: LangForm = "vi"
    ) -> Response:
        return await pages.dissent(Place(link, consent_id), challenge_id, lang)

    return router


class _Pages(Rendering):
    def __init__(self, witnessing: Witnessing, *, sandbox: bool) -> None:
        super().__init__(sandbox=sandbox)
        self._witnessing = witnessing

    async def show(self, link: str, lang: Lang) -> Response:
        try:
            opened = await self._witnessing.opened(link)
            waiting = await self._witnessing.waiting(opened) if opened.able else []
        except Rejection as no:
            return self._sorry(no, lang, None)
        options = None if opened.able else self._witnessing.enrolment_options(opened)
        return self._page(
            "witness.html",
            lang,
            link=link,
            options=json.dumps(options) if options else None,
            until=local_time(opened.invited.expires_at, lang),
            waiting=waiting,
        )

    async def enrol(self, link: str, answer: str, lang: Lang) -> Response:
        try:
            await self._witnessing.enrol(link, document(answer))
        except Rejection as no:
            return no_to_script(no, lang)
        return yes_to_script({"location": f"/w/{link}?lang={lang}"})

    async def question(self, place: Place, lang: Lang) -> Response:
        try:
            opened = await self._witnessing.opened(place.link)
            asked = await self._witnessing.show(opened, place.consent_id, lang)
        except Rejection as no:
            return self._sorry(no, lang, None)
        shown, standing = asked.shown, asked.shown.view.standing
        return self._page(
            "witness_question.html",
            lang,
            link=place.link,
            address=place.address,
            names=shown.names,
            notice=notice_blocks(shown, lang),
            notice_hash=shown.notice.hash,
            standing=standing,
            meaning=meaning(shown, lang),
            happened=happened(shown.view, lang),
            open=standing in ANSWERABLE[Decision.GIVEN],
            withdrawable=standing in ANSWERABLE[Decision.WITHDRAWN],
            withdraw="ask_me_again" if shown.view.consent.refused else "withdraw",
            sides=cards(shown.view, shown.notice.side, lang),
            for_other=shown.for_other,
            child_agrees=shown.child_agrees,
            signed=_signed(asked, lang),
        )

    async def ask(self, place: Place, press: Press, challenge_id: str, scan_hash: str) -> Response:
        """Fix what the first of two pressed; of the second, only ask for the signature."""
        witnessing, consent_id = self._witnessing, place.consent_id
        try:
            opened = await witnessing.opened(place.link)
            if challenge_id:
                options = await witnessing.options(opened, consent_id, challenge_id)
            else:
                pressed, scan = press.pressed(), _scan(scan_hash)
                challenge_id, options = await witnessing.ask(opened, consent_id, pressed, scan)
        except Rejection as no:
            return no_to_script(no, press.lang)
        return yes_to_script({"challenge_id": challenge_id, "options": options})

    async def sign(
        self, place: Place, challenge_id: str, answer: str, lang: Lang, host: str | None
    ) -> Response:
        try:
            opened = await self._witnessing.opened(place.link)
            given = document(answer)
            await self._witnessing.sign(opened, place.consent_id, challenge_id, given, host)
        except Rejection as no:
            return no_to_script(no, lang)
        return yes_to_script({"location": f"{place.address}?lang={lang}"})

    async def dissent(self, place: Place, challenge_id: str, lang: Lang) -> Response:
        try:
            opened = await self._witnessing.opened(place.link)
            await self._witnessing.dissent(opened, place.consent_id, challenge_id)
        except Rejection as no:
            return self._sorry(no, lang, None)
        return RedirectResponse(f"{place.address}?lang={lang}", 303, SECURITY_HEADERS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """What the first of two witnesses signed, as the page shows it; `own`: it was this one."""

    challenge_id: str
    own: bool
    says: str
    sides: list[Card]
    subject_agrees: bool
    scan_hash: str | None
    until: str


def _signed(asked: Asked, lang: Lang) -> Signed | None:
    if asked.challenge is None:
        return None
    fixed = asked.challenge.asked
    refusal = asked.shown.view.consent.refused is not None
    return Signed(
        challenge_id=fixed.challenge_id,
        own=asked.own,
        says="ask_me_again" if refusal else fixed.statement.decision,
        sides=signed_cards(fixed.statement, asked.shown.notice.side),
        subject_agrees=fixed.statement.subject_agrees is True,
        scan_hash=fixed.scan_hash,
        until=local_time(fixed.expires_at, lang),
    )


def _scan(typed: str) -> str | None:
    """Return the SHA-256 of a scan, None where there is no paper; raises `Rejection`."""
    if typed and not SHA_256.fullmatch(typed):
        raise Rejection(Kind.MALFORMED, "malformed")
    return typed or None
