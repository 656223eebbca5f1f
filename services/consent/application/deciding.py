"""The citizen reads, presses a button, and signs with the code that came to the phone.

Order of effects in `ask_signature`: first the fact, then the message. Lost in between, the citizen
has no code and asks for another; the other way round, a code would be valid that no fact knows.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from services.consent import messages
from services.consent.application.parts import Parts, new_id, requested
from services.consent.consents import Consent, Standing
from services.consent.decisions import (
    ASK_SIGNATURE,
    SERVE,
    SIGN,
    AskSignature,
    Sign,
    unconfirmable,
)
from services.consent.facts import NoticeServed
from services.consent.notices import Names, Notice
from services.consent.sms import NotSent
from services.consent.statements import Draft, consent_event, draft
from services.consent.views import ConsentView, Phone, read_consent, read_names, read_phone
from shared.contracts.consent import CONSENT_EVENT, Decision, Grade, Statement
from shared.contracts.reasons import Lang
from shared.errors import Kind, Rejection, Unavailable

NONCE_BYTES = 16
"""128 bits of chance in every statement, so that no two have the same digest or code."""

PHONE_DIGITS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """What a citizen's page shows: the consent, its notice, where the code would go.

    `phone_end` is None once the citizen's data are erased: nothing can be signed any more.
    """

    view: ConsentView
    names: Names
    notice: Notice
    phone_end: str | None
    at: datetime

    @property
    def confirmable(self) -> bool:
        """Tell whether the agreement can be confirmed now."""
        return not list(unconfirmable(self.view.consent, self.at))

    @property
    def erased(self) -> bool:
        """Tell whether the citizen's data are erased."""
        return self.phone_end is None


class Deciding:
    """The consents behind the citizen's pages."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def consent_id(self, link: str) -> str:
        """Return the consent that the last part of a link is for; raises `Rejection`."""
        consent_id = self._parts.codes.consent_id(link)
        if consent_id is None:
            raise Rejection(Kind.UNKNOWN, "not_found")
        return consent_id

    async def consent(self, consent_id: str) -> ConsentView:
        """Return a consent as it stands now."""
        return await read_consent(self._parts.log, consent_id, self._parts.now())

    async def show(self, consent_id: str, lang: Lang) -> Shown:
        """Return what the citizen's page shows; that its text was served is a fact from now on."""
        view = await self.consent(consent_id)
        names = await read_names(self._parts.log, view.consent)
        notice = self._parts.notice(view.consent, lang, names)
        served = NoticeServed(
            consent_id=consent_id,
            notice_id=notice.id,
            notice_lang=lang,
            notice_hash=notice.hash,
        )
        await self._parts.log.perform(SERVE, served)
        phone = await read_phone(self._parts.log, requested(view.consent).citizen_id)
        phone_end = phone.number[-PHONE_DIGITS_SHOWN:] if phone else None
        return Shown(view, names, notice, phone_end, self._parts.now())

    async def ask_signature(self, consent_id: str, decision: Decision, lang: Lang) -> str:
        """Fix the statement and send its code to the citizen; returns the challenge's id."""
        view = await self.consent(consent_id)
        names = await read_names(self._parts.log, view.consent)
        notice = self._parts.notice(view.consent, lang, names)
        phone = await self._parts.phone(view.consent)
        statement = self._draft(view.consent, decision, notice, phone)
        asked = AskSignature(
            challenge_id=new_id(),
            statement=statement,
            at=statement.issued_at,
            policy=self._parts.policy,
        )
        await self._parts.log.perform(ASK_SIGNATURE, asked)
        await self._send_code(phone, statement, names, of_refusal=bool(view.consent.refused))
        return asked.challenge_id

    async def sign(self, consent_id: str, challenge_id: str, code: str) -> ConsentView:
        """Sign with a code; returns the consent as it stands after it, or raises `Rejection`."""
        view = await self.consent(consent_id)
        challenge = view.consent.challenges.get(challenge_id)
        if challenge is None:
            raise Rejection(Kind.UNKNOWN, "challenge_unknown")
        at, statement = self._parts.now(), challenge.asked.statement
        asked = Sign(
            consent_id=consent_id,
            challenge_id=challenge_id,
            code_matches=self._parts.codes.matches(challenge.asked.statement_hash, code),
            event=self._event(view.consent, statement, at),
            refusals=self._parts.refusals(requested(view.consent)),
            at=at,
            policy=self._parts.policy,
        )
        outcome = await self._parts.log.perform(SIGN, asked)
        after = ConsentView(outcome.state, outcome.state.standing(at))
        if outcome.added and after.standing is Standing.WAITING:
            await self._tell_waiting(after)
        return after

    def _draft(
        self, consent: Consent, decision: Decision, notice: Notice, phone: Phone
    ) -> Statement:
        asked = requested(consent)
        unnamed = decision is Decision.REFUSED or consent.refused is not None
        what = Draft(
            decision=decision,
            grade=Grade.OTP,
            notice=notice,
            subject=self._parts.refusals(asked).refuser if unnamed else asked.citizen_id,
            known_before=phone.known_since <= asked.asked_at - self._parts.policy.settles_after,
            statement_id=new_id(),
            nonce=secrets.token_urlsafe(NONCE_BYTES),
            at=self._parts.now(),
        )
        return draft(consent, asked, what, self._parts.policy)

    def _event(self, consent: Consent, signed: Statement, at: datetime) -> str:
        """Return the event to publish with this signature, empty if it makes nothing usable."""
        if signed.decision not in {Decision.GIVEN, Decision.CONFIRMED}:
            return ""
        confirms = signed.decision is Decision.CONFIRMED and consent.given
        agreement = consent.given.statement if confirms and consent.given else None
        payload = consent_event(self._parts.signer.issuer, signed, at, agreement)
        return self._parts.sign(CONSENT_EVENT, payload, at) if payload else ""

    async def _tell_waiting(self, view: ConsentView) -> None:
        """Say what the agreement waits for, and how to stop it."""
        asked, governing = requested(view.consent), view.consent.governing
        assert governing  # it waits, so somebody agreed
        names = await read_names(self._parts.log, view.consent)
        phone = await read_phone(self._parts.log, asked.citizen_id)
        link = self._parts.link(asked.consent_id)
        text = messages.waiting(governing, names, link, confirm=view.consent.unconfirmed)
        await self._parts.tell(phone, text)

    async def _send_code(
        self, phone: Phone, statement: Statement, names: Names, *, of_refusal: bool
    ) -> None:
        digits = self._parts.codes.code(statement.hash())
        text = messages.code(digits, statement.decision, names, of_refusal=of_refusal)
        try:
            await self._parts.sms.send(phone.number, text)
        except NotSent:
            raise Unavailable("code_not_sent") from None
