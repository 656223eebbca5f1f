"""The gate: every reason why, whatever a citizen wants, nobody may be asked and nothing opened now.

A rule file of its own, because both verbs that go through it, asking and using a consent, look at
the same facts in their own boundary: a suspension that was acknowledged at position p means that
nothing is asked or used behind p. Nothing here is remembered between two acts.

All guards that fail are named, each with the positions of the facts that it looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec
from eventsourcing.dcb.api import DCBQueryItem
from msgspec import Struct, structs

from services.consent.facts import (
    ConsentRequested,
    Right,
    RightGranted,
    SuspensionLifted,
    SuspensionOrdered,
)
from shared.contracts.consent import Channel
from shared.errors import Reason
from shared.ledger.facts import Recorded
from shared.ledger.log import about


class Guard(NamedTuple):
    """One reason: its code, the requirement and the law that it stands for."""

    code: str
    requirement: str
    law: str


RIGHTS = {
    Right.REGISTRATION: Guard("office_not_registered", "R19", "Circular 07/2024"),
    Right.CONTRACT: Guard("contract_missing", "R19", "Circular 07/2024; Law 91/2025 art. 37.2 a"),
    Right.TRAINING: Guard("clerk_untrained", "R19", "Circular 07/2024"),
    Right.PERMISSION: Guard("permission_missing", "R19, R39", "Law 91/2025 art. 37.1 h"),
    Right.DEVICE: Guard("device_not_registered", "R14", "Law 91/2025 art. 31.4"),
}
"""What must be in force at a counter, and what is said where it is not.

A device is asked for only where somebody is photographed (`services/consent/submissions.py`).
"""

SUSPENDED = {
    "bank": Guard("bank_suspended", "R22, R45", "own rule"),
    "office": Guard("office_suspended", "R22, R45", "own rule"),
    "clerk": Guard("clerk_suspended", "R22, R45", "own rule"),
    "site": Guard("site_suspended", "R22, R39", "own rule"),
    "citizen": Guard("citizen_suspended", "R22, R32", "Law 91/2025 art. 4"),
}
"""What can be suspended; the narrowest that a suspension names says which code it has."""

RIGHTS_KEPT = 1 << 12
"""Counters whose rights are put together once; each is asked about several times a case."""

NARROWEST_FIRST = ("citizen", "clerk", "site", "office", "bank")


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """Who does what for whom, where: what rights and suspensions are looked up by."""

    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    channel: Channel

    @classmethod
    def of(cls, question: ConsentRequested) -> "Act":
        """Return what a question, and the use of its consent, is about."""
        return cls(**{name: getattr(question, name) for name in cls.__slots__})

    @property
    def rights(self) -> Mapping[Right, str]:
        """Return the ids of the rights that must be in force; online there is no agent."""
        if self.channel is Channel.ONLINE:
            return {}
        return _rights(self.office_id or "", self.bank_id, self.clerk_id, self.site_id)


def right_id(right: Right, office_id: str, of: str | None = None) -> str:
    """Return the id of a right, by what it is about: one right has one id for ever."""
    return "/".join([right, office_id, *([of] if of else [])])


@lru_cache(RIGHTS_KEPT)
def _rights(
    office_id: str, bank_id: str, clerk_id: str | None, site_id: str | None
) -> Mapping[Right, str]:
    return {
        Right.REGISTRATION: right_id(Right.REGISTRATION, office_id),
        Right.CONTRACT: right_id(Right.CONTRACT, office_id, bank_id),
        Right.TRAINING: right_id(Right.TRAINING, office_id, clerk_id),
        Right.PERMISSION: right_id(Right.PERMISSION, office_id, site_id),
    }


class Gate(Struct, frozen=True):
    """The newest grant of each right, and the suspensions that were not lifted."""

    rights: Mapping[str, tuple[int, RightGranted]] = msgspec.field(default_factory=dict)
    suspensions: Mapping[str, tuple[int, SuspensionOrdered]] = msgspec.field(default_factory=dict)
    lifted: Mapping[str, datetime] = msgspec.field(default_factory=dict)


def boundary(act: Act) -> Sequence[DCBQueryItem]:
    """Return the arms: the rights that the act needs, and every suspension that could hold."""
    kinds = [SuspensionOrdered, SuspensionLifted]
    named = [(noun, getattr(act, f"{noun}_id")) for noun in SUSPENDED]
    return [
        *(about(f"right:{one}", kinds=[RightGranted]) for one in act.rights.values()),
        *(about(f"{noun}:{own_id}", kinds=kinds) for noun, own_id in named if own_id),
    ]


def evolve(gate: Gate, recorded: Recorded) -> Gate:
    """Return what is known after one more fact; facts of other nouns leave it as it is."""
    match recorded.fact:
        case RightGranted() as fact:
            rights = {**gate.rights, fact.right_id: (recorded.position, fact)}
            return structs.replace(gate, rights=rights)
        case SuspensionOrdered() as fact:
            ordered = {**gate.suspensions, fact.suspension_id: (recorded.position, fact)}
            return structs.replace(gate, suspensions=ordered)
        case SuspensionLifted() as fact:
            return structs.replace(
                gate, lifted={**gate.lifted, fact.suspension_id: fact.effective_from}
            )
        case _:
            return gate


def closed(gate: Gate, act: Act, at: datetime, late: datetime) -> Iterator[Reason]:
    """Yield every reason why the act is not allowed at an instant (UTC).

    What begins is judged by `at`, what ends by `late` (`shared.ledger.log.Timed`).
    """
    yield from _without_right(gate, act, at, late)
    yield from _suspended(gate, act, at)


def _without_right(gate: Gate, act: Act, at: datetime, late: datetime) -> Iterator[Reason]:
    for right, own_id in act.rights.items():
        position, granted = gate.rights.get(own_id, (0, None))
        if granted is None or not in_force(granted, at, late):
            yield Reason(RIGHTS[right].code, (position,) if position else ())


def in_force(granted: RightGranted, at: datetime, late: datetime) -> bool:
    """Tell whether a right holds: from its start, by `at`, until before its end, by `late`."""
    return granted.valid_from <= at and (granted.valid_until is None or late < granted.valid_until)


def _suspended(gate: Gate, act: Act, at: datetime) -> Iterator[Reason]:
    found = dict[str, list[int]]()
    for own_id, (position, ordered) in gate.suspensions.items():
        lifted = gate.lifted.get(own_id)
        if covers(ordered, act) and (lifted is None or at < lifted):
            found.setdefault(_narrowest(ordered), []).append(position)
    for noun, guard in SUSPENDED.items():
        if noun in found:
            yield Reason(guard.code, tuple(found[noun]))


def covers(ordered: SuspensionOrdered, act: Act) -> bool:
    """Tell whether a suspension is about an act: every id that it sets is the act's own."""
    scope = [(getattr(ordered, f"{noun}_id"), getattr(act, f"{noun}_id")) for noun in SUSPENDED]
    return all(wanted in (None, own) for wanted, own in scope)


def _narrowest(ordered: SuspensionOrdered) -> str:
    return next(noun for noun in NARROWEST_FIRST if getattr(ordered, f"{noun}_id"))
