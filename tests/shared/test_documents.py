"""Canonical bytes, facts as bytes, sealed texts, the clock, and the words for every reason."""

import ast
import json
import unicodedata
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from services.accounts.facts import VOCABULARY as ACCOUNTS
from services.consent.facts import VOCABULARY as CONSENT
from services.consent.facts import OfficeRegistered, RequestRejected
from shared.canonical import canonical, digest, text_digest
from shared.clock import SandboxClock, system_clock
from shared.contracts.reasons import REASONS
from shared.ledger.facts import Erased, UnknownFact, tags_of
from shared.ledger.personal import Personal
from shared.ledger.recorder import StoredFact
from shared.ledger.subject_keys import create_subject_keys, open_subject_keys
from tests.support import samples
from tests.support.given import AT

ROOT = Path(__file__).parents[2]
VECTORS = ROOT.parent / "shared" / "vectors" / "jcs"
ALL_FACTS = [
    *((CONSENT, kind) for kind in CONSENT.facts.values()),
    *((ACCOUNTS, kind) for kind in ACCOUNTS.facts.values() if kind.NAME not in CONSENT.facts),
]


@pytest.mark.skipif(not VECTORS.exists(), reason=f"no published vectors at {VECTORS}")
def test_the_published_vectors_of_rfc_8785() -> None:
    """All six published documents, through our own function where their text is composed."""
    files = sorted((VECTORS / "input").iterdir())
    assert len(files) == 6
    for file in files:
        document = json.loads(file.read_text(encoding="utf-8"))
        wanted = (VECTORS / "output" / file.name).read_bytes()
        assert rfc8785.dumps(document) == wanted
        if unicodedata.is_normalized("NFC", wanted.decode()):
            assert canonical(document) == wanted


def test_composed_and_decomposed_text_are_one() -> None:
    """The same words typed on two phones have one digest."""
    composed, decomposed = (unicodedata.normalize(form, "Đồng ý mở") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert digest({"k": composed}) == digest({"k": decomposed})
    assert text_digest(composed) == text_digest(decomposed)


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)))
def test_canonical_bytes_are_json_and_stable(document: dict[str, Any]) -> None:
    """They parse, and say the same when made again from what they say."""
    once = canonical(document)
    assert canonical(json.loads(once)) == once


COMPOSED = st.text(max_size=8).filter(lambda text: unicodedata.is_normalized("NFC", text))
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | COMPOSED
    | st.text('\x00\x1f\x7f"\\/\b\f\n\r\t\u2028', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(COMPOSED | st.sampled_from(["a", "b", "A", "a_", "", "\n"]), inner)
    ),
    max_leaves=12,
)


@given(ANY_JSON)
def test_whatever_spells_it_the_bytes_are_those_of_rfc_8785(document: Any) -> None:
    """Simple documents go a shorter way, to the same bytes."""
    assert canonical(document) == rfc8785.dumps(document)


@pytest.mark.parametrize("value", [float("nan"), 2**53, -(2**53), float("inf")])
def test_what_json_cannot_hold_is_refused(value: float) -> None:
    """No silent change of a number."""
    with pytest.raises(ValueError):  # noqa: PT011 - the library's own words
        canonical({"x": value})


def there(value: object) -> bool:
    """Tell whether a personal field was not erased."""
    return not isinstance(value, Erased)


@pytest.mark.parametrize(
    ("vocabulary", "kind"), ALL_FACTS, ids=lambda one: getattr(one, "NAME", "")
)
def test_every_fact_comes_back_as_it_went(vocabulary: Any, kind: Any, tmp_path: Path) -> None:
    """Stored bytes are canonical JSON, read back equal, and tags are made of named fields."""
    create_subject_keys(tmp_path)
    keys = open_subject_keys(tmp_path)
    personal = Personal("localhost/log", keys)

    shapes = get_type_hints(kind)
    named = [name for names in kind.PERSONAL.values() for name in names]
    said = {name: st.from_type(shapes[name]).filter(there) for name in named}

    @settings(max_examples=max(25, settings().max_examples // 4))
    @given(st.builds(kind, **said))
    def check(fact: Any) -> None:
        event = personal.event(fact) if kind.PERSONAL else vocabulary.encode(fact)
        assert event.type == kind.NAME
        assert rfc8785.dumps(json.loads(event.data)) == event.data
        opened = personal.opened(StoredFact.new(1, AT, event))
        again = vocabulary.decode(event.type, event.data, opened)
        assert msgspec.to_builtins(again) == json.loads(canonical(fact))
        assert all(tag.split(":")[0] in kind.TAGS for tag in tags_of(fact))

    strategy = st.text(alphabet="abcđ", max_size=5)
    st.register_type_strategy(str, strategy)
    st.register_type_strategy(int, st.integers(0, 2**53 - 1))
    st.register_type_strategy(
        datetime,
        st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    )
    check()
    keys.close()


def test_a_statement_signed_before_a_member_came_has_its_digest() -> None:
    """What came later is in no byte unless it is said; the digest was taken of the first form."""
    first = samples.statement()
    assert first.hash() == "de98f4ac09c51b8d27de6117b5a443fd092b27fec400bc021d83ea8c91dd7c2b"
    assert samples.statement(fee_hash="d" * 64).hash() != first.hash()


def test_names_of_facts_are_never_reused() -> None:
    """The released names and their fields stand in a file that only grows."""
    released = (Path(__file__).parent / "released_facts.txt").read_text(encoding="utf-8")
    today = {kind.NAME: [field.name for field in fields(kind)] for _, kind in ALL_FACTS}
    for line in released.splitlines():
        name, *names = line.split()
        assert today[name][: len(names)] == names, name
    assert {line.split()[0] for line in released.splitlines()} == set(today)


def test_tags_of_a_fact_are_only_added_last() -> None:
    """What a stored fact is found by today, it is found by tomorrow; the file only grows."""
    released = (Path(__file__).parent / "released_tags.txt").read_text(encoding="utf-8")
    today = {kind.NAME: list(kind.TAGS) for _, kind in ALL_FACTS}
    for line in released.splitlines():
        name, *tags = line.split()
        assert today[name][: len(tags)] == tags, name
    assert {line.split()[0] for line in released.splitlines()} == set(today)


def test_a_rejection_is_found_by_the_place_and_by_whoever_tried() -> None:
    """Whomever it names: a clerk who acts under another's name has the attempt as an own one."""
    said: dict[str, Any] = dict.fromkeys(("consent_id", "citizen_id", "product_id", "purpose"), "x")
    said |= {"bank_id": "b", "office_id": "o", "site_id": "s", "clerk_id": "gdv-01"}
    by, why = "clerk:gdv-02", ["not_own_clerk"]
    tried: Any = RequestRejected(**said, asked_by=by, reasons=why)
    found = {"bank:b", "office:o", "site:s", "clerk:gdv-01", "asked_by:clerk:gdv-02"}
    assert found <= set(tags_of(tried))
    for _, kind in ALL_FACTS:
        if ".rejected." in kind.NAME:
            nouns = {name.removesuffix("_id") for name in kind.__slots__}
            wanted = nouns & {"bank", "office", "site", "clerk", "asked_by", "commanded_by"}
            by_operator = kind.NAME in {
                *("erasure.rejected.1", "representative.rejected.1", "policy.rejected.1"),
            }
            assert by_operator or wanted <= set(kind.TAGS), kind.NAME


def test_an_unknown_field_is_passed_over_and_an_unknown_name_is_not() -> None:
    """A newer fact's extra field does not stop an older program; a name that it lacks does."""
    data = canonical({"office_id": "o", "name": "O", "since": "2030"})
    assert CONSENT.decode("office.registered.1", data) == OfficeRegistered(office_id="o", name="O")
    with pytest.raises(UnknownFact):
        CONSENT.decode("office.registered.9", data)


# -- clock and reasons --------------------------------------------------------------------------


def test_a_sandbox_clock_moves_for_everyone(tmp_path: Path) -> None:
    """Two clocks on one file agree; without a file the time is the machine's."""
    one, other = SandboxClock(tmp_path / "clock"), SandboxClock(tmp_path / "clock")
    assert abs(one() - system_clock()) < timedelta(seconds=1)
    morning = datetime(2023, 8, 9, tzinfo=UTC)
    one.move_to(morning)
    assert timedelta(0) <= other() - morning < timedelta(seconds=5)


def codes_in_source() -> set[str]:
    """Return every string that the source gives as the code of a no."""
    calls = {"Reason": 0, "Rejection": 1, "Unavailable": 0, "BadToken": 0, "BadPasskey": 0}
    found = set[str]()
    for file in [*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = calls.get(node.func.id, 99)
                if len(node.args) > place and isinstance(node.args[place], ast.Constant):
                    found.add(str(node.args[place].value))  # type: ignore[attr-defined]
    return found


def test_every_code_has_its_sentences() -> None:
    """What the source can say is in the table, in both languages, and in docs/checks.md."""
    assert codes_in_source() <= set(REASONS)
    documented = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    for code, sentences in REASONS.items():
        assert f"| `{code}` | {sentences.en} | {sentences.vi} |" in documented
        assert all(unicodedata.is_normalized("NFC", text) and text for text in sentences)


def test_every_setting_is_documented() -> None:
    """docs/operating.md names each variable of every service."""
    from services.accounts.settings import Settings as Accounts  # noqa: PLC0415
    from services.consent.settings import Settings as Consent  # noqa: PLC0415
    from services.witness.settings import Settings as Witness  # noqa: PLC0415

    documented = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    for prefix, kind in (
        ("CONSENT_", Consent),
        ("ACCOUNTS_", Accounts),
        ("WITNESS_", Witness),
    ):
        for name in kind.model_fields:
            assert f"| `{prefix}{name.upper()}` |" in documented


def test_msgspec_reads_what_rfc8785_writes() -> None:
    """The two libraries agree on a document with every kind of value."""
    document = {"a": None, "b": True, "c": -1, "d": 'Đ\u0000"', "e": [1.5, {"f": ""}]}
    assert msgspec.json.decode(canonical(document)) == document
