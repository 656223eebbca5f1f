"""The receipt as the citizen sees it, prints it on half a sheet, and keeps it as a file."""

import segno
from fastapi import APIRouter
from fastapi.responses import Response
from markupsafe import Markup

from services.consent.application.deciding import Deciding
from services.consent.application.receipting import Receipting
from services.consent.pages.rendering import SECURITY_HEADERS, LangQuery, Rendering, local_time
from services.consent.pages.words import WORDS
from shared.contracts.consent import Waits
from shared.contracts.reasons import Lang
from shared.contracts.receipts import DECISION_RECEIPT, DecisionReceipt, EventState
from shared.errors import Rejection

FINGERPRINT_DIGITS, GROUP = 16, 4
"""Hexadecimal digits of a statement's hash that a person compares by eye, and in groups of four."""

FILE = "receipt.json"


def routes(deciding: Deciding, receipting: Receipting, *, sandbox: bool) -> APIRouter:
    """Return the pages of a link's receipts; `statement` chooses one, by default the newest."""
    router = APIRouter(tags=["citizen"], include_in_schema=False)
    pages = _Pages(deciding, receipting, sandbox=sandbox)

    @router.get("/c/{link}/receipt")
    async def show(link: str, statement: str = "", lang: LangQuery = "vi") -> Response:
        return await pages.show(link, statement, lang)

    @router.get("/c/{link}/receipt.jwt")
    async def token(link: str, statement: str = "", lang: LangQuery = "vi") -> Response:
        return await pages.token(link, statement, lang)

    @router.get("/c/{link}/receipt.json")
    async def file(link: str, statement: str = "", lang: LangQuery = "vi") -> Response:
        return await pages.file(link, statement, lang)

    return router


class _Pages(Rendering):
    def __init__(self, deciding: Deciding, receipting: Receipting, *, sandbox: bool) -> None:
        super().__init__(sandbox=sandbox)
        self._deciding, self._receipting = deciding, receipting

    async def show(self, link: str, statement_id: str, lang: Lang) -> Response:
        try:
            issued = await self._receipting.own(self._deciding.consent_id(link), statement_id)
        except Rejection as no:
            return self._sorry(no, lang, link)
        receipt = issued.receipt
        return self._page(
            "receipt.html",
            lang,
            link=link,
            names=issued.names,
            receipt=receipt,
            signs=_signs(receipt),
            means=_means(receipt, lang),
            at=local_time(receipt.log.recorded_at, lang),
            place=[one for one in (issued.names.office, issued.names.site) if one],
            fingerprint=_fingerprint(receipt.statement_hash),
            qr=_qr(receipt.withdraw_url),
            changeable=receipt.event_state in {EventState.GIVEN, EventState.REFUSED},
            others=issued.others,
        )

    async def token(self, link: str, statement_id: str, lang: Lang) -> Response:
        try:
            issued = await self._receipting.own(self._deciding.consent_id(link), statement_id)
        except Rejection as no:
            return self._sorry(no, lang, link)
        media_type = f"application/{DECISION_RECEIPT}"
        return Response(issued.token, 200, SECURITY_HEADERS, media_type)

    async def file(self, link: str, statement_id: str, lang: Lang) -> Response:
        try:
            kept = await self._receipting.kept(self._deciding.consent_id(link), statement_id)
        except Rejection as no:
            return self._sorry(no, lang, link)
        disposition = {"Content-Disposition": f'attachment; filename="{FILE}"'}
        return Response(kept.file(), 200, SECURITY_HEADERS | disposition, "application/json")


def _signs(receipt: DecisionReceipt) -> str:
    """Return the name of the words that the citizen signed."""
    again = receipt.event_state is EventState.REFUSAL_WITHDRAWN
    return "ask_me_again" if again else receipt.decision


def _means(receipt: DecisionReceipt, lang: Lang) -> str:
    """Return what the decision meant when it was made; the page of the link says what it does now.

    An agreement that waits says so first: on paper it would else look like one that counts.
    """
    said = receipt.statement
    waits = said.waits_for is Waits.CONFIRMATION
    words = WORDS[lang]["receipt_unconfirmed" if waits else f"receipt_{_signs(receipt)}"]
    return words.format(
        start=local_time(said.not_before, lang), time=local_time(said.expires_at, lang)
    )


def _fingerprint(digest: str) -> str:
    digits = digest[:FINGERPRINT_DIGITS]
    return " ".join(digits[start : start + GROUP] for start in range(0, len(digits), GROUP))


def _qr(address: str) -> Markup:
    """Return a QR code as an SVG element without any style or identity of its own."""
    code = segno.make_qr(address, error="m")
    svg = code.svg_inline(omitsize=True, svgclass=None, lineclass=None, dark="#000", light="#fff")
    return Markup(svg)  # noqa: S704 - squares and numbers; the address is not in it as text
