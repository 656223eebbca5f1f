"""Two people witness what a citizen without a phone decides: invited, named, each with their key.

Order of effects in `invite`: first the fact, then the message. Lost in between, the operator
invites again: that adds no fact, and sends the same link.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.consent import messages
from services.consent.application.deciding import Deciding, Pressed, Shown, Way
from services.consent.application.looking import Looking
from services.consent.application.parts import Parts, new_id, new_nonce, requested
from services.consent.consents import Challenge, Consent, Standing
from services.consent.facts import INVITATION, InvitationRequest, WitnessEnded, WitnessInvited
from services.consent.notices import Names
from services.consent.separation import phone_mark
from services.consent.sms import NotSent
from services.consent.views import (
    ConsentView,
    read_consent,
    read_invitation,
    read_named,
    read_names,
    read_speaker,
    read_witnesses,
    view_of,
)
from services.consent.witnesses import END, ENROL, INVITE, Enrol, Invite, Known, Witness
from services.consent.witnessing import ATTEST, DISSENT, NAME, Attest, Dissent, Name
from shared.contracts.consent import Grade
from shared.contracts.evidence import WITNESS_STATEMENT, WitnessStatement
from shared.contracts.evidence import Witnessing as Signed
from shared.contracts.reasons import Lang
from shared.errors import Kind, Rejection, Unavailable
from shared.passkeys import BadPasskey

SHOWN_MAX = 20
"""Questions on a witness's page: the newest, which are the ones that somebody waits for."""

LISTED, READ_OUT = ("product", "bank"), ("notice", "standing", "positions")
"""What a witness is shown on their page, and on that of one question."""

OVER = frozenset({Standing.LAPSED, Standing.EXPIRED, Standing.DISPUTED, Standing.INVALIDATED})
"""Where a consent has nothing more to witness."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Whose page a link opened: the invitation that it came with, and the witness."""

    invited: WitnessInvited
    witness: Witness

    @property
    def able(self) -> bool:
        """Tell whether they can sign."""
        return self.witness.enrolled is not None and self.witness.accepted == self.invited


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that somebody was named for."""

    consent_id: str
    names: Names
    standing: Standing


@dataclass(frozen=True, slots=True)
class Asked:
    """What a witness's page of one question shows: the question, and what was pressed already.

    `own` says whether it was this witness who signed.
    """

    shown: Shown
    challenge: Challenge | None
    own: bool


class Witnessing:
    """Witnesses, behind the routes of those who name them, and behind their own pages."""

    def __init__(self, parts: Parts, deciding: Deciding) -> None:
        self._parts, self._deciding, self._looking = parts, deciding, Looking(parts)

    # -- who they are -----------------------------------------------------------------------------

    async def invite(
        self, witness_id: str, organisation_id: str, number: str, *, invited_by: str
    ) -> datetime:
        """Send the link with which somebody becomes a witness; returns until when it does."""
        parts, at = self._parts, self._parts.now()
        policy = await parts.policies.at(at)
        asked = Invite(
            request=InvitationRequest(
                typ=INVITATION,
                enrolment_id=new_id(),
                witness_id=witness_id,
                nonce=new_nonce(),
                issued_at=at,
            ),
            organisation_id=organisation_id,
            phone_id=phone_mark(parts.marks, number),
            invited_by=invited_by,
            expires_at=at + policy.invitation_lives_for,
            policy_version=policy.version,
        )
        witness = (await parts.log.perform(INVITE, asked)).state.of(witness_id)
        assert witness.invited  # by this, or by one before that says the same
        if witness.accepted != witness.invited:
            await self._send(number, witness.invited)
        return witness.invited.expires_at

    async def end(self, witness_id: str, *, ended_by: str) -> None:
        """Let somebody be a witness no more."""
        await self._parts.log.perform(END, WitnessEnded(witness_id=witness_id, ended_by=ended_by))

    async def opened(self, link: str) -> Opened:
        """Return whose page a link is; raises `Rejection` once a newer one took its place."""
        enrolment_id = self._parts.codes.invitation_id(link)
        invited = await read_invitation(self._parts.log, enrolment_id) if enrolment_id else None
        if invited is None:
            raise Rejection(Kind.UNKNOWN, "not_found")
        found = await read_witnesses(self._parts.log, invited.witness_id)
        witness = found.of(invited.witness_id)
        if invited not in (witness.invited, witness.accepted):
            raise Rejection(Kind.UNKNOWN, "invitation_over")
        return Opened(invited, witness)

    def enrolment_options(self, opened: Opened) -> dict[str, Any]:
        """Return what the device of somebody who was invited is to be asked."""
        invited = opened.invited
        handle = bytes.fromhex(self._parts.marks.mark("passkey-witness", invited.witness_id))
        digest = bytes.fromhex(invited.request_hash)
        return self._parts.party.enrolment_options(handle, "Thuận: làm chứng", digest, [])

    async def enrol(self, link: str, answer: object) -> None:
        """Let a device sign for a witness from now on; raises `Rejection`."""
        invited = (await self.opened(link)).invited
        passkey, failure = None, ""
        try:
            passkey = self._parts.party.enrol(answer, bytes.fromhex(invited.request_hash))
        except BadPasskey as bad:
            failure = bad.code
        enrol = Enrol(
            witness_id=invited.witness_id,
            enrolment_id=invited.enrolment_id,
            phone_id=invited.phone_id,
            passkey=passkey,
            failure=failure,
            at=self._parts.now(),
        )
        await self._parts.log.perform(ENROL, enrol)

    # -- what they sign ---------------------------------------------------------------------------

    async def name(self, consent_id: str, pair: tuple[str, str], *, named_by: str) -> None:
        """Say which two witness what a citizen decides; raises `Rejection` for an unfit pair."""
        view = await read_consent(self._parts.log, consent_id, self._parts.now())
        known = await self._known(view.consent, pair)
        asked = Name(consent_id=consent_id, witnesses=known, named_by=named_by)
        await self._parts.log.perform(NAME, asked)

    async def waiting(self, opened: Opened) -> list[Waiting]:
        """Return the questions that a witness is named for, the newest first; each is a look."""
        log, found, views = self._parts.log, list[Waiting](), list[ConsentView]()
        for consent_id in (await read_named(log, opened.invited.witness_id))[:SHOWN_MAX]:
            view = await read_consent(log, consent_id, self._parts.now())
            if opened.invited.witness_id in view.consent.named and view.standing not in OVER:
                names = await read_names(log, view.consent)
                found.append(Waiting(consent_id, names, view.standing))
                views.append(view)
        await self._looking.witness(views, LISTED, opened.invited.witness_id)
        return found

    async def show(self, opened: Opened, consent_id: str, lang: Lang) -> Asked:
        """Return what a witness reads out, and signs; the look and the text are facts by then."""
        view = await self._view(opened, consent_id)
        await self._looking.witness([view], READ_OUT, opened.invited.witness_id)
        shown = await self._deciding.show(consent_id, lang)
        challenge = _newest(shown.view.consent, self._parts.now())
        own = challenge is not None and opened.invited.witness_id in challenge.witnessed
        return Asked(shown, challenge, own)

    async def ask(
        self, opened: Opened, consent_id: str, pressed: Pressed, scan_hash: str | None
    ) -> tuple[str, dict[str, Any]]:
        """Fix what the first witness pressed; returns the challenge's id, and what to ask."""
        view = await self._view(opened, consent_id)
        known = await self._known(view.consent, view.consent.named)
        speaker = await self._parts.speaker(view.consent)
        way = Way(speaker, Grade.WITNESSED, witnesses=known, scan_hash=scan_hash)
        challenge_id, _ = await self._deciding.ask(view.consent, pressed, way, self._parts.now())
        return challenge_id, await self.options(opened, consent_id, challenge_id)

    async def options(self, opened: Opened, consent_id: str, challenge_id: str) -> dict[str, Any]:
        """Return what a witness's device is to be asked, of what was pressed before."""
        view = await self._view(opened, consent_id)
        says = _says(opened, _challenge(view.consent, challenge_id))
        passkey = opened.witness.passkey
        assert passkey  # who is named has one
        return self._parts.party.signing_options(bytes.fromhex(says.hash()), [passkey])

    async def sign(
        self, opened: Opened, consent_id: str, challenge_id: str, answer: object, host: str | None
    ) -> ConsentView:
        """Sign as one witness; the second signature decides. Raises `Rejection`."""
        view = await self._view(opened, consent_id)
        challenge = _challenge(view.consent, challenge_id)
        signed, failure = self._signed(opened, challenge, answer)
        sign = await self._deciding.signing(view, challenge.asked, failure, host)
        known = await self._known(view.consent, challenge.asked.witness_ids or ())
        asked = Attest(
            witness_id=opened.invited.witness_id,
            witnessing=signed,
            sign=replace(sign, witnesses=known),
        )
        outcome = await self._parts.log.perform(ATTEST, asked)
        after = view_of(outcome.state, sign.at)
        if len(outcome.added) > 1:  # more than the signature: it decided
            await self._deciding.tell(after, challenge.asked.statement)
        return after

    async def dissent(self, opened: Opened, consent_id: str, challenge_id: str) -> None:
        """Say that the citizen did not decide so."""
        asked = Dissent(
            consent_id=consent_id,
            challenge_id=challenge_id,
            witness_id=opened.invited.witness_id,
        )
        await self._parts.log.perform(DISSENT, asked)

    async def _view(self, opened: Opened, consent_id: str) -> ConsentView:
        """Return a consent, to whoever is named for it and can sign."""
        view = await read_consent(self._parts.log, consent_id, self._parts.now())
        if not opened.able or opened.invited.witness_id not in view.consent.named:
            raise Rejection(Kind.UNKNOWN, "consent_unknown")
        return view

    async def _known(self, consent: Consent, pair: Sequence[str]) -> Known:
        found = await read_witnesses(self._parts.log, *pair)
        both = [found.of(one) for one in pair]
        return Known(
            witness_ids=tuple(pair),
            phone_ids=[one.accepted.phone_id for one in both if one.accepted],
            passkey_ids=[one.enrolled.passkey_id for one in both if one.enrolled],
            heard_ids=await self._heard(consent),
        )

    async def _heard(self, consent: Consent) -> list[str]:
        """Return who is heard: the citizen, and whoever speaks for them."""
        citizen_id = requested(consent).citizen_id
        speaker = await read_speaker(self._parts.log, citizen_id, self._parts.now())
        return list(dict.fromkeys([citizen_id, speaker.citizen_id if speaker else citizen_id]))

    def _signed(
        self, opened: Opened, challenge: Challenge, answer: object
    ) -> tuple[Signed | None, str]:
        """Return what a device signed for a witness, or None and why it is nothing."""
        says, witness = _says(opened, challenge), opened.witness
        enrolled, latest = witness.enrolled, witness.passkey
        assert enrolled  # who is named has one
        assert latest
        again = says.witness_id in challenge.witnessed  # the same answer, sent twice
        passkey = enrolled.passkey if again else latest
        try:
            signature = self._parts.party.sign(answer, bytes.fromhex(says.hash()), [passkey])
        except BadPasskey as bad:
            return None, bad.code
        made = Signed(witness_id=says.witness_id, signature=signature, scan_hash=says.scan_hash)
        return made, ""

    async def _send(self, number: str, invited: WitnessInvited) -> None:
        link = self._parts.witness_link(invited.enrolment_id)
        try:
            await self._parts.sms.send(number, messages.invitation(link, invited.expires_at))
        except NotSent:
            raise Unavailable("invitation_not_sent") from None


def _challenge(consent: Consent, challenge_id: str) -> Challenge:
    challenge = consent.challenges.get(challenge_id)
    if challenge is None or not challenge.asked.witness_ids:
        raise Rejection(Kind.UNKNOWN, "challenge_unknown")
    return challenge


def _says(opened: Opened, challenge: Challenge) -> WitnessStatement:
    """Return what this witness signs of what the citizen decides."""
    return WitnessStatement(
        typ=WITNESS_STATEMENT,
        statement_hash=challenge.asked.statement_hash,
        witness_id=opened.invited.witness_id,
        scan_hash=challenge.asked.scan_hash,
    )


def _newest(consent: Consent, at: datetime) -> Challenge | None:
    """Return what the first witness signed and the second can still sign."""
    waiting = [
        one
        for one in consent.challenges.values()
        if one.witnessed
        and not one.signed
        and not one.dissented
        and at < one.asked.expires_at
        and set(one.asked.witness_ids or ()) == set(consent.named)
    ]
    return waiting[-1] if waiting else None
