"""What a store promises, in the eventsourcing library's DCB words, and what all our stores share.

A store keeps facts at positions 1, 2, 3… assigned under a lock that is held until commit, so no
position is ever missing and none becomes visible before a smaller one. `append_batch` commits
many appends in one transaction; each keeps its own condition and its own outcome.
"""

import hashlib
import threading
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBReadResponse,
    DCBRecorder,
    DCBSequencedEvent,
    DCBSubscription,
)
from eventsourcing.persistence import IntegrityError, ProgrammingError
from typing_extensions import override

from shared.ledger import entries
from shared.ledger.merkle import Frontier, leaf_hash

POLL_INTERVAL_S = 0.05
"""Seconds between looks for facts that another process appended: half of the 0.1 s promised."""

PAGE_FACTS_MAX = 500
"""Facts that a subscription fetches at once; bounds its memory."""

STREAM_FACTS_MAX = 5_000
"""Facts that a read without a limit fetches at once: more, since each page asks the query anew."""


SCHEMA_VERSION = 3
"""Kept in every store; one of another version is not used."""


class SchemaMissing(Exception):
    """The store has no ledger, or one of another version: run the service's `init` first."""


ERASURE_TAG = "key"
"""A fact with the tag `key:<id>` says that this key, and all that lies under it, must be gone."""


class Part(msgspec.Struct, frozen=True):
    """What a fact says of one person, encrypted under that person's key, so that it can go."""

    key_id: str
    data: bytes

    def digest(self) -> bytes:
        """Return the SHA-256 that the fact's entry holds, and keeps when the part is gone."""
        return hashlib.sha256(self.data).digest()


@dataclass
class PersonalEvent(DCBEvent):
    """An event with personal parts, which the library's own events do not have."""

    parts: tuple[Part, ...] = ()


class StoredFact(msgspec.Struct, frozen=True, gc=False):
    """A fact as it lies in the store: bytes and place, and the leaf hash made when it came.

    A Struct, like the others that every fact and append makes one of: a frozen dataclass takes ten
    times as long to make.

    `part_digests` stay for ever; `parts` are there where they were asked for (`with_parts`), with
    None for one that is gone.
    """

    position: int
    recorded_at: datetime
    kind: str
    tags: list[str]
    data: bytes
    leaf: bytes
    part_digests: tuple[bytes, ...] = ()
    parts: tuple[Part | None, ...] = ()

    @classmethod
    def new(cls, position: int, recorded_at: datetime, event: DCBEvent) -> "StoredFact":
        """Return an event in the place that it is given."""
        parts = event.parts if isinstance(event, PersonalEvent) else ()
        digests = tuple(map(Part.digest, parts))
        entry = entries.encode(
            position, recorded_at, event.type, event.tags, event.data, part_digests=digests
        )
        leaf = leaf_hash(entry)
        return cls(position, recorded_at, event.type, event.tags, event.data, leaf, digests, parts)

    def entry(self) -> bytes:
        """Return the entry that these bytes make."""
        return entries.encode(
            self.position,
            self.recorded_at,
            self.kind,
            self.tags,
            self.data,
            part_digests=self.part_digests,
        )

    def part_rows(self) -> list[tuple[int, int, str, bytes]]:
        """Return position, number, key and bytes of each part that is there."""
        numbered = enumerate(self.parts)
        return [
            (self.position, number, part.key_id, part.data) for number, part in numbered if part
        ]

    def changed_parts(self) -> list[int]:
        """Return the numbers of the parts that are there and not what their digests say."""
        pairs = enumerate(zip(self.parts, self.part_digests, strict=False))
        return [number for number, (part, said) in pairs if part and part.digest() != said]

    def leaf_now(self) -> bytes:
        """Return the leaf hash that these bytes make; it differs if they were changed."""
        return leaf_hash(self.entry())


@dataclass(frozen=True, slots=True)
class Page:
    """Facts read together, and the position that nothing in them is behind.

    `log_at` is when the log's last fact was recorded (UTC), None for an empty log.
    """

    facts: list[StoredFact]
    head: int
    log_at: datetime | None = None


class Append(msgspec.Struct, frozen=True):
    """One caller's facts and the condition under which they may enter."""

    events: Sequence[DCBEvent]
    condition: DCBAppendCondition | None = None


class Appended(msgspec.Struct, frozen=True):
    """Where an append came to lie: its last position, and the time given to all of its facts."""

    position: int
    recorded_at: datetime


class Head(msgspec.Struct, frozen=True):
    """The end of the log: its tree, and the time given to the last fact."""

    tree: Frontier = Frontier()
    recorded_at: datetime | None = None

    @property
    def position(self) -> int:
        """Return the last position, 0 for an empty log."""
        return self.tree.size


class Commit(msgspec.Struct, frozen=True):
    """What is kept of a commit: the last position in it, and the root of the tree up to there."""

    position: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """What is read of a log: the facts of a query, from where, how many, up to where."""

    query: DCBQuery
    after: int = 0
    limit: int | None = None
    as_of: int | None = None


class Recorder(DCBRecorder):
    """The library's recorder interface, plus time, pages, and batches with an outcome each."""

    READS_LOCALLY = False
    """Whether a read is so short that an event loop may make it in place, without a thread."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._appended = threading.Condition()

    @abstractmethod
    def page(
        self,
        query: DCBQuery | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        as_of: int | None = None,
    ) -> Page:
        """Return the matching facts behind `after` in order, and the head read before them.

        With `as_of` the log is as it was when that was its last position.

        The head is read first: a fact that commits meanwhile is not in the page, is behind the
        head, and so makes an append that relies on the page fail, as it must.
        """

    @abstractmethod
    def head(self) -> int:
        """Return the last position, 0 for an empty log."""

    @abstractmethod
    def end(self) -> Head:
        """Return the end of the log with the tree over all of it."""

    @abstractmethod
    def commit(self, position: int) -> Commit | None:
        """Return the last commit that ended at `position` or before, None if none did."""

    @abstractmethod
    def position_at(self, instant: datetime) -> int:
        """Return the last position that was recorded at the instant or before, 0 if none was."""

    @abstractmethod
    def parts(self, positions: Sequence[int]) -> dict[tuple[int, int], Part]:
        """Return the personal parts that are there, by position and number from 0."""

    @abstractmethod
    def forget(self, key_ids: Sequence[str]) -> None:
        """Remove the parts under these keys; the store refuses for a key that no fact erases."""

    @abstractmethod
    def append_batch(self, batch: Sequence[Append]) -> list[Appended | IntegrityError]:
        """Commit every append whose condition holds, in order, in one durable transaction.

        Returns an outcome each. A commit whose answer is lost is looked up before this returns or
        raises; only where the store cannot be asked does an error leave it open.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the store; a closed recorder is not used again."""

    def pages(self, looks: Sequence[Look]) -> list[Page]:
        """Return the page of each look, all by one visit where the store is elsewhere."""
        return [
            self.page(one.query, after=one.after, limit=one.limit, as_of=one.as_of) for one in looks
        ]

    def with_parts(self, facts: Sequence[StoredFact]) -> list[StoredFact]:
        """Return the facts with the personal parts that are still there."""
        asked = [fact.position for fact in facts if fact.part_digests]
        there = self.parts(asked) if asked else {}
        return [
            msgspec.structs.replace(
                fact,
                parts=tuple(
                    there.get((fact.position, number)) for number in range(len(fact.part_digests))
                ),
            )
            if fact.part_digests
            else fact
            for fact in facts
        ]

    @override
    def append(
        self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None
    ) -> int:
        """Append or raise `IntegrityError`; returns the last position."""
        if not events:
            raise ProgrammingError("an append has at least one event")
        (outcome,) = self.append_batch([Append(events, condition)])
        if isinstance(outcome, IntegrityError):
            raise outcome
        return outcome.position

    @override
    def read(
        self,
        query: DCBQuery | None = None,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> DCBReadResponse:
        """Return the matching events, as the library defines it, fetched as they are read."""
        if limit is None:
            return _Stream(self, query, after or 0)
        facts = self.page(query, after=after or 0, limit=limit).facts
        return _ReadResponse(facts, facts[-1].position if facts else None)

    @override
    def subscribe(
        self, query: DCBQuery | None = None, *, after: int | None = None
    ) -> "Subscription":
        """Return an endless reader that waits at the end of the log."""
        return Subscription(self, query, after)

    def _place(
        self, batch: Sequence[Append], head: Head, failing: Sequence[bool]
    ) -> tuple[list[Appended | IntegrityError], list[StoredFact], Head]:
        """Return the outcomes, the facts to be inserted, and the end that they lead to.

        `failing` says of each append whether its condition fails against what is committed; against
        the appends before it in the batch it is checked here.
        """
        recorded_at, position = self._time_after(head.recorded_at), head.position
        outcomes: list[Appended | IntegrityError] = []
        entering = Entering()
        for append, fails in zip(batch, failing, strict=True):
            if append.condition and (fails or entering.fail(append.condition)):
                outcomes.append(IntegrityError(append.condition))
                continue
            for event in append.events:
                position += 1
                entering.add(StoredFact.new(position, recorded_at, event))
            outcomes.append(Appended(position, recorded_at))
        tree = head.tree.extended(fact.leaf for fact in entering.facts)
        return outcomes, entering.facts, Head(tree, recorded_at)

    def wait(self, timeout_s: float) -> None:
        """Sleep until this process appends, or for `timeout_s` seconds."""
        with self._appended:
            self._appended.wait(timeout_s)

    def _tell_waiting(self) -> None:
        with self._appended:
            self._appended.notify_all()

    def _time_after(self, last: datetime | None) -> datetime:
        """Return the clock's time, or the last recorded one where the clock went backwards."""
        now = self._now()
        return now if last is None or now > last else last


class Entering:
    """The facts of a batch so far, found by tag as those in the store are."""

    def __init__(self) -> None:
        self.facts: list[StoredFact] = []
        self._by_tag: defaultdict[str, list[StoredFact]] = defaultdict(list)

    def add(self, fact: StoredFact) -> None:
        """Take in the next fact."""
        self.facts.append(fact)
        for tag in fact.tags:
            self._by_tag[tag].append(fact)

    def fail(self, condition: DCBAppendCondition) -> bool:
        """Tell whether any of the facts matches, as the library defines it."""
        items, after = condition.fail_if_events_match.items, condition.after or 0
        if not items:
            return any(fact.position > after for fact in self.facts)
        return any(
            fact.position > after
            and (not item.types or fact.kind in item.types)
            and set(item.tags).issubset(fact.tags)
            for item in items
            for fact in (self._by_tag.get(item.tags[0], ()) if item.tags else self.facts)
        )


class MissingPosition(Exception):
    """The log has a hole: whoever follows it stops rather than pass by what may be a fact."""


class Subscription(DCBSubscription[Recorder]):
    """Reads what is there, then waits for more; every fact once, in order.

    One that follows the whole log raises `MissingPosition` at a hole.
    """

    def __init__(self, recorder: Recorder, query: DCBQuery | None, after: int | None) -> None:
        super().__init__(recorder=recorder, query=query, after=after)
        self._ready: Iterator[StoredFact] = iter(())

    @override
    def __next__(self) -> DCBSequencedEvent:
        while not self._has_been_stopped:
            for stored in self._ready:
                self._check_next(stored.position)
                self._last_position = stored.position
                return _sequenced(stored)
            page = self._recorder.page(self._query, after=self._last_position, limit=PAGE_FACTS_MAX)
            self._ready = iter(page.facts)
            if not page.facts:
                self._recorder.wait(POLL_INTERVAL_S)
        raise StopIteration

    def _check_next(self, position: int) -> None:
        expected = (self._last_position or 0) + 1
        if not (self._query and self._query.items) and position != expected:
            raise MissingPosition(f"position {expected} is missing before {position}")


class _ReadResponse(DCBReadResponse):
    def __init__(self, facts: list[StoredFact], head: int | None) -> None:
        self._facts = iter(facts)
        self._head = head

    @property
    @override
    def head(self) -> int | None:
        return self._head

    @override
    def __next__(self) -> DCBSequencedEvent:
        return _sequenced(next(self._facts))


class _Stream(DCBReadResponse):
    """All that matches up to the head at the time of asking, page by page."""

    def __init__(self, recorder: Recorder, query: DCBQuery | None, after: int) -> None:
        page = recorder.page(query, after=after, limit=STREAM_FACTS_MAX)
        self._recorder, self._query, self._as_of = recorder, query, page.head
        self._page = page.facts
        self._facts = iter(page.facts)

    @property
    @override
    def head(self) -> int | None:
        return self._as_of or None

    @override
    def __next__(self) -> DCBSequencedEvent:
        for stored in self._facts:
            return _sequenced(stored)
        if len(self._page) < STREAM_FACTS_MAX:
            raise StopIteration
        self._page = self._recorder.page(
            self._query,
            after=self._page[-1].position,
            limit=STREAM_FACTS_MAX,
            as_of=self._as_of,
        ).facts
        self._facts = iter(self._page)
        return next(self)


def _sequenced(stored: StoredFact) -> DCBSequencedEvent:
    event = DCBEvent(type=stored.kind, data=stored.data, tags=list(stored.tags))
    return DCBSequencedEvent(event=event, position=stored.position)
