"""Policy as facts: two who set it, well before it holds, within bounds, and never backwards."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.bounds import BOUNDS, ORDERS, out_of_bounds
from services.consent.facts import PolicyProposed, PolicySet, SetFor
from services.consent.policies import (
    AHEAD_MAX,
    APPROVE,
    KNOWN_FOR,
    NOTICE,
    PROPOSE,
    Approve,
    Known,
    Propose,
    by_version,
    evolve,
    history,
    in_force,
    proposal,
)
from services.consent.policy import VALUES, Policy
from shared.errors import Rejection
from shared.ledger.facts import Recorded
from tests.support.given import AT, given

OPERATOR, OVERSEER = "operator:op", "overseer:ubnd"
INSTANT = timedelta(microseconds=1)
BUILT_IN = Policy().values()
START = AT + NOTICE


def wanted(version: int = 1, start: datetime = START, **changes: Any) -> PolicyProposed:
    """Return a proposal of the operator's, with these values changed."""
    by, values = changes.pop("by", OPERATOR), changes.pop("values", BUILT_IN)
    return proposal(version, {**values, **changes}, start, SetFor.MISUSE, by)


def propose(one: PolicyProposed, at: datetime = AT) -> Propose:
    """Return the wish for it."""
    return Propose(proposal=one, at=at)


def approve(version: int = 1, position: int = 1, by: str = OVERSEER, at: datetime = AT) -> Approve:
    """Return the word of an overseer."""
    return Approve(version=version, position=position, by=by, at=at)


def made(one: PolicyProposed, by: str = OVERSEER) -> PolicySet:
    """Return the fact that it is set."""
    names = [name for name in PolicyProposed.__dataclass_fields__ if name != "proposed_by"]
    said = {name: getattr(one, name) for name in names}
    return PolicySet(**said, proposed_by=one.proposed_by, approved_by=by)


# -- values -------------------------------------------------------------------------------------

VERSION_0 = {
    "decide_within_counter": 86_400,
    "decide_within_online": 300,
    "decide_within_max": 604_800,
    "usable_for": 3_600,
    "settles_after": 86_400,
    "citizens_per_phone_max": 1,
    "family_phone_max": 5,
    "phone_change_waits_for": 259_200,
    "confirm_after": 1_800,
    "confirm_within": 259_200,
    "cooling_off": 259_200,
    "usable_after_cooling_off": 86_400,
    "refusal_holds_for": 7_776_000,
    "authority_told_within": 259_200,
    "code_lives_for": 300,
    "page_lives_for": 900,
    "invitation_lives_for": 259_200,
    "witnesses_sign_within": 7_200,
    "code_tries_max": 5,
    "codes_per_hour_max": 5,
    "device_clock_ahead_max": 300,
}
"""What was released as version 0: it only grows, and no line of it ever changes."""


def test_version_0_never_changes() -> None:
    """Facts that name no version were judged by it; what is to change is set, as a fact."""
    assert BUILT_IN == VERSION_0
    assert Policy().version == 0


VALUES_WITHIN = st.fixed_dictionaries(
    {name: st.integers(bound.least, bound.most) for name, bound in BOUNDS.items()}
)


@for_all(st.integers(0, 99), VALUES_WITHIN)
def test_a_policy_is_its_values_and_back(version: int, values: dict[str, int]) -> None:
    """Whatever they are; and what a fact does not name is as in version 0."""
    policy = Policy.of(version, values)
    assert (policy.version, policy.values()) == (version, values)
    assert Policy.of(version, {}) == replace(Policy(), version=version)
    assert Policy.of(version, {**values, "from_later": 1}) == policy


def test_every_value_has_a_bound_with_its_reason() -> None:
    """None is left out, none has no room, and version 0 is within."""
    assert BOUNDS.keys() == VALUES.keys()
    assert all(0 < bound.least < bound.most and bound.why for bound in BOUNDS.values())
    assert list(out_of_bounds(BUILT_IN)) == []


@pytest.mark.parametrize("name", BOUNDS)
def test_no_value_goes_beyond_its_bound(name: str) -> None:
    """One less than the least, and one more than the most, is told by name, and recorded."""
    least, most, _ = BOUNDS[name]
    for value in (least - 1, most + 1):
        one = wanted(values={**BUILT_IN, name: value})
        with pytest.raises(Rejection) as no:
            given(PROPOSE).when(propose(one))
        assert {reason.code for reason in no.value.reasons} == {"policy_out_of_bounds"}
        said = no.value.facts[0].out_of_bounds
        assert f"{name}: {least} to {most}" in said
        approved = given(APPROVE, one).rejected(approve())
        assert "policy_out_of_bounds" in approved
    for value in (least, most):
        assert not [one for one in out_of_bounds({**BUILT_IN, name: value}) if " to " in one]


@pytest.mark.parametrize("order", ORDERS)
def test_no_value_is_more_than_one_that_must_be_more(order: Any) -> None:
    """Equal is enough; one more is too much."""
    common = max(BOUNDS[order.lesser].least, BOUNDS[order.greater].least)
    even = {**BUILT_IN, order.lesser: common, order.greater: common}
    assert not [one for one in out_of_bounds(even) if one.startswith(order.lesser)]
    over = {**even, order.lesser: common + 1}
    assert f"{order.lesser}: at most {order.greater}" in list(out_of_bounds(over))


# -- two who set it -----------------------------------------------------------------------------


def test_an_operator_proposes_and_an_overseer_approves() -> None:
    """Both are facts, and the same again adds none."""
    one = wanted(confirm_after=3_600)
    assert given(PROPOSE).when(propose(one)) == [one]
    assert given(PROPOSE, one).when(propose(one, AT + AHEAD_MAX)) == []
    assert given(APPROVE, one).when(approve()) == [made(one)]
    for by in (OVERSEER, "overseer:other"):
        assert given(APPROVE, one, made(one)).when(approve(by=by, at=START)) == []
    assert given(PROPOSE, one, made(one)).when(propose(one, START)) == []


REJECTED: dict[str, tuple[list[Any], Any, list[str]]] = {
    "another's proposal": ([], propose(wanted(by="bank:cake")), ["not_entitled"]),
    "the operator's own approval": (
        [wanted()],
        approve(by=OPERATOR),
        ["not_entitled", "four_eyes_required"],
    ),
    "one organisation": ([wanted()], approve(by="overseer:op"), ["four_eyes_required"]),
    "nothing to approve": ([], approve(), ["proposal_unknown"]),
    "of another version": ([wanted()], approve(2), ["proposal_unknown"]),
    "a proposal that was replaced": (
        [wanted(), wanted(code_tries_max=3)],
        approve(),
        ["proposal_replaced"],
    ),
    "a version that is set": (
        [wanted(), made(wanted())],
        propose(wanted(code_tries_max=3)),
        ["policy_version_taken"],
    ),
    "a second approval of it": (
        [wanted(), wanted(code_tries_max=3), made(wanted(code_tries_max=3))],
        approve(),
        ["policy_version_taken", "proposal_replaced"],
    ),
    "a version too far": ([], propose(wanted(2)), ["policy_version_skips"]),
    "too soon": ([], propose(wanted(start=START - INSTANT)), ["policy_notice"]),
    "too late to approve": ([wanted()], approve(at=AT + INSTANT), ["policy_notice"]),
    "too far ahead": ([], propose(wanted(start=AT + AHEAD_MAX + INSTANT)), ["policy_notice"]),
    "not after the one before": (
        [wanted(), made(wanted())],
        propose(wanted(2)),
        ["policy_backwards"],
    ),
    "not all values": (
        [],
        propose(replace(wanted(), values={"code_tries_max": 3})),
        ["policy_not_whole"],
    ),
    "one value too many": ([], propose(wanted(made_up=1)), ["policy_not_whole"]),
}


@pytest.mark.parametrize("what", REJECTED)
def test_nothing_else_is_set(what: str) -> None:
    """Each alone, with its reasons, and a fact that has them."""
    facts, asked, reasons = REJECTED[what]
    verb: Any = PROPOSE if isinstance(asked, Propose) else APPROVE
    assert given(verb, *facts).rejected(asked) == reasons


AHEAD = st.sampled_from([NOTICE, 2 * NOTICE, 9 * NOTICE, AHEAD_MAX, 2 * AHEAD_MAX, NOTICE / 2])
STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 0, 2]),
        AHEAD,
        st.sampled_from([OPERATOR, OPERATOR, "bank:cake"]),
        st.sampled_from([OVERSEER, OVERSEER, "overseer:op", OPERATOR]),
        st.sampled_from([0, 0, NOTICE / 3, 3 * NOTICE, AHEAD_MAX]),
        st.integers(0, 2),
    ),
    max_size=12,
)
"""Which version to ask for, counted from the last; how far ahead; who; after which pause."""


@for_all(STEPS)
@example([(1, NOTICE, OPERATOR, OVERSEER, timedelta(0), 0)] * 2)
@example([(1, hours * NOTICE, OPERATOR, OVERSEER, timedelta(0), 0) for hours in (1, 2, 3)])
def test_whatever_is_tried_policy_has_one_course(steps: list[tuple[Any, ...]]) -> None:
    """Versions without gaps, by two, each later than the one before, and with its notice."""
    known, log, at = Known(), list[Recorded](), AT

    def perform(verb: Any, asked: Any) -> None:
        nonlocal known
        try:
            facts = verb.decide(known, asked)
        except Rejection as no:
            facts = no.facts
        for fact in facts:
            log.append(Recorded(len(log) + 1, at, fact))
            if isinstance(fact, (PolicyProposed, PolicySet)):
                known = evolve(known, log[-1])

    for step, ahead, proposer, approver, pause, back in steps:
        version = len(known.was_set) + step
        at += pause or timedelta(0)
        perform(PROPOSE, propose(wanted(version, at + ahead, by=proposer), at))
        positions = [*known.proposed][-1 - back :]
        perform(APPROVE, approve(version, positions[0] if positions else 1, approver, at))
    sets = [one for one in log if isinstance(one.fact, PolicySet)]
    assert [one.fact.version for one in sets] == list(range(1, len(sets) + 1))
    starts = [one.fact.valid_from for one in sets]
    assert starts == sorted(set(starts))
    assert all(one.recorded_at + NOTICE <= one.fact.valid_from for one in sets)
    assert all(one.fact.proposed_by == OPERATOR for one in sets)
    assert all(one.fact.approved_by == OVERSEER for one in sets)


# -- what holds ---------------------------------------------------------------------------------


def known_sets(waits: list[tuple[timedelta, timedelta]]) -> tuple[Known, list[Recorded]]:
    """Return versions, each so long after the one before, recorded so long before its start."""
    known, start = Known(), AT
    for version, (later, lay) in enumerate(waits, start=1):
        start += later
        fact = made(wanted(version, start, code_tries_max=version))
        known = evolve(known, Recorded(version, start - lay, fact))
    return known, list(known.was_set)


HOURS = st.integers(1, 40).map(lambda minutes: timedelta(minutes=minutes))


@for_all(st.lists(st.tuples(HOURS, HOURS), max_size=6), st.integers(-10, 300))
def test_the_version_of_an_instant_is_the_last_that_began(
    waits: list[tuple[timedelta, timedelta]], minutes: int
) -> None:
    """Of those that lay in the log for long enough; what came too late never holds."""
    known, sets = known_sets(waits)
    at = AT + timedelta(minutes=minutes)
    began = [
        one.fact.version for one in sets if one.recorded_at + KNOWN_FOR <= one.fact.valid_from <= at
    ]
    dated = history(known)
    assert in_force(dated, at).version == (began[-1] if began else 0)
    assert in_force(dated, at) == by_version(dated)[began[-1] if began else 0]
    later = in_force(dated, at + timedelta(minutes=5)).version
    assert later >= in_force(dated, at).version


def test_a_version_holds_from_its_first_instant() -> None:
    """And not one sooner; it says its values."""
    known, _ = known_sets([(NOTICE, NOTICE)])
    dated = history(known)
    assert in_force(dated, START - INSTANT) == Policy()
    assert in_force(dated, START) == replace(Policy(), version=1, code_tries_max=1)


def test_what_came_too_late_never_holds() -> None:
    """A process that stood still between deciding and recording makes nothing policy."""
    for lay, version in ((KNOWN_FOR, 1), (KNOWN_FOR - INSTANT, 0)):
        known, _ = known_sets([(NOTICE, lay)])
        assert in_force(history(known), START + AHEAD_MAX).version == version


def test_values_are_a_mapping_of_names() -> None:
    """As a fact holds them: whole seconds and counts, nothing else."""
    values: Mapping[str, int] = Policy().values()
    assert all(type(one) is int for one in values.values())
