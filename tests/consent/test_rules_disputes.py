"""“Not me” stops everything, once; finding a consent void takes two; accounts is told once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.consents import Consent, Standing, evolve
from services.consent.decisions import ASK_SIGNATURE, SIGN
from services.consent.disputes import DELIVER, DISPUTE, INVALIDATE, Deliver, Dispute, Invalidate
from services.consent.facts import (
    DisputeChannel,
    InvalidationProposed,
    StopDelivered,
    VoidFor,
)
from services.consent.policy import Policy
from services.consent.redemptions import REDEEM
from services.consent.requests import ASK
from shared.contracts.consent import Decision
from shared.errors import Rejection
from shared.ledger.facts import Recorded
from tests.consent.test_rules_decisions import press, redeem, sign
from tests.consent.test_rules_requests import SECOND, ask
from tests.support.given import AT, given
from tests.support.samples import (
    CONFIRMED,
    COOLING,
    DIRECTORY,
    DISPUTED,
    GIVEN,
    HANDED,
    QUESTION,
    REDEEMED,
    REFUSED,
    SERVED,
    WAITING,
    WITHDRAWN,
    asked,
)


def dispute(**changes: Any) -> Dispute:
    """Return a press on the button."""
    whole = Dispute(consent_id="q1", channel=DisputeChannel.LINK, at=AT, policy=Policy())
    return replace(whole, **changes)


def invalidate(**changes: Any) -> Invalidate:
    """Return what a bank finds."""
    whole = Invalidate(consent_id="q1", case_id="case-1", why=VoidFor.FORCED, by="bank:cake")
    return replace(whole, **changes)


PROPOSED = InvalidationProposed(
    consent_id="q1",
    bank_id="cake",
    case_id="case-1",
    why=VoidFor.FORCED,
    proposed_by="bank:cake",
)


@pytest.mark.parametrize(
    "history", [[], [SERVED], [GIVEN], [WAITING], [WAITING, CONFIRMED], [COOLING], [REFUSED]]
)
def test_everything_that_was_asked_can_be_disputed_once(history: list[Any]) -> None:
    """Answered or not, used or not: one fact, and the same again none."""
    assert given(DISPUTE, QUESTION, *history).when(dispute()) == [DISPUTED]
    assert given(DISPUTE, QUESTION, *history, DISPUTED).when(dispute()) == []


def test_a_dispute_names_the_use_that_came_before_it() -> None:
    """Whoever reads the fact sees where the consent had been used."""
    (fact,) = given(DISPUTE, QUESTION, GIVEN, REDEEMED).when(dispute())
    assert fact.used_at == 3
    with pytest.raises(Rejection, match="consent_unknown"):
        given(DISPUTE).when(dispute())


HISTORIES = [QUESTION, SERVED, asked(), GIVEN, WAITING, CONFIRMED, REFUSED, WITHDRAWN, REDEEMED]


@for_all(
    before=st.lists(st.sampled_from(HISTORIES)),
    after=st.lists(st.sampled_from(HISTORIES)),
    hours=st.integers(0, 100),
)
def test_nothing_after_a_dispute_is_decided_or_used(
    before: list[Any], after: list[Any], hours: int
) -> None:
    """Whatever happened and happens: no signature, no use, and the standing stays."""
    at = AT + timedelta(hours=hours)
    history = [QUESTION, *before, DISPUTED, *after]
    state = Consent()
    for number, one in enumerate(history, start=1):
        state = evolve(state, Recorded(number, AT, one))
    assert state.standing(at) is Standing.DISPUTED
    for decision in Decision:
        codes = given(ASK_SIGNATURE, *history).rejected(
            press(decision, at=at, challenge_id="never-sent")
        )
        assert "consent_disputed" in codes
    signing = given(SIGN, *history, asked(challenge_id="late"))
    with pytest.raises(Rejection) as no:
        signing.when(sign(challenge_id="late", at=AT))
    assert no.value.reasons[0].code == "consent_disputed"
    with pytest.raises(Rejection):
        given(REDEEM, *history).when(redeem(redemption_id="another", at=at))


def test_whom_a_dispute_keeps_from_asking() -> None:
    """The same bank or office, for the period; another bank online is free."""
    history = given(ASK, *DIRECTORY, QUESTION, DISPUTED)
    assert history.rejected(ask(SECOND)) == ["disputed_before"]
    later = {"asked_at": DISPUTED.asking_again_from}
    late = ask(SECOND, **later, decide_by=later["asked_at"] + timedelta(hours=1))
    assert len(history.when(late)) == 1


def test_it_takes_two_organisations_to_find_a_consent_void() -> None:
    """The first proposes, another carries it out; the same one again is told so."""
    assert given(INVALIDATE, QUESTION, GIVEN).when(invalidate()) == [PROPOSED]
    proposed = given(INVALIDATE, QUESTION, GIVEN, PROPOSED)
    assert proposed.rejected(invalidate()) == ["four_eyes_required"]
    (fact,) = proposed.when(invalidate(by="regulator:nhnn"))
    assert (fact.proposed_by, fact.approved_by) == ("bank:cake", "regulator:nhnn")
    assert given(INVALIDATE, QUESTION, GIVEN, PROPOSED, fact).when(invalidate()) == []
    assert given(REDEEM, QUESTION, GIVEN, *HANDED, fact).rejected(redeem()) == [
        "consent_invalidated"
    ]


@pytest.mark.parametrize("changes", [{"case_id": "case-2"}, {"why": VoidFor.NO_CAPACITY}])
def test_two_who_say_different_things_have_not_agreed(changes: dict[str, Any]) -> None:
    """Another case, or another reason, is a proposal of its own."""
    other = invalidate(by="regulator:nhnn", **changes)
    (fact,) = given(INVALIDATE, QUESTION, GIVEN, PROPOSED).when(other)
    assert isinstance(fact, InvalidationProposed)


@pytest.mark.parametrize("by", ["bank:other", "clerk:k", "service:accounts"])
def test_whose_business_it_is(by: str) -> None:
    """The consent's own bank and the regulator; to others there is no such consent."""
    assert given(INVALIDATE, QUESTION, GIVEN).rejected(invalidate(by=by)) == ["consent_unknown"]


def test_a_stop_is_delivered_once() -> None:
    """However often accounts hears of it, one fact says that it did."""
    told = Deliver(consent_id="q1", accounts_position=7)
    fact = StopDelivered(consent_id="q1", accounts_position=7)
    assert given(DELIVER).when(told) == [fact]
    assert given(DELIVER, fact).when(told) == []
