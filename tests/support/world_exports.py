"""An export of a world's two logs, taken as a regulator takes it, but through no socket."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
from typing_extensions import override

from services.audit.export import LogName
from services.audit.sources import Source
from services.audit.taking import Taking
from shared.clock import system_clock
from tests.support.world import World

SEALED_WITHIN_S = 10.0


class Inside(httpx.BaseTransport):
    """Asks an app in this process, one request after the other."""

    def __init__(self, app: Any) -> None:
        self._app = app

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await httpx.ASGITransport(self._app).handle_async_request(request)
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=await answer.aread()
        )


class AppSource(Source):
    """A service in this process."""

    def __init__(self, app: Any, token: str) -> None:
        super().__init__("http://service", token)
        self._client.close()
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(
            transport=Inside(app), base_url="http://service", headers=headers
        )


def export_of(world: World, place: Path) -> Path:
    """Take both logs of a running world to a place, all that is in them."""
    token = world.tokens.by_holder["regulator"]
    apps: dict[LogName, Any] = {"consent": world.consent_app, "accounts": world.accounts_app}
    for app in apps.values():
        _wait_until_sealed(app)
    sources: dict[LogName, Source] = {name: AppSource(app, token) for name, app in apps.items()}
    Taking(sources, None, place, system_clock).run(lambda done, size: None)
    return place


def _wait_until_sealed(app: Any) -> None:
    until, head = time.monotonic() + SEALED_WITHIN_S, app.state.log.recorder.head()
    while app.state.seal.sealed < head:
        assert time.monotonic() < until, app.state.seal.trouble
        time.sleep(0.02)
