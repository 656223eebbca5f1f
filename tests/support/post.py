"""A log whose events are sent to webhooks, by a process that can die, with a movable clock."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.accounts.events import EVENTS
from services.accounts.facts import VOCABULARY, AccountDeclined
from shared.clock import system_clock
from shared.hearing.assembly import Hearing, create_hearing
from shared.hearing.deliveries import Hook, State
from shared.ledger import stores
from shared.ledger.log import Log
from tests.support.consumer import Got

HOOK = Hook("b1", "main")


@dataclass
class Clock:
    """The machine's time, moved."""

    by: timedelta = timedelta()

    def __call__(self) -> datetime:
        """Return now."""
        return system_clock() + self.by

    def move(self, **by: float) -> None:
        """Let time pass."""
        self.by += timedelta(**by)


@dataclass
class Post:
    """A log, whoever sends its events, and a clock."""

    folder: Path
    private: bool = True
    ledger: str = ""
    clock: Clock = field(default_factory=Clock)
    log: Any = None
    hearing: Any = None
    running: Any = None
    positions: list[int] = field(default_factory=list)

    def open(self) -> None:
        """Open the log, and have what reads and registers."""
        self.log = Log(stores.open_recorder(self.address, self.clock), VOCABULARY)
        url, private = "http://accounts", self.private
        self.hearing = Hearing(self.log, EVENTS, url, self.folder, self.clock, private=private)

    def start(self) -> None:
        """Have a process that sends."""
        self.open()
        self.running = asyncio.create_task(self.hearing.run())

    async def die(self) -> None:
        """End at once; nothing is written on the way out."""
        self.running.cancel()
        await asyncio.wait([self.running])
        self.hearing.close()
        self.log.close()

    @property
    def address(self) -> str:
        """Return the address of the log's store."""
        return self.ledger or f"sqlite:///{self.folder / 'ledger.db'}"

    def happen(self, citizen: str = "c1", bank: str = "b1", count: int = 1) -> list[int]:
        """Have something happen about a citizen, so often; returns where."""
        fact: Any = AccountDeclined(
            opening_id=f"o-{citizen}", citizen_id=citizen, bank_id=bank, reason="r"
        )
        events = [VOCABULARY.encode(fact)] * count
        last = self.log.recorder.append(events)
        new = [*range(last - count + 1, last + 1)]
        self.positions += new
        return new

    async def register(self, url: str, hook: Hook = HOOK, **more: Any) -> dict[str, Any]:
        """Register a webhook."""
        by = f"bank:{hook.bank_id}"
        view: dict[str, Any] = await self.hearing.registering.register(
            hook, url, more.get("kinds"), by
        )
        return view

    async def state(self, hook: Hook = HOOK) -> dict[str, Any]:
        """Return how a webhook is."""
        view: dict[str, Any] = await self.hearing.registering.read(hook)
        return view

    async def lines(self, state: State | None = None, hook: Hook = HOOK) -> list[dict[str, Any]]:
        """Return the delivery log."""
        page = await self.hearing.registering.deliveries(hook, after=0, limit=500, state=state)
        lines: list[dict[str, Any]] = page["deliveries"]
        return lines

    async def settled(self, holds: Callable[[dict[str, Any]], bool], hook: Hook = HOOK) -> None:
        """Wait until a webhook is so; a record follows what it records."""
        async with asyncio.timeout(10):
            while not holds(await self.state(hook)):  # noqa: ASYNC110 - it is in a file
                await asyncio.sleep(0.01)


@asynccontextmanager
async def a_post(folder: Path, **more: Any) -> AsyncIterator[Post]:
    """Give an empty log whose events are sent."""
    post = Post(folder, **more)
    stores.create_schema(post.address)
    create_hearing(folder)
    post.start()
    try:
        yield post
    finally:
        await post.die()


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario."""
    asyncio.run(scenario())


def in_order(got: Sequence[Got], positions: Sequence[int]) -> bool:
    """Tell whether these events are all there, and each citizen's in the log's order."""
    by_citizen = dict[str, list[int]]()
    for one in got:
        by_citizen.setdefault(one.event["data"]["opening_id"], []).append(one.position)
    whole = sorted(one.position for one in got) == sorted(positions)
    return whole and all(one == sorted(one) for one in by_citizen.values())


async def tick(post: Post, **step: float) -> None:
    """Let time pass quickly: half an hour in each hundredth of a second, if not said otherwise."""
    while True:
        await asyncio.sleep(0.01)
        post.clock.move(**(step or {"minutes": 30}))
