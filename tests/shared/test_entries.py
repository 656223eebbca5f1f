"""The entry of a fact: the document's own example, and that nothing of a fact is left out."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ledger import entries
from shared.ledger.entries import BadEntry
from shared.ledger.merkle import leaf_hash

FORMAT = (Path(__file__).parents[2] / "docs" / "ledger-format.md").read_text(encoding="utf-8")

Parts = tuple[int, datetime, str, list[str], bytes]
DIGESTS = st.lists(st.binary(min_size=32, max_size=32), max_size=3)

instants = st.datetimes(datetime(1900, 1, 1), datetime(2900, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
facts = st.tuples(
    st.integers(1, 2**64 - 1),
    instants,
    st.text(max_size=40),
    st.lists(st.text(max_size=20), max_size=4),
    st.binary(max_size=40),
)


def test_the_documents_example() -> None:
    """The example that a stranger would try first is what the code makes."""
    entry = entries.encode(
        1,
        datetime(2023, 8, 9, 1, 15, tzinfo=UTC),
        "consent.requested.1",
        ["citizen:c-1", "consent:k-1"],
        b'{"consent_id":"k-1"}',
    )
    (text,) = re.findall(r"^```\n(entry .*?)```", FORMAT, re.DOTALL | re.MULTILINE)
    shown, leaf = text.removeprefix("entry").split("leaf")
    assert bytes.fromhex("".join(shown.split())) == entry
    assert bytes.fromhex(leaf) == leaf_hash(entry)


@given(facts, DIGESTS)
def test_an_entry_says_what_it_was_made_of(fact: Parts, parts: list[bytes]) -> None:
    """Place, time and kind come back; tags, data and parts can be checked against it."""
    position, recorded_at, kind, tags, data = fact
    said = entries.decode(entries.encode(*fact, part_digests=parts))
    assert said.part_digests == tuple(parts)
    assert (said.position, said.recorded_at, said.kind) == (position, recorded_at, kind)
    assert said.tags_digest == entries.tags_digest(tags)
    assert said.data_digest == hashlib.sha256(data).digest()


@given(facts, DIGESTS, facts, DIGESTS)
def test_two_facts_have_two_entries(
    one: Parts, parts: list[bytes], other: Parts, others: list[bytes]
) -> None:
    """No two different facts share an entry, wherever their texts begin and end."""
    entry = entries.encode(*one, part_digests=parts)
    another = entries.encode(*other, part_digests=others)
    assert (entry == another) == ((one, parts) == (other, others))


@pytest.mark.parametrize(
    ("one", "other"),
    [(["ab", "c"], ["a", "bc"]), (["a", "b"], ["b", "a"]), (["a"], ["a", ""]), (["a"], ["a", "a"])],
)
def test_tags_are_told_apart(one: list[str], other: list[str]) -> None:
    """Lengths are hashed with the texts, and order counts."""
    assert entries.tags_digest(one) != entries.tags_digest(other)


def test_each_part_counts() -> None:
    """Any single change of a fact changes its leaf."""
    instant = datetime(2023, 8, 9, tzinfo=UTC)
    fact = (1, instant, "k", ["a:1"], b"{}")
    changed = [
        (2, *fact[1:]),
        (1, instant + timedelta(microseconds=1), *fact[2:]),
        (*fact[:2], "l", *fact[3:]),
        (*fact[:3], ["a:2"], b"{}"),
        (*fact[:4], b"{ }"),
    ]
    with_parts = [entries.encode(*fact, part_digests=[bytes(32)] * number) for number in (1, 2)]
    assert len({*with_parts, *[entries.encode(*one) for one in [fact, *changed]]}) == 8


@given(facts, st.data())
def test_other_bytes_are_no_entry(fact: Parts, data: st.DataObject) -> None:
    """Cut, continued, or of another version: it is said, never guessed."""
    entry = entries.encode(*fact)
    cut = data.draw(st.integers(0, len(entry) - 1))
    for wrong in (entry[:cut], entry + b"\0", b"\3" + entry[1:]):
        with pytest.raises(BadEntry):
            entries.decode(wrong)
