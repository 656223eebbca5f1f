"""`./run audit verify`: right is right, and whatever is changed is found, in its file and place."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.audit import __main__ as audit
from services.audit.export import File, Manifest, read_manifest
from services.audit.writing import paths_in
from shared.ledger.notes import Algorithm, SigningKey
from tests.audit.conftest import Stage, Told
from tests.audit.tampering import PROOFS, behind, forged, in_proof, renamed
from tests.support.tampering import (
    FACTS,
    Tamper,
    flipped,
    gone,
    in_line,
    lines_of,
    put_lines,
    rewritten,
    swapped,
    without,
    written,
)

TILE, ENTRIES = "consent/tlog/tile/0/000", "consent/tlog/tile/entries/000"
ABOVE, STRAY = "consent/tlog/tile/1/000.p/1", "consent/tlog/tile/0/009"
NOTE, WITNESSED, KEYS = (f"consent/tlog/{name}" for name in ("checkpoint", "witnessed", "vkeys"))


# -- tampering ------------------------------------------------------------------------------------


FOUND: dict[str, tuple[Tamper, str, int | None, str]] = {
    "a byte of the data": (in_line(9, b'"name":"N"', b'"name":"M"'), FACTS, 9, "data"),
    "a byte in the second tile": (in_line(280, b'"name":"N"', b'"name":"M"'), FACTS, 280, "data"),
    "a tag": (in_line(9, b'"bank:b8"', b'"bank:b9"'), FACTS, 9, "tags"),
    "a tag more": (in_line(9, b'"bank:b8"', b'"bank:b8","bank:b9"'), FACTS, 9, "tags"),
    "the kind": (in_line(9, b"bank.registered.1", b"bank.registered.2"), FACTS, 9, "kind"),
    "the time": (in_line(9, b"16:59:00Z", b"16:59:01Z"), FACTS, 9, "recorded_at"),
    "a part's digest": (in_line(303, b's":."[0-9a-f]{8}', b's":["00000000'), FACTS, 303, "parts"),
    "a part less": (in_line(303, b'"parts":.*]', b'"parts":[]'), FACTS, 303, "parts"),
    "the position": (in_line(9, b'"position":9', b'"position":8'), FACTS, 9, "missing"),
    "another spelling": (in_line(9, b'"position":9', b'"position": 9'), FACTS, 9, "one spelling"),
    "a member twice": (in_line(9, b'"kind"', b'"kind":"k","kind"'), FACTS, 9, "one spelling"),
    "a member more": (in_line(9, b'"kind"', b'"sort":"k","kind"'), FACTS, 9, "sort"),
    "no JSON": (in_line(9, b"{", b"["), FACTS, 9, "no fact"),
    "the first line": (without(1), FACTS, 1, "missing"),
    "a line": (without(9), FACTS, 9, "missing"),
    "the last line": (without(305), FACTS, 305, "missing"),
    "two lines": (swapped(7), FACTS, 7, "missing"),
    "half of the end": (
        lambda export: put_lines(export, [*lines_of(export)[:-1], lines_of(export)[-1][:50]]),
        *(FACTS, 305, "cut"),
    ),
    "the tail": (lambda export: put_lines(export, lines_of(export)[:100]), FACTS, 101, "missing"),
    "a fact behind the end": (behind, FACTS, 306, "does not belong"),
    "no facts": (written(FACTS, b""), FACTS, 1, "missing"),
    "the file of facts": (gone(FACTS), FACTS, None, "missing"),
    "a tile": (flipped(TILE, 40), TILE, 2, "published hash"),
    "an entry": (flipped(ENTRIES, 100), TILE, 1, "published hash"),
    "a tile above": (flipped(ABOVE, 3), ABOVE, 1, "below"),
    "a tile less": (gone(TILE), TILE, 1, "missing"),
    "a tile too many": (written(STRAY, b"x"), STRAY, None, "needs"),
    "no checkpoint": (gone(NOTE), NOTE, None, "missing"),
    "its signature": (flipped(NOTE, -30), NOTE, None, ""),
    "the witnessed": (flipped(WITNESSED, 20), WITNESSED, None, ""),
    "the keys": (written(KEYS, b"x"), KEYS, None, "no verifier keys"),
    "no keys": (gone(KEYS), KEYS, None, "none of the keys"),
    "the JWK set": (written("jwks.json", b"[]"), "jwks.json", None, "no public keys"),
    "no JWK set": (gone("jwks.json"), "jwks.json", None, "missing"),
}  # fmt: skip
"""What is changed, and how it is found though the manifest was made to fit."""


@pytest.mark.parametrize("what", FOUND)
def test_what_is_changed_is_found_in_its_place(
    stage: Stage, export: Path, told: Told, what: str
) -> None:
    """Even where the manifest was made to fit: by the log itself, at the position."""
    tamper, file, position, how = FOUND[what]
    copy = stage.copy(export)
    tamper(copy)
    rewritten(copy)
    code, document = told("verify", copy)
    found = document["findings"][0]
    assert (code, found["position"]) == (1, position)
    assert found["file"].startswith(file)
    assert how in found["how"]
    shutil.rmtree(copy)


@given(data=st.data())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None
)
def test_whatever_bit_is_changed_is_found(
    stage: Stage, export: Path, told: Told, data: st.DataObject
) -> None:
    """In any fact, tile or entry: by the manifest, and where that was made to fit, by the log."""
    paths = [path for path in paths_in(export) if "/facts/" in path or "/tile/" in path]
    path = data.draw(st.sampled_from(paths))
    at = data.draw(st.integers(0, (export / path).stat().st_size - 1))
    copy = stage.copy(export)
    flipped(path, at)(copy)
    found = told("verify", copy)[1]["findings"][0]
    assert (found["file"], found["how"]) == (path, "the file is not what the manifest says")
    rewritten(copy)
    code, document = told("verify", copy)
    assert (code, document["findings"][0]["log"]) == (1, path.partition("/")[0])
    shutil.rmtree(copy)


MANIFESTS: dict[str, Callable[[Manifest], Manifest]] = {
    "not the checkpoint": lambda one: with_log(one, size=one.logs["consent"].size - 1),
    "not the checkpoint ": lambda one: with_log(one, root="0" * 64),
    "none of the keys": lambda one: with_log(one, origin="localhost/other"),
    "is not in the manifest": lambda one: msgspec.structs.replace(one, files=one.files[1:]),
    "is missing": lambda one: msgspec.structs.replace(
        one, files=[*one.files, File("texts/x.txt", 1, "0" * 64)]
    ),
    "is not what the manifest says": lambda one: msgspec.structs.replace(
        one, files=[msgspec.structs.replace(one.files[0], sha256="0" * 64), *one.files[1:]]
    ),
    "bytes, not": lambda one: msgspec.structs.replace(
        one, files=[msgspec.structs.replace(one.files[0], bytes=1), *one.files[1:]]
    ),
}


def with_log(manifest: Manifest, **changes: Any) -> Manifest:
    """Return a manifest that says something else of the log of consents."""
    ours = msgspec.structs.replace(manifest.logs["consent"], **changes)
    return msgspec.structs.replace(manifest, logs={**manifest.logs, "consent": ours})


@pytest.mark.parametrize("how", MANIFESTS)
def test_a_changed_manifest_is_found(stage: Stage, export: Path, told: Told, how: str) -> None:
    """What it says of logs and files is held against them."""
    copy = stage.copy(export)
    file = copy / "manifest.json"
    file.write_bytes(MANIFESTS[how](read_manifest(file.read_bytes())).content())
    code, document = told("verify", copy)
    assert code == 1
    assert how.strip() in document["findings"][0]["how"]


def test_an_added_file_is_found(stage: Stage, export: Path, told: Told) -> None:
    """Beside the facts or hidden; and a link, which might lead anywhere, is no file."""
    copy = stage.copy(export)
    for path in ("consent/facts/000002.ndjson", ".hidden", "note"):
        (copy / path).write_bytes(b"x")
    (copy / "README.md").unlink()
    (copy / "README.md").symlink_to("/etc/hostname")
    code, document = told("verify", copy)
    found = {one["file"]: one["how"] for one in document["findings"]}
    assert code == 1
    assert found == {
        ".hidden": "the file is not in the manifest",
        "README.md": "the file is no plain file",
        "consent/facts/000002.ndjson": "nothing needs the file",
        "note": "the file is not in the manifest",
    }
    (copy / "README.md").unlink()
    for path in (".hidden", "note"):
        (copy / path).unlink()
    rewritten(copy)
    (found,) = told("verify", copy)[1]["findings"]
    assert (found["file"], found["how"]) == (
        "consent/facts/000002.ndjson",
        "nothing needs the file",
    )


# -- whose log it is ------------------------------------------------------------------------------


def test_keys_and_witnesses_that_the_inspector_trusts(
    stage: Stage, export: Path, told: Told
) -> None:
    """With own keys it says so; with another's, or another's policy, nothing is believed."""
    assert told("verify", export)[1]["logs"]["consent"]["keys_from"] == "the export itself"
    code, document = told("verify", export, "--keys", stage.keys, "--policy", stage.policy)
    assert (code, document["logs"]["accounts"]["keys_from"]) == (0, "the caller")
    assert document["logs"]["consent"]["cosigned_by"] == ["localhost/witness"]
    stranger = SigningKey("localhost/consent", Algorithm.ED25519, bytes(32)).verifier
    code, document = told("verify", export, "--key", stranger)
    assert code == 1
    assert "no signature of localhost/consent" in document["findings"][1]["how"]
    other = SigningKey("elsewhere/log", Algorithm.ED25519, bytes(32)).verifier
    assert "none of the keys you trust" in str(told("verify", export, "--key", other)[1])
    nobody = SigningKey("localhost/witness", Algorithm.ML_DSA_44, bytes(32)).verifier
    policy = stage.place("policy")
    policy.write_text(f"witness w {nobody}\nquorum w\n")
    code, document = told("verify", export, "--policy", policy)
    assert (code, document["findings"][0]["file"]) == (1, "accounts/tlog/witnessed")
    assert "quorum" in document["findings"][0]["how"]


def test_what_the_operator_rewrote_with_its_own_keys_is_found(
    stage: Stage, export: Path, told: Told
) -> None:
    """What was witnessed does not begin it; and without that, the quorum is missing."""
    copy = forged(stage, export, renamed(9))
    code, document = told("verify", copy, "--keys", stage.keys, "--policy", stage.policy)
    assert code == 1
    assert document["findings"][0]["how"] == "what was witnessed does not begin this log"
    witnessed = copy / "consent/tlog/witnessed"
    witnessed.write_bytes((copy / "consent/tlog/checkpoint").read_bytes())
    rewritten(copy)
    assert told("verify", copy, "--keys", stage.keys)[0] == 0
    code, document = told("verify", copy, "--policy", stage.policy)
    assert code == 1
    assert "not cosigned by the quorum" in document["findings"][0]["how"]
    witnessed.unlink()
    rewritten(copy)
    code, document = told("verify", copy, "--policy", stage.policy)
    assert document["findings"][0]["file"] == "consent/tlog/witnessed"


def test_what_was_signed_decides(stage: Stage, export: Path, told: Told) -> None:
    """Facts and tiles rewritten together do not lead to the root that was signed before."""
    copy = forged(stage, export, renamed(9))
    shutil.copy(export / NOTE, copy / NOTE)
    manifest = read_manifest((export / "manifest.json").read_bytes())
    rewritten(copy, logs=manifest.logs)
    (found,) = told("verify", copy)[1]["findings"]
    assert found["how"] == "the entries do not lead to the signed root"
    assert (found["log"], found["file"], found["position"]) == ("consent", None, None)


def test_what_is_witnessed_fits_the_export(stage: Stage, export: Path, told: Told) -> None:
    """Its cosignature holds; it is no more than there is; a part's is what its proofs are under."""
    copy, part = stage.copy(export), stage.place("part")
    lines = (copy / WITNESSED).read_text().splitlines(keepends=True)
    spoiled = [
        line[:-60] + line[-60:-20].swapcase() + line[-20:] if "localhost/witness" in line else line
        for line in lines
    ]
    (copy / WITNESSED).write_text("".join(spoiled))
    rewritten(copy)
    assert told("verify", copy)[0] == 0
    code, document = told("verify", copy, "--policy", stage.policy)
    assert (code, document["findings"][0]["file"]) == (1, WITNESSED)
    stage.grow()
    assert told("export", part, *stage.addresses, "--bank", "b7")[0] == 0
    shutil.copy(part / WITNESSED, copy / WITNESSED)
    shutil.copy(export / WITNESSED, part / WITNESSED)
    for one, how in ((copy, "more than there is"), (part, "another checkpoint than")):
        rewritten(one)
        (found,) = told("verify", one, "--policy", stage.policy)[1]["findings"]
        assert (found["file"], how in found["how"]) == (WITNESSED, True)


# -- a subset -------------------------------------------------------------------------------------


UNPROVED: dict[str, tuple[Tamper, str, int | None, str]] = {
    "the fact": (in_line(1, b'"name":"N"', b'"name":"M"'), PROOFS, 8, "leads to another root"),
    "its tag": (in_line(1, b"bank:b7", b"bank:b8"), FACTS, 8, "not of the subset"),
    "its time": (in_line(2, b"2023-07-31T17:00", b"2023-07-31T16:58"), FACTS, 210, "not behind"),
    "twice": (lambda one: put_lines(one, lines_of(one)[:1] * 2), FACTS, 8, "not behind"),
    "a fact less": (without(2), FACTS, 8, "as many"),
    "a proof less": (
        lambda one: put_lines(one, lines_of(one, PROOFS)[:1], PROOFS),
        *(FACTS, 8, "as many"),
    ),
    "no proofs": (gone(PROOFS), PROOFS, None, "missing"),
    "no proof": (written(PROOFS, b"{}\n"), PROOFS, 8, "no proof"),
    "half a proof": (
        lambda one: put_lines(one, [lines_of(one, PROOFS)[0], b"{"], PROOFS),
        *(PROOFS, None, "cut"),
    ),
    "another place": (in_proof(b"index 7", b"index 8"), PROOFS, 8, "of position 9, not 8"),
    "a hash": (in_proof(b"index 7\\n", b"index 7\\n" + b"A" * 43 + b"=\\n"), PROOFS, 8, "proof"),
    "a cosignature less": (
        in_proof(b"localhost/witness", b"localhost/nobody0"),
        PROOFS,
        8,
        "under",
    ),
    "a file": (written("consent/proofs/000002.ndjson", b""), "consent/facts", None, "missing"),
    "a tile": (written("consent/tlog/vkeys2", b""), "consent/tlog/vkeys2", None, ""),
}


@pytest.fixture(scope="module")
def part(stage: Stage) -> Path:
    """Give the export of a bank that was registered twice."""
    place = stage.place("part")
    assert audit.main(["export", str(place), *stage.addresses, "--bank", "b7"]) == 0
    return place


@pytest.mark.parametrize("what", UNPROVED)
def test_what_is_changed_in_a_part_of_a_log_is_found(
    stage: Stage, part: Path, told: Told, what: str
) -> None:
    """Each fact needs its own proof, under the one checkpoint."""
    tamper, file, position, how = UNPROVED[what]
    copy = stage.copy(part)
    tamper(copy)
    if what != "a tile":
        rewritten(copy)
    code, document = told("verify", copy)
    found = document["findings"][0]
    assert (code, found["position"]) == (1, position)
    assert found["file"].startswith(file)
    assert how in found["how"]


# -- what cannot be read --------------------------------------------------------------------------


def test_a_zip_that_cannot_be_read_is_said(
    stage: Stage, export: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut, changed within, of two minds, swollen, or none at all: exit code 2, no traceback."""
    whole, copy = stage.place("whole.zip"), stage.place("copy.zip")
    assert told("export", whole, *stage.addresses)[0] == 0
    content = whole.read_bytes()
    spoiled = bytearray(content)
    spoiled[len(content) // 3] ^= 1
    for wrong in (content[: len(content) // 2], content[:-1], bytes(spoiled), b"", b"PK"):
        copy.write_bytes(wrong)
        assert told("verify", copy) == (2, {})
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("manifest.json", bytes(20_000_000))
    assert told("verify", copy) == (2, {})
    with zipfile.ZipFile(copy, "w") as double:
        double.writestr("manifest.json", b"")
        with pytest.warns(UserWarning, match="Duplicate"):
            double.writestr("manifest.json", b"")
    assert audit.main(["verify", str(copy)]) == 2
    assert "cannot be checked: " in capsys.readouterr().err


def test_no_path_leaves_the_export(stage: Stage, export: Path, told: Told) -> None:
    """Nothing is unpacked; a name that would lead away is no file of an export."""
    outside, place = stage.place("outside"), stage.place("led.zip")
    for name in (f"../{outside.name}", str(outside)):
        with zipfile.ZipFile(place, "w") as led:
            for path in paths_in(export):
                led.write(export / path, path)
            led.writestr(name, b"x")
        code, document = told("verify", place)
        assert (code, outside.exists()) == (1, False)
        assert document["findings"][0]["how"] == "the file is not in the manifest"
    copy = stage.copy(export)
    manifest = read_manifest((copy / "manifest.json").read_bytes())
    led_away = [*manifest.files, File(f"../{outside.name}", 1, "0" * 64)]
    named = msgspec.structs.replace(manifest, files=led_away)
    (copy / "manifest.json").write_bytes(named.content())
    assert told("verify", copy) == (2, {})


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b"{}", b'{"format":"thuan-export.2"}', b"[" * 100_000, b"\xff"],
)
def test_a_manifest_that_is_none(stage: Stage, told: Told, manifest: bytes) -> None:
    """Without one, or of another format, there is nothing to be checked."""
    place = stage.place()
    place.mkdir()
    assert told("verify", place) == (2, {})
    (place / "manifest.json").write_bytes(manifest)
    assert told("verify", place) == (2, {})


def test_a_manifest_has_one_spelling(stage: Stage, export: Path, told: Told) -> None:
    """So two programs read the same in it, and its fingerprint is of what it says."""
    copy = stage.copy(export)
    file = copy / "manifest.json"
    manifest = read_manifest(file.read_bytes())
    for wrong in (
        file.read_bytes() + b"\n",
        msgspec.structs.replace(manifest, format="thuan-export.2").content(),
        msgspec.structs.replace(manifest, files=[*manifest.files, manifest.files[0]]).content(),
        msgspec.structs.replace(manifest, logs={}).content(),
    ):
        file.write_bytes(wrong)
        assert told("verify", copy) == (2, {})


def test_keys_that_are_none_are_said(stage: Stage, export: Path, told: Told) -> None:
    """Exit code 2: nothing was checked."""
    empty = stage.place("empty")
    empty.write_text("\n")
    for wrong in (["--key", "x"], ["--keys", empty], ["--policy", empty], ["--keys", "nowhere"]):
        assert told("verify", export, *wrong) == (2, {})
    assert told("verify", stage.place()) == (2, {})


def test_words_of_a_check(
    stage: Stage, export: Path, part: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person reads what holds and what does not show; or what is wrong, in which file, where."""
    assert audit.main(["verify", str(export), "--policy", str(stage.policy)]) == 0
    said = capsys.readouterr().out
    assert "localhost/consent: 305 facts, each the one sealed" in said
    assert "cosigned by localhost/witness up to position 305" in said
    assert "own word" in said
    assert audit.main(["verify", str(part)]) == 0
    assert "cannot be told" in capsys.readouterr().out
    copy = stage.copy(export)
    without(9)(copy)
    rewritten(copy)
    assert audit.main(["verify", str(copy)]) == 1
    assert f"WRONG: {FACTS}, position 9: the fact is missing" in capsys.readouterr().out


def test_logs_are_checked_apart_and_together_alike(stage: Stage, export: Path, told: Told) -> None:
    """By two processes, and with what the facts come to, as a replay finds it."""
    _, together = told("verify", export)
    _, apart = told("verify", export, "--processes", 2, "--states")
    _, replayed = told("replay", export)
    for name, one in replayed.items():
        states = apart["logs"][name].pop("states")
        assert states == {name: one[name] for name in ("subjects", "digest")}
        assert together["logs"][name].pop("states") is None
    assert apart["logs"] == together["logs"]
    place = stage.copy(export)
    tiles = [
        one for one in (place / "accounts" / "tlog" / "tile" / "0").rglob("*") if one.is_file()
    ]
    tiles[0].write_bytes(bytes(len(tiles[0].read_bytes())))
    code, found = told("verify", place, "--processes", 2, "--states")
    assert (code, found["findings"]) == (1, told("verify", place)[1]["findings"])
    assert list(found["logs"]) == ["consent"]
