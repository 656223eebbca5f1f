"""A real service, a real browser: the process that answers, and phones of several sizes.

The browser's interface runs an event loop of its own as long as it is open, so it is opened for
this folder and closed before any other test runs.
"""

import asyncio
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from demo.cast import ACCOUNT, Citizen, Product, Tokens, make_tokens, seed
from demo.commands import question, sitting
from demo.phone import CODE
from demo.services import Service, a_port
from services.consent import main as consent_main
from shared.clock import SandboxClock
from tests.support.forking import ForkedService
from tests.support.processes import consent_settings

NAMES = ("chromium", "chromium-browser", "google-chrome")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""The browser needs no more privileges than a container has, and calls nobody by itself."""


@dataclass
class Stand:
    """A running consent service, and the people whom it may ask."""

    service: Service
    tokens: Tokens
    clock: SandboxClock
    people: list[Citizen]
    client: httpx.Client
    consent_id: str = ""
    """What was asked last."""

    def ask(self, product: Product = ACCOUNT) -> tuple[Citizen, str]:
        """Ask the next person; returns who, and the link."""
        citizen = self.people.pop()
        return citizen, self.ask_again(citizen, product)

    def ask_again(self, citizen: Citizen, product: Product = ACCOUNT) -> str:
        """Ask somebody, who was perhaps asked before; returns the link."""
        self.consent_id = secrets.token_hex(16)
        answer = self.client.put(
            f"/consents/{self.consent_id}",
            json=question(citizen, product),
            headers=self.tokens.header("gdv-01"),
        )
        return str(answer.raise_for_status().json()["link"])

    def hand_in(self) -> None:
        """Photograph whoever agreed to what was asked last, and hand it in."""
        path, headers = f"/consents/{self.consent_id}", self.tokens.header("gdv-01")
        body = sitting(self.clock())
        capture = self.client.put(f"{path}/captures/{self.consent_id}", json=body, headers=headers)
        capture.raise_for_status()
        self.client.put(f"{path}/submission", headers=headers).raise_for_status()

    def code(self, citizen: Citizen) -> str:
        """Return the code that came last to somebody's phone."""
        messages = self.client.get("/sandbox/outbox", params={"phone": citizen.phone}).json()
        codes = re.findall(CODE, "\n".join(one["text"] for one in messages))
        return str(codes[-1])


@dataclass
class Watch:
    """What a browser's tabs complained of, and asked for."""

    complaints: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Take note of whatever happens in a context."""
        context.on("request", self._requested)
        context.on("console", lambda message: self.complaints.append(message.text))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _requested(self, request: Request) -> None:  # Playwright wants a function of Python's own
        self.requests.append(request)

    @property
    def hosts(self) -> set[str]:
        """Return every host that was asked for something."""
        return {urlsplit(one.url).netloc for one in self.requests}

    @property
    def pages(self) -> list[str]:
        """Return method and path of each request for a page, in order."""
        asked = [one for one in self.requests if one.is_navigation_request()]
        return [f"{one.method} {urlsplit(one.url).path}" for one in asked]


OpenPage = Callable[..., Page]
Device = Callable[[Page], None]


def crowd() -> list[Citizen]:
    """Return more people than are asked here: a question that is open cannot be put again."""
    return [
        Citizen(f"c-{secrets.token_hex(8)}", "Một người", f"+8490001{number:04d}")
        for number in range(80)
    ]


@pytest.fixture(scope="package")
def chromium() -> str:
    """Give the path of an installed Chromium."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser is installed here: none of {', '.join(NAMES)} is in PATH")
    return found


@pytest.fixture(scope="module")
def stand(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Run the consent service as a process of its own, with everyone registered."""
    folder = tmp_path_factory.mktemp("browser")
    tokens, people, port = make_tokens(folder), crowd(), a_port(0)
    env = {
        "CONSENT_FOLDER": str(folder / "consent"),
        "CONSENT_SANDBOX": "true",
        "CONSENT_CLOCK_FILE": str(folder / "clock"),
        "CONSENT_TOKENS": str(tokens.file),
        "CONSENT_PUBLIC_URL": f"http://localhost:{port}",
    }
    service = ForkedService("consent", port, env, folder)
    consent_main.init(consent_settings(service))
    with ExitStack() as stack:
        stack.callback(service.stop)
        service.start()
        base = f"http://localhost:{port}"
        with ThreadPoolExecutor() as aside:  # here the browser's event loop runs
            aside.submit(asyncio.run, _register(base, tokens, people)).result()
        client = stack.enter_context(httpx.Client(base_url=base))
        yield Stand(service, tokens, SandboxClock(folder / "clock"), people, client)


async def _register(base: str, tokens: Tokens, people: list[Citizen]) -> None:
    async with httpx.AsyncClient(base_url=base) as client:
        await seed(client, tokens, people)


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """Run the browser."""
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=FLAGS, headless=True) as browser,
    ):
        yield browser


@pytest.fixture
def watch() -> Watch:
    """Give what the browser of this test did."""
    return Watch()


@pytest.fixture
def open_page(browser: Browser, watch: Watch) -> Iterator[OpenPage]:
    """Give a way to open a tab: its width, and whether scripts may run; by default they may not."""
    with ExitStack() as stack:

        def opened(
            width: int = 390, *, scripts: bool = False, dark: bool = False, print_: bool = False
        ) -> Page:
            context = browser.new_context(
                viewport={"width": width, "height": 844},
                java_script_enabled=scripts,
                color_scheme="dark" if dark else "light",
            )
            stack.callback(context.close)
            watch.over(context)
            page = context.new_page()
            page.set_default_timeout(10_000)
            page.emulate_media(media="print" if print_ else "screen")
            return page

        yield opened


@pytest.fixture
def device() -> Device:
    """Give a page a device that knows its person's finger."""

    def virtual(page: Page) -> None:
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        session.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    return virtual


def is_clean(page: Page) -> None:
    """Hold that axe finds nothing in the way of anybody."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
