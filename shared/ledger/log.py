"""What the services use: read the facts that a rule depends on, decide, append, answer.

A verb's boundary is a query. Its append fails if a matching fact appeared since it was read; then
it reads, decides and appends again. So whatever threads and processes do, a rule never relies on
facts that were no longer all of them.

Routes await their append; one thread per process commits. All appends that wait share one
transaction (group commit), and one that is alone waits for nobody.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Generic, TypeVar

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.persistence import IntegrityError

from shared.errors import Rejection, Unavailable
from shared.ledger.facts import Recorded, Vocabulary, tags_of
from shared.ledger.group import Group
from shared.ledger.personal import Personal
from shared.ledger.recorder import Append, Appended, Look, Page, Recorder, StoredFact

ATTEMPTS_MAX = 8
"""Times a verb is decided anew when others were faster, before the caller is asked to wait."""

logger = logging.getLogger(__name__)

StateT = TypeVar("StateT")
AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")


Found = tuple[list[tuple[StoredFact, dict[str, Any] | None]], Page]
"""The facts that were looked for, with what they say of persons, and the page that has them."""


def about(*tags: str, kinds: Sequence[type[Any]] = ()) -> DCBQueryItem:
    """Return one arm of a boundary: facts of these kinds (all, if none) that carry all the tags."""
    return DCBQueryItem(types=[kind.NAME for kind in kinds], tags=list(tags))


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """What is asked where a rule looks at the end of something: a right, a consent, a code.

    A process's clock may be behind, and its log's own time never is: so an end has come by the
    later of both. What begins, begins by the process's clock alone: another that is ahead must not
    end a time to think it over.
    """

    log_at: datetime | None = None
    """When the log's last fact was recorded (UTC), as the log says once it has read."""

    def late(self, at: datetime) -> datetime:
        """Return the later of an instant of the process's clock and the log's own time."""
        return max(at, self.log_at or at)


@dataclass(frozen=True)
class Verb(Generic[StateT, AskedT]):
    """One thing that may be asked: what it depends on, how that folds, what follows.

    `evolve` never refuses. `decide` returns new facts, none if all is as asked already, or raises
    `Rejection` with the facts that record it. All three are pure.
    """

    boundary: Callable[[AskedT], Sequence[DCBQueryItem]]
    initial: StateT
    evolve: Callable[[StateT, Recorded], StateT]
    decide: Callable[[StateT, AskedT], Sequence[Any]]

    def fold(self, history: Sequence[Recorded]) -> StateT:
        """Return the state that a history leads to."""
        state = self.initial
        for recorded in history:
            state = self.evolve(state, recorded)
        return state


@dataclass(frozen=True)
class Outcome(Generic[StateT]):
    """What a verb came to: the state after it, and the facts it added (none if repeated).

    The state is that of the verb's boundary up to the position `head`.
    """

    state: StateT
    added: Sequence[Recorded]
    head: int


@dataclass(frozen=True)
class Weighed:
    """What a verb would come to: its no, if it is one, and what that was decided by.

    `positions` are those of the facts in its boundary, `head` the log's last when they were read.
    """

    rejection: Rejection | None
    positions: Sequence[int]
    head: int


class Log:
    """The log of one service."""

    def __init__(
        self, recorder: Recorder, vocabulary: Vocabulary, personal: Personal | None = None
    ) -> None:
        """`personal` keeps what facts say of persons; without it, that is withheld from reading."""
        self.recorder = recorder
        self._vocabulary = vocabulary
        self._personal = personal
        self._writer = GroupCommit(recorder)
        self._reader = GroupRead(self._find)

    async def perform(
        self, verb: Verb[StateT, AskedT], asked: AskedT, since: Outcome[StateT] | None = None
    ) -> Outcome[StateT]:
        """Decide and record, so that the decision was right at the position where it lies.

        `since` is what another verb of the same boundary came to, which looks at no time of the
        log: it is decided by that first, and read anew if something came since, or if there is
        nothing to record, so that no append could tell.

        Raises the rule's `Rejection` after its facts are recorded, and `Unavailable` when the store
        does not answer, is overloaded, or others were faster every time.
        """
        boundary = DCBQuery(items=list(verb.boundary(asked)))
        for _ in range(ATTEMPTS_MAX):
            by_before, since = since, None
            if by_before:
                state, head, log_at = by_before.state, by_before.head, None
            else:
                history, head, log_at = await self._read(boundary)
                state = verb.fold(history)
            rejection = None
            try:
                facts = verb.decide(state, _timed(asked, log_at))
            except Rejection as no:
                rejection, facts = no, no.facts
            condition = DCBAppendCondition(fail_if_events_match=boundary, after=head)
            added = await self._append(facts, condition)
            if added is None or (by_before and not added):
                continue
            if rejection:
                raise rejection
            for recorded in those_within(boundary, added):
                state = verb.evolve(state, recorded)
            return Outcome(state, added, added[-1].position if added else head)
        raise Unavailable("contended")

    async def weigh(self, verb: Verb[StateT, AskedT], asked: AskedT) -> "Weighed":
        """Decide as `perform` would at this moment, and record nothing."""
        boundary = DCBQuery(items=list(verb.boundary(asked)))
        history, head, log_at = await self._read(boundary)
        positions = [recorded.position for recorded in history]
        try:
            verb.decide(verb.fold(history), _timed(asked, log_at))
        except Rejection as no:
            return Weighed(no, positions, head)
        return Weighed(None, positions, head)

    async def read(
        self,
        *arms: DCBQueryItem,
        after: int = 0,
        limit: int | None = None,
        as_of: int | datetime | None = None,
        withheld: bool = False,
    ) -> list[Recorded]:
        """Return the facts behind `after` that match any of the arms, in order.

        `as_of` is a position, or an instant: what was recorded later is not looked at. `withheld`
        keeps back what they say of persons, as an export does.
        """
        if isinstance(as_of, datetime):
            as_of = await self.position_at(as_of)
        query = DCBQuery(items=list(arms))
        if withheld:
            page = await self._ask(
                lambda: self.recorder.page(query, after=after, limit=limit, as_of=as_of)
            )
            return self.recorded(page.facts)
        facts, *_ = await self._read(query, after=after, limit=limit, as_of=as_of)
        return facts

    async def stored(self, *, after: int, limit: int, tags: Sequence[str] = ()) -> list[StoredFact]:
        """Return up to `limit` facts behind `after` as they lie in the store, in order.

        With tags, only those that carry all of them.
        """
        query = DCBQuery(items=[about(*tags)] if tags else [])
        page = await self._ask(lambda: self.recorder.page(query, after=after, limit=limit))
        return page.facts

    async def page(self, query: DCBQuery, *, after: int, limit: int) -> Page:
        """Return up to `limit` matching facts behind `after` as they are stored, and the head.

        The head was read before them: if there are fewer, there is no other up to the head.
        """
        return await self._ask(lambda: self.recorder.page(query, after=after, limit=limit))

    def recorded(self, facts: Sequence[StoredFact]) -> list[Recorded]:
        """Return facts of a page as they were recorded, without what they say of persons."""
        return [self._recorded(one, None) for one in facts]

    async def position_at(self, instant: datetime) -> int:
        """Return the last position that was recorded at the instant or before, 0 if none was."""
        return await self._ask(lambda: self.recorder.position_at(instant))

    async def head(self) -> int:
        """Return the last position, 0 for an empty log."""
        return await self._ask(self.recorder.head)

    def close(self) -> None:
        """Commit what waits, then let go of the store."""
        self._writer.close()
        self._reader.close()
        self.recorder.close()

    async def _read(
        self,
        query: DCBQuery,
        *,
        after: int = 0,
        limit: int | None = None,
        as_of: int | None = None,
    ) -> tuple[list[Recorded], int, datetime | None]:
        """Return the matching facts, the head read before them, and the log's time there."""
        look = Look(query, after, limit, as_of)
        if self.recorder.READS_LOCALLY:
            ((stored, page),) = await self._ask(lambda: self._find([look]))
        else:
            stored, page = await self._reader.answer(look)
        history = [self._recorded(fact, personal) for fact, personal in stored]
        return history, page.head, page.log_at

    def _find(self, looks: Sequence[Look]) -> list[Found]:
        """Return what each looks for, as one visit to the store gives it."""
        pages = self.recorder.pages(looks)
        whole = iter(self.recorder.with_parts([one for page in pages for one in page.facts]))
        return [
            ([(one, self._opened(one)) for one in islice(whole, len(page.facts))], page)
            for page in pages
        ]

    async def _ask(self, question: Callable[[], AnswerT]) -> AnswerT:
        try:
            if self.recorder.READS_LOCALLY:
                return question()
            return await asyncio.to_thread(question)
        except Exception as error:
            logger.exception("the store did not answer")
            raise Unavailable("store_unavailable") from error

    async def _append(
        self, facts: Sequence[Any], condition: DCBAppendCondition
    ) -> list[Recorded] | None:
        """Return the facts in their places, or None if the condition no longer held."""
        if not facts:
            return []
        events = await self._events(facts)
        outcome = await self._writer.append(Append(events, condition))
        if isinstance(outcome, IntegrityError):
            return None
        first = outcome.position - len(facts) + 1
        return [
            Recorded(position, outcome.recorded_at, fact)
            for position, fact in enumerate(facts, start=first)
        ]

    async def _events(self, facts: Sequence[Any]) -> list[DCBEvent]:
        if self._personal and any(fact.PERSONAL for fact in facts):
            return await self._ask(lambda: [self._event(fact) for fact in facts])
        return [self._vocabulary.encode(fact) for fact in facts]

    def _event(self, happened: Any) -> DCBEvent:
        if self._personal and happened.PERSONAL:
            return self._personal.event(happened)
        return self._vocabulary.encode(happened)

    def _opened(self, stored: StoredFact) -> dict[str, Any] | None:
        return self._personal.opened(stored) if self._personal and stored.part_digests else None

    def _recorded(self, stored: StoredFact, personal: dict[str, Any] | None) -> Recorded:
        fact = self._vocabulary.decode(stored.kind, stored.data, personal)
        return Recorded(stored.position, stored.recorded_at, fact)


def _timed(asked: AskedT, log_at: datetime | None) -> AskedT:
    """Return what is asked with the log's own time, where its rule looks at that."""
    return replace(asked, log_at=log_at) if isinstance(asked, Timed) else asked


def within(query: DCBQuery, recorded: Recorded) -> bool:
    """Tell whether a fact matches any of a query's items."""
    arms = [one for one in query.items if not one.types or recorded.fact.NAME in one.types]
    tags = set(tags_of(recorded.fact)) if arms else set[str]()
    return any(tags.issuperset(one.tags) for one in arms)


def those_within(query: DCBQuery, facts: Sequence[Recorded]) -> list[Recorded]:
    """Return the facts that match any of a query's items, which may be a thousand."""
    leading = {one.tags[0] if one.tags else None for one in query.items}
    near = [one for one in facts if None in leading or not leading.isdisjoint(tags_of(one.fact))]
    return [one for one in near if within(query, one)]


class GroupCommit(Group[Append, Appended | IntegrityError]):
    """The one thread that commits: what waits shares a transaction."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        super().__init__(self._commit, "ledger-writer")

    async def append(self, append: Append) -> Appended | IntegrityError:
        """Return where the append came to lie, or the conflict that kept it out."""
        return await self.answer(append)

    def _commit(self, batch: Sequence[Append]) -> list[Appended | IntegrityError]:
        return self._recorder.append_batch(batch)  # looked up each time: it may be replaced


class GroupRead(Group[Look, Found]):
    """The one thread that reads from a store that is elsewhere: what waits shares the way there."""

    def __init__(self, find: Callable[[Sequence[Look]], list[Found]]) -> None:
        self._find = find
        super().__init__(self._each, "ledger-reader")

    def _each(self, looks: Sequence[Look]) -> list[Found | Rejection]:
        """Return what each finds; where one cannot be asked, it keeps no other from its answer."""
        try:
            return [*self._find(looks)]
        except Exception:
            logger.exception("the store did not answer %d", len(looks))
            return [self._alone(look) for look in looks]

    def _alone(self, look: Look) -> Found | Rejection:
        try:
            (found,) = self._find([look])
        except Exception:
            logger.exception("the store did not answer")
            return Unavailable("store_unavailable")
        return found
