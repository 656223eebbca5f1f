"""Side purposes: each has its own yes, is taken back alone, and no account hangs on one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec import UNSET

from services.accounts.openings import JUDGE
from services.consent.consents import Consent
from services.consent.decisions import ASK_SIGNATURE, SIGN, AskSignature, Sign
from services.consent.facts import (
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    PurposeGiven,
    PurposeWithdrawn,
)
from services.consent.notices import Notice
from services.consent.policy import Policy
from services.consent.purposes import side_standings
from services.consent.redemptions import REDEEM, Redeem
from services.consent.representatives import Speaker
from services.consent.separation import Means
from services.consent.statements import Draft, draft
from shared.contracts.consent import Choice, Decision, Grade, SidePurpose, Statement
from shared.errors import Rejection
from tests.consent.test_rules_decisions import CODE
from tests.support.given import AT, Given, given
from tests.support.samples import (
    COMMAND,
    CONFIRMED,
    GIVEN,
    HANDED,
    MARKS,
    ORDER,
    QUESTION,
    REDEEMED,
    SERVED,
    WAITING,
    asked,
    event,
    judged,
    statement,
)

SIDES = [str(one) for one in SidePurpose]
OFFERED = replace(QUESTION, side_purposes=SIDES, fee_hash="e" * 64)
SOME = st.frozensets(st.sampled_from(SIDES))
LIVES = Policy().code_lives_for
LATER = AT + timedelta(minutes=2)


def choices(*agreed: str) -> list[Choice]:
    """Return a choice for each side purpose, yes to these."""
    return [Choice(purpose=one, agreed=one in agreed) for one in SIDES]


def answered(agreed: Sequence[str], base: Any = GIVEN) -> list[Any]:
    """Return the history of an agreement to these side purposes too, handed in."""
    signed = replace(base.statement, choices=choices(*agreed))
    whole = replace(base, statement=signed, statement_hash=signed.hash())
    beside = [
        PurposeGiven(
            consent_id="q1",
            citizen_id="c1",
            bank_id="cake",
            purpose=one,
            statement_hash=whole.statement_hash,
        )
        for one in SIDES
        if one in agreed
    ]
    return [OFFERED, SERVED, whole, *beside, *HANDED]


def taken_back(purpose: str) -> PurposeWithdrawn:
    """Return the fact that a side purpose was taken back alone."""
    signed = statement(Decision.WITHDRAWN, purpose=purpose)
    return PurposeWithdrawn(
        consent_id="q1",
        citizen_id="c1",
        bank_id="cake",
        challenge_id="ch1",
        purpose=purpose,
        statement=signed,
        statement_hash=signed.hash(),
    )


def drafted(history: Sequence[Any], decision: Decision, **what: Any) -> Statement:
    """Return the statement that a citizen with this history would sign."""
    consent: Consent = given(SIGN, *history).state()
    whole = Draft(
        decision=decision,
        grade=Grade.OTP,
        notice=Notice("open-account.2", "vi", ""),
        subject="c1",
        speaker=Speaker("c1"),
        known_before=True,
        phone_known=True,
        statement_id="st",
        nonce="n",
        at=AT,
        **what,
    )
    assert consent.requested
    return draft(consent, consent.requested, whole, Policy())


def press(signed: Statement, at: Any = AT) -> AskSignature:
    """Return a button that was pressed."""
    return AskSignature(
        challenge_id="ch9",
        citizen_id="c1",
        signer_id="c1",
        statement=signed,
        means=Means(),
        at=at,
        policy=Policy(),
    )


def sign(challenge_id: str = "ch1", at: Any = AT) -> Sign:
    """Return a right code."""
    return Sign(
        consent_id="q1",
        challenge_id=challenge_id,
        citizen_id="c1",
        signer_id="c1",
        evidence=CODE,
        failure="code_wrong",
        event="jws",
        refusals=MARKS,
        means=Means(),
        at=at,
        policy=Policy(),
    )


def signed(history: Sequence[Any], made: Statement) -> list[Any]:
    """Return the facts that follow when somebody signs a statement."""
    code = replace(asked(), statement=made, statement_hash=made.hash())
    return given(SIGN, *history, code).when(sign())


def outcome(then: Given, command: Any) -> Any:
    """Return what a rule makes of a command: its facts, or its reasons."""
    try:
        return then.when(command)
    except Rejection as no:
        return [reason.code for reason in no.reasons]


# -- what is signed -----------------------------------------------------------------------------


@for_all(decision=st.sampled_from(Decision), chosen=st.frozensets(st.sampled_from([*SIDES, "x"])))
def test_only_a_yes_with_an_agreement_agrees(decision: Decision, chosen: frozenset[str]) -> None:
    """Each side purpose is named once; not chosen is no, and so is all of a refusal."""
    made = drafted([OFFERED, SERVED], decision, chosen=chosen)
    assert made.choices != UNSET
    assert [one.purpose for one in made.choices] == SIDES
    agreed = {one.purpose for one in made.choices if one.agreed}
    assert agreed == (chosen & set(SIDES) if decision is Decision.GIVEN else set())
    assert made.purpose == QUESTION.purpose
    assert made.fee_hash == "e" * 64


def test_where_nothing_is_offered_the_statement_is_as_before() -> None:
    """No side purpose and no fees: neither is in any byte of what is signed."""
    made = drafted([QUESTION, SERVED], Decision.GIVEN, chosen=frozenset(SIDES))
    assert made.choices is UNSET
    assert made.fee_hash is UNSET


@for_all(agreed=SOME, back=SOME)
def test_a_confirmation_repeats_what_still_stands(
    agreed: frozenset[str], back: frozenset[str]
) -> None:
    """What was taken back while the agreement waited is no part of what is confirmed."""
    history = [*answered(list(agreed), WAITING), *(taken_back(one) for one in agreed & back)]
    made = drafted(history, Decision.CONFIRMED, chosen=frozenset(SIDES))
    assert made.choices == choices(*(agreed - back))


def test_nothing_is_confirmed_that_was_taken_back_meanwhile() -> None:
    """A code that went out before a side purpose was taken back signs no more."""
    history, at = answered(["marketing", "credit-scoring"], WAITING), AT + timedelta(minutes=31)
    made = drafted(history, Decision.CONFIRMED)
    code = replace(asked(), statement=made, statement_hash=made.hash(), expires_at=at + LIVES)
    assert len(given(SIGN, *history, code).when(sign(at=at))) == 1
    overtaken = [*history, code, replace(taken_back("marketing"), challenge_id="ch2")]
    assert given(SIGN, *overtaken).rejected(sign(at=at)) == ["purpose_withdrawn"]
    fresh = drafted(overtaken, Decision.CONFIRMED)
    again = replace(code, challenge_id="ch3", statement=fresh, statement_hash=fresh.hash())
    assert len(given(SIGN, *overtaken, again).when(sign("ch3", at))) == 1


@pytest.mark.parametrize("decision", [Decision.GIVEN, Decision.REFUSED, Decision.CONFIRMED])
def test_only_a_withdrawal_is_of_a_side_purpose_alone(decision: Decision) -> None:
    """An agreement never names a side purpose as its own, whatever a form says."""
    assert drafted([OFFERED, SERVED], decision, alone="marketing").purpose == QUESTION.purpose
    made = drafted(answered(SIDES), Decision.WITHDRAWN, alone="marketing")
    assert (made.purpose, made.choices) == ("marketing", UNSET)
    assert made.supersedes == GIVEN.statement.statement_id


def test_whoever_names_the_account_takes_back_the_whole() -> None:
    """A withdrawal whose purpose is the account's own is the same as one that names none."""
    named = drafted(answered(SIDES), Decision.WITHDRAWN, alone=QUESTION.purpose)
    assert named == drafted(answered(SIDES), Decision.WITHDRAWN)
    assert named.choices == choices()


# -- one fact for each --------------------------------------------------------------------------


@for_all(agreed=SOME)
def test_each_side_purpose_is_a_fact_of_its_own(agreed: frozenset[str]) -> None:
    """Beside the agreement stands one fact for each yes, and none for a no."""
    made = statement(choices=choices(*agreed))
    whole, *beside = signed([OFFERED, SERVED], made)
    assert isinstance(whole, ConsentGiven)
    assert all(isinstance(one, PurposeGiven) for one in beside)
    assert [one.purpose for one in beside] == [one for one in SIDES if one in agreed]
    assert {one.statement_hash for one in beside} <= {whole.statement_hash}


def test_a_refusal_makes_no_fact_of_a_side_purpose() -> None:
    """Refusing is one fact, as before."""
    (fact,) = signed([OFFERED, SERVED], statement(Decision.REFUSED, choices=choices()))
    assert isinstance(fact, ConsentRefused)


@for_all(agreed=SOME, back=SOME)
def test_withdrawing_the_whole_withdraws_what_still_stands(
    agreed: frozenset[str], back: frozenset[str]
) -> None:
    """Every side purpose is withdrawn exactly once, alone before or with the whole now."""
    history = [*answered(list(agreed)), *(taken_back(one) for one in agreed & back)]
    whole, *beside = signed(history, statement(Decision.WITHDRAWN, choices=choices()))
    assert isinstance(whole, ConsentWithdrawn)
    assert {one.purpose for one in beside} == agreed - back
    assert len(beside) == len(agreed - back)
    assert {one.evidence for one in beside} <= {None}, "the whole's fact has it"
    after = given(SIGN, *history, whole, *beside).state()
    stands = {one: "withdrawn" if one in agreed else "not_given" for one in SIDES}
    assert side_standings(after, AT) == stands


@pytest.mark.parametrize("base", [GIVEN, WAITING])
def test_one_is_taken_back_alone(base: Any) -> None:
    """The statement names the side purpose; the agreement and the others stay as they are."""
    history = answered(["marketing", "credit-scoring"], base)
    made = drafted(history, Decision.WITHDRAWN, alone="marketing")
    made = replace(made, notice_id=SERVED.notice_id, notice_hash=SERVED.notice_hash)
    (code,) = given(ASK_SIGNATURE, *history).when(press(made))
    (fact,) = given(SIGN, *history, code).when(sign("ch9"))
    assert isinstance(fact, PurposeWithdrawn)
    assert (fact.purpose, fact.statement_hash) == ("marketing", code.statement_hash)
    assert fact.evidence == CODE, "nothing else proves that it was signed"
    before = given(SIGN, *history).state()
    after = given(SIGN, *history, code, fact).state()
    assert after.standing(AT) == before.standing(AT)
    assert after.challenges["ch9"].signed
    counts = "given" if base is GIVEN else "not_given"
    assert side_standings(after, AT) == {
        "marketing": "withdrawn",
        "credit-scoring": counts,
        "partner-sharing": "not_given",
    }
    assert given(SIGN, *history, code, fact).when(sign("ch9")) == []


@pytest.mark.parametrize(
    ("history", "purpose", "codes"),
    [
        ([OFFERED, SERVED], "marketing", ["purpose_not_given"]),
        (answered(["marketing"]), "credit-scoring", ["purpose_not_given"]),
        (answered(["marketing"]), "anything", ["purpose_not_given"]),
        ([*answered(["marketing"]), taken_back("marketing")], "marketing", ["already_decided"]),
    ],
)
def test_what_cannot_be_taken_back_alone(
    history: list[Any], purpose: str, codes: list[str]
) -> None:
    """Only what was agreed to, once."""
    made = statement(Decision.WITHDRAWN, purpose=purpose)
    assert given(ASK_SIGNATURE, *history).rejected(press(made)) == codes
    code = replace(asked(), statement=made, statement_hash=made.hash())
    assert given(SIGN, *history, code).rejected(sign()) == codes


def test_side_purposes_end_with_an_agreement_that_nobody_used() -> None:
    """Expired unused, nothing is done in the citizen's name; used, they go on."""
    history, after = answered(["marketing"]), AT + timedelta(hours=1)
    made = statement(Decision.WITHDRAWN, purpose="marketing")
    expired = given(ASK_SIGNATURE, *history)
    assert side_standings(expired.state(), after)["marketing"] == "not_given"
    assert expired.rejected(press(made, after)) == ["consent_expired"]
    used = given(ASK_SIGNATURE, *history, REDEEMED)
    assert side_standings(used.state(), after)["marketing"] == "given"
    assert len(used.when(press(made, after))) == 1


def test_side_purposes_of_an_unconfirmed_agreement_do_not_count() -> None:
    """What was signed at a counter counts once it is confirmed, and not at all if it never is."""
    history = answered(["marketing"], WAITING)
    assert side_standings(given(SIGN, *history).state(), LATER)["marketing"] == "not_given"
    confirmed = given(SIGN, *history, CONFIRMED).state()
    assert side_standings(confirmed, LATER)["marketing"] == "given"


def test_codes_for_one_purpose_leave_those_for_another() -> None:
    """Five codes to take one back do not keep anyone from taking back the whole."""
    history = answered(["marketing", "credit-scoring"])
    made = statement(Decision.WITHDRAWN, purpose="marketing")
    codes = [
        replace(asked(challenge_id=f"m{n}"), statement=made, statement_hash=made.hash())
        for n in range(Policy().codes_per_hour_max)
    ]
    then = given(ASK_SIGNATURE, *history, *codes)
    assert then.rejected(press(made)) == ["too_many_codes"]
    for purpose in ("credit-scoring", QUESTION.purpose):
        assert len(then.when(press(replace(made, purpose=purpose)))) == 1


# -- nothing of the account hangs on one --------------------------------------------------------

USES = st.builds(
    Redeem,
    consent_id=st.just("q1"),
    redemption_id=st.sampled_from(["op1", "op2"]),
    statement_hash=st.booleans().map(str),
    command_hash=st.just(COMMAND),
    redeemed_by=st.sampled_from(["service:accounts", "service:other"]),
    at=st.sampled_from([AT - timedelta(minutes=1), AT, AT + timedelta(hours=1)]),
)


@for_all(agreed=SOME, back=SOME, asked_use=USES, base=st.sampled_from([GIVEN, WAITING]))
def test_whether_a_consent_can_be_used_hangs_on_no_side_purpose(
    agreed: frozenset[str], back: frozenset[str], asked_use: Redeem, base: Any
) -> None:
    """The same use of the same agreement has one outcome, whatever was chosen or taken back."""
    outcomes = []
    for history in (
        answered([], base),
        [*answered(list(agreed), base), *(taken_back(one) for one in agreed & back)],
    ):
        own = history[2].statement_hash if asked_use.statement_hash == "True" else "f" * 64
        found = outcome(given(REDEEM, *history), replace(asked_use, statement_hash=own))
        same = [
            replace(one, statement_hash="") if hasattr(one, "purpose") else one for one in found
        ]
        outcomes.append([getattr(one, "redemption_id", one) for one in same])
    assert outcomes[0] == outcomes[1]


@for_all(
    agreed=SOME,
    changes=st.sampled_from(
        [{}, {"bank_id": "other"}, {"purpose": "marketing"}, {"terms_hash": "f" * 64}]
    ),
    minutes=st.sampled_from([-1, 1, 60]),
)
def test_whether_an_account_opens_hangs_on_no_side_purpose(
    agreed: frozenset[str], changes: dict[str, str], minutes: int
) -> None:
    """The same command has one outcome, whatever side purposes its consent agrees to."""
    command, at = replace(ORDER, **changes), AT + timedelta(minutes=minutes)
    outcomes = [
        outcome(given(JUDGE), judged(command, evidence=event(one), at=at))
        for one in (statement(), statement(choices=choices(*agreed)))
    ]
    assert outcomes[0] == outcomes[1]


@for_all(purpose=st.sampled_from(SIDES), agreed=SOME)
def test_a_side_purpose_opens_nothing(purpose: str, agreed: frozenset[str]) -> None:
    """Neither as the command's purpose, nor as the statement's, nor as both."""
    wanted = replace(ORDER, purpose=purpose)
    evidence = event(statement(choices=choices(*agreed)))
    assert given(JUDGE).rejected(judged(wanted, evidence=evidence)) == ["purpose_differs"]
    of_side = event(statement(purpose=purpose))
    assert given(JUDGE).rejected(judged(wanted, evidence=of_side)) == ["purpose_differs"]
    taking = event(statement(Decision.WITHDRAWN, purpose=purpose))
    assert "decision_differs" in given(JUDGE).rejected(judged(wanted, evidence=taking))
