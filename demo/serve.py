"""`./run serve`: both services and a witness here, as a sandbox, with their data in `.data`.

Banks, an office, its clerks and twelve citizens are registered, so that a bank can ask at once. The
bearer tokens are made on the first start and kept in a file that only its owner can read.
"""

import argparse
import asyncio
import fcntl
import json
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import httpx

from demo.cast import Citizen, Tokens, citizens, make_tokens, seed
from demo.clients import BANK_CLIENT, BANK_KEY, CLIENTS
from demo.services import NotStarted, Services
from shared.signing import write_secret

FOLDER = Path(".data")
CITIZENS = "citizens.json"


def tokens_of(folder: Path) -> Tokens:
    """Return the folder's tokens; made, if it has none."""
    plain = folder / "bearer-tokens.json"
    if plain.exists():
        return Tokens(folder / "tokens.json", json.loads(plain.read_bytes()))
    (folder / "tokens.json").unlink(missing_ok=True)
    tokens = make_tokens(folder)
    write_secret(plain, json.dumps(tokens.by_holder, indent=1).encode())
    return tokens


def people_of(folder: Path) -> list[Citizen]:
    """Return the folder's citizens; made up, if it has none."""
    file = folder / CITIZENS
    if not file.exists():
        made = [asdict(one) for one in citizens()]
        file.write_text(json.dumps(made, indent=1, ensure_ascii=False), encoding="utf-8")
    return [Citizen(**one) for one in json.loads(file.read_bytes())]


def main() -> int:
    """Serve until Ctrl-C or a request to stop; returns 1 if a service ended by itself."""
    argparse.ArgumentParser("./run serve", description=__doc__).parse_args()
    folder = FOLDER.absolute()
    folder.mkdir(exist_ok=True, mode=0o700)
    with (folder / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"A sandbox runs here already, with its data in {folder}.", file=sys.stderr)
            return 1
        return _serve(folder)


def _serve(folder: Path) -> int:
    for request in (signal.SIGTERM, signal.SIGHUP):  # the latter when a terminal is closed
        signal.signal(request, _interrupt)
    try:
        tokens = tokens_of(folder)
        with Services(folder, tokens, clock_file=folder / "clock") as services:
            asyncio.run(_register(services.consent.url, tokens, people_of(folder)))
            _say(services, folder)
            return _wait(services)
    except NotStarted as error:
        print(f"A service did not start.\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


async def _register(consent: str, tokens: Tokens, people: list[Citizen]) -> None:
    async with httpx.AsyncClient(base_url=consent) as client:
        await seed(client, tokens, people)


def _say(services: Services, folder: Path) -> None:
    print("A sandbox: codes go to an outbox, not to phones. Never for real people.")
    print(f"consent    {services.consent.url}   API {services.consent.url}/docs")
    print(f"accounts   {services.accounts.url}   API {services.accounts.url}/docs")
    print(f"outbox     {services.consent.url}/sandbox/outbox")
    print(f"clock      {services.consent.url}/sandbox/clock")
    print(f"witness    {services.witness.url}")
    print(f"tokens     {folder / 'bearer-tokens.json'}")
    print(f"clients    {folder / CLIENTS}")
    print(f"citizens   {folder / CITIZENS}")
    print(f"bank       {folder / BANK_KEY}   client {BANK_CLIENT}, as in docs/bank-api.md")
    print("A bank's first day, in another terminal: ./run quickstart")
    print("Ctrl-C stops all.", flush=True)


def _wait(services: Services) -> int:
    all_three = (services.consent, services.accounts, services.witness)
    processes = [one.process for one in all_three]
    while all(process and process.poll() is None for process in processes):
        time.sleep(0.2)
    print("A service ended by itself; stopping the others.", file=sys.stderr)
    return 1


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
