"""One stage for all of these tests: both services and a witness over sockets, and an export."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from demo.cast import KNOWN_SINCE, Tokens, make_tokens
from demo.services import a_port
from services.accounts import main as accounts
from services.accounts.facts import VOCABULARY as ACCOUNTS_FACTS
from services.accounts.facts import OpeningRejected
from services.accounts.settings import Settings as AccountsSettings
from services.audit import __main__ as audit
from services.consent import main as consent
from services.consent.facts import VOCABULARY as CONSENT_FACTS
from services.consent.facts import BankRegistered
from services.consent.settings import Settings as ConsentSettings
from services.witness import main as witness
from services.witness.settings import Settings as WitnessSettings
from shared.ledger import stores
from shared.ledger.facts import Vocabulary
from shared.ledger.keys import load_keys
from shared.ledger.recorder import Append
from tests.support.matters import Morning, a_morning
from tests.support.samples import QUESTION, SERVED
from tests.support.story import Taken, a_story, shown

JULY, AUGUST = datetime(2023, 7, 31, 16, 59, tzinfo=UTC), datetime(2023, 7, 31, 17, tzinfo=UTC)
"""The last minute of July in Vietnam, and the first of August."""

IN_JULY, IN_AUGUST = 200, 100
"""Banks registered in either month: all together the log of consents has more than one tile."""

Told = Callable[..., tuple[int, dict[str, Any]]]

Site = httpx.Client
"""A browser without a screen, at the pages."""


@dataclass
class Stage:
    """The running services, and the folder in which exports are put."""

    folder: Path
    tokens: Tokens
    consent: str
    accounts: str
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def addresses(self) -> list[str]:
        """Return the arguments that name both services and the token."""
        token = str(self.folder / "token")
        return ["--consent", self.consent, "--accounts", self.accounts, "--token-file", token]

    def place(self, name: str = "export") -> Path:
        """Return a place where nothing is."""
        return self.folder / f"{next(self.numbers)}-{name}"

    def copy(self, export: Path) -> Path:
        """Return a copy of an export, to be tampered with."""
        return Path(shutil.copytree(export, self.place()))

    def grow(self, path: str = "", *, wait: bool = True, **body: Any) -> None:
        """Let the log of consents grow, by a bank unless told otherwise, and be witnessed."""
        path = path or f"/banks/more-{next(self.numbers)}"
        headers = self.tokens.header("operator")
        answer = httpx.put(self.consent + path, json=body or {"name": "N"}, headers=headers)
        answer.raise_for_status()
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until all that both logs have is witnessed."""
        until = time.monotonic() + 15
        while not all(map(_is_witnessed, (self.consent, self.accounts))):
            assert time.monotonic() < until
            time.sleep(0.05)

    @property
    def keys(self) -> Path:
        """Return a file of both logs' keys, as an inspector has them from elsewhere."""
        logs = [load_keys(self.folder / name / "log.keys.json") for name in ("consent", "accounts")]
        file = self.folder / "trusted.keys"
        file.write_text("".join(f"{key.verifier}\n" for keys in logs for key in keys))
        return file

    @property
    def policy(self) -> Path:
        """Return the policy of an inspector who knows the witness."""
        return self.folder / "witnesses.policy"


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give the running services to all tests that do not mind what the others added."""
    with a_stage(tmp_path_factory.mktemp("audit")) as stage:
        yield stage


@contextmanager
def a_stage(folder: Path) -> Iterator[Stage]:
    """Give the running services, with facts in both logs, all of them witnessed."""
    tokens, ports = make_tokens(folder), [a_port(0) for _ in range(3)]
    (folder / "token").write_text(tokens.by_holder["regulator"])
    apps = _apps(folder, tokens, ports)
    with ExitStack() as stack:
        for app, port in zip(apps, ports, strict=True):
            stack.enter_context(served(app, port))
        ours, theirs = (f"http://127.0.0.1:{port}" for port in ports[:2])
        stage = Stage(folder, tokens, ours, theirs)
        for number in range(3):
            phone = f"+8490000000{number}"
            stage.grow(f"/citizens/c-{number}", wait=False, phone=phone, known_since=KNOWN_SINCE)
        stage.wait()
        yield stage


@pytest.fixture(scope="session")
def export(stage: Stage) -> Path:
    """Give an export of both logs; nobody changes it."""
    place = stage.place()
    assert audit.main(["export", str(place), *stage.addresses]) == 0
    return place


@pytest.fixture(scope="session")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Morning:
    """Give what both logs have of one morning, of which bundles are made."""
    return a_morning(tmp_path_factory.mktemp("morning"))


@pytest.fixture(scope="session")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    """Give a whole story, played and taken home, with its services still there."""
    with a_story(tmp_path_factory.mktemp("story")) as taken:
        yield taken


@pytest.fixture(scope="module")
def site(taken: Taken) -> Iterator[Site]:
    """Give the pages of the story's export, with the inspector's own keys and policy."""
    with (
        shown(taken.export, keys=taken.keys, policy=taken.policy) as base,
        httpx.Client(base_url=base, follow_redirects=True) as client,
    ):
        yield client


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Give the command: its exit code and what it tells in JSON."""

    def run(*arguments: object) -> tuple[int, dict[str, Any]]:
        code = audit.main([*map(str, arguments), "--json"])
        text = capsys.readouterr().out
        return code, json.loads(text.splitlines()[-1]) if text else {}

    return run


def _apps(folder: Path, tokens: Tokens, ports: Sequence[int]) -> list[FastAPI]:
    """Return the three, introduced to each other, with facts of two months in their stores."""
    policy, urls = folder / "witnesses.policy", [f"http://127.0.0.1:{port}" for port in ports]
    common: dict[str, Any] = {"tokens": tokens.file, "policy": policy, "sandbox": True}
    ours = ConsentSettings(folder=folder / "consent", accounts_url=urls[1], **common)
    theirs = AccountsSettings(folder=folder / "accounts", consent_url=urls[0], **common)
    watching = WitnessSettings(folder=folder / "witness", logs=folder / "logs.policy")
    consent.init(ours)
    accounts.init(theirs)
    witness.init(watching)
    logs = [load_keys(one.folder / "log.keys.json")[0].verifier for one in (ours, theirs)]
    (folder / "logs.policy").write_text("".join(f"log {key}\n" for key in logs) + "quorum none\n")
    near = load_keys(folder / "witness" / witness.KEYS_FILE)[0].verifier
    policy.write_text(f"witness near {near} {urls[2]}\nquorum near\n")
    banks = [BankRegistered(bank_id=f"b{number}", name="N") for number in range(IN_JULY)]
    _fill(ours.ledger_address, CONSENT_FACTS, JULY, [*banks, QUESTION])
    _fill(ours.ledger_address, CONSENT_FACTS, AUGUST, [SERVED, *banks[:IN_AUGUST]])
    _fill(theirs.ledger_address, ACCOUNTS_FACTS, AUGUST, [_rejected(one) for one in ("o1", "o2")])
    return [consent.create_app(ours), accounts.create_app(theirs), witness.create_app(watching)]


def _fill(address: str, vocabulary: Vocabulary, at: datetime, facts: Sequence[Any]) -> None:
    """Put facts into a store, as if the time were another."""
    with closing(stores.open_recorder(address, lambda: at)) as recorder:
        recorder.append_batch([Append([vocabulary.encode(one) for one in facts])])


def _rejected(opening_id: str) -> OpeningRejected:
    return OpeningRejected(
        opening_id=opening_id,
        citizen_id="c1",
        bank_id="cake",
        product_id="p",
        purpose=None,
        office_id="o",
        site_id=None,
        clerk_id=None,
        command_hash=None,
        commanded_by="bank:cake",
        reasons=["consent_missing"],
    )


@contextmanager
def served(app: Any, port: int) -> Iterator[None]:
    """Serve an app over a socket, in a thread."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield
    server.should_exit = True
    thread.join()


def _is_witnessed(address: str) -> bool:
    health = httpx.get(f"{address}/readyz").json()
    return bool(health["witnessed"] == health["head"])
