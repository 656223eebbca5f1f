"""Runs one service from the command line: `init`, or `serve --host --port`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from shared.connections import BoundedConnection

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


def main(
    argv: Sequence[str],
    *,
    init: Callable[[], None],
    app: Callable[[], FastAPI],
    port: int,
    proxies: Callable[[], str] = lambda: LOOPBACK,
) -> None:
    """Do what the command line asks; addresses are not logged, since a link opens a page.

    `proxies` are the addresses or networks, with commas, of whom to believe `X-Forwarded-For`.
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
    config = uvicorn.Config(
        app(),
        host=arguments.host,
        port=arguments.port,
        forwarded_allow_ips=proxies(),
        http=BoundedConnection,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(NOT_STARTED)


class _Server(uvicorn.Server):
    """Tells whatever answers for long that the process is asked to stop: it ends in time."""

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        app = self.config.app
        for end in getattr(app.state, "ends_at_stop", ()) if isinstance(app, FastAPI) else ():
            end()
        super().handle_exit(sig, frame)
