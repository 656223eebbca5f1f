"""A citizen enrols a passkey with a code from their own phone, looks at theirs, takes one away.

The citizen is whoever speaks on the page of a link: the one who is asked, or their representative.
"""

from dataclasses import dataclass
from typing import Any

from services.consent import messages
from services.consent.application.parts import Parts, new_id, new_nonce, requested
from services.consent.consents import Held
from services.consent.facts import ENROLMENT, EnrolmentRequest, PasskeyAsked, StaffPasskeyMarked
from services.consent.passkeys import (
    ASK_ENROLMENT,
    ENROL,
    MARK_STAFF,
    REVOKE,
    AskEnrolment,
    Enrol,
    Revoke,
)
from services.consent.sms import NotSent
from services.consent.views import read_consent, read_enrolment, read_passkeys, read_phone
from shared.errors import Kind, Rejection, Unavailable
from shared.passkeys import BadPasskey


@dataclass(frozen=True, slots=True)
class Offered:
    """What the page of an enrolment shows, and what the device is to be asked."""

    asked: PasskeyAsked
    options: dict[str, Any]
    phone_end: str


class Passkeys:
    """A citizen's passkeys behind the pages of a link."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def held(self, consent_id: str) -> list[Held]:
        """Return the passkeys with which one can sign for a consent, the oldest first."""
        passkeys = await read_passkeys(self._parts.log, await self._citizen_id(consent_id))
        return [one for one in passkeys.values() if not one.revoked]

    async def begin(self, consent_id: str) -> str:
        """Fix the request and send its code to the citizen; returns the enrolment's id."""
        parts, at = self._parts, self._parts.now()
        view = await read_consent(parts.log, consent_id, at)
        own_id = (await parts.speaker(view.consent)).citizen_id
        phone = await parts.phone(own_id)
        bank_id = requested(view.consent).bank_id
        request = EnrolmentRequest(
            typ=ENROLMENT,
            enrolment_id=new_id(),
            citizen_id=own_id,
            nonce=new_nonce(),
            issued_at=at,
        )
        means = await parts.phone_means(own_id, parts.phone_mark(phone))
        policy = await parts.policies.at(at)
        asked = AskEnrolment(request=request, bank_id=bank_id, means=means, at=at, policy=policy)
        await parts.log.perform(ASK_ENROLMENT, asked)
        try:
            await parts.sms.send(phone.number, messages.enrolment(parts.codes.code(request.hash())))
        except NotSent:
            raise Unavailable("code_not_sent") from None
        return request.enrolment_id

    async def offered(self, consent_id: str, enrolment_id: str) -> Offered:
        """Return what the device is to be asked; raises `Rejection` for another's enrolment."""
        asked = await self._asked(consent_id, enrolment_id)
        passkeys = await read_passkeys(self._parts.log, asked.citizen_id)
        phone_end = (await self._parts.phone(asked.citizen_id)).number[-3:]
        handle = bytes.fromhex(self._parts.marks.mark("passkey-user", asked.citizen_id))
        options = self._parts.party.enrolment_options(
            handle,
            f"Thuận …{phone_end}",
            bytes.fromhex(asked.request_hash),
            [one.passkey for one in passkeys.values()],
        )
        return Offered(asked, options, phone_end)

    async def finish(self, consent_id: str, enrolment_id: str, code: str, answer: object) -> None:
        """Enrol what a device answered, if the code is right; raises `Rejection`."""
        asked, at = await self._asked(consent_id, enrolment_id), self._parts.now()
        passkey, failure = None, ""
        try:
            passkey = self._parts.party.enrol(answer, bytes.fromhex(asked.request_hash))
        except BadPasskey as bad:
            failure = bad.code
        enrol = Enrol(
            enrolment_id=enrolment_id,
            citizen_id=asked.citizen_id,
            means=await self._parts.phone_means(asked.citizen_id, asked.phone_id),
            code_matches=self._parts.codes.matches(asked.request_hash, code),
            passkey=passkey,
            failure=failure,
            at=at,
            policy=await self._parts.policies.at(at),
        )
        outcome = await self._parts.log.perform(ENROL, enrol)
        if outcome.added:
            text = messages.enrolled(enrol.at, f"{self._parts.link(consent_id)}/passkey")
            await self._parts.tell(await self._parts.phone(asked.citizen_id), text)

    async def revoke(self, consent_id: str, passkey_id: str) -> None:
        """Take a passkey away: it signs nothing from now on, and the phone is told."""
        citizen_id, at = await self._citizen_id(consent_id), self._parts.now()
        revoke = Revoke(citizen_id=citizen_id, passkey_id=passkey_id)
        outcome = await self._parts.log.perform(REVOKE, revoke)
        if outcome.added:
            text = messages.removed(at, f"{self._parts.link(consent_id)}/passkey")
            await self._parts.tell(await read_phone(self._parts.log, citizen_id, at), text)

    async def mark_staff(self, clerk_id: str, passkey_id: str) -> None:
        """Know a passkey as a clerk's own: it signs for no citizen."""
        mark = StaffPasskeyMarked(clerk_id=clerk_id, passkey_id=passkey_id)
        await self._parts.log.perform(MARK_STAFF, mark)

    async def _citizen_id(self, consent_id: str) -> str:
        view = await read_consent(self._parts.log, consent_id, self._parts.now())
        return (await self._parts.speaker(view.consent)).citizen_id

    async def _asked(self, consent_id: str, enrolment_id: str) -> PasskeyAsked:
        """Return the request, if it is of the citizen of this link."""
        asked = await read_enrolment(self._parts.log, enrolment_id)
        if asked is None or asked.citizen_id != await self._citizen_id(consent_id):
            raise Rejection(Kind.UNKNOWN, "enrolment_unknown")
        return asked
