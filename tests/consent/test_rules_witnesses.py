"""Two who saw it: who can be a witness, which two can bear out a question, and what each signs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.decisions import ASK_SIGNATURE, SIGN, AskSignature, Sign
from services.consent.facts import (
    CitizenRegistered,
    ConsentGiven,
    ConsentRefused,
    DecisionRejected,
    PasskeyEnrolled,
    SignatureAsked,
    StaffPasskeyMarked,
    StaffPhoneMarked,
    StaffPhoneUnmarked,
    WitnessDissented,
    WitnessEnded,
    WitnessSigned,
)
from services.consent.passkeys import ENROL as ENROL_CITIZEN
from services.consent.policy import Policy
from services.consent.separation import Means
from services.consent.witnesses import END, ENROL, INVITE, Enrol, Invite
from services.consent.witnessing import ATTEST, DISSENT, NAME, Attest, Dissent, Name
from shared.contracts.consent import Decision, Grade
from shared.contracts.evidence import CodeMatch, Evidence
from shared.errors import Rejection
from tests.consent.test_rules_passkeys import ASKED as CITIZEN_ASKED
from tests.consent.test_rules_passkeys import enrol as citizen_enrol
from tests.support.given import AT, given
from tests.support.samples import DIRECTORY, MARKS, QUESTION, SERVED, statement
from tests.support.witnesses import (
    KNOWN,
    NAMED,
    PAIR,
    WITNESSES,
    challenge,
    enrolled,
    invited,
    named,
    passkey,
    witnessing,
)

OF_STAFF = StaffPhoneMarked(clerk_id="k", office_id="o", phone_id="phone2")
KEY_OF_STAFF = StaffPasskeyMarked(clerk_id="k", passkey_id=enrolled("w2").passkey_id)
ENDED = WitnessEnded(witness_id="w2", ended_by="operator:op")
ASKED: list[Any] = [*WITNESSES, QUESTION, SERVED]
SIGNED = [
    WitnessSigned(consent_id="q1", challenge_id="ch2", witness_id=one, witnessing=witnessing(one))
    for one in PAIR
]

UNFIT: list[tuple[str, list[Any]]] = [
    ("witness_unknown", [ENDED]),
    ("witness_unknown", [replace(invited("w2"), enrolment_id="e-new"), enrolled("w2", "another")]),
    ("witness_of_staff", [OF_STAFF]),
    ("witness_of_staff", [KEY_OF_STAFF]),
    ("witness_is_citizen", [replace(DIRECTORY[5], phone_id="phone2")]),
]
"""What makes the second of two unfit, after all was well."""


def name(*pair: str, **changes: Any) -> Name:
    """Return that these two are to witness QUESTION."""
    known = replace(KNOWN, witness_ids=pair or PAIR, **changes)
    return Name(consent_id="q1", witnesses=known, named_by="clerk:k")


def attest(witness_id: str, **changes: Any) -> Attest:
    """Return a witness's device's answer to `challenge`."""
    whole = Sign(
        consent_id="q1",
        citizen_id="c1",
        signer_id="c1",
        challenge_id="ch2",
        evidence=None,
        failure="",
        event="jws",
        refusals=MARKS,
        means=Means(),
        at=AT,
        policy=Policy(),
        witnesses=KNOWN,
    )
    held = changes.pop("witnessing", witnessing(witness_id))
    return Attest(witness_id=witness_id, witnessing=held, sign=replace(whole, **changes))


# -- who can be a witness -----------------------------------------------------------------------


def invite(**changes: Any) -> Invite:
    """Return the invitation of w1 once more, with another id."""
    request = replace(invited("w1").request, enrolment_id="e-new")
    whole = Invite(
        request=request,
        organisation_id="org1",
        phone_id="phone1",
        invited_by="operator:op",
        expires_at=AT + timedelta(hours=72),
    )
    return replace(whole, **changes)


def test_somebody_is_invited_once() -> None:
    """The same particulars again are the same invitation, as long as it can be taken, or was."""
    (fact,) = given(INVITE).when(invite())
    assert (fact.witness_id, fact.enrolment_id, fact.phone_id) == ("w1", "e-new", "phone1")
    assert given(INVITE, invited("w1")).when(invite()) == []
    assert given(INVITE, invited("w1"), enrolled("w1")).when(invite()) == []
    for changed in ({"organisation_id": "org9"}, {"phone_id": "phone9"}):
        assert given(INVITE, invited("w1")).when(invite(**changed))
    later = replace(invite().request, issued_at=AT + timedelta(hours=72))
    assert given(INVITE, invited("w1")).when(invite(request=later))
    assert given(INVITE, invited("w1"), enrolled("w1")).when(invite(request=later)) == []


def test_a_clerks_phone_makes_no_witness() -> None:
    """It is told apart by its mark, as long as it is the clerk's."""
    mark = replace(OF_STAFF, phone_id="phone1")
    assert given(INVITE, mark).rejected(invite()) == ["witness_of_staff"]
    free = StaffPhoneUnmarked(clerk_id="k", office_id="o", phone_id="phone1")
    assert given(INVITE, mark, free).when(invite())


def enrol(**changes: Any) -> Enrol:
    """Return a good answer to the invitation of w1."""
    whole = Enrol(
        witness_id="w1",
        enrolment_id="e-w1",
        phone_id="phone1",
        passkey=passkey("cred-w1"),
        failure="",
        at=AT,
    )
    return replace(whole, **changes)


def test_a_device_makes_a_witness_once() -> None:
    """Of the newest invitation, in its time; the same answer again adds nothing."""
    verb = given(ENROL, invited("w1"))
    assert verb.when(enrol()) == [enrolled("w1")]
    assert given(ENROL, invited("w1"), enrolled("w1")).when(enrol()) == []
    with pytest.raises(Rejection, match="enrolment_done"):
        given(ENROL, invited("w1"), enrolled("w1")).when(enrol(passkey=passkey("other")))
    assert verb.rejected(enrol(at=AT + timedelta(hours=72))) == ["invitation_over"]
    assert verb.rejected(enrol(passkey=None, failure="passkey_origin")) == ["passkey_origin"]
    newer = replace(invited("w1"), enrolment_id="e-new")
    other = enrol(enrolment_id="e-new", passkey=passkey("other"))
    assert given(ENROL, invited("w1"), enrolled("w1"), newer).when(other)
    with pytest.raises(Rejection, match="invitation_over"):
        given(ENROL, invited("w1"), newer).when(enrol())
    with pytest.raises(Rejection, match="invitation_over"):
        given(ENROL, invited("w1"), replace(ENDED, witness_id="w1")).when(enrol())


def test_a_witnesss_passkey_is_nobody_elses() -> None:
    """Not a citizen's, not another witness's, not a clerk's; nor does it become a citizen's."""
    own = passkey("cred-w1")
    citizens = PasskeyEnrolled(citizen_id="c1", enrolment_id="e1", passkey_id=own.id, passkey=own)
    staffs = StaffPasskeyMarked(clerk_id="k", passkey_id=own.id)
    taken = enrolled("w2", "cred-w1")
    for other, code in (
        (citizens, "passkey_taken"),
        (taken, "passkey_taken"),
        (staffs, "witness_of_staff"),
    ):
        assert given(ENROL, invited("w1"), other).rejected(enrol()) == [code]
    citizen = given(ENROL_CITIZEN, CITIZEN_ASKED, enrolled("w1", "cred-1"))
    assert citizen.rejected(citizen_enrol()) == ["passkey_taken"]


def test_somebody_stops_being_a_witness_once() -> None:
    """And can be invited again, on which they enrol anew."""
    assert given(END, *WITNESSES).when(ENDED) == [ENDED]
    assert given(END, *WITNESSES, ENDED).when(ENDED) == []
    again = replace(invite().request, witness_id="w2")
    assert given(INVITE, *WITNESSES, ENDED).when(invite(request=again))


# -- which two ----------------------------------------------------------------------------------


def test_two_are_named_once() -> None:
    """In either order they are the same two; the last two that were named count."""
    assert given(NAME, *ASKED).when(name()) == NAMED
    for pair in permutations(PAIR):
        assert given(NAME, *ASKED, *NAMED).when(name(*pair)) == []
    third = [invited("w3"), enrolled("w3")]
    known = {
        "phone_ids": ["phone2", "phone3"],
        "passkey_ids": [enrolled(one).passkey_id for one in ("w2", "w3")],
    }
    facts = given(NAME, *ASKED, *NAMED, *third).when(name("w2", "w3", **known))
    assert [one.witness_id for one in facts] == ["w2", "w3"]


@pytest.mark.parametrize("asker", ["clerk:k2", "bank:other", "operator:op", "service:cake"])
def test_only_whoever_asks_names_them(asker: str) -> None:
    """The bank whose question it is, or the clerk who put it; to others there is none."""
    with pytest.raises(Rejection, match="consent_unknown"):
        given(NAME, *ASKED).when(replace(name(), named_by=asker))
    assert given(NAME, *ASKED).when(replace(name(), named_by="bank:cake"))


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        *UNFIT,
        ("witness_of_asker", [replace(invited("w2"), organisation_id="o"), enrolled("w2")]),
        ("witness_of_asker", [replace(invited("w2"), organisation_id="cake"), enrolled("w2")]),
        ("witnesses_alike", [replace(invited("w2"), organisation_id="org1"), enrolled("w2")]),
        ("witnesses_alike", [replace(invited("w2"), phone_id="phone1"), enrolled("w2")]),
    ],
)
def test_who_is_no_fit_pair(code: str, changed: Sequence[Any]) -> None:
    """Each rule of the pair, alone."""
    assert given(NAME, *ASKED, *changed).rejected(name()) == [code]


def test_one_person_is_no_pair() -> None:
    """Nor are two that share a passkey, nor one alone, nor somebody nobody knows."""
    assert given(NAME, *ASKED).rejected(name("w1", "w1")) == ["witnesses_alike"]
    shared = [*ASKED, enrolled("w2", "cred-w1")]
    assert given(NAME, *shared).rejected(name()) == ["witnesses_alike"]
    assert given(NAME, *ASKED).rejected(name("w1")) == ["witness_unknown"]
    assert given(NAME, *ASKED).rejected(name("w1", "w9")) == ["witness_unknown"]


# -- what they sign -----------------------------------------------------------------------------


def test_only_the_second_signature_decides() -> None:
    """In either order; the first is a fact, and no decision."""
    history = [*ASKED, *NAMED, challenge()]
    for first, second in permutations(SIGNED):
        assert given(ATTEST, *history).when(attest(first.witness_id)) == [first]
        facts = given(ATTEST, *history, first).when(attest(second.witness_id))
        assert [type(one) for one in facts] == [WitnessSigned, ConsentGiven]
        assert [one.witness_id for one in facts[1].evidence.witnesses] == list(PAIR)
        assert given(ATTEST, *history, first, *facts).when(attest(second.witness_id)) == []
    assert given(ATTEST, *history, SIGNED[0]).when(attest("w1")) == []


@for_all(signers=st.lists(st.sampled_from(["w1", "w2", "w3"]), max_size=6))
def test_nothing_is_decided_before_both_signed(signers: list[str]) -> None:
    """Whoever signs, in whatever order and however often: one decision, once both have."""
    history: list[Any] = [*ASKED, invited("w3"), enrolled("w3"), *NAMED, challenge()]
    done = set[str]()
    for one in signers:
        if one == "w3":  # whom nobody named
            with pytest.raises(Rejection, match="challenge_unknown"):
                given(ATTEST, *history).when(attest(one))
            continue
        added = given(ATTEST, *history).when(attest(one))
        new = one not in done
        done.add(one)
        assert [type(fact) for fact in added] == (
            [WitnessSigned, ConsentGiven][: len(done)] if new else []
        )
        history += added


def test_no_is_no_with_two_witnesses_too() -> None:
    """A refusal is one, and names neither the citizen nor less than two who heard it."""
    history = [*ASKED, *NAMED, challenge(Decision.REFUSED), SIGNED[0]]
    signed, refused = given(ATTEST, *history).when(attest("w2"))
    assert isinstance(refused, ConsentRefused)
    assert isinstance(refused.evidence, str)
    assert '"witness_id":"w2"' in refused.evidence
    assert signed == SIGNED[1]


@pytest.mark.parametrize(("code", "changed"), UNFIT)
@pytest.mark.parametrize("first", [(), (SIGNED[0],)])
def test_who_became_unfit_signs_nothing(code: str, changed: list[Any], first: Any) -> None:
    """Not first, and not second: the rule is asked each time."""
    history = [*ASKED, *NAMED, challenge(), *first, *changed]
    found = given(ATTEST, *history).rejected(attest("w2"))
    assert set(found) <= {code, "passkey_unknown"}
    assert found


def test_the_other_one_heard_something_else() -> None:
    """Then nothing is signed any more of what was pressed; both may say so, once each counts."""
    history = [*ASKED, *NAMED, challenge(), SIGNED[0]]
    dissent = Dissent(consent_id="q1", challenge_id="ch2", witness_id="w2")
    (fact,) = given(DISSENT, *history).when(dissent)
    assert isinstance(fact, WitnessDissented)
    assert given(DISSENT, *history, fact).when(dissent) == []
    assert given(ATTEST, *history, fact).rejected(attest("w2")) == ["witness_dissented"]
    with pytest.raises(Rejection, match="challenge_unknown"):
        given(DISSENT, *history).when(replace(dissent, witness_id="w3"))
    decided = given(ATTEST, *history).when(attest("w2"))
    assert given(DISSENT, *history, *decided).rejected(dissent) == ["already_decided"]


def test_both_were_there() -> None:
    """The second signs in its time, to the microsecond."""
    history = [*ASKED, *NAMED, challenge(), SIGNED[0]]
    over = AT + timedelta(hours=2)
    assert given(ATTEST, *history).when(attest("w2", at=over - timedelta(microseconds=1)))
    assert given(ATTEST, *history).rejected(attest("w2", at=over)) == ["witnessing_over"]


@pytest.mark.parametrize("first", [(), (SIGNED[0],)])
def test_from_the_clerks_network_nobody_bears_out_an_agreement(first: Any) -> None:
    """Not the first, and not the second; a refusal is taken from anywhere."""
    question = replace(QUESTION, asked_from_id="net")
    there = {"means": Means(address_id="net")}
    history = [*WITNESSES, question, SERVED, *NAMED, challenge(), *first]
    assert given(ATTEST, *history).rejected(attest("w2", **there)) == ["clerk_address"]
    refusing = [*WITNESSES, question, SERVED, *NAMED, challenge(Decision.REFUSED), *first]
    assert given(ATTEST, *refusing).when(attest("w2", **there))


def test_a_device_that_did_not_sign_is_counted() -> None:
    """As a wrong code is; and what is signed must be newer than what was, with the own passkey."""
    history = [*ASKED, *NAMED, challenge()]
    failed = attest("w1", witnessing=None, failure="passkey_signature")
    with pytest.raises(Rejection, match="passkey_signature") as no:
        given(ATTEST, *history).when(failed)
    assert no.value.facts[0].reason == "passkey_signature"
    other = attest("w1", witnessing=witnessing("w1", name="cred-w2"))
    assert given(ATTEST, *history).rejected(other) == ["passkey_unknown"]
    counted = replace(SIGNED[0], challenge_id="ch1", witnessing=witnessing("w1", count=7))
    old = attest("w1", witnessing=witnessing("w1", count=7))
    assert given(ATTEST, *history, counted).rejected(old) == ["passkey_counter"]


def press(decision: Decision = Decision.GIVEN, **changes: Any) -> AskSignature:
    """Return what the first of two witnesses pressed."""
    whole = AskSignature(
        challenge_id="ch2",
        citizen_id="c1",
        signer_id="c1",
        statement=statement(decision, grade=Grade.WITNESSED),
        means=Means(),
        at=AT,
        policy=Policy(),
        witnesses=KNOWN,
        scan_hash="d" * 64,
    )
    return replace(whole, **changes)


def test_what_was_pressed_is_fixed_with_the_two() -> None:
    """With the paper's hash, for two hours; not for a pair that nobody named."""
    (fact,) = given(ASK_SIGNATURE, *ASKED, *NAMED).when(press())
    assert isinstance(fact, SignatureAsked)
    assert (fact.witness_ids, fact.scan_hash) == (list(PAIR), "d" * 64)
    assert fact.expires_at == AT + timedelta(hours=2)
    assert given(ASK_SIGNATURE, *ASKED).rejected(press()) == ["witness_unknown"]
    renamed = [*NAMED, named("w2"), named("w3")]
    assert given(ASK_SIGNATURE, *ASKED, *renamed).rejected(press()) == ["witness_unknown"]
    for code, changed in UNFIT:
        assert given(ASK_SIGNATURE, *ASKED, *NAMED, *changed).rejected(press()) == [code]


def test_no_code_signs_what_witnesses_were_asked() -> None:
    """The statement says how it is signed."""
    by_code = replace(
        attest("w1").sign, evidence=Evidence(grade=Grade.OTP, code=CodeMatch(challenge_id="ch2"))
    )
    history = [*ASKED, *NAMED, challenge()]
    with pytest.raises(Rejection) as no:
        given(SIGN, *history).when(by_code)
    assert isinstance(no.value.facts[0], DecisionRejected)
    assert no.value.reasons[0].code == "grade_differs"


def test_a_citizen_may_have_no_phone() -> None:
    """An empty number is none: nobody's phone is then the witness's."""
    without = CitizenRegistered(citizen_id="c1", phone="")
    assert given(NAME, *ASKED, without).when(name()) == NAMED
