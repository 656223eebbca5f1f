"""Puts hearing together for one service: the one file here that knows every part."""

import secrets
from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter, FastAPI

from shared.clock import Clock
from shared.hearing import feed_routes, webhook_routes
from shared.hearing.courier import Office
from shared.hearing.delivering import Delivering
from shared.hearing.documented import hooks
from shared.hearing.events import Events
from shared.hearing.feed import Feed
from shared.hearing.following import Following
from shared.hearing.queue import Queue, create_queue
from shared.hearing.registering import Registering
from shared.hearing.signatures import SECRET_BYTES, WebhookKeys, create_webhook_keys
from shared.ledger.log import Log
from shared.web import add_routes


class Hearing:
    """Everything by which banks hear of one service's log."""

    def __init__(
        self, log: Log, events: Events, public_url: str, folder: Path, now: Clock, *, private: bool
    ) -> None:
        """`public_url` is the service's address, the `source` of each event.

        `private` is whether webhooks may lie on our own machines. Raises `FileNotFoundError` where
        `create_hearing` was never called.
        """
        self._following = Following(log)
        self.feed = Feed(log, events, public_url.rstrip("/"), self._following)
        keys = WebhookKeys(folder)

        def office() -> Office:
            """Return an office with a connection of its own: each sees what the other changed."""
            return Office(self.feed, Following(log), Queue(folder), keys, now, private)

        front, back = office(), office()
        self.registering = Registering(log, front)
        self.delivering = Delivering(log, back, folder)
        self._queues = (front.queue, back.queue)

    async def run(self) -> None:
        """Send webhooks, until cancelled."""
        await self.delivering.run()

    def add_to(self, app: FastAPI) -> None:
        """Add the routes, and let go of whoever waits once the process is asked to stop."""
        add_routes(app, *self._routes())
        app.state.hooks = hooks(self.feed.events)
        app.state.hearing = self
        app.state.ends_at_stop.append(self._following.end)

    def close(self) -> None:
        """Close what is open."""
        for queue in self._queues:
            queue.close()

    def _routes(self) -> Iterator[APIRouter]:
        yield feed_routes.routes(self.feed)
        yield webhook_routes.routes(self.registering)


def create_hearing(folder: Path) -> None:
    """Make what hearing needs in a service's folder, where missing."""
    create_queue(folder)
    create_webhook_keys(folder, secrets.token_bytes(SECRET_BYTES))
