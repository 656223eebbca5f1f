"""What the rules rejected, by place, by whoever tried and by day: in a list, or counted.

A view over one log, found by tags and positions, so it costs what it tells and not what the log
holds. Each line has its position, whose proof is at `/log/{position}/proof`; a count says up to
which position it counts, so that anybody with the log can count again. No citizen is named: an
attempt is about whoever tried. Nothing is counted by clerk, so nobody is ranked.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from shared.clock import day_of, start_of
from shared.contracts.reasons import sentence
from shared.ledger.facts import Recorded, Vocabulary
from shared.ledger.log import Log, about

COUNTED_AT_ONCE = 500
"""Facts that a count reads at once: bounds its memory, and how long others wait meanwhile."""

BEFORE = timedelta(microseconds=1)
"""The step in which the log tells time."""

CALLERS = ("asked_by", "commanded_by", "redeemed_by")
"""Where a rejected fact says who tried."""

ROLES = {"clerk": "clerk", "site": None, "office": "manager", "bank": "bank"}
"""What can be sought, the narrowest first, and the role of whoever acts in its name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """Which attempts: those that name all of these, or were made in their name."""

    clerk_id: str | None = None
    site_id: str | None = None
    office_id: str | None = None
    bank_id: str | None = None


@dataclass(slots=True)
class Count:
    """How many attempts, and how many of them for each reason."""

    attempts: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reasons: Sequence[str]) -> None:
        """Count one attempt."""
        self.attempts += 1
        self.reasons.update(set(reasons))

    def document(self) -> dict[str, Any]:
        """Return what the API answers."""
        return {"attempts": self.attempts, "reasons": dict(sorted(self.reasons.items()))}


class Rejections:
    """The rejected attempts in one service's log."""

    def __init__(self, log: Log, vocabulary: Vocabulary) -> None:
        self._log = log
        self._kinds = [kind for name, kind in vocabulary.facts.items() if ".rejected." in name]
        callers = {tag for kind in self._kinds for tag in kind.TAGS if tag in CALLERS}
        self._callers = sorted(callers)

    async def listed(
        self, sought: Sought, *, day: date | None, after: int, limit: int
    ) -> dict[str, Any]:
        """Return attempts, the oldest first, and the cursor behind them; `day` is Vietnam's."""
        as_of = None
        if day:
            after = max(after, await self._position_before(day))
            as_of = await self._position_before(day + timedelta(days=1))
        found = await self._log.read(*self._arms(sought), after=after, limit=limit, as_of=as_of)
        last = found[-1].position if found else after
        return {"rejections": [_line(one) for one in found], "next": last}

    async def counted(self, sought: Sought, first: date, until: date) -> dict[str, Any]:
        """Return how many on each day from `first` until before `until`, and for which reasons.

        An attempt that was rejected for several reasons counts once, and once for each of them.
        """
        as_of = await self._position_before(until)
        whole, days = Count(), dict[date, Count]()
        async for one in self._each(sought, await self._position_before(first), as_of):
            for count in (whole, days.setdefault(day_of(one.recorded_at), Count())):
                count.add(one.fact.reasons)
        lines = [{"day": day, **count.document()} for day, count in days.items()]
        period = {"from": first, "until": until, "as_of": as_of}
        return {**period, **whole.document(), "days": lines}

    async def _each(self, sought: Sought, after: int, as_of: int) -> AsyncIterator[Recorded]:
        arms, limit = self._arms(sought), COUNTED_AT_ONCE
        while page := await self._log.read(*arms, after=after, limit=limit, as_of=as_of):
            for one in page:
                yield one
            after = page[-1].position
            await asyncio.sleep(0)  # an embedded store is read in place: others come between

    async def _position_before(self, day: date) -> int:
        return await self._log.position_at(start_of(day) - BEFORE)

    def _arms(self, sought: Sought) -> list[DCBQueryItem]:
        """Return an arm for each way in which an attempt can be theirs; each has one caller."""
        named = [
            [f"{noun}:{own_id}", *(f"{by}:{role}:{own_id}" for by in self._callers if role)]
            for noun, role in ROLES.items()
            if (own_id := getattr(sought, f"{noun}_id"))
        ]
        return [about(*tags, kinds=self._kinds) for tags in product(*named) if self._once(tags)]

    def _once(self, tags: Sequence[str]) -> bool:
        return sum(tag.startswith(tuple(self._callers)) for tag in tags) <= 1


def _line(recorded: Recorded) -> dict[str, Any]:
    fact = recorded.fact
    return {
        "position": recorded.position,
        "recorded_at": recorded.recorded_at,
        "kind": fact.NAME,
        "tried_by": next(_callers(fact), None),
        **{f"{noun}_id": getattr(fact, f"{noun}_id", None) for noun in ROLES},
        "reasons": [
            {"code": code, "en": sentence(code, "en"), "vi": sentence(code, "vi")}
            for code in fact.reasons
        ],
    }


def _callers(fact: Any) -> Iterator[str]:
    """Yield who tried; of a citizen, or a citizen's witness, no more than that it was one."""
    for name in CALLERS:
        if caller := getattr(fact, name, None):
            role, _, _ = caller.partition(":")
            yield role if role in {"citizen", "witness"} else caller
