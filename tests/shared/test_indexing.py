"""The index is written when it is due, once, whoever tries, and nobody waits for it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.dcb.api import DCBEvent
from hypothesis import given
from hypothesis import strategies as st

from services.accounts.facts import VOCABULARY
from shared.errors import Rejection, Unavailable
from shared.ledger import indexing, stores
from shared.ledger.indexes import KIND, TagsIndexed, check
from shared.ledger.indexing import INDEX, Index, Indexing
from shared.ledger.log import Log
from shared.ledger.recorder import Append, StoredFact
from tests.support.given import AT, Given
from tests.support.postgres import in_a_schema
from tests.support.world import World
from tests.system.test_api import play


def a_segment(first: int, last: int) -> TagsIndexed:
    """Return a segment's fact."""
    return TagsIndexed(
        index="tags.1", first=first, last=last, count=1, root="00" * 32, log="consent"
    )


@given(st.lists(st.integers(1, 9), max_size=4), st.integers(1, 40), st.integers(0, 9))
def test_only_the_segment_behind_the_last_one_enters(
    sizes: Sequence[int], first: int, more: int
) -> None:
    """One that overlaps, or leaves a gap, adds nothing; so of two that are alike one is there."""
    history, last = list[TagsIndexed](), 0
    for size in sizes:
        history.append(a_segment(last + 1, last + size))
        last += size
    given_, asked = (
        Given(INDEX, history),
        Index(first=first, last=first + more, count=1, root="r", log="consent"),
    )
    added = given_.when(asked)
    assert len(added) == (first == last + 1)
    if added:
        assert (added[0].first, added[0].last) == (first, first + more)
        assert Given(INDEX, [*history, *added]).when(asked) == []


def test_by_example() -> None:
    """Behind 1 to 8 comes 9; 8 again is not the next, nor is 10."""
    history = Given(INDEX, [a_segment(1, 8)])
    asked = [Index(first=first, last=12, count=1, root="r", log="consent") for first in (8, 9, 10)]
    assert [len(history.when(one)) for one in asked] == [0, 1, 0]


# -- on a store -----------------------------------------------------------------------------------


class Stage:
    """A log with a clock that is told the time, and as many processes as are wanted."""

    def __init__(self, address: str) -> None:
        self.address, self.now, self.sealed = address, AT, 0
        self.stack = ExitStack()
        self.log = self.opened()
        self.indexing = self.process(self.log)

    def opened(self) -> Log:
        """Return the log as one more process has it."""
        log = Log(stores.open_recorder(self.address, lambda: self.now), VOCABULARY)
        self.stack.enter_context(closing(log))
        return log

    def process(self, log: Log | None = None) -> Indexing:
        """Return what one more process indexes with."""
        return Indexing(log or self.opened(), "consent", lambda: self.sealed, lambda: self.now)

    def add(self, count: int) -> None:
        """Append facts, and seal them."""
        events = [
            DCBEvent(
                type="opening.rejected.1", data=b"{}", tags=[f"citizen:c-{number % 7}", "bank:b"]
            )
            for number in range(count)
        ]
        self.log.recorder.append_batch([Append(events)])
        self.sealed = self.log.recorder.head()

    def facts(self) -> list[StoredFact]:
        """Return all of the log, whose index is sound."""
        facts = self.log.recorder.page().facts
        assert list(check(facts)) == []
        return facts

    def indexes(self) -> list[int]:
        """Return the positions of the index facts."""
        return [one.position for one in self.facts() if one.kind == KIND]


@pytest.fixture(params=["sqlite", "postgres"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """Give an empty log, on each store in turn."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        address = in_a_schema(request.getfixturevalue("postgres_url"))
    stores.create_schema(address)
    made = Stage(address)
    with made.stack:
        yield made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have segments of ten facts, read three at a time."""
    monkeypatch.setattr(indexing, "SEGMENT_FACTS", 10)
    monkeypatch.setattr(indexing, "PAGE_FACTS", 3)


@pytest.mark.usefixtures("small")
def test_a_segment_is_due_when_there_is_enough_or_a_day_went_by(stage: Stage) -> None:
    """Not for what is not sealed, not for index facts alone, and never twice."""

    async def scenario() -> None:
        step = stage.indexing.step
        assert not await step()
        stage.add(9)
        assert not await step()
        stage.add(1)
        stage.sealed = 9
        assert not await step()
        stage.sealed = 10
        assert await step()
        assert stage.indexes() == [11]
        stage.now += timedelta(days=2)
        stage.sealed = 11
        assert not await step()
        stage.add(1)
        assert await step()
        assert stage.indexes() == [11, 13]
        stage.add(3)
        stage.now += timedelta(hours=23)
        assert not await step()
        stage.now += timedelta(hours=1)
        assert await step()
        assert not await step()
        assert stage.indexes() == [11, 13, 17]

    asyncio.run(scenario())


@pytest.mark.usefixtures("small")
def test_whoever_asks_has_all_that_is_there_indexed_once(stage: Stage) -> None:
    """In as many segments as it takes; the same again adds nothing."""
    stage.add(25)

    async def scenario() -> None:
        stage.sealed = 1 << 40
        told = [await stage.indexing.asked() for _ in range(3)][-1]
        assert told == {"indexed": 27, "position": 28, "head": 27}
        assert await stage.indexing.asked() == {**told, "head": 28}
        assert stage.indexes() == [26, 27, 28]

    asyncio.run(scenario())


@pytest.mark.usefixtures("small")
def test_of_many_who_try_at_once_one_records_each_segment(stage: Stage) -> None:
    """Four processes, on one log: no segment is there twice, none overlaps, none is left out."""
    stage.add(45)
    many = [stage.process() for _ in range(4)]

    async def scenario() -> None:
        stage.sealed = 1 << 40
        for _ in range(5):
            await asyncio.gather(*(one.asked() for one in many))

    asyncio.run(scenario())
    said = [one.data for one in stage.facts() if one.kind == KIND]
    assert len(said) == len(set(said)) >= 5


def test_what_is_not_sealed_is_waited_for_and_then_said(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is indexed that no checkpoint covers, and nobody waits for ever."""
    monkeypatch.setattr(indexing, "WAIT_S", 0.01)
    stage.add(3)
    stage.sealed = 2
    with pytest.raises(Rejection, match="not_sealed"):
        asyncio.run(stage.indexing.asked())
    assert stage.indexes() == []


def test_a_store_that_does_not_answer_is_asked_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In the background it is a line in the service's own log, and the next look tries again."""
    monkeypatch.setattr(indexing, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(indexing, "SEGMENT_FACTS", 3)
    stage.add(3)
    page, broken = stage.log.recorder.page, [OSError("disk"), OSError("disk")]

    def failing(*args: Any, **named: Any) -> Any:
        if named.get("limit") and broken:
            raise broken.pop()
        return page(*args, **named)

    monkeypatch.setattr(stage.log.recorder, "page", failing)

    async def scenario() -> None:
        with pytest.raises(Unavailable):
            await stage.indexing._segment(3)
        task = asyncio.create_task(stage.indexing.run())
        for _ in range(500):
            if stage.indexes():
                break
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        stage.add(1)
        assert await stage.indexing._segment(5) is False  # who ends puts nothing together

    asyncio.run(scenario())
    assert "no tags are indexed" in caplog.text
    assert stage.indexes() == [4]


# -- the route ------------------------------------------------------------------------------------


def test_a_regulator_asks_and_nobody_else(tmp_path: Path) -> None:
    """Both services; what is told is in the log, which stays sound."""

    async def scenario(world: World) -> None:
        for client in (world.consent, world.accounts):
            denied = await client.post("/log/index", headers=world.tokens.header("so-viet"))
            assert denied.status_code == 403
            headers = world.tokens.header("regulator")
            first, again = [await client.post("/log/index", headers=headers) for _ in range(2)]
            told = again.raise_for_status().json()
            assert {**first.json(), "head": 0} == {**told, "head": 0}
            newest = await world.newest(client) if told["position"] else None
            assert newest is None or newest["position"] == told["position"]
            assert newest is None or newest["data"]["last"] == told["indexed"]
        assert (await world.newest(world.consent))["kind"] == KIND
        assert await world.broken() == []

    play(tmp_path, scenario)
