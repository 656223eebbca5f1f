"""The checks between a command and an account, each alone, together, and at their edges."""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec import UNSET

from services.accounts.facts import AccountOpened, OpeningRejected
from services.accounts.openings import (
    COMPARED,
    JUDGE,
    RECORD,
    REJECT,
    UNREAD,
    Record,
    Reject,
    Unread,
)
from shared.contracts.consent import ACCOUNTS, ConsentEvent, Decision, Waits
from shared.errors import Reason, Rejection, Unavailable
from tests.support.given import AT, given
from tests.support.samples import ORDER, event, judged, receipt, statement

OTHER = dict.fromkeys(COMPARED, "other") | {"terms_hash": "d" * 64}


def opened(**changes: Any) -> AccountOpened:
    """Return the fact that ORDER leads to."""
    record = Record(judged=judged(), receipt=receipt(), receipt_token="r")
    fact: AccountOpened = given(RECORD).when(record)[0]
    return replace(fact, **changes)


def test_what_matches_goes_on() -> None:
    """A command that is what the citizen signed has nothing against it."""
    assert given(JUDGE).when(judged()) == []


@pytest.mark.parametrize("name", COMPARED)
def test_each_field_must_be_the_signed_one(name: str) -> None:
    """Checks 4 to 8: one field that differs is named, and it alone."""
    command = replace(ORDER, **{name: OTHER[name]})
    reasons = given(JUDGE).rejected(judged(command))
    assert COMPARED[name] in reasons
    assert set(reasons) <= {COMPARED[name], "not_own_bank"}


@pytest.mark.parametrize("pair", list(combinations(COMPARED, 2)))
def test_every_pair_is_named_together(pair: tuple[str, str]) -> None:
    """Of what differs, everything is told, not the first."""
    command = replace(ORDER, **{name: OTHER[name] for name in pair})
    assert {COMPARED[name] for name in pair} <= set(given(JUDGE).rejected(judged(command)))


def test_everything_at_once() -> None:
    """All checks from 4 to 10 can fail in one answer."""
    command = replace(ORDER, **OTHER)
    asked = judged(command, at=AT + timedelta(hours=2))
    reasons = given(JUDGE, replace(opened(), opening_id="op0")).rejected(asked)
    assert set(reasons) == {*COMPARED.values(), "not_own_bank", "consent_expired", "consent_used"}


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        (Reason("consent_missing"), "consent_missing"),
        (Reason("signature_invalid"), "signature_invalid"),
        (event(iss="someone"), "audience_differs"),
        (event(aud=["cake"]), "audience_differs"),
        (event(aud=[ACCOUNTS]), "audience_differs"),
        (event(statement(Decision.REFUSED)), "decision_differs"),
        (event(statement(Decision.WITHDRAWN)), "decision_differs"),
        (event(sub="c2"), "statement_differs"),
        (event(statement_hash="e" * 64), "statement_differs"),
    ],
)
def test_a_document_that_proves_nothing_is_not_compared(evidence: Any, code: str) -> None:
    """Checks 1 to 3 stop at what makes the document worthless."""
    command = replace(ORDER, citizen_id="c2")
    assert given(JUDGE).rejected(judged(command, evidence=evidence)) == [code]


def test_a_purpose_that_is_not_an_account_opens_none() -> None:
    """Check 7: agreeing on another purpose together does not make it an account."""
    signed = event(statement(purpose="electricity-contract"))
    command = replace(ORDER, purpose="electricity-contract")
    assert given(JUDGE).rejected(judged(command, evidence=signed)) == ["purpose_differs"]


def confirmed_event(**changes: Any) -> ConsentEvent:
    """Return the event of an agreement at a counter that was confirmed half an hour later."""
    agreed = statement(
        waits_for=Waits.CONFIRMATION,
        not_before=AT + timedelta(minutes=30),
        expires_at=AT + timedelta(hours=72),
    )
    later = AT + timedelta(minutes=30)
    second = statement(
        Decision.CONFIRMED,
        supersedes=agreed.statement_id,
        not_before=later,
        expires_at=later + timedelta(hours=1),
        **changes,
    )
    return event(agreed, confirmation=second, confirmation_hash=second.hash())


def test_a_confirmed_agreement_opens_within_the_times_of_its_confirmation() -> None:
    """Not by the first signature alone, nor after the second one's hour."""
    whole = confirmed_event()
    within = judged(evidence=whole, at=AT + timedelta(minutes=40))
    assert given(JUDGE).when(within) == []
    late = judged(evidence=whole, at=AT + timedelta(minutes=90))
    assert given(JUDGE).rejected(late) == ["consent_expired"]
    alone = replace(whole, confirmation=UNSET, confirmation_hash=UNSET)
    assert given(JUDGE).rejected(replace(within, evidence=alone)) == ["consent_unconfirmed"]


@pytest.mark.parametrize(
    "changes",
    [
        {"supersedes": "another"},
        {"decision": Decision.GIVEN},
        *({name: "another"} for name in COMPARED),
    ],
)
def test_a_confirmation_of_something_else_confirms_nothing(changes: dict[str, Any]) -> None:
    """Its decision, what it supersedes, and all that it repeats must be right."""
    whole = confirmed_event()
    assert whole.confirmation
    other = replace(whole.confirmation, **changes)
    forged = replace(whole, confirmation=other, confirmation_hash=other.hash())
    asked = judged(evidence=forged, at=AT + timedelta(minutes=40))
    assert given(JUDGE).rejected(asked) == ["statement_differs"]
    unlike = replace(whole, confirmation_hash="0" * 64)
    assert given(JUDGE).rejected(replace(asked, evidence=unlike)) == ["statement_differs"]


@pytest.mark.parametrize(
    ("after", "codes"),
    [
        (timedelta(microseconds=-1), ["consent_not_yet"]),
        (timedelta(0), []),
        (timedelta(hours=1, microseconds=-1), []),
        (timedelta(hours=1), ["consent_expired"]),
        (timedelta(hours=1, microseconds=1), ["consent_expired"]),
    ],
)
def test_the_edges_of_time(after: timedelta, codes: list[str]) -> None:
    """Check 9: from `not_before` on, until before `expires_at`, to the microsecond."""
    asked = judged(at=AT + after)
    if codes:
        assert given(JUDGE).rejected(asked) == codes
    else:
        assert given(JUDGE).when(asked) == []


def test_a_bank_and_a_clerk_act_for_themselves() -> None:
    """Nobody sends a command in another's name."""
    assert given(JUDGE).rejected(judged(commanded_by="clerk:k")) == ["bank_decides"]
    assert given(JUDGE).rejected(judged(commanded_by="bank:other")) == ["not_own_bank"]


def test_a_consent_opens_one_account() -> None:
    """Check 10: a consent that our own log has is used, whatever else is right."""
    assert given(JUDGE, opened(opening_id="op0")).rejected(judged()) == ["consent_used"]


def test_an_id_stands_for_one_command() -> None:
    """The same command again adds nothing; another under its id is a conflict."""
    assert given(JUDGE, opened()).when(judged()) == []
    other = judged(replace(ORDER, citizen_id="c2"))
    assert given(JUDGE, opened()).rejected(other) == ["opening_id_reused"]


def test_a_rejected_command_keeps_its_id() -> None:
    """After a rejection, the id is still that command's."""
    first = judged(evidence=Reason("consent_missing"))
    with pytest.raises(Rejection) as no:
        given(JUDGE).when(first)
    (fact,) = no.value.facts
    assert given(JUDGE, fact).rejected(judged(replace(ORDER, purpose="x"))) == ["opening_id_reused"]
    assert given(JUDGE, fact).when(judged()) == []


def test_the_same_rejection_is_recorded_once() -> None:
    """A retry of a rejected command is told the same and adds no fact."""
    asked = judged(evidence=Reason("consent_missing"))
    with pytest.raises(Rejection) as first:
        given(JUDGE).when(asked)
    with pytest.raises(Rejection) as second:
        given(JUDGE, *first.value.facts).when(asked)
    assert len(first.value.facts) == 1
    assert second.value.facts == ()


def test_an_account_carries_both_documents() -> None:
    """Check 12: the fact holds the event and the receipt, and a second record adds nothing."""
    fact = opened()
    assert (fact.consent_event, fact.redemption_receipt) == ("jws", "r")
    record = Record(judged=judged(), receipt=receipt(), receipt_token="r")
    assert given(RECORD, fact).when(record) == []


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "x"},
        {"aud": "x"},
        {"redemption_id": "x"},
        {"consent_id": "x"},
        {"statement_hash": "x"},
        {"command_hash": "x"},
    ],
)
def test_a_receipt_for_anything_else_opens_nothing(change: dict[str, str]) -> None:
    """Check 11: the receipt must be for this opening, consent, statement and command."""
    record = Record(judged=judged(), receipt=receipt(**change), receipt_token="r")
    assert given(RECORD).rejected(record) == ["receipt_invalid"]


def test_recording_holds_to_the_newest_facts() -> None:
    """What came between judging and recording counts: another account, another command."""
    record = Record(judged=judged(), receipt=receipt(), receipt_token="r")
    assert given(RECORD, opened(opening_id="op0")).rejected(record) == ["consent_used"]
    reused = opened(command_hash="f" * 64, consent_id="q2")
    assert given(RECORD, reused).rejected(record) == ["opening_id_reused"]


def test_out_of_reach_is_not_a_no() -> None:
    """An outage is recorded, told as 503, and does not bind the id to its failure."""
    asked = Reject(judged=judged(), reasons=(Reason("consent_unreachable"),))
    with pytest.raises(Unavailable) as no:
        given(REJECT).when(asked)
    (fact,) = no.value.facts
    assert isinstance(fact, OpeningRejected)
    assert given(JUDGE, fact).when(judged()) == []


def test_a_rejection_that_comes_too_late_is_none() -> None:
    """If the same command opened its account meanwhile, the rejection is moot."""
    asked = Reject(judged=judged(), reasons=(Reason("consent_used"),))
    assert given(REJECT, opened()).when(asked) == []


def test_an_unreadable_command_keeps_nothing_of_its_content() -> None:
    """Check 1: who and under which id is recorded, once; of the content nothing."""
    asked = Unread(opening_id="op1", commanded_by="clerk:k")
    (fact,) = given(UNREAD).when(asked)
    assert (fact.reasons, fact.citizen_id, fact.command_hash) == (["malformed"], None, None)
    assert given(UNREAD, fact).when(asked) == []


@for_all(changed=st.lists(st.sampled_from(sorted(COMPARED)), unique=True))
def test_any_difference_and_only_a_difference_rejects(changed: list[str]) -> None:
    """For every set of changed fields: none opens, exactly the changed are named."""
    command = replace(ORDER, **{name: OTHER[name] for name in changed})
    asked = judged(command, commanded_by=f"bank:{command.bank_id}")
    if changed:
        assert set(given(JUDGE).rejected(asked)) == {COMPARED[name] for name in changed}
    else:
        assert given(JUDGE).when(asked) == []


@pytest.mark.parametrize(
    ("signed_for", "commanded", "codes"),
    [
        ("e" * 64, "e" * 64, []),
        ("e" * 64, UNSET, []),
        (UNSET, UNSET, []),
        ("e" * 64, "f" * 64, ["fees_differ"]),
        (UNSET, "f" * 64, ["fees_differ"]),
    ],
)
def test_the_fees_of_a_command_are_those_that_were_signed(
    signed_for: Any, commanded: Any, codes: list[str]
) -> None:
    """Named in a command, they are compared; a command from before fees is as it was."""
    evidence = event(statement(fee_hash=signed_for))
    asked_for = judged(replace(ORDER, fee_hash=commanded), evidence=evidence)
    assert (given(JUDGE).rejected(asked_for) if codes else given(JUDGE).when(asked_for)) == codes


def test_a_confirmation_of_other_fees_confirms_nothing() -> None:
    """Both statements name the same fees."""
    agreed = statement(fee_hash="e" * 64)
    confirmed = statement(Decision.CONFIRMED, fee_hash="f" * 64, supersedes=agreed.statement_id)
    both = event(agreed, confirmation=confirmed, confirmation_hash=confirmed.hash())
    assert given(JUDGE).rejected(judged(evidence=both)) == ["statement_differs"]


def test_a_command_without_fees_has_the_hash_it_had() -> None:
    """The digest was taken before commands could name fees."""
    assert ORDER.hash() == "92fdf6c4356f6c760bf6cc4477055ccd251535190b66108dc05112eaa2a0431e"
    assert replace(ORDER, fee_hash="e" * 64).hash() != ORDER.hash()


def test_an_account_says_the_fees_that_its_command_named() -> None:
    """None where it named none."""
    command, signed = replace(ORDER, fee_hash="e" * 64), statement(fee_hash="e" * 64)
    asked = judged(command, evidence=event(signed))
    proof = receipt(command_hash=command.hash(), statement_hash=signed.hash())
    (fact,) = given(RECORD).when(Record(judged=asked, receipt=proof, receipt_token="r"))
    assert fact.fee_hash == "e" * 64
    assert opened().fee_hash is None
