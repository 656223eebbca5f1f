"""A made history is a true export, breaks what its key says and nothing else, and shows tampering.

`./run bench history` does the same at a million facts in each log.
"""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from bench.history.comparing import compare, read_key
from bench.history.generate import DEEDS, Made, generate
from bench.history.planted import KeyLine, in_turn
from bench.history.run import judged, violations
from bench.history.tampering import findings, met, ways
from services.accounts.facts import VOCABULARY as ACCOUNTS
from services.audit.export import LOG_NAMES, MANIFEST, LogName
from services.audit.laws import LAWS, Violation
from services.consent.facts import VOCABULARY as CONSENT
from shared.canonical import canonical
from shared.ledger.indexes import KIND as INDEX
from tests.support.tampering import facts_of, linked

FACTS, SEED = 5_000, 3
EVERY = 4
"""So small a history has every deed in turn only if it has many."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Give a history in which one case in four breaks a law."""
    return generate(tmp_path_factory.mktemp("history"), FACTS, SEED, EVERY)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Give a history that breaks no law, and is small enough to be tampered with often."""
    return generate(tmp_path_factory.mktemp("small"), 1_100, SEED, 0)


@pytest.fixture(scope="module")
def found(made: Made) -> list[Violation]:
    """Give what the laws find in it."""
    return list(violations(made))


def test_a_made_history_is_a_true_export(made: Made) -> None:
    """Sealed, signed and witnessed; in each log as many facts as were asked for."""
    assert findings(made, made.export) == []
    counts = [sum(1 for _ in facts_of(made.export, log)) for log in LOG_NAMES]
    assert counts == [FACTS, FACTS]


def test_its_facts_are_stored_as_the_services_store_them(small: Made) -> None:
    """In canonical bytes, at times that never decrease, over months."""
    for log in LOG_NAMES:
        facts = list(facts_of(small.export, log))
        assert all(one.recorded_at <= other.recorded_at for one, other in pairwise(facts))
        assert (facts[-1].recorded_at - facts[0].recorded_at).days > 200
        for fact in facts[::7]:
            assert canonical(msgspec.json.decode(fact.data)) == fact.data


def test_every_kind_of_fact_is_in_it(made: Made) -> None:
    """So no law is silent only because what it looks at never happened.

    But for the log's index of its own tags, of which no law is: `verify` holds it to the facts.
    """
    for log, vocabulary in zip(LOG_NAMES, (CONSENT, ACCOUNTS), strict=True):
        kinds = {fact.kind for fact in facts_of(made.export, log)}
        assert set(vocabulary.facts) - kinds == {INDEX}


def test_all_that_was_planted_is_found_and_nothing_else(made: Made, found: list[Violation]) -> None:
    """By the laws that a regulator judges with, law by law."""
    compared = compare(found, read_key(made.key))
    assert compared.missed == []
    assert compared.unplanted == []
    assert set(compared.scores) == {deed.law for deed in DEEDS}


def test_every_law_has_its_equal_share() -> None:
    """Of the laws that a sealed log can break, and each of a law's deeds comes in its turn."""
    laws = [deed.law for deed in DEEDS]
    assert set(LAWS) - {one.law for deed in DEEDS for one in deed.broken} == {1}
    turns = in_turn(DEEDS)
    drawn = [next(turns) for _ in range(len(set(laws)) * max(map(laws.count, laws)))]
    assert {deed.how for deed in drawn} == {deed.how for deed in DEEDS}
    counts = {law: [deed.law for deed in drawn].count(law) for law in laws}
    assert len(set(counts.values())) == 1


def test_a_key_that_says_too_little_or_too_much_is_noticed(
    made: Made, found: list[Violation]
) -> None:
    """Whatever line is left out, and whatever is added: the comparison is no formality."""
    key = read_key(made.key)
    for number, line in enumerate(key):
        short = compare(found, [*key[:number], *key[number + 1 :]])
        assert short.unplanted
        assert all(set(one.positions) & set(line.positions) for one in short.unplanted)
        assert short.scores[line.law].precision < 1
    more = KeyLine(4, "consent", (FACTS + 1,), "nothing")
    long = compare(found, [*key, more])
    assert long.missed == [more]
    assert long.scores[4].recall < 1
    elsewhere = [replace(one, log=_other(one)) for one in key]
    assert len(compare(found, elsewhere).missed) > len(key) // 2


def _other(line: KeyLine) -> LogName:
    return "accounts" if line.log == "consent" else "consent"


def test_what_breaks_no_law_is_judged_to_break_none(small: Made) -> None:
    """Without anything planted nothing is found."""
    compared = judged(small)
    assert compared.exact
    assert compared.scores == {}


def test_too_small_a_history_is_none(tmp_path: Path) -> None:
    """A country has some hundred facts before anybody comes; nothing is written."""
    with pytest.raises(ValueError, match="700 facts"):
        generate(tmp_path / "history", 699)
    assert not (tmp_path / "history").exists()


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    """All of them, signatures too; another seed makes another history."""
    made = [generate(tmp_path / str(at), 700, seed) for at, seed in enumerate((8, 8, 9))]
    manifests = [(one.export / MANIFEST).read_bytes() for one in made]
    assert manifests[0] == manifests[1] != manifests[2]
    assert made[0].key.read_bytes() == made[1].key.read_bytes()


@pytest.mark.parametrize("number", range(24))
def test_a_tampering_is_found_in_its_place(small: Made, tmp_path: Path, number: int) -> None:
    """By the file or the position that it changed, with words that say how."""
    assert met(small, ways(small, SEED)[number], tmp_path / "copy").finding


def test_no_way_to_tamper_is_left_out(small: Made) -> None:
    """Each of them has a name of its own, and an export that nobody tampered with is right."""
    names = [one.name for one in ways(small, SEED)]
    assert len(names) == len(set(names)) == 24
    assert findings(small, small.export) == []


def test_what_the_operator_rewrote_breaks_no_law(small: Made, tmp_path: Path) -> None:
    """Only what the witness cosigned shows it: that is what the witness is for."""
    rewrite = next(one for one in ways(small, SEED) if one.name == "both logs tell another history")
    assert met(small, rewrite, tmp_path / "copy").finding
    copy = replace(small, export=tmp_path / "again")
    rewrite.tamper(linked(small.export, copy.export))
    assert judged(copy).exact
    changed = [
        old.position
        for old, new in zip(
            facts_of(small.export, "accounts"), facts_of(copy.export, "accounts"), strict=True
        )
        if old != new
    ]
    assert changed
