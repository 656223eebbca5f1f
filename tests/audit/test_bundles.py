"""`./run audit bundle`, `absent`, `check`: all of a matter, nothing else, and what it comes to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.audit.bundle import Noun
from services.audit.bundle_telling import RULE_WORDS
from services.audit.verdicts import BEHIND_INDEX, RULES
from tests.audit.conftest import Told
from tests.support.exports import POLICY, Change, keys_of
from tests.support.matters import (
    GIVEN,
    OPENED,
    REDEEMED,
    Morning,
    a_morning,
    bent,
    early,
    gone,
    right_ended,
    suspended,
    twice,
    withdrawn,
)


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Morning:
    """Give what both logs have of one morning."""
    return a_morning(tmp_path_factory.mktemp("morning"))


@pytest.fixture(scope="module")
def export(morning: Morning, tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    checked: Checked, export: Path, morning: Morning, name: str
) -> None:
    """By its own id and by its citizen's; what came later is told."""
    consent_id = morning.consents[name]
    for about in (("--account", morning.openings[name]), ("--citizen", morning.people[name])):
        document = checked(export, *about)
        assert verdict_of(document, consent_id) == ("valid", set())
        (case,) = document["cases"]
        since = [one.split()[0] for one in case["since"]]
        disputed = ["consent.disputed.1", "account.confirmed.1", "account.frozen.1"]
        assert since == (disputed if name == "disputed" else ["account.confirmed.1"])
        assert document["logs"]["consent"]["cosigned_by"] == ["near"]


@pytest.mark.parametrize("name", ["refused", "withdrawn"])
def test_without_an_account_it_is_told_what_was_decided(
    checked: Checked, export: Path, morning: Morning, name: str
) -> None:
    """Refused, or withdrawn before it was used."""
    document = checked(export, "--citizen", morning.people[name])
    (case,) = document["cases"]
    assert case["verdict"] == "no_account"
    assert case["decided"][-1].startswith(f"consent.{name}.1")


def test_a_clerk_and_an_office_have_every_case_of_theirs(
    checked: Checked, export: Path, morning: Morning
) -> None:
    """In whatever state: opened, refused, withdrawn; not what was asked online."""
    at_the_counter = {
        morning.consents[one] for one in ("opened", "refused", "withdrawn", "disputed")
    }
    for about in (("--clerk", "gdv-01"), ("--office", "bd-huong-hoa")):
        document = checked(export, *about)
        assert {one["consent_id"] for one in document["cases"]} == at_the_counter
        assert {one["verdict"] for one in document["cases"]} == {"valid", "no_account"}


def test_an_incident_is_a_list_of_consents(
    checked: Checked, export: Path, morning: Morning, tmp_path: Path
) -> None:
    """Each of them, whatever became of it; one that was never asked for too."""
    named = [morning.consents["opened"], morning.consents["refused"], "nobody-asked"]
    (tmp_path / "ids").write_text("\n".join(named))
    document = checked(export, "--incident", tmp_path / "ids")
    assert [one["consent_id"] for one in document["cases"]] == sorted(named)
    assert verdict_of(document, "nobody-asked") == ("no_account", set())


@pytest.mark.parametrize("name", ["refused", "bare", "nobody"])
def test_that_nobody_agreed_is_proved(
    checked: Checked, export: Path, morning: Morning, name: str
) -> None:
    """Of who refused, of who was never asked, of who is not in the log at all."""
    citizen_id = morning.people.get(name, "c-nobody")
    document = checked(export, "--citizen", citizen_id, verb="absent")
    assert document["about"]["absent"] is True
    assert (document["logs"]["consent"]["facts"] > 2) == (name != "nobody")
    opening_id = morning.openings.get(name, "o-nobody")
    assert checked(export, "--account", opening_id, verb="absent")["cases"] == []


def test_absence_is_not_said_of_who_agreed(
    told: Told, export: Path, morning: Morning, tmp_path: Path
) -> None:
    """Used or not, withdrawn or not: they agreed, and there is no such bundle."""
    for name in ("opened", "online", "withdrawn", "disputed"):
        about = ("--citizen", morning.people[name])
        assert told("absent", export, *about, tmp_path / "out.zip") == (2, {})
    about = ("--account", morning.openings["opened"])
    assert told("absent", export, *about, tmp_path / "out.zip") == (2, {})
    assert list(tmp_path.iterdir()) == []


def test_the_same_makes_the_same_bytes(
    told: Told, export: Path, morning: Morning, tmp_path: Path
) -> None:
    """And a file that is there is not written over."""
    places = [tmp_path / f"{number}.zip" for number in range(2)]
    for place in places:
        assert told("bundle", export, "--citizen", morning.people["opened"], place)[0] == 0
    assert places[0].read_bytes() == places[1].read_bytes()
    assert told("bundle", export, "--citizen", "c-other", places[0]) == (2, {})
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
