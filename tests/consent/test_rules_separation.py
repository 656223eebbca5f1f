"""A phone that is staff's, or too many people's, or a clerk's own network, signs no agreement."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.consent.decisions import ASK_SIGNATURE, SIGN, AskSignature, Sign
from services.consent.directory import REGISTER
from services.consent.facts import (
    CitizenErased,
    CitizenRegistered,
    ClerkRegistered,
    ConsentConfirmed,
    ConsentGiven,
    Ground,
    PhoneEnrolled,
    PhoneRejected,
    PhoneSharingAllowed,
    SharingGround,
    StaffPhoneMarked,
    StaffPhoneUnmarked,
)
from services.consent.policy import Policy
from services.consent.separation import (
    ALLOW_SHARING,
    MARK_STAFF,
    AllowSharing,
    MarkStaff,
    Means,
    address_mark,
)
from shared.contracts.consent import Decision
from shared.contracts.fields import Phone
from shared.errors import Rejection
from shared.marks import Marks
from tests.consent.test_rules_decisions import CODE
from tests.support.given import AT, given
from tests.support.samples import (
    DIRECTORY,
    GIVEN,
    HANDED,
    MARKS,
    QUESTION,
    SERVED,
    WAITING,
    asked,
    statement,
)

LONG_AGO = AT - timedelta(days=900)
LATER = AT + timedelta(minutes=30)
INSTANT = timedelta(microseconds=1)
OWN = CitizenRegistered(citizen_id="c1", phone_id="p", known_since=LONG_AGO)
OTHERS = [replace(OWN, citizen_id=f"c{number}") for number in range(2, 8)]
OF_STAFF = StaffPhoneMarked(clerk_id="k", office_id="o", phone_id="p")
NO_LONGER = StaffPhoneUnmarked(clerk_id="k", office_id="o", phone_id="p")
AGREEING = [Decision.GIVEN, Decision.CONFIRMED]
BEFORE = {
    Decision.GIVEN: [QUESTION, SERVED],
    Decision.REFUSED: [QUESTION, SERVED],
    Decision.CONFIRMED: [QUESTION, SERVED, WAITING, *HANDED],
    Decision.WITHDRAWN: [QUESTION, SERVED, GIVEN],
}


def allowed(citizens_max: int, bank_id: str = "cake") -> PhoneSharingAllowed:
    """Return what a bank allowed of the phone."""
    return PhoneSharingAllowed(
        phone_id="p",
        bank_id=bank_id,
        citizens_max=citizens_max,
        ground=SharingGround.HOUSEHOLD,
        allowed_by=f"bank:{bank_id}",
    )


def moved(citizen_id: str, phone_id: str, at: datetime = AT) -> PhoneEnrolled:
    """Return that a citizen gets another phone, which counts from an instant."""
    return PhoneEnrolled(
        enrolment_id=f"e-{citizen_id}",
        citizen_id=citizen_id,
        phone_id=phone_id,
        clerk_id=None,
        office_id=None,
        asked_by="operator:o",
        asked_at=LONG_AGO,
        effective_from=at,
    )


def reasons(
    decision: Decision, *facts: Any, means: Means | None = None, question: Any = QUESTION
) -> list[str]:
    """Return why a decision is not made with phone `p`: the same when asked for and when signed."""
    means = means or Means(phone_id="p", citizens=("c1",))
    history = [question if one is QUESTION else one for one in (*facts, *BEFORE[decision])]
    press = AskSignature(
        challenge_id="ch9",
        citizen_id="c1",
        signer_id="c1",
        statement=statement(decision),
        means=means,
        at=LATER,
        policy=Policy(),
    )
    agrees = decision in AGREEING
    challenge = replace(
        asked(decision, "ch9"),
        asked_at=LATER,
        expires_at=LATER + timedelta(minutes=5),
        phone_id=means.phone_id if agrees else None,
    )
    sign = Sign(
        consent_id="q1",
        challenge_id="ch9",
        citizen_id="c1",
        signer_id="c1",
        evidence=CODE,
        failure="code_wrong",
        event="jws",
        refusals=MARKS,
        means=means,
        at=LATER,
        policy=Policy(),
    )
    found = [_found(ASK_SIGNATURE, history, press), _found(SIGN, [*history, challenge], sign)]
    assert found[0] == found[1]
    return found[0]


def _found(verb: Any, history: list[Any], wanted: Any) -> list[str]:
    met = given(verb, *history)
    try:
        (fact,) = met.when(wanted)
    except Rejection:
        return met.rejected(wanted)
    agrees = verb is ASK_SIGNATURE and fact.statement.decision in AGREEING
    assert getattr(fact, "phone_id", None) == (wanted.means.phone_id if agrees else None)
    return []


@pytest.mark.parametrize("decision", AGREEING)
def test_the_citizens_own_phone_signs(decision: Decision) -> None:
    """A phone that is one citizen's alone, and no clerk's."""
    assert reasons(decision, OWN) == []


@pytest.mark.parametrize("decision", AGREEING)
def test_a_phone_of_staff_signs_no_agreement(decision: Decision) -> None:
    """As long as it is one clerk's; also where a bank lets a household share it."""
    assert reasons(decision, OWN, OF_STAFF) == ["phone_of_staff"]
    assert reasons(decision, OWN, OF_STAFF, allowed(5)) == ["phone_of_staff"]
    assert reasons(decision, OWN, OF_STAFF, NO_LONGER) == []
    another = replace(OF_STAFF, clerk_id="k2")
    assert reasons(decision, OWN, OF_STAFF, another, NO_LONGER) == ["phone_of_staff"]


@pytest.mark.parametrize("decision", AGREEING)
def test_a_phone_of_two_citizens_signs_no_agreement(decision: Decision) -> None:
    """For neither, whoever had it first, until one of them has another, or is erased."""
    for pair in ([OWN, OTHERS[0]], [OTHERS[0], OWN]):
        assert reasons(decision, *pair) == ["phone_shared"]
        assert reasons(decision, *pair, moved("c2", "p2", LATER)) == []
        assert reasons(decision, *pair, moved("c2", "p2", LATER + INSTANT)) == ["phone_shared"]
        erased = CitizenErased(
            citizen_id="c2", key_id="k", ground=Ground.REQUEST, asked_by="operator:o"
        )
        assert reasons(decision, *pair, erased) == []
    coming = replace(moved("c2", "p", LATER + INSTANT), enrolment_id="e9")
    elsewhere = replace(OTHERS[0], phone_id="p2")
    assert reasons(decision, OWN, elsewhere, coming) == []
    assert reasons(decision, OWN, elsewhere, replace(coming, effective_from=LATER)) == [
        "phone_shared"
    ]


@pytest.mark.parametrize("decision", AGREEING)
def test_a_bank_allows_a_household_for_itself(decision: Decision) -> None:
    """As many as it says, never more than the cap, no other bank's; its last word counts."""
    assert reasons(decision, OWN, OTHERS[0], allowed(2)) == []
    assert reasons(decision, OWN, *OTHERS[:2], allowed(2)) == ["phone_shared"]
    assert reasons(decision, OWN, OTHERS[0], allowed(2, "other")) == ["phone_shared"]
    assert reasons(decision, OWN, OTHERS[0], allowed(2), allowed(1)) == ["phone_shared"]
    assert reasons(decision, OWN, *OTHERS[:4], allowed(99)) == []
    assert reasons(decision, OWN, *OTHERS[:5], allowed(99)) == ["phone_shared"]


@pytest.mark.parametrize("decision", AGREEING)
def test_a_phone_that_is_not_the_citizens_any_more_signs_nothing(decision: Decision) -> None:
    """Another came to count meanwhile, or none is known; one without a mark is taken as is."""
    assert reasons(decision, OWN, moved("c1", "p2", AT - timedelta(days=2))) == ["phone_not_own"]
    assert "phone_not_own" in reasons(decision)
    assert reasons(decision, replace(OWN, phone_id=None)) == []


def test_a_phone_that_came_late_confirms_nothing() -> None:
    """It was the citizen's for a day before the question, or it proves nothing; to an instant."""
    edge = QUESTION.asked_at - Policy().settles_after
    for at, codes in ((edge, []), (edge + INSTANT, ["phone_not_known"])):
        assert reasons(Decision.CONFIRMED, OWN, moved("c1", "p", at)) == codes
        assert reasons(Decision.CONFIRMED, replace(OWN, known_since=at)) == codes
        assert reasons(Decision.GIVEN, OWN, moved("c1", "p", at)) == []


@pytest.mark.parametrize("decision", AGREEING)
def test_the_clerks_own_network_signs_nothing(decision: Decision) -> None:
    """The mark of the question is the mark of the signature; without one there is no telling."""
    from_counter = replace(QUESTION, asked_from_id="n")
    own = Means(phone_id="p", citizens=("c1",))
    for address, question, codes in (
        ("n", from_counter, ["clerk_address"]),
        ("m", from_counter, []),
        (None, from_counter, []),
        ("n", QUESTION, []),
        (None, QUESTION, []),
    ):
        means = replace(own, address_id=address)
        assert reasons(decision, OWN, means=means, question=question) == codes
        key = replace(means, phone_id=None)
        assert reasons(decision, means=key, question=question) == codes


@pytest.mark.parametrize("decision", [Decision.REFUSED, Decision.WITHDRAWN])
def test_no_is_no_from_wherever_it_comes(decision: Decision) -> None:
    """Refusing and taking back are kept from nobody, and name no phone."""
    means = Means(phone_id="p", address_id="n", citizens=("c1",))
    question = replace(QUESTION, asked_from_id="n")
    everything = [OWN, OTHERS[0], OF_STAFF, moved("c1", "p2")]
    assert reasons(decision, *everything, means=means, question=question) == []


def test_every_reason_is_named() -> None:
    """All that stand in the way, in the order of the rules, with the facts that made them so."""
    means = Means(phone_id="p", address_id="n", citizens=("c1",))
    question = replace(QUESTION, asked_from_id="n")
    late = moved("c1", "p", AT)
    assert reasons(
        Decision.CONFIRMED, OWN, OTHERS[0], OF_STAFF, late, means=means, question=question
    ) == ["phone_of_staff", "phone_shared", "phone_not_known", "clerk_address"]


def test_reasons_name_positions() -> None:
    """The marking, and how the others came to the phone."""
    press = AskSignature(
        challenge_id="ch9",
        citizen_id="c1",
        signer_id="c1",
        statement=statement(),
        means=Means(phone_id="p", citizens=("c1",)),
        at=AT,
        policy=Policy(),
    )
    with pytest.raises(Rejection) as no:
        given(ASK_SIGNATURE, OWN, OTHERS[0], OF_STAFF, QUESTION, SERVED).when(press)
    assert [one.positions for one in no.value.reasons] == [(3,), (2,)]


FACTS = [
    *(OWN, *OTHERS[:2], OF_STAFF, NO_LONGER, allowed(2), allowed(5)),
    *(replace(OF_STAFF, clerk_id="k2"), replace(NO_LONGER, clerk_id="k2")),
    *(replace(OF_STAFF, phone_id="p2"), moved("c1", "p2", LATER), moved("c2", "p3", AT)),
]


@for_all(
    before=st.lists(st.sampled_from(FACTS), max_size=8),
    between=st.lists(st.sampled_from(FACTS), max_size=4),
    decision=st.sampled_from(AGREEING),
    phone_id=st.sampled_from(["p", "p2", "p3"]),
)
def test_no_phone_of_staff_ever_signs_an_agreement(
    before: list[Any], between: list[Any], decision: Decision, phone_id: str
) -> None:
    """Whatever happened before the code was asked for, and between that and its coming back."""
    means = Means(phone_id=phone_id, citizens=("c1",))
    press = AskSignature(
        challenge_id="ch9",
        citizen_id="c1",
        signer_id="c1",
        statement=statement(decision),
        means=means,
        at=LATER,
        policy=Policy(),
    )
    sign = Sign(
        consent_id="q1",
        challenge_id="ch9",
        citizen_id="c1",
        signer_id="c1",
        evidence=CODE,
        failure="code_wrong",
        event="jws",
        refusals=MARKS,
        means=means,
        at=LATER,
        policy=Policy(),
    )
    history = [*BEFORE[decision], *_about(phone_id, before)]
    try:
        history += given(ASK_SIGNATURE, *history).when(press)
        history += _about(phone_id, between)
        (signed,) = given(SIGN, *history).when(sign)
    except Rejection:
        return
    assert isinstance(signed, ConsentGiven | ConsentConfirmed)
    staff = set[str]()
    for one in (*before, *between):
        if isinstance(one, StaffPhoneMarked) and one.phone_id == phone_id:
            staff.add(one.clerk_id)
        if isinstance(one, StaffPhoneUnmarked) and one.phone_id == phone_id:
            staff.discard(one.clerk_id)
    assert not staff


def _about(phone_id: str, facts: list[Any]) -> list[Any]:
    """Return the facts that the boundary finds: what names the phone, or is the citizen's."""
    return [
        one for one in facts if one.phone_id == phone_id or getattr(one, "citizen_id", None) == "c1"
    ]


# -- a clerk's phones, a household's phone ------------------------------------------------------


def test_a_clerks_phones_are_what_was_said_last() -> None:
    """New ones are marked, those left out are unmarked, the same is nothing."""
    clerk = ClerkRegistered(clerk_id="k", office_id="o")
    both = MarkStaff(clerk_id="k", phone_ids=frozenset({"p", "q"}))
    marked = given(MARK_STAFF, clerk).when(both)
    assert marked == [OF_STAFF, replace(OF_STAFF, phone_id="q")]
    assert given(MARK_STAFF, clerk, *marked).when(both) == []
    one = MarkStaff(clerk_id="k", phone_ids=frozenset({"q"}))
    assert given(MARK_STAFF, clerk, *marked).when(one) == [NO_LONGER]
    assert given(MARK_STAFF, clerk, *marked, NO_LONGER).when(one) == []
    with pytest.raises(Rejection, match="clerk_unknown"):
        given(MARK_STAFF).when(both)


def allow(**changes: Any) -> AllowSharing:
    """Return a bank's word on the phone of a household."""
    whole = AllowSharing(
        citizen_id="c1",
        phone_id="p",
        bank_id="cake",
        citizens_max=3,
        ground=SharingGround.HOUSEHOLD,
        allowed_by="bank:cake",
        policy=Policy(),
    )
    return replace(whole, **changes)


def test_a_bank_says_how_many() -> None:
    """Once for each word; for itself alone, up to the cap, and only if there is such a bank."""
    bank = DIRECTORY[0]
    assert given(ALLOW_SHARING, bank).when(allow()) == [allowed(3)]
    assert given(ALLOW_SHARING, bank, allowed(3)).when(allow()) == []
    assert given(ALLOW_SHARING, bank, allowed(3), allowed(1)).when(allow()) == [allowed(3)]
    assert len(given(ALLOW_SHARING, bank).when(allow(citizens_max=5))) == 1
    for changes, codes in (
        ({"citizens_max": 6}, ["sharing_above_cap"]),
        ({"allowed_by": "bank:other"}, ["not_own_bank"]),
    ):
        assert given(ALLOW_SHARING, bank).rejected(allow(**changes)) == codes
    assert given(ALLOW_SHARING).rejected(allow()) == ["bank_unknown"]
    with pytest.raises(Rejection) as no:
        given(ALLOW_SHARING, bank).when(allow(citizens_max=6))
    assert no.value.facts == (
        PhoneRejected(
            citizen_id="c1",
            asked_by="bank:cake",
            reasons=["sharing_above_cap"],
            bank_id="cake",
        ),
    )


def test_a_citizen_registered_before_marks_is_registered() -> None:
    """The same particulars again are nothing, with the mark that they lack; others are others."""
    old = CitizenRegistered(citizen_id="c1", phone="+84900000001")
    assert given(REGISTER, old).when(replace(old, phone_id="p")) == []
    assert given(REGISTER, replace(old, phone_id="p")).when(replace(old, phone_id="p")) == []
    with pytest.raises(Rejection, match="registered_otherwise"):
        given(REGISTER, old).when(replace(old, phone="+84900000002", phone_id="q"))


# -- marks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["+840988000001", "0988000001", "+84 988000001", "84988000001"])
def test_a_number_has_one_spelling(number: str) -> None:
    """Another spelling of a clerk's number would have another mark, so there is none."""
    spelled = TypeAdapter(Phone)
    assert spelled.validate_python("+84988000001") == "+84988000001"
    with pytest.raises(ValidationError):
        spelled.validate_python(number)


KEYED = Marks(bytes(32))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", None, "", "x"]
)
def test_what_says_nothing_of_a_place_has_no_mark(host: str | None) -> None:
    """This machine, with a proxy on it, and what is no address."""
    assert address_mark(KEYED, "q1", host) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::7", "2001:db8:1:2:ffff::1", True),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_a_network_is_recognised(one: str, other: str, *, same: bool) -> None:
    """An address of IPv4, half an address of IPv6; in another consent it is another mark."""
    assert (address_mark(KEYED, "q1", one) == address_mark(KEYED, "q1", other)) is same
    assert address_mark(KEYED, "q1", one) != address_mark(KEYED, "q2", one)
