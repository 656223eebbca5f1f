"""A bank's developer who has never seen the project gets through a first day by the documents."""

import asyncio
import importlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from demo.bank_client import BankAuth
from demo.cast import ACCOUNT
from demo.clients import BANK_CLIENT, BANK_KEY
from demo.documents import FOLDER
from demo.phone import Phone

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sandbox:
    """What `./run serve` says that it serves."""

    folder: Path
    consent: str
    accounts: str

    @property
    def data(self) -> Path:
        """Return the folder of its keys and tokens."""
        return self.folder / ".data"

    def auth(self, service: str) -> BankAuth:
        """Return how the bank calls a service."""
        key = ECKey.import_key(json.loads((self.data / BANK_KEY).read_bytes()))
        return BankAuth(service, BANK_CLIENT, key)

    def citizens(self) -> list[dict[str, str]]:
        """Return the citizens who are registered."""
        found: list[dict[str, str]] = json.loads((self.data / "citizens.json").read_bytes())
        return found


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Give a sandbox as `./run serve` starts it, in an empty folder."""
    folder = tmp_path_factory.mktemp("serve")
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "demo.serve"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield _said(process, folder)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def _said(process: subprocess.Popen[str], folder: Path) -> Sandbox:
    """Read what a sandbox says, until it is ready."""
    assert process.stdout
    said = dict[str, str]()
    for line in process.stdout:
        if found := re.match(r"(\w+) +(\S+)", line):
            said[found[1]] = found[2]
        if line.startswith("Ctrl-C"):
            return Sandbox(folder, said["consent"], said["accounts"])
    raise AssertionError(said)


def test_the_quick_start_runs_to_its_end(sandbox: Sandbox) -> None:
    """Asked, opened with a proof, heard of, frozen, compared; twice, since a day comes again."""
    command = [sys.executable, "-m", "demo.quickstart", "--folder", str(sandbox.data)]
    command += ["--consent", sandbox.consent, "--accounts", sandbox.accounts]
    for _ in range(2):
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        for said in (
            "Asked a citizen: who can decide until",
            "Heard: consent.given.1 of consents/",
            "with its proof",
            "Heard: consent.withdrawn.1 of consents/",
            "which stands as frozen",
            '"without_consent": 1, "bad": 0',
            "Clerk: gdv-02",
        ):
            assert said in done.stdout


def test_a_second_sandbox_in_one_folder_says_so(sandbox: Sandbox) -> None:
    """It starts nothing; and asked for help, it gives help."""
    for arguments, status, said in (([], 1, "runs here already"), (["--help"], 0, "a sandbox")):
        done = subprocess.run(
            [sys.executable, "-m", "demo.serve", *arguments],
            cwd=sandbox.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status
        assert said in done.stdout + done.stderr


def test_the_quick_start_says_what_is_missing(tmp_path: Path) -> None:
    """Without a sandbox, in words and not in a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "demo.quickstart", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("Start a sandbox: ./run serve")
    assert "Traceback" not in done.stderr


# -- a client that a program made ---------------------------------------------------------------


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give clients of both services as openapi-python-client makes them of the documents."""
    folder = tmp_path_factory.mktemp("generated")
    config = folder / "config.json"
    streamed = dict.fromkeys(["text/csv", "application/x-ndjson"], "application/octet-stream")
    said = {"post_hooks": [], "content_type_overrides": streamed}
    config.write_text(json.dumps(said), encoding="utf-8")
    for name in ("consent", "accounts"):
        subprocess.run(
            [
                *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
                *("--path", str(FOLDER / f"{name}.json"), "--config", str(config)),
                *("--output-path", str(folder / f"thuan_{name}"), "--fail-on-warning"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            timeout=120,
        )
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def test_a_generated_client_opens_an_account(sandbox: Sandbox, generated: Path) -> None:
    """By its typed models and functions, signed and proved by the bank's class for httpx."""
    asyncio.run(_opened(sandbox))


def made(name: str) -> Any:
    """Return a module of a generated client."""
    return importlib.import_module(f"thuan_{name}")


async def _opened(sandbox: Sandbox) -> None:
    consent = _client("consent", sandbox.consent, sandbox)
    accounts = _client("accounts", sandbox.accounts, sandbox)
    async with consent, accounts:
        product, event = await _agreed(sandbox, consent)
        opening_id = secrets.token_hex(16)
        command = made("accounts.models.open_account").OpenAccount(**product, consent=event)
        open_account = made("accounts.api.openings.openings_open_account").asyncio
        opened = await open_account(opening_id, client=accounts, body=command)
        assert (opened.opening_id, opened.standing.value) == (opening_id, "opened")
        again = await open_account(secrets.token_hex(16), client=accounts, body=command)
        assert again.code == "opening_rejected"
        assert "consent_used" in [one.code for one in again.reasons]
        page = await made("accounts.api.openings.openings_page").asyncio(client=accounts)
        assert opening_id in [one.opening_id for one in page.openings]
        read_events = made("accounts.api.events.events_read_events").asyncio
        heard = await read_events(client=accounts, after=0)
        assert {"account.opened.1", "opening.rejected.1"} <= {one.type_ for one in heard.events}


async def _agreed(sandbox: Sandbox, consent: Any) -> tuple[dict[str, str], str]:
    """Ask a citizen, who agrees; returns what was asked for, and the signed event."""
    citizen, consent_id = sandbox.citizens()[0], secrets.token_hex(16)
    product = {
        "citizen_id": citizen["id"],
        "bank_id": ACCOUNT.bank_id,
        "product_id": ACCOUNT.id,
        "terms_hash": ACCOUNT.terms_hash,
        "purpose": ACCOUNT.purpose,
    }
    ask, read = (made(f"consent.api.consents.consents_{one}").asyncio for one in ("ask", "read"))
    question = made("consent.models.question").Question(**product)
    asked = await ask(consent_id, client=consent, body=question)
    async with httpx.AsyncClient(base_url=sandbox.consent) as hand:
        (await Phone(hand, citizen["phone"]).decide(asked.link, "given")).raise_for_status()
    given = await read(consent_id, client=consent)
    assert given.standing.value == "given"
    return product, given.event


def test_the_quick_start_goes_with_the_sandboxs_time(sandbox: Sandbox) -> None:
    """A week later by its clock, tokens and signatures are those of that time."""
    with httpx.Client(base_url=sandbox.consent) as client:
        now = datetime.fromisoformat(client.get("/sandbox/clock").json()["now"])
        later = {"now": (now + timedelta(days=7)).isoformat()}
        client.put("/sandbox/clock", json=later).raise_for_status()
    test_the_quick_start_runs_to_its_end(sandbox)


def _client(name: str, address: str, sandbox: Sandbox) -> Any:
    """Return a generated client that calls as the bank."""
    return made(name).Client(
        base_url=address,
        raise_on_unexpected_status=True,
        httpx_args={"auth": sandbox.auth(address)},
    )
