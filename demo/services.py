"""Starts both services and a witness as processes of their own, on loopback; ends them by id.

Used by the demo and by `./run serve`. What a process writes goes to a file in the folder, so that
a start that fails can say why.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from urllib.error import URLError
from urllib.request import urlopen

from demo.cast import Tokens
from demo.clients import CLIENTS, register_clients
from shared.ledger.keys import load_keys
from shared.ledger.seal import LOG_KEYS

START_TIMEOUT_S = 30.0
"""Seconds in which a service must answer /readyz."""

STOP_TIMEOUT_S = 10.0
"""Seconds that a service has to end by itself before it is killed."""


class NotStarted(Exception):
    """A service did not answer in time; the text is what it wrote."""


def a_port(wanted: int) -> int:
    """Return the wanted port if it is free, else one that is."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise NotStarted("no port is free")


class Process(Protocol):
    """A process that was started here, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Return its number."""

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it has; raises `subprocess.TimeoutExpired`."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it at once."""


@dataclass
class Service:
    """One service's process: its name, port and environment."""

    name: str
    port: int
    env: Mapping[str, str]
    folder: Path
    process: Process | None = None

    @property
    def url(self) -> str:
        """Return the service's address."""
        return f"http://localhost:{self.port}"

    def init(self) -> None:
        """Make what the service needs; raises `NotStarted`."""
        init_together([self])

    def making(self) -> subprocess.Popen[str]:
        """Return a process that makes what the service needs, and says on stderr why it cannot."""
        return subprocess.Popen(
            self._command("init"),
            env=self._env(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self) -> None:
        """Start the process and wait until it answers; raises `NotStarted`."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the process."""
        self.process = self._launched()

    def wait(self) -> None:
        """Wait until the process answers; raises `NotStarted` if it does not."""
        until = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            ended = self.process is None or self.process.poll() is not None
            if ended or time.monotonic() > until:
                self.kill()
                raise NotStarted(f"{self.name}:\n{self._output.read_text(errors='replace')}")
            time.sleep(0.03)

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Ask the process to end, and wait for it."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _launched(self) -> Process:
        with self._output.open("ab") as output:
            command = self._command("serve", "--port", str(self.port))
            return subprocess.Popen(
                command, env=self._env(), stdout=output, stderr=output, start_new_session=True
            )

    @property
    def _output(self) -> Path:
        return self.folder / f"{self.name}.out"

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", f"services.{self.name}", *arguments]

    def _env(self) -> dict[str, str]:
        root = str(Path(__file__).parents[1])
        return {**os.environ, "PYTHONPATH": root, **self.env}

    def _answers(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


def init_together(services: Sequence[Service]) -> None:
    """Make what the services need, side by side; raises `NotStarted` with what they say."""
    making = [one.making() for one in services]
    said = [process.communicate()[1] for process in making]
    if any(process.returncode for process in making):
        raise NotStarted("".join(said))


def start_together(services: Sequence[Service]) -> None:
    """Start the services side by side and wait until all answer; raises `NotStarted`."""
    for one in services:
        one.launch()
    for one in services:
        one.wait()


@dataclass
class Services:
    """Both services and the witness of their logs, on one folder; a context in which they run."""

    folder: Path
    tokens: Tokens
    ports: tuple[int, int, int] = (8001, 8002, 8003)
    clock_file: Path | None = None
    consent: Service = field(init=False)
    accounts: Service = field(init=False)
    witness: Service = field(init=False)

    def __post_init__(self) -> None:
        """Set up both environments."""
        consent_port, accounts_port, witness_port = (a_port(port) for port in self.ports)
        common = {
            "SANDBOX": "true",
            "TOKENS": str(self.tokens.file),
            "CLIENTS": str(self.folder / CLIENTS),
            "WEBHOOKS_PRIVATE": "true",
        }
        called = [f"http://localhost:{port}" for port in (consent_port, accounts_port)]
        if self.clock_file:
            common["CLOCK_FILE"] = str(self.clock_file)
        consent = {
            **common,
            "FOLDER": str(self.folder / "consent"),
            "PUBLIC_URL": called[0],
            "ACCOUNTS_URL": f"http://127.0.0.1:{accounts_port}",
            "ACCOUNTS_PUBLIC_URL": called[1],
            "ACCOUNTS_CLIENT_ID": "consent",
        }
        accounts = {
            **common,
            "FOLDER": str(self.folder / "accounts"),
            "PUBLIC_URL": called[1],
            "CONSENT_URL": f"http://127.0.0.1:{consent_port}",
            "CONSENT_PUBLIC_URL": called[0],
            "CONSENT_CLIENT_ID": "accounts",
        }
        self.consent = self._service("consent", consent_port, consent)
        self.accounts = self._service("accounts", accounts_port, accounts)
        witness = {
            "FOLDER": str(self.folder / "witness"),
            "LOGS": str(self.folder / "logs.policy"),
        }
        self.witness = self._service("witness", witness_port, witness)

    @property
    def all(self) -> list[Service]:
        """Return the services and their witness."""
        return [self.witness, self.consent, self.accounts]

    def _service(self, name: str, port: int, env: Mapping[str, str]) -> Service:
        prefixed = {f"{name.upper()}_{key}": value for key, value in env.items()}
        return Service(name, port, prefixed, self.folder)

    def __enter__(self) -> Self:
        try:
            init_together(self.all)
            self._introduce()
            self.register_clients()
            start_together(self.all)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all, the witness last: what is sealed on the way out is still witnessed."""
        for service in (self.accounts, self.consent, self.witness):
            service.stop()

    def register_clients(self) -> None:
        """Tell both services who signs with keys of their own: each other, and a bank."""
        register_clients(self.folder, [self.consent.name, self.accounts.name])

    def _introduce(self) -> None:
        """Tell the witness which logs there are, and the logs who is their witness."""
        folders = (self.folder / "consent", self.folder / "accounts")
        logs = [load_keys(folder / LOG_KEYS)[0].verifier for folder in folders]
        lines = "".join(f"log {key}\n" for key in logs)
        (self.folder / "logs.policy").write_text(f"{lines}quorum none\n")
        witness = load_keys(self.folder / "witness" / "witness.keys.json")[0].verifier
        address = f"http://127.0.0.1:{self.witness.port}"
        policy = self.folder / "witnesses.policy"
        policy.write_text(f"witness near {witness} {address}\nquorum near\n")
        for service in (self.consent, self.accounts):
            service.env = {**service.env, f"{service.name.upper()}_POLICY": str(policy)}
