"""What anyone may see of a log: its public files under `/tlog/`, and the proof of a position."""

import asyncio
import re

from fastapi import APIRouter, Response

from shared.errors import Kind, Rejection
from shared.ledger.integrator import CHECKPOINT_PATH
from shared.ledger.seal import VERIFIER_KEYS_PATH, NotSealed, Seal

TILE = re.compile(r"tile/(?:\d{1,2}|entries)/(?:x\d{3}/)*\d{3}(?:\.p/\d{1,3})?", re.ASCII)
"""Every path of a tile, and nothing else: no path can leave the folder."""

TEXT = "text/plain; charset=utf-8"
FOREVER = "public, max-age=31536000, immutable"
HEADERS = {"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*"}
"""The files are for everyone, so any page may read them; none is ever run."""


def routes(seal: Seal) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["public log"])

    @router.get("/tlog/{path:path}")
    async def public_file(path: str) -> Response:
        """Give the newest checkpoint, the keys to check it with, or a tile (C2SP tlog-tiles)."""
        if path in {CHECKPOINT_PATH, VERIFIER_KEYS_PATH}:
            headers = {**HEADERS, "Cache-Control": "no-cache"}
            return Response(await _file(seal, path), media_type=TEXT, headers=headers)
        if not TILE.fullmatch(path):
            raise Rejection(Kind.UNKNOWN, "not_found")
        headers = {**HEADERS, "Cache-Control": FOREVER}
        content = await _file(seal, path)
        return Response(content, media_type="application/octet-stream", headers=headers)

    @router.get("/log/{position}/proof")
    async def proof(position: int) -> Response:
        """Give the proof that a position is under a signed checkpoint (C2SP tlog-proof)."""
        try:
            text = await asyncio.to_thread(seal.proof, position)
        except NotSealed:
            raise Rejection(Kind.UNKNOWN, "not_sealed") from None
        return Response(text, media_type=TEXT, headers={**HEADERS, "Cache-Control": "no-cache"})

    return router


async def _file(seal: Seal, path: str) -> bytes:
    try:
        return await asyncio.to_thread(seal.public.fetch, path)
    except FileNotFoundError:
        raise Rejection(Kind.UNKNOWN, "not_found") from None
