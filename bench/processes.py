"""Starts a server as a process of its own on loopback, and ends it, by its id, whatever happens."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

START_TIMEOUT_S = 15.0
"""Seconds in which a server must accept connections."""


CPUCLOCK_SCHED = 2
"""What follows a process's number in the number of its clock (`clock_getcpuclockid`)."""


class NotStarted(Exception):
    """The server did not accept connections in time."""


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    command: Sequence[str], port: int, env: Mapping[str, str], *, port_argument: bool = True
) -> Iterator[int]:
    """Run a server until the block ends; gives the number of its process."""
    arguments = [*command, "--port", str(port)] if port_argument else list(command)
    process = subprocess.Popen(arguments, env={**os.environ, **env})
    try:
        _wait(process, port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=START_TIMEOUT_S)


def processor_s(pid: int) -> float:
    """Return the seconds of a processor that a process has used, by its own clock (Linux)."""
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise NotStarted(process.args)
