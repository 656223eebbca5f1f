"""Passkeys by rule: who may enrol one, what it signs and from when, and what ends it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.decisions import ASK_SIGNATURE, SIGN
from services.consent.facts import (
    ENROLMENT,
    CitizenErased,
    ConsentGiven,
    EnrolmentRequest,
    Ground,
    PasskeyAsked,
    PasskeyEnrolled,
    PasskeyFailed,
    PasskeyRevoked,
    PasskeyUsed,
    StaffPasskeyMarked,
    StaffPhoneMarked,
)
from services.consent.passkeys import (
    ASK_ENROLMENT,
    ENROL,
    MARK_STAFF,
    REVOKE,
    AskEnrolment,
    Enrol,
    Revoke,
)
from services.consent.policy import Policy
from services.consent.separation import Means
from shared.contracts.consent import Decision, Grade, Waits
from shared.contracts.evidence import Evidence, Passkey, PasskeySignature
from shared.errors import Rejection
from tests.consent.test_rules_decisions import CODE, press, sign
from tests.support.given import AT, given
from tests.support.samples import DIRECTORY, HANDED, QUESTION, SERVED, WAITING, asked, statement

PASSKEY = Passkey(
    credential_id="cred-1",
    public_key="key-1",
    algorithm=-7,
    sign_count=0,
    aaguid="",
    backup_eligible=False,
    backed_up=False,
    transports=[],
    rp_id="thuan.example",
    origin="https://thuan.example",
    client_data_json="",
    attestation_object="",
    challenge="",
)
REQUEST = EnrolmentRequest(
    typ=ENROLMENT, enrolment_id="e1", citizen_id="c1", nonce="n", issued_at=AT
)
ASKED = PasskeyAsked(
    citizen_id="c1",
    enrolment_id="e1",
    request=REQUEST,
    request_hash=REQUEST.hash(),
    expires_at=AT + timedelta(minutes=5),
)
ENROLLED = PasskeyEnrolled(
    citizen_id="c1", enrolment_id="e1", passkey_id=PASSKEY.id, passkey=PASSKEY
)
FAILED = PasskeyFailed(citizen_id="c1", enrolment_id="e1", reasons=["code_wrong"])
REVOKED = PasskeyRevoked(citizen_id="c1", passkey_id=PASSKEY.id)
OF_STAFF = StaffPasskeyMarked(clerk_id="k", passkey_id=PASSKEY.id)
LATER = AT + timedelta(hours=25)
"""A day after everything in `given` was recorded."""

ASKED_LATER = replace(QUESTION, asked_at=LATER, decide_by=LATER + timedelta(hours=24))


def enrol(**changes: Any) -> Enrol:
    """Return a right code and a good answer."""
    whole = Enrol(
        enrolment_id="e1",
        citizen_id="c1",
        means=Means(),
        code_matches=True,
        passkey=PASSKEY,
        failure="",
        at=AT,
        policy=Policy(),
    )
    return replace(whole, **changes)


def evidence(count: int = 1, credential_id: str = "cred-1") -> Evidence:
    """Return a signature that held by itself."""
    signature = PasskeySignature(
        credential_id=credential_id,
        public_key="key-1",
        algorithm=-7,
        authenticator_data="",
        client_data_json="",
        signature="",
        rp_id="thuan.example",
        origin="https://thuan.example",
        sign_count=count,
        backed_up=False,
        backup_eligible=False,
    )
    return Evidence(grade=Grade.KEY_UV, passkey=signature)


def challenge(**changes: Any) -> Any:
    """Return the fact that a device was asked to sign an agreement."""
    signed = statement(grade=Grade.KEY_UV, **changes)
    return replace(
        asked(challenge_id="ch9"),
        statement=signed,
        statement_hash=signed.hash(),
        asked_at=LATER,
        expires_at=LATER + timedelta(minutes=5),
    )


def signing(*history: Any, question: Any = ASKED_LATER, **changes: Any) -> Any:
    """Return the verb after a history, and a device's answer to it."""
    verb = given(SIGN, question, SERVED, *history, challenge(**changes))
    return verb, sign(challenge_id="ch9", evidence=evidence(), at=LATER)


def test_a_passkey_is_enrolled_once() -> None:
    """With the code and the answer of one request; the same again adds nothing."""
    assert given(ENROL, ASKED).when(enrol()) == [ENROLLED]
    assert given(ENROL, ASKED, ENROLLED).when(enrol()) == []
    other = replace(PASSKEY, credential_id="cred-2")
    with pytest.raises(Rejection, match="enrolment_done"):
        given(ENROL, ASKED, ENROLLED).when(enrol(passkey=other))
    with pytest.raises(Rejection, match="enrolment_unknown"):
        given(ENROL).when(enrol())


@pytest.mark.parametrize(
    ("history", "changes", "codes"),
    [
        ([], {"code_matches": False}, ["code_wrong"]),
        ([], {"passkey": None, "failure": "passkey_origin"}, ["passkey_origin"]),
        ([], {"at": AT + timedelta(minutes=5)}, ["code_expired"]),
        ([FAILED] * 5, {}, ["code_tries_used"]),
        ([OF_STAFF], {}, ["passkey_of_staff"]),
        ([replace(ENROLLED, citizen_id="c2", enrolment_id="e2")], {}, ["passkey_taken"]),
        (
            [OF_STAFF, replace(ENROLLED, citizen_id="c2", enrolment_id="e2")],
            {"code_matches": False},
            ["code_wrong", "passkey_of_staff", "passkey_taken"],
        ),
    ],
)
def test_what_is_not_enrolled(
    history: list[Any], changes: dict[str, Any], codes: list[str]
) -> None:
    """Each reason alone, and together; a passkey is one person's, and never staff's."""
    assert given(ENROL, ASKED, *history).rejected(enrol(**changes)) == codes


def test_who_was_erased_since_enrols_nothing() -> None:
    """A request from before the erasure is an erased person's; one from after it is another's."""
    erased = CitizenErased(citizen_id="c1", key_id="k", ground=Ground.REQUEST, asked_by="op")
    assert given(ENROL, ASKED, erased).rejected(enrol()) == ["citizen_erased"]
    assert given(ENROL, erased, ASKED).when(enrol()) == [ENROLLED]
    other = replace(erased, citizen_id="c2")
    assert given(ENROL, ASKED, other).when(enrol(means=Means())) == [ENROLLED]


def test_codes_to_enrol_are_counted_by_the_hour() -> None:
    """Five an hour; the sixth waits."""
    ask = AskEnrolment(request=REQUEST, bank_id="b1", means=Means(), at=AT, policy=Policy())
    assert given(ASK_ENROLMENT).when(ask) == [replace(ASKED, bank_id="b1")]
    with pytest.raises(Rejection, match="too_many_codes"):
        given(ASK_ENROLMENT, *[ASKED] * 5).when(ask)
    later = replace(ask, at=AT + timedelta(hours=1))
    assert len(given(ASK_ENROLMENT, *[ASKED] * 5).when(later)) == 1


def test_a_passkey_is_taken_away_once_and_marked_once() -> None:
    """Only one that is there; the same again adds nothing; only a clerk's is staff's."""
    revoke = Revoke(citizen_id="c1", passkey_id=PASSKEY.id)
    assert given(REVOKE, ENROLLED).when(revoke) == [REVOKED]
    assert given(REVOKE, ENROLLED, REVOKED).when(revoke) == []
    with pytest.raises(Rejection, match="passkey_unknown"):
        given(REVOKE).when(revoke)
    assert given(MARK_STAFF, DIRECTORY[3]).when(OF_STAFF) == [OF_STAFF]
    assert given(MARK_STAFF, DIRECTORY[3], OF_STAFF).when(OF_STAFF) == []
    with pytest.raises(Rejection, match="clerk_unknown"):
        given(MARK_STAFF).when(OF_STAFF)


def test_a_passkey_known_before_signs_and_counts_on() -> None:
    """The agreement has the evidence; how far the passkey counted is a fact beside it."""
    verb, answer = signing(ENROLLED)
    agreed, used = verb.when(answer)
    assert isinstance(agreed, ConsentGiven)
    assert agreed.evidence == answer.evidence
    assert used == PasskeyUsed(citizen_id="c1", passkey_id=PASSKEY.id, sign_count=1)


@pytest.mark.parametrize(
    ("history", "codes"),
    [
        ([], ["passkey_unknown"]),
        ([ENROLLED, REVOKED], ["passkey_unknown"]),
        ([ENROLLED, OF_STAFF], ["passkey_of_staff"]),
        (
            [ENROLLED, PasskeyUsed(citizen_id="c1", passkey_id=PASSKEY.id, sign_count=1)],
            ["passkey_counter"],
        ),
    ],
)
def test_what_a_passkey_does_not_sign(history: list[Any], codes: list[str]) -> None:
    """Not one that is unknown, gone, staff's, or that did not count on."""
    verb, answer = signing(*history)
    assert verb.rejected(answer) == codes


def test_a_passkey_from_the_same_day_signs_only_what_waits() -> None:
    """An agreement that would count at once needs one that was known a day before."""
    verb, answer = signing(ENROLLED, question=replace(ASKED_LATER, asked_at=AT))
    assert verb.rejected(answer) == ["passkey_too_new"]
    verb, answer = signing(
        ENROLLED, question=replace(ASKED_LATER, asked_at=AT), waits_for=Waits.TIME
    )
    assert isinstance(verb.when(answer)[0], ConsentGiven)


@for_all(after=st.timedeltas(timedelta(hours=-48), timedelta(hours=48)))
def test_a_second_word_needs_a_passkey_from_a_day_before_the_question(after: timedelta) -> None:
    """Who enrolled theirs while they had the phone cannot confirm with it what they agreed to."""
    question = replace(ASKED_LATER, asked_at=AT + after)
    waiting = replace(WAITING, statement=replace(WAITING.statement, not_before=AT))
    history = [question, SERVED, waiting, *HANDED, ENROLLED]
    confirms = statement(Decision.CONFIRMED, grade=Grade.KEY_UV)
    too_new = [] if after >= timedelta(hours=24) else ["passkey_too_new"]
    ask = replace(press(), statement=confirms, at=LATER)
    assert _codes(given(ASK_SIGNATURE, *history), ask) == too_new
    fixed = challenge(decision=Decision.CONFIRMED)
    answer = sign(challenge_id="ch9", evidence=evidence(), at=LATER)
    assert _codes(given(SIGN, *history, fixed), answer) == too_new


def _codes(verb: Any, asked: Any) -> list[str]:
    """Return why a verb says no, nothing where it says yes."""
    try:
        verb.when(asked)
    except Rejection as no:
        return [one.code for one in no.reasons]
    return []


PHONE = Means(phone_id="p1", citizens=["c1", "c2", "c3"])
OWN = replace(DIRECTORY[5], citizen_id="c1", phone_id="p1")
STAFFS = StaffPhoneMarked(clerk_id="k", office_id="o", phone_id="p1")
OTHERS = [replace(OWN, citizen_id="c2"), replace(OWN, citizen_id="c3")]


@pytest.mark.parametrize(
    ("history", "codes"),
    [
        ([OWN], []),
        ([OWN, OTHERS[0]], ["phone_shared"]),
        ([OWN, *OTHERS], ["phone_shared"]),
        ([OWN, STAFFS], ["phone_of_staff"]),
        ([replace(OWN, phone_id="p2")], ["phone_not_own"]),
        ([], ["phone_not_own"]),
    ],
)
def test_a_phone_that_is_not_the_citizens_own_enrols_nothing(
    history: list[Any], codes: list[str]
) -> None:
    """When it is asked for, and again when the code comes back: a passkey is held to no phone."""
    ask = AskEnrolment(request=REQUEST, bank_id="b1", means=PHONE, at=AT, policy=Policy())
    assert _codes(given(ASK_ENROLMENT, *history), ask) == codes
    fixed = replace(ASKED, phone_id="p1", bank_id="b1")
    assert _codes(given(ENROL, fixed, *history), enrol(means=PHONE)) == codes


@for_all(grade=st.sampled_from(Grade), by=st.sampled_from([CODE, evidence()]))
def test_evidence_of_another_way_is_none(grade: Grade, by: Evidence) -> None:
    """The statement says how it is signed, and nothing else signs it."""
    wanted = challenge(waits_for=Waits.TIME)
    signed = replace(wanted.statement, grade=grade)
    wanted = replace(wanted, statement=signed, statement_hash=signed.hash())
    verb = given(SIGN, ASKED_LATER, SERVED, ENROLLED, wanted)
    answer = sign(challenge_id="ch9", evidence=by, at=LATER)
    if by.grade is grade:
        assert isinstance(verb.when(answer)[0], ConsentGiven)
    else:
        assert verb.rejected(answer) == ["grade_differs"]


def test_a_device_is_only_asked_where_there_is_one() -> None:
    """Who has no passkey, or none any more, is not asked for one."""
    ask = replace(press(), statement=statement(grade=Grade.KEY_UV, waits_for=Waits.TIME))
    for history in ([], [ENROLLED, REVOKED]):
        assert given(ASK_SIGNATURE, QUESTION, SERVED, *history).rejected(ask) == ["passkey_unknown"]
    assert len(given(ASK_SIGNATURE, QUESTION, SERVED, ENROLLED).when(ask)) == 1


def test_a_refusal_by_passkey_says_nothing_of_the_passkey() -> None:
    """Its fact keeps the evidence for its own person's key, and none says how far it counted."""
    signed = statement(Decision.REFUSED, grade=Grade.KEY_UV, citizen_id="r-1")
    wanted = replace(challenge(), statement=signed, statement_hash=signed.hash(), citizen_id="r-1")
    verb = given(SIGN, ASKED_LATER, SERVED, ENROLLED, wanted)
    (fact,) = verb.when(sign(challenge_id="ch9", evidence=evidence(), at=LATER))
    assert fact.PERSONAL == {"consent": ("evidence",)}
    assert "cred-1" in fact.evidence
