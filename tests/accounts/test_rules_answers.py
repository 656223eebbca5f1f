"""The bank's answer: only its own, only once, one number for one account."""

from dataclasses import replace
from typing import Any

import pytest

from services.accounts.answers import ANSWER, Confirm, Decline
from services.accounts.facts import AccountConfirmed, AccountDeclined
from shared.errors import Rejection
from tests.accounts.test_rules_openings import opened
from tests.support.given import given

CONFIRM = Confirm(opening_id="op1", bank_id="cake", account_id="mark", account_end="6789")
DECLINE = Decline(opening_id="op1", bank_id="cake", reason="no")


def confirmed(**changes: Any) -> AccountConfirmed:
    """Return the fact of a confirmation."""
    fields = {"opening_id": "op1", "account_id": "mark"} | changes
    return AccountConfirmed(citizen_id="c1", bank_id="cake", account_end="6789", **fields)


def test_the_bank_confirms_once() -> None:
    """A confirmation is a fact; the same again adds nothing."""
    assert given(ANSWER, opened()).when(CONFIRM) == [confirmed()]
    assert given(ANSWER, opened(), confirmed()).when(CONFIRM) == []


def test_the_bank_declines_once() -> None:
    """So is a no."""
    (fact,) = given(ANSWER, opened()).when(DECLINE)
    assert isinstance(fact, AccountDeclined)
    assert given(ANSWER, opened(), fact).when(DECLINE) == []


def test_an_answer_is_not_taken_back() -> None:
    """Neither a yes nor a no turns into the other."""
    declined = given(ANSWER, opened()).when(DECLINE)
    assert given(ANSWER, opened(), confirmed()).rejected(DECLINE) == ["already_answered"]
    assert given(ANSWER, opened(), *declined).rejected(CONFIRM) == ["already_answered"]


def test_only_the_bank_of_the_opening_answers() -> None:
    """For any other bank, the opening does not exist."""
    stranger = Confirm(opening_id="op1", bank_id="b2", account_id="mark", account_end="6789")
    assert given(ANSWER, opened()).rejected(stranger) == ["opening_unknown"]
    assert given(ANSWER).rejected(CONFIRM) == ["opening_unknown"]


def test_a_number_is_one_account() -> None:
    """A number that another opening has is not taken twice."""
    other = confirmed(opening_id="op2")
    assert given(ANSWER, opened(), other).rejected(CONFIRM) == ["account_number_used"]


def test_a_rejected_answer_says_where_only_to_its_own_bank() -> None:
    """Another bank learns of the office and the clerk of an opening nothing by its own attempt."""
    for bank_id, place in (("cake", ("o", "s", "k")), ("b2", (None, None, None))):
        with pytest.raises(Rejection) as no:
            given(ANSWER, opened(), confirmed()).when(replace(DECLINE, bank_id=bank_id))
        (fact,) = no.value.facts
        assert (fact.office_id, fact.site_id, fact.clerk_id) == place
