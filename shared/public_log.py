"""What anyone may see of a log: its public files under `/tlog/`, and the proof of a position."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from fastapi.responses import PlainTextResponse

from shared.errors import Kind, Rejection
from shared.ledger.integrator import CHECKPOINT_PATH, WITNESSED_PATH
from shared.ledger.seal import VERIFIER_KEYS_PATH, NotSealed, Seal

TILE = re.compile(r"tile/(?:\d{1,2}|entries)/(?:x\d{3}/)*\d{3}(?:\.p/\d{1,3})?", re.ASCII)
"""Every path of a tile, and nothing else: no path can leave the folder."""

Wait = Literal["sealed", "witnessed"]
WAIT_S = 5.0
"""Seconds that a caller may wait for a proof: several times what it should take."""

POLL_S = 0.1

TEXT = "text/plain; charset=utf-8"
FOREVER = "public, max-age=31536000, immutable"
HEADERS = {"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*"}
"""The files are for everyone, so any page may read them; none is ever run."""

FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {}, "application/octet-stream": {}}}
}

Position = Annotated[int, Path(ge=0, le=2**53)]


def routes(seal: Seal, head: Callable[[], Awaitable[int]]) -> APIRouter:
    """Return the routes; `head` gives the log's last position."""
    router = APIRouter(tags=["public log"])

    @router.get("/tlog/{path:path}", responses=FILES)
    async def public_file(path: str) -> Response:
        """Give the newest checkpoint, the keys to check it with, or a tile (C2SP tlog-tiles)."""
        if path in {CHECKPOINT_PATH, WITNESSED_PATH, VERIFIER_KEYS_PATH}:
            headers = {**HEADERS, "Cache-Control": "no-cache"}
            return Response(await _file(seal, path), media_type=TEXT, headers=headers)
        if not TILE.fullmatch(path):
            raise Rejection(Kind.UNKNOWN, "not_found")
        headers = {**HEADERS, "Cache-Control": FOREVER}
        content = await _file(seal, path)
        return Response(content, media_type="application/octet-stream", headers=headers)

    @router.get("/log/{position}/proof", response_class=PlainTextResponse)
    async def proof(position: Position, wait: Wait | None = None) -> Response:
        """Give the proof that a position is under a signed checkpoint (C2SP tlog-proof).

        `?wait=sealed` waits for it, `?wait=witnessed` until a quorum has cosigned it too: five
        seconds at most, and only where the log goes so far.
        """
        witnessed = wait == "witnessed"
        until = time.monotonic() + (WAIT_S if wait else 0)
        while (text := await asyncio.to_thread(_proof, seal, position, witnessed)) is None:
            if time.monotonic() >= until or not 0 < position <= await head():
                raise Rejection(Kind.UNKNOWN, "not_witnessed" if witnessed else "not_sealed")
            await asyncio.sleep(POLL_S)
        return Response(text, media_type=TEXT, headers={**HEADERS, "Cache-Control": "no-cache"})

    return router


def _proof(seal: Seal, position: int, witnessed: bool) -> str | None:  # noqa: FBT001 - for a thread
    with suppress(NotSealed):
        return seal.proof(position, witnessed=witnessed)
    return None


async def _file(seal: Seal, path: str) -> bytes:
    try:
        return await asyncio.to_thread(seal.public.fetch, path)
    except FileNotFoundError:
        raise Rejection(Kind.UNKNOWN, "not_found") from None
