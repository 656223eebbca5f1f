"""What is signed in a weaker way than the product takes is no agreement; a no is always a no."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.decisions import ASK_SIGNATURE, SIGN, AskSignature, Sign
from services.consent.facts import SignatureAsked
from services.consent.grades import unaccepted
from services.consent.policy import Policy
from services.consent.separation import Means
from shared.contracts.consent import Decision, Grade
from shared.contracts.evidence import Evidence
from shared.errors import Rejection
from tests.support.given import AT, given
from tests.support.samples import GIVEN, MARKS, QUESTION, SERVED, WAITING, asked, statement

KEY_UV, OTP, WITNESSED = Grade
TABLE = [
    (None, [KEY_UV, OTP, WITNESSED]),
    (WITNESSED, [KEY_UV, OTP, WITNESSED]),
    (OTP, [KEY_UV, OTP]),
    (KEY_UV, [KEY_UV]),
]
"""The lowest grade of a product, and what it takes."""

BEFORE = {Decision.WITHDRAWN: [GIVEN], Decision.CONFIRMED: [WAITING]}
"""What stands before a decision can be made."""


def question(lowest: Grade | None) -> Any:
    """Return QUESTION for a product with this lowest grade."""
    return replace(QUESTION, lowest_grade=lowest and str(lowest))


def press(grade: Grade, decision: Decision) -> AskSignature:
    """Return a button that was pressed, to sign in this way."""
    return AskSignature(
        challenge_id="ch9",
        citizen_id="c1",
        statement=statement(decision, grade=grade),
        means=Means(),
        at=AT,
        policy=Policy(),
    )


def challenge(grade: Grade, decision: Decision) -> SignatureAsked:
    """Return the fact that this was asked for, whatever rules there were then."""
    signed = statement(decision, grade=grade)
    return replace(asked(decision, "ch2"), statement=signed, statement_hash=signed.hash())


def sign(grade: Grade) -> Sign:
    """Return evidence of a grade."""
    return Sign(
        consent_id="q1",
        challenge_id="ch2",
        citizen_id="c1",
        evidence=Evidence(grade=grade),
        failure="",
        event="jws",
        refusals=MARKS,
        means=Means(),
        at=AT,
        policy=Policy(),
    )


def codes(verb: Any, history: list[Any], what: Any) -> list[str]:
    """Return why a verb says no, nothing where it says yes."""
    try:
        given(verb, *history).when(what)
    except Rejection as no:
        return [one.code for one in no.reasons]
    return []


@pytest.mark.parametrize(("lowest", "taken"), TABLE)
def test_an_agreement_is_as_strong_as_the_product_asks(
    lowest: Grade | None, taken: list[Grade]
) -> None:
    """When it is to be signed, and again when it is; what was asked for before signs nothing."""
    for grade in Grade:
        weak = [] if grade in taken else ["grade_too_low"]
        history = [question(lowest), SERVED]
        asking = codes(ASK_SIGNATURE, history, press(grade, Decision.GIVEN))
        assert [one for one in asking if one != "passkey_unknown"] == weak
        fixed = challenge(grade, Decision.GIVEN)
        assert codes(SIGN, [*history, fixed], sign(grade)) == weak


@for_all(
    lowest=st.sampled_from([None, *Grade]),
    grade=st.sampled_from(Grade),
    decision=st.sampled_from(Decision),
)
def test_only_agreements_are_held_to_it(
    lowest: Grade | None, grade: Grade, decision: Decision
) -> None:
    """No history, grade or product keeps anybody from refusing, or from taking back."""
    held = decision in {Decision.GIVEN, Decision.CONFIRMED}
    taken = dict(TABLE)[lowest]
    expected = ["grade_too_low"] if held and grade not in taken else []
    signed = statement(decision, grade=grade)
    assert [one.code for one in unaccepted(question(lowest), signed)] == expected
    history = [question(lowest), SERVED, *BEFORE.get(decision, []), challenge(grade, decision)]
    found = codes(SIGN, history, sign(grade))
    assert [one for one in found if one == "grade_too_low"] == expected
    if decision in {Decision.REFUSED, Decision.WITHDRAWN}:
        assert found == []
