"""Whoever judges the past again, by the version that each fact names, comes to the same.

The rules run here on a log in memory, so that a whole history is judged twice in a moment.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from eventsourcing.dcb.api import DCBQuery
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.decisions import ASK_SIGNATURE, SERVE, SIGN
from services.consent.disputes import DISPUTE, Dispute
from services.consent.facts import VOCABULARY, DisputeChannel, SetFor, SharingGround
from services.consent.own_pages import ASK_PAGE, AskPage
from services.consent.phones import ENROL, Enrol
from services.consent.policies import (
    APPROVE,
    NOTICE,
    PROPOSE,
    Approve,
    Known,
    Propose,
    boundary,
    by_version,
    evolve,
    history,
    in_force,
    proposal,
)
from services.consent.policy import Policy
from services.consent.requests import ASK
from services.consent.separation import ALLOW_SHARING, AllowSharing
from shared.contracts.consent import Channel, Decision
from shared.contracts.evidence import Evidence
from shared.errors import Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, within
from tests.consent.test_rules_decisions import CODE, press, sign
from tests.consent.test_rules_requests import ask
from tests.support.given import AT
from tests.support.samples import DIRECTORY, QUESTION, SERVED, statement

HOUR = timedelta(hours=1)

Wish = Callable[[Policy], Any]
"""What is asked for, but for the policy that it is judged by."""


@dataclass
class Judged:
    """One wish, how much of the log it met, what came of it, and the version that was in force."""

    verb: Verb[Any, Any]
    wish: Wish
    head: int
    facts: Sequence[Any]
    held: int

    @property
    def named(self) -> set[int]:
        """Return the versions that its facts name."""
        return {one.policy_version for one in self.facts if hasattr(one, "policy_version")}

    @property
    def version(self) -> int:
        """Return the one version that its facts name; 0 where no policy was asked."""
        return max(self.named, default=0)


@dataclass
class Course:
    """A log, the time, and all that was judged."""

    log: list[Recorded] = field(default_factory=list)
    at: datetime = AT
    judged: list[Judged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.record(DIRECTORY)

    def record(self, facts: Iterable[Any]) -> None:
        """Put facts into the log."""
        for fact in facts:
            self.log.append(Recorded(len(self.log) + 1, self.at, fact))

    def policies(self) -> Any:
        """Return the policies of the log, with their starts."""
        known = Known()
        for recorded in self._of(DCBQuery(items=list(boundary())), len(self.log)):
            known = evolve(known, recorded)
        return history(known)

    def judge(self, verb: Verb[Any, Any], wish: Wish) -> Sequence[Any]:
        """Judge a wish by what is in force, and record what comes of it."""
        head = len(self.log)
        policy = in_force(self.policies(), self.at)
        facts = self.decide(verb, wish(policy), head)
        self.record(facts)
        self.judged.append(Judged(verb, wish, head, facts, policy.version))
        return facts

    def again(self, one: Judged, policy: Policy) -> Sequence[Any]:
        """Judge again what was judged, by a policy."""
        return self.decide(one.verb, one.wish(policy), one.head)

    def decide(self, verb: Verb[Any, Any], asked: Any, head: int) -> Sequence[Any]:
        """Return the facts that a wish leads to where the log goes as far as this."""
        met = self._of(DCBQuery(items=list(verb.boundary(asked))), head)
        try:
            return verb.decide(verb.fold(met), asked)
        except Rejection as no:
            return no.facts

    def _of(self, query: DCBQuery, head: int) -> list[Recorded]:
        return [one for one in self.log[:head] if within(query, one)]

    # -- what may be wished ---------------------------------------------------------------------

    def set(self, values: dict[str, int]) -> None:
        """Set a policy, and wait until it holds."""
        version, at = len(self.policies()) + 1, self.at
        whole = {**Policy().values(), **values}
        one = proposal(version, whole, at + NOTICE, SetFor.LAW, "operator:op")
        self.judge(PROPOSE, lambda _: Propose(proposal=one, at=at))
        place, by = len(self.log), "overseer:ubnd"
        self.judge(APPROVE, lambda _: Approve(version=version, position=place, by=by, at=at))
        self.at += NOTICE

    def ask(self, number: int, hours: int) -> None:
        """Put a question, with as long to answer as is said, or as policy gives for 0."""
        at = self.at

        def wish(policy: Policy) -> Any:
            given = hours * HOUR if hours else policy.decide_within(Channel.COUNTER)
            own = {"consent_id": f"q{number}", "asked_at": at, "decide_by": at + given}
            return replace(ask(QUESTION, **own), policy=policy, by_default=not hours)

        self.judge(ASK, wish)

    def press(self, number: int, decision: Decision) -> None:
        """Show the text, and have a code sent for a decision."""
        at, name = self.at, f"q{number}"
        self.judge(SERVE, lambda _: replace(SERVED, consent_id=name))

        def wish(policy: Policy) -> Any:
            start, end = policy.usable(at, None)
            times = {"issued_at": at, "not_before": start, "expires_at": end}
            said = statement(decision, consent_id=name, **times)
            return press(challenge_id=name, statement=said, at=at, policy=policy)

        self.judge(ASK_SIGNATURE, wish)

    def sign(self, number: int, evidence: Evidence | None) -> None:
        """Have the code come back, right or wrong."""
        at, name = self.at, f"q{number}"
        own = {"consent_id": name, "challenge_id": name, "evidence": evidence, "at": at}
        self.judge(SIGN, lambda policy: sign(policy=policy, **own))

    def dispute(self, number: int, _: object) -> None:
        """Say that it was not them."""
        at, name, by = self.at, f"q{number}", DisputeChannel.LINK
        self.judge(
            DISPUTE, lambda policy: Dispute(consent_id=name, channel=by, at=at, policy=policy)
        )

    def enrol(self, number: int, _: object) -> None:
        """Ask for another phone."""
        own: dict[str, Any] = {"enrolment_id": f"e{len(self.log)}", "citizen_id": "c1"}
        own |= {"number": "+84900000002", "phone_id": f"p{number}", "clerk_id": "k"}
        at = self.at
        self.judge(ENROL, lambda policy: Enrol(**own, asked_by="clerk:k", at=at, policy=policy))

    def share(self, number: int, _: object) -> None:
        """Let several sign with one phone."""
        own: dict[str, Any] = {"citizen_id": "c1", "phone_id": "p1", "bank_id": "cake"}
        own |= {"citizens_max": 2 * number, "ground": SharingGround.CARE}
        by = "operator:op"
        self.judge(ALLOW_SHARING, lambda policy: AllowSharing(**own, allowed_by=by, policy=policy))

    def look(self, number: int, _: object) -> None:
        """Ask for the own page."""
        at, name = self.at, f"c{number}"
        self.judge(ASK_PAGE, lambda policy: AskPage(citizen_id=name, at=at, policy=policy))


# -- what is played -----------------------------------------------------------------------------

NUMBERS = st.integers(1, 2)
VALUES = st.fixed_dictionaries(
    {
        "decide_within_counter": st.integers(1, 5).map(lambda hours: hours * 3_600),
        "decide_within_max": st.integers(5, 50).map(lambda hours: hours * 3_600),
        "family_phone_max": st.integers(1, 4),
        "phone_change_waits_for": st.sampled_from([86_400, 90_000]),
        "refusal_holds_for": st.integers(30, 32).map(lambda days: days * 86_400),
        "code_lives_for": st.sampled_from([60, 900]),
        "code_tries_max": st.integers(1, 3),
        "codes_per_hour_max": st.integers(1, 3),
    }
)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), NUMBERS, st.sampled_from([0, 20, 100])),
        st.tuples(st.just("press"), NUMBERS, st.sampled_from([Decision.GIVEN, Decision.REFUSED])),
        st.tuples(st.just("sign"), NUMBERS, st.sampled_from([None, None, CODE])),
        st.tuples(st.sampled_from(["dispute", "enrol", "share", "look"]), NUMBERS, st.none()),
        st.tuples(st.just("wait"), st.sampled_from([2, 60, 24 * 60, 31 * 24 * 60]), st.none()),
    ),
    max_size=12,
)


def play(course: Course, acts: list[tuple[str, int, Any]]) -> None:
    """Do one thing after the other."""
    for name, number, more in acts:
        if name == "wait":
            course.at += timedelta(minutes=number)
        else:
            getattr(course, name)(number, more)


@for_all(st.lists(st.tuples(VALUES, ACTS), min_size=2, max_size=3), ACTS)
def test_what_is_judged_again_comes_out_the_same(
    versions: list[tuple[dict[str, int], list[Any]]], first: list[Any]
) -> None:
    """Over a log of several versions, each by the version that its facts name."""
    course = Course()
    course.ask(1, 0)
    play(course, first)
    for values, acts in versions:
        course.set(values)
        play(course, acts)
    policies = by_version(course.policies())
    assert len(policies) == len(versions) + 1
    for one in course.judged:
        assert one.named <= {one.held}
        if one.facts:
            assert course.again(one, policies[one.version]) == one.facts


def fact_of(facts: Sequence[Any]) -> str:
    """Return the kind of the one fact, and its reasons if it is a no."""
    (fact,) = facts
    return " ".join([fact.NAME, *getattr(fact, "reasons", [])])


SHORT = {"decide_within_max": 2 * 86_400}
OTHERWISE: dict[str, tuple[list[tuple[str, int, Any]], dict[str, int], str, str]] = {
    "a question": (
        [("ask", 1, 100)],
        SHORT,
        "consent.requested.1",
        "request.rejected.1 decide_by_out_of_range",
    ),
    "a code typed": (
        [("ask", 1, 0), ("press", 1, Decision.GIVEN), ("sign", 1, None), ("sign", 1, CODE)],
        {"code_tries_max": 1},
        "consent.given.1",
        "signature.failed.1",
    ),
    "a phone shared": (
        [("share", 2, None)],
        {"family_phone_max": 3},
        "phone.sharing.allowed.1",
        "phone.rejected.1 sharing_above_cap",
    ),
}
"""What was done, what is policy later; what came of it, and what would come of it by that."""


@pytest.mark.parametrize("what", OTHERWISE)
def test_what_today_would_be_judged_otherwise_was_right(what: str) -> None:
    """By its own version it comes out as it did; by the one of today, as it would now."""
    acts, values, then, now = OTHERWISE[what]
    course = Course()
    play(course, acts)
    one = course.judged[-1]
    course.set(values)
    policies = by_version(course.policies())
    assert fact_of(course.again(one, policies[one.version])) == fact_of(one.facts) == then
    assert one.version == 0
    assert fact_of(course.again(one, policies[1])) == now


def test_a_refusal_holds_for_as_long_as_it_did_when_it_was_made() -> None:
    """What a fact says outlives the policy that it came from."""
    course = Course()
    play(course, [("ask", 1, 0), ("press", 1, Decision.REFUSED), ("sign", 1, CODE)])
    refused = course.log[-1].fact
    course.set({"refusal_holds_for": 31 * 86_400})
    course.at = refused.asking_again_from - timedelta(seconds=1)
    course.ask(2, 0)
    no = course.judged[-1].facts[0]
    assert (no.reasons, no.policy_version) == (["refused_before"], 1)
    course.at += timedelta(seconds=1)
    course.ask(2, 0)
    assert course.log[-1].fact.policy_version == 1


def test_a_call_repeated_under_the_next_policy_is_still_the_same() -> None:
    """Whoever names no time gets that of policy; the same call later adds nothing."""
    course = Course()
    course.ask(1, 0)
    course.set({"decide_within_counter": 3_600})
    course.ask(1, 0)
    assert course.judged[-1].facts == []
    course.ask(1, 20)
    assert fact_of(course.judged[-1].facts) == "request.rejected.1 consent_id_reused"
    course.share(1, None)
    course.set({"decide_within_counter": 7_200})
    course.share(1, None)
    assert course.judged[-1].facts == []


def test_facts_from_before_there_were_versions_are_of_version_0() -> None:
    """Their bytes name none."""
    old = b'{"citizen_id":"c","asked_at":"2023-08-09T00:00:00Z"}'
    assert VOCABULARY.decode("page.asked.1", old).policy_version == 0
