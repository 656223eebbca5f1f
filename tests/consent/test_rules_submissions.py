"""At a counter: who is photographed, with what, when; what is handed in; who then may open."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.consents import DECISIVE
from services.consent.decisions import ASK_SIGNATURE, SERVE, SIGN
from services.consent.facts import (
    ConsentConfirmed,
    ConsentGiven,
    ConsentRedeemed,
    IdentityCaptured,
    OpeningSubmitted,
    Right,
)
from services.consent.gate import Act
from services.consent.policy import Policy
from services.consent.redemptions import REDEEM
from services.consent.submissions import CAPTURE, SUBMIT, Capture, Submit
from shared.contracts.consent import Channel, Decision, Waits
from shared.errors import Rejection
from tests.consent.test_rules_decisions import press, redeem, sign
from tests.support.given import AT, given
from tests.support.samples import (
    CAPTURED,
    CONFIRMED,
    DIRECTORY,
    DISPUTED,
    GIVEN,
    HANDED,
    QUESTION,
    REDEEMED,
    REFUSED,
    SERVED,
    SUBMITTED,
    WAITING,
    WITHDRAWN,
    right,
    statement,
)

ACT = Act.of(QUESTION)
HERE = [*DIRECTORY, right(Right.DEVICE, "d")]
ONE, TWO, OTHER = "1" * 64, "2" * 64, "3" * 64
INSTANT = timedelta(microseconds=1)


def capture(**changes: Any) -> Capture:
    """Return that the clerk of QUESTION photographed the citizen with the office's device."""
    whole = Capture(
        capture_id="cap1",
        consent_id="q1",
        act=ACT,
        device_id="d",
        document_image_id=ONE,
        portrait_image_id=TWO,
        taken_at=AT,
        captured_by="clerk:k",
        at=AT,
        policy=Policy(),
    )
    return replace(whole, **changes)


def submit(**changes: Any) -> Submit:
    """Return that the clerk of QUESTION hands it in."""
    return replace(Submit(consent_id="q1", act=ACT, submitted_by="clerk:k", at=AT), **changes)


def test_who_agreed_is_photographed_and_handed_in_once() -> None:
    """Each is one fact, and the same again is none."""
    agreed = [*HERE, QUESTION, GIVEN]
    assert given(CAPTURE, *agreed).when(capture()) == [CAPTURED]
    assert given(CAPTURE, *agreed, CAPTURED).when(capture()) == []
    assert given(SUBMIT, *agreed, CAPTURED).when(submit()) == [SUBMITTED]
    assert given(SUBMIT, *agreed, *HANDED).when(submit()) == []


def test_a_second_sitting_takes_the_place_of_the_first() -> None:
    """A blurred picture is taken again, under an id of its own; the newest is handed in."""
    again = capture(capture_id="cap2", document_image_id=OTHER)
    history = [*HERE, QUESTION, GIVEN, CAPTURED]
    (second,) = given(CAPTURE, *history).when(again)
    assert given(CAPTURE, *history, second).when(capture()) == [], "the first, sent again"
    (handed,) = given(SUBMIT, *history, second).when(submit())
    assert handed.capture_id == "cap2"
    reused = replace(again, capture_id="cap1")
    assert given(CAPTURE, *history).rejected(reused) == ["capture_id_reused"]


@pytest.mark.parametrize(
    ("history", "changes", "codes"),
    [
        ([], {}, ["consent_unknown"]),
        ([QUESTION], {}, ["capture_before_consent"]),
        ([QUESTION, REFUSED], {}, ["capture_before_consent"]),
        ([QUESTION, GIVEN], {"taken_at": AT - INSTANT}, ["capture_before_consent"]),
        ([QUESTION, GIVEN], {"taken_at": AT + timedelta(minutes=5)}, []),
        (
            [QUESTION, GIVEN],
            {"taken_at": AT + timedelta(minutes=5) + INSTANT},
            ["device_clock_ahead"],
        ),
        ([QUESTION, GIVEN], {"captured_by": "clerk:other"}, ["not_own_clerk"]),
        ([QUESTION, GIVEN], {"device_id": "own"}, ["device_not_registered"]),
        ([QUESTION, GIVEN], {"portrait_image_id": ONE}, ["images_alike"]),
        ([QUESTION, GIVEN, WITHDRAWN], {}, ["consent_withdrawn"]),
        ([QUESTION, GIVEN, DISPUTED], {}, ["consent_disputed"]),
        ([QUESTION, GIVEN, REDEEMED], {}, ["consent_used"]),
        ([QUESTION, GIVEN], {"at": AT + timedelta(hours=1)}, ["consent_expired"]),
        ([QUESTION, WAITING], {"at": AT + timedelta(hours=72)}, ["consent_expired"]),
        ([QUESTION, GIVEN, *HANDED], {"capture_id": "cap2"}, ["submitted_already"]),
        (
            [QUESTION],
            {"captured_by": "clerk:x", "device_id": "x", "portrait_image_id": ONE},
            [
                "not_own_clerk",
                "capture_before_consent",
                "device_not_registered",
                "images_alike",
            ],
        ),
    ],
)
def test_who_is_not_photographed(
    history: list[Any], changes: dict[str, Any], codes: list[str]
) -> None:
    """Each reason alone, and several together (R14)."""
    verb = given(CAPTURE, *HERE, *history)
    if codes:
        assert verb.rejected(capture(**changes)) == codes
    else:
        assert len(verb.when(capture(**changes))) == 1


@pytest.mark.parametrize("name", ["document_image_id", "portrait_image_id"])
@pytest.mark.parametrize("used_as", ["document_image_id", "portrait_image_id"])
@pytest.mark.parametrize("first", [True, False])
def test_a_picture_serves_one_case(name: str, used_as: str, first: Any) -> None:
    """Whichever of the two it was, whoever's it was, before the question or behind it."""
    pictures: dict[str, Any] = {"document_image_id": "8" * 64, "portrait_image_id": "9" * 64}
    other = replace(CAPTURED, consent_id="q0", citizen_id="c0", **{**pictures, used_as: OTHER})
    history = [other, QUESTION, GIVEN] if first else [QUESTION, GIVEN, other]
    changes: dict[str, Any] = {name: OTHER}
    asked = capture(**changes)
    verb = given(CAPTURE, *HERE, *history)
    assert verb.rejected(asked) == ["image_used"]
    assert given(CAPTURE, *HERE, *history).when(capture()) == [CAPTURED]


def test_boundaries_find_what_the_rules_look_at() -> None:
    """Each picture in both places, the device's right, and the gate."""
    tags = {tag for arm in CAPTURE.boundary(capture()) for tag in arm.tags}
    assert {f"{noun}_image:{one}" for noun in ("document", "portrait") for one in (ONE, TWO)} < tags
    assert {"consent:q1", "right:device/o/d", "clerk:k", "site:s", "citizen:c1"} < tags


@pytest.mark.parametrize(
    ("history", "changes", "codes"),
    [
        ([], {}, ["consent_unknown"]),
        ([QUESTION], {}, ["consent_not_given", "capture_missing"]),
        ([QUESTION, REFUSED], {}, ["consent_refused", "capture_missing"]),
        ([QUESTION, GIVEN], {}, ["capture_missing"]),
        ([QUESTION, GIVEN, CAPTURED], {"submitted_by": "clerk:other"}, ["not_own_clerk"]),
        ([QUESTION, GIVEN, *HANDED], {"submitted_by": "clerk:other"}, None),
        ([QUESTION, GIVEN, CAPTURED, WITHDRAWN], {}, ["consent_withdrawn"]),
        ([QUESTION, GIVEN, CAPTURED], {"at": AT + timedelta(hours=1)}, ["consent_expired"]),
    ],
)
def test_what_is_not_handed_in(
    history: list[Any], changes: dict[str, Any], codes: list[str] | None
) -> None:
    """Each reason; and another clerk hears that it is not theirs, whatever else."""
    found = given(SUBMIT, *HERE, *history).rejected(submit(**changes))
    assert found == (codes or ["not_own_clerk", "submitted_already"])


def test_online_there_is_no_clerk_to_photograph() -> None:
    """And a use asks for nothing to be handed in; nor does what is no account."""
    online = replace(QUESTION, channel=Channel.ONLINE, office_id=None, clerk_id=None, site_id=None)
    act = Act.of(online)
    asked = [*HERE, online, GIVEN]
    assert "not_own_clerk" in given(CAPTURE, *asked).rejected(capture(act=act))
    assert "not_own_clerk" in given(SUBMIT, *asked).rejected(submit(act=act))
    assert given(REDEEM, *asked).when(redeem(act=act)) == [REDEEMED]
    power = replace(QUESTION, purpose="electricity-contract")
    assert given(REDEEM, *HERE, power, GIVEN).when(redeem(act=ACT)) == [REDEEMED]


def test_another_question_of_the_citizen_hands_nothing_in() -> None:
    """A capture that a picture was looked up by is none of this question's own."""
    theirs = replace(CAPTURED, consent_id="q0")
    for history in ([theirs, QUESTION, GIVEN], [QUESTION, GIVEN, theirs]):
        assert given(SUBMIT, *HERE, *history).rejected(submit()) == ["capture_missing"]


# -- four eyes ----------------------------------------------------------------------------------


def test_who_captured_does_not_approve() -> None:
    """No clerk decides at the bank, nor anybody where the clerk is (R21)."""
    asked_here = replace(QUESTION, asked_from_id="a" * 64)
    history = [*HERE, asked_here, GIVEN, *HANDED]
    use = redeem(act=ACT, officer_id="nv-01", approved_from_id="b" * 64)
    assert given(REDEEM, *history).when(use) == [replace(REDEEMED, officer_id="nv-01")]
    by_clerk = replace(use, officer_id="k")
    assert given(REDEEM, *history).rejected(by_clerk) == ["officer_is_clerk"]
    both = replace(by_clerk, approved_from_id="a" * 64)
    assert given(REDEEM, *history).rejected(both) == ["officer_is_clerk", "approved_from_counter"]
    nowhere = [*HERE, QUESTION, GIVEN, *HANDED]
    assert given(REDEEM, *nowhere).when(replace(use, approved_from_id=None))
    assert "clerk:k" in {tag for arm in REDEEM.boundary(by_clerk) for tag in arm.tags}


# -- the order ----------------------------------------------------------------------------------

IN_ORDER = ("notice", "consent", "capture", "submission", "confirmation", "use")


def perform(step: str, facts: list[Any], waits: Any) -> list[Any]:
    """Return what a step adds to a history, nothing where the rules say no."""
    made = statement(waits_for=Waits.CONFIRMATION, expires_at=WAITING.statement.expires_at)
    agrees = made if waits else statement()
    later = AT + timedelta(minutes=1)
    try:
        match step:
            case "notice":
                return given(SERVE, *facts).when(SERVED)
            case "consent":
                (code,) = given(ASK_SIGNATURE, *facts).when(press(statement=agrees))
                return [code, *given(SIGN, *facts, code).when(sign(challenge_id="ch9"))]
            case "capture":
                return given(CAPTURE, *facts).when(capture(at=later, taken_at=later))
            case "submission":
                return given(SUBMIT, *facts).when(submit(at=later))
            case "confirmation":
                asked = press(Decision.CONFIRMED, at=later, challenge_id="ch8")
                (code,) = given(ASK_SIGNATURE, *facts).when(asked)
                signed = sign(challenge_id="ch8", at=later)
                return [code, *given(SIGN, *facts, code).when(signed)]
            case _:
                own = next((one for one in facts if isinstance(one, ConsentGiven)), GIVEN)
                use = redeem(act=ACT, at=later, statement_hash=own.statement_hash)
                return given(REDEEM, *facts).when(use)
    except Rejection:
        return []


def played(steps: Sequence[str], waits: Any) -> list[Any]:
    """Return the history of these steps, each tried once, in this order."""
    facts = [*HERE, QUESTION]
    for step in steps:
        facts += perform(step, facts, waits)
    return facts


@for_all(steps=st.permutations(IN_ORDER), waits=st.booleans())
def test_only_one_order_opens(steps: list[str], waits: Any) -> None:
    """Notice < agreement < capture < submission < confirmation < use (R4), of all 720 orders.

    Where an agreement waits for no confirmation, there is none to come too late.
    """
    counted = [one for one in steps if waits or one != "confirmation"]
    right_order = [one for one in IN_ORDER if waits or one != "confirmation"]
    opened = any(isinstance(one, ConsentRedeemed) for one in played(steps, waits))
    assert opened == (counted == right_order)


def test_the_order_that_opens() -> None:
    """Shown once: each step is there, in its place."""
    kinds = [type(one) for one in played(IN_ORDER, waits=True)]
    steps = [ConsentGiven, IdentityCaptured, OpeningSubmitted, ConsentConfirmed, ConsentRedeemed]
    assert [one for one in kinds if one in steps] == steps
    assert {type(CONFIRMED), type(REDEEMED)} <= DECISIVE.keys()


@for_all(
    facts=st.lists(
        st.sampled_from([QUESTION, GIVEN, WAITING, *HANDED, CONFIRMED, REFUSED, WITHDRAWN]),
        max_size=6,
    )
)
def test_no_history_makes_a_step_come_first(facts: list[Any]) -> None:
    """Whatever lies in the log: no capture without an agreement, no submission without either."""
    agreed = any(isinstance(one, ConsentGiven) for one in facts)
    again = capture(capture_id="cap9", at=AT + timedelta(minutes=1))
    for verb, asked, needs in (
        (CAPTURE, again, agreed),
        (SUBMIT, submit(), agreed and CAPTURED in facts),
    ):
        try:
            added = given(verb, *HERE, *facts).when(asked)
        except Rejection:
            continue
        assert needs or not added
