"""`./run verify`: right is right, and each thing that is wrong is named with its position."""

import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from shared.clock import system_clock
from shared.ledger import __main__ as command
from shared.ledger.notes import Checkpoint, Note
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import pack_entries, unpack_entries
from shared.ledger.verify import Verified, Wrong, verify
from tests.shared.conftest import Told
from tests.support.sealed import KEY, LATER_KEY, Sealed, a_log, unguarded

SIZE = 600


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Sealed]:
    """Give a sealed log of some tiles, laid out as a service's folder is."""
    with a_log(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path) as made:
        made.append(*[100] * 6)
        made.integrator().step()
        vkeys = f"{KEY.verifier}\n{LATER_KEY.verifier}\n"
        made.folder.publish("vkeys", vkeys.encode())
        yield made


def test_a_sound_log(log: Sealed, told: Told) -> None:
    """A service's folder: signatures, tiles, entries, and every fact."""
    code, document = told(log.root)
    assert code == 0
    assert document["right"] is True
    assert (document["size"], document["entries"], document["facts"]) == (SIZE, SIZE, SIZE)
    assert document["root"] == log.checkpoint().root.hex()
    assert document["signed_by"] == ["ED25519", "ML_DSA_44"]
    assert document["keys_from"] == "the log itself"


def test_public_files_alone_are_enough(log: Sealed, told: Told, tmp_path: Path) -> None:
    """Whoever has only a copy of the public files checks all but the facts, with an own key."""
    copy = tmp_path / "copy"
    shutil.copytree(log.folder.root, copy)
    code, document = told(copy, "--key", KEY.verifier)
    assert (code, document["entries"], document["facts"]) == (0, SIZE, 0)
    assert document["keys_from"] == "the caller"


def test_facts_behind_the_checkpoint_wait(log: Sealed, told: Told) -> None:
    """What is stored and not yet sealed is no error."""
    log.append(5)
    assert told(log.root)[0] == 0


def test_words_for_people(log: Sealed, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json a person reads what was checked, or what is wrong."""
    assert command.main([str(log.root)]) == 0
    assert "every fact is the one sealed" in capsys.readouterr().out
    unguarded(log, "DELETE FROM facts WHERE position = 300")
    assert command.main([str(log.root)]) == 1
    assert "WRONG: position 300: the fact is missing" in capsys.readouterr().out


def end(log: Sealed) -> Note:
    """Return the published checkpoint."""
    return Note.parse(log.folder.fetch("checkpoint"))


SWAP = (
    "UPDATE facts SET position = -5 WHERE position = 5",
    "UPDATE facts SET data = x'7b7d' WHERE position = 6",
    "UPDATE facts SET position = 5 WHERE position = 6",
    "UPDATE facts SET position = 6 WHERE position = -5",
)


@pytest.mark.parametrize(
    ("statements", "position", "how"),
    [
        (("UPDATE facts SET data = x'7b7d' WHERE position = 257",), 257, "data"),
        (("UPDATE facts SET tags = '[\"a:2\"]' WHERE position = 600",), 600, "tags"),
        (("UPDATE facts SET recorded_at = 1 + recorded_at WHERE position = 1",), 1, "recorded_at"),
        (("UPDATE facts SET kind = 'k.2' WHERE position = 5",), 5, "kind"),
        (("DELETE FROM facts WHERE position = 5",), 5, "missing"),
        (("DELETE FROM facts WHERE position > 598",), 599, "missing"),
        (SWAP, 5, "data"),
    ],
)
def test_a_changed_fact_is_located(
    log: Sealed, told: Told, statements: Sequence[str], position: int, how: str
) -> None:
    """One byte of a fact, tag or time, a row gone, swapped, or the tail cut."""
    unguarded(log, *statements)
    code, document = told(log.root)
    assert (code, document["right"], document["position"]) == (1, False, position)
    assert how in document["how"]


CHANGES: dict[str, Callable[[StoredFact], StoredFact | None]] = {
    "data": lambda fact: structs.replace(fact, data=b"[]"),
    "tags": lambda fact: structs.replace(fact, tags=["a:2"]),
    "kind": lambda fact: structs.replace(fact, kind="k.2"),
    "earlier": lambda fact: structs.replace(fact, recorded_at=fact.recorded_at - timedelta(days=1)),
    "position": lambda fact: structs.replace(fact, position=fact.position + 1),
    "gone": lambda fact: None,
}


@given(changes=st.dictionaries(st.integers(1, SIZE), st.sampled_from(sorted(CHANGES)), max_size=3))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
def test_a_tile_at_once_says_what_one_position_after_the_other_says(
    log: Sealed, monkeypatch: pytest.MonkeyPatch, changes: dict[int, str]
) -> None:
    """Whatever is changed: whole tiles are told wrong at the same position, in the same words."""
    facts = [
        CHANGES[changes[fact.position]](fact) if fact.position in changes else fact
        for fact in log.recorder.page().facts
    ]

    def told() -> Verified | tuple[str, int | None]:
        there = [fact for fact in facts if fact]
        try:
            return verify(log.folder.fetch, KEY.name, [KEY.verifier], facts=there)
        except Wrong as wrong:
            return wrong.how, wrong.position

    at_once = told()
    with monkeypatch.context() as patch:
        patch.setattr("shared.ledger.verify._made_of", lambda *_: [])
        assert told() == at_once
    position = None if isinstance(at_once, Verified) else at_once[1]
    assert position == min(changes, default=None)


def flip(log: Sealed, path: str, at: int) -> None:
    """Change one bit of a public file."""
    file = log.folder.root / path
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("path", "at", "position", "how"),
    [
        ("tile/0/001", 32 * 3, 260, "published hash"),
        ("tile/1/000.p/2", 40, 1, "tiles below"),
        ("tile/0/002.p/88", 32 * 87, 600, "published hash"),
        ("tile/entries/001", -1, 512, "published hash"),
        ("tile/entries/000", 0, 1, "cut"),
    ],
)
def test_a_changed_tile_is_located(
    log: Sealed, told: Told, *, path: str, at: int, position: int, how: str
) -> None:
    """One bit of a hash or of an entry, at any level, is found at the first position it touches."""
    flip(log, path, at)
    code, document = told(log.root)
    assert (code, document["position"]) == (1, position)
    assert how in document["how"]


@pytest.mark.parametrize("path", ["tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/88"])
def test_a_missing_tile_is_named(log: Sealed, told: Told, path: str) -> None:
    """What is not there is not assumed."""
    (log.folder.root / path).unlink()
    code, document = told(log.root)
    assert code == 1
    assert document["how"] == f"{path} is missing"


def test_an_entry_of_another_version_is_named(log: Sealed, told: Told) -> None:
    """Entries and hashes changed together are found where an entry no longer makes sense."""
    path = "tile/entries/000"
    entries = unpack_entries(log.folder.fetch(path), path)
    entries[9] = b"\3" + entries[9][1:]
    log.folder.publish(path, pack_entries(entries))
    assert told(log.root)[1]["position"] == 10


def test_a_whole_log_that_was_rewritten_is_found(log: Sealed, told: Told, tmp_path: Path) -> None:
    """Facts, tiles and roots all made anew and consistent: the signature is for another root."""
    other = tmp_path / "other"
    other.mkdir()
    with a_log(f"sqlite:///{other / 'ledger.db'}", other) as forged:
        forged.append(SIZE)
        forged.integrator().step()
        forged.folder.publish("checkpoint", log.folder.fetch("checkpoint"))
        forged.folder.publish("vkeys", f"{KEY.verifier}".encode())
        code, document = told(other)
    assert code == 1
    assert document["how"] == "the entries do not lead to the signed root"


def test_an_unsigned_or_forged_checkpoint_is_refused(log: Sealed, told: Told) -> None:
    """No signature, another's, a changed size: nothing under it is believed."""
    note = end(log)
    smaller = Checkpoint(KEY.name, 5, log.checkpoint().root).body()
    for wrong in (Note(smaller, note.signatures), Note(note.body, note.signatures[:1])):
        log.folder.publish("checkpoint", wrong.text().encode())
        assert told(log.root, "--key", LATER_KEY.verifier)[0] == 1
    (log.folder.root / "checkpoint").unlink()
    assert told(log.root)[1]["how"] == "there is no checkpoint file"


def test_time_that_goes_back_is_found(log: Sealed, told: Told, tmp_path: Path) -> None:
    """A log signed by a dishonest service, with times out of order, is not right either."""
    path = "tile/entries/000"
    entries = unpack_entries(log.folder.fetch(path), path)
    entries[9] = entries[9][:9] + struct.pack(">q", 0) + entries[9][17:]
    lying = tmp_path / "lying"
    lying.mkdir()
    with a_log(f"sqlite:///{lying / 'ledger.db'}", lying) as made:
        root = made.folder.grow(0, entries).root()
        body = Checkpoint(KEY.name, len(entries), root).body()
        signed = Note(body, (KEY.sign(body, system_clock()),))
        made.folder.publish("checkpoint", signed.text().encode())
        made.folder.publish("vkeys", f"{KEY.verifier}".encode())
        code, document = told(made.folder.root)
    assert (code, document["position"]) == (1, 10)
    assert "recorded before" in document["how"]


@pytest.mark.parametrize("position", [10, 257])
def test_time_that_goes_back_in_the_facts_too_is_found(
    log: Sealed, told: Told, position: int
) -> None:
    """Facts and tiles that agree are not right either when their times are out of order."""
    unguarded(log, f"UPDATE facts SET recorded_at = 0 WHERE position = {position}")
    shutil.rmtree(log.folder.root / "tile")
    root = log.folder.grow(0, [fact.entry() for fact in log.recorder.page().facts]).root()
    body = Checkpoint(KEY.name, SIZE, root).body()
    log.folder.publish("checkpoint", Note(body, (KEY.sign(body, system_clock()),)).text().encode())
    code, document = told(log.root)
    assert (code, document["position"]) == (1, position)
    assert "recorded before" in document["how"]


def test_facts_and_entries_cut_alike_are_found(log: Sealed, told: Told) -> None:
    """A tile that lacks the same entries as the store lacks facts is too short all the same."""
    path = "tile/entries/002.p/88"
    log.folder.publish(path, pack_entries(unpack_entries(log.folder.fetch(path), path)[:80]))
    unguarded(log, "DELETE FROM facts WHERE position > 592")
    assert told(log.root)[1]["how"] == f"{path} holds 80 entries, not 88"


def test_nothing_to_check_is_said(log: Sealed, tmp_path: Path, told: Told) -> None:
    """A wrong place, keys that are none, options that do not fit: exit code 2, no traceback."""
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments in (
        [tmp_path / "nowhere"],
        [empty],
        [log.root, "--key", "nonsense"],
        [log.root, "--ledger", "mysql://x"],
        [log.root, "--token-file", "x"],
        ["http://127.0.0.1:1", "--ledger", "sqlite:///x"],
        ["http://127.0.0.1:1"],
    ):
        assert told(*arguments) == (2, {})


def test_the_checked_log_is_left_alone(log: Sealed, told: Told) -> None:
    """Checking changes nothing."""
    with closing(sqlite3.connect(log.root / "ledger.db")) as raw:
        before = raw.execute("SELECT count(*), max(position) FROM facts").fetchone()
        told(log.root)
        assert raw.execute("SELECT count(*), max(position) FROM facts").fetchone() == before
