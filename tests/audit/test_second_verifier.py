"""Two programs, written apart, come to the same: of right bundles, and of whatever is done to them.

About 60 in the suite; 1,000 with `HYPOTHESIS_PROFILE=nightly`.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from judge_bundle import judged

from services.audit.__main__ import HINDRANCES
from services.audit.bundle import About, Noun
from services.audit.bundle_checking import check_bundle
from services.audit.bundling import NotBundled, make_bundle
from services.audit.checking import Trust
from services.audit.reading import opened_export
from shared.ledger.notes import VerifierKey
from shared.ledger.policy import Policy
from tests.audit.test_bundles import BENT
from tests.support.bundle_mutations import MUTATIONS, Files, packed, refitted, unpacked
from tests.support.exports import GROUPED, POLICY, UNMET, keys_of
from tests.support.matters import Morning
from tests.support.thorough import rounds

TOOLS = Path(__file__).parents[2] / "tools"
LINES_MAX = 250
OURS = "".join(f"{key.verifier}\n" for key in (*keys_of("consent"), *keys_of("accounts")))
OTHERS = "".join(f"{key.verifier}\n" for key in (*keys_of("consent", 9), *keys_of("accounts", 9)))

PROVED = ("checkpoint", "facts.ndjson", "proofs.ndjson", "index.ndjson")
"""The files that are nobody's word: whoever changes one cannot make the rest fit."""


class Bundles:
    """The bundles of several histories, each made when it is first asked for."""

    def __init__(self, morning: Morning, folder: Path) -> None:
        self._morning, self._folder = morning, folder
        self._exports = dict[str, Path]()
        self._made = dict[tuple[str, Noun, str, bool], Files | None]()
        self.place = folder / "bundle.zip"

    def abouts(self) -> list[tuple[Noun, str, bool]]:
        """Return what bundles can be asked for about."""
        people, openings = self._morning.people.values(), self._morning.openings.values()
        whole = [
            *((Noun.ACCOUNT, one) for one in openings),
            *((Noun.CITIZEN, one) for one in people),
            *((Noun.INCIDENT, one) for one in self._morning.consents.values()),
            (Noun.CLERK, "gdv-01"),
            (Noun.OFFICE, "bd-huong-hoa"),
        ]
        absent = [(Noun.CITIZEN, one, True) for one in (*people, "c-nobody")]
        return [*((*one, False) for one in whole), *absent]

    def bundle(self, history: str, about: tuple[Noun, str, bool]) -> Files | None:
        """Return the files of a bundle, None where there is none."""
        asked = (history, *about)
        if asked not in self._made:
            noun, own_id, absent = about
            try:
                with opened_export(self._export(history)) as export:
                    make_bundle(export, About(noun, [own_id], absent), self.place)
                self._made[asked] = unpacked(self.place.read_bytes())
            except NotBundled:
                self._made[asked] = None
            self.place.unlink(missing_ok=True)
        return self._made[asked]

    def _export(self, name: str) -> Path:
        if name not in self._exports:
            history, own_id = self._morning.history, self._morning.consents["opened"]
            if name in BENT:
                history = history.changed(BENT[name][0](own_id))
            self._exports[name] = history.write(self._folder / f"export-{len(self._exports)}")
        return self._exports[name]


@pytest.fixture(scope="module")
def bundles(morning: Morning, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """Give bundles of one morning, as it was and as it was not."""
    return Bundles(morning, tmp_path_factory.mktemp("bundles"))


def ours(place: Path, keys: str, policy: str) -> dict[str, Any]:
    """Return what the main program says."""
    trust = Trust([VerifierKey.parse(line) for line in keys.splitlines()], Policy.parse(policy))
    try:
        with opened_export(place) as bundle:
            checked = check_bundle(bundle, trust)
    except HINDRANCES:
        return {"right": False, "cases": []}
    if checked.findings:
        return {"right": False, "cases": []}
    documents = [one.document() for one in checked.cases]
    names = ("consent_id", "opening_id", "verdict")
    cases = [
        {**{name: one[name] for name in names}, "failed": sorted(one["failed"])}
        for one in documents
    ]
    return {"right": True, "cases": cases}


def theirs(place: Path, keys: str, policy: str) -> dict[str, Any]:
    """Return what the second program says."""
    said = judged(place, keys, policy)
    cases = [{**one, "failed": sorted(one["failed"])} for one in said["cases"]]
    return {"right": said["right"], "cases": cases}


class Drawn:
    """Choices that Hypothesis makes."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def one(self, among: Sequence[Any]) -> Any:
        """Return one of them."""
        return among[self.below(len(among))]

    def below(self, end: int) -> int:
        """Return a number from 0 on."""
        return self._data.draw(st.integers(0, end - 1))


HISTORIES = ["as it was", *BENT]
FEW = ["as it was", "opened twice", "another place", "never confirmed"]
"""Histories of the usual run; the thorough one has all."""

HOW = ["as it was", "a bit of the zip", *MUTATIONS]
ROUNDS = rounds(usual=4, nightly=64)
"""Of each: 68 and 1,088 in all."""


@pytest.mark.parametrize("how", HOW)
@settings(
    max_examples=ROUNDS,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_both_come_to_the_same(bundles: Bundles, how: str, data: st.DataObject) -> None:
    """Right or mutated: right or wrong, each account valid or not, and the rules that fail."""
    draw, abouts = Drawn(data), bundles.abouts()
    histories = HISTORIES if len(HISTORIES) < ROUNDS else FEW
    files, other = (bundles.bundle(draw.one(histories), draw.one(abouts)) for _ in range(2))
    assume(files is not None and other is not None)
    assert files is not None
    assert other is not None
    changed = dict(files)
    if how in MUTATIONS:
        MUTATIONS[how](changed, other, draw)
        if draw.below(8) != 5:
            with suppress(ValueError, KeyError, TypeError):  # there may be no manifest any more
                refitted(changed)
    content = bytearray(packed(changed))
    if how == "a bit of the zip":
        content[draw.below(len(content))] ^= 1 << draw.below(8)
    bundles.place.write_bytes(content)
    keys = OTHERS if draw.below(20) == 7 else OURS
    policy = draw.one([POLICY, GROUPED, POLICY, UNMET])
    said = ours(bundles.place, keys, policy)
    assert said == theirs(bundles.place, keys, policy), how
    proved = [path for path in files if path.endswith(PROVED)]
    bent = any(changed.get(path) != files[path] for path in proved)
    if bent or keys == OTHERS or policy == UNMET:
        assert not said["right"], how
    if how == "as it was" and keys == OURS and policy != UNMET:
        assert said["right"]


def test_it_is_short_and_knows_nothing_of_ours() -> None:
    """A page or two that a stranger reads before they run it."""
    for name, lines_max in (("verify_bundle", LINES_MAX), ("judge_bundle", LINES_MAX)):
        text = (TOOLS / f"{name}.py").read_text("utf-8")
        imported = re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)
        assert set(imported) <= {*sys.stdlib_module_names, "cryptography", "verify_bundle"}
        assert len(text.splitlines()) <= lines_max


def test_both_are_programs(bundles: Bundles, tmp_path: Path) -> None:
    """They run alone, tell, and end with 0 if it is right and with 1 if not."""
    noun, own_id, absent = bundles.abouts()[0]
    files = bundles.bundle("as it was", (noun, own_id, absent))
    assert files is not None
    (tmp_path / "keys").write_text(OURS)
    (tmp_path / "policy").write_text(POLICY)
    for number, changed in enumerate((files, {**files, "x": b""})):
        (tmp_path / "bundle.zip").write_bytes(packed(changed))
        for name, told in (
            ("verify_bundle", "right: 16 facts of consent"),
            ("judge_bundle", OPENED),
        ):
            arguments = ["bundle.zip", "--keys", "keys", "--policy", "policy"]
            run = subprocess.run(
                [sys.executable, "-I", str(TOOLS / f"{name}.py"), *arguments],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert run.returncode == number, run.stderr
            assert (told in run.stdout) == (number == 0)


OPENED = '"verdict": "valid"'


def test_what_is_no_bundle_is_said_in_a_line(tmp_path: Path) -> None:
    """On a command line, not in the words of a program that broke."""
    (tmp_path / "keys").write_text("")
    (tmp_path / "bad.zip").write_bytes(b"PK\5\6" + bytes(18))
    for tool in ("verify_bundle", "judge_bundle"):
        for keys in ("keys", "none"):
            done = subprocess.run(
                [sys.executable, TOOLS / f"{tool}.py", "bad.zip", "--keys", keys],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 1
            assert "Traceback" not in done.stderr
            assert len(done.stderr.splitlines()) <= 1
