"""The citizen reads, presses a button, and signs with a passkey or the code that came by SMS.

Order of effects in `ask_code`: first the fact, then the message. Lost in between, the citizen
has no code and asks for another; the other way round, a code would be valid that no fact knows.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.consent import messages
from services.consent.application.parts import Parts, new_id, new_nonce, requested
from services.consent.consents import Consent, Held, Standing
from services.consent.decisions import (
    ASK_SIGNATURE,
    SERVE,
    SIGN,
    AskSignature,
    Sign,
    unconfirmable,
)
from services.consent.facts import NoticeServed, SignatureAsked
from services.consent.grades import too_weak
from services.consent.messages import Said
from services.consent.notices import Names, Notice, SideText
from services.consent.purposes import agreed_sides, taken_alone
from services.consent.representatives import Speaker
from services.consent.sms import NotSent
from services.consent.statements import Draft, consent_event, draft
from services.consent.views import (
    ConsentView,
    Phone,
    phone_of,
    read_consent,
    read_names,
    read_passkeys,
    read_phones,
    read_speaker,
    view_of,
)
from services.consent.witnesses import NOBODY, Known
from shared.contracts.consent import CONSENT_EVENT, Decision, Grade, Statement
from shared.contracts.evidence import CodeMatch, Evidence
from shared.contracts.reasons import Lang
from shared.errors import Kind, Rejection, Unavailable
from shared.passkeys import BadPasskey

PHONE_DIGITS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """What a citizen's page shows: the consent, its notice, where the code would go.

    `speaker` is who speaks for the citizen, None if nobody may; phone and passkeys are theirs.
    `phone_end` is None where there is no phone. Once the citizen's data are `erased`, nothing can
    be signed any more. `passkeys` says whether there is one that could sign.
    """

    view: ConsentView
    names: Names
    notice: Notice
    speaker: Speaker | None
    phone_end: str | None
    at: datetime
    passkeys: bool
    erased: bool

    @property
    def confirmable(self) -> bool:
        """Tell whether the agreement can be confirmed now."""
        return not list(unconfirmable(self.view.consent, self.at, self.at))

    @property
    def code_too_weak(self) -> bool:
        """Tell whether the organisation takes no agreement that a code signs."""
        return too_weak(self.view.consent.requested, Grade.OTP)

    @property
    def for_other(self) -> bool:
        """Tell whether another speaks for the citizen."""
        return self.speaker is not None and self.speaker.authority_id is not None

    @property
    def child_agrees(self) -> bool:
        """Tell whether the citizen is a child who is asked too."""
        return self.speaker is not None and self.speaker.child_agrees

    @property
    def unable(self) -> str | None:
        """Return why nothing can be signed here yet: nobody may speak, or they have no phone."""
        if self.speaker is None:
            return "unspoken"
        return "phoneless" if self.phone_end is None and not self.erased else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pressed:
    """What a citizen pressed, in which language, and the network address that it came from.

    `chosen` are the side purposes that got a yes, `alone` is one to take back by itself;
    `subject_agrees` says that the child who is spoken for was asked, and agrees.
    """

    decision: Decision
    lang: Lang
    host: str | None
    chosen: frozenset[str] = frozenset()
    alone: str | None = None
    subject_agrees: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """Who is to sign something, how, and whether what signs it was known before the question.

    `phone_id` marks the phone that a code goes to; or `witnesses` are two who saw it, and
    `scan_hash` is the SHA-256 of the paper.
    """

    speaker: Speaker
    grade: Grade
    known_before: bool = False
    phone_known: bool = False
    phone_id: str | None = None
    witnesses: Known = NOBODY
    scan_hash: str | None = None


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
        citizen_id, at = requested(view.consent).citizen_id, self._parts.now()
        speaker = await read_speaker(self._parts.log, citizen_id, at)
        phones = await read_phones(self._parts.log, speaker.citizen_id if speaker else citizen_id)
        phone = phone_of(phones, at)
        phone_end = phone.number[-PHONE_DIGITS_SHOWN:] if phone else None
        able = speaker is not None and bool(await self._live(speaker.citizen_id))
        return Shown(view, names, notice, speaker, phone_end, at, able, phones.erased)

    async def _live(self, citizen_id: str) -> list[Held]:
        """Return the passkeys with which a citizen can sign."""
        held = await read_passkeys(self._parts.log, citizen_id)
        return [one for one in held.values() if not one.revoked]

    def side_texts(self, view: ConsentView, lang: Lang) -> tuple[SideText, ...]:
        """Return what the side purposes of a consent are called, in the order of its notice."""
        return self._parts.side_texts(view.consent, lang)

    async def ask_code(self, consent_id: str, pressed: Pressed) -> str:
        """Fix the statement and send its code to the citizen; returns the challenge's id."""
        view = await self.consent(consent_id)
        speaker = await self._parts.speaker(view.consent)
        phone = await self._parts.phone(speaker.citizen_id)
        at = self._parts.now()
        known = phone.known_since <= await self._settled_by(view.consent, at)
        way = Way(speaker, Grade.OTP, known, known, self._parts.phone_mark(phone))
        challenge_id, statement = await self.ask(view.consent, pressed, way, at)
        await self._send_code(phone, statement, view.consent, speaker)
        return challenge_id

    async def ask_passkey(self, consent_id: str, pressed: Pressed) -> tuple[str, dict[str, Any]]:
        """Fix the statement; returns the challenge's id, and what the device is to be asked.

        Only what was known before the question is asked, if there is any.
        """
        view = await self.consent(consent_id)
        speaker = await self._parts.speaker(view.consent)
        live = await self._live(speaker.citizen_id)
        at = self._parts.now()
        settled_by = await self._settled_by(view.consent, at)
        known = [one for one in live if one.since <= settled_by]
        phone = await self._parts.phone(speaker.citizen_id)
        phone_known = phone.known_since <= settled_by
        way = Way(speaker, Grade.KEY_UV, bool(known), phone_known)
        challenge_id, statement = await self.ask(view.consent, pressed, way, at)
        digest = bytes.fromhex(statement.hash())
        asked = [one.latest for one in known or live]
        return challenge_id, self._parts.party.signing_options(digest, asked)

    async def sign_with_code(
        self, consent_id: str, challenge_id: str, code: str, *, host: str | None
    ) -> ConsentView:
        """Sign with a code; returns the consent as it stands after it, or raises `Rejection`."""
        view, asked = await self._asked(consent_id, challenge_id)
        right = self._parts.codes.matches(asked.statement_hash, code)
        match = CodeMatch(challenge_id=challenge_id)
        evidence = Evidence(grade=Grade.OTP, code=match) if right else None
        return await self._sign(view, asked, evidence, "" if right else "code_wrong", host)

    async def sign_with_passkey(
        self, consent_id: str, challenge_id: str, answer: object, *, host: str | None
    ) -> ConsentView:
        """Sign with a device's answer; returns the consent after it, or raises `Rejection`."""
        view, asked = await self._asked(consent_id, challenge_id)
        live = await self._live(await self._signer(view.consent, asked.statement))
        again = view.consent.challenges[challenge_id].signed  # the same answer, sent twice
        passkeys = [one.passkey if again else one.latest for one in live]
        evidence, failure = None, ""
        try:
            digest = bytes.fromhex(asked.statement_hash)
            signature = self._parts.party.sign(answer, digest, passkeys)
            evidence = Evidence(grade=Grade.KEY_UV, passkey=signature)
        except BadPasskey as bad:
            failure = bad.code
        return await self._sign(view, asked, evidence, failure, host)

    async def _asked(
        self, consent_id: str, challenge_id: str
    ) -> tuple[ConsentView, SignatureAsked]:
        view = await self.consent(consent_id)
        challenge = view.consent.challenges.get(challenge_id)
        if challenge is None or challenge.asked.witness_ids:  # the witnesses' pages are elsewhere
            raise Rejection(Kind.UNKNOWN, "challenge_unknown")
        return view, challenge.asked

    async def ask(
        self, consent: Consent, pressed: Pressed, way: Way, at: datetime
    ) -> tuple[str, Statement]:
        """Fix the statement to be signed in this way; returns the challenge's id and it.

        `at` (UTC) is the instant at which the way was found, and whose policy it is judged by.
        """
        question, parts = requested(consent), self._parts
        signer_id = way.speaker.citizen_id
        names = await read_names(parts.log, consent)
        notice = parts.notice(consent, pressed.lang, names)
        policy, what = await parts.policies.at(at), self._what(consent, pressed, way, notice, at)
        statement = draft(consent, question, what, policy)
        asked = AskSignature(
            challenge_id=new_id(),
            citizen_id=question.citizen_id,
            signer_id=signer_id,
            statement=statement,
            means=await parts.means(statement, signer_id, way.phone_id, pressed.host),
            at=at,
            policy=policy,
            witnesses=way.witnesses,
            scan_hash=way.scan_hash,
        )
        await parts.log.perform(ASK_SIGNATURE, asked)
        return asked.challenge_id, statement

    async def _sign(
        self,
        view: ConsentView,
        challenge: SignatureAsked,
        evidence: Evidence | None,
        failure: str,
        host: str | None,
    ) -> ConsentView:
        asked = replace(await self.signing(view, challenge, failure, host), evidence=evidence)
        outcome = await self._parts.log.perform(SIGN, asked)
        after = view_of(outcome.state, asked.at)
        if outcome.added:
            await self.tell(after, challenge.statement)
        return after

    async def signing(
        self, view: ConsentView, challenge: SignatureAsked, failure: str, host: str | None
    ) -> Sign:
        """Return what a signature is judged by, without what proves it."""
        question, statement, at = requested(view.consent), challenge.statement, self._parts.now()
        signer_id = await self._signer(view.consent, statement)
        return Sign(
            consent_id=question.consent_id,
            citizen_id=question.citizen_id,
            signer_id=signer_id,
            challenge_id=challenge.challenge_id,
            evidence=None,
            failure=failure,
            event="" if failure else self._event(view.consent, statement, at),
            refusals=self._parts.refusals(question),
            means=await self._parts.means(statement, signer_id, challenge.phone_id, host),
            at=at,
            policy=await self._parts.policies.at(at),
        )

    async def _signer(self, consent: Consent, statement: Statement) -> str:
        """Return whose signature a statement needs: of whom it names, or of whoever speaks now."""
        citizen_id = requested(consent).citizen_id
        if statement.citizen_id == citizen_id:
            return statement.expressed_by or citizen_id
        speaker = await read_speaker(self._parts.log, citizen_id, self._parts.now())
        return speaker.citizen_id if speaker else citizen_id

    async def _settled_by(self, consent: Consent, at: datetime) -> datetime:
        """Return by when something must have been the citizen's to be known before the question.

        As policy has it at an instant (UTC).
        """
        return requested(consent).asked_at - (await self._parts.policies.at(at)).settles_after

    def _what(
        self, consent: Consent, pressed: Pressed, way: Way, notice: Notice, at: datetime
    ) -> Draft:
        asked = requested(consent)
        unnamed = pressed.decision is Decision.REFUSED or consent.refused is not None
        return Draft(
            decision=pressed.decision,
            grade=way.grade,
            notice=notice,
            subject=self._parts.refusals(asked).refuser if unnamed else asked.citizen_id,
            speaker=way.speaker,
            known_before=way.known_before,
            phone_known=way.phone_known,
            statement_id=new_id(),
            nonce=new_nonce(),
            at=at,
            chosen=pressed.chosen,
            alone=pressed.alone,
            subject_agrees=pressed.subject_agrees,
        )

    def _event(self, consent: Consent, signed: Statement, at: datetime) -> str:
        """Return the event to publish with this signature, empty if it makes nothing usable."""
        if signed.decision not in {Decision.GIVEN, Decision.CONFIRMED}:
            return ""
        confirms = signed.decision is Decision.CONFIRMED and consent.given
        agreement = consent.given.statement if confirms and consent.given else None
        payload = consent_event(self._parts.signer.issuer, signed, at, agreement)
        return self._parts.sign(CONSENT_EVENT, payload, at) if payload else ""

    async def tell(self, view: ConsentView, signed: Statement) -> None:
        """Say what was decided and where its receipt is, or what it waits for, and how to stop."""
        asked, consent = requested(view.consent), view.consent
        names = await read_names(self._parts.log, consent)
        link, decision = self._parts.link(asked.consent_id), signed.decision
        speaker = await read_speaker(self._parts.log, asked.citizen_id, self._parts.now())
        said = Said(
            decision,
            of_refusal=decision is Decision.WITHDRAWN and consent.refused is not None,
            sides=self._sides(consent, signed),
            for_other=speaker is not None and speaker.authority_id is not None,
        )
        if decision is Decision.GIVEN and view.standing is Standing.WAITING and consent.governing:
            text = messages.waiting(
                consent.governing,
                names,
                link,
                confirm=consent.unconfirmed,
                for_other=said.for_other,
            )
        else:
            text = messages.decided(said, names, link)
        await self._parts.tell_all(asked.citizen_id, speaker, text)

    def _sides(self, consent: Consent, statement: Statement) -> str:
        """Return what a message says of side purposes."""
        taken = taken_alone(consent, statement)
        if taken is None:
            return messages.beside(len(agreed_sides(statement)))
        titles = {one.purpose: one.title for one in self._parts.side_texts(consent, "vi")}
        return messages.alone(titles[taken])

    async def _send_code(
        self, phone: Phone, statement: Statement, consent: Consent, speaker: Speaker
    ) -> None:
        names = await read_names(self._parts.log, consent)
        said = Said(
            statement.decision,
            of_refusal=consent.refused is not None,
            sides=self._sides(consent, statement),
            for_other=speaker.authority_id is not None,
        )
        text = messages.code(self._parts.codes.code(statement.hash()), said, names)
        try:
            await self._parts.sms.send(phone.number, text)
        except NotSent:
            raise Unavailable("code_not_sent") from None
