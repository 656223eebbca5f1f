"""Looks: the first is always a fact, the same within the hour never a second one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.accounts.facts import AccountRead
from services.consent.facts import DataRead
from shared.looks import (
    LOOK,
    ONCE_IN,
    Looked,
    LookGround,
    ReadFor,
    grouped,
    named,
    purpose_of,
    shown,
)
from tests.support.given import AT
from tests.support.given import given as given_facts

BEGUN = AT.replace(minute=0)

READ = DataRead(
    look_id="",
    citizen_id="c1",
    consent_id="q1",
    case_id=None,
    read_by="bank:cake",
    purpose=ReadFor.OWN_QUESTION,
    fields=["standing"],
    read_at=AT,
)

OF_ACCOUNT = AccountRead(
    look_id="",
    citizen_id="c1",
    consent_id="q1",
    opening_id="o1",
    case_id=None,
    read_by="clerk:k",
    purpose=ReadFor.OWN_QUESTION,
    fields=["standing", "account_end"],
    read_at=AT,
)

OTHERWISE: list[dict[str, Any]] = [
    {"read_by": "bank:other"},
    {"citizen_id": "c2"},
    {"consent_id": "q2"},
    {"case_id": "case-1"},
    {"purpose": ReadFor.INVALIDATION},
    {"fields": ["standing", "event"]},
    {"ground": LookGround.COMPLAINT},
    {"read_at": BEGUN + ONCE_IN},
    {"read_at": BEGUN - timedelta(microseconds=1)},
]
"""Ways in which a look is another than `READ`."""


def looked(*reads: Any) -> list[Any]:
    """Return what is recorded of looks, one after the other."""
    facts = list[Any]()
    for read in reads:
        facts += given_facts(LOOK, *facts).when([named(read)])
    return facts


def test_the_same_again_within_the_hour_adds_nothing() -> None:
    """At its first and its last moment; what differs in anything is a look of its own."""
    alike = [replace(READ, read_at=BEGUN), replace(READ, read_at=BEGUN + ONCE_IN - timedelta(0, 1))]
    assert looked(READ, *alike) == [named(READ)]
    others = [replace(READ, **change) for change in OTHERWISE]
    assert looked(READ, *others, READ, *others) == [named(one) for one in (READ, *others)]


def test_several_at_once_are_each_recorded_once() -> None:
    """A list shows many openings: those seen before, or twice in it, are left out."""
    second = named(replace(OF_ACCOUNT, opening_id="o2"))
    asked = [named(OF_ACCOUNT), second, second]
    assert given_facts(LOOK, named(OF_ACCOUNT)).when(asked) == [second]
    arms = LOOK.boundary(asked)
    assert [one.types for one in arms] == [["account.read.1"]] * 3
    assert arms[0].tags == [f"look:{named(OF_ACCOUNT).look_id}"]


@given(
    st.lists(
        st.tuples(st.sampled_from([{}, *OTHERWISE[:7]]), st.integers(0, 5 * 3600)), max_size=30
    ),
    st.sampled_from([timedelta(minutes=7), ONCE_IN, timedelta(hours=3)]),
)
def test_one_for_each_reader_thing_and_hour(
    times: list[tuple[dict[str, Any], int]], once_in: timedelta
) -> None:
    """Whoever looks however often: the first of each period is there, and nothing besides."""
    begun = BEGUN - (BEGUN - datetime(1970, 1, 1, tzinfo=UTC)) % once_in
    facts, wanted = list[Any](), dict[Any, datetime]()
    for change, second in sorted(times, key=lambda one: one[1]):
        at = begun + timedelta(seconds=second)
        read = replace(READ, **{**change, "read_at": at})
        facts += given_facts(LOOK, *facts).when([named(read, once_in)])
        wanted.setdefault((str(change), (at - begun) // once_in), at)
    assert [one.read_at for one in facts] == list(wanted.values())


def test_a_look_names_fields_and_no_values() -> None:
    """What is empty shows nothing; a reader's purpose is that of the role."""
    assert shown({"standing": "given", "event": None, "account_end": "0400"}) == [
        "standing",
        "account_end",
    ]
    readers = ("bank:cake", "clerk:k", "regulator:nhnn", "service:consent")
    assert [purpose_of(one) for one in readers] == [
        ReadFor.OWN_QUESTION,
        ReadFor.OWN_QUESTION,
        ReadFor.SUPERVISION,
        ReadFor.SERVICE,
    ]


@given(st.lists(st.tuples(st.sampled_from([{}, *OTHERWISE[:7]]), st.integers(0, 9)), max_size=12))
def test_grouped_looks_lose_nobody_and_no_field(times: list[tuple[dict[str, Any], int]]) -> None:
    """Every look is within its reader's group, with its fields; whoever looked last comes first."""
    reads = [
        replace(READ, **change, read_at=AT + timedelta(hours=hour))
        for change, hour in sorted(times, key=lambda one: one[1])
    ]
    groups = grouped(reads)
    for one in reads:
        (group,) = (each for each in groups if _key(each) == _key(one))
        assert set(one.fields) <= set(group.fields)
        assert group.first_at <= one.read_at <= group.last_at
    assert {_key(one) for one in groups} == {_key(one) for one in reads}
    times_of = [one.last_at for one in groups]
    assert times_of == sorted(times_of, reverse=True)


def _key(one: DataRead | Looked) -> tuple[Any, ...]:
    return one.read_by, one.purpose, one.consent_id, one.case_id, one.ground


def test_a_look_recorded_before_there_were_grounds_keeps_its_id() -> None:
    """These ids were made then: whoever looks again is still found, and the law still holds."""
    assert named(READ).look_id == "a257fc4f5a60db117ed0b8857ddd9e6a"
    assert named(OF_ACCOUNT).look_id == "a6fc73f329315c3e4fc6df3dcad52fbe"
