"""A stop and an opening, in either order: no account stays open."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.accounts.answers import ANSWER, Confirm, Decline
from services.accounts.facts import AccountFrozen, StopReceived
from services.accounts.openings import JUDGE, RECORD, Record
from services.accounts.stops import HALT, Halt
from shared.contracts.consent import ACCOUNTS, Stop, StopReason
from tests.accounts.test_rules_openings import opened
from tests.support.given import AT, given
from tests.support.samples import judged, receipt

STOP = Stop(
    iss="consent",
    aud=ACCOUNTS,
    iat=int(AT.timestamp()),
    consent_id="q1",
    citizen_id="c1",
    bank_id="cake",
    reason=StopReason.DISPUTED,
    position=9,
    recorded_at=AT,
)
HALTED = Halt(stop=STOP, token="jws")
RECEIVED = StopReceived(
    consent_id="q1", citizen_id="c1", bank_id="cake", reason="consent_disputed", stop="jws"
)
FROZEN = AccountFrozen(
    opening_id="op1",
    consent_id="q1",
    citizen_id="c1",
    bank_id="cake",
    office_id="o",
    clerk_id="k",
    reason="consent_disputed",
)


def test_what_was_opened_is_frozen_once() -> None:
    """One fact for the stop, one for each account; the same again adds nothing."""
    assert given(HALT).when(HALTED) == [RECEIVED]
    assert given(HALT, opened()).when(HALTED) == [RECEIVED, FROZEN]
    assert given(HALT, opened(), RECEIVED, FROZEN).when(HALTED) == []
    assert given(HALT, RECEIVED, opened()).when(HALTED) == [FROZEN], "one that slipped through"


@pytest.mark.parametrize("reason", StopReason)
def test_a_stopped_consent_opens_nothing(reason: StopReason) -> None:
    """Neither when it is judged, nor when it was redeemed before the stop came."""
    stopped = replace(RECEIVED, reason=reason)
    assert given(JUDGE, stopped).rejected(judged()) == [reason]
    record = Record(judged=judged(), receipt=receipt(), receipt_token="r")
    assert given(RECORD, stopped).rejected(record) == [reason]


def test_the_bank_does_not_confirm_what_is_frozen() -> None:
    """It may still decline."""
    confirm = Confirm(opening_id="op1", bank_id="cake", account_id="m", account_end="1")
    assert given(ANSWER, opened(), FROZEN).rejected(confirm) == ["account_frozen"]
    decline = Decline(opening_id="op1", bank_id="cake", reason="frozen")
    assert len(given(ANSWER, opened(), FROZEN).when(decline)) == 1


@for_all(order=st.permutations(["stop", "record", "stop", "record"]))
def test_in_any_order_no_account_stays_open(order: list[str]) -> None:
    """After both have happened, whatever is opened is frozen."""
    facts: list[Any] = []
    record = Record(judged=judged(), receipt=receipt(), receipt_token="r")
    for act in order:
        if act == "stop":
            facts += given(HALT, *facts).when(HALTED)
        elif not any(isinstance(one, StopReceived) for one in facts):
            facts += given(RECORD, *facts).when(record)
    opened_ids = {one.opening_id for one in facts if type(one).__name__ == "AccountOpened"}
    frozen_ids = {one.opening_id for one in facts if isinstance(one, AccountFrozen)}
    assert opened_ids == frozen_ids
    assert facts.count(RECEIVED) == 1
