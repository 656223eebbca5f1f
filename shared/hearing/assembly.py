"""Puts hearing together for one service: the one file here that knows every part."""

from collections.abc import Iterator

from fastapi import APIRouter, FastAPI

from shared.hearing import feed_routes
from shared.hearing.events import Events
from shared.hearing.feed import Feed
from shared.hearing.following import Following
from shared.ledger.log import Log
from shared.web import add_routes


class Hearing:
    """Everything by which banks hear of one service's log."""

    def __init__(self, log: Log, events: Events, public_url: str) -> None:
        """`public_url` is the service's address, the `source` of each event."""
        self._following = Following(log)
        self.feed = Feed(log, events, public_url.rstrip("/"), self._following)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes, and let go of whoever waits once the process is asked to stop."""
        add_routes(app, *self._routes())
        app.state.ends_at_stop.append(self._following.end)

    def _routes(self) -> Iterator[APIRouter]:
        yield feed_routes.routes(self.feed)
