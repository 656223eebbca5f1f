"""`./run audit pages`: shows an export to people, on this machine."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from services.audit.commands import trusting
from services.audit.export import LogName, fingerprint
from services.audit.history import index, open_history
from services.audit.pages.app import create_app
from services.audit.pages.looking import Looking, Recording, ToFile, ToServices
from services.audit.pages.parts import Parts
from services.audit.pages.verifying import Verifying
from services.audit.sources import NoAnswer
from shared.clock import system_clock
from shared.progress import progress

DESCRIPTION = """Shows an export, a folder or a zip, in the browser of this machine: what it is and
whether it is right, any case as it was known at any moment, what was done at an office or by a
clerk, the proof of each fact. Nothing can be changed. Each look at a person's case is recorded with
its ground: at the services, given their addresses, so that the citizen sees it; else in a file
beside the export."""

PORT = 8009

TIMEOUT_S = 10.0
"""Seconds that a look has to be recorded."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add what `pages` takes."""
    parser.description = DESCRIPTION
    parser.set_defaults(verb=_pages, undone="cannot be shown")
    parser.add_argument("export", type=Path, metavar="EXPORT", help="a folder, or a zip")
    parser.add_argument("--port", type=int, default=PORT, help=f"on loopback (default: {PORT})")
    parser.add_argument("--consent", metavar="URL", help="where looks at consents are recorded")
    parser.add_argument("--accounts", metavar="URL", help="where looks at accounts are recorded")
    parser.add_argument("--token-file", type=Path, help="the regulator's token, in a file")
    trusting.add(parser)


def _pages(arguments: argparse.Namespace) -> int:
    with pages(arguments) as app:
        where = f"http://127.0.0.1:{arguments.port}/"
        print(f"{where} shows {arguments.export}; Ctrl-C ends it", flush=True)
        uvicorn.run(
            app, host="127.0.0.1", port=arguments.port, access_log=False, log_level="warning"
        )
    return 0


@contextmanager
def pages(arguments: argparse.Namespace) -> Iterator[FastAPI]:
    """Give the pages of an export, which is being checked meanwhile; raises as `open_history`."""
    trust = trusting.trust(arguments)
    with ExitStack() as stack:
        recording = stack.enter_context(_recording(arguments))
        with progress("indexing", "facts", shown=True) as told:
            index(arguments.export, told)
        history = stack.enter_context(open_history(arguments.export))
        verifying = Verifying(arguments.export, trust)
        verifying.start()
        stack.callback(verifying.wait)
        name = fingerprint(history.export.manifest())
        looking = Looking(recording, system_clock)
        yield create_app(Parts(history, name, trust, verifying, looking))


@contextmanager
def _recording(arguments: argparse.Namespace) -> Iterator[Recording]:
    addresses: dict[LogName, str | None] = {
        "consent": arguments.consent,
        "accounts": arguments.accounts,
    }
    named = {log: address for log, address in addresses.items() if address}
    if not named:
        file = arguments.export.with_name(f"{arguments.export.name}.looks.ndjson")
        yield ToFile(file, system_clock)
        return
    if arguments.token_file is None:
        raise NoAnswer("name the regulator's token with --token-file")
    token = arguments.token_file.read_text("utf-8").strip()
    headers = {"Authorization": f"Bearer {token}"}
    with ExitStack() as stack:
        clients = {
            log: stack.enter_context(
                httpx.Client(
                    base_url=address.rstrip("/"),
                    headers=headers,
                    timeout=TIMEOUT_S,
                    verify=address.startswith("https:"),
                )
            )
            for log, address in named.items()
        }
        yield ToServices(clients)
