"""Sealing: tiles as others lay them out, no checkpoint that goes back, tampering that is found."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from shared.clock import system_clock
from shared.ledger import integrator as integrating
from shared.ledger import stores
from shared.ledger.checkpoints import Checkpoints, Overtaken, Signed
from shared.ledger.integrator import Sealing, Tampered
from shared.ledger.merkle import (
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
)
from shared.ledger.notes import Checkpoint
from shared.ledger.recorder import MissingPosition
from shared.ledger.tiles import BadTile, PublicFolder, Tiles, tile_path, tiles_of
from tests.support.postgres import in_a_schema
from tests.support.sealed import Sealed, a_log, unguarded

LOG = Path(__file__).parents[3] / "shared" / "vectors" / "tlog" / "log"


# -- tiles --------------------------------------------------------------------------------------


def entries_of(count: int, start: int = 0) -> list[bytes]:
    """Return entries, each its own."""
    return [f"entry {number}".encode() for number in range(start, start + count)]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (tile_path(0, 0), "tile/0/000"),
        (tile_path(1, 1234067), "tile/1/x001/x234/067"),
        (tile_path("entries", 1000, 5), "tile/entries/x001/000.p/5"),
    ],
)
def test_tiles_lie_where_the_specification_says(path: str, wanted: str) -> None:
    """Paths are those of C2SP tlog-tiles."""
    assert path == wanted


def test_a_tree_of_seventy_thousand_has_the_tiles_of_the_specification() -> None:
    """273 full and one of 112, then one full and one of 17, then one of 1."""
    shapes = [list(tiles_of(70_000 >> 8 * level)) for level in range(3)]
    assert (len(shapes[0]), shapes[0][-1]) == (274, (273, 112))
    assert shapes[1:] == [[(0, 256), (1, 17)], [(0, 1)]]


@pytest.mark.skipif(not LOG.exists(), reason="the published vectors are not on this machine")
def test_a_published_log_is_read_and_written_alike(tmp_path: Path) -> None:
    """From its entries come its tiles, byte for byte, and the root of each of its checkpoints."""
    theirs, ours = PublicFolder(LOG), PublicFolder(tmp_path)
    for size in range(1, 16):
        note = (LOG / f"checkpoint.{size}").read_text(encoding="utf-8")
        checkpoint = Checkpoint.parse(note.partition("\n\n")[0] + "\n")
        tiles = Tiles(theirs.fetch, size)
        assert tiles.frontier().root() == checkpoint.root
        assert ours.grow(size - 1, tiles.entries(0)[-1:]).root() == checkpoint.root
        for level in (0, "entries"):
            path = tile_path(level, 0, size)
            assert ours.fetch(path) == theirs.fetch(path)


@settings(max_examples=12)
@given(portions=st.lists(st.integers(1, 700), min_size=1, max_size=4))
def test_tiles_are_the_same_in_whatever_portions_the_log_grew(
    tmp_path_factory: pytest.TempPathFactory, portions: list[int]
) -> None:
    """Full tiles depend on the log alone; every size in between can still be proved from."""
    grown = PublicFolder(tmp_path_factory.mktemp("grown"))
    size, sizes = 0, list[int]()
    for portion in portions:
        grown.grow(size, entries_of(portion, size))
        size += portion
        sizes.append(size)
    at_once = PublicFolder(tmp_path_factory.mktemp("at-once"))
    root = at_once.grow(0, entries_of(size)).root()
    leaves = [leaf_hash(entry) for entry in entries_of(size)]
    for file in at_once.root.rglob("*"):
        if file.is_file():
            assert grown.fetch(str(file.relative_to(at_once.root))) == file.read_bytes()
    tiles = Tiles(grown.fetch, size)
    for old in sizes:
        before = Tiles(grown.fetch, old).frontier().root()
        assert before == Frontier().extended(leaves[:old]).root()
        check_consistency(old, size, consistency_proof(old, size, tiles.node), before, root)
        check_inclusion(
            old - 1, size, leaves[old - 1], inclusion_proof(old - 1, size, tiles.node), root
        )


def test_partial_tiles_go_when_the_full_one_is_there(tmp_path: Path) -> None:
    """A log that trickles does not fill the disk; what was partial is read from the full tile."""
    folder = PublicFolder(tmp_path)
    folder.grow(0, entries_of(255))
    assert (tmp_path / "tile/0/000.p/255").exists()
    folder.grow(255, entries_of(1, 255))
    assert not (tmp_path / "tile/0/000.p").exists()
    assert Tiles(folder.fetch, 255).entries(0) == entries_of(255)


@pytest.mark.parametrize("content", [b"", b"\0" * 33])
def test_a_cut_or_missing_tile_is_named(tmp_path: Path, content: bytes) -> None:
    """Nothing is guessed from half a tile."""
    folder = PublicFolder(tmp_path)
    folder.grow(0, entries_of(2))
    (tmp_path / "tile/0/000.p/2").write_bytes(content)
    with pytest.raises(BadTile, match=r"000\.p/2 holds"):
        Tiles(folder.fetch, 2).frontier()
    (tmp_path / "tile/0/000.p/2").unlink()
    with pytest.raises(BadTile, match="is missing"):
        Tiles(folder.fetch, 2).frontier()


# -- a log and its integrator -------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Sealed]:
    """Give an empty log in a file."""
    with a_log(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
def each_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sealed]:
    """Give an empty log, on each store in turn."""
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgres":
        address = in_a_schema(request.getfixturevalue("postgres_url"))
    with a_log(address, tmp_path) as made:
        yield made


def test_what_is_stored_is_sealed(each_log: Sealed) -> None:
    """The published checkpoint has the store's size and root, signed by both keys."""
    each_log.append(1, 300, 7)
    assert each_log.integrator().step() == 308
    checkpoint = each_log.checkpoint()
    assert (checkpoint.size, checkpoint.root) == (308, each_log.recorder.end().tree.root())
    assert Tiles(each_log.folder.fetch, 308).frontier().root() == checkpoint.root
    each_log.append(1)
    assert each_log.integrator().step() == 309


def test_a_long_backlog_is_sealed_in_portions(log: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded: each step takes whole commits up to a limit."""
    monkeypatch.setattr(integrating, "FACTS_MAX", 300)
    log.append(200, 90, 90, 300)
    integrator = log.integrator()
    assert [integrator.step() for _ in range(4)] == [290, 380, 680, 680]


def test_an_empty_log_has_no_checkpoint(log: Sealed) -> None:
    """Nothing is signed for nothing."""
    assert log.integrator().step() == 0
    assert not (log.root / "public" / "checkpoint").exists()


def test_sealed_within_a_second(log: Sealed) -> None:
    """The thread seals what is stored soon, and the rest when it is told to stop."""
    sealing = Sealing(log.integrator())
    log.append(5)
    deadline = time.monotonic() + 1
    while sealing.sealed != 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sealing.sealed == 5
    log.append(2)
    sealing.close()
    assert log.checkpoint().size == 7


def test_trouble_is_told_and_ends(log: Sealed, caplog: pytest.LogCaptureFixture) -> None:
    """A thread that cannot seal says why, goes on trying, and is well again afterwards."""
    log.append(3)
    log.integrator().step()
    kept = log.root / "kept"
    tile = log.folder.root / "tile" / "0" / "000.p" / "3"
    tile.rename(kept)
    log.append(1)
    sealing = Sealing(log.integrator())
    deadline = time.monotonic() + 5
    while sealing.trouble is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "is missing" in str(sealing.trouble)
    kept.rename(tile)
    sealing.close()
    assert (sealing.trouble, sealing.sealed) == (None, 4)
    assert "nothing is sealed" in caplog.text


# -- tampering ----------------------------------------------------------------------------------


SWAP = (
    "UPDATE facts SET position = -5 WHERE position = 5",
    "UPDATE facts SET position = 5 WHERE position = 6",
    "UPDATE facts SET position = 6 WHERE position = -5",
)


@pytest.mark.parametrize(
    ("statements", "position"),
    [
        (("UPDATE facts SET data = x'7b7d' WHERE position = 5",), 5),
        (("UPDATE facts SET tags = '[\"a:2\"]' WHERE position = 5",), 5),
        (("UPDATE facts SET recorded_at = recorded_at + 1 WHERE position = 5",), 5),
        (("UPDATE facts SET kind = 'k.2' WHERE position = 5",), 5),
        (("DELETE FROM facts WHERE position = 5",), 5),
        (("DELETE FROM facts WHERE position = 8",), 8),
        (SWAP, 5),
        (("UPDATE facts SET leaf = zeroblob(32) WHERE position = 5",), 5),
        (("UPDATE commits SET root = zeroblob(32) WHERE position = 8",), 4),
    ],
)
def test_a_changed_store_is_not_signed_for(
    log: Sealed, statements: Sequence[str], position: int
) -> None:
    """Any change of a fact between commit and sealing is found where it is."""
    log.append(3)
    log.integrator().step()
    log.append(5)
    unguarded(log, *statements)
    with pytest.raises(Tampered) as found:
        log.integrator().step()
    assert found.value.position == position
    assert log.checkpoint().size == 3


def test_a_follower_stops_at_a_hole(log: Sealed) -> None:
    """Whoever follows the log is never led past a position that is not there."""
    log.append(5)
    unguarded(log, "DELETE FROM facts WHERE position = 3")
    with log.recorder.subscribe() as following:
        assert [next(following).position for _ in range(2)] == [1, 2]
        with pytest.raises(MissingPosition, match="3 is missing before 4"):
            next(following)
    with log.recorder.subscribe(after=3) as following:
        assert next(following).position == 4


def test_an_old_backup_is_not_signed_for(log: Sealed) -> None:
    """A store restored from before a published checkpoint is refused, also once it grew again."""
    log.append(2)
    log.integrator().step()
    backup = log.root / "backup.db"
    with closing(sqlite3.connect(log.root / "ledger.db")) as raw:
        raw.execute("VACUUM INTO ?", [str(backup)])
    log.append(2)
    log.integrator().step()
    log.recorder.close()
    for file in log.root.glob("ledger.db*"):
        file.unlink()
    shutil.copy(backup, log.root / "ledger.db")
    with closing(stores.open_recorder(log.address, system_clock)) as restored:
        again = Sealed(log.address, log.root, restored)
        for _ in range(3):
            with pytest.raises(Tampered, match="does not hold the tree that was signed"):
                again.integrator().step()
            again.append(2)
    assert log.checkpoint().size == 4


def test_public_files_that_are_lost_are_written_anew(
    log: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, in portions, byte for byte as they were; and sealing goes on from there."""
    monkeypatch.setattr("shared.ledger.integrator.FACTS_MAX", 300)
    log.append(*[50] * 14)
    while log.integrator().step() < 700:
        pass
    before = files(log)
    shutil.rmtree(log.root / "public")
    assert log.integrator().step() == 700
    assert files(log) == before
    log.append(5)
    assert log.integrator().step() == 705


def files(log: Sealed) -> dict[str, bytes]:
    """Return the public files that a reader needs: the narrower partial tiles may be gone."""
    root = log.root / "public"
    kept = [file for file in root.rglob("*") if file.is_file()]
    full = {str(file.relative_to(root)): file.read_bytes() for file in kept}
    return {path: content for path, content in full.items() if ".p/" not in path}


def test_lost_files_are_not_made_from_a_changed_store(log: Sealed) -> None:
    """What is written anew must lead to what was signed; a store that was changed does not."""
    log.append(10)
    log.integrator().step()
    shutil.rmtree(log.root / "public")
    unguarded(
        log,
        "UPDATE facts SET data = x'00' WHERE position = 4",
    )
    with pytest.raises(Tampered, match="position 4"):
        log.integrator().step()
    assert not (log.root / "public" / "checkpoint").exists()


def test_killed_while_writing_anew(log: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of them are no basis; the next integrator begins anew, and goes on."""
    log.append(600)
    log.integrator().step()
    shutil.rmtree(log.root / "public")
    monkeypatch.setattr("shared.ledger.integrator.FACTS_MAX", 300)

    class Killed(PublicFolder):
        """Dies after the first portion."""

        @override
        def grow(self, old: int, entries: Sequence[bytes]) -> Frontier:
            if old:
                raise KeyboardInterrupt
            return super().grow(old, entries)

    with pytest.raises(KeyboardInterrupt):
        log.integrator(Killed(log.root / "public")).step()
    log.append(1)
    while log.integrator().step() < 601:
        pass
    assert log.checkpoint().size == 601


def test_a_changed_tile_is_not_built_upon(log: Sealed) -> None:
    """Published hashes that no longer lead to the signed root stop the sealing."""
    log.append(3)
    log.integrator().step()
    tile = log.folder.root / "tile/0/000.p/3"
    tile.write_bytes(bytes(96))
    log.append(1)
    with pytest.raises(Tampered, match="published tiles"):
        log.integrator().step()


def test_of_two_integrators_one_signs(log: Sealed) -> None:
    """Both write the same tiles; the second finds itself overtaken and builds on the first."""
    log.append(4)
    folder = OvertakingFolder(log.folder.root, lambda: log.integrator().step())
    assert log.integrator(folder).step() == 0
    assert log.checkpoint().size == 4
    assert log.integrator().step() == 4
    checkpoints = Checkpoints(log.root / "checkpoints.db")
    with pytest.raises(Overtaken):
        checkpoints.add(Signed(), Signed(9, bytes(32), b""), system_clock())


def test_a_tile_that_another_fills_meanwhile_is_no_trouble(
    log: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The partial one goes, and with it what the first was about to give its name."""
    real, root = Path.replace, log.folder.root
    meanwhile: list[Callable[[], object]] = []

    def replace(self: Path, target: Path) -> Path:
        while meanwhile and "entries" in str(target):
            meanwhile.pop(0)()
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    log.append(200)
    meanwhile += [lambda: log.append(100), lambda: log.integrator().step()]
    assert log.integrator().step() == 0
    assert log.checkpoint().size == log.integrator().step() == 300
    log.append(1)
    meanwhile.append(lambda: shutil.rmtree(root / "tile/entries/001.p"))
    with pytest.raises(FileNotFoundError):  # nobody filled that one
        log.integrator().step()


class OvertakingFolder(PublicFolder):
    """A folder in which another integrator is done while the first still writes."""

    def __init__(self, root: Path, other: Callable[[], object]) -> None:
        super().__init__(root)
        self._other: Callable[[], object] | None = other

    @override
    def publish(self, path: str, content: bytes) -> None:
        """Publish, once the other is done."""
        other, self._other = self._other, None
        if other:
            other()
        super().publish(path, content)


def test_checkpoints_are_never_changed(log: Sealed) -> None:
    """The memory of what was signed refuses UPDATE and DELETE."""
    log.append(1)
    log.integrator().step()
    with closing(sqlite3.connect(log.root / "checkpoints.db")) as raw:
        for statement in ("UPDATE checkpoints SET size = 9", "DELETE FROM checkpoints"):
            with pytest.raises(sqlite3.IntegrityError):
                raw.execute(statement)


def test_checkpoints_are_not_made_in_passing(tmp_path: Path) -> None:
    """A wrong path is an error, not a log that was never signed."""
    with pytest.raises(FileNotFoundError):
        Checkpoints(tmp_path / "none.db")


# -- killed -------------------------------------------------------------------------------------

FSYNCS = 16
"""Those of the step below: tiles, new folders, checkpoint; with one more it ends by itself."""

KILLED = """
import os, signal, sys
from pathlib import Path
from shared.clock import system_clock
from shared.ledger import stores
from shared.ledger.checkpoints import Checkpoints
from shared.ledger.integrator import Integrator
from shared.ledger.notes import Algorithm, SigningKey
from shared.ledger.tiles import PublicFolder

root, moment = Path(sys.argv[1]), int(sys.argv[2])
real_fsync = os.fsync
def fsync(descriptor):
    global moment
    moment -= 1
    if moment < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real_fsync(descriptor)
os.fsync = fsync
recorder = stores.open_recorder(f"sqlite:///{root / 'ledger.db'}", system_clock)
keys = [SigningKey("localhost/log", one, bytes(32)) for one in (1, 6)]
keys = [SigningKey(one.name, Algorithm(one.algorithm), one.seed) for one in keys]
checkpoints = Checkpoints(root / "checkpoints.db")
Integrator(recorder, PublicFolder(root / "public"), checkpoints, keys, system_clock).step()
"""


@pytest.mark.parametrize("moment", range(FSYNCS + 1))
def test_killed_between_any_two_writes_it_goes_on(log: Sealed, moment: int) -> None:
    """Kill -9 before the n-th fsync of a step: the next one seals, and nothing is signed twice."""
    log.append(250)
    log.integrator().step()
    log.append(10)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(log.root), str(moment)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert killed.returncode == (0 if moment == FSYNCS else -signal.SIGKILL)
    assert log.integrator().step() == 260
    assert log.checkpoint().root == log.recorder.end().tree.root()
    with closing(sqlite3.connect(log.root / "checkpoints.db")) as raw:
        assert raw.execute("SELECT size FROM checkpoints").fetchall() == [(250,), (260,)]
