"""`./run audit bundle`, `absent`, `check`: all of a matter, nothing else, and what it comes to."""

import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from services.audit import __main__ as audit
from services.audit import bundling
from services.audit.bundle import About, Noun
from services.audit.bundle_telling import RULE_WORDS
from services.audit.bundling import NotBundled, make_bundle
from services.audit.reading import opened_export
from services.audit.verdicts import BEHIND_INDEX, RULES
from shared.ledger.indexes import KIND, Segment
from tests.audit.conftest import Told, a_stage
from tests.support.bundle_mutations import exchange, packed, refitted, unpacked
from tests.support.exports import POLICY, Change, History, keys_of, positions
from tests.support.matters import (
    GIVEN,
    OPENED,
    REDEEMED,
    Morning,
    bent,
    early,
    gone,
    own,
    right_ended,
    suspended,
    twice,
    withdrawn,
)
from tests.support.samples import QUESTION


@pytest.fixture(scope="module")
def whole(morning: Morning, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an export of it."""
    return morning.history.write(tmp_path_factory.mktemp("export") / "export")


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the arguments that name keys and witnesses."""
    folder = tmp_path_factory.mktemp("trust")
    keys = [key.verifier for log in ("consent", "accounts") for key in keys_of(log)]
    (folder / "keys").write_text("".join(f"{key}\n" for key in keys))
    (folder / "policy").write_text(POLICY)
    return ["--keys", str(folder / "keys"), "--policy", str(folder / "policy")]


Checked = Callable[..., dict[str, Any]]


@pytest.fixture
def checked(told: Told, tmp_path: Path, trust: list[str]) -> Checked:
    """Give the two commands one after another: what the check of a new bundle tells."""

    def run(export: Path, *about: object, verb: str = "bundle") -> dict[str, Any]:
        place = tmp_path / f"{len(list(tmp_path.iterdir()))}.zip"
        code, made = told(verb, export, *about, place)
        assert code == 0, made
        code, document = told("check", place, *trust)
        assert (code, document["right"]) == (0, True), document
        assert document["fingerprint"] == made["fingerprint"]
        return document

    return run


def verdict_of(document: dict[str, Any], consent_id: str) -> tuple[str, set[str]]:
    """Return what a consent came to, or its first account, and which rules failed."""
    cases = [one for one in document["cases"] if one["consent_id"] == consent_id]
    return cases[0]["verdict"], set(cases[0]["failed"])


# -- right ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["opened", "online", "disputed"])
def test_an_account_that_was_opened_is_valid(
    checked: Checked, whole: Path, morning: Morning, name: str
) -> None:
    """By its own id and by its citizen's; what came later is told."""
    consent_id = morning.consents[name]
    for about in (("--account", morning.openings[name]), ("--citizen", morning.people[name])):
        document = checked(whole, *about)
        assert verdict_of(document, consent_id) == ("valid", set())
        (case,) = document["cases"]
        since = [one.split()[0] for one in case["since"]]
        disputed = ["consent.disputed.1", "account.confirmed.1", "account.frozen.1"]
        assert since == (disputed if name == "disputed" else ["account.confirmed.1"])
        assert document["logs"]["consent"]["cosigned_by"] == ["near"]


@pytest.mark.parametrize("name", ["refused", "withdrawn"])
def test_without_an_account_it_is_told_what_was_decided(
    checked: Checked, whole: Path, morning: Morning, name: str
) -> None:
    """Refused, or withdrawn before it was used."""
    document = checked(whole, "--citizen", morning.people[name])
    (case,) = document["cases"]
    assert case["verdict"] == "no_account"
    assert case["decided"][-1].startswith(f"consent.{name}.1")


def test_a_clerk_and_an_office_have_every_case_of_theirs(
    checked: Checked, whole: Path, morning: Morning
) -> None:
    """In whatever state: opened, refused, withdrawn; not what was asked online."""
    at_the_counter = {
        morning.consents[one] for one in ("opened", "refused", "withdrawn", "disputed")
    }
    for about in (("--clerk", "gdv-01"), ("--office", "bd-huong-hoa")):
        document = checked(whole, *about)
        assert {one["consent_id"] for one in document["cases"]} == at_the_counter
        assert {one["verdict"] for one in document["cases"]} == {"valid", "no_account"}


def test_an_account_that_a_clerk_opened_elsewhere_is_the_clerks(
    checked: Checked, whole: Path, tmp_path: Path
) -> None:
    """What the bank's list says of a clerk and an office is in their bundles, with its proof."""
    for about in (("--clerk", "gdv-01"), ("--office", "bd-huong-hoa")):
        checked(whole, *about)
        files = unpacked(max(tmp_path.glob("*.zip")).read_bytes())
        (facts,) = [one for name, one in files.items() if name.endswith("accounts/facts.ndjson")]
        kinds = {msgspec.json.decode(one)["kind"] for one in facts.splitlines()}
        assert {"account.unconsented.1", "account.still.open.1"} <= kinds


def test_an_incident_is_a_list_of_consents(
    checked: Checked, whole: Path, morning: Morning, tmp_path: Path
) -> None:
    """Each of them, whatever became of it; one that was never asked for too."""
    named = [morning.consents["opened"], morning.consents["refused"], "nobody-asked"]
    (tmp_path / "ids").write_text("\n".join(named))
    document = checked(whole, "--incident", tmp_path / "ids")
    assert [one["consent_id"] for one in document["cases"]] == sorted(named)
    assert verdict_of(document, "nobody-asked") == ("no_account", set())


@pytest.mark.parametrize("name", ["refused", "bare", "nobody"])
def test_that_nobody_agreed_is_proved(
    checked: Checked, whole: Path, morning: Morning, name: str
) -> None:
    """Of who refused, of who was never asked, of who is not in the log at all."""
    citizen_id = morning.people.get(name, "c-nobody")
    document = checked(whole, "--citizen", citizen_id, verb="absent")
    assert document["about"]["absent"] is True
    assert (document["logs"]["consent"]["facts"] > 2) == (name != "nobody")
    opening_id = morning.openings.get(name, "o-nobody")
    assert checked(whole, "--account", opening_id, verb="absent")["cases"] == []


def test_absence_is_not_said_of_who_agreed(
    told: Told, whole: Path, morning: Morning, tmp_path: Path
) -> None:
    """Used or not, withdrawn or not: they agreed, and there is no such bundle."""
    for name in ("opened", "online", "withdrawn", "disputed"):
        about = ("--citizen", morning.people[name])
        assert told("absent", whole, *about, tmp_path / "out.zip") == (2, {})
    about = ("--account", morning.openings["opened"])
    assert told("absent", whole, *about, tmp_path / "out.zip") == (2, {})
    assert list(tmp_path.iterdir()) == []


def test_the_same_makes_the_same_bytes(
    told: Told, whole: Path, morning: Morning, tmp_path: Path
) -> None:
    """And a file that is there is not written over."""
    places = [tmp_path / f"{number}.zip" for number in range(2)]
    for place in places:
        assert told("bundle", whole, "--citizen", morning.people["opened"], place)[0] == 0
    assert places[0].read_bytes() == places[1].read_bytes()
    assert told("bundle", whole, "--citizen", "c-other", places[0]) == (2, {})
    assert places[0].read_bytes() == places[1].read_bytes()


# -- not valid, and why ---------------------------------------------------------------------------

PLACE = {"bank": "so-viet", "office": "bd-huong-hoa", "clerk": "gdv-01", "site": "doi-lao-bao"}


def _suspending(noun: str, own_id: str) -> Callable[[str], Change]:
    return lambda _: suspended(noun, own_id)


BENT: dict[str, tuple[Callable[[str], Change], set[str]]] = {
    "another citizen": (
        lambda own: bent(OPENED, own, "accounts", citizen_id="c-x"),
        {"fields_same"},
    ),
    "another place": (lambda own: bent(OPENED, own, "accounts", site_id=None), {"fields_same"}),
    "a forged event": (
        lambda own: bent(OPENED, own, "accounts", consent_event="a.b.c"),
        {"event_signed"},
    ),
    "no receipt": (
        lambda own: bent(OPENED, own, "accounts", redemption_receipt=""),
        {"receipt_signed"},
    ),
    "another command": (
        lambda own: bent(OPENED, own, "accounts", command_hash="00" * 32),
        {"receipt_signed", "used_once"},
    ),
    "opened twice": (
        lambda own: twice(OPENED, own, "accounts", opening_id="o-x"),
        {"opened_once"},
    ),
    "never asked": (
        lambda own: gone("consent.requested.1", own),
        {"asked_for"},
    ),
    "never given": (
        lambda own: gone(GIVEN, own),
        {"asked_for", "given_before", "statement_same", "fields_same"},
    ),
    "never shown": (lambda own: gone("notice.served.1", own), {"shown_before"}),
    "no signature asked": (lambda own: gone("signature.asked.1", own), {"shown_before"}),
    "another statement": (
        lambda own: bent(GIVEN, own, statement_hash="00" * 32),
        {"statement_same", "used_once", "shown_before"},
    ),
    "never used": (lambda own: gone(REDEEMED, own), {"receipt_signed", "used_once"}),
    "used before": (
        lambda own: early(REDEEMED, own),
        {"receipt_signed", "given_before", "confirmed_before", "handed_in"},
    ),
    "used twice": (
        lambda own: twice(REDEEMED, own, redemption_id="o-x"),
        {"receipt_signed", "used_once"},
    ),
    "used too late": (
        lambda own: bent(REDEEMED, own, redeemed_at="2023-12-01T00:00:00Z"),
        {"in_time"},
    ),
    "never confirmed": (
        lambda own: gone("consent.confirmed.1", own),
        {"confirmed_before"},
    ),
    "never handed in": (lambda own: gone("opening.submitted.1", own), {"handed_in"}),
    "no contract": (lambda own: right_ended("contract"), {"rights_held"}),
    "no permission": (lambda own: right_ended("permission"), {"rights_held"}),
    "withdrawn before": (withdrawn, {"not_stopped"}),
    **{
        f"a suspended {noun}": (_suspending(noun, PLACE[noun]), {"not_suspended"}) for noun in PLACE
    },
}
"""Each change of a history, and the rules that it breaks for certain."""


@pytest.mark.parametrize("name", BENT)
def test_what_is_not_in_order_makes_an_account_not_valid(
    checked: Checked, morning: Morning, tmp_path: Path, name: str
) -> None:
    """Though the operator owns all keys, and signed it, and its index tells the truth."""
    change, rules = BENT[name]
    own_id = morning.consents["opened"]
    export = morning.history.changed(change(own_id)).write(tmp_path / "export")
    document = checked(export, "--account", morning.openings["opened"])
    verdict, failed = verdict_of(document, own_id)
    assert verdict == "not_valid"
    assert rules & failed, failed
    if name.startswith(("another", "a suspended", "no ", "used too", "never shown")):
        assert failed <= rules


def test_every_rule_is_broken_by_one_and_has_words() -> None:
    """No rule holds by itself."""
    assert {rule for _, rules in BENT.values() for rule in rules} == set(RULES)
    assert set(RULE_WORDS) == {*RULES, BEHIND_INDEX}
    assert set(Noun) == {"account", "citizen", "clerk", "office", "incident"}


# -- what is no bundle, or is none of this --------------------------------------------------------


def test_without_an_index_there_is_no_bundle(
    told: Told, morning: Morning, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor from a part of a log, nor where an export holds an index that is not true."""
    history, own_id = morning.history, morning.consents["opened"]
    before = min(positions(history.logs["accounts"], KIND)) - 1
    short = {**history.logs, "accounts": history.logs["accounts"][:before]}
    untrue = {log: list(facts) for log, facts in history.logs.items()}
    gone("notice.served.1", own_id)(untrue)
    exports = {
        "has no index yet": History(short, history.jwks).write(tmp_path / "short"),
        "the index is not true": History(untrue, history.jwks).write(tmp_path / "untrue"),
    }
    for how, export in exports.items():
        arguments = ["bundle", str(export), "--citizen", "c-1", str(tmp_path / "out.zip")]
        assert audit.main(arguments) == 2
        assert how in capsys.readouterr().err


def test_an_index_that_names_another_fact_is_seen(
    morning: Morning, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever keeps a fact out of a matter by its tags has an index that tells of it."""
    own_id, facts = morning.consents["opened"], morning.history.logs["consent"]
    fact = own(facts, GIVEN, own_id)
    hidden = msgspec.structs.replace(fact, tags=fact.tags[1:])

    class Lying(Segment):
        @override
        def add(self, position: int, kind: str, tags: Sequence[str]) -> None:
            super().add(position, kind, fact.tags if position == fact.position else tags)

    history = History({**morning.history.logs}, morning.history.jwks)
    history.logs["consent"] = [*facts[: fact.position - 1], hidden, *facts[fact.position :]]
    export = history.write(tmp_path / "export")
    monkeypatch.setattr(bundling, "Segment", Lying)
    for about, how in (
        (About(Noun.INCIDENT, [own_id]), "is missing"),
        (About(Noun.CITIZEN, [morning.people["opened"]]), "says consent:.* of another fact"),
    ):
        with opened_export(export) as opened, pytest.raises(NotBundled, match=how):
            make_bundle(opened, about, tmp_path / "out.zip")


def test_what_lies_behind_the_index_is_not_judged(
    checked: Checked, morning: Morning, tmp_path: Path
) -> None:
    """An account whose use is not covered yet is neither valid nor not."""
    facts = morning.history.logs["consent"]
    last = positions(facts, KIND)[0]
    logs = {**morning.history.logs, "consent": facts[:last]}
    export = History(logs, morning.history.jwks).write(tmp_path / "export")
    document = checked(export, "--account", morning.openings["online"])
    assert verdict_of(document, morning.consents["online"]) == ("open", {BEHIND_INDEX})


def test_a_log_is_not_shown_in_the_others_place(
    told: Told, whole: Path, tmp_path: Path, trust: list[str]
) -> None:
    """In the log of accounts nobody ever agreed; that proves nothing of the one of consents."""
    place = tmp_path / "out.zip"
    assert told("absent", whole, "--citizen", "c-nobody", place)[0] == 0
    files = unpacked(place.read_bytes())
    exchange(files, files, Absent())
    refitted(files)
    place.write_bytes(packed(files))
    code, document = told("check", place, *trust)
    assert code == 1
    assert document["findings"][0]["how"].startswith("an index of the log of")


class Absent:
    """Chooses the last of what there is."""

    def one(self, among: Sequence[Any]) -> Any:
        """Return the last."""
        return among[-1]

    def below(self, end: int) -> int:
        """Return the largest."""
        return end - 1


def test_for_people_it_is_told_in_two_languages(
    whole: Path,
    morning: Morning,
    tmp_path: Path,
    trust: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Rule by rule; and what is wrong names its file."""
    place = tmp_path / "out.zip"
    audit.main(["bundle", str(whole), "--citizen", morning.people["disputed"], str(place)])
    assert "(keys on the bundle's own word; --keys names yours)" in capsys.readouterr().out
    assert audit.main(["check", str(place), *trust]) == 0
    told = capsys.readouterr().out
    assert "hợp lệ / valid" in told
    assert all(words in told for code in RULES for words in RULE_WORDS[code])
    assert "cosigned by near" in told
    assert re.search(r"all there are up to position \d+ as of 2023-08-09T0\d:", told)
    with zipfile.ZipFile(place, "a") as archive:
        archive.writestr("more", "x")
    assert audit.main(["check", str(place), *trust]) == 1
    assert capsys.readouterr().out == "WRONG: more: the file is not in the manifest\n"
    assert audit.main(["check", str(whole), *trust]) == 2
    audit.main(["absent", str(whole), "--citizen", "c-nobody", str(tmp_path / "absent.zip")])
    assert "nobody agreed to open an account" in capsys.readouterr().out


def test_from_the_running_services(told: Told, tmp_path: Path) -> None:
    """Indexed over the network, taken home, bundled, and checked under what a witness cosigned."""
    taken, place = tmp_path / "taken", tmp_path / "out.zip"
    with a_stage(tmp_path) as stage:
        code, indexed = told("index", *stage.addresses)
        assert code == 0
        assert told("index", *stage.addresses) == (0, indexed)
        stage.wait()
        assert told("export", taken, *stage.addresses)[0] == 0
    code, document = told("bundle", taken, "--citizen", QUESTION.citizen_id, place)
    assert code == 0
    assert {log: one["indexed"] for log, one in document["logs"].items()} == indexed
    code, document = told("check", place, "--keys", stage.keys, "--policy", stage.policy)
    assert (code, document["cases"][0]["verdict"]) == (0, "no_account")
    assert document["logs"]["accounts"]["cosigned_by"] == ["localhost/witness"]
