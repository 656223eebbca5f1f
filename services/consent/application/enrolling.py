"""A citizen gets another phone, and whoever holds the old one is told, and can stop it.

First the fact, then the warning; a warning that the gateway did not take is followed by the fact
that the phone never will count. Whoever repeats the call before it counts has the warning sent once
more, because nothing says whether a crash came before the first one. So nobody is answered that a
phone will count unless the gateway took a warning in that same call.

What remains: killed between the fact and the warning, and never asked again until `effective_from`,
the phone comes to count unwarned; asked again late, the old phone has only the rest of the wait.
"""

from dataclasses import dataclass
from datetime import datetime

from services.consent import messages
from services.consent.application.parts import Parts, new_id
from services.consent.facts import PhoneEnrolled, Stopped
from services.consent.phones import ENROL, STOP, Enrol, Stop
from services.consent.separation import phone_mark
from services.consent.sms import NotSent
from services.consent.views import (
    PhoneChange,
    PhoneChangeStanding,
    read_phone,
    read_phone_change,
    read_phones,
)
from shared.errors import Kind, Rejection, Unavailable

PHONE_DIGITS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ShownChange:
    """What the page of a phone that was asked for shows; times in UTC."""

    change: PhoneChange
    standing: PhoneChangeStanding

    @property
    def phone_end(self) -> str:
        """Return the last digits of the new phone, none once it is erased."""
        number = self.change.enrolled.phone
        return number[-PHONE_DIGITS_SHOWN:] if isinstance(number, str) else ""


class Enrolling:
    """The phones behind their routes and pages."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def enrol(
        self, citizen_id: str, number: str, *, asked_by: str, clerk_id: str | None
    ) -> datetime | None:
        """Ask for another phone; returns from when it counts, None if it is the first there was.

        The same again warns again. Raises `Unavailable` if the old phone could not be warned; then
        nothing changes, and what was still to come never will.
        """
        parts, at = self._parts, self._parts.now()
        asked = Enrol(
            enrolment_id=new_id(),
            citizen_id=citizen_id,
            number=number,
            phone_id=phone_mark(parts.marks, number),
            asked_by=asked_by,
            clerk_id=clerk_id,
            at=at,
            policy=await parts.policies.at(at),
        )
        await parts.log.perform(ENROL, asked)
        phones = await read_phones(parts.log, citizen_id)
        coming = phones.coming(asked.at)
        if coming and coming.enrolled and coming.phone_id == asked.phone_id:
            await self._warn(coming.enrolled)
        held = phones.held
        return next((one.effective_from for one in held if one.phone_id == asked.phone_id), None)

    async def shown(self, link: str) -> ShownChange:
        """Return what the page of a link shows; raises `Rejection` for one that we did not make."""
        enrolment_id = self._parts.codes.enrolment_id(link)
        if enrolment_id is None:
            raise Rejection(Kind.UNKNOWN, "not_found")
        change = await read_phone_change(self._parts.log, enrolment_id)
        return ShownChange(change, change.standing(self._parts.now()))

    async def stop(self, link: str) -> None:
        """Keep the old phone; raises `Rejection` once the new one counts."""
        await self._stop((await self.shown(link)).change.enrolled, Stopped.OLD_PHONE)

    async def _warn(self, enrolled: PhoneEnrolled) -> None:
        """Tell the phone that counts of the one to come, or see that it never will."""
        parts = self._parts
        phone = await read_phone(parts.log, enrolled.citizen_id, parts.now())
        change = await read_phone_change(parts.log, enrolled.enrolment_id)
        end = ShownChange(change, PhoneChangeStanding.COMING).phone_end
        link = parts.phone_link(enrolled.enrolment_id)
        text = messages.phone_change(end, change.office, enrolled.effective_from, link)
        try:
            await parts.sms.send(phone.number if phone else "", text)
        except NotSent:
            await self._stop(enrolled, Stopped.UNWARNED)
            raise Unavailable("warning_not_sent") from None

    async def _stop(self, enrolled: PhoneEnrolled, ground: Stopped) -> None:
        stop = Stop(
            citizen_id=enrolled.citizen_id,
            enrolment_id=enrolled.enrolment_id,
            ground=ground,
            at=self._parts.now(),
        )
        await self._parts.log.perform(STOP, stop)
