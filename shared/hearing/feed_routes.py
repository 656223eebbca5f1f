"""A bank reads what happened behind a cursor, waits for it, or has it come as it happens."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from shared.hearing.feed import PAGE_EVENTS_MAX, Feed
from shared.hearing.shapes import EventPage
from shared.oauth.scopes import Scope
from shared.web import Caller, Role, require, still_calls

WAIT_S_MAX = 30
"""Seconds that a read may wait: less than proxies usually do (60)."""

Bank = Annotated[Caller, Depends(require(Role.BANK, scope=Scope.EVENTS))]
Position = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=1, le=PAGE_EVENTS_MAX)]
Wait = Annotated[int, Query(ge=0, le=WAIT_S_MAX)]
LastEventId = Annotated[int | None, Header(ge=0, le=2**53)]


def routes(feed: Feed) -> APIRouter:
    """Return the routes of the feed and the stream."""
    router = APIRouter(tags=["events"])

    async def listening(bank: Bank) -> AsyncIterator[None]:
        with feed.listening(bank.id):
            yield

    @router.get("/events", response_model=EventPage)
    async def read_events(
        bank: Bank, after: Position = 0, limit: Limit = 100, wait: Wait = 0
    ) -> Response:
        """Give the caller's events behind a position, oldest first; `next` is the cursor behind.

        With `wait`, in seconds, an answer without events comes only when there were none so long.
        """
        if wait:
            with feed.listening(bank.id):
                heard = await feed.wait(bank.id, after=after, limit=limit, within_s=wait)
        else:
            heard = await feed.read(bank.id, after=after, limit=limit)
        events = [msgspec.Raw(event.body) for event in heard.events]
        body = msgspec.json.encode({"events": events, "next": heard.next})
        return Response(body, media_type="application/json")

    @router.get(
        "/events/stream", response_class=EventSourceResponse, dependencies=[Depends(listening)]
    )
    async def stream_events(
        request: Request, bank: Bank, after: Position = 0, last_event_id: LastEventId = None
    ) -> AsyncIterator[ServerSentEvent]:
        """Send the caller's events behind a position, then each as it comes; `id` is its position.

        It ends with the token: connect again with `Last-Event-ID`, as browsers and libraries do.
        """
        begin = after if last_event_id is None else last_event_id
        may_listen = partial(still_calls, request)
        async for event in feed.stream(bank.id, after=begin, may_listen=may_listen):
            yield ServerSentEvent(
                id=str(event.position), event=event.kind, raw_data=event.body.decode()
            )

    return router
