"""The morning at Lao Bảo, played once and taken home: an export of a whole story."""

import argparse
import asyncio
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import uvicorn
from typing_extensions import override

from demo import story
from demo.cast import Citizen, Tokens, citizens, make_tokens, seed
from demo.services import Services, a_port
from demo.show import Show, Step
from demo.stage import Stage
from services.audit import __main__ as audit
from services.audit.commands.pages import pages
from shared.clock import VIETNAM, SandboxClock
from shared.ledger.keys import load_keys

TIMEOUT_S, TRY_EVERY_S = 20.0, 0.05

MORNING = datetime(2023, 8, 9, 7, tzinfo=VIETNAM)


@dataclass
class Taken:
    """The export, and what there is besides it: services that run, tokens, people."""

    export: Path
    folder: Path
    tokens: Tokens
    people: list[Citizen]
    clock: SandboxClock
    services: Services

    @property
    def keys(self) -> Path:
        """Return a file of both logs' keys."""
        logs = [load_keys(self.folder / name / "log.keys.json") for name in ("consent", "accounts")]
        file = self.folder / "trusted.keys"
        file.write_text("".join(f"{key.verifier}\n" for keys in logs for key in keys))
        return file

    @property
    def policy(self) -> Path:
        """Return the policy that knows the witness."""
        return self.folder / "witnesses.policy"

    @property
    def token(self) -> Path:
        """Return the file with the regulator's token."""
        return self.folder / "token"


class _Silent(Show):
    @override
    def say(self, text: str) -> None:
        """Say nothing."""

    @override
    def step(self, step: Step) -> None:
        """Remember, and print nothing."""
        self.steps.append(step)


@contextmanager
def a_story(folder: Path) -> Iterator[Taken]:
    """Play the story on real services, take it home, and leave them running."""
    tokens, clock = make_tokens(folder), SandboxClock(folder / "clock")
    clock.move_to(MORNING)  # keys are good from when they are made
    (folder / "token").write_text(tokens.by_holder["regulator"])
    with Services(folder, tokens, (0, 0, 0), folder / "clock") as services:
        taken = Taken(folder / "export", folder, tokens, citizens(), clock, services)
        asyncio.run(_play(taken))
        assert audit.main(["index", *addresses(taken)]) == 0
        _wait(services)
        assert audit.main(["export", str(taken.export), *addresses(taken)]) == 0
        yield taken


def addresses(taken: Taken) -> list[str]:
    """Return the arguments that name both services and the token."""
    named = {"--consent": taken.services.consent.url, "--accounts": taken.services.accounts.url}
    pairs = [part for one in named.items() for part in one]
    return [*pairs, "--token-file", str(taken.token)]


async def _play(taken: Taken) -> None:
    urls = (taken.services.consent.url, taken.services.accounts.url)
    consent, accounts = (httpx.AsyncClient(base_url=one, timeout=TIMEOUT_S) for one in urls)
    async with consent, accounts:
        services, clock, show = taken.services, taken.clock, _Silent()
        stage = Stage(
            services, taken.tokens, clock, taken.people, show, consent, accounts, taken.folder
        )
        await seed(consent, taken.tokens, taken.people)
        await story.play(stage)
        assert show.wrong == []


def _wait(services: Services) -> None:
    """Wait until all that both logs have is witnessed."""
    until = time.monotonic() + TIMEOUT_S
    for one in (services.consent, services.accounts):
        while (health := httpx.get(f"{one.url}/readyz").json())["witnessed"] != health["head"]:
            assert time.monotonic() < until
            time.sleep(TRY_EVERY_S)


@contextmanager
def shown(export: Path, **more: Any) -> Iterator[str]:
    """Serve the pages of an export as the command does; gives their address."""
    named = dict.fromkeys(("consent", "accounts", "token_file", "keys", "policy")) | {"key": []}
    port = a_port(0)
    arguments = argparse.Namespace(export=export, port=port, **{**named, **more})
    with pages(arguments) as app:
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
        thread = Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()


def planted(export: Path, place: Path) -> Path:
    """Return a copy from which somebody took the first use of a consent: an account has none."""
    copy = Path(shutil.copytree(export, place))
    file = copy / "consent" / "facts" / "000001.ndjson"
    lines = file.read_bytes().splitlines(keepends=True)
    (first, *_) = [one for one in lines if b'"kind":"consent.redeemed.1"' in one]
    file.write_bytes(b"".join(one for one in lines if one != first))
    return copy
