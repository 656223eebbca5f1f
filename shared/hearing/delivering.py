"""Has a courier for each webhook, in one process at a time of those that share a folder.

Who holds the lock file delivers; a process that dies lets go of it, and another takes over within
a second. Webhooks are followed in the log as everything else, so whichever process registered one,
it is told.
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from eventsourcing.dcb.api import DCBQuery

from shared.errors import Unavailable
from shared.hearing.courier import AFTER_TROUBLE_S, Courier, Office
from shared.hearing.deliveries import Hook
from shared.hearing.facts import CHANGING
from shared.hearing.webhooks import WEBHOOK, Webhook, Webhooks
from shared.ledger.log import Log, about

LOCK = "webhooks.lock"

TAKE_OVER_EVERY_S = 1.0
"""Seconds between tries to be the process that delivers."""

LOOK_EVERY_S = 0.5
"""Seconds between looks at what other processes changed in the queue."""

PAGE_FACTS = 500

logger = logging.getLogger(__name__)


class Delivering:
    """Sends all webhooks of a service, if no other process does."""

    def __init__(self, log: Log, office: Office, folder: Path) -> None:
        self._log, self._office, self._folder = log, office, folder
        self._by_bank = dict[str, Webhooks]()
        self._followed = 0
        self._couriers = dict[Hook, tuple[Courier, asyncio.Task[None]]]()
        self._version = 0

    async def run(self) -> None:
        """Send what there is to send, until cancelled."""
        while True:
            async with self._lock() as held:
                if held:
                    await self._deliver()
            await asyncio.sleep(TAKE_OVER_EVERY_S)

    async def _deliver(self) -> None:
        try:
            while True:
                try:
                    await self._step()
                except Unavailable:
                    logger.warning("webhooks wait: the log or their queue does not answer")
                    await asyncio.sleep(AFTER_TROUBLE_S)
        finally:
            tasks = [task for _, task in self._couriers.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._couriers.clear()

    async def _step(self) -> None:
        """Follow the log, have couriers for what is in it, and wait until there may be more."""
        if self._followed == 0 or self._office.following.head > self._followed:
            await self._follow()
        self._employ()
        version = await asyncio.to_thread(self._office.queue.version)
        if version != self._version:
            self._version = version
            for courier, _ in self._couriers.values():
                courier.look_again()
        await self._office.following.beyond(self._followed, LOOK_EVERY_S)

    async def _follow(self) -> None:
        """Take in what was registered, renewed and removed, and tell the queue."""
        query = DCBQuery(items=[about(kinds=CHANGING)])
        page = await self._log.page(query, after=self._followed, limit=PAGE_FACTS)
        for recorded in self._log.recorded(page.facts):
            bank_id = recorded.fact.bank_id
            before = self._by_bank.get(bank_id, Webhooks())
            self._by_bank[bank_id] = WEBHOOK.evolve(before, recorded)
        if page.facts or self._followed == 0:
            since = [(hook, webhook.since) for hook, webhook in self._webhooks()]
            await asyncio.to_thread(self._office.queue.keep, since)
        full = len(page.facts) == PAGE_FACTS
        self._followed = page.facts[-1].position if full else page.head

    def _webhooks(self) -> list[tuple[Hook, Webhook]]:
        return [
            (Hook(bank_id, webhook_id), webhook)
            for bank_id, webhooks in self._by_bank.items()
            for webhook_id, webhook in webhooks.by_id.items()
        ]

    def _employ(self) -> None:
        """Have a courier for each webhook, none for another, and a new one for one that failed."""
        wanted = dict(self._webhooks())
        for hook, (courier, task) in [*self._couriers.items()]:
            webhook = wanted.get(hook)
            if task.done() and not task.cancelled():
                logger.error("a courier failed", exc_info=task.exception())
            if webhook is None or webhook.since != courier.webhook.since or task.done():
                task.cancel()
                del self._couriers[hook]
            elif webhook != courier.webhook:
                courier.webhook = webhook
        for hook, webhook in wanted.items():
            if hook not in self._couriers:
                courier = Courier(self._office, hook, webhook)
                self._couriers[hook] = (courier, asyncio.create_task(courier.run()))

    @asynccontextmanager
    async def _lock(self) -> AsyncIterator[bool]:
        """Hold the lock file as long as this process lives, or tell that another does."""
        file = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(file)
