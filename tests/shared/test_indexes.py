"""An index of tags: all positions of a tag or none, and nothing that is not so can be proved."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.canonical import canonical
from shared.ledger.indexes import (
    FORM,
    INDEX_TAG,
    KIND,
    BadIndex,
    Leaf,
    Proved,
    Prover,
    Segment,
    TagsIndexed,
    Untrue,
    check,
    key_of,
    positions_of,
    summed,
)
from shared.ledger.recorder import StoredFact
from tests.support.given import AT

TAGS = [f"citizen:c-{number}" for number in range(9)]
KINDS = ["asked.1", "given.1"]

facts = st.lists(
    st.tuples(st.sampled_from(KINDS), st.lists(st.sampled_from(TAGS), max_size=4)), max_size=30
)
Facts = Sequence[tuple[str, Sequence[str]]]


def segment(some: Facts, first: int = 1) -> tuple[TagsIndexed, Prover]:
    """Return the segment of some facts, and what proves from it."""
    collected = Segment()
    for position, (kind, tags) in enumerate(some, start=first):
        collected.add(position, kind, tags)
    prover = Prover(collected.leaves())
    said = TagsIndexed(
        index=FORM,
        first=first,
        last=first + max(len(some), 1) - 1,
        count=prover.count,
        root=prover.root(),
        log="consent",
    )
    return said, prover


def where(some: Facts, tag: str, kind: str | None = None, first: int = 1) -> tuple[int, ...]:
    """Return where a tag stands, found by looking."""
    return tuple(
        position
        for position, (one, tags) in enumerate(some, start=first)
        if tag in tags and kind in (None, one)
    )


# -- proofs ---------------------------------------------------------------------------------------


@given(facts, st.sampled_from([1, 16_385]))
def test_of_any_tag_all_positions_are_proved_or_that_there_are_none(some: Any, first: int) -> None:
    """With a kind and without one; the root is the one that is summed up leaf by leaf."""
    said, prover = segment(some, first)
    collected = Segment()
    for position, (kind, tags) in enumerate(some, start=first):
        collected.add(position, kind, tags)
    assert summed(collected.leaves()) == (said.count, said.root)
    for tag in TAGS:
        for kind in (None, *KINDS):
            key = key_of(tag, kind)
            assert positions_of(said, key, prover.prove(key)) == where(some, tag, kind, first)


@given(facts, facts, st.sampled_from(TAGS), st.data())
def test_no_proof_says_anything_else(some: Any, other: Any, tag: str, data: Any) -> None:
    """Of another key, segment or place, with a leaf left out, or changed: it is none."""
    said, prover = segment(some)
    key, others = key_of(tag), segment(other)[1]
    proofs = [prover.prove(key_of(one)) for one in TAGS] + [others.prove(key)]
    proof = data.draw(st.sampled_from(proofs))
    start = data.draw(st.integers(0, len(proof)))
    proof = data.draw(st.sampled_from([proof, proof[start:], proof[:start], proof[::-1]]))
    if proof and data.draw(st.booleans()):
        one = proof[0]
        bent = bytearray(one.leaf)
        bent[data.draw(st.integers(0, len(bent) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        moved = Proved(one.index + data.draw(st.integers(-1, 1)), bytes(bent), one.path)
        proof = [moved, *proof[1:]]
    try:
        found = positions_of(said, key, proof)
    except BadIndex:
        return
    assert found == where(some, tag)


BY_EXAMPLE: Facts = [("given.1", TAGS[:3]), ("asked.1", TAGS[2:5])]


def test_a_leaf_is_these_bytes() -> None:
    """The example of docs/ledger-format.md: a key, how many, and where."""
    said, prover = segment(BY_EXAMPLE)
    (proved,) = prover.prove(key_of(TAGS[2]))
    one, two = (bytes(7) + bytes([position]) for position in (1, 2))
    assert proved.leaf == sha256(b"citizen:c-2").digest() + b"\0\0\0\2" + one + two
    assert key_of("a:1", "k.1") == sha256(b"a:1\0k.1").digest()
    assert Leaf.parse(proved.leaf).positions == (1, 2)
    assert said.count == 5 + 6


@pytest.mark.parametrize(
    ("content", "how"),
    [
        (b"", "cut"),
        (bytes(36) + bytes(7), "cut"),
        (bytes(32) + b"\0\0\0\0", "as many"),
        (bytes(32) + b"\0\0\0\2" + bytes(7) + b"\1", "as many"),
        (bytes(32) + b"\0\0\0\2" + bytes(7) + b"\2" + bytes(7) + b"\1", "in order"),
        (bytes(32) + b"\0\0\0\2" + bytes(7) + b"\1" + bytes(7) + b"\1", "in order"),
    ],
)
def test_a_leaf_has_one_spelling(content: bytes, how: str) -> None:
    """Cut, empty, miscounted or out of order it is none."""
    with pytest.raises(BadIndex, match=how):
        Leaf.parse(content)


def test_a_leaf_left_out_between_two_is_seen() -> None:
    """Neighbours of a tag that is there do not prove that it is not."""
    said, prover = segment(BY_EXAMPLE)
    (own,) = prover.prove(key_of(TAGS[2]))
    beside = [prover._proved(at) for at in (own.index - 1, own.index + 1) if 0 <= at < prover.count]
    assert beside
    for proof in ([], beside, beside[:1], beside[1:]):
        with pytest.raises(BadIndex):
            positions_of(said, key_of(TAGS[2]), proof)


def test_a_leaf_of_positions_outside_its_segment_is_none() -> None:
    """An index that says where a tag will stand, or stood elsewhere, is not believed."""
    said, prover = segment(BY_EXAMPLE)
    proof = prover.prove(key_of(TAGS[0]))
    assert positions_of(said, key_of(TAGS[0]), proof) == (1,)
    with pytest.raises(BadIndex, match="outside"):
        positions_of(replace(said, first=2), key_of(TAGS[0]), proof)


# -- the whole log --------------------------------------------------------------------------------


def stored(position: int, kind: str, tags: Sequence[str], data: bytes = b"{}") -> StoredFact:
    """Return a fact in its place."""
    return StoredFact(position, AT, kind, list(tags), data, b"")


def a_log(some: Facts, cuts: Sequence[int]) -> list[StoredFact]:
    """Return a log of these facts, with a segment after so many each, as the service writes it."""
    log, indexed, left = list[StoredFact](), 0, list(some)
    for cut in cuts:
        for kind, tags in left[:cut]:
            log.append(stored(len(log) + 1, kind, tags))
        del left[:cut]
        if len(log) > indexed:
            said, _ = segment([(one.kind, one.tags) for one in log[indexed:]], indexed + 1)
            indexed = len(log)
            log.append(stored(len(log) + 1, KIND, [INDEX_TAG], canonical(said)))
    return log + [stored(len(log) + at, *one) for at, one in enumerate(left, start=1)]


def changed(fact: StoredFact, **changes: Any) -> StoredFact:
    """Return a segment's fact that says something else."""
    said = {"index": FORM, **{name: getattr(_said(fact), name) for name in NAMES}, **changes}
    return stored(fact.position, KIND, fact.tags, canonical(said))


NAMES = ("first", "last", "count", "root", "log")


def _said(fact: StoredFact) -> TagsIndexed:
    return msgspec.json.decode(fact.data, type=TagsIndexed)


@given(facts.filter(bool), st.lists(st.integers(0, 9), min_size=1, max_size=4), st.data())
def test_an_index_that_does_not_tell_the_truth_is_found(some: Any, cuts: Any, data: Any) -> None:
    """The log's own are right; with one tag more or less in its facts each is wrong."""
    log = a_log(some, cuts)
    assert list(check(log)) == []
    indexes = [one for one in log if one.kind == KIND]
    if indexes:
        last = _said(indexes[-1]).last
        at = data.draw(st.integers(1, last)) - 1
        log[at] = stored(at + 1, log[at].kind, [*log[at].tags, "site:s"], log[at].data)
        (wrong,) = check(log)
        covering = next(one for one in indexes if _said(one).last > at)
        assert wrong == Untrue(
            covering.position, "its leaves are not what the facts of its positions make"
        )


LOG = a_log([("given.1", [tag]) for tag in TAGS], [3, 4, 2])
FIRST, SECOND = (number for number, one in enumerate(LOG[:9]) if one.kind == KIND)


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({"first": 5, "last": 8}, "begins at position 5, where 4 is next"),
        ({"first": 3, "last": 8}, "begins at position 3"),
        ({"first": 4, "last": 7}, "leaves"),
        ({"last": 9}, "ends before its own fact"),
        ({"first": 0}, "ends before"),
        ({"first": 9}, "ends before"),
        ({"count": 3}, "leaves"),
        ({"root": "00" * 32}, "leaves"),
        ({"index": "tags.2"}, "of this form"),
        ({"count": "many"}, "no segment"),
    ],
)
def test_what_is_wrong_with_a_segment_is_said_with_its_position(
    changes: dict[str, Any], how: str
) -> None:
    """A gap, an overlap, another range, another root, another form."""
    log = list(LOG)
    log[SECOND] = changed(log[SECOND], **changes)
    wrong = list(check(log))
    assert wrong[0].position == SECOND + 1
    assert how in wrong[0].how
