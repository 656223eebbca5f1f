"""A clock that is behind: what ended stays ended, and nothing begins because another is ahead."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.decisions import ASK_SIGNATURE, SIGN
from services.consent.gate import RIGHTS, Act
from services.consent.redemptions import REDEEM
from services.consent.requests import ASK
from services.consent.submissions import CAPTURE, SUBMIT
from shared.contracts.consent import Decision
from shared.errors import Rejection
from shared.ledger.log import Timed
from tests.consent.test_rules_decisions import press, redeem, sign
from tests.consent.test_rules_gate import lifted, suspended
from tests.consent.test_rules_requests import ask
from tests.consent.test_rules_submissions import HERE, capture, submit
from tests.support.given import AT, Given, given
from tests.support.samples import (
    CAPTURED,
    COOLING,
    DIRECTORY,
    GIVEN,
    HANDED,
    QUESTION,
    REFUSED,
    SERVED,
    SUBMITTED,
    WAITING,
    asked,
)
from tests.support.samples import RIGHTS as IN_FORCE

ACT = Act.of(QUESTION)
INSTANT = timedelta(microseconds=1)
SPANS = st.timedeltas(timedelta(0), timedelta(days=30))
EDGES = [(-INSTANT, True), (timedelta(0), False), (INSTANT, False)]
"""By how much the log's time is behind an end, and whether what ends is still good."""

ACTS: dict[str, tuple[Given, Timed]] = {
    "asking": (given(ASK, *HERE), ask()),
    "capturing": (given(CAPTURE, *HERE, QUESTION, GIVEN), capture()),
    "submitting": (given(SUBMIT, *HERE, QUESTION, GIVEN, CAPTURED), submit()),
    "using": (given(REDEEM, *HERE, QUESTION, GIVEN, *HANDED), redeem(act=ACT)),
}
"""Whatever goes through the gate, by clocks that say AT."""


def ends(act: str, fact: Any, behind: timedelta, after: timedelta) -> list[str]:
    """Return why an act is refused whose clock is `behind` (AT) what ended a right, by the log.

    The fact is recorded when the right ends; the log went on since.
    """
    verb, put = ACTS[act]
    ended_at = AT + behind
    ended = replace(fact, valid_until=ended_at)
    history = [*verb.facts, ended]
    return given(verb.verb, *history).rejected(replace(put, log_at=ended_at + after))


@pytest.mark.parametrize("act", ACTS)
@for_all(fact=st.sampled_from(IN_FORCE), behind=SPANS, after=SPANS)
def test_a_right_that_ended_has_ended_for_every_clock(
    act: str, fact: Any, behind: timedelta, after: timedelta
) -> None:
    """Whatever lies behind the fact that ended it, whoever's clock is how far behind."""
    assert RIGHTS[fact.right].code in ends(act, fact, behind, after)


def test_ten_minutes_behind() -> None:
    """The contract ended at 11:25; a process that thinks it 11:15 reads so, and opens nothing."""
    contract, behind = IN_FORCE[1], timedelta(minutes=10)
    assert ends("using", contract, behind, timedelta(0)) == ["contract_missing"]
    device = HERE[-1]
    assert ends("capturing", device, behind, timedelta(0)) == ["device_not_registered"]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("from_end", "good"), EDGES)
def test_the_edge_is_the_logs_to_the_microsecond(act: str, from_end: timedelta, good: Any) -> None:
    """Its time before an end, at it and after it: where the process's clock is behind."""
    verb, put = ACTS[act]
    end = AT + timedelta(minutes=10)
    late = replace(put, log_at=end + from_end)
    verb = given(verb.verb, *verb.facts, replace(IN_FORCE[1], valid_until=end))
    if good:
        assert len(verb.when(late)) == 1
    else:
        assert verb.rejected(late) == ["contract_missing"]


@pytest.mark.parametrize(("from_end", "good"), EDGES)
def test_an_agreement_ends_by_the_logs_time(from_end: timedelta, good: Any) -> None:
    """It is not used, captured for or handed in any more, nor confirmed; a clock says otherwise."""
    log_at = GIVEN.statement.expires_at + from_end
    for act in ("capturing", "submitting", "using"):
        verb, put = ACTS[act]
        late = replace(put, log_at=log_at)
        assert len(verb.when(late)) == 1 if good else verb.rejected(late) == ["consent_expired"]
    waits = WAITING.statement
    verb = given(ASK_SIGNATURE, QUESTION, SERVED, WAITING, CAPTURED, SUBMITTED)
    confirming = press(Decision.CONFIRMED, at=waits.not_before, log_at=waits.expires_at + from_end)
    assert (
        len(verb.when(confirming)) == 1
        if good
        else verb.rejected(confirming) == ["request_expired"]
    )


@pytest.mark.parametrize(("from_end", "good"), EDGES)
def test_questions_and_codes_end_by_the_logs_time(from_end: timedelta, good: Any) -> None:
    """Nobody agrees when the time to decide is over, nor with a code that is."""
    pressing = press(log_at=QUESTION.decide_by + from_end)
    verb = given(ASK_SIGNATURE, QUESTION, SERVED)
    assert len(verb.when(pressing)) == 1 if good else verb.rejected(pressing) == ["request_expired"]
    signing = sign(log_at=asked().expires_at + from_end)
    verb = given(SIGN, QUESTION, SERVED, asked())
    if good:
        assert len(verb.when(signing)) == 1
    else:
        with pytest.raises(Rejection, match="code_expired"):
            verb.when(signing)


@for_all(ahead=SPANS)
def test_nothing_begins_by_the_logs_time(ahead: timedelta) -> None:
    """Another clock that is ahead ends no time to think it over, no refusal, no suspension."""
    log_at = AT + ahead
    using = redeem(act=ACT, statement_hash=COOLING.statement_hash, log_at=log_at)
    codes = given(REDEEM, *DIRECTORY, QUESTION, COOLING, *HANDED).rejected(using)
    assert "consent_not_yet" in codes
    asking = replace(ask(consent_id="q2"), log_at=log_at)
    assert given(ASK, *DIRECTORY, QUESTION, REFUSED).rejected(asking) == ["refused_before"]
    stopped = suspended("office")
    facts = [*DIRECTORY, stopped, lifted(stopped, AT + INSTANT)]
    assert given(ASK, *facts).rejected(replace(ask(), log_at=log_at)) == ["office_suspended"]
    begins = replace(IN_FORCE[0], valid_from=AT + INSTANT)
    assert given(ASK, *DIRECTORY, begins).rejected(replace(ask(), log_at=log_at)) == [
        "office_not_registered"
    ]
    confirming = press(Decision.CONFIRMED, log_at=log_at)
    verb = given(ASK_SIGNATURE, QUESTION, SERVED, WAITING, CAPTURED, SUBMITTED)
    early = "confirmation_too_early" if log_at < WAITING.statement.expires_at else "request_expired"
    assert verb.rejected(confirming) == [early]


@pytest.mark.parametrize("act", ACTS)
@for_all(behind=SPANS)
def test_a_suspension_holds_for_every_clock(act: str, behind: timedelta) -> None:
    """It has no time: whatever lies behind it is refused, however wrong anybody's clock is."""
    verb, put = ACTS[act]
    stopped = given(verb.verb, *verb.facts, suspended("office"))
    assert "office_suspended" in stopped.rejected(replace(put, log_at=AT + behind))
