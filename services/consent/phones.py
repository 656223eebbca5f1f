"""A citizen's phones: which one counts, which one will, and how another comes.

A clerk may type a new number at a counter, and the number may be the clerk's own. The rules:
 1. the citizen was registered, and so is the clerk, if it is a clerk who asks;
 2. a number that counts already, or is on its way, changes nothing;
 3. where a phone counts, it is warned, and the new one counts after `phone_change_waits_for`; until
    then codes go to the old one, and whoever holds that can stop the new one;
 4. where none counts, nobody can be warned: the operator alone enrols one, and it counts at once.

What does not count yet gives way to a later enrolment. Once it counts, it was not known before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.facts import (
    CitizenErased,
    CitizenRegistered,
    ClerkRegistered,
    PhoneEnrolled,
    PhoneEnrolmentStopped,
    PhoneRejected,
    Stopped,
)
from services.consent.policy import Policy
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Erased, Recorded
from shared.ledger.log import Verb, about

KINDS = (CitizenRegistered, CitizenErased, PhoneEnrolled, PhoneEnrolmentStopped)
"""The facts that a citizen's phones are made of."""


@dataclass(frozen=True, slots=True)
class Held:
    """A phone that is or will be a citizen's; `effective_from` (UTC) is None for the first one."""

    position: int
    phone_id: str | None
    number: str | Erased = field(repr=False)
    known_since: datetime
    effective_from: datetime | None = None
    enrolled: PhoneEnrolled | None = None

    def counts(self, at: datetime) -> bool:
        """Tell whether codes may go to it at an instant."""
        return self.effective_from is None or self.effective_from <= at

    def came_by(self, enrolment_id: str) -> bool:
        """Tell whether it is the phone of this enrolment."""
        return self.enrolled is not None and self.enrolled.enrolment_id == enrolment_id


@dataclass(frozen=True, slots=True)
class Phones:
    """What is known of one citizen's phones: the one that counts, and perhaps the next."""

    registered: bool = False
    held: tuple[Held, ...] = ()
    erased: bool = False

    def effective(self, at: datetime) -> Held | None:
        """Return the phone that counts at an instant (UTC); None once it is erased."""
        return next((one for one in reversed(self.held) if one.counts(at)), None)

    def coming(self, at: datetime) -> Held | None:
        """Return the phone that does not count yet."""
        last = self.held[-1] if self.held else None
        return None if last is None or last.counts(at) else last

    def of(self, enrolment_id: str) -> Held | None:
        """Return the phone of an enrolment; None once it was stopped, replaced or erased."""
        return next((one for one in self.held if one.came_by(enrolment_id)), None)


def evolve(phones: Phones, recorded: Recorded) -> Phones:
    """Return a citizen's phones after one more fact of that citizen."""
    match recorded.fact:
        case CitizenRegistered() as fact:
            return Phones(registered=True, held=_first(recorded))
        case CitizenErased():
            return replace(phones, held=(), erased=True)
        case PhoneEnrolled() as fact:
            current = phones.effective(fact.asked_at)
            return replace(phones, held=(*([current] if current else []), _enrolled(recorded)))
        case PhoneEnrolmentStopped(enrolment_id=stopped):
            kept = tuple(one for one in phones.held if not one.came_by(stopped))
            return replace(phones, held=kept)
        case _:
            return phones


def _first(recorded: Recorded) -> tuple[Held, ...]:
    """Return the phone that a citizen was registered with, none for a citizen who has none."""
    fact: CitizenRegistered = recorded.fact
    since = fact.known_since or recorded.recorded_at
    return (Held(recorded.position, fact.phone_id, fact.phone, since),) if fact.phone else ()


def _enrolled(recorded: Recorded) -> Held:
    fact: PhoneEnrolled = recorded.fact
    start = fact.effective_from if fact.effective_from > fact.asked_at else None
    return Held(
        recorded.position,
        fact.phone_id,
        fact.phone,
        fact.effective_from,
        effective_from=start,
        enrolled=fact,
    )


# -- enrol --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrol:
    """Another phone is asked for; `asked_by` such as `clerk:gdv-01`, whose id is `clerk_id`."""

    enrolment_id: str
    citizen_id: str
    number: str = field(repr=False)
    phone_id: str
    asked_by: str
    clerk_id: str | None
    at: datetime
    policy: Policy


@dataclass(frozen=True, slots=True)
class Before:
    """What the rules look at: the citizen's phones, and where the clerk works."""

    phones: Phones = field(default_factory=Phones)
    office_id: str | None = None


def boundary(asked: Enrol) -> Sequence[DCBQueryItem]:
    """Return the arms: this citizen's phones, and the clerk who asks."""
    arms = [about(f"citizen:{asked.citizen_id}", kinds=KINDS)]
    if asked.clerk_id:
        arms.append(about(f"clerk:{asked.clerk_id}", kinds=[ClerkRegistered]))
    return arms


def collect(before: Before, recorded: Recorded) -> Before:
    """Collect what the rules look at."""
    if isinstance(recorded.fact, ClerkRegistered):
        return replace(before, office_id=recorded.fact.office_id)
    return replace(before, phones=evolve(before.phones, recorded))


def decide(before: Before, asked: Enrol) -> Sequence[PhoneEnrolled]:
    """Enrol the phone, or do nothing if it counts or comes already."""
    current, coming = before.phones.effective(asked.at), before.phones.coming(asked.at)
    if reasons := list(_unenrollable(before, current, asked)):
        by = (before.office_id, asked.clerk_id)
        raise _rejection(asked.citizen_id, asked.asked_by, reasons, by, asked.policy.version)
    if asked.phone_id in {one.phone_id for one in (current, coming) if one}:
        return []
    wait = asked.policy.phone_change_waits_for
    return [
        PhoneEnrolled(
            enrolment_id=asked.enrolment_id,
            citizen_id=asked.citizen_id,
            phone_id=asked.phone_id,
            clerk_id=asked.clerk_id,
            office_id=before.office_id,
            asked_by=asked.asked_by,
            asked_at=asked.at,
            effective_from=asked.at + wait if current else asked.at,
            phone=asked.number,
            policy_version=asked.policy.version,
        )
    ]


ENROL = Verb(boundary=boundary, initial=Before(), evolve=collect, decide=decide)


def _unenrollable(before: Before, current: Held | None, asked: Enrol) -> Iterator[Reason]:
    if not before.phones.registered:
        yield Reason("citizen_unknown")
    elif current is None and asked.clerk_id:
        yield Reason("phone_unwarned")
    if asked.clerk_id and before.office_id is None:
        yield Reason("clerk_unknown")


# -- stop ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """A phone that does not count yet never shall; `at` in UTC."""

    citizen_id: str
    enrolment_id: str
    ground: Stopped
    at: datetime


def stop_boundary(asked: Stop) -> Sequence[DCBQueryItem]:
    """Return this citizen's phones."""
    return [about(f"citizen:{asked.citizen_id}", kinds=KINDS)]


def stop_decide(phones: Phones, asked: Stop) -> Sequence[PhoneEnrolmentStopped]:
    """Stop it, or do nothing if it never will count; rejects once it does."""
    one = phones.of(asked.enrolment_id)
    if one is None or one.enrolled is None:
        return []
    if one.counts(asked.at):
        reasons = [Reason("phone_counts", (one.position,))]
        raise _rejection(asked.citizen_id, asked.ground, reasons)
    return [
        PhoneEnrolmentStopped(
            enrolment_id=asked.enrolment_id,
            citizen_id=asked.citizen_id,
            phone_id=one.enrolled.phone_id,
            ground=asked.ground,
        )
    ]


STOP = Verb(boundary=stop_boundary, initial=Phones(), evolve=evolve, decide=stop_decide)


def _rejection(
    citizen_id: str,
    asked_by: str,
    reasons: list[Reason],
    by: tuple[str | None, str | None] = (None, None),
    version: int = 0,
) -> Rejection:
    """Return the no; `by` are office and clerk, if it is a clerk who asks."""
    office_id, clerk_id = by
    fact = PhoneRejected(
        citizen_id=citizen_id,
        asked_by=asked_by,
        reasons=[reason.code for reason in reasons],
        office_id=office_id,
        clerk_id=clerk_id,
        policy_version=version,
    )
    known = all(reason.code != "citizen_unknown" for reason in reasons)
    kind = Kind.CONFLICT if known else Kind.UNKNOWN
    return Rejection(kind, "phone_rejected", reasons=reasons, facts=[fact])
