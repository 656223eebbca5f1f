"""The country in which a made history happens: both logs, their clock, who may act, and what holds.

It remembers what is in force at the counters, and nothing about citizens, so that its memory does
not grow with the history. The directory has banks, offices with clerks, sites and devices, rights
with dates that end and are given anew, suspensions that two lift, and two versions of policy.
"""

import heapq
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from bench.history.keys import Chance, Device, Issuer
from bench.history.writing import LogWriter, personal_data
from services.consent.facts import (
    LiftedFor,
    Right,
    RightGranted,
    SuspensionLifted,
    SuspensionOrdered,
)
from services.consent.gate import right_id
from services.consent.policy import Policy

START = datetime(2023, 8, 14, 17, tzinfo=UTC)
"""Midnight in Vietnam; from the morning on people come."""

Steps = Generator[timedelta, None, None]
"""What happens to somebody, with the time until the next thing happens."""

RENEWED = timedelta(days=40)
"""How long before its end a right is given anew."""

NEVER = timedelta(days=1)
"""What begins so long from now does not hold now."""

STEADY = 3
"""One office in so many is steady: there, what is planted breaks no law but its own."""

BANKS = 5
CLERKS_EACH, SITES_EACH, DEVICES_EACH = 3, 2, 2


@dataclass(frozen=True, slots=True)
class Product:
    """What a bank offers."""

    id: str
    bank_id: str
    purpose: str
    terms_hash: str
    side_purposes: list[str] | None
    fee_hash: str | None
    lowest_grade: str | None


@dataclass(frozen=True, slots=True)
class Office:
    """An office with its people, places and devices."""

    id: str
    clerks: list[str]
    sites: list[str]
    devices: list[str]


@dataclass(frozen=True, slots=True)
class Place:
    """One counter: who asks there, where, with which device."""

    office_id: str
    clerk_id: str
    site_id: str
    device_id: str


@dataclass
class World:
    """The logs, the clock, and what holds now."""

    chance: Chance
    issuer: Issuer
    consent: LogWriter
    accounts: LogWriter
    now: datetime = START
    policy: Policy = field(default_factory=Policy)
    policies: int = 0
    """Versions that were set so far."""
    happened: int = 0
    """How much happened that was nobody's question."""
    products: list[Product] = field(default_factory=list)
    offices: list[Office] = field(default_factory=list)
    staff_phones: list[str] = field(default_factory=list)
    bystanders: list[str] = field(default_factory=list)
    witnesses: list["WitnessAble"] = field(default_factory=list)
    _rights: dict[str, tuple[datetime, datetime | None]] = field(default_factory=dict)
    _stopped: dict[str, SuspensionOrdered] = field(default_factory=dict)
    _queue: list[tuple[datetime, int, Steps]] = field(default_factory=list)
    _numbers: Callable[[], int] = field(default_factory=lambda: count().__next__)

    # -- what happens -------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Return how many go on later."""
        return len(self._queue)

    @property
    def next_at(self) -> datetime:
        """Return when the next thing happens."""
        return self._queue[0][0]

    def start(self, steps: Steps, after: timedelta = timedelta(0)) -> None:
        """Let something begin."""
        heapq.heappush(self._queue, (self.now + after, self._numbers(), steps))

    def step(self) -> None:
        """Let the next thing happen, at its time."""
        self.now, _, steps = heapq.heappop(self._queue)
        for wait in steps:
            self.start(steps, wait)
            return

    def record(self, fact: Any, key_id: str | None = None) -> int:
        """Record a fact in the log of consents; returns its position.

        `key_id` is that of the key under which something of a person is kept; None: any.
        """
        return self.consent.add(self.now, fact, self._personal(fact, key_id))

    def record_in_accounts(self, fact: Any) -> int:
        """Record a fact in the log of accounts; returns its position."""
        return self.accounts.add(self.now, fact)

    def _personal(self, fact: Any, key_id: str | None) -> Any:
        if not fact.PERSONAL:
            return None
        return personal_data(fact, key_id or self.chance.mark()[:32], self.chance.mark()[:32])

    # -- the gate -----------------------------------------------------------------------------

    def closed(self, bank_id: str, place: Place | None, citizen_id: str | None = None) -> list[str]:
        """Return the reasons why nothing may be done there now, as the gate has them."""
        needed = self._needed(bank_id, place) if place else {}
        missing = [code for code, own_id in needed.items() if not self._holds(own_id)]
        return [*missing, *self._suspended(bank_id, place, citizen_id)]

    @property
    def unsteady(self) -> list[Office]:
        """Return the offices at which things happen that end an office's work."""
        return self.offices[len(self.offices) // STEADY :]

    def steady_place(self) -> Place:
        """Return a counter whose rights have no end, and which nobody suspends."""
        pick = self.chance.random.choice
        office = pick(self.offices[: len(self.offices) // STEADY])
        return Place(office.id, pick(office.clerks), pick(office.sites), pick(office.devices))

    def has_device(self, place: Place) -> bool:
        """Tell whether the device is the office's own now."""
        return self._holds(right_id(Right.DEVICE, place.office_id, place.device_id))

    def _needed(self, bank_id: str, place: Place) -> dict[str, str]:
        office = place.office_id
        return {
            "office_not_registered": right_id(Right.REGISTRATION, office),
            "contract_missing": right_id(Right.CONTRACT, office, bank_id),
            "clerk_untrained": right_id(Right.TRAINING, office, place.clerk_id),
            "permission_missing": right_id(Right.PERMISSION, office, place.site_id),
        }

    def _holds(self, own_id: str) -> bool:
        start, end = self._rights.get(own_id, (self.now + NEVER, None))
        return start <= self.now and (end is None or self.now < end)

    def _suspended(self, bank_id: str, place: Place | None, citizen_id: str | None) -> list[str]:
        act = {"bank_id": bank_id, "citizen_id": citizen_id}
        if place:
            act |= {name: getattr(place, name) for name in ("office_id", "clerk_id", "site_id")}
        codes = list[str]()
        for one in self._stopped.values():
            set_ = [(noun, own) for noun in NOUNS if (own := getattr(one, f"{noun}_id"))]
            if all(act.get(f"{noun}_id") == own for noun, own in set_):
                codes.append(f"{set_[-1][0]}_suspended")
        return codes

    def any_place(self) -> Place:
        """Return a counter, whether or not anything may be done there."""
        pick = self.chance.random.choice
        office = pick(self.offices)
        return Place(office.id, pick(office.clerks), pick(office.sites), pick(office.devices))

    def open_place(self, bank_id: str) -> Place | None:
        """Return a counter at which a bank's questions may be put now; None if none was found."""
        for _ in range(5):
            place = self.any_place()
            if not self.closed(bank_id, place) and self.has_device(place):
                return place
        return None

    # -- what changes it ----------------------------------------------------------------------

    def grant_as(self, granted: RightGranted) -> int:
        """Record a grant, which holds from now on in place of the one before."""
        self._rights[granted.right_id] = (granted.valid_from, granted.valid_until)
        return self.record(granted)

    def order(self, ordered: SuspensionOrdered) -> int:
        """Order a suspension, effective at once."""
        self._stopped[ordered.suspension_id] = ordered
        return self.record(ordered)

    def lift(self, ordered: SuspensionOrdered, proposed_by: str, approved_by: str) -> int:
        """Lift a suspension, from now on."""
        del self._stopped[ordered.suspension_id]
        return self.record(
            SuspensionLifted(
                suspension_id=ordered.suspension_id,
                **{f"{noun}_id": getattr(ordered, f"{noun}_id") for noun in NOUNS},
                why=LiftedFor.REMEDIED,
                proposed_by=proposed_by,
                approved_by=approved_by,
                effective_from=self.now,
                policy_version=self.policy.version,
            )
        )


@dataclass
class WitnessAble:
    """Somebody who signs as a witness."""

    id: str
    organisation_id: str
    device: Device


NOUNS = ("bank", "office", "site", "clerk", "citizen")
"""What a suspension can name, the narrowest last."""
