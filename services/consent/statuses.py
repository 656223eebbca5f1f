"""Whether each decision of one stretch of the log still counts: what a status list says of it.

The view follows the log from the last fact that it has seen, so an answer costs what happened
since. Where that is more than the list itself is long, it looks again only at the list's own
stretch and at the consents decided there, never at the whole log. It keeps a line for each of them.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.consent.consents import DECISIVE, Consent, Standing, evolve
from shared.contracts.status_list import LIST_ENTRIES, Place, Status, StatusList
from shared.ledger.log import Log, about

STATUSES = {
    Standing.WAITING: Status.SUSPENDED,
    Standing.GIVEN: Status.VALID,
    Standing.REDEEMED: Status.USED,
    Standing.REFUSED: Status.VALID,
    Standing.LAPSED: Status.INVALID,
    Standing.EXPIRED: Status.INVALID,
    Standing.WITHDRAWN: Status.INVALID,
    Standing.WITHDRAWN_AFTER_USE: Status.INVALID,
    Standing.REFUSAL_WITHDRAWN: Status.INVALID,
    Standing.DISPUTED: Status.INVALID,
    Standing.INVALIDATED: Status.INVALID,
}
"""What is said of an agreement or a refusal; where a standing is not here, that it counts no more.

A withdrawal itself stands for ever, so nothing is said of it: that is `VALID`.
"""

SAID_OF = ("given", "confirmed", "refused")
"""The decisive facts whose status can change."""

DECISIVE_NAMES = frozenset(kind.NAME for kind in DECISIVE)

PAGE_FACTS = 1_000
"""Facts that are looked through at once; bounds the memory that following takes."""

CONSENTS_AT_ONCE = 100
"""Consents that are read together; SQLite joins at most 500 arms in one question."""

CONSENT_TAG = "consent:"
ALWAYS, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Course:
    """Where in the list one consent's decisions are, and their status from each instant on."""

    indices: tuple[int, ...]
    turns: tuple[tuple[datetime, Status], ...]

    @classmethod
    def of(cls, consent: Consent, number: int) -> "Course":
        """Return what the list of this number says of a consent, now and without further facts."""
        places = [Place.of(position) for position in consent.positions(*SAID_OF)]
        signed = consent.governing
        instants = [ALWAYS, *((signed.not_before, signed.expires_at) if signed else ())]
        return cls(
            tuple(place.index for place in places if place.number == number),
            tuple((one, status_of(consent.standing(one))) for one in instants),
        )

    def at(self, instant: datetime) -> Status:
        """Return the status at an instant (UTC)."""
        return next(status for start, status in reversed(self.turns) if start <= instant)

    def next_turn(self, instant: datetime) -> datetime:
        """Return when the status may change by time alone."""
        return next((start for start, _ in self.turns if start > instant), NEVER)


@dataclass(frozen=True, slots=True)
class Answer:
    """A list, and from when until when it is the answer if nothing happens."""

    since: datetime
    until: datetime
    listed: StatusList


def status_of(standing: Standing) -> Status:
    """Return what a list says of the decision that a consent stands by."""
    return STATUSES.get(standing, Status.INVALID)


class Statuses:
    """The view over one list's positions; what was acknowledged before a question is in it."""

    def __init__(self, log: Log, number: int) -> None:
        self._log, self._number = log, number
        self._stretch = range(number * LIST_ENTRIES, (number + 1) * LIST_ENTRIES)
        self._seen = max(0, self._stretch.start - 1)
        self._courses: dict[str, Course] = {}
        self._answer: Answer | None = None
        self._following = asyncio.Lock()

    async def at(self, instant: datetime) -> StatusList:
        """Return the list as it is at an instant (UTC), after a look at what happened last."""
        async with self._following:
            await self._catch_up()
            answer = self._answer
            if answer is None or not answer.since <= instant < answer.until:
                answer = self._answer = self._answered(instant)
        return answer.listed

    def _answered(self, instant: datetime) -> Answer:
        courses = self._courses.values()
        said = {index: course.at(instant) for course in courses for index in course.indices}
        until = min((course.next_turn(instant) for course in courses), default=NEVER)
        return Answer(instant, until, StatusList.of(said))

    async def _catch_up(self) -> None:
        head = await self._log.head()
        if head - self._seen <= LIST_ENTRIES:
            changed = await self._changed(self._seen, head)
        else:
            changed = await self._changed(self._stretch.start - 1, self._stretch.stop - 1)
        for some in _portions(sorted(changed), CONSENTS_AT_ONCE):
            await self._fold(some)
            await asyncio.sleep(0)  # others are served between two portions
        self._seen = head

    async def _changed(self, after: int, until: int) -> set[str]:
        """Return the consents of this list that something decisive happened to in between."""
        changed = set[str]()
        after = max(0, after)
        while after < until:
            limit = min(PAGE_FACTS, until - after)
            facts = await self._log.stored(after=after, limit=limit)
            for one in facts:
                consent_id = _consent_id(one.tags) if one.kind in DECISIVE_NAMES else None
                if consent_id and (one.position in self._stretch or consent_id in self._courses):
                    changed.add(consent_id)
            after = facts[-1].position if facts else until
            await asyncio.sleep(0)
        return changed

    async def _fold(self, consent_ids: Sequence[str]) -> None:
        arms = [about(f"{CONSENT_TAG}{one}", kinds=tuple(DECISIVE)) for one in consent_ids]
        consents = dict.fromkeys(consent_ids, Consent())
        for recorded in await self._log.read(*arms):
            consent_id = recorded.fact.consent_id
            consents[consent_id] = evolve(consents[consent_id], recorded)
        for consent_id, consent in consents.items():
            course = Course.of(consent, self._number)
            if course.indices:
                self._courses[consent_id] = course
                self._answer = None


def _consent_id(tags: Sequence[str]) -> str | None:
    named = (one.removeprefix(CONSENT_TAG) for one in tags if one.startswith(CONSENT_TAG))
    return next(named, None)


def _portions(whole: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
