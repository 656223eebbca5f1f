"""What was done at a bank, an office, a place, or by a clerk: rights, stops, and what came of it.

Nobody's case is opened by it: what is listed has its position and time, and no person's id.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from services.accounts.facts import AccountOpened
from services.audit.history import FoundHistory, History
from services.audit.pages.cases import Happened
from services.consent.facts import (
    BankRegistered,
    ClerkRegistered,
    ConsentRefused,
    ConsentRequested,
    OfficeRegistered,
    OpeningSubmitted,
    ProductOffered,
    RightGranted,
    SiteRegistered,
    SuspensionLifted,
    SuspensionOrdered,
)
from shared.clock import day_of, start_of
from shared.ledger.log import about

NOUNS = ("clerk", "office", "site", "bank")

LINES = (BankRegistered, OfficeRegistered, SiteRegistered, ClerkRegistered, ProductOffered)
"""The facts that the directory's line of each is made of."""

LISTED: Mapping[str, type[Any]] = {
    "asked": ConsentRequested,
    "submitted": OpeningSubmitted,
    "opened": AccountOpened,
    "refused": ConsentRefused,
}
"""What is counted and listed; each is found by the tags that it has."""

ROLES = {"clerk": "clerk", "site": None, "office": "manager", "bank": "bank"}
"""In which role each acts by itself; a place does not."""

CALLERS = ("asked_by", "commanded_by", "redeemed_by")
"""The tags of whoever tried something."""

DAYS = 31
"""Days that are shown, unless others are asked for."""

DAYS_MAX = 366

LISTED_MAX = 100
"""Of each kind as many are listed, the newest; all are counted."""

ATTEMPTS_MAX = 50_000
"""Attempts that are counted in one period: some seconds of reading."""


@dataclass(frozen=True)
class Period:
    """Days in Vietnam, from the first until before the last."""

    first: date
    until: date

    @property
    def days(self) -> list[date]:
        """Return each day."""
        count = (self.until - self.first).days
        return [self.first + timedelta(days=one) for one in range(count)]

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """Return the first instant (UTC), and the first that is behind it."""
        return start_of(self.first), start_of(self.until)


@dataclass(frozen=True)
class Span:
    """A right or a suspension in time: from when until when (None: no end); `newest` holds."""

    kind: str
    of: str
    start: datetime
    end: datetime | None
    happened: Happened
    newest: bool = True


@dataclass(frozen=True)
class Listed:
    """Facts of a kind: how many in the period, and the newest of them."""

    name: str
    count: int
    newest: Sequence[Happened]


@dataclass(frozen=True)
class Attempts:
    """What was rejected: by day and first reason; by reason, each attempt with all that it had."""

    by_day: Mapping[date, Counter[str]]
    reasons: Counter[str]
    newest: Sequence[Happened]
    count: int


@dataclass(frozen=True)
class Place:
    """One of the directory, as its page shows it."""

    noun: str
    id: str
    lines: Sequence[Happened]
    spans: Sequence[Span]
    listed: Sequence[Listed]
    attempts: Attempts
    end: datetime


def read_place(history: History, noun: str, own_id: str, period: Period) -> Place | None:
    """Return what an export has of one, None if there is nothing; raises `BadExport`."""
    tag = f"{noun}:{own_id}"
    lines = list(_found(history, about(tag, kinds=list(LINES))))
    if not lines and not any(
        log.index.entries(about(tag), limit=1) for log in history.logs.values()
    ):
        return None
    return Place(
        noun,
        own_id,
        lines,
        list(_spans(history, tag)),
        [_listed(history, name, about(tag, kinds=[kind]), period) for name, kind in LISTED.items()],
        _attempts(history, noun, own_id, period),
        ended_at(history),
    )


def ended_at(history: History) -> datetime:
    """Return when the newest fact of the export was recorded."""
    ends = [log.index.entries(after=log.last() - 1) for log in history.logs.values()]
    return max(one[-1].recorded_at for one in ends if one)


def period_of(history: History, first: date | None, until: date | None) -> Period:
    """Return the days that are asked for; by default the last of the export."""
    end = (until or day_of(ended_at(history))) + timedelta(days=1)
    start = first or end - timedelta(days=DAYS)
    return Period(min(max(start, end - timedelta(days=DAYS_MAX)), end - timedelta(days=1)), end)


def _found(
    history: History, *arms: DCBQueryItem, bounds: tuple[datetime, datetime] | None = None
) -> Iterator[Happened]:
    for name, log in history.logs.items():
        after, last = _positions(log, bounds)
        for stored in log.found(*arms, after=after, until=last):
            yield Happened(name, stored, log.decoded(stored))


def _positions(
    log: FoundHistory, bounds: tuple[datetime, datetime] | None
) -> tuple[int, int | None]:
    if bounds is None:
        return 0, None
    step = timedelta(microseconds=1)
    return log.index.position_at(bounds[0] - step), log.index.position_at(bounds[1] - step)


def _spans(history: History, tag: str) -> Iterator[Span]:
    """Yield rights and suspensions, each with its times; none that a citizen wanted for them."""
    kinds = [RightGranted, SuspensionOrdered, SuspensionLifted]
    found = list(_found(history, about(tag, kinds=kinds)))
    newest = {one.fact.right_id: one for one in found if isinstance(one.fact, RightGranted)}
    lifted = {
        one.fact.suspension_id: one.fact.effective_from
        for one in found
        if isinstance(one.fact, SuspensionLifted)
    }
    for one in found:
        match one.fact:
            case RightGranted() as fact:
                of = fact.device_id or fact.clerk_id or fact.site_id or fact.bank_id
                of = of or fact.office_id
                last = newest[fact.right_id] is one
                yield Span(fact.right, of, fact.valid_from, fact.valid_until, one, last)
            case SuspensionOrdered(suspension_id=own_id, ordered_by=by, citizen_id=None):
                yield Span("suspension", by, one.at, lifted.get(own_id), one)
            case _:
                pass


def _listed(history: History, name: str, arm: DCBQueryItem, period: Period) -> Listed:
    count, newest = 0, list[Happened]()
    for log_name, log in history.logs.items():
        after, last = _positions(log, period.bounds)
        entries = log.index.entries(arm, after=after, until=last)
        count += len(entries)
        for entry in entries[-LISTED_MAX:]:
            if stored := log.at(entry.position):
                newest.append(Happened(log_name, stored, log.decoded(stored)))
    newest.sort(key=lambda one: one.at, reverse=True)
    return Listed(name, count, newest[:LISTED_MAX])


def _attempts(history: History, noun: str, own_id: str, period: Period) -> Attempts:
    by_day: dict[date, Counter[str]] = {}
    reasons, count, newest = Counter[str](), 0, deque[Happened](maxlen=LISTED_MAX)
    for one in _rejected(history, noun, own_id, period):
        said = getattr(one.fact, "reasons", [])
        by_day.setdefault(day_of(one.at), Counter())[said[0] if said else "malformed"] += 1
        reasons.update(set(said))
        count += 1
        newest.append(one)
    last = sorted(newest, key=lambda one: one.at, reverse=True)
    return Attempts(by_day, reasons, last, count)


def _rejected(history: History, noun: str, own_id: str, period: Period) -> Iterator[Happened]:
    """Yield what was rejected there, or of what was tried in its own name."""
    role = ROLES[noun]
    tags = [f"{noun}:{own_id}", *(f"{by}:{role}:{own_id}" for by in CALLERS if role)]
    for name, log in history.logs.items():
        kinds = [kind for one, kind in log.vocabulary.facts.items() if ".rejected." in one]
        after, last = _positions(log, period.bounds)
        arms = [about(tag, kinds=kinds) for tag in tags]
        for stored in log.found(*arms, after=after, until=last, limit=ATTEMPTS_MAX):
            yield Happened(name, stored, log.decoded(stored))
