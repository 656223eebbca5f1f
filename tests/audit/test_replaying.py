"""Any moment again from an export alone, and the same as the service says of it."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random

import httpx
import pytest

from services.audit import __main__ as audit
from services.audit.export import LogName
from services.audit.folding import KEPT_MAX, Folding
from services.audit.history import open_history
from services.audit.replaying import replay, seen
from services.audit.writing import is_zip
from shared.ledger.states import Subject, state_text
from tests.audit.conftest import AUGUST, JULY, Stage, Told

POSITIONS = 25


def silent(done: int, size: int) -> None:
    """Hear how far it is."""


def live(stage: Stage, address: str, **asked: str | int) -> dict[str, object]:
    """Return what a service says of its state."""
    headers = stage.tokens.header("regulator")
    answer = httpx.get(f"{address}/log/state", params=asked, headers=headers)
    answer.raise_for_status()
    return dict(answer.json())


@pytest.mark.parametrize("kept_max", [KEPT_MAX, 5])
def test_replayed_and_live_agree_at_random_positions(
    stage: Stage, export: Path, kept_max: int
) -> None:
    """Of both logs, wherever one looks, and however few subjects are kept in memory."""
    with open_history(export) as history:
        addresses: dict[LogName, str] = {"consent": stage.consent, "accounts": stage.accounts}
        for name, address in addresses.items():
            log = history.logs[name]
            some = sorted(Random(3).sample(range(log.size), min(POSITIONS, log.size)))
            with Folding(log, kept_max) as folding:
                for position in some:
                    replay(folding, log, position, silent)
                    said = live(stage, address, at=position)
                    made = folding.digest()
                    assert (said["subjects"], said["digest"]) == (made[0], made[1].hex())


def test_one_subject_is_the_same_from_the_service(stage: Stage, export: Path) -> None:
    """Its state at a position, and nothing before it was there."""
    with open_history(export) as history:
        log, subject = history.logs["consent"], Subject("bank", "b7")
        found = seen(log, subject, log.size)
        assert found is not None
        said = live(stage, stage.consent, at=log.size, of="bank:b7")
        assert json.loads(state_text(found.state)) == said["state"]
        first = found.history[0].position
        assert seen(log, subject, first) is not None
        assert seen(log, subject, first - 1) is None
        assert seen(log, Subject("moon", "b7"), log.size) is None


def test_an_instant_is_the_last_position_of_it(export: Path, told: Told) -> None:
    """July's end, and every edge of it, as a time and as the position that it means."""
    with open_history(export) as history:
        log = history.logs["consent"]
        of_july = [one.position for one in log.facts() if one.recorded_at == JULY]
    edges = {
        JULY - timedelta(microseconds=1): of_july[0] - 1,
        JULY: of_july[-1],
        AUGUST - timedelta(microseconds=1): of_july[-1],
    }
    for instant, position in edges.items():
        by_time = told("replay", export, "--log", "consent", "--at", instant.isoformat())
        by_place = told("replay", export, "--log", "consent", "--at", position)
        assert by_time == by_place
        assert by_time[1]["consent"]["position"] == position


def test_the_service_that_says_otherwise_is_told(stage: Stage, export: Path, told: Told) -> None:
    """The same, and then not: the other service's address in its place."""
    code, document = told("replay", export, *stage.addresses)
    assert (code, document["consent"]["equal"], document["accounts"]["equal"]) == (0, True, True)
    token = ["--token-file", stage.folder / "token"]
    code, document = told(
        "replay", export, "--log", "accounts", "--at", 1, "--accounts", stage.consent, *token
    )
    assert (code, document["accounts"]["equal"]) == (1, False)


def test_a_digest_is_kept_for_this_program_alone(export: Path, told: Told) -> None:
    """What another program came to, or was written there, is not taken for ours."""
    first = told("replay", export)
    assert told("replay", export) == first
    index = export.with_name(f"{export.name}.index") / "consent.sqlite"
    with closing(sqlite3.connect(index)) as store, store:
        store.execute("UPDATE digests SET program = 'another', digest = x'00'")
    assert told("replay", export) == first


def test_what_differs_between_two_moments(stage: Stage, told: Told) -> None:
    """A subject that came, and one of which a member changed."""
    stage.grow("/sites/s-1", wait=False, name="S", host="H")
    stage.grow("/banks/lately", wait=False)
    before = live(stage, stage.consent)["position"]
    stage.grow(
        "/products/p1",
        wait=False,
        bank_id="lately",
        name="P",
        purpose="open-account",
        terms_hash="a" * 64,
    )
    stage.grow("/sites/s-2", name="S", host="H")
    place = stage.place()
    assert audit.main(["export", str(place), *stage.addresses]) == 0
    _, document = told("replay", place, "--log", "consent", "--since", before)
    said = document["consent"]
    assert said["new"] == ["site:s-2"]
    assert said["changed"] == {"bank:lately": ["products"]}
    assert said["before"]["position"] == before


def test_a_checkpoint_that_was_kept_is_a_moment(
    stage: Stage, export: Path, told: Told, tmp_path: Path
) -> None:
    """Its position; and one of another history, or that nobody trusted signed, is none."""
    kept = tmp_path / "kept"
    kept.write_bytes((export / "consent" / "tlog" / "checkpoint").read_bytes())
    keys = ["--keys", stage.keys]
    code, document = told("replay", export, "--log", "consent", "--at", kept, *keys)
    assert code == 0
    assert document["consent"]["position"] == int(kept.read_text().splitlines()[1])
    assert told("replay", export, "--log", "consent", "--at", kept)[0] == 2
    kept.write_bytes((export / "accounts" / "tlog" / "checkpoint").read_bytes())
    assert told("replay", export, "--log", "consent", "--at", kept, *keys)[0] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--at", "7"], "name it with --log"),
        (["--log", "accounts", "--at", "900000"], "no 900,000"),
        (["--log", "consent", "--since", "9", "--at", "7"], "9 is behind 7"),
        (["--accounts", "http://127.0.0.1:9"], "--token-file"),
    ],
)
def test_a_moment_that_is_none_is_said(
    export: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """In a sentence, and with its own exit code."""
    assert audit.main(["replay", str(export), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_zip_is_the_same_history(stage: Stage, export: Path, told: Told) -> None:
    """Facts are found in it by their places, too."""
    place = stage.place("zipped.zip")
    assert is_zip(place)
    shutil.make_archive(str(place.with_suffix("")), "zip", export)
    assert told("replay", place) == told("replay", export)
    of = ["--of", "bank:b199"]
    assert told("replay", place, *of) == told("replay", export, *of)
    assert len(told("replay", place, *of)[1]["consent"]["facts"]) == 1


def test_an_index_of_another_export_is_made_anew(stage: Stage, export: Path, told: Told) -> None:
    """Also one that is half there, or spoiled."""
    place = stage.copy(export)
    wanted = told("replay", place)
    index = place.with_name(f"{place.name}.index") / "consent.sqlite"
    index.write_bytes(b"spoiled")
    assert told("replay", place) == wanted
    with closing(sqlite3.connect(index)) as store, store:
        store.execute("UPDATE made_of SET fingerprint = 'of another'")
        store.execute("DELETE FROM facts")
    (place.with_name(f"{place.name}.index") / "consent.part").write_bytes(b"half")
    assert told("replay", place, "--of", "bank:b7") == told("replay", export, "--of", "bank:b7")


def test_a_fact_that_is_none_of_ours_is_passed_over_and_said(
    stage: Stage, export: Path, told: Told
) -> None:
    """Of another kind, or not of its kind's shape: everything else is folded."""
    for old, new in (
        (b'"kind":"bank.registered.1"', b'"kind":"moon.landed.1"'),
        (b'"name":"N"', b'"name":7'),
    ):
        place = stage.copy(export)
        file = place / "consent" / "facts" / "000001.ndjson"
        file.write_bytes(file.read_bytes().replace(old, new, 1))
        code, document = told("replay", place)
        assert (code, document["accounts"]["unread"]) == (1, [])
        (unread,) = document["consent"]["unread"]
        assert unread.startswith("consent at 1: ")
        assert document == told("replay", place)[1], "it is no digest to be kept"


def test_a_line_that_is_no_fact_ends_it(stage: Stage, export: Path, told: Told) -> None:
    """What is cut is not known, and so nothing behind it is."""
    place = stage.copy(export)
    file = place / "consent" / "facts" / "000001.ndjson"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert told("replay", place)[0] == 2
