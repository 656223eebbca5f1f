"""What a bank does later: it freezes and closes what is its own, once, and nothing comes behind."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from services.accounts.answers import ANSWER
from services.accounts.facts import AccountClosed, AccountFrozenByBank
from services.accounts.orders import ORDER, Close, Freeze
from shared.errors import Rejection
from shared.ledger.states import state_text
from shared.message_signatures.requests import SignedRequest
from tests.accounts.test_rules_answers import CONFIRM, DECLINE, confirmed
from tests.accounts.test_rules_openings import opened
from tests.accounts.test_rules_stops import FROZEN
from tests.support.given import given

FREEZE = Freeze(opening_id="op1", bank_id="cake", reason="under_review")
CLOSE = Close(opening_id="op1", bank_id="cake", reason="at_request")
SIGNED = SignedRequest(method="PUT", target="t", fields={}, body="b", key={})


def done(*orders: Freeze | Close) -> list[Any]:
    """Return the facts of orders, one after the other, of what was opened."""
    facts: list[Any] = [opened()]
    for order in orders:
        facts += given(ORDER, *facts).when(order)
    return facts


@pytest.mark.parametrize("order", [FREEZE, CLOSE])
def test_the_bank_does_it_once(order: Freeze | Close) -> None:
    """However often it says so, with whatever signature; another reason is another order."""
    facts = done(order)
    assert [one.reason for one in facts[1:]] == [order.reason]
    for again in (order, replace(order, signed=SIGNED)):
        assert given(ORDER, *facts).when(again) == []
    code = "account_frozen" if isinstance(order, Freeze) else "account_closed"
    assert given(ORDER, *facts).rejected(replace(order, reason="another")) == [code]


def test_a_frozen_account_can_be_closed_and_a_closed_one_nothing() -> None:
    """It is not frozen, confirmed or declined any more; a frozen one is not confirmed."""
    facts = done(FREEZE, CLOSE)
    assert [type(one) for one in facts[1:]] == [AccountFrozenByBank, AccountClosed]
    assert given(ORDER, *done(CLOSE)).rejected(FREEZE) == ["account_closed"]
    assert given(ANSWER, *done(FREEZE)).rejected(CONFIRM) == ["account_frozen"]
    assert given(ANSWER, *done(CLOSE)).rejected(CONFIRM) == ["account_closed"]
    assert given(ANSWER, *done(CLOSE)).rejected(DECLINE) == ["account_closed"]
    assert given(ANSWER, *done(FREEZE)).when(DECLINE), "a no goes on being one"


@pytest.mark.parametrize("order", [FREEZE, CLOSE])
def test_what_was_confirmed_or_stopped_can_be_frozen_and_closed(order: Freeze | Close) -> None:
    """What the bank declined cannot: there is no account."""
    for facts in ([opened(), confirmed()], [opened(), replace(FROZEN, opening_id="op1")]):
        assert given(ORDER, *facts).when(order)
    declined = given(ANSWER, opened()).when(DECLINE)
    assert given(ORDER, opened(), *declined).rejected(order) == ["account_declined"]


@pytest.mark.parametrize("order", [FREEZE, CLOSE])
def test_another_banks_account_is_unknown(order: Freeze | Close) -> None:
    """And what is kept of the attempt does not say where that was made; of one's own it does."""
    for history, asked, place in (
        ([opened()], replace(order, bank_id="b2"), None),
        ([], order, None),
        ([*done(CLOSE)], replace(order, reason="another"), "o"),
    ):
        with pytest.raises(Rejection) as no:
            given(ORDER, *history).when(asked)
        (fact,) = no.value.facts
        assert fact.office_id == place
        assert fact.answer == ("frozen" if isinstance(order, Freeze) else "closed")
        assert (no.value.reasons[0].code == "opening_unknown") is (place is None)


ASKED = st.sampled_from([FREEZE, CLOSE, CONFIRM, DECLINE, replace(FREEZE, reason="another")])


@drawn(st.lists(ASKED, max_size=8))
def test_in_whatever_order_a_closure_is_the_last(asked: Sequence[Any]) -> None:
    """One closure at most, nothing of the bank's behind it, and never an account that it denied."""
    facts: list[Any] = [opened()]
    for one in asked:
        verb: Any = ORDER if isinstance(one, Freeze | Close) else ANSWER
        with suppress(Rejection):
            facts += given(verb, *facts).when(one)
    kinds = [type(one).__name__ for one in facts]
    assert len(kinds) == len(set(kinds))
    assert "AccountClosed" not in kinds[:-1]
    if "AccountDeclined" in kinds:
        assert kinds.index("AccountDeclined") == len(kinds) - 1
    if "AccountConfirmed" in kinds and "AccountFrozenByBank" in kinds:
        assert kinds.index("AccountConfirmed") < kinds.index("AccountFrozenByBank")


def test_a_state_in_which_no_bank_did_any_of_this_keeps_its_bytes() -> None:
    """So that digests taken before are those of today."""
    assert b"orders" not in state_text(given(ANSWER, opened(), confirmed()).state())
    assert b"orders" in state_text(given(ANSWER, *done(CLOSE)).state())
