"""Stores whose writers, servers and disks fail: what was acknowledged is there, dense, and once.

Killed are a hundred backends and twenty servers if asked for, fewer otherwise:

    HYPOTHESIS_PROFILE=nightly ./run test tests/system/test_store_crashes.py
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from shared.clock import system_clock
from shared.ledger import stores
from shared.ledger.merkle import Frontier
from shared.ledger.recorder import Recorder
from tests.support.postgres import Server, in_a_schema, servers
from tests.support.thorough import rounds
from tests.support.writer import append, lines, opened

ROUNDS = 100
BACKEND_ROUNDS = rounds(usual=30, nightly=100)
POSTMASTER_ROUNDS = rounds(usual=5, nightly=20)
CUTS = 200
ROOT = Path(__file__).parents[2]


@dataclass
class Writers:
    """Writing processes, one after the other, and what each of them was told."""

    address: str
    folder: Path
    process: subprocess.Popen[str]

    def start(self) -> int:
        """Let a new writer begin; returns its process id."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def kill(self, writer: int) -> None:
        """Kill a writer and wait until it is gone."""
        assert self.process.stdout
        os.kill(writer, signal.SIGKILL)
        assert self.process.stdout.readline() == "gone\n"

    def told(self) -> list[str]:
        """Return the names that were acknowledged."""
        return lines(self.folder / "told")

    def wait_for_more(self) -> None:
        """Wait until something more is acknowledged."""
        had, until = len(self.told()), time.monotonic() + 30
        while len(self.told()) == had:
            assert time.monotonic() < until, "nothing is acknowledged any more"
            time.sleep(0.005)


@contextmanager
def writers(address: str, folder: Path) -> Iterator[Writers]:
    """Give writers of a store."""
    command = [sys.executable, "-m", "tests.support.writer", address, str(folder)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Writers(address, folder, process)
    finally:
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


@dataclass
class Checked:
    """What a store was found to hold so far."""

    tree: Frontier = field(default_factory=Frontier)
    names: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, int] = field(default_factory=dict)

    def look(self, recorder: Recorder) -> None:
        """Read on: positions are dense, leaves right, and they lead to the root kept.

        Up to an end that is read first: a server commits what a writer sent it before it died.
        """
        end = recorder.end()
        facts = recorder.page(after=self.tree.size, as_of=end.position).facts
        for position, fact in enumerate(facts, start=self.tree.size + 1):
            assert fact.position == position
            assert fact.leaf == fact.leaf_now()
            said = json.loads(fact.data)
            self.names[said["name"]] += 1
            self.sizes[said["name"]] = said["of"]
        self.tree = self.tree.extended(fact.leaf for fact in facts)
        assert (end.position, end.tree.root()) == (self.tree.size, self.tree.root())

    def must_hold(self, told: list[str]) -> None:
        """All that was acknowledged is there; whatever is there is whole, and once."""
        assert set(told) <= set(self.names)
        assert self.names == Counter(self.sizes)


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty ledger, on each store in turn."""
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgres":
        address = in_a_schema(request.getfixturevalue("postgres_url"))
    stores.create_schema(address)
    return address


def test_a_writer_killed_in_the_middle_of_its_batches(address: str, tmp_path: Path) -> None:
    """A hundred writers, each killed with -9; the next repeats what had no answer."""
    moments = random.Random(9)
    checked = Checked()
    with (
        closing(stores.open_recorder(address, system_clock)) as recorder,
        writers(address, tmp_path) as writing,
    ):
        for _ in range(ROUNDS):
            writer = writing.start()
            time.sleep(moments.uniform(0.005, 0.06))
            writing.kill(writer)
            checked.look(recorder)
            checked.must_hold(writing.told())
    assert len(checked.names) > ROUNDS


@pytest.mark.parametrize(("left", "whole"), [("1\n22\n3", 5), ("1", 0), ("1\n", 2), ("", 0)])
def test_half_a_line_of_a_killed_writer_is_no_answer(tmp_path: Path, left: str, whole: int) -> None:
    """Else the next line would hang on to it, and name what nobody ever appended."""
    told = tmp_path / "told"
    told.write_text(left)
    descriptor = opened(told)
    os.write(descriptor, b"4\n")
    os.close(descriptor)
    assert told.read_text() == f"{left[:whole]}4\n"


@contextmanager
def a_server() -> Iterator[tuple[Server, str]]:
    """Give a server of the test's own, with an empty ledger."""
    with servers(1) as (server,):
        server.create()
        server.start()
        address = in_a_schema(server.url)
        stores.create_schema(address)
        yield server, address


def test_a_server_whose_backend_is_killed(tmp_path: Path) -> None:
    """Again and again a backend dies with -9, all connections with it, and the log is replayed."""
    checked = Checked()
    with a_server() as (server, address), writers(address, tmp_path) as writing:
        writer = writing.start()
        for _ in range(BACKEND_ROUNDS):
            writing.wait_for_more()
            kill_a_backend(server)
            with (
                suppress(psycopg.Error),
                closing(stores.open_recorder(address, system_clock)) as recorder,
            ):
                checked.look(recorder)
        writing.wait_for_more()
        writing.kill(writer)
        with closing(stores.open_recorder(address, system_clock)) as recorder:
            checked.look(recorder)
        checked.must_hold(writing.told())
    assert len(checked.names) > BACKEND_ROUNDS


def kill_a_backend(server: Server) -> None:
    """Kill the writer's backend, or another if it has none at the moment."""
    for _ in range(200):
        with suppress(psycopg.Error), psycopg.connect(server.url, connect_timeout=5) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
                " AND pid <> pg_backend_pid() ORDER BY state LIMIT 1"
            ).fetchone()
            if found:
                os.kill(found[0], signal.SIGKILL)
                return
        time.sleep(0.02)
    raise AssertionError("there was no backend to kill")


def test_a_server_killed_as_a_whole(tmp_path: Path) -> None:
    """The postmaster dies with -9 under load, and is started again."""
    checked = Checked()
    with a_server() as (server, address), writers(address, tmp_path) as writing:
        writer = writing.start()
        for _ in range(POSTMASTER_ROUNDS):
            writing.wait_for_more()
            server.kill()
            server.start()
        writing.wait_for_more()
        writing.kill(writer)
        with closing(stores.open_recorder(address, system_clock)) as recorder:
            checked.look(recorder)
        checked.must_hold(writing.told())


@contextmanager
def a_followed_server() -> Iterator[tuple[Server, Server, str]]:
    """Give a server, its synchronous standby, and the address of a ledger in the first."""
    with servers(2) as (primary, standby):
        primary.create()
        primary.start()
        address = in_a_schema(primary.url)
        stores.create_schema(address)
        standby.copy_of(primary)
        standby.start()
        configure(primary, "SET synchronous_standby_names = '*'")
        wait_until_synchronous(primary)
        yield primary, standby, address


def test_a_standby_takes_over_with_all_that_was_acknowledged(tmp_path: Path) -> None:
    """The primary is killed under load and stays dead; its synchronous standby is promoted."""
    checked = Checked()
    with a_followed_server() as (primary, standby, address):
        with writers(address, tmp_path) as writing:
            writer = writing.start()
            time.sleep(1)
            primary.kill()
            writing.kill(writer)
            told = writing.told()
        standby.promote()
        configure(standby, "RESET synchronous_standby_names")
        taken_over = address.replace(f"port={primary.port}", f"port={standby.port}")
        with closing(stores.open_recorder(taken_over, system_clock)) as recorder:
            checked.look(recorder)
            checked.must_hold(told)
            append(recorder, ["999999"])
            checked.look(recorder)
    assert len(told) > 20


def configure(server: Server, change: str) -> None:
    """Change a setting of a running server."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM {change}".encode())
        connection.execute("SELECT pg_reload_conf()")


def wait_until_synchronous(primary: Server) -> None:
    """Wait until commits wait for the standby."""
    until = time.monotonic() + 20
    with psycopg.connect(primary.url, autocommit=True) as connection:
        while not connection.execute(
            "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
        ).fetchone():
            assert time.monotonic() < until, "the standby does not follow"
            time.sleep(0.05)


def test_a_write_ahead_log_cut_anywhere(tmp_path: Path) -> None:
    """Whatever is left of SQLite's journal: whole commits, from the first on, and all before it."""
    source = tmp_path / "ledger.db"
    stores.create_schema(f"sqlite:///{source}")
    wal = tmp_path / "ledger.db-wal"
    ends = list[tuple[int, int, bytes]]()
    with closing(stores.open_recorder(f"sqlite:///{source}", system_clock)) as recorder:
        for number in range(60):
            append(recorder, [str(number)])
            end = recorder.end()
            ends.append((wal.stat().st_size, end.position, end.tree.root()))
        database, journal = source.read_bytes(), wal.read_bytes()
    random_offsets = random.Random(9)
    edges = [size + by for size, _, _ in ends for by in (-1, 0)]
    for offset in [*edges, *(random_offsets.randrange(len(journal)) for _ in range(CUTS))]:
        whole = [(position, root) for size, position, root in ends if size <= offset]
        position, root = whole[-1] if whole else (0, Frontier().root())
        cut = tmp_path / "cut"
        cut.mkdir()
        (cut / "ledger.db").write_bytes(database)
        (cut / "ledger.db-wal").write_bytes(journal[:offset])
        with closing(
            stores.open_recorder(f"sqlite:///{cut / 'ledger.db'}", system_clock)
        ) as opened:
            checked = Checked()
            checked.look(opened)
            assert (checked.tree.size, checked.tree.root()) == (position, root)
            append(opened, ["0"])
            checked.look(opened)
        shutil.rmtree(cut)
