"""What waits goes together, what is alone goes at once, and each has its own answer."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.accounts.batches import Batches, Crowded

SIZE, CALLS = 4, 2


class Doubling:
    """Answers with twice what was asked, when it is let; notes what came together."""

    def __init__(self) -> None:
        self.calls = list[list[int]]()
        self.under_way = self.most = 0
        self.free = asyncio.Event()

    async def __call__(self, asked: Sequence[int]) -> Sequence[int]:
        """Answer."""
        self.calls.append(list(asked))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.free.wait()
        self.under_way -= 1
        if 13 in asked:
            raise LookupError(asked)
        return [2 * one for one in asked]


@given(rounds=st.lists(st.lists(st.integers(0, 12), max_size=9), max_size=5))
def test_each_has_its_own_answer_once(rounds: list[list[int]]) -> None:
    """Whatever comes when: every one is asked once, in order, in calls of a bounded size."""

    async def scenario() -> None:
        double = Doubling()
        batches = Batches(double, size=SIZE, calls=CALLS, patience_s=60, wait_s=60)
        waiting = list[asyncio.Task[int]]()
        for one in rounds:
            waiting += [asyncio.create_task(batches.answer(number)) for number in one]
            await asyncio.sleep(0)
        double.free.set()
        flat = [number for one in rounds for number in one]
        assert await asyncio.gather(*waiting) == [2 * number for number in flat]
        assert [number for call in double.calls for number in call] == flat
        assert all(1 <= len(call) <= SIZE for call in double.calls)
        assert double.most <= 1

    asyncio.run(scenario())


def test_one_alone_waits_for_nobody_and_the_rest_go_together() -> None:
    """The first goes at once; what comes meanwhile shares the next."""

    async def scenario() -> None:
        double = Doubling()
        batches = Batches(double, size=SIZE, calls=CALLS, patience_s=60, wait_s=60)
        waiting = list[asyncio.Task[int]]()
        for number in range(6):
            waiting.append(asyncio.create_task(batches.answer(number)))
            for _ in range(3):
                await asyncio.sleep(0)
        assert double.calls == [[0]]
        double.free.set()
        await asyncio.gather(*waiting)
        assert double.calls == [[0], [1, 2, 3, 4], [5]]

    asyncio.run(scenario())


def test_a_slow_call_holds_up_no_other_for_long() -> None:
    """After a while the next goes beside it, and so on, up to so many."""

    async def scenario() -> None:
        double = Doubling()
        batches = Batches(double, size=1, calls=CALLS, patience_s=0.02, wait_s=60)
        waiting = [asyncio.create_task(batches.answer(number)) for number in range(3)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert double.calls == [[0]]
        await asyncio.sleep(0.3)
        assert double.calls == [[0], [1]]
        double.free.set()
        assert await asyncio.gather(*waiting) == [0, 2, 4]

    asyncio.run(scenario())


def test_a_failed_call_is_told_to_those_in_it_alone() -> None:
    """The next batch goes on."""

    async def scenario() -> None:
        double = Doubling()
        double.free.set()
        batches = Batches(double, size=2, calls=1, patience_s=60, wait_s=60)
        came = await asyncio.gather(
            *(batches.answer(one) for one in (1, 13, 2, 3)), return_exceptions=True
        )
        assert [isinstance(one, LookupError) for one in came] == [True, True, False, False]
        assert came[2:] == [4, 6]

    asyncio.run(scenario())


def test_who_waits_too_long_or_goes_away_is_not_asked_for() -> None:
    """Nothing is asked on behalf of somebody who was told no, or is gone."""

    async def scenario() -> None:
        double = Doubling()
        batches = Batches(double, size=SIZE, calls=1, patience_s=60, wait_s=0.01)
        first = asyncio.create_task(batches.answer(1))
        await asyncio.sleep(0.001)
        gone = asyncio.create_task(batches.answer(2))
        late = asyncio.create_task(batches.answer(3))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(Crowded):
            await late
        double.free.set()
        assert await first == 2
        assert await batches.answer(4) == 8
        assert double.calls == [[1], [4]]

    asyncio.run(scenario())
