"""What a bank may hear, from a position on: a page of it, as soon as there is one, or as it comes.

Positions have no gaps and none becomes visible before a smaller one, so a cursor skips nothing.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from eventsourcing.dcb.api import DCBQuery

from shared.errors import Unavailable
from shared.hearing.events import Event, Events
from shared.hearing.following import Following
from shared.ledger.log import Log

PAGE_EVENTS_MAX = 500
"""Events that are read at once; bounds the memory of an answer (some 300 kB)."""

LISTENERS_MAX = 8
"""Of one bank that wait in one process; a ninth is asked to come again."""

COME_AGAIN_AFTER_S = 5

ASKED_AGAIN_EVERY_S = 5.0
"""Seconds after which a listener is asked again whether it may listen."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Events in order, and the position to go on behind: up to it there is no other."""

    events: Sequence[Event]
    next: int


class Feed:
    """The events of one log, bank by bank."""

    def __init__(self, log: Log, events: Events, source: str, following: Following) -> None:
        self._log = log
        self.events = events
        self.source = source
        self._following = following
        self._listeners = Counter[str]()

    async def read(
        self, bank_id: str, *, after: int, limit: int, kinds: Sequence[str] | None = None
    ) -> Heard:
        """Return up to `limit` events of a bank behind a position, as they are now."""
        arm = self.events.arm(bank_id, kinds)
        page = await self._log.page(DCBQuery(items=[arm]), after=after, limit=limit)
        events = [self.events.event(stored, self.source) for stored in page.facts]
        full = len(events) == limit
        return Heard(events, events[-1].position if full else max(after, page.head))

    async def wait(self, bank_id: str, *, after: int, limit: int, within_s: float) -> Heard:
        """Return what `read` does, as soon as it has an event, or what it has in the end."""
        time = asyncio.get_running_loop().time
        until = time() + within_s
        while True:
            heard = await self.read(bank_id, after=after, limit=limit)
            after, left_s = heard.next, until - time()
            if heard.events or left_s <= 0 or self._following.ended:
                return heard
            await self._following.beyond(after, left_s)

    async def stream(
        self, bank_id: str, *, after: int, may_listen: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[Event]:
        """Give the events behind a position as they come, until the bank may listen no more."""
        while await may_listen():
            heard = await self.read(bank_id, after=after, limit=PAGE_EVENTS_MAX)
            for event in heard.events:
                yield event
            after = heard.next
            await self._following.beyond(after, ASKED_AGAIN_EVERY_S)
            if self._following.ended:
                return

    @contextmanager
    def listening(self, bank_id: str) -> Iterator[None]:
        """Count a bank's listener while it waits; raises `Unavailable` for one too many."""
        if self._listeners[bank_id] >= LISTENERS_MAX:
            raise Unavailable("overloaded", retry_after_s=COME_AGAIN_AFTER_S)
        self._listeners[bank_id] += 1
        try:
            yield
        finally:
            self._listeners[bank_id] -= 1
