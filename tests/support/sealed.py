"""A log with everything that seals it, and someone with its disk in hand."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from eventsourcing.dcb.api import DCBEvent

from shared.clock import system_clock
from shared.ledger import stores
from shared.ledger.checkpoints import Checkpoints, create_checkpoints
from shared.ledger.integrator import Integrator
from shared.ledger.notes import Algorithm, Checkpoint, SigningKey, opened
from shared.ledger.recorder import Append, Recorder
from shared.ledger.tiles import PublicFolder

KEY = SigningKey("localhost/log", Algorithm.ED25519, bytes(32))
LATER_KEY = SigningKey("localhost/log", Algorithm.ML_DSA_44, bytes(32))


@dataclass
class Sealed:
    """A log with everything that seals it."""

    address: str
    root: Path
    recorder: Recorder

    @property
    def folder(self) -> PublicFolder:
        """Return the public folder."""
        return PublicFolder(self.root / "public")

    def integrator(self, folder: PublicFolder | None = None) -> Integrator:
        """Return a new integrator."""
        return Integrator(
            self.recorder,
            folder or self.folder,
            Checkpoints(self.root / "checkpoints.db"),
            [KEY, LATER_KEY],
            system_clock,
        )

    def append(self, *sizes: int) -> None:
        """Append batches of so many facts."""
        for size in sizes:
            events = [DCBEvent(type="k.1", data=b'{"n":1}', tags=["a:1"]) for _ in range(size)]
            self.recorder.append_batch([Append(events)])

    def checkpoint(self) -> Checkpoint:
        """Return what is published, opened with each of the keys."""
        content = self.folder.fetch("checkpoint")
        found = {opened(content, KEY.name, [key.verifier])[1] for key in (KEY, LATER_KEY)}
        (checkpoint,) = found
        return checkpoint


@contextmanager
def a_log(address: str, root: Path) -> Iterator[Sealed]:
    """Give an empty log."""
    stores.create_schema(address)
    create_checkpoints(root / "checkpoints.db")
    with closing(stores.open_recorder(address, system_clock)) as recorder:
        yield Sealed(address, root, recorder)


def unguarded(log: Sealed, *statements: str) -> None:
    """Change the file as someone with the disk in hand can: without its triggers."""
    with closing(sqlite3.connect(log.root / "ledger.db")) as raw:
        triggers = raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("PRAGMA foreign_keys=OFF")
        for statement in statements:
            raw.execute(statement)
        raw.commit()


def found(folder: Path, content: bytes) -> set[str]:
    """Return the names of the files that have these bytes."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.name for file in files if content in file.read_bytes()}
