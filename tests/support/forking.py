"""Starts a service as a process that forks from one which has imported all that services need.

To import it takes a second, which was most of what the tests that kill and start services took.
What runs is what `python -m services.NAME serve` runs, in a process of its own that can be killed
as any other. That the command itself starts is seen in test_demo.py, test_story.py and others.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from typing_extensions import override

from demo.services import Process, Service, Services

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "services.accounts.main",
        "services.consent.main",
        "services.witness.main",
        "shared.server",
        "tests.support.forking",
        "uvicorn.lifespan.on",
        "uvicorn.protocols.http.httptools_impl",
        "uvloop",
    ]
)


class Forked:
    """A forked process, with what a `Service` uses of one."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], output: Path) -> None:
        given = (*command,), {**env}, output
        self._process = FORKS.Process(target=_run, args=given, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """Return its number."""
        assert self._process.pid
        return self._process.pid

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it has; raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("a forked service", timeout or 0)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


class ForkedService(Service):
    """A service whose process is forked."""

    @override
    def _launched(self) -> Process:
        module, *arguments = self._command("serve", "--port", str(self.port))[2:]
        return Forked([module, *arguments], self._env(), self._output)


class ForkedServices(Services):
    """Both services and the witness, whose processes are forked."""

    @override
    def _service(self, name: str, port: int, env: Mapping[str, str]) -> Service:
        return forked(super()._service(name, port, env))


def forked(service: Service) -> Service:
    """Return a service that starts by a fork instead."""
    return ForkedService(*(getattr(service, one.name) for one in fields(service)))


def _run(command: tuple[str, ...], env: dict[str, str], output: Path) -> None:
    """Become the service."""
    os.setsid()
    os.environ.clear()
    os.environ.update(env)
    written = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for standard in (1, 2):
        os.dup2(written, standard)
    sys.argv = [*command]
    runpy.run_module(command[0], run_name="__main__")
