"""Tells when a log has grown, to all in this process who wait for it: one look for all of them.

Facts also come from other processes on the same log, so the store is asked, and nobody is relied on
to call. While nobody waits, nothing is asked.
"""

import asyncio
from contextlib import suppress

from shared.errors import Unavailable
from shared.ledger.log import Log

LOOK_EVERY_S = 0.1
"""Seconds between two looks at the head while somebody waits; a look takes some 20 µs (SQLite)."""


class Following:
    """The head of a log, as it grows."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._head = 0
        self._waiting = 0
        self._moved = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._ended = False

    async def beyond(self, position: int, within_s: float) -> bool:
        """Wait until the log goes beyond a position; False if it does not in so many seconds.

        False at once when the process is about to stop.
        """
        until = asyncio.get_running_loop().time() + within_s
        self._waiting += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    while self._head <= position and not self._ended:
                        if self._looking is None or self._looking.done():
                            self._looking = asyncio.create_task(self._look())
                        await self._moved.wait()
        finally:
            self._waiting -= 1
        return self._head > position and not self._ended

    @property
    def head(self) -> int:
        """Return the last position that was seen; it moves while somebody waits."""
        return self._head

    @property
    def ended(self) -> bool:
        """Tell whether the process is about to stop: whoever waits here should, too."""
        return self._ended

    def end(self) -> None:
        """Let everybody go who waits, now or later; may be called where a signal is handled."""
        self._ended = True

    async def _look(self) -> None:
        while self._waiting:
            with suppress(Unavailable):  # whoever reads next is told
                head = await self._log.head()
                if head > self._head or self._ended:
                    self._head = head
                    moved, self._moved = self._moved, asyncio.Event()
                    moved.set()
            await asyncio.sleep(LOOK_EVERY_S)
