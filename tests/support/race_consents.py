"""How the consents come about that openings race for: asked, agreed to, handed in.

By the consent service's own verbs, in this process: what they take is no part of a race.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from demo.cast import DEVICE, KNOWN_SINCE, SITE, Citizen
from demo.commands import place, question, sitting
from services.consent.application.asking import Asking
from services.consent.application.deciding import Deciding, Pressed
from services.consent.application.registering import Registering
from services.consent.application.submitting import Submitting, Taken
from services.consent.facts import (
    ClerkRegistered,
    ConsentRequested,
    OfficeRegistered,
    Right,
    RightGranted,
)
from services.consent.gate import right_id
from shared.contracts.consent import Channel, Decision, Statement
from tests.support.races import Course
from tests.support.world import new_id

CLERK, BANK = "gdv-01", "so-viet"

ONLINE, COUNTER = place(None), place(CLERK)
"""Where is asked: for a bank nowhere."""


@dataclass(frozen=True)
class Asked:
    """A consent that a clerk asked for, or else the bank; and what its citizen agreed to."""

    citizen: Citizen
    consent_id: str
    place: Mapping[str, str | None]
    agreed: Statement | None = None

    @property
    def clerk(self) -> str | None:
        """Return the clerk who asked; None online."""
        return self.place["clerk_id"]

    @property
    def holder(self) -> str:
        """Return who asked."""
        return self.clerk or BANK


@dataclass(frozen=True)
class Signing:
    """A statement that waits for its code, and the code."""

    challenge_id: str
    statement: Statement
    code: str


async def ask(
    course: Course, where: Mapping[str, str | None] = ONLINE, known_since: str = KNOWN_SINCE
) -> Asked:
    """Have a new citizen asked, whose phone is known since then; the notice is shown."""
    clerk = where["clerk_id"]
    parts, citizen, consent_id = course.parts, course.citizen(), new_id()
    since = msgspec.convert(known_since, datetime) if known_since else None
    await Registering(parts).register_citizen(citizen.id, citizen.phone, since)
    asked_at = parts.now()
    asked = ConsentRequested(
        consent_id=consent_id,
        channel=Channel.COUNTER if clerk else Channel.ONLINE,
        asked_by=f"clerk:{clerk}" if clerk else f"bank:{BANK}",
        asked_at=asked_at,
        decide_by=asked_at + timedelta(hours=1),
        **{**question(citizen), **where},
    )
    await Asking(parts).ask(asked)
    await Deciding(parts).show(consent_id, "vi")
    return Asked(citizen, consent_id, where)


async def agree(
    course: Course, where: Mapping[str, str | None] = ONLINE, known_since: str = KNOWN_SINCE
) -> Asked:
    """Have a new citizen asked, and agree."""
    asked = await ask(course, where, known_since)
    signing = await press(course, asked, Decision.GIVEN)
    deciding = Deciding(course.parts)
    await deciding.sign_with_code(asked.consent_id, signing.challenge_id, signing.code, host=None)
    return replace(asked, agreed=signing.statement)


async def agree_at_the_counter(course: Course, where: Mapping[str, str | None] = COUNTER) -> Asked:
    """Have a citizen agree before a clerk, who hands it in: it waits for the confirmation."""
    asked, submitting = await agree(course, where), Submitting(course.parts)
    pictures, at = sitting(course.parts.now()), course.parts.now()
    taken, who = Taken(**{**pictures, "taken_at": at}), f"clerk:{asked.clerk}"
    await submitting.capture(asked.consent_id, new_id(), taken, who)
    await submitting.submit(asked.consent_id, who)
    return asked


async def agree_with_a_new_phone(course: Course) -> Asked:
    """Have a citizen agree with a phone that nobody knew before: it waits for its time."""
    return await agree(course, ONLINE, "")


async def agree_at_an_own_office(course: Course) -> Asked:
    """Have a citizen agree at an office where nobody else does: what ends there ends for nobody."""
    office_id, registering = f"bd-{new_id()}", Registering(course.parts)
    clerk_id = f"gdv-{office_id}"
    await registering.register(OfficeRegistered(office_id=office_id, name="Bưu điện"))
    await registering.register(ClerkRegistered(clerk_id=clerk_id, office_id=office_id))
    rights = {
        Right.REGISTRATION: {},
        Right.CONTRACT: {"bank_id": BANK},
        Right.TRAINING: {"clerk_id": clerk_id},
        Right.PERMISSION: {"site_id": SITE[0]},
        Right.DEVICE: {"device_id": DEVICE},
    }
    granted = [_granted(right, office_id, **of) for right, of in rights.items()]
    await asyncio.gather(*map(registering.grant, granted))
    where = {"office_id": office_id, "site_id": SITE[0], "clerk_id": clerk_id}
    return await agree_at_the_counter(course, where)


def _granted(right: Right, office_id: str, **of: str) -> RightGranted:
    named: dict[str, Any] = dict.fromkeys(("bank_id", "clerk_id", "site_id", "device_id"))
    return RightGranted(
        right_id=right_id(right, office_id, *of.values()),
        right=right,
        office_id=office_id,
        **{**named, **of},
        valid_from=msgspec.convert(KNOWN_SINCE, datetime),
        valid_until=None,
        document_hash=None,
        granted_by="operator:operator",
    )


async def confirm(course: Course, asked: Asked) -> None:
    """Have the citizen confirm what was handed in."""
    signing = await press(course, asked, Decision.CONFIRMED)
    deciding = Deciding(course.parts)
    await deciding.sign_with_code(asked.consent_id, signing.challenge_id, signing.code, host=None)


async def press(course: Course, asked: Asked, decision: Decision) -> Signing:
    """Press the button of a decision, and have the code for it."""
    deciding = Deciding(course.parts)
    pressed = Pressed(decision=decision, lang="vi", host=None)
    challenge_id = await deciding.ask_code(asked.consent_id, pressed)
    view = await deciding.consent(asked.consent_id)
    statement = view.consent.challenges[challenge_id].asked.statement
    return Signing(challenge_id, statement, course.parts.codes.code(statement.hash()))
