"""What waits is done together by one thread; each is told its own outcome, whatever fails."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import closing

import pytest
from eventsourcing.dcb.api import DCBQuery

from shared.errors import Kind, Rejection, Unavailable
from shared.ledger import group
from shared.ledger.group import Group
from shared.ledger.log import Found, GroupRead
from shared.ledger.recorder import Look, Page


def halves(asked: Sequence[int]) -> list[int | Rejection]:
    """Halve what is even, say no to what is odd, and fail where there is a 13."""
    if 13 in asked:
        raise OSError("a disk")
    no = Rejection(Kind.MALFORMED, "malformed")
    return [no if one % 2 else one // 2 for one in asked]


def test_each_is_told_its_own() -> None:
    """An answer, a no; and the thread lives on after a failure."""

    async def scenario() -> None:
        with closing(Group(halves, "halves")) as own:
            came = await asyncio.gather(*map(own.answer, [2, 3, 8]), return_exceptions=True)
            assert (came[0], came[2]) == (1, 4)
            assert isinstance(came[1], Rejection)
            with pytest.raises(Unavailable, match="store_unavailable"):
                await own.answer(13)
            assert await own.answer(4) == 2
        with pytest.raises(Unavailable, match="store_unavailable"):
            await own.answer(4)

    asyncio.run(scenario())


def test_what_waits_is_bounded_and_goes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is under way the rest wait, so many at most; then they share one go."""
    monkeypatch.setattr(group, "WAITING_MAX", 3)
    free, begun, sizes = threading.Event(), threading.Event(), list[int]()

    def slow(asked: Sequence[int]) -> list[int | Rejection]:
        sizes.append(len(asked))
        begun.set()
        free.wait()
        return halves(asked)

    async def scenario() -> None:
        with closing(Group(slow, "slow")) as own:
            first = asyncio.create_task(own.answer(2))
            await asyncio.to_thread(begun.wait)
            rest = [asyncio.create_task(own.answer(4)) for _ in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(Unavailable, match="overloaded"):
                await own.answer(6)
            free.set()
            assert await asyncio.gather(first, *rest) == [1, 2, 2, 2]
        assert sizes == [1, 3]

    asyncio.run(scenario())


def test_a_look_that_fails_keeps_no_other_from_its_answer() -> None:
    """Those that were asked for together are asked for alone."""

    def find(looks: Sequence[Look]) -> list[Found]:
        if any(one.after == 13 for one in looks):
            raise OSError("what cannot be asked")
        return [([], Page([], one.after, None)) for one in looks]

    async def scenario() -> None:
        with closing(GroupRead(find)) as reads:
            asked = [reads.answer(Look(DCBQuery(), after)) for after in (1, 13, 2)]
            came = await asyncio.gather(*asked, return_exceptions=True)
            assert (came[0], came[2]) == (([], Page([], 1, None)), ([], Page([], 2, None)))
            assert isinstance(came[1], Unavailable)

    asyncio.run(scenario())
