"""The log decides against the newest facts, tells the truth about failures, and batches."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.dcb.api import DCBEvent
from eventsourcing.persistence import IntegrityError
from typing_extensions import override

from shared.clock import system_clock
from shared.errors import Kind, Rejection, Unavailable
from shared.ledger import group, sqlite
from shared.ledger import log as log_module
from shared.ledger.facts import Vocabulary, fact
from shared.ledger.log import Log, Verb, about
from shared.ledger.recorder import Append, Appended, Page


@fact("seat.taken.1", tags=("show",))
class SeatTaken:
    """A seat in a show was taken."""

    show_id: str
    who: str


@fact("seat.rejected.1", tags=("show",))
class SeatRejected:
    """There was none left."""

    show_id: str
    who: str


SEATS = 3


def take(seats: tuple[str, ...], asked: tuple[str, str]) -> list[SeatTaken]:
    """Take a seat, once for everyone, if one is left."""
    show, who = asked
    if who in seats:
        return []
    if len(seats) >= SEATS:
        no = SeatRejected(show_id=show, who=who)
        raise Rejection(Kind.CONFLICT, "already_decided", facts=[no])
    return [SeatTaken(show_id=show, who=who)]


TAKE: Verb[tuple[str, ...], tuple[str, str]] = Verb(
    boundary=lambda asked: [about(f"show:{asked[0]}", kinds=[SeatTaken])],
    initial=(),
    evolve=lambda seats, recorded: (*seats, recorded.fact.who),
    decide=take,
)


class Watched(sqlite.SQLiteRecorder):
    """A real store that counts its batches, and can wait or fail around its next commit."""

    batches: int = 0
    pages_read: int = 0
    gate: threading.Event | None = None
    fail: str = ""

    @override
    def page(self, *args: Any, **kwargs: Any) -> Page:
        self.pages_read += 1
        return super().page(*args, **kwargs)

    @override
    def append_batch(self, batch: Sequence[Append]) -> list[Appended | IntegrityError]:
        if self.gate:
            self.gate.wait(10)
        self.batches += 1
        fail, self.fail = self.fail, ""
        if fail == "before":
            raise OSError(fail)
        outcomes = super().append_batch(batch)
        if fail == "after":
            raise OSError(fail)
        return outcomes


def play(folder: Path, scenario: Callable[[Log, Watched], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on a fresh log."""

    async def run() -> None:
        sqlite.create_schema(folder / "ledger.db")
        recorder = Watched(folder / "ledger.db", system_clock)
        log = Log(recorder, Vocabulary([SeatTaken, SeatRejected]))
        try:
            await scenario(log, recorder)
        finally:
            log.close()

    asyncio.run(run())


def test_a_rule_holds_however_many_ask_at_once(tmp_path: Path) -> None:
    """Of forty at once three sit, the others are told, and each of their rejections is a fact."""

    async def scenario(log: Log, recorder: Watched) -> None:
        asks = [log.perform(TAKE, ("s", f"p{number}")) for number in range(40)]
        outcomes = await asyncio.gather(*asks, return_exceptions=True)
        taken = [one for one in outcomes if not isinstance(one, BaseException)]
        told = [one for one in outcomes if isinstance(one, Rejection) and one.kind is Kind.CONFLICT]
        assert len(taken) == SEATS
        facts = await log.read(about("show:s"))
        kinds = [one.fact.NAME for one in facts]
        assert kinds.count("seat.taken.1") == SEATS
        assert kinds.count("seat.rejected.1") == len(told)
        assert recorder.batches < 40

    play(tmp_path, scenario)


@pytest.mark.parametrize("between", [0, 1, SEATS])
def test_what_was_known_before_decides_only_while_it_holds(tmp_path: Path, between: int) -> None:
    """With nobody between it is not read again; with somebody it is, and a full show says no."""

    async def scenario(log: Log, recorder: Watched) -> None:
        before = await log.perform(TAKE, ("s", "first"))
        for number in range(between):
            if number < SEATS - 1:
                await log.perform(TAKE, ("s", f"p{number}"))
        pages = recorder.pages_read
        asked = log.perform(TAKE, ("s", "last"), before)
        if between < SEATS - 1:
            outcome = await asked
            assert [one.position for one in outcome.added] == [outcome.head] == [2 + between]
        else:
            with pytest.raises(Rejection):
                await asked
        assert recorder.pages_read - pages == (1 if between else 0)
        again = await log.perform(TAKE, ("s", "first"), before)  # nothing to record: it is read
        assert again.added == []
        assert again.head == await log.head()

    play(tmp_path, scenario)


def test_asking_again_adds_nothing(tmp_path: Path) -> None:
    """The second time has the state, and no new fact."""

    async def scenario(log: Log, _: Watched) -> None:
        first = await log.perform(TAKE, ("s", "p"))
        second = await log.perform(TAKE, ("s", "p"))
        assert (len(first.added), len(second.added)) == (1, 0)
        assert first.state == second.state == ("p",)

    play(tmp_path, scenario)


def test_the_log_as_it_was(tmp_path: Path) -> None:
    """By position or by instant: what came later is not looked at."""

    async def scenario(log: Log, _: Watched) -> None:
        for person in ("p", "q", "r"):
            await log.perform(TAKE, ("s", person))
        first, second, _last = await log.read(about("show:s"))
        assert await log.read(about("show:s"), as_of=2) == [first, second]
        assert await log.read(about("show:s"), as_of=first.recorded_at) == [first]
        assert await log.read(about("show:s"), as_of=0) == []
        assert len(await log.read(about("show:s"), as_of=99)) == 3
        longago = first.recorded_at - timedelta(days=1)
        assert await log.read(about("show:s"), as_of=longago) == []

    play(tmp_path, scenario)


@pytest.mark.parametrize("fail", ["before", "after"])
def test_a_store_that_fails_around_its_commit(tmp_path: Path, fail: str) -> None:
    """Lost before or after: the caller is told to repeat, and repeating has one effect."""

    async def scenario(log: Log, recorder: Watched) -> None:
        recorder.fail = fail
        with pytest.raises(Unavailable, match="store_unavailable"):
            await log.perform(TAKE, ("s", "p"))
        await log.perform(TAKE, ("s", "p"))
        assert await log.head() == 1

    play(tmp_path, scenario)


def test_a_store_that_cannot_be_read(tmp_path: Path) -> None:
    """A read that fails is told as out of reach, and nothing of why."""

    async def scenario(log: Log, recorder: Watched) -> None:
        recorder._reader.close()
        with pytest.raises(Unavailable, match="store_unavailable"):
            await log.head()

    play(tmp_path, scenario)


def test_a_full_queue_turns_callers_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bound the queue says so at once, and what waits is committed later."""
    monkeypatch.setattr(group, "WAITING_MAX", 5)

    async def scenario(log: Log, recorder: Watched) -> None:
        recorder.gate = threading.Event()
        asks = [asyncio.create_task(log.perform(TAKE, (f"s{n}", "p"))) for n in range(20)]
        await asyncio.sleep(0.3)
        turned_away = [task for task in asks if task.done()]
        recorder.gate.set()
        outcomes = await asyncio.gather(*asks, return_exceptions=True)
        assert turned_away
        for task in turned_away:
            assert isinstance(task.exception(), Unavailable)
        assert await log.head() == sum(not isinstance(one, BaseException) for one in outcomes)

    play(tmp_path, scenario)


def test_a_caller_that_goes_away_harms_nobody(tmp_path: Path) -> None:
    """Cancelled before its turn an append is left out; the writer goes on."""

    async def scenario(log: Log, recorder: Watched) -> None:
        recorder.gate = threading.Event()
        first = asyncio.create_task(log.perform(TAKE, ("s1", "p")))
        await asyncio.sleep(0.1)
        gone = asyncio.create_task(log.perform(TAKE, ("s2", "p")))
        await asyncio.sleep(0.1)
        gone.cancel()
        recorder.gate.set()
        await first
        recorder.gate = None
        await log.perform(TAKE, ("s3", "p"))
        assert [one.fact.show_id for one in await log.read(about(kinds=[SeatTaken]))] == [
            "s1",
            "s3",
        ]

    play(tmp_path, scenario)


def test_a_caller_that_goes_away_during_the_commit_harms_nobody(tmp_path: Path) -> None:
    """What is being committed cannot be taken back; the others of its batch are told."""

    async def scenario(log: Log, recorder: Watched) -> None:
        first, second = threading.Event(), threading.Event()
        recorder.gate = first
        asks = [asyncio.create_task(log.perform(TAKE, ("s1", "p")))]
        await asyncio.sleep(0.1)
        asks += [asyncio.create_task(log.perform(TAKE, (show, "p"))) for show in ("s2", "s3")]
        await asyncio.sleep(0.1)
        recorder.gate = second
        first.set()
        await asks[0]
        await asyncio.sleep(0.1)
        asks[1].cancel()
        second.set()
        await asks[2]
        assert asks[1].cancelled()
        assert recorder.batches == 2
        assert await log.head() == 3

    play(tmp_path, scenario)


def test_an_event_loop_that_is_closed_harms_nobody(tmp_path: Path) -> None:
    """Its caller cannot be told any more; those of the next loop are."""
    sqlite.create_schema(tmp_path / "ledger.db")
    recorder = Watched(tmp_path / "ledger.db", system_clock)
    recorder.gate = threading.Event()
    writer = log_module.GroupCommit(recorder)
    append = Append([DCBEvent(type="k.1", data=b"{}")])

    async def leave() -> None:
        gone = asyncio.create_task(writer.append(append))
        await asyncio.sleep(0.1)
        gone.cancel()

    with closing(recorder), closing(writer):
        asyncio.run(leave())
        recorder.gate.set()
        outcome = asyncio.run(writer.append(append))
        assert isinstance(outcome, Appended)
        assert outcome.position == 2


def test_what_waits_together_is_committed_together(tmp_path: Path) -> None:
    """Appends that wait share a transaction; each has its own outcome."""

    async def scenario(log: Log, recorder: Watched) -> None:
        recorder.gate = threading.Event()
        asks = [asyncio.create_task(log.perform(TAKE, (f"s{n}", "p"))) for n in range(50)]
        await asyncio.sleep(0.3)
        recorder.gate.set()
        await asyncio.gather(*asks)
        assert await log.head() == 50
        assert recorder.batches <= 3

    play(tmp_path, scenario)


def test_closing_commits_what_waits(tmp_path: Path) -> None:
    """Nothing that was taken in is dropped when the log closes."""

    async def scenario(log: Log, recorder: Watched) -> None:
        recorder.gate = threading.Event()
        asks = [asyncio.create_task(log.perform(TAKE, (f"s{n}", "p"))) for n in range(5)]
        await asyncio.sleep(0.2)
        recorder.gate.set()
        await asyncio.to_thread(log._writer.close)
        await asyncio.gather(*asks)
        assert recorder.head() == 5
        log._writer = log_module.GroupCommit(recorder)

    play(tmp_path, scenario)
