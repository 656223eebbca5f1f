"""Who speaks for a citizen: at every edge of age and time, and with what an authority needs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec import UNSET

from services.consent.decisions import ASK_SIGNATURE, SIGN, AskSignature, Sign
from services.consent.directory import REGISTER
from services.consent.erasures import ERASE, Erase
from services.consent.facts import (
    AuthorityGround,
    CitizenErased,
    CitizenRegistered,
    ConsentGiven,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    DecisionRejected,
    Ground,
    PasskeyUsed,
    RepresentativeAuthorised,
    RepresentativeRejected,
    StaffPhoneMarked,
)
from services.consent.facts.places import place_of
from services.consent.policy import Policy
from services.consent.representatives import (
    AUTHORISE,
    END,
    Authorise,
    End,
    Speaker,
    age_at,
    ended,
    evolve,
    speaker,
    standing,
)
from services.consent.requests import ASK, Ask
from services.consent.separation import Means
from services.consent.witnessing import NAME, Name
from shared.clock import VIETNAM
from shared.contracts.consent import Channel, Decision, Grade, Statement
from shared.contracts.evidence import Evidence
from shared.errors import Kind, Rejection
from shared.ledger.facts import ERASED, Recorded
from tests.consent.test_rules_decisions import CODE
from tests.consent.test_rules_grades import SIGNATURE
from tests.consent.test_rules_passkeys import ENROLLED
from tests.support.given import AT, given
from tests.support.samples import DIRECTORY, GIVEN, MARKS, QUESTION, SERVED, asked, statement
from tests.support.witnesses import KNOWN, WITNESSES

TODAY = date(2023, 8, 9)
"""The day of AT in Vietnam."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def aged(years: int, citizen_id: str = "c1", days: int = 0) -> CitizenRegistered:
    """Return a citizen who became so many years old so many days ago."""
    born = TODAY.replace(year=TODAY.year - years) - timedelta(days=days)
    return CitizenRegistered(citizen_id=citizen_id, phone="", born_on=born)


def authority(ground: AuthorityGround = AuthorityGround.PARENT, **changes: Any) -> Any:
    """Return that c2 may speak for c1, since long ago, without an end."""
    whole = RepresentativeAuthorised(
        authority_id="a1",
        citizen_id="c1",
        representative_id="c2",
        ground=ground,
        valid_from=LONG_AGO,
        valid_until=None,
        document_id="d",
        authorised_by="operator:op",
    )
    return replace(whole, **changes)


MOTHER = CitizenRegistered(
    citizen_id="c2", phone="+84900000002", phone_id="p2", known_since=LONG_AGO
)
PARENT = authority()
COURT = authority(AuthorityGround.LIMITED_CAPACITY)
OVER = ended(PARENT, "operator:op")


def speaks(*facts: Any, at: datetime = AT) -> Speaker | None:
    """Return who speaks for c1 after these facts."""
    people: Any = {}
    for number, fact in enumerate(facts, start=1):
        people = evolve(people, Recorded(number, AT, fact))
    return speaker(people, "c1", at)


# -- who speaks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("years", "by", "asked_too"),
    [
        *((one, "c2", False) for one in (0, 6)),
        *((one, "c2", True) for one in (7, 14)),
        *((one, "c1", False) for one in (15, 17, 18)),
    ],
)
def test_who_speaks_at_each_age(years: int, by: str, *, asked_too: bool) -> None:
    """To the day: the day before the next year is still this one."""
    for days in (0, 364):
        found = speaks(aged(years, days=days), PARENT)
        assert found == Speaker(by, "a1" if by == "c2" else None, asked_too)
        alone = speaks(aged(years, days=days))
        assert alone == (Speaker("c1") if by == "c1" else None)


def test_a_day_begins_in_vietnam() -> None:
    """A child is 15 from midnight there on, which is five in the afternoon before in UTC."""
    midnight = datetime(2023, 8, 9, tzinfo=VIETNAM).astimezone(UTC)
    born = aged(15)
    assert speaks(born, PARENT, at=midnight) == Speaker("c1")
    before = speaks(born, PARENT, at=midnight - timedelta(microseconds=1))
    assert before == Speaker("c2", "a1", child_agrees=True)


@pytest.mark.parametrize(
    ("day", "years"),
    [
        (date(2023, 2, 28), 14),
        (date(2023, 3, 1), 15),
        (date(2024, 2, 28), 15),
        (date(2024, 2, 29), 16),
        (date(2008, 2, 29), 0),
    ],
)
def test_born_on_29_february(day: date, years: int) -> None:
    """A year older on 1 March, where a year has no such day."""
    noon = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    assert age_at(date(2008, 2, 29), noon) == years


DATES = st.dates(date(1900, 1, 1), date(2100, 12, 31))


@for_all(born=DATES, day=DATES, later=st.integers(0, 40_000))
def test_years_are_counted_whole(born: date, day: date, later: int) -> None:
    """Nobody grows younger, one year comes with each birthday, and 15 is the edge of speaking."""
    noon = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    years = age_at(born, noon)
    assert age_at(born, noon + timedelta(days=later)) >= years
    if (born.month, born.day) != (2, 29):
        assert born.replace(year=born.year + years) <= day
        assert day < born.replace(year=born.year + years + 1)
    child = CitizenRegistered(citizen_id="c1", phone="", born_on=born)
    found = speaks(child, PARENT, at=max(noon, LONG_AGO))
    of_age = age_at(born, max(noon, LONG_AGO)) >= 15
    assert found
    assert (found.citizen_id == "c1") is of_age


@pytest.mark.parametrize("registered", [CitizenRegistered(citizen_id="c1"), aged(40), aged(8)])
def test_a_courts_decision_is_for_every_age(registered: CitizenRegistered) -> None:
    """Somebody of limited capacity is represented; a child of them is asked too."""
    found = speaks(registered, COURT)
    assert found
    assert (found.citizen_id, found.authority_id) == ("c2", "a1")
    assert found.child_agrees is (registered == aged(8))
    gone = ended(COURT, "operator:op")
    assert speaks(registered, COURT, gone) is None
    later = replace(COURT, authority_id="a2", representative_id="c3")
    assert speaks(registered, COURT, gone, later) == replace(
        found, citizen_id="c3", authority_id="a2"
    )
    alone = speaks(registered)
    assert speaks(registered, COURT, gone, ended(COURT, "operator:op", restored=True)) == alone
    assert speaks(registered, COURT, ended(COURT, "operator:op", restored=True)) == alone
    over = replace(COURT, valid_until=AT)
    assert speaks(registered, over, ended(over, "operator:op")) == alone


def test_an_authority_has_its_time() -> None:
    """From its first instant on, and no more at its last."""
    limited = authority(valid_from=AT, valid_until=AT + timedelta(days=1))
    tick = timedelta(microseconds=1)
    for at, there in (
        (AT - tick, False),
        (AT, True),
        (AT + timedelta(days=1) - tick, True),
        (AT + timedelta(days=1), False),
    ):
        assert (speaks(aged(8), limited, at=at) is not None) is there
    assert speaks(aged(8), PARENT, OVER) is None
    for name in ("valid_from", "valid_until"):
        assert speaks(aged(8), replace(PARENT, **{name: ERASED})) is None


def test_without_a_date_of_birth_one_is_of_age() -> None:
    """As the operator saw; so is whoever was registered before it was asked for."""
    assert speaks(CitizenRegistered(citizen_id="c1", born_on=None), PARENT) == Speaker("c1")
    assert speaks(CitizenRegistered(citizen_id="c1"), PARENT) == Speaker("c1")
    assert speaks() == Speaker("c1")


def test_a_line_from_before_ages_is_the_same_line() -> None:
    """Registered again without one it is there already; with one it is another."""
    old = CitizenRegistered(citizen_id="c1", phone="+84900000001", phone_id="p")
    assert given(REGISTER, old).when(replace(old, born_on=None)) == []
    assert given(REGISTER, replace(old, born_on=TODAY)).when(replace(old, born_on=TODAY)) == []
    with pytest.raises(Rejection, match="registered_otherwise"):
        given(REGISTER, old).when(replace(old, born_on=TODAY))


# -- an authority -------------------------------------------------------------------------------


def authorise(fact: Any = PARENT, at: datetime = AT) -> Authorise:
    """Return that somebody is to speak."""
    return Authorise(authority=fact, at=at)


def test_somebody_is_authorised_once() -> None:
    """The same again is the one that there is, under its id; once ended it is a new one."""
    assert given(AUTHORISE, aged(8), MOTHER).when(authorise()) == [PARENT]
    again = replace(PARENT, authority_id="a2", authorised_by="operator:other")
    verb = given(AUTHORISE, aged(8), MOTHER, PARENT)
    assert verb.when(authorise(again)) == []
    assert standing(verb.state(), again) == "a1"
    assert given(AUTHORISE, aged(8), MOTHER, PARENT, OVER).when(authorise(again)) == [again]
    assert given(AUTHORISE, aged(16), MOTHER).when(authorise(COURT)) == [COURT]
    grown = given(AUTHORISE, aged(15), MOTHER, PARENT)  # the parent's is moot by then
    assert grown.when(authorise(replace(COURT, authority_id="a2")))
    next_one = replace(PARENT, authority_id="a2", document_id="e", valid_from=AT)
    over = replace(PARENT, valid_until=AT)
    assert given(AUTHORISE, aged(8), MOTHER, over).when(authorise(next_one)) == [next_one]


LIMITED_MOTHER = authority(
    AuthorityGround.LIMITED_CAPACITY, authority_id="a9", citizen_id="c2", representative_id="c3"
)
SPEAKS_FOR = authority(authority_id="a9", citizen_id="c4", representative_id="c1")
HOUR = timedelta(hours=1)
ERASED_MOTHER = CitizenErased(
    citizen_id="c2", key_id="k", ground=Ground.REQUEST, asked_by="operator:op"
)

UNGRANTED: list[tuple[str, Sequence[Any], Any]] = [
    ("representative_is_citizen", [aged(8)], replace(PARENT, representative_id="c1")),
    ("representative_unknown", [aged(8)], PARENT),
    (
        "representative_unknown",
        [
            aged(8),
            MOTHER,
            ERASED_MOTHER,
        ],
        PARENT,
    ),
    ("representative_under_age", [aged(8), aged(17, "c2", days=364)], PARENT),
    ("representative_incapable", [aged(8), MOTHER, LIMITED_MOTHER], PARENT),
    ("citizen_unknown", [MOTHER], PARENT),
    ("citizen_of_age", [aged(15), MOTHER], PARENT),
    ("citizen_of_age", [CitizenRegistered(citizen_id="c1"), MOTHER], PARENT),
    (
        "citizen_of_age",
        [aged(14, days=364), MOTHER],
        replace(PARENT, valid_from=AT + timedelta(days=2)),
    ),
    ("citizen_represents", [aged(40), MOTHER, SPEAKS_FOR], COURT),
    ("authority_period", [aged(8), MOTHER], replace(PARENT, valid_until=LONG_AGO)),
    ("authority_period", [aged(8), MOTHER], replace(PARENT, valid_until=AT)),
    ("authority_stands", [aged(8), MOTHER, PARENT], replace(PARENT, document_id="e")),
    ("authority_stands", [aged(8), MOTHER, PARENT], replace(COURT, representative_id="c2")),
    (
        "authority_stands",
        [aged(8), MOTHER, replace(PARENT, valid_from=AT + HOUR)],
        replace(PARENT, valid_from=AT, valid_until=AT + 2 * HOUR),
    ),
]


@pytest.mark.parametrize(("code", "facts", "fact"), UNGRANTED)
def test_who_speaks_for_nobody(code: str, facts: Sequence[Any], fact: Any) -> None:
    """Each reason alone, in a fact that names both."""
    with pytest.raises(Rejection) as no:
        given(AUTHORISE, *facts).when(authorise(fact))
    codes = [one.code for one in no.value.reasons]
    assert code in codes
    assert set(codes) <= {code, "citizen_of_age", "representative_under_age"}
    (recorded,) = no.value.facts
    assert recorded == RepresentativeRejected(
        citizen_id="c1",
        representative_id=fact.representative_id,
        asked_by="operator:op",
        reasons=codes,
    )
    assert (no.value.kind is Kind.UNKNOWN) is code.endswith("unknown")


def test_an_adult_is_eighteen() -> None:
    """On the day, and one whose time is over stands in nobody's way."""
    assert given(AUTHORISE, aged(8), aged(18, "c2")).when(authorise()) == [PARENT]
    was = replace(LIMITED_MOTHER, valid_until=AT)
    assert given(AUTHORISE, aged(8), MOTHER, was).when(authorise()) == [PARENT]
    spoke = replace(SPEAKS_FOR, valid_until=AT)
    assert given(AUTHORISE, aged(40), MOTHER, spoke).when(authorise(COURT)) == [COURT]


def test_an_authority_ends_once() -> None:
    """All that this one has over that one; nothing if there is none."""
    end = End(citizen_id="c1", representative_id="c2", ended_by="operator:op")
    assert given(END, PARENT).when(end) == [OVER]
    assert given(END, PARENT, OVER).when(end) == []
    assert given(END).when(end) == []
    gone, back = (ended(COURT, "operator:op", restored=one) for one in (False, True))
    restored = replace(end, restored=True)
    assert given(END, COURT, gone).when(end) == []
    assert given(END, COURT, gone).when(restored) == [back]
    assert given(END, COURT, gone, back).when(restored) == []


def test_a_court_names_another_in_place_of_who_went() -> None:
    """The same again is a new authority; nobody who went stands in its way, or speaks still."""
    gone = ended(COURT, "operator:op")
    again = replace(COURT, authority_id="a2")
    verb = given(AUTHORISE, aged(40), MOTHER, COURT, gone)
    assert verb.when(authorise(again)) == [again]
    spoke = replace(COURT, authority_id="a9", citizen_id="c4", representative_id="c1")
    left = ended(spoke, "operator:op")
    assert given(AUTHORISE, aged(40), MOTHER, spoke, left).when(authorise(COURT)) == [COURT]
    incapable = ended(LIMITED_MOTHER, "operator:op")
    verb = given(AUTHORISE, aged(8), MOTHER, LIMITED_MOTHER, incapable)
    assert verb.rejected(authorise()) == ["representative_incapable"]


# -- asking -------------------------------------------------------------------------------------


def ask(**changes: Any) -> Ask:
    """Return QUESTION as it is asked, with changes."""
    question = replace(QUESTION, **changes)
    return Ask(question=question, refusals=MARKS, policy=Policy())


ONLINE: dict[str, Any] = {
    "channel": Channel.ONLINE,
    "office_id": None,
    "site_id": None,
    "clerk_id": None,
    "asked_by": "bank:cake",
}


def test_who_does_not_decide_alone_is_asked_at_a_counter() -> None:
    """And only if somebody can speak; from 15 on, anywhere."""
    lines = [line for line in DIRECTORY if not isinstance(line, CitizenRegistered)]
    assert given(ASK, *lines, aged(8), PARENT).when(ask())
    assert given(ASK, *lines, aged(8)).rejected(ask()) == ["representative_missing"]
    child = given(ASK, *lines, aged(8), PARENT)
    assert child.rejected(ask(**ONLINE)) == ["representative_not_online"]
    assert given(ASK, *lines, aged(8)).rejected(ask(**ONLINE)) == [
        "representative_missing",
        "representative_not_online",
    ]
    assert given(ASK, *lines, aged(8), PARENT, OVER).rejected(ask()) == ["representative_missing"]
    assert given(ASK, *lines, aged(15)).when(ask(**ONLINE))
    court = given(ASK, *lines, aged(40), COURT)
    assert court.rejected(ask(**ONLINE)) == ["representative_not_online"]


# -- deciding -----------------------------------------------------------------------------------


def said(decision: Decision = Decision.GIVEN, **changes: Any) -> Statement:
    """Return what the mother of c1 says, of a child who agrees."""
    whole: dict[str, Any] = {"expressed_by": "c2", "authority_id": "a1", "subject_agrees": True}
    if decision is Decision.REFUSED:
        whole = {"citizen_id": "r-1"}
    elif decision is Decision.WITHDRAWN:
        whole["subject_agrees"] = UNSET
    return statement(decision, **(whole | changes))


def press(signed: Statement, at: datetime = AT) -> AskSignature:
    """Return that the mother wants to sign this with her phone."""
    return AskSignature(
        challenge_id="ch1",
        citizen_id="c1",
        signer_id="c2",
        statement=signed,
        means=Means(phone_id="p2", citizens=["c2"]),
        at=at,
        policy=Policy(),
    )


def sign(at: datetime = AT, evidence: Any = CODE) -> Sign:
    """Return that the mother's code came back."""
    return Sign(
        consent_id="q1",
        citizen_id="c1",
        signer_id="c2",
        challenge_id="ch1",
        evidence=evidence,
        failure="",
        event="jws",
        refusals=MARKS,
        means=Means(phone_id="p2", citizens=["c2"]),
        at=at,
        policy=Policy(),
    )


def sent(signed: Statement) -> Any:
    """Return that the mother's code went out for this."""
    whole = asked(signed.decision)
    phone_id = "p2" if signed.decision is Decision.GIVEN else None
    return replace(
        whole,
        citizen_id=signed.citizen_id,
        statement=signed,
        statement_hash=signed.hash(),
        phone_id=phone_id,
    )


CHILD: list[Any] = [aged(8), MOTHER, PARENT, QUESTION, SERVED]
OTHER = replace(PARENT, authority_id="a2", representative_id="c5")

MISSPOKEN: list[tuple[list[str], list[Any], Statement]] = [
    (["representative_needed"], [], said(expressed_by=UNSET, authority_id=UNSET)),
    (["authority_over"], [], said(expressed_by="c3")),
    (["authority_over"], [], said(authority_id="a0")),
    (["authority_over"], [OVER, OTHER], said()),
    (["representative_missing"], [OVER], said()),
    (["authority_over"], [aged(15)], said()),
    (["child_not_asked"], [], said(subject_agrees=UNSET)),
    (["child_not_asked"], [], said(subject_agrees=False)),
    (["representative_not_online"], [replace(QUESTION, **ONLINE)], said()),
]


@pytest.mark.parametrize(("codes", "facts", "signed"), MISSPOKEN)
def test_only_who_speaks_agrees(codes: list[str], facts: list[Any], signed: Statement) -> None:
    """When the signature is asked for, and when it is made; and it is a fact that names nobody."""
    history = [*CHILD, *facts]
    pressed, code_sent = replace(press(signed), means=Means()), replace(sent(signed), phone_id=None)
    assert given(ASK_SIGNATURE, *history).rejected(pressed) == codes
    with pytest.raises(Rejection) as no:
        given(SIGN, *history, code_sent).when(sign())
    place: dict[str, Any] = place_of([one for one in history if type(one) is ConsentRequested][-1])
    assert no.value.facts == (
        DecisionRejected(consent_id="q1", decision=Decision.GIVEN, reasons=codes, **place),
    )


def test_the_mother_agrees_for_her_child() -> None:
    """With her own phone, which the statement says; below 7 the child is not asked."""
    (fact,) = given(ASK_SIGNATURE, *CHILD).when(press(said()))
    assert (fact.citizen_id, fact.phone_id) == ("c1", "p2")
    (agreed,) = given(SIGN, *CHILD, sent(said())).when(sign())
    assert isinstance(agreed, ConsentGiven)
    assert agreed.citizen_id == "c1"
    small = [aged(6), *CHILD[1:]]
    assert given(ASK_SIGNATURE, *small).when(press(said(subject_agrees=UNSET)))
    court = [aged(40), MOTHER, COURT, QUESTION, SERVED]
    assert given(ASK_SIGNATURE, *court).when(press(said(subject_agrees=UNSET)))


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("phone_of_staff", [StaffPhoneMarked(clerk_id="k", office_id="o", phone_id="p2")]),
        ("phone_shared", [replace(MOTHER, citizen_id="c7")]),
        ("phone_not_own", [replace(MOTHER, phone_id="p3")]),
    ],
)
def test_it_is_her_own_phone(code: str, facts: list[Any]) -> None:
    """What is asked of the citizen's phone is asked of hers."""
    assert given(ASK_SIGNATURE, *CHILD, *facts).rejected(press(said())) == [code]
    assert given(SIGN, *CHILD, *facts, sent(said())).rejected(sign()) == [code]


def test_her_passkey_signs_and_counts() -> None:
    """Hers is looked at, and counts on; the child's would be another's."""
    own = replace(ENROLLED, citizen_id="c2")
    signed = said(grade=Grade.KEY_UV)
    proof = Evidence(
        grade=Grade.KEY_UV, passkey=replace(SIGNATURE, credential_id="cred-1", sign_count=7)
    )
    old = replace(QUESTION, asked_at=AT + timedelta(days=2))
    later = AT + timedelta(days=2)
    fixed = replace(sent(signed), phone_id=None, expires_at=later + timedelta(minutes=5))
    history = [aged(8), MOTHER, PARENT, own, replace(old, decide_by=later + HOUR), SERVED, fixed]
    facts = given(SIGN, *history).when(replace(sign(at=later, evidence=proof), means=Means()))
    used = [one for one in facts if isinstance(one, PasskeyUsed)]
    assert [(one.citizen_id, one.sign_count) for one in used] == [("c2", 7)]


def test_no_is_kept_from_nobody() -> None:
    """A refusal names nobody, so nobody is compared; taking back needs no child's word."""
    refused = said(Decision.REFUSED)
    for gone in ([], [OVER], [OVER, OTHER], [aged(15)]):
        (fact,) = given(SIGN, *CHILD, sent(refused), *gone).when(sign())
        assert isinstance(fact, ConsentRefused)
        assert "c1" not in fact.statement.citizen_id
        assert (fact.statement.expressed_by, fact.statement.authority_id) == (UNSET, UNSET)
    taken = said(Decision.WITHDRAWN)
    (back,) = given(SIGN, *CHILD, GIVEN, sent(taken)).when(sign())
    assert isinstance(back, ConsentWithdrawn)
    assert given(SIGN, *CHILD, GIVEN, sent(taken), OVER, OTHER).rejected(sign()) == [
        "authority_over"
    ]
    grown = statement(Decision.WITHDRAWN)
    assert given(SIGN, *CHILD, GIVEN, aged(15), sent(grown)).when(sign())


def test_no_witness_has_the_phone_of_whoever_speaks() -> None:
    """Two hear a representative: neither is she herself, nor somebody on her phone."""
    facts = [*WITNESSES, QUESTION, SERVED, replace(MOTHER, phone_id="phone2")]
    both = Name(
        consent_id="q1", witnesses=replace(KNOWN, heard_ids=["c1", "c2"]), named_by="clerk:k"
    )
    assert given(NAME, *facts).rejected(both) == ["witness_is_citizen"]


# -- erasing ------------------------------------------------------------------------------------


def erase(citizen_id: str, **changes: Any) -> Erase:
    """Return a request to erase one of the two."""
    whole = Erase(
        citizen_id=citizen_id,
        consent_ids=["q1"],
        key_ids=["k-1"],
        ground=Ground.REQUEST,
        asked_by="operator:op",
        at=AT,
        authority_ids=["a1"],
        ward_ids=["c1"],
    )
    return replace(whole, **changes)


def test_erasing_either_ends_the_authority_by_a_fact() -> None:
    """Once; nobody speaks for a stranger who is registered under an id later."""
    for citizen_id in ("c1", "c2"):
        verb = given(ERASE, aged(8), MOTHER, PARENT)
        gone, over = verb.when(erase(citizen_id))
        assert gone.citizen_id == citizen_id
        assert over == OVER
        assert given(ERASE, aged(8), MOTHER, PARENT, gone, over).when(erase(citizen_id)) == []


def test_whoever_speaks_is_not_erased_while_something_is_open() -> None:
    """Else nobody could answer or take back; nor if somebody came to be spoken for meanwhile."""
    opened = given(ERASE, aged(8), MOTHER, PARENT, QUESTION)
    assert opened.rejected(erase("c2")) == ["consent_open"]
    late = given(ERASE, aged(8), MOTHER, PARENT)
    assert late.rejected(erase("c2", authority_ids=[], ward_ids=[])) == ["contended"]


def everything() -> Iterator[Any]:
    """Yield what can happen around an authority."""
    yield from (aged(8), aged(15), MOTHER, PARENT, COURT, OVER, OTHER)


@for_all(history=st.lists(st.sampled_from(list(everything())), max_size=8))
def test_whatever_happened_an_agreement_is_of_whoever_speaks(history: list[Any]) -> None:
    """The rule lets a statement pass just if it says of its speaker what the facts do."""
    facts = [*history, QUESTION, SERVED]
    found = speaks(*history)
    wanted: dict[str, Any] = {"expressed_by": UNSET, "authority_id": UNSET}
    if found and found.authority_id:
        wanted = {"expressed_by": found.citizen_id, "authority_id": found.authority_id}
    right = said(**wanted)
    plain = replace(press(right), means=Means())
    if found is None:
        assert given(ASK_SIGNATURE, *facts).rejected(plain) == ["representative_missing"]
        return
    assert given(ASK_SIGNATURE, *facts).when(plain)
    for wrong in (said(expressed_by="c9"), said(expressed_by=UNSET, authority_id=UNSET), said()):
        if wrong != right:
            assert given(ASK_SIGNATURE, *facts).rejected(replace(plain, statement=wrong))
