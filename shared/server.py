"""Runs one service from the command line: `init`, or `serve --host --port`."""

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from typing_extensions import override
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from shared.connections import BoundedConnection
from shared.proxies import Certificates

LOOPBACK = "127.0.0.1"

GRACE_S = 5
"""Seconds that requests under way have to finish when the process is asked to stop."""

KEEP_ALIVE_S = 15
"""Seconds that an idle connection is kept: longer than a client keeps it (httpx: 5), so that none
is closed here at the moment at which it is used again, and an opening called unreachable."""

NOT_STARTED = 3
"""How a process ends that could not listen, as uvicorn's own command does."""

SWITCH_INTERVAL_S = 0.0005
"""Seconds that a thread may keep the interpreter while the other waits: ten times shorter than
usual, because each commit hands over several times between the event loop and the writer."""


GARBAGE_AFTER = 20_000
"""Objects that are made and still there before any are looked through for cycles: some megabytes.
With the usual 700 every request is, several times."""


def main(
    argv: Sequence[str],
    *,
    init: Callable[[], None],
    app: Callable[[], FastAPI],
    port: int,
    proxies: Callable[[], str] = lambda: LOOPBACK,
    certificates: Callable[[], str] = str,
) -> None:
    """Do what the command line asks; addresses are not logged, since a link opens a page.

    `proxies` are the addresses or networks, with commas, of whom to believe `X-Forwarded-For`, and
    the certificate of a client in the header that `certificates` names.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["init", "serve"])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=port, help="port to listen on")
    arguments = parser.parse_args(argv[1:])
    if arguments.command == "init":
        init()
        return
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    service = app()
    gc.collect()
    gc.freeze()  # what was made to serve stays: it need not be looked through again and again
    gc.set_threshold(GARBAGE_AFTER)
    config = uvicorn.Config(
        _served(service, proxies(), certificates()),
        host=arguments.host,
        port=arguments.port,
        proxy_headers=False,  # believed by `_served`, within what must see the address before
        http=BoundedConnection,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config, service)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(NOT_STARTED)


class _Server(uvicorn.Server):
    """Tells whatever answers for long that the process is asked to stop: it ends in time."""

    def __init__(self, config: uvicorn.Config, service: FastAPI) -> None:
        super().__init__(config)
        self._service = service

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        for end in getattr(self._service.state, "ends_at_stop", ()):
            end()
        super().handle_exit(sig, frame)


def _served(app: ASGIApp, proxies: str, certificates: str) -> ASGIApp:
    """Return the app behind what it believes of proxies."""
    believing: ASGIApp = ProxyHeadersMiddleware(app, trusted_hosts=proxies)  # type: ignore[arg-type, assignment]
    return Certificates(believing, certificates, proxies) if certificates else believing
