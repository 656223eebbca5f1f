"""Writes the index of tags into a log, in the background and behind what is sealed.

A segment is due when enough facts are sealed behind the last one, when the first of them is a day
old, and when a regulator asks; of index facts alone none is made. It is read and put together in a
thread, a few facts at a time, so that nobody who opens an account waits for it. Of several
processes that make the same segment one records it: the others find it there.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from eventsourcing.dcb.api import DCBQueryItem

from shared.errors import Kind, Rejection, Unavailable
from shared.ledger.facts import Recorded
from shared.ledger.indexes import FORM, INDEX_TAG, KIND, Segment, TagsIndexed
from shared.ledger.log import Log, Verb, about
from shared.ledger.merkle import Frontier, leaf_hash
from shared.ledger.recorder import Recorder

SEGMENT_FACTS = 16_384
"""Positions of a segment at most, and as many make one due: some 20 MB while it is put together."""

DUE_AFTER = timedelta(days=1)
"""How old a sealed fact gets at most before a segment covers it, and `LOOK_EVERY_S`."""

LOOK_EVERY_S = 600.0
"""Seconds between two looks whether a segment is due."""

PAGE_FACTS, PAGE_LEAVES = 50, 100
"""Facts read, and leaves hashed, between two rests: a millisecond's work."""

REST_S = 0.005
"""Seconds of rest: with it a segment takes some six, most of which others have to themselves."""

WAIT_S = 5.0
"""Seconds in which what is there has to be sealed."""

POLL_S = 0.05

logger = logging.getLogger(__name__)

ItemT = TypeVar("ItemT")


# -- the verb -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """A segment as it was put together: it may enter behind the one before it."""

    first: int
    last: int
    count: int
    root: str
    log: str


def boundary(asked: Index) -> Sequence[DCBQueryItem]:
    """Return all segments: a position is in one of them."""
    return [about(INDEX_TAG, kinds=[TagsIndexed])]


def evolve(indexed: int, recorded: Recorded) -> int:
    """Return the last position that is in a segment."""
    last: int = recorded.fact.last
    return max(indexed, last)


def decide(indexed: int, asked: Index) -> Sequence[TagsIndexed]:
    """Record the segment if it is the next one; nothing, if somebody else was faster."""
    if asked.first != indexed + 1:
        return []
    return [
        TagsIndexed(
            index=FORM,
            first=asked.first,
            last=asked.last,
            count=asked.count,
            root=asked.root,
            log=asked.log,
        )
    ]


INDEX = Verb[int, Index](boundary=boundary, initial=0, evolve=evolve, decide=decide)


# -- when, and how --------------------------------------------------------------------------------


class Stopped(Exception):
    """The service ends: what was being put together is not needed."""


class Indexing:
    """Keeps one log's index."""

    def __init__(
        self, log: Log, name: str, sealed: Callable[[], int], now: Callable[[], datetime]
    ) -> None:
        """`name` says which log it is; `sealed` gives the last position that is sealed."""
        self._log, self._name, self._sealed, self._now = log, name, sealed, now
        self._newest: Recorded | None = None
        self._one_at_a_time = asyncio.Lock()
        self._stopped = False

    async def run(self) -> None:
        """Make what is due, again and again, until cancelled."""
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                try:
                    while await self.step():
                        pass
                except Unavailable:
                    logger.warning("no tags are indexed: the log does not answer")
        finally:
            self._stopped = True

    async def step(self) -> bool:
        """Make the next segment if it is due; returns whether one more may be."""
        indexed, until = await self._indexed(), self._sealed()
        if until - indexed >= SEGMENT_FACTS or await self._is_old(indexed, until):
            return await self._segment(until)
        return False

    async def asked(self) -> dict[str, Any]:
        """Make the next segment of what is there, and return how far the index is, once sealed.

        One at a time: that is answered in time, and the same again goes on. Raises `Rejection`
        where sealing takes too long.
        """
        head = await self._log.head()
        await self._until_sealed(head)
        await self._segment(head)
        newest = await self._last()
        if newest is None:
            return {"indexed": 0, "position": None, "head": head}
        await self._until_sealed(newest.position)
        return {"indexed": newest.fact.last, "position": newest.position, "head": head}

    async def _segment(self, until: int) -> bool:
        """Make the segment behind the last one, up to a position; returns whether there is one."""
        async with self._one_at_a_time:
            first = await self._indexed() + 1
            last = min(until, first + SEGMENT_FACTS - 1)
            made = await self._ask(lambda: self._put_together(first, last))
            if made is None:
                return False
            await self._log.perform(INDEX, made)
            return True

    async def _last(self) -> Recorded | None:
        """Return the newest segment's fact."""
        after = self._newest.position if self._newest else 0
        found = await self._log.read(about(INDEX_TAG, kinds=[TagsIndexed]), after=after)
        self._newest = found[-1] if found else self._newest
        return self._newest

    async def _indexed(self) -> int:
        newest = await self._last()
        return int(newest.fact.last) if newest else 0

    async def _is_old(self, indexed: int, until: int) -> bool:
        """Tell whether the first fact behind the last segment waited long enough."""
        if until <= indexed:
            return False
        (first,) = await self._log.stored(after=indexed, limit=1)
        return self._now() - first.recorded_at >= DUE_AFTER

    async def _until_sealed(self, position: int) -> None:
        until = time.monotonic() + WAIT_S
        while self._sealed() < position:
            if time.monotonic() >= until:
                raise Rejection(Kind.UNKNOWN, "not_sealed")
            await asyncio.sleep(POLL_S)

    async def _ask(self, question: Callable[[], Index | None]) -> Index | None:
        try:
            return await asyncio.to_thread(question)
        except Stopped:
            return None
        except Exception as error:
            logger.exception("the store did not answer")
            raise Unavailable("store_unavailable") from error

    def _put_together(self, first: int, last: int) -> Index | None:
        """Return the segment, None if there is nothing in it but index facts."""
        segment, news = Segment(), False
        for position, kind, tags in _tagged(self._log.recorder, first, last, self._rest):
            segment.add(position, kind, tags)
            news |= kind != KIND
        if not news:
            return None
        tree = Frontier()
        for leaves in _some(segment.leaves(), PAGE_LEAVES):
            self._rest()
            tree = tree.extended(map(leaf_hash, leaves))
        root = tree.root().hex()
        return Index(first=first, last=last, count=tree.size, root=root, log=self._name)

    def _rest(self) -> None:
        if self._stopped:
            raise Stopped
        time.sleep(REST_S)


def _tagged(
    recorder: Recorder, first: int, last: int, rest: Callable[[], None]
) -> Iterator[tuple[int, str, list[str]]]:
    """Yield position, kind and tags of facts, page by page."""
    for after in range(first - 1, last, PAGE_FACTS):
        rest()
        page = recorder.page(after=after, limit=min(PAGE_FACTS, last - after))
        for stored in page.facts:
            yield stored.position, stored.kind, stored.tags


def _some(items: Iterator[ItemT], count: int) -> Iterator[list[ItemT]]:
    """Yield so many at a time."""
    while taken := list(islice(items, count)):
        yield taken
