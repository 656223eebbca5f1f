"""How a bank listens: it reads a feed to its end, a stream as it comes, and serves for webhooks."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI


async def read_feed(
    client: httpx.AsyncClient, headers: dict[str, str], *, after: int = 0, limit: int = 500
) -> list[dict[str, Any]]:
    """Return all events behind a position, page by page."""
    events = list[dict[str, Any]]()
    while True:
        query = {"after": after, "limit": limit}
        answer = await client.get("/events", params=query, headers=headers)
        page = answer.raise_for_status().json()
        if not page["events"]:
            return events
        events += page["events"]
        assert page["next"] > after
        after = page["next"]


async def sent(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, str]]:
    """Give the events of a stream by the rules of its format (WHATWG HTML, server-sent events)."""
    fields = dict[str, str]()
    async for line in lines:
        if not line and fields:
            yield fields
            fields = {}
        name, _, value = line.partition(": ")
        if name:  # else it is a comment, or the end of one
            fields[name] = value


async def take(events: AsyncIterator[dict[str, str]], count: int) -> list[dict[str, Any]]:
    """Return so many events of a stream, each of which says three times what it is."""
    taken = list[dict[str, Any]]()
    async for fields in events:
        event = json.loads(fields["data"])
        assert fields["event"] == event["type"]
        assert int(fields["id"]) == int(event["sequence"])
        taken.append(event)
        if len(taken) == count:
            break
    return taken


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve an app over a real socket in this event loop; gives its address."""
    config = uvicorn.Config(
        app, port=0, lifespan="off", log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
