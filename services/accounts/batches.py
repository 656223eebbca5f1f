"""What waits at one moment is asked in one call; what is alone waits for nobody.

Batches come from what waits while other calls are under way, never from a timer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from typing import Generic, TypeVar

AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")

Batch = Sequence[tuple["asyncio.Future[AnswerT]", AskedT]]
"""What goes in one call, and who waits for it."""


class Crowded(Exception):
    """So many wait already, or for so long, that this was not asked at all."""


class Batches(Generic[AskedT, AnswerT]):
    """Asks for what waits, so much in one call; one call at a time, as long as it is quick."""

    def __init__(
        self,
        ask: Callable[[Sequence[AskedT]], Awaitable[Sequence[AnswerT]]],
        *,
        size: int,
        calls: int,
        patience_s: float,
        wait_s: float,
    ) -> None:
        """`ask` answers in order, and bounds its own time. Nothing waits longer than `wait_s`.

        A call that takes `patience_s` holds up no other: up to `calls` are under way then.
        """
        self._ask, self._size, self._calls = ask, size, calls
        self._patience_s, self._wait_s = patience_s, wait_s
        self._waiting = dict[asyncio.Future[AnswerT], AskedT]()
        self._under_way = dict[asyncio.Task[None], float]()

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
        while self._waiting and len(self._under_way) < (self._calls if self._slow else 1):
            taken = list(islice(self._waiting, self._size))
            # Whoever went away before its turn is left out; from here on it cannot be.
            batch = [(told, self._waiting.pop(told)) for told in taken]
            batch = [one for one in batch if not one[0].done()]
            if batch:
                self._begin(batch)

    @property
    def _slow(self) -> bool:
        """Tell whether all calls that are under way have been so for long."""
        now = asyncio.get_running_loop().time()
        return all(now - begun >= self._patience_s for begun in self._under_way.values())

    def _begin(self, batch: "Batch[AnswerT, AskedT]") -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._call(batch))
        self._under_way[task] = loop.time()
        look = loop.call_later(1.01 * self._patience_s, self._go)
        task.add_done_callback(partial(self._done, look))

    def _done(self, look: asyncio.TimerHandle, task: asyncio.Task[None]) -> None:
        look.cancel()
        del self._under_way[task]
        self._go()

    def _leave(self, told: "asyncio.Future[AnswerT]") -> None:
        """Send away whoever still waits for its turn."""
        if self._waiting.pop(told, None) is not None and not told.done():
            told.set_exception(Crowded())

    async def _call(self, batch: "Batch[AnswerT, AskedT]") -> None:
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
