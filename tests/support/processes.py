"""Both services as real processes on real files, with the people who use them.

What a scenario does in one process through `tests/support/world.py`, it can do here over sockets,
and it can kill either process at any moment.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

import httpx

from demo.cast import Citizen, Tokens, citizens, make_tokens, seed
from demo.integrity import violations
from demo.services import Service, Services, a_port, start_together
from services.accounts import main as accounts_main
from services.accounts.settings import Settings as AccountsSettings
from services.consent import main as consent_main
from services.consent.settings import Settings as ConsentSettings
from shared.clock import SandboxClock
from tests.support.forking import ForkedServices
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

    async def uses(self, consent_id: str) -> tuple[int, int]:
        """Return how often a consent was used, and how many accounts it opened."""
        used = (await self.kinds("consent", consent_id)).count("consent.redeemed.1")
        return used, (await self.kinds("accounts", consent_id)).count("account.opened.1")

    async def violations(self) -> list[str]:
        """Return what is wrong with the logs, as `demo/integrity.py` finds it."""
        consent, accounts = await self.logs()
        keys = (await self.world.consent.get("/.well-known/jwks.json")).json()
        return violations(consent, accounts, keys)

    async def kinds(self, name: str, consent_id: str) -> list[str]:
        """Return the kinds of one service's facts about a consent, in order."""
        client = {"consent": self.world.consent, "accounts": self.world.accounts}[name]
        tag = f"consent:{consent_id}"
        return [fact["kind"] for fact in await self.world.log(client) if tag in fact["tags"]]


@dataclass
class Running:
    """Both services as processes, who may call them, and whom they know."""

    services: Services
    tokens: Tokens
    people: list[Citizen]
    between: int
    """The port at which accounts reaches the consent service: nobody listens there by itself."""

    pairs: list[tuple[Service, Service]] = field(default_factory=list)
    """The processes, in pairs: each accounts process uses consents at the other of its pair."""

    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    """To tell apart whoever is registered later."""

    def revive(self) -> None:
        """Start again whichever was killed."""
        for service in chain(*self.pairs):
            if service.process is None or service.process.poll() is not None:
                service.start()


@contextmanager
def running(
    folder: Path,
    *,
    by_proxy: bool = True,
    ledgers: Mapping[str, str] | None = None,
    processes: int = 1,
) -> Iterator[Running]:
    """Give both services as processes with everyone registered; several stands may follow on them.

    `ledgers` are their stores by name, SQLite in the folder by default. `processes` of each service
    serve the same log from the same folder. What `init` makes is made here: a process for it takes
    longer than all the rest.
    """
    tokens, people, between = make_tokens(folder), citizens(), a_port(0)
    services = ForkedServices(folder, tokens, ports=(0, 0, 0), clock_file=folder / "clock")
    consent, accounts = services.consent, services.accounts
    port = between if by_proxy else consent.port
    accounts.env = {**accounts.env, "ACCOUNTS_CONSENT_URL": f"http://127.0.0.1:{port}"}
    for service in (consent, accounts):
        ledger = (ledgers or {}).get(service.name, "")
        service.env = {**service.env, f"{service.name.upper()}_LEDGER": ledger}
    both = Running(services, tokens, people, between, _pairs(consent, accounts, processes))
    consent_main.init(consent_settings(consent))
    accounts_main.init(AccountsSettings.model_validate(_own(accounts)))
    services.register_clients()
    try:
        start_together([*chain(*both.pairs)])
        asyncio.run(_seed(consent.port, tokens, people))
        yield both
    finally:
        for service in chain(*both.pairs[1:]):
            service.stop()
        services.stop()


def _pairs(consent: Service, accounts: Service, count: int) -> list[tuple[Service, Service]]:
    """Return so many processes of each, on ports of their own.

    Each pair's accounts uses consents at that pair's consent service, and hears of its stops.
    """
    pairs = [(consent, accounts)]
    for _ in range(count - 1):
        own, opens = a_port(0), a_port(0)
        stops = {**consent.env, "CONSENT_ACCOUNTS_URL": f"http://127.0.0.1:{opens}"}
        uses = {**accounts.env, "ACCOUNTS_CONSENT_URL": f"http://127.0.0.1:{own}"}
        pair = replace(consent, port=own, env=stops), replace(accounts, port=opens, env=uses)
        pairs.append(pair)
    return pairs


def consent_settings(consent: Service) -> ConsentSettings:
    """Return the settings of a consent service's process."""
    return ConsentSettings.model_validate(_own(consent))


def _own(service: Service) -> dict[str, str]:
    """Return a service's part of its environment, by the names of its settings."""
    prefix = f"{service.name.upper()}_"
    names = [name for name in service.env if name.startswith(prefix)]
    return {name.removeprefix(prefix).lower(): service.env[name] for name in names}


async def _seed(port: int, tokens: Tokens, people: list[Citizen]) -> None:
    async with _client(port) as consent:
        await seed(consent, tokens, people)


@asynccontextmanager
async def a_stand(both: Running) -> AsyncIterator[Stand]:
    """Give clients of running services; `accounts` reaches `consent` by a proxy.

    The world's `accounts` client goes straight to the process; `before` is another way to it, on
    which an answer can be lost.
    """
    both.revive()
    both.people.append(both.people.pop(0))  # what was left open is not the next citizen's
    services = both.services
    async with (
        Proxy(services.consent.port, both.between) as between,
        Proxy(services.accounts.port) as before,
        _client(services.consent.port) as consent,
        _client(services.accounts.port) as accounts,
    ):
        world = _world(both, consent, accounts)
        yield Stand(services, world, between, before)


def _client(port: int) -> httpx.AsyncClient:
    return a_client(port, TIMEOUT_S, httpx.Limits(max_connections=100, max_keepalive_connections=0))


def a_client(port: int, timeout_s: float, limits: httpx.Limits) -> httpx.AsyncClient:
    """Return a client of a service on loopback; it reads no certificates, which takes a while."""
    base = f"http://127.0.0.1:{port}"
    return httpx.AsyncClient(base_url=base, timeout=timeout_s, limits=limits, verify=False)


def _world(both: Running, consent: httpx.AsyncClient, accounts: httpx.AsyncClient) -> World:
    """Return a world in which a bank asks online: what is agreed to can be used at once."""
    folder = both.services.folder
    clock = SandboxClock(folder / "clock")
    world = World(folder, both.tokens, clock, both.people, "so-viet")
    world.consent, world.accounts = consent, accounts
    return world
