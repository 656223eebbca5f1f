"""Stored, sealed, witnessed: a service with its witness, as whoever runs both sees it."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.cast import Citizen, citizens, make_tokens, seed
from demo.services import Services
from shared.ledger import __main__ as command
from shared.ledger.keys import load_keys
from shared.ledger.notes import Checkpoint, Note, VerifierKey, signers
from tests.support.forking import ForkedServices


@dataclass
class Running:
    """The services, their witness, and a client of the consent service."""

    services: Services
    consent: httpx.Client
    folder: Path

    def health(self) -> Any:
        """Return what the consent service says of itself."""
        return self.consent.get("/readyz").json()

    def proof(self, position: int, wait: str) -> httpx.Response:
        """Wait for a proof."""
        return self.consent.get(f"/log/{position}/proof", params={"wait": wait})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give everything started once, with one citizen registered; whoever is killed is started."""
    folder = tmp_path_factory.mktemp("running")
    with ForkedServices(folder, make_tokens(folder), ports=(0, 0, 0)) as services:
        register(services, citizens()[:1])
        with httpx.Client(base_url=services.consent.url, timeout=10) as consent:
            yield Running(services, consent, folder)


def test_a_fact_is_witnessed(running: Running) -> None:
    """Within a second or two, with a proof for anyone, which the witness's key checks."""
    started = time.monotonic()
    proof = running.proof(running.health()["head"], "witnessed")
    assert proof.status_code == 200
    assert time.monotonic() - started < 3
    checkpoint = proof.text.partition("\n\n")[2]
    assert cosigners(running.folder, checkpoint) == ["localhost/witness"]
    health = running.health()
    assert health["witnessed"] == health["sealed"] == health["head"]
    assert health["witnesses"] == {}


def test_a_witness_that_is_killed_is_told_and_missed_by_nobody(running: Running) -> None:
    """Facts are stored and sealed without it; once it is back, they are witnessed."""
    assert running.proof(1, "witnessed").is_success
    running.services.witness.kill()
    register(running.services, citizens()[1:2])
    head = running.health()["head"]
    assert running.proof(head, "sealed").is_success
    late = running.proof(head, "witnessed")
    assert (late.status_code, late.json()["code"]) == (404, "not_witnessed")
    health = running.health()
    assert health["witnessed"] < health["sealed"] == head
    assert "ConnectError" in health["witnesses"]["near"]
    metrics = running.consent.get("/metrics").text
    assert f"thuan_log_sealed_position {head}\n" in metrics
    assert "thuan_log_witnesses_in_trouble 1\n" in metrics
    running.services.witness.start()
    wait_for(running.consent, head)


def test_anyone_can_check_the_quorum(running: Running) -> None:
    """With a policy in hand, over HTTP: keys, cosignature, every entry."""
    assert running.proof(1, "witnessed").is_success
    policy = running.folder / "check.policy"
    log = load_keys(running.folder / "consent" / "log.keys.json")[0].verifier
    witnesses = (running.folder / "witnesses.policy").read_text()
    policy.write_text(f"log {log}\n{witnesses}")
    address = running.services.consent.url
    assert command.main([address, "--policy", str(policy), "--json"]) == 0
    assert command.main([address, "--policy", str(policy)]) == 0
    policy.write_text(f"log {log}\nlog {other_log(running.folder)}\n{witnesses}")
    assert command.main([address, "--policy", str(policy)]) == 2
    policy.write_text("quorum nobody\n")
    assert command.main([address, "--policy", str(policy)]) == 2


def other_log(folder: Path) -> VerifierKey:
    """Return the key of the accounts log."""
    return load_keys(folder / "accounts" / "log.keys.json")[0].verifier


def register(services: Services, people: list[Citizen]) -> None:
    """Register someone, which adds facts."""

    async def run() -> None:
        async with httpx.AsyncClient(base_url=services.consent.url) as client:
            await seed(client, services.tokens, people)

    asyncio.run(run())


def cosigners(folder: Path, checkpoint: str) -> list[str]:
    """Return the names of the witnesses whose cosignatures hold."""
    note = Note.parse(checkpoint.encode())
    assert Checkpoint.parse(note.body).size
    keys: list[VerifierKey] = [
        key.verifier for key in load_keys(folder / "witness" / "witness.keys.json")
    ]
    return [key.name for key in signers(note, keys)]


def wait_for(consent: httpx.Client, head: int) -> None:
    """Wait until the witness, asked again after a pause, has seen the head."""
    until = time.monotonic() + 15
    while consent.get("/readyz").json()["witnessed"] < head:
        if time.monotonic() > until:
            pytest.fail("the witness was not asked again")
        time.sleep(0.1)


@pytest.mark.parametrize("wait", ["", "soon"])
def test_only_two_things_can_be_waited_for(running: Running, wait: str) -> None:
    """Anything else is malformed."""
    assert running.proof(1, wait).status_code == 422
