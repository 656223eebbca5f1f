"""What the consent service can be asked: each method reads, performs one verb, answers.

Order of effects in `ask_signature`: first the fact, then the message. Lost in between, the citizen
has no code and asks for another; the other way round, a code would be valid that no fact knows.
"""

import asyncio
import logging
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.consent import messages
from services.consent.codes import Codes
from services.consent.consents import Consent
from services.consent.decisions import ASK_SIGNATURE, SERVE, SIGN, AskSignature, Sign
from services.consent.directory import REGISTER, Entry
from services.consent.erasures import ERASE, Erase
from services.consent.facts import CitizenRegistered, ConsentRequested, Ground, NoticeServed
from services.consent.notices import Names, Notice, Notices
from services.consent.policy import Policy
from services.consent.redemptions import REDEEM, Redeem
from services.consent.refusals import RefusalMarks
from services.consent.requests import ASK, Ask
from services.consent.sms import NotSent, SmsGateway
from services.consent.views import (
    ConsentView,
    read_consent,
    read_consent_ids,
    read_names,
    read_phone,
)
from shared.canonical import canonical
from shared.contracts.consent import (
    ACCOUNTS,
    CONSENT_EVENT,
    REDEMPTION,
    STATEMENT,
    ConsentEvent,
    Decision,
    Grade,
    Receipt,
    Statement,
)
from shared.contracts.reasons import Lang
from shared.errors import Kind, Rejection, Unavailable
from shared.ledger.erasure import Erasure
from shared.ledger.log import Log
from shared.ledger.personal import SubjectKeys
from shared.marks import Marks
from shared.signing import NoKey, Signer

NONCE_BYTES = 16
"""128 bits of chance in every statement, so that no two have the same digest or code."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything that the service is made of."""

    log: Log
    signer: Signer
    codes: Codes
    marks: Marks
    keys: SubjectKeys
    erasure: Erasure
    sms: SmsGateway
    notices: Notices
    policy: Policy
    now: Callable[[], datetime]
    public_url: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a citizen's page shows: the consent, its notice, where the code would go.

    `phone_end` is None once the citizen's data are erased: nothing can be signed any more.
    """

    view: ConsentView
    names: Names
    notice: Notice
    phone_end: str | None

    @property
    def erased(self) -> bool:
        """Tell whether the citizen's data are erased."""
        return self.phone_end is None


class Consents:
    """The consent service behind its routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def register(self, entry: Entry) -> None:
        """Put a line into the directory."""
        await self._parts.log.perform(REGISTER, entry)

    async def register_citizen(self, citizen_id: str, phone: str) -> None:
        """Register a citizen with their own phone (E.164); raises `Rejection` for another phone."""
        await self.register(CitizenRegistered(citizen_id=citizen_id, phone=phone))

    async def erase_citizen(self, citizen_id: str, ground: Ground, asked_by: str) -> list[int]:
        """Erase what is kept of a citizen; returns the positions of the facts that say so.

        The keys take nothing new from the start, so what is registered meanwhile is not lost. The
        fact comes before the keys go, the keys before the bytes; a start finishes what is left.
        """
        key_ids = await asyncio.to_thread(self._parts.keys.retire, f"citizen:{citizen_id}")
        asked = Erase(
            citizen_id=citizen_id,
            consent_ids=await read_consent_ids(self._parts.log, citizen_id),
            key_ids=key_ids,
            ground=ground,
            asked_by=asked_by,
            at=self._parts.now(),
        )
        outcome = await self._parts.log.perform(ERASE, asked)
        await asyncio.to_thread(self._parts.erasure.carry_out, key_ids)
        return sorted(outcome.state.erased.values())

    async def ask(self, question: ConsentRequested) -> str:
        """Put a question to a citizen; returns the link, which goes to the citizen's phone too."""
        refusals = self._refusals(question)
        asked = Ask(question=question, refusals=refusals, policy=self._parts.policy)
        outcome = await self._parts.log.perform(ASK, asked)
        link = self.link(question.consent_id)
        if outcome.added:
            await self._tell(question, link)
        return link

    def link(self, consent_id: str) -> str:
        """Return the address of a citizen's page; it opens the notice and signs nothing."""
        return f"{self._parts.public_url}/c/{self._parts.codes.link(consent_id)}"

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
        notice = self._notice(view.consent, lang, names)
        served = NoticeServed(
            consent_id=consent_id,
            notice_id=notice.id,
            notice_lang=lang,
            notice_hash=notice.hash,
        )
        await self._parts.log.perform(SERVE, served)
        phone = await read_phone(self._parts.log, _requested(view.consent).citizen_id)
        return Shown(view, names, notice, phone[-3:] if phone else None)

    async def ask_signature(self, consent_id: str, decision: Decision, lang: Lang) -> str:
        """Fix the statement and send its code to the citizen; returns the challenge's id."""
        view = await self.consent(consent_id)
        names = await read_names(self._parts.log, view.consent)
        notice = self._notice(view.consent, lang, names)
        statement = self._statement(view.consent, decision, notice)
        challenge_id = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
        asked = AskSignature(
            challenge_id=challenge_id,
            statement=statement,
            at=statement.issued_at,
            policy=self._parts.policy,
        )
        phone = await self._phone(view.consent)
        await self._parts.log.perform(ASK_SIGNATURE, asked)
        refused = view.consent.refused is not None
        await self._send_code(phone, statement, names, of_refusal=refused)
        return challenge_id

    async def sign(self, consent_id: str, challenge_id: str, code: str) -> ConsentView:
        """Sign with a code; returns the consent as it stands after it, or raises `Rejection`."""
        view = await self.consent(consent_id)
        challenge = view.consent.challenges.get(challenge_id)
        if challenge is None:
            raise Rejection(Kind.UNKNOWN, "challenge_unknown")
        at, statement = self._parts.now(), challenge.asked.statement
        given = statement.decision is Decision.GIVEN
        asked = Sign(
            consent_id=consent_id,
            challenge_id=challenge_id,
            code_matches=self._parts.codes.matches(challenge.asked.statement_hash, code),
            event=self._event(statement, at) if given else "",
            refusals=self._refusals(_requested(view.consent)),
            at=at,
            policy=self._parts.policy,
        )
        outcome = await self._parts.log.perform(SIGN, asked)
        return ConsentView(outcome.state, outcome.state.standing(at))

    async def redeem(self, asked: Redeem) -> str:
        """Use a consent; returns the signed receipt, the same again for the same redemption."""
        outcome = await self._parts.log.perform(REDEEM, asked)
        return self._receipt(outcome.state)

    def _notice(self, consent: Consent, lang: Lang, names: Names) -> Notice:
        asked = _requested(consent)
        return self._parts.notices.notice(asked.purpose, lang, names)

    def _refusals(self, asked: ConsentRequested) -> RefusalMarks:
        return RefusalMarks.of(
            self._parts.marks, asked.consent_id, asked.citizen_id, asked.bank_id, asked.office_id
        )

    async def _phone(self, consent: Consent) -> str:
        phone = await read_phone(self._parts.log, _requested(consent).citizen_id)
        if phone is None:
            raise Rejection(Kind.CONFLICT, "citizen_erased")
        return phone

    def _statement(self, consent: Consent, decision: Decision, notice: Notice) -> Statement:
        asked = _requested(consent)
        now = self._parts.now()
        first = consent.given or consent.refused
        unnamed = decision is Decision.REFUSED or consent.refused is not None
        return Statement(
            typ=STATEMENT,
            statement_id=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
            consent_id=asked.consent_id,
            decision=decision,
            citizen_id=self._refusals(asked).refuser if unnamed else asked.citizen_id,
            bank_id=asked.bank_id,
            audience=[ACCOUNTS, asked.bank_id],
            purpose=asked.purpose,
            product_id=asked.product_id,
            terms_hash=asked.terms_hash,
            notice_id=notice.id,
            notice_lang=notice.lang,
            notice_hash=notice.hash,
            channel=asked.channel,
            office_id=asked.office_id,
            site_id=asked.site_id,
            clerk_id=asked.clerk_id,
            grade=Grade.OTP,
            nonce=secrets.token_urlsafe(NONCE_BYTES),
            issued_at=now,
            not_before=now,
            expires_at=now + self._parts.policy.usable_for,
            supersedes=first.statement.statement_id if first else None,
        )

    def _event(self, statement: Statement, at: datetime) -> str:
        payload = ConsentEvent(
            iss=self._parts.signer.issuer,
            aud=statement.audience,
            sub=statement.citizen_id,
            jti=statement.statement_id,
            iat=int(at.timestamp()),
            nbf=int(statement.not_before.timestamp()),
            exp=int(statement.expires_at.timestamp()),
            statement=statement,
            statement_hash=statement.hash(),
        )
        return self._sign(CONSENT_EVENT, payload, at)

    def _receipt(self, consent: Consent) -> str:
        redeemed, placed = consent.redeemed, consent.places["redeemed"]
        assert redeemed  # REDEEM either redeems, finds it redeemed, or raises
        payload = Receipt(
            iss=self._parts.signer.issuer,
            aud=ACCOUNTS,
            iat=int(redeemed.redeemed_at.timestamp()),
            redemption_id=redeemed.redemption_id,
            consent_id=redeemed.consent_id,
            statement_hash=redeemed.statement_hash,
            command_hash=redeemed.command_hash,
            position=placed.position,
            recorded_at=placed.recorded_at,
        )
        return self._sign(REDEMPTION, payload, redeemed.redeemed_at)

    def _sign(self, typ: str, payload: ConsentEvent | Receipt, at: datetime) -> str:
        try:
            return self._parts.signer.sign(typ, canonical(payload), at)
        except NoKey:
            logger.error("no key is valid: run init, then restart")  # noqa: TRY400 - no trace
            raise Unavailable("no_key") from None

    async def _tell(self, question: ConsentRequested, link: str) -> None:
        """Send the link; the clerk's screen shows it too, so a lost message loses nothing."""
        phone = await read_phone(self._parts.log, question.citizen_id)
        try:
            await self._parts.sms.send(phone or "", messages.question(link, question.decide_by))
        except NotSent:
            logger.warning("the link of a consent was not sent")

    async def _send_code(
        self, phone: str, statement: Statement, names: Names, *, of_refusal: bool
    ) -> None:
        digits = self._parts.codes.code(statement.hash())
        text = messages.code(digits, statement.decision, names, of_refusal=of_refusal)
        try:
            await self._parts.sms.send(phone, text)
        except NotSent:
            raise Unavailable("code_not_sent") from None


def _requested(consent: Consent) -> ConsentRequested:
    if consent.requested is None:
        raise Rejection(Kind.UNKNOWN, "consent_unknown")
    return consent.requested
