"""`./run serve`: both services and a witness here, as a sandbox, with their data in `.data`.

The bearer tokens are made on the first start and kept in a file that only its owner can read.
"""

import json
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from demo.cast import Tokens, make_tokens
from demo.clients import BANK_CLIENT, BANK_KEY, CLIENTS
from demo.services import NotStarted, Services
from shared.signing import write_secret

FOLDER = Path(".data")


def tokens_of(folder: Path) -> Tokens:
    """Return the folder's tokens; made, if it has none."""
    plain = folder / "bearer-tokens.json"
    if plain.exists():
        return Tokens(folder / "tokens.json", json.loads(plain.read_bytes()))
    (folder / "tokens.json").unlink(missing_ok=True)
    tokens = make_tokens(folder)
    write_secret(plain, json.dumps(tokens.by_holder, indent=1).encode())
    return tokens


def main() -> int:
    """Serve until Ctrl-C or a request to stop; returns 1 if a service ended by itself."""
    folder = FOLDER.absolute()
    folder.mkdir(exist_ok=True, mode=0o700)
    for request in (signal.SIGTERM, signal.SIGHUP):  # the latter when a terminal is closed
        signal.signal(request, _interrupt)
    try:
        with Services(folder, tokens_of(folder)) as services:
            _say(services, folder)
            return _wait(services)
    except NotStarted as error:
        print(f"A service did not start.\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _say(services: Services, folder: Path) -> None:
    print("A sandbox: codes go to an outbox, not to phones. Never for real people.")
    print(f"consent    {services.consent.url}   outbox {services.consent.url}/sandbox/outbox")
    print(f"accounts   {services.accounts.url}")
    print(f"witness    {services.witness.url}")
    print(f"tokens     {folder / 'bearer-tokens.json'}")
    print(f"clients    {folder / CLIENTS}")
    print(f"bank       {folder / BANK_KEY}   client {BANK_CLIENT}, as in docs/bank-api.md")
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
