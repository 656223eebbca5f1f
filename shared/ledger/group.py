"""One thread that does what waits, all of it at once, and tells each what came of it.

Work on a disk or a database blocks, and costs little more for many than for one. So does waking an
event loop: a wake is a system call, and one for each thing done would cost more than the thing.
Groups come from what waits while the thread is busy, never from a timer.
"""

import asyncio
import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from shared.errors import Rejection, Unavailable

AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")

GROUP_MAX = 256
"""What is done at once at most: keeps the slowest answer within a few groups."""

WAITING_MAX = 2_000
"""What may wait; beyond, callers are turned away, not kept in memory."""

Told = asyncio.Future[Any]

logger = logging.getLogger(__name__)


class Group(Generic[AskedT, AnswerT]):
    """The thread, and what waits for it."""

    def __init__(
        self, do: Callable[[Sequence[AskedT]], Sequence[AnswerT | Rejection]], name: str
    ) -> None:
        """`do` does several at once; returns the answer to each, or the no to it, in order."""
        self._do, self._name = do, name
        self._waiting = deque[tuple[AskedT, Told]]()
        self._closing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._waking: asyncio.AbstractEventLoop | None = None

    async def answer(self, asked: AskedT) -> AnswerT:
        """Return the answer to one; raises its `Rejection`, or `Unavailable`."""
        loop = asyncio.get_running_loop()
        told: Told = loop.create_future()
        with self._changed:
            if self._closing:
                raise Unavailable("store_unavailable")
            if len(self._waiting) >= WAITING_MAX:
                raise Unavailable("overloaded")
            self._waiting.append((asked, told))
        if self._waking is not loop:  # whoever comes in this very turn of the loop goes along
            self._waking = loop
            loop.call_soon(self._wake)
        try:
            answer: AnswerT | Rejection = await told
        except Exception as error:
            raise Unavailable("store_unavailable") from error
        if isinstance(answer, Rejection):
            raise answer
        return answer

    def close(self) -> None:
        """Do what waits, then end the thread."""
        with self._changed:
            self._closing = True
            self._begin()
            self._changed.notify()
        if self._thread:
            self._thread.join()

    def _wake(self) -> None:
        self._waking = None
        with self._changed:
            self._begin()
            self._changed.notify()

    def _begin(self) -> None:
        """Start the thread if there is something to do: none survives a fork, so not before."""
        if self._thread is None and self._waiting:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while taken := self._next_group():
            # A caller that went away before its turn is left out; from here on it cannot.
            group = [one for one in taken if not one[1].cancelled()]
            if not group:
                continue
            waiting = [told for _, told in group]
            try:
                answers = self._do([asked for asked, _ in group])
            except Exception as error:  # the callers are told; the thread lives on
                logger.exception("%s: %d that waited were not done", self._name, len(group))
                _tell(waiting, Told.set_exception, [error] * len(group))
            else:
                _tell(waiting, Told.set_result, answers)

    def _next_group(self) -> list[tuple[AskedT, Told]]:
        """Wait for one, then take those behind it; empty when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            size = min(len(self._waiting), GROUP_MAX)
            return [self._waiting.popleft() for _ in range(size)]


def _tell(
    waiting: Sequence[Told], tell: Callable[[Told, Any], None], outcomes: Sequence[Any]
) -> None:
    """Tell each its outcome in its own event loop; one that is closed has nobody left to tell."""
    by_loop = defaultdict[asyncio.AbstractEventLoop, list[tuple[Told, Any]]](list)
    for told, outcome in zip(waiting, outcomes, strict=True):
        by_loop[told.get_loop()].append((told, outcome))
    for loop, answers in by_loop.items():
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell_here, tell, answers)


def _tell_here(tell: Callable[[Told, Any], None], answers: Sequence[tuple[Told, Any]]) -> None:
    for told, outcome in answers:
        if not told.done():  # its caller may have gone meanwhile
            tell(told, outcome)
