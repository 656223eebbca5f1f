"""What waits at one moment is asked in one call; what is alone waits for nobody.

Batches come from what waits while other calls are under way, never from a timer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")


class Crowded(Exception):
    """So many wait already, or for so long, that this was not asked at all."""


class Batches(Generic[AskedT, AnswerT]):
    """Asks for what waits, so much in one call, so many calls at a time."""

    def __init__(
        self,
        ask: Callable[[Sequence[AskedT]], Awaitable[Sequence[AnswerT]]],
        *,
        size: int,
        calls: int,
        wait_s: float,
    ) -> None:
        """`ask` answers in order, and bounds its own time. Nothing waits longer than `wait_s`."""
        self._ask, self._size, self._calls, self._wait_s = ask, size, calls, wait_s
        self._waiting = dict[asyncio.Future[AnswerT], AskedT]()
        self._under_way = set[asyncio.Task[None]]()

    async def answer(self, asked: AskedT) -> AnswerT:
        """Return the answer to one; raises what `ask` raised, or `Crowded` if it never went."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[AnswerT] = loop.create_future()
        self._waiting[told] = asked
        loop.call_soon(self._go)  # whoever comes in this very turn goes along
        too_late = loop.call_later(self._wait_s, self._leave, told)
        try:
            return await told
        finally:
            too_late.cancel()

    def _go(self) -> None:
        while self._waiting and len(self._under_way) < self._calls:
            taken = list(islice(self._waiting, self._size))
            # Whoever went away before its turn is left out; from here on it cannot be.
            batch = [(told, self._waiting.pop(told)) for told in taken]
            batch = [one for one in batch if not one[0].done()]
            if batch:
                task = asyncio.create_task(self._call(batch))
                self._under_way.add(task)
                task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._go()

    def _leave(self, told: "asyncio.Future[AnswerT]") -> None:
        """Send away whoever still waits for its turn."""
        if self._waiting.pop(told, None) is not None and not told.done():
            told.set_exception(Crowded())

    async def _call(self, batch: Sequence[tuple["asyncio.Future[AnswerT]", AskedT]]) -> None:
        try:
            answers = await self._ask([asked for _, asked in batch])
        except Exception as error:  # noqa: BLE001 - each is told; the next batch goes on
            for told, _ in batch:
                if not told.done():
                    told.set_exception(error)
            return
        for (told, _), answer in zip(batch, answers, strict=True):
            if not told.done():
                told.set_result(answer)
