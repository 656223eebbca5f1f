"""Both services in one process, joined by their real HTTP layers over real SQLite files.

`World` starts, stops and restarts them on the same folder, so that what survives a restart is
what was written. A `Wire` stands between them and can lose a request or its answer.
"""

import asyncio
import atexit
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI
from typing_extensions import override

from demo.cast import ACCOUNT, KNOWN_SINCE, Citizen, Product, Tokens, citizens, make_tokens, seed
from demo.commands import command, question, sitting
from demo.phone import Phone
from services.accounts import main as accounts_main
from services.accounts.settings import Settings as AccountsSettings
from services.consent import main as consent_main
from services.consent.policy import Policy
from services.consent.settings import Settings as ConsentSettings
from shared.clock import SandboxClock
from tests.support.authenticator import ORIGIN, RP_ID
from tests.support.laws import personal_data, violations

MORNING = datetime(2023, 8, 9, 0, 0, tzinfo=UTC)
"""07:00 on 9 August 2023 in Vietnam."""


ResultT = TypeVar("ResultT")


def new_id() -> str:
    """Return a fresh caller-made id."""
    return uuid.uuid4().hex


class Lost(httpx.ConnectError):
    """The wire lost a request or its answer."""


class Wire(httpx.AsyncBaseTransport):
    """A connection to an app; `faults` are taken one by one, one a request.

    `before` loses the request, `after` lets it act and loses the answer; None lets it pass. Only
    requests whose path ends with `only` take one.
    """

    def __init__(self) -> None:
        self.app: FastAPI | None = None
        self.faults: list[str | None] = []
        self.only = ""
        self.requests = 0
        self.paths = list[str]()

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        self.paths.append(request.url.path)
        meant = self.faults and request.url.path.endswith(self.only)
        fault = self.faults.pop(0) if meant else None
        if fault == "before" or self.app is None:
            raise Lost("before")
        answer = await httpx.ASGITransport(self.app).handle_async_request(request)
        if fault == "after":
            raise Lost("after")
        return answer


@dataclass
class World:
    """Everything that a scenario needs, under one folder."""

    folder: Path
    tokens: Tokens
    clock: SandboxClock
    people: list[Citizen]
    holder: str = "gdv-01"
    """Who asks, where a scenario does not say: a clerk at the counter, or a bank online."""

    wire: Wire = field(default_factory=Wire)
    back: Wire = field(default_factory=Wire)
    """On which stops come to accounts."""

    clients: Path | None = None
    """The file of clients that get tokens bound to their keys."""

    as_clients: bool = False
    """Whether the services call each other as clients, and not with bearer tokens."""

    consent_app: Any = None
    accounts_app: Any = None
    consent: Any = None
    accounts: Any = None

    def copied(self, folder: Path) -> "World":
        """Return a world of the same people, stopped, on a copy of this one's files."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        tokens = replace(self.tokens, file=folder / self.tokens.file.name)
        return World(folder, tokens, SandboxClock(folder / "clock"), [*self.people])

    async def start(self) -> None:
        """Start both services on what the folder holds."""
        self.start_consent()
        self.start_accounts()

    def start_consent(self) -> None:
        """Start the consent service on what its folder holds, in reach of accounts."""
        settings = ConsentSettings(
            folder=self.folder / "consent",
            tokens=self.tokens.file,
            clients=self.clients,
            public_url="http://consent",
            client_certificates="X-Client-Certificate",  # believed of nobody: there is no proxy
            passkey_domain=RP_ID,
            passkey_origins=(ORIGIN,),
            accounts_url="http://accounts",
            accounts_client_id="consent" if self.as_clients else "",
            accounts_token=self.tokens.by_holder["consent"],
            webhooks_private=True,
            sandbox=True,
            clock_file=self.folder / "clock",
        )
        consent_main.init(settings)
        between = httpx.AsyncClient(transport=self.back, base_url="http://accounts")
        self.consent_app = consent_main.create_app(settings, between)
        self.wire.app = self.consent_app
        self.consent = _client(self.consent_app, "http://consent")

    def start_accounts(self) -> None:
        """Start the accounts service on what its folder holds."""
        settings = AccountsSettings(
            folder=self.folder / "accounts",
            tokens=self.tokens.file,
            clients=self.clients,
            public_url="http://accounts",
            client_certificates="X-Client-Certificate",
            consent_url="http://consent",
            consent_client_id="accounts" if self.as_clients else "",
            consent_token=self.tokens.by_holder["accounts"],
            webhooks_private=True,
            sandbox=True,
            clock_file=self.folder / "clock",
        )
        accounts_main.init(settings)
        between = httpx.AsyncClient(transport=self.wire, base_url="http://consent")
        self.accounts_app = accounts_main.create_app(settings, between)
        self.back.app = self.accounts_app
        self.accounts = _client(self.accounts_app, "http://accounts")

    async def stop(self) -> None:
        """Stop both services as their lifespans do."""
        await _stop(self.accounts_app)
        await _stop(self.consent_app)

    async def restart(self) -> None:
        """Stop and start."""
        await self.stop()
        await self.start()

    async def restart_consent(self) -> None:
        """Stop and start the consent service alone."""
        await _stop(self.consent_app)
        self.start_consent()

    async def restart_accounts(self) -> None:
        """Stop and start the accounts service alone."""
        await _stop(self.accounts_app)
        self.start_accounts()

    def phone(self, citizen: Citizen) -> Phone:
        """Return a citizen's phone."""
        return Phone(self.consent, citizen.phone)

    async def newcomer(self, phone: str = "") -> Citizen:
        """Register one more citizen, with a phone of their own unless one is given."""
        own = phone or f"+8490001{len(self.people):04d}"
        citizen = Citizen(f"c-{new_id()[:16]}", "Người Mới", own)
        answer = await self.consent.put(
            f"/citizens/{citizen.id}",
            json={"phone": citizen.phone, "known_since": KNOWN_SINCE},
            headers=self.tokens.header("operator"),
        )
        answer.raise_for_status()
        self.people.append(citizen)
        return citizen

    async def ask(
        self, citizen: Citizen, *args: Any, holder: str = "", **more: Any
    ) -> tuple[str, httpx.Response]:
        """Ask a citizen as `holder`; returns the consent's id and the answer."""
        holder = holder or self.holder
        consent_id = more.pop("consent_id", None) or new_id()
        clerk = holder if holder.startswith("gdv") else None
        body = question(citizen, *args, clerk=more.pop("clerk", clerk), **more)
        headers = self.tokens.header(holder)
        return consent_id, await self.consent.put(
            f"/consents/{consent_id}", json=body, headers=headers
        )

    async def given(self, citizen: Citizen, *args: Any, holder: str = "") -> tuple[str, str, str]:
        """Ask and agree; at a counter be photographed, handed in, and confirm after half an hour.

        Returns the consent's id, its link and the signed event.
        """
        holder = holder or self.holder
        consent_id, answer = await self.ask(citizen, *args, holder=holder)
        link = answer.json()["link"]
        (await self.phone(citizen).decide(link, "given")).raise_for_status()
        if holder.startswith("gdv"):
            await self.hand_in(consent_id, holder)
            await self.confirm(citizen, link)
        return consent_id, link, await self.event(consent_id)

    async def capture(
        self, consent_id: str, holder: str = "gdv-01", **changes: Any
    ) -> httpx.Response:
        """Say as a clerk that the citizen was photographed."""
        path = f"/consents/{consent_id}/captures/{changes.pop('capture_id', None) or new_id()}"
        body = {**sitting(self.clock()), **changes}
        answer: httpx.Response = await self.consent.put(
            path, json=body, headers=self.tokens.header(holder)
        )
        return answer

    async def submit(self, consent_id: str, holder: str = "gdv-01") -> httpx.Response:
        """Hand in as a clerk what the citizen agreed to."""
        answer: httpx.Response = await self.consent.put(
            f"/consents/{consent_id}/submission", headers=self.tokens.header(holder)
        )
        return answer

    async def hand_in(self, consent_id: str = "", holder: str = "gdv-01") -> None:
        """Photograph a citizen, and hand in what they agreed to; by default who agreed last."""
        if not consent_id:
            log = await self.log(self.consent)
            agreed = [one["data"] for one in log if one["kind"] == "consent.given.1"]
            consent_id = agreed[-1]["consent_id"]
        (await self.capture(consent_id, holder)).raise_for_status()
        (await self.submit(consent_id, holder)).raise_for_status()

    async def confirm(self, citizen: Citizen, link: str) -> None:
        """Confirm an agreement; waits for its time, if that is still to come."""
        phone = self.phone(citizen)
        if 'value="confirmed"' not in (await phone.read(link)).text:
            self.clock.move_to(self.clock() + Policy().confirm_after)
        (await phone.decide(link, "confirmed")).raise_for_status()

    async def event(self, consent_id: str) -> str:
        """Return the signed consent event."""
        answer = await self.consent.get(
            f"/consents/{consent_id}", headers=self.tokens.header("regulator")
        )
        return str(answer.json()["event"])

    async def open(
        self,
        citizen: Citizen,
        consent: str | None,
        product: Product = ACCOUNT,
        *,
        holder: str = "",
        **more: Any,
    ) -> httpx.Response:
        """Send the command to open an account as `holder`: the product's bank, if not said.

        Whose case it is by the command: of the clerk who asks in this world, if not said.
        """
        opening_id, asker = more.pop("opening_id", None) or new_id(), holder or self.holder
        clerk = asker if asker.startswith("gdv") else None
        body = command(citizen, consent, product, clerk=more.pop("clerk", clerk), **more)
        headers = self.tokens.header(holder or product.bank_id)
        answer: httpx.Response = await self.accounts.put(
            f"/openings/{opening_id}", json=body, headers=headers
        )
        return answer

    async def log(self, client: httpx.AsyncClient, after: int = 0) -> list[dict[str, Any]]:
        """Return a service's log, whole or behind a position, as the regulator reads it."""
        return await read_log(client, self.tokens.header("regulator"), after)

    async def broken(self, *personal: str, born: Mapping[str, date] | None = None) -> list[str]:
        """Return what both logs break of the laws; nothing personal of these people may be there.

        `personal` is what else nobody may find, `born` are dates of birth by citizen.
        """
        consent, accounts = await self.log(self.consent), await self.log(self.accounts)
        keys = (await self.consent.get("/.well-known/jwks.json")).json()
        hidden = personal_data(self.people, *personal)
        return violations(consent, accounts, keys, hidden, born)

    async def newest(self, client: httpx.AsyncClient) -> dict[str, Any]:
        """Return the newest fact of a service's log."""
        head = (await client.get("/readyz")).json()["head"]
        return (await self.log(client, head - 1))[-1]


async def read_log(
    client: httpx.AsyncClient, headers: dict[str, str], after: int = 0
) -> list[dict[str, Any]]:
    """Return a service's facts behind a position, page by page."""
    facts = list[dict[str, Any]]()
    while True:
        query = {"after": after, "limit": 1000}
        answer = await client.get("/log", params=query, headers=headers)
        page = answer.raise_for_status().json()
        if not page["facts"]:
            return facts
        facts += page["facts"]
        after = page["next"]


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    """Give a started world with everyone registered, at seven in the morning."""
    if not _REGISTERED:
        _REGISTERED.append(await _registered())
    world = _REGISTERED[0].copied(folder)
    world.clock.move_to(MORNING)
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


_REGISTERED = list[World]()
"""The world of which each other is a copy, once there is one: to register everyone takes longer
than many a test."""


async def _registered() -> World:
    """Return a stopped world in which everyone was registered; its folder goes at exit."""
    folder = Path(tempfile.mkdtemp(prefix="thuan-world-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    clock = SandboxClock(folder / "clock")
    clock.move_to(MORNING - timedelta(minutes=1))
    world = World(folder, make_tokens(folder), clock, citizens())
    await world.start()
    try:
        await seed(world.consent, world.tokens, world.people)
    finally:
        await world.stop()
    return world


@dataclass
class Running:
    """A started world in which many tests play, one after another, each with people of its own."""

    world: World
    runner: asyncio.Runner

    def play(self, scenario: Callable[[World], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Play a scenario; returns what it does."""
        return self.runner.run(scenario(self.world))


@contextmanager
def a_running_world(folder: Path) -> Iterator[Running]:
    """Give one world to many tests, whose logs are sound in the end."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        try:
            world = runner.run(stack.enter_async_context(a_world(folder)))
            yield Running(world, runner)
            broken = runner.run(world.broken())
            assert broken == [], broken
        finally:
            runner.run(stack.aclose())


async def _stop(app: FastAPI) -> None:
    async with app.router.lifespan_context(app):
        pass


def _client(app: FastAPI, base: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)
