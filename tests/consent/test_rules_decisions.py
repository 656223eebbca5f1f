"""A citizen decides with a code: what may be signed, when, how often, and what a use finds."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.consents import Consent, Standing, evolve
from services.consent.decisions import ASK_SIGNATURE, SERVE, SIGN, AskSignature, Sign
from services.consent.facts import (
    ConsentConfirmed,
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    RefusalWithdrawn,
    SignatureFailed,
)
from services.consent.gate import Act
from services.consent.policy import Policy
from services.consent.redemptions import REDEEM, Redeem
from services.consent.separation import Means
from shared.contracts.consent import Channel, Decision, Grade, Waits
from shared.contracts.evidence import CodeMatch, Evidence
from shared.ledger.facts import Recorded
from tests.support.given import AT, given
from tests.support.samples import (
    ASK_ME_AGAIN,
    CAPTURED,
    COMMAND,
    CONFIRMED,
    COOLING,
    GIVEN,
    HANDED,
    MARKS,
    QUESTION,
    REDEEMED,
    REFUSED,
    SERVED,
    WAITING,
    WITHDRAWN,
    asked,
    statement,
)

WRONG = SignatureFailed(consent_id="q1", challenge_id="ch1", reason="code_wrong")
USED_UP = SignatureFailed(consent_id="q1", challenge_id="ch1", reason="code_tries_used")


CODE = Evidence(grade=Grade.OTP, code=CodeMatch(challenge_id="ch1"))


def press(decision: Decision = Decision.GIVEN, **changes: Any) -> AskSignature:
    """Return a button that was pressed."""
    whole = AskSignature(
        challenge_id="ch9",
        citizen_id="c1",
        signer_id="c1",
        statement=statement(decision),
        means=Means(),
        at=AT,
        policy=Policy(),
    )
    return replace(whole, **changes)


def sign(**changes: Any) -> Sign:
    """Return a right code."""
    whole = Sign(
        consent_id="q1",
        challenge_id="ch1",
        citizen_id="c1",
        signer_id="c1",
        evidence=CODE,
        failure="code_wrong",
        event="jws",
        refusals=MARKS,
        means=Means(),
        at=AT,
        policy=Policy(),
    )
    return replace(whole, **changes)


def test_a_text_is_served_once() -> None:
    """Serving is a fact, the first time for each text; nobody is served what was not asked."""
    assert given(SERVE, QUESTION).when(SERVED) == [SERVED]
    assert given(SERVE, QUESTION, SERVED).when(SERVED) == []
    english = replace(SERVED, notice_lang="en")
    assert given(SERVE, QUESTION, SERVED).when(english) == [english]
    assert given(SERVE).rejected(SERVED) == ["consent_unknown"]


@pytest.mark.parametrize(
    ("history", "decision", "codes"),
    [
        ([], Decision.GIVEN, ["already_decided", "notice_not_served"]),
        ([QUESTION], Decision.GIVEN, ["notice_not_served"]),
        ([QUESTION, SERVED], Decision.WITHDRAWN, ["consent_not_given"]),
        ([QUESTION, SERVED, GIVEN], Decision.GIVEN, ["already_decided"]),
        ([QUESTION, SERVED, GIVEN], Decision.REFUSED, ["already_decided"]),
        ([QUESTION, SERVED, REFUSED], Decision.GIVEN, ["already_decided"]),
        ([QUESTION, SERVED, REFUSED, ASK_ME_AGAIN], Decision.WITHDRAWN, ["already_decided"]),
        ([QUESTION, SERVED, REFUSED, ASK_ME_AGAIN], Decision.GIVEN, ["already_decided"]),
        ([QUESTION, SERVED, GIVEN, WITHDRAWN], Decision.WITHDRAWN, ["already_decided"]),
        ([QUESTION, SERVED, GIVEN, WITHDRAWN], Decision.GIVEN, ["already_decided"]),
    ],
)
def test_what_cannot_be_decided(history: list[Any], decision: Decision, codes: list[str]) -> None:
    """No decision without its text, and none over another."""
    assert given(ASK_SIGNATURE, *history).rejected(press(decision)) == codes


@pytest.mark.parametrize(
    ("history", "decision"),
    [
        ([QUESTION, SERVED], Decision.GIVEN),
        ([QUESTION, SERVED], Decision.REFUSED),
        ([QUESTION, SERVED, GIVEN], Decision.WITHDRAWN),
        ([QUESTION, SERVED, GIVEN, REDEEMED], Decision.WITHDRAWN),
        ([QUESTION, SERVED, REFUSED], Decision.WITHDRAWN),
    ],
)
def test_what_can_be_decided(history: list[Any], decision: Decision) -> None:
    """Yes and no while the question is open, taking back once agreed, even after the use."""
    (fact,) = given(ASK_SIGNATURE, *history).when(press(decision))
    assert fact.statement_hash == statement(decision).hash()
    assert given(ASK_SIGNATURE, *history, fact).when(press(decision)) == []


def test_silence_is_not_consent() -> None:
    """From `decide_by` on, nothing can be signed (Law 91/2025 art. 9.4 d)."""
    history = given(ASK_SIGNATURE, QUESTION, SERVED)
    before = QUESTION.decide_by - timedelta(microseconds=1)
    assert len(history.when(press(at=before))) == 1
    assert history.rejected(press(at=QUESTION.decide_by)) == ["request_expired"]
    signing = given(SIGN, QUESTION, SERVED, replace(asked(), expires_at=AT + timedelta(days=2)))
    assert signing.rejected(sign(at=QUESTION.decide_by)) == ["request_expired"]


LATER = AT + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("history", "at", "codes"),
    [
        ([], LATER, ["consent_not_given"]),
        ([WAITING, *HANDED], LATER - timedelta(microseconds=1), ["confirmation_too_early"]),
        ([WAITING], LATER, ["not_submitted"]),
        ([WAITING, CAPTURED], LATER, ["not_submitted"]),
        ([WAITING, *HANDED], LATER, []),
        ([WAITING, *HANDED], AT + timedelta(hours=72) - timedelta(microseconds=1), []),
        ([WAITING, *HANDED], AT + timedelta(hours=72), ["request_expired"]),
        ([WAITING, WITHDRAWN], LATER, ["already_decided"]),
        ([WAITING, *HANDED, CONFIRMED], LATER, ["already_decided"]),
        ([GIVEN], LATER, ["already_decided"]),
        ([COOLING], LATER, ["already_decided"]),
        ([REFUSED], LATER, ["already_decided"]),
    ],
)
def test_what_can_be_confirmed(history: list[Any], at: datetime, codes: list[str]) -> None:
    """Only an agreement that waits for it, not before the citizen is alone, not after its end."""
    before = [QUESTION, SERVED, *history]
    asking = given(ASK_SIGNATURE, *before)
    if codes:
        assert asking.rejected(press(Decision.CONFIRMED, at=at)) == codes
        return
    (challenge,) = asking.when(press(Decision.CONFIRMED, at=at))
    (fact,) = given(SIGN, *before, challenge).when(sign(challenge_id="ch9", at=at))
    assert isinstance(fact, ConsentConfirmed)
    again = given(SIGN, *before, challenge, fact)
    assert again.when(sign(challenge_id="ch9", at=at)) == []


@pytest.mark.parametrize(
    ("grade", "channel", "known", "waits"),
    [
        (Grade.KEY_UV, Channel.COUNTER, True, None),
        (Grade.KEY_UV, Channel.ONLINE, True, None),
        (Grade.KEY_UV, Channel.COUNTER, False, Waits.TIME),
        (Grade.OTP, Channel.ONLINE, True, None),
        (Grade.OTP, Channel.COUNTER, True, Waits.CONFIRMATION),
        (Grade.OTP, Channel.ONLINE, False, Waits.TIME),
        (Grade.OTP, Channel.COUNTER, False, Waits.TIME),
        (Grade.WITNESSED, Channel.COUNTER, True, Waits.TIME),
    ],
)
def test_what_an_agreement_waits_for(
    grade: Grade, channel: Channel, waits: Waits | None, *, known: bool
) -> None:
    """Only what is the citizen's own act, with something that was theirs before, counts at once."""
    policy = Policy()
    assert policy.waits_for(grade, channel, known_before=known, phone_known=False) is waits


@pytest.mark.parametrize("channel", list(Channel))
def test_a_new_passkey_is_confirmed_by_the_phone_that_was_known(channel: Channel) -> None:
    """The code that enrolled it may have been typed by another; silence makes no agreement."""
    waits = Policy().waits_for(Grade.KEY_UV, channel, known_before=False, phone_known=True)
    assert waits is Waits.CONFIRMATION


def test_codes_are_counted_by_the_hour() -> None:
    """Five codes an hour; a sixth waits, and withdrawing is counted by itself."""
    sent = [asked(challenge_id=f"ch{number}") for number in range(5)]
    history = given(ASK_SIGNATURE, QUESTION, SERVED, *sent)
    assert history.rejected(press()) == ["too_many_codes"]
    assert len(history.when(press(at=AT + timedelta(hours=1)))) == 1
    agreed = given(ASK_SIGNATURE, QUESTION, SERVED, *sent, GIVEN)
    assert len(agreed.when(press(Decision.WITHDRAWN))) == 1


@pytest.mark.parametrize(
    ("decision", "before", "kind"),
    [
        (Decision.GIVEN, [], ConsentGiven),
        (Decision.REFUSED, [], ConsentRefused),
        (Decision.WITHDRAWN, [GIVEN], ConsentWithdrawn),
        (Decision.WITHDRAWN, [WAITING], ConsentWithdrawn),
        (Decision.WITHDRAWN, [REFUSED], RefusalWithdrawn),
    ],
)
def test_a_right_code_signs_once(decision: Decision, before: list[Any], kind: type) -> None:
    """The decision is the statement of the code; the same code again adds nothing."""
    challenge = asked(decision, "ch2")
    history = [QUESTION, SERVED, *before, challenge]
    (fact,) = given(SIGN, *history).when(sign(challenge_id="ch2"))
    assert isinstance(fact, kind)
    assert fact.statement == challenge.statement  # type: ignore[attr-defined]
    assert given(SIGN, *history, fact).when(sign(challenge_id="ch2")) == []
    wrong = sign(challenge_id="ch2", evidence=None)
    assert given(SIGN, *history, fact).rejected(wrong) == ["already_decided"]


def test_wrong_codes_run_out() -> None:
    """Five wrong codes; after that the right one signs nothing, and is recorded once."""
    history = [QUESTION, SERVED, asked()]
    for number in range(5):
        tried = given(SIGN, *history, *[WRONG] * number)
        assert tried.rejected(sign(evidence=None)) == ["code_wrong"]
    over = given(SIGN, *history, *[WRONG] * 5)
    assert over.rejected(sign()) == ["code_tries_used"]
    assert len(given(SIGN, *history, *[WRONG] * 4).when(sign())) == 1
    assert given(SIGN, *history, *[WRONG] * 5, USED_UP).rejected(sign()) == ["code_tries_used"]


def test_a_code_lives_five_minutes() -> None:
    """To the microsecond."""
    history = given(SIGN, QUESTION, SERVED, asked())
    last = AT + timedelta(minutes=5, microseconds=-1)
    assert len(history.when(sign(at=last))) == 1
    assert history.rejected(sign(at=AT + timedelta(minutes=5))) == ["code_expired"]


def test_a_code_signs_its_own_challenge_only() -> None:
    """A challenge that nobody asked for cannot be signed."""
    assert given(SIGN, QUESTION, SERVED).rejected(sign()) == ["challenge_unknown"]


def test_the_first_decision_stands() -> None:
    """Two codes were out; the second signs nothing once the first has."""
    history = [QUESTION, SERVED, asked(Decision.REFUSED, "ch1"), asked(Decision.GIVEN, "ch2")]
    (refused,) = given(SIGN, *history).when(sign())
    late = sign(challenge_id="ch2")
    assert given(SIGN, *history, refused).rejected(late) == ["already_decided"]


def test_taking_back_says_whether_it_was_used() -> None:
    """A withdrawal after the use names the use's position; before it, none."""
    taking_back = asked(Decision.WITHDRAWN, "ch2")
    (before,) = given(SIGN, QUESTION, GIVEN, taking_back).when(sign(challenge_id="ch2"))
    (after,) = given(SIGN, QUESTION, GIVEN, REDEEMED, taking_back).when(sign(challenge_id="ch2"))
    assert (before.used_at, after.used_at) == (None, 3)


# -- redemptions --------------------------------------------------------------------------------


def redeem(**changes: Any) -> Redeem:
    """Return a use of the consent."""
    whole = Redeem(
        act=replace(Act.of(QUESTION), channel=Channel.ONLINE),  # where no right is needed
        consent_id="q1",
        redemption_id="op1",
        statement_hash=statement().hash(),
        command_hash=COMMAND,
        redeemed_by="service:accounts",
        at=AT,
    )
    return replace(whole, **changes)


def test_a_consent_is_used_once() -> None:
    """The first use is a fact; the same again adds nothing; another is told so."""
    assert given(REDEEM, QUESTION, GIVEN, *HANDED).when(redeem()) == [REDEEMED]
    used = given(REDEEM, QUESTION, GIVEN, *HANDED, REDEEMED)
    assert used.when(redeem()) == []
    assert used.when(redeem(at=AT + timedelta(days=9))) == []
    assert used.rejected(redeem(redemption_id="op2")) == ["consent_used"]
    assert used.rejected(redeem(command_hash="d" * 64)) == ["redemption_id_reused"]
    assert given(REDEEM, QUESTION, GIVEN, *HANDED, REDEEMED, WITHDRAWN).when(redeem()) == []


@pytest.mark.parametrize(
    ("history", "changes", "codes"),
    [
        ([], {}, ["consent_unknown"]),
        ([QUESTION], {}, ["consent_not_given"]),
        ([QUESTION, REFUSED], {}, ["consent_refused"]),
        ([QUESTION, GIVEN, *HANDED, WITHDRAWN], {}, ["consent_withdrawn"]),
        ([QUESTION, GIVEN], {}, ["not_submitted"]),
        ([QUESTION, GIVEN, CAPTURED], {}, ["not_submitted"]),
        ([QUESTION, GIVEN, *HANDED], {"statement_hash": "e" * 64}, ["statement_differs"]),
        ([QUESTION, GIVEN, *HANDED], {"redeemed_by": "service:other"}, ["audience_differs"]),
        ([QUESTION, GIVEN, *HANDED], {"at": AT - timedelta(microseconds=1)}, ["consent_not_yet"]),
        ([QUESTION, GIVEN, *HANDED], {"at": AT + timedelta(hours=1)}, ["consent_expired"]),
        ([QUESTION, WAITING, *HANDED], {"at": LATER}, ["consent_unconfirmed"]),
        (
            [QUESTION, WAITING, *HANDED, CONFIRMED],
            {"at": AT + timedelta(hours=1)},
            ["consent_expired"],
        ),
        ([QUESTION, COOLING, *HANDED], {"at": AT + timedelta(hours=71)}, ["consent_not_yet"]),
        ([QUESTION, COOLING, *HANDED], {"at": AT + timedelta(hours=96)}, ["consent_expired"]),
        (
            [QUESTION, GIVEN, *HANDED, REDEEMED, WITHDRAWN],
            {"redemption_id": "op2", "at": AT + timedelta(hours=1)},
            ["consent_withdrawn", "consent_used", "consent_expired"],
        ),
    ],
)
def test_what_cannot_be_used(history: list[Any], changes: dict[str, Any], codes: list[str]) -> None:
    """Each reason alone, and all of them together."""
    assert given(REDEEM, *history).rejected(redeem(**changes)) == codes


FACTS = [
    QUESTION,
    SERVED,
    asked(),
    WRONG,
    USED_UP,
    GIVEN,
    WAITING,
    COOLING,
    CONFIRMED,
    REFUSED,
    ASK_ME_AGAIN,
    WITHDRAWN,
    REDEEMED,
]


@for_all(history=st.lists(st.sampled_from(FACTS)), hours=st.integers(-1, 48))
def test_any_history_folds(history: list[Any], hours: int) -> None:
    """Folding refuses nothing, and is the same in one go or in two."""
    recorded = [Recorded(number, AT, fact) for number, fact in enumerate(history, start=1)]
    whole = Consent()
    for one in recorded:
        whole = evolve(whole, one)
    assert whole == SERVE.fold(recorded)
    assert isinstance(whole.standing(AT + timedelta(hours=hours)), Standing)
    assert all(placed.position <= len(history) for placed in whole.places.values())
