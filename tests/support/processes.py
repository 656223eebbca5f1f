"""Both services as real processes on real files, with the people who use them.

What a scenario does in one process through `tests/support/world.py`, it can do here over sockets,
and it can kill either process at any moment.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from demo.cast import Citizen, Tokens, citizens, make_tokens, seed
from demo.integrity import violations
from demo.services import Services
from shared.clock import SandboxClock
from tests.support.proxy import Proxy
from tests.support.world import World

TIMEOUT_S = 20.0


@dataclass
class Stand:
    """The processes, a world whose clients speak to them, and the wires between."""

    services: Services
    world: World
    between: Proxy
    before: Proxy

    async def logs(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return both logs."""
        return await self.world.log(self.world.consent), await self.world.log(self.world.accounts)

    async def violations(self) -> list[str]:
        """Return what is wrong with the logs, as `demo/integrity.py` finds it."""
        consent, accounts = await self.logs()
        keys = (await self.world.consent.get("/.well-known/jwks.json")).json()
        return violations(consent, accounts, keys)

    async def kinds(self, name: str) -> list[str]:
        """Return the kinds of one service's facts, in order."""
        client = {"consent": self.world.consent, "accounts": self.world.accounts}[name]
        return [fact["kind"] for fact in await self.world.log(client)]


@asynccontextmanager
async def a_stand(folder: Path) -> AsyncIterator[Stand]:
    """Give running services with everyone registered; `accounts` reaches `consent` by a proxy.

    The world's `accounts` client goes straight to the process; `before` is another way to it, on
    which an answer can be lost.
    """
    tokens, people = make_tokens(folder), citizens()
    with Services(folder, tokens, ports=(0, 0, 0)) as services:
        async with Proxy(services.consent.port) as between, Proxy(services.accounts.port) as before:
            _reach_by(services, between)
            async with (
                _client(services.consent.port) as consent,
                _client(services.accounts.port) as accounts,
            ):
                world = _world(folder, tokens, people, consent, accounts)
                await seed(consent, tokens, people)
                yield Stand(services, world, between, before)


def _reach_by(services: Services, between: Proxy) -> None:
    """Restart accounts so that it asks the consent service through the proxy."""
    url = f"http://127.0.0.1:{between.port}"
    services.accounts.stop()
    services.accounts.env = {**services.accounts.env, "ACCOUNTS_CONSENT_URL": url}
    services.accounts.start()


def _client(port: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT_S, limits=limits)


def _world(
    folder: Path,
    tokens: Tokens,
    people: list[Citizen],
    consent: httpx.AsyncClient,
    accounts: httpx.AsyncClient,
) -> World:
    """Return a world in which a bank asks online: what is agreed to can be used at once."""
    clock = SandboxClock(folder / "unused")
    return World(folder, tokens, clock, people, "so-viet", consent=consent, accounts=accounts)
