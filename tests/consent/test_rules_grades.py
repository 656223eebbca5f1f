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
from shared.contracts.evidence import CodeMatch, Evidence, PasskeySignature, Witnessing
from shared.errors import Rejection
from tests.support.given import AT, given
from tests.support.samples import GIVEN, HANDED, MARKS, QUESTION, SERVED, WAITING, asked, statement
from tests.support.witnesses import KNOWN, NAMED, PAIR, WITNESSES, witnessing

KEY_UV, OTP, WITNESSED = Grade
TABLE = [
    (None, [KEY_UV, OTP, WITNESSED]),
    (WITNESSED, [KEY_UV, OTP, WITNESSED]),
    (OTP, [KEY_UV, OTP]),
    (KEY_UV, [KEY_UV]),
]
"""The lowest grade of a product, and what it takes."""

SIGNATURE = PasskeySignature(
    credential_id="k1",
    public_key="",
    algorithm=-7,
    authenticator_data="",
    client_data_json="",
    signature="",
    rp_id="thuan.vn",
    origin="https://thuan.vn",
    sign_count=0,
    backed_up=False,
    backup_eligible=False,
)
SIGNED = [witnessing(one) for one in PAIR]
EVIDENCE = {
    KEY_UV: Evidence(grade=KEY_UV, passkey=SIGNATURE),
    OTP: Evidence(grade=OTP, code=CodeMatch(challenge_id="ch2")),
    WITNESSED: Evidence(grade=WITNESSED, witnesses=SIGNED),
}
"""Evidence that is whole for its grade; whether it holds is judged before a rule sees it."""

BEFORE = {Decision.WITHDRAWN: [GIVEN], Decision.CONFIRMED: [WAITING, *HANDED]}
"""What stands before a decision can be made."""


def question(lowest: Grade | None) -> Any:
    """Return QUESTION for a product with this lowest grade."""
    return replace(QUESTION, lowest_grade=lowest and str(lowest))


def press(grade: Grade, decision: Decision) -> AskSignature:
    """Return a button that was pressed, to sign in this way."""
    return AskSignature(
        challenge_id="ch9",
        citizen_id="c1",
        signer_id="c1",
        statement=statement(decision, grade=grade),
        means=Means(),
        at=AT,
        policy=Policy(),
        witnesses=KNOWN,
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
        signer_id="c1",
        evidence=EVIDENCE[grade],
        failure="",
        event="jws",
        refusals=MARKS,
        means=Means(),
        at=AT,
        policy=Policy(),
        witnesses=KNOWN,
    )


def codes(verb: Any, history: list[Any], what: Any) -> list[str]:
    """Return why a verb says no, but for a passkey that was never enrolled here."""
    try:
        given(verb, *WITNESSES, *NAMED, *history).when(what)
    except Rejection as no:
        return [one.code for one in no.reasons if one.code != "passkey_unknown"]
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
        assert asking == weak
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
    held = held and grade not in taken
    held |= (decision, grade) == (Decision.CONFIRMED, WITNESSED)  # whatever the product takes
    expected = ["grade_too_low"] if held else []
    signed = statement(decision, grade=grade)
    assert [one.code for one in unaccepted(question(lowest), signed)] == expected
    history = [question(lowest), SERVED, *BEFORE.get(decision, []), challenge(grade, decision)]
    found = codes(SIGN, history, sign(grade))
    assert [one for one in found if one == "grade_too_low"] == expected
    if decision in {Decision.REFUSED, Decision.WITHDRAWN}:
        assert found == []


@for_all(
    grade=st.sampled_from(Grade),
    passkey=st.sampled_from([None, SIGNATURE]),
    code=st.sampled_from([None, EVIDENCE[OTP].code]),
    witnesses=st.lists(st.sampled_from(SIGNED), max_size=3),
)
def test_evidence_holds_what_its_grade_asks_for_and_nothing_else(
    grade: Grade,
    passkey: PasskeySignature | None,
    code: CodeMatch | None,
    witnesses: list[Witnessing],
) -> None:
    """A grade with nothing behind it signs nothing, nor does one that brings another's proof."""
    evidence = Evidence(grade=grade, passkey=passkey, code=code, witnesses=witnesses)
    kinds = [*["passkey"] * bool(passkey), *["code"] * bool(code), *["witness"] * len(witnesses)]
    asked_for = {KEY_UV: ["passkey"], OTP: ["code"], WITNESSED: ["witness", "witness"]}[grade]
    history = [question(None), SERVED, challenge(grade, Decision.REFUSED)]
    found = codes(SIGN, history, replace(sign(grade), evidence=evidence))
    assert found == ([] if kinds == asked_for else ["grade_differs"])
