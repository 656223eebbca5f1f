"""`./run audit export`: the same folder whatever happens on the way, and no more than asked for."""

import subprocess
import sys
import zipfile
from itertools import chain
from pathlib import Path

import msgspec
import pytest

from services.audit import __main__ as audit
from services.audit import export as format_of_exports
from services.audit import exported, taking
from services.audit.export import (
    FACTS_PER_FILE,
    Manifest,
    levels_of,
    number_of,
    partial_tiles,
    read_fact,
    read_manifest,
)
from services.audit.writing import paths_in
from services.consent.notices import FOLDER
from shared.ledger.keys import load_keys
from shared.ledger.notes import Checkpoint, Note
from shared.ledger.proofs import Proof
from tests.audit.conftest import IN_AUGUST, IN_JULY, Stage, Told


def contents(export: Path) -> dict[str, bytes]:
    """Return every file of an export by its path."""
    if export.is_dir():
        return {path: (export / path).read_bytes() for path in paths_in(export)}
    with zipfile.ZipFile(export) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def manifest_of(export: Path) -> Manifest:
    """Return an export's manifest."""
    return read_manifest(contents(export)["manifest.json"])


def timeless(export: Path) -> dict[str, object]:
    """Return all of an export but when it was taken."""
    files: dict[str, object] = dict(contents(export))
    taken = manifest_of(export)
    files["manifest.json"] = msgspec.structs.replace(taken, taken_at=taken.taken_at.min)
    return files


def test_all_of_both_logs_is_taken_as_it_is_stored(stage: Stage, export: Path) -> None:
    """Facts in their bytes, the notes, every tile, keys, texts, and how to read all of it."""
    files, manifest = contents(export), manifest_of(export)
    for log in ("consent", "accounts"):
        note = files[f"{log}/tlog/checkpoint"]
        checkpoint = Checkpoint.parse(Note.parse(note).body)
        size, root = manifest.logs[log].size, manifest.logs[log].root
        assert (checkpoint.size, checkpoint.root.hex()) == (size, root)
        lines = files[f"{log}/facts/000001.ndjson"].splitlines()
        facts = [read_fact(line) for line in lines]
        assert [fact.position for fact in facts] == list(range(1, size + 1))
        public = {path: content for path, content in files.items() if f"{log}/tlog/" in path}
        for path, content in public.items():
            file = stage.folder / log / "public" / path.partition("/tlog/")[2]
            assert content == file.read_bytes() or file.name in {"checkpoint", "witnessed"}
        assert {f"{log}/tlog/{name}" for name in ("witnessed", "vkeys")} < public.keys()
    citizens = [
        line for line in files["consent/facts/000001.ndjson"].splitlines() if b"c-1" in line
    ]
    assert any(read_fact(line).part_digests for line in citizens)
    for text in ("open-account.1.vi.txt", "open-account.1.en.txt"):
        assert files[f"texts/{text}"] == (FOLDER / text).read_bytes()
    assert b'"kty"' in files["jwks.json"]
    assert files["ledger-format.md"] == Path("docs/ledger-format.md").read_bytes()
    assert {file.path for file in manifest.files} == files.keys() - {"manifest.json"}


def test_the_same_command_again_changes_nothing(stage: Stage, export: Path, told: Told) -> None:
    """And says so; another command does not touch it either."""
    before, left = contents(export), export.with_name(f"{export.name}.part")
    left.mkdir()
    code, document = told("export", export, *stage.addresses)
    assert (code, document["was_there"], left.exists()) == (0, True, False)
    assert told("export", export, *stage.addresses, "--bank", "cake") == (2, {})
    assert told("export", export, *stage.addresses[:2], *stage.addresses[4:]) == (2, {})
    assert contents(export) == before


def test_a_zip_has_the_same_content(stage: Stage, told: Told) -> None:
    """File by file."""
    folder, place = stage.place(), stage.place("export.zip")
    for one in (folder, place):
        assert told("export", one, *stage.addresses)[0] == 0
    assert told("export", place, *stage.addresses)[1]["was_there"] is True
    assert timeless(place) == timeless(folder)
    assert told("verify", place)[0] == 0
    assert not place.with_name(f"{place.name}.part").exists()


def test_killed_at_every_moment_it_is_the_same(stage: Stage, told: Told) -> None:
    """Killed before or after a file gets its name, while the log grows: as of the beginning."""
    command = [sys.executable, "-m", "tests.audit.killed"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    with process.stdin as go_on, process.stdout as ended:
        for name, more in (("killed", []), ("killed.zip", ["--month", "2023-07"])):
            whole, place = stage.place(f"whole-{name}"), stage.place(name)
            assert told("export", whole, *stage.addresses, *more)[0] == 0
            plan = place.with_name(f"{place.name}.part") / "plan.json"
            ends, grown = list[str](), False
            while not ends or ends[-1] != "0":
                arguments = ["export", str(place), *stage.addresses, *more]
                go_on.write(f"{msgspec.json.encode([1 + 3 * len(ends), *arguments]).decode()}\n")
                go_on.flush()
                ends.append(ended.readline().strip())
                if plan.exists() and not grown:
                    stage.grow()
                    grown = True
            assert grown
            assert ends.count("-9") > 3
            assert timeless(place) == timeless(whole)
            assert told("verify", place)[0] == 0
    assert process.wait() == 0


def test_a_log_lies_in_as_many_files_as_it_fills(
    stage: Stage, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins where the one before ends, whole or of a part; all are checked."""
    for module in (format_of_exports, taking, exported):
        monkeypatch.setattr(module, "FACTS_PER_FILE", 256)
    for more, files in (([], 2), (["--month", "2023-07"], 1), (["--month", "2023-08"], 2)):
        place = stage.place()
        assert told("export", place, *stage.addresses, *more)[0] == 0
        lines = [
            [read_fact(line).position for line in content.splitlines()]
            for path, content in contents(place).items()
            if path.startswith("consent/facts/")
        ]
        assert (more, len(lines)) == (more, files)
        assert all(number_of(one[0]) == number_of(one[-1]) for one in lines)
        positions = [*chain(*lines)]
        assert positions == sorted(positions)
        code, document = told("verify", place)
        assert (code, document["logs"]["consent"]["facts"]) == (0, len(positions))


def test_what_is_witnessed_may_be_behind(stage: Stage, told: Told) -> None:
    """Then both checkpoints are taken, with the tiles of either, and a check says how far it is."""
    published = stage.folder / "consent" / "public" / "witnessed"
    before = published.read_bytes()
    size = Checkpoint.parse(Note.parse(before).body).size
    stage.grow()
    published.write_bytes(before)
    place = stage.place()
    assert told("export", place, *stage.addresses)[0] == 0
    files = contents(place)
    for width in (size % 256, size % 256 + 1):
        assert f"consent/tlog/tile/entries/001.p/{width}" in files
    code, document = told("verify", place, "--policy", stage.policy)
    ours = document["logs"]["consent"]
    assert (code, ours["witnessed"], ours["size"]) == (0, size, size + 1)
    stage.grow()


def test_what_was_begun_is_not_mixed_with_something_else(stage: Stage, told: Told) -> None:
    """Another subset, or another log at that address, does not go on with it."""
    place, stranger = stage.place(), stage.place("token")
    part = place.with_name(f"{place.name}.part")
    stranger.write_text("a-token-that-nobody-knows")
    assert told("export", place, *stage.addresses, "--token-file", stranger)[0] == 2
    assert part.exists()
    assert told("export", place, *stage.addresses, "--bank", "cake") == (2, {})
    swapped = ["--consent", stage.accounts, "--accounts", stage.consent, *stage.addresses[4:]]
    assert told("export", place, *swapped) == (2, {})
    assert told("export", place, *stage.addresses)[0] == 0
    assert told("verify", place)[0] == 0


def test_a_month_an_office_a_bank_a_citizen(stage: Stage, told: Told) -> None:
    """Only facts of it, each with its proof under a witnessed checkpoint; both logs are asked."""
    for more, expected in (
        (["--month", "2023-07"], (IN_JULY + 1, 0)),
        (["--month", "2023-08"], (IN_AUGUST + 1, 2)),
        (["--month", "2023-07", "--bank", "b7"], (1, 0)),
        (["--bank", "b7"], (2, 0)),
        (["--office", "o"], (1, 2)),
        (["--citizen", "c1"], (1, 2)),
        (["--citizen", "c1", "--bank", "b7"], (0, 0)),
        (["--citizen", "nobody"], (0, 0)),
    ):
        place = stage.place()
        assert told("export", place, *stage.addresses, *more)[0] == 0
        code, document = told("verify", place, "--keys", stage.keys, "--policy", stage.policy)
        assert (code, document["findings"]) == (0, [])
        counted = tuple(document["logs"][log]["facts"] for log in ("consent", "accounts"))
        assert (more, counted) == (more, expected)
        assert "cannot be told" in contents(place)["manifest.json"].decode()


def test_a_proof_is_checked_by_itself(stage: Stage, told: Told) -> None:
    """A line of `proofs` holds a C2SP tlog-proof, which needs nothing else of the export."""
    place = stage.place()
    assert told("export", place, *stage.addresses, "--bank", "b7")[0] == 0
    files = contents(place)
    keys = [key.verifier for key in load_keys(stage.folder / "consent" / "log.keys.json")]
    lines = files["consent/proofs/000001.ndjson"].splitlines()
    facts = files["consent/facts/000001.ndjson"].splitlines()
    for line, fact in zip(lines, facts, strict=True):
        proof = Proof.parse(msgspec.json.decode(line)["proof"])
        proof.check(read_fact(fact).entry(), "localhost/consent", keys)
        assert "localhost/witness" in proof.note.decode()


def test_what_cannot_be_taken_is_said(stage: Stage, told: Told, tmp_path: Path) -> None:
    """No service, none named, no such month, something else there: exit code 2, no traceback."""
    nobody = ["--consent", "http://127.0.0.1:1", "--token-file", stage.folder / "token"]
    file = tmp_path / "file.zip"
    file.write_bytes(b"no zip")
    assert told("export", stage.place(), *nobody) == (2, {})
    assert told("export", stage.place(), *nobody[2:]) == (2, {})
    assert told("export", file, *stage.addresses) == (2, {})
    assert told("export", tmp_path, *stage.addresses) == (2, {})
    assert file.read_bytes() == b"no zip"
    for wrong in (["--month", "2023-13"], ["--bank", "so viet"]):
        with pytest.raises(SystemExit):
            told("export", stage.place(), *stage.addresses, *wrong)


def test_words_for_people(
    stage: Stage, export: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --json a person reads what was taken, and what to note down."""
    assert audit.main(["export", str(export), *stage.addresses]) == 0
    said = capsys.readouterr().out
    assert "nothing was changed" in said
    assert told("verify", export)[1]["fingerprint"] in said


def test_where_what_lies() -> None:
    """Files hold as many positions each; partial tiles are those that a larger tree replaces."""
    assert [number_of(position) for position in (1, FACTS_PER_FILE, FACTS_PER_FILE + 1)] == [
        1,
        1,
        2,
    ]
    assert list(levels_of(0)) == [("entries", 0)]
    assert list(levels_of(65_536)) == [("entries", 65_536), (0, 65_536), (1, 256), (2, 1)]
    assert partial_tiles(513) == [("entries", 2, 1), (0, 2, 1), (1, 0, 2)]
    assert partial_tiles(256) == [(1, 0, 1)]
