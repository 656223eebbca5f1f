"""Gated openings over the whole API of banks, on PostgreSQL, beside an echo and the obvious way.

An opening here is all that it is in service: an access token, a proof of its key (DPoP), a signed
request (RFC 9421), the judging, a redemption at the other service, which is called as a client with
a token and a proof too, an append in each of both logs, and a signed answer. Beside it: a FastAPI
route that gives the same body back, with and without token and proof; and the obvious way
(`bench/obvious.py`). The sides take turns, and ratios are of medians.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from bench.banks import Bank
from bench.ledger import a_database
from bench.load import Timing, request, send
from bench.obvious import Openings, environment
from bench.openings import prepare
from bench.processes import free_port, processor_s, serving
from bench.rows import Row
from demo.cast import ACCOUNT
from services.accounts import main as accounts_main
from services.accounts.settings import Settings as AccountsSettings
from services.consent import main as consent_main
from services.consent.settings import Settings as ConsentSettings
from shared.clock import system_clock
from tests.support.postgres import in_a_schema

CONNECTIONS = 32
TURNS, OPENINGS, WARM = 7, 400, 100

AIM_OF_ECHO, AIM_OF_OBVIOUS = 0.35, 5

OURS, ECHO, BARE = "ours", "FastAPI echo, token and proof checked", "FastAPI echo, nothing checked"
OBVIOUS = "FastAPI and the library's aggregates, one process"
OBVIOUS_TWICE = "FastAPI and the library's aggregates, two processes"

DURABILITY = "PostgreSQL, fsync and synchronous_commit on"


@dataclass
class Side:
    """One way to answer the same requests."""

    name: str
    port: int
    issuer: str = ""
    """What it is called by clients; empty where nothing is checked."""

    pids: Sequence[int] = ()
    token: str = ""
    timings: list[Timing] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    def measure(self, bank: Bank, bodies: Sequence[Any]) -> None:
        """Send these commands, signed just before, and note how long they took."""
        if self.issuer and not self.token:
            self.token = bank.token(self.port, self.issuer)
        requests = [self._request(bank, body) for body in bodies]
        before = sum(map(processor_s, self.pids))
        timing = asyncio.run(send(self.port, requests, connections=CONNECTIONS))
        assert timing.statuses == {201}, (self.name, timing.statuses)
        spent = sum(map(processor_s, self.pids)) - before
        self.timings.append(timing)
        self.processor_ms.append(1_000 * spent / len(bodies))

    def _request(self, bank: Bank, body: Any) -> bytes:
        if not self.issuer:
            return request("PUT", "/openings/any", body, {})
        return bank.command(self.issuer, self.token, body)

    @property
    def rate(self) -> float:
        """Return openings a second, the median of all turns."""
        return median(one.per_second for one in self.timings)

    def percentile_ms(self, percent: int) -> float:
        """Return the median of all turns' percentiles."""
        return median(one.percentile_ms(percent) for one in self.timings)


def run(openings: int = OPENINGS, *, turns: int = TURNS, warm: int = WARM) -> list[Row]:
    """Measure so many openings of each side in each turn; returns the rows."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="thuan-bench-")))
        url = stack.enter_context(a_database(folder))
        _check_durable(url)
        bank, clients = Bank(ACCOUNT.bank_id), folder / "clients.json"
        ours = Services(folder / "ours", url, bank)
        bodies = ours.prepare(warm + turns * openings)
        clients.write_text(json.dumps([bank.row()]))
        sides = [
            stack.enter_context(ours.serving()),
            stack.enter_context(_echo(folder, clients)),
            stack.enter_context(_bare_echo()),
            *(stack.enter_context(_obvious(folder, url, clients, bodies, n)) for n in (1, 2)),
        ]
        measure(sides, bank, bodies, warm=warm, each=openings)
        return rows(*sides)


def measure(
    sides: Sequence[Side], bank: Bank, bodies: Sequence[Any], *, warm: int, each: int
) -> None:
    """Let the sides take turns, after some openings that do not count; each side has all bodies."""
    for side in sides:
        side.measure(bank, bodies[:warm])
        side.timings.clear()
        side.processor_ms.clear()
    for begin in range(warm, len(bodies), each):
        for side in sides:
            side.measure(bank, bodies[begin : begin + each])


def rows(ours: Side, echo: Side, bare: Side, obvious: Side, twice: Side) -> list[Row]:
    """Return what was measured."""
    aimed = {
        echo.name: (f"ratio >= {AIM_OF_ECHO}", ours.rate >= AIM_OF_ECHO * echo.rate),
        obvious.name: (f"ratio >= {AIM_OF_OBVIOUS}", ours.rate >= AIM_OF_OBVIOUS * obvious.rate),
    }
    at = f"{CONNECTIONS} connections, middle of {len(ours.timings)}"
    found = [
        _row(f"gated openings/s, {at}", ours.rate, other.rate, other.name, aimed.get(other.name))
        for other in (echo, bare, obvious, twice)
    ]
    found += [
        _row(f"p{n} ms, {at}", ours.percentile_ms(n), other.percentile_ms(n), other.name)
        for n in (50, 99)
        for other in (echo, obvious)
    ]
    spent, theirs = median(ours.processor_ms), median(echo.processor_ms)
    return [*found, _row("ms of a processor an opening, both services", spent, theirs, echo.name)]


def _row(
    measure: str, ours: float, against: float, other: str, aim: tuple[str, bool] | None = None
) -> Row:
    text, met = aim or ("", None)
    return Row(
        measure=measure,
        ours=ours,
        against=against,
        other=other,
        aim=text,
        met=met,
        durability=DURABILITY,
    )


# -- the sides ----------------------------------------------------------------------------------


class Services:
    """Our two services, a process each, that call each other as clients."""

    def __init__(self, folder: Path, url: str, bank: Bank) -> None:
        folder.mkdir()
        ports = free_port(), free_port()
        self._consent_port, self._accounts_port = ports
        consent, self._accounts = (f"http://localhost:{port}" for port in ports)
        self._ledgers = in_a_schema(url), in_a_schema(url)
        self._clients = folder / "consent-clients.json", folder / "accounts-clients.json"
        self._settings = ConsentSettings(
            folder=folder / "consent",
            ledger=self._ledgers[0],
            clients=self._clients[0],
            public_url=consent,
            sandbox=True,
        )
        accounts = AccountsSettings(
            folder=folder / "accounts", ledger=self._ledgers[1], consent_client_id="accounts"
        )
        consent_main.init(self._settings)
        accounts_main.init(accounts)
        row = json.loads((accounts.folder / "client.json").read_bytes())
        self._clients[0].write_text(json.dumps([row]))
        self._clients[1].write_text(json.dumps([bank.row()]))
        self._folders = self._settings.folder, accounts.folder

    def prepare(self, count: int) -> list[dict[str, object]]:
        """Have so many citizens agree; returns the commands that their consents allow."""
        return asyncio.run(prepare(self._settings, count))

    @contextmanager
    def serving(self, name: str = OURS, at: Path | None = None) -> Iterator[Side]:
        """Serve until the block ends; `at` is where the program lies, if not here."""
        with (
            serving(_program("consent", at), self._consent_port, self._env("CONSENT", 0)) as first,
            serving(
                _program("accounts", at), self._accounts_port, self._env("ACCOUNTS", 1)
            ) as then,
        ):
            yield Side(name, self._accounts_port, self._accounts, [first, then])

    def _env(self, service: str, number: int) -> dict[str, str]:
        env = {
            f"{service}_FOLDER": str(self._folders[number]),
            f"{service}_LEDGER": self._ledgers[number],
            f"{service}_CLIENTS": str(self._clients[number]),
            f"{service}_PUBLIC_URL": (self._settings.public_url, self._accounts)[number],
        }
        if service == "CONSENT":
            return {**env, "CONSENT_SANDBOX": "true"}
        calls = {
            "URL": f"http://127.0.0.1:{self._consent_port}",
            "PUBLIC_URL": self._settings.public_url,
            "CLIENT_ID": "accounts",
        }
        return {**env, **{f"ACCOUNTS_CONSENT_{name}": value for name, value in calls.items()}}


def _program(service: str, at: Path | None) -> list[str]:
    place = ["env", "-C", str(at)] if at else []
    return [*place, sys.executable, "-m", f"services.{service}", "serve"]


@contextmanager
def _echo(folder: Path, clients: Path) -> Iterator[Side]:
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    checks = ["--checked", str(folder / "echo"), issuer, str(clients)]
    command = [sys.executable, "-m", "bench.echo", str(port), *checks]
    with serving(command, port, {}, port_argument=False) as pid:
        yield Side(ECHO, port, issuer, [pid])


@contextmanager
def _bare_echo() -> Iterator[Side]:
    port = free_port()
    command = [sys.executable, "-m", "bench.echo", str(port)]
    with serving(command, port, {}, port_argument=False) as pid:
        yield Side(BARE, port, pids=[pid])


@contextmanager
def _obvious(
    folder: Path, url: str, clients: Path, bodies: Sequence[Mapping[str, Any]], workers: int
) -> Iterator[Side]:
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    schema = f"obvious_{workers}_{os.getpid()}"
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
    library = environment(url, schema)
    openings = Openings(env=library)
    openings.give(bodies, system_clock() + timedelta(days=1))
    openings.close()
    own = {
        "FOLDER": str(folder / f"obvious-{workers}"),
        "ISSUER": issuer,
        "CLIENTS": str(clients),
        "PORT": str(port),
        "WORKERS": str(workers),
    }
    env = {**library, **{f"OBVIOUS_{name}": value for name, value in own.items()}}
    command = [sys.executable, "-m", "bench.obvious"]
    with serving(command, port, env, port_argument=False):
        yield Side(OBVIOUS if workers == 1 else OBVIOUS_TWICE, port, issuer)


def _check_durable(url: str) -> None:
    """Hold that the server keeps what it says it keeps."""
    with psycopg.connect(url) as connection:
        for setting in ("fsync", "synchronous_commit"):
            (value,) = connection.execute(f"SHOW {setting}").fetchone() or ("",)
            assert value == "on", (setting, value)
