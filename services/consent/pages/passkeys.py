"""Passkeys on the citizen's pages: sign with one, enrol one with a code, take one away.

What the page's script asks is answered in JSON, with the sentence that a person would read; the
page itself works without it, and then says so and offers the code by SMS.
"""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse, RedirectResponse, Response

from services.consent.application.deciding import Deciding
from services.consent.application.passkeys import Passkeys
from services.consent.pages.presses import Press, PressForm
from services.consent.pages.rendering import (
    SECURITY_HEADERS,
    LangForm,
    LangQuery,
    Rendering,
    local_time,
    told,
)
from shared.contracts.reasons import Lang
from shared.errors import Rejection
from shared.web import STATUS, Host

AnswerForm = Annotated[str, Form()]
"""What the device answered, as the browser's JSON."""


def routes(deciding: Deciding, passkeys: Passkeys, *, sandbox: bool) -> APIRouter:
    """Return the pages and answers of a link that are about passkeys."""
    router = APIRouter(tags=["citizen"], include_in_schema=False)
    pages = _Pages(deciding, passkeys, sandbox=sandbox)

    @router.post("/c/{link}/passkey-options")
    async def ask(link: str, press: PressForm) -> Response:
        return await pages.ask(link, press)

    @router.post("/c/{link}/sign/{challenge_id}/passkey")
    async def sign(
        link: str, challenge_id: str, host: Host, answer: AnswerForm = "", lang: LangForm = "vi"
    ) -> Response:
        return await pages.sign(link, challenge_id, answer, lang, host)

    @router.get("/c/{link}/passkey")
    async def show(link: str, lang: LangQuery = "vi") -> Response:
        return await pages.show(link, lang)

    @router.post("/c/{link}/passkey")
    async def begin(link: str, lang: LangForm = "vi") -> Response:
        return await pages.begin(link, lang)

    @router.get("/c/{link}/passkey/{enrolment_id}")
    async def show_enrolment(link: str, enrolment_id: str, lang: LangQuery = "vi") -> Response:
        return await pages.show_enrolment(link, enrolment_id, lang)

    @router.post("/c/{link}/passkey/{enrolment_id}")
    async def enrol(
        link: str,
        enrolment_id: str,
        code: Annotated[str, Form()] = "",
        answer: AnswerForm = "",
        lang: LangForm = "vi",
    ) -> Response:
        return await pages.enrol(link, enrolment_id, code, answer, lang)

    @router.post("/c/{link}/passkey/{passkey_id}/revocation")
    async def revoke(link: str, passkey_id: str, lang: LangForm = "vi") -> Response:
        return await pages.revoke(link, passkey_id, lang)

    return router


class _Pages(Rendering):
    def __init__(self, deciding: Deciding, passkeys: Passkeys, *, sandbox: bool) -> None:
        super().__init__(sandbox=sandbox)
        self._deciding, self._passkeys = deciding, passkeys

    async def ask(self, link: str, press: Press) -> Response:
        try:
            consent_id = self._deciding.consent_id(link)
            challenge_id, options = await self._deciding.ask_passkey(consent_id, press.pressed())
        except Rejection as no:
            return no_to_script(no, press.lang)
        return yes_to_script({"challenge_id": challenge_id, "options": options})

    async def sign(
        self, link: str, challenge_id: str, answer: str, lang: Lang, host: str | None
    ) -> Response:
        try:
            consent_id = self._deciding.consent_id(link)
            given = document(answer)
            await self._deciding.sign_with_passkey(consent_id, challenge_id, given, host=host)
        except Rejection as no:
            return no_to_script(no, lang)
        return yes_to_script({"location": f"/c/{link}?lang={lang}"})

    async def show(self, link: str, lang: Lang) -> Response:
        try:
            held = await self._passkeys.held(self._deciding.consent_id(link))
        except Rejection as no:
            return self._sorry(no, lang, link)
        keys = [(one.passkey.id, local_time(one.since, lang)) for one in held]
        return self._page("passkeys.html", lang, link=link, keys=keys)

    async def begin(self, link: str, lang: Lang) -> Response:
        try:
            enrolment_id = await self._passkeys.begin(self._deciding.consent_id(link))
        except Rejection as no:
            return self._sorry(no, lang, link)
        return _see(f"{link}/passkey/{enrolment_id}", lang)

    async def show_enrolment(self, link: str, enrolment_id: str, lang: Lang) -> Response:
        try:
            consent_id = self._deciding.consent_id(link)
            offered = await self._passkeys.offered(consent_id, enrolment_id)
        except Rejection as no:
            return self._sorry(no, lang, link)
        return self._page(
            "enrol.html",
            lang,
            link=link,
            enrolment_id=enrolment_id,
            options=json.dumps(offered.options),
            phone_end=offered.phone_end,
            until=local_time(offered.asked.expires_at, lang),
        )

    async def enrol(
        self, link: str, enrolment_id: str, code: str, answer: str, lang: Lang
    ) -> Response:
        try:
            consent_id = self._deciding.consent_id(link)
            await self._passkeys.finish(consent_id, enrolment_id, code, document(answer))
        except Rejection as no:
            return no_to_script(no, lang)
        return yes_to_script({"location": f"/c/{link}/passkey?lang={lang}"})

    async def revoke(self, link: str, passkey_id: str, lang: Lang) -> Response:
        try:
            await self._passkeys.revoke(self._deciding.consent_id(link), passkey_id)
        except Rejection as no:
            return self._sorry(no, lang, link)
        return _see(f"{link}/passkey", lang)


def document(answer: str) -> object:
    """Return the device's answer as the browser's JSON says it, or the text if it is none."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return answer


def yes_to_script(told: dict[str, Any]) -> Response:
    """Return what the page's script asked for."""
    return JSONResponse(told, headers=SECURITY_HEADERS)


def no_to_script(no: Rejection, lang: Lang) -> Response:
    """Say why not, to the script and in words for the person."""
    reason = no.reasons[0]
    said = {"code": reason.code, "sentence": told(reason.code, lang)}
    return JSONResponse(said, STATUS[no.kind], SECURITY_HEADERS)


def _see(address: str, lang: Lang) -> Response:
    return RedirectResponse(f"/c/{address}?lang={lang}", 303, SECURITY_HEADERS)
