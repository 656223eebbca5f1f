"""Whether somebody may ask: each rule alone, together, at its edges."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from services.consent.directory import REGISTER
from services.consent.facts import BankRegistered, ClerkRegistered, ProductOffered, Right
from services.consent.policy import Policy
from services.consent.requests import ASK, Ask
from shared.contracts.consent import Channel
from tests.support.given import AT, given
from tests.support.samples import (
    ASK_ME_AGAIN,
    CONFIRMED,
    DIRECTORY,
    GIVEN,
    QUESTION,
    REDEEMED,
    REFUSED,
    RIGHTS,
    WAITING,
    WITHDRAWN,
    refusal_marks,
    right,
)

SECOND = replace(QUESTION, consent_id="q2")


def ask(question: Any = QUESTION, **changes: Any) -> Ask:
    """Return a question as it is put."""
    put = replace(question, **changes)
    marks = refusal_marks(put.consent_id, put.citizen_id, put.bank_id, put.office_id)
    return Ask(question=put, refusals=marks, policy=Policy())


def test_a_question_is_put_once() -> None:
    """What is registered may ask; the same question again, even later, adds nothing."""
    assert given(ASK, *DIRECTORY).when(ask()) == [QUESTION]
    later = ask(asked_at=AT + timedelta(hours=1), decide_by=AT + timedelta(hours=25))
    assert given(ASK, *DIRECTORY, QUESTION).when(later) == []
    assert given(ASK, *DIRECTORY, QUESTION, GIVEN).when(later) == []


def test_an_id_stands_for_one_question() -> None:
    """Another question under the same id is a conflict, decided or not."""
    other = ask(clerk_id="k2")
    for history in ([QUESTION], [QUESTION, GIVEN], [QUESTION, REFUSED]):
        assert given(ASK, *DIRECTORY, *history).rejected(other) == ["consent_id_reused"]


@pytest.mark.parametrize(
    ("missing", "codes"),
    [
        (0, ["bank_unknown"]),
        (1, ["product_unknown"]),
        (2, ["office_unknown"]),
        (3, ["clerk_unknown"]),
        (4, ["site_unknown"]),
        (5, ["citizen_unknown"]),
    ],
)
def test_everyone_and_everything_is_registered(missing: int, codes: list[str]) -> None:
    """One line of the directory that is missing is named."""
    directory = [line for number, line in enumerate(DIRECTORY) if number != missing]
    assert given(ASK, *directory).rejected(ask()) == codes


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"terms_hash": "f" * 64}, ["terms_differ"]),
        ({"purpose": "marketing"}, ["purpose_differs"]),
        ({"asked_by": "clerk:k2"}, ["not_own_clerk"]),
        ({"asked_by": "bank:other"}, ["not_own_bank"]),
        ({"site_id": None}, ["place_missing"]),
        ({"office_id": None}, ["place_missing", "clerk_unknown"]),
        ({"decide_by": AT}, ["decide_by_out_of_range"]),
        ({"decide_by": AT + timedelta(days=7, microseconds=1)}, ["decide_by_out_of_range"]),
    ],
)
def test_what_is_asked_must_fit(changes: dict[str, Any], codes: list[str]) -> None:
    """Terms, purpose, place, name and time of the question."""
    assert given(ASK, *DIRECTORY).rejected(ask(**changes)) == codes


def test_a_bank_asks_online_without_a_place() -> None:
    """Online there is no office, clerk or site."""
    online = {"channel": Channel.ONLINE, "asked_by": "bank:cake"}
    nowhere = {"office_id": None, "site_id": None, "clerk_id": None}
    assert len(given(ASK, *DIRECTORY).when(ask(**online, **nowhere))) == 1
    assert given(ASK, *DIRECTORY).rejected(ask(**online)) == ["place_not_online"]


@hypothesis.given(
    channel=st.sampled_from(Channel),
    office=st.sampled_from(["o", None]),
    site=st.sampled_from(["s", None]),
    clerk=st.sampled_from(["k", None]),
)
def test_a_question_names_its_whole_place_or_none(
    channel: Channel, office: str | None, site: str | None, clerk: str | None
) -> None:
    """All three at a counter, none online; whatever is named, no other question is put."""
    place = (office, site, clerk)
    counter = channel is Channel.COUNTER
    by = f"clerk:{clerk or 'k'}" if counter else "bank:cake"
    named = {"office_id": office, "site_id": site, "clerk_id": clerk}
    asked = ask(channel=channel, asked_by=by, **named)
    verb = given(ASK, *DIRECTORY)
    if all(place) if counter else not any(place):
        assert verb.when(asked) == [asked.question]
    else:
        code = "place_missing" if counter else "place_not_online"
        assert code in verb.rejected(asked)


@pytest.mark.parametrize(
    ("changes", "blocked"),
    [
        ({"clerk_id": "k"}, True),
        ({"office_id": "o2", "clerk_id": "k2"}, True),
        ({"bank_id": "b2", "product_id": "p2"}, True),
        ({"bank_id": "b2", "product_id": "p2", "office_id": "o2", "clerk_id": "k2"}, False),
    ],
    ids=["same", "same-bank", "same-office", "neither"],
)
def test_a_refusal_sticks(changes: dict[str, Any], *, blocked: bool) -> None:
    """The same bank and the same office may not ask again; others may."""
    more = [
        BankRegistered(bank_id="b2", name="B2"),
        ProductOffered(
            product_id="p2", bank_id="b2", name="P", purpose="open-account", terms_hash="a" * 64
        ),
        replace(DIRECTORY[2], office_id="o2"),
        ClerkRegistered(clerk_id="k2", office_id="o2"),
    ]
    rights = [
        right(Right.CONTRACT, "b2"),
        right(Right.CONTRACT, "cake", office_id="o2"),
        right(Right.CONTRACT, "b2", office_id="o2"),
        right(Right.REGISTRATION, office_id="o2"),
        right(Right.TRAINING, "k2", office_id="o2"),
        right(Right.PERMISSION, "s", office_id="o2"),
    ]
    question = replace(SECOND, **changes)
    question = replace(question, asked_by=f"clerk:{question.clerk_id}")
    names = {f"{fact.TAGS[0]}_id" for fact in DIRECTORY[:6]}
    relevant = [
        fact
        for fact in [*DIRECTORY[:6], *more]
        if all(
            getattr(fact, name) == getattr(question, name)
            for name in names & {f"{fact.TAGS[0]}_id"}
        )
    ]
    history = given(ASK, *relevant, *RIGHTS, *rights, QUESTION, REFUSED)
    if blocked:
        assert history.rejected(ask(question)) == ["refused_before"]
    else:
        assert history.when(ask(question)) == [question]


@pytest.mark.parametrize(("days", "blocked"), [(-1, True), (0, False)])
def test_a_refusal_holds_for_its_period(days: int, *, blocked: bool) -> None:
    """Until the last microsecond of the period, and not after it."""
    at = REFUSED.asking_again_from + timedelta(microseconds=days)
    asked = ask(SECOND, asked_at=at, decide_by=at + timedelta(hours=1))
    history = given(ASK, *DIRECTORY, QUESTION, REFUSED)
    if blocked:
        assert history.rejected(asked) == ["refused_before"]
    else:
        assert len(history.when(asked)) == 1


def test_only_the_refuser_can_be_asked_sooner() -> None:
    """A refusal that was taken back blocks nobody; another that stands still does."""
    lifted = given(ASK, *DIRECTORY, QUESTION, REFUSED, ASK_ME_AGAIN)
    assert lifted.when(ask(SECOND)) == [SECOND]
    again = replace(REFUSED, consent_id="q3")
    history = given(ASK, *DIRECTORY, QUESTION, REFUSED, again, ASK_ME_AGAIN)
    assert history.rejected(ask(SECOND)) == ["refused_before"]


def test_one_open_question_at_a_time() -> None:
    """While the citizen has not answered, the same bank does not ask the same again."""
    history = given(ASK, *DIRECTORY, QUESTION)
    assert history.rejected(ask(SECOND)) == ["request_pending"]
    late = {"asked_at": QUESTION.decide_by, "decide_by": QUESTION.decide_by + timedelta(hours=1)}
    assert len(history.when(ask(SECOND, **late))) == 1


@pytest.mark.parametrize(
    ("history", "stands"),
    [
        ([GIVEN], True),
        ([WAITING], True),
        ([WAITING, CONFIRMED], True),
        ([GIVEN, WITHDRAWN], False),
        ([GIVEN, REDEEMED], False),
        ([REDEEMED, GIVEN], True),
    ],
)
def test_one_agreement_at_a_time(history: list[Any], *, stands: bool) -> None:
    """While one can be used, the same is not asked again: withdrawing it would leave another."""
    verb = given(ASK, *DIRECTORY, QUESTION, *history)
    if stands:
        assert verb.rejected(ask(SECOND)) == ["agreement_stands"]
    else:
        assert verb.when(ask(SECOND)) == [SECOND]
    late = {"asked_at": AT + timedelta(days=4), "decide_by": AT + timedelta(days=5)}
    assert len(verb.when(ask(SECOND, **late))) == 1, "once it has expired it stands no more"


def test_the_directory_registers_once() -> None:
    """A line is registered once; other particulars under its id are a conflict."""
    bank, product, _, clerk, *_ = DIRECTORY
    assert given(REGISTER).when(bank) == [bank]
    assert given(REGISTER, bank).when(bank) == []
    assert given(REGISTER, bank).rejected(replace(bank, name="X")) == ["registered_otherwise"]
    assert given(REGISTER).rejected(product) == ["bank_unknown"]
    assert given(REGISTER).rejected(clerk) == ["office_unknown"]


# -- what goes with a question ------------------------------------------------------------------

OFFER = replace(
    DIRECTORY[1],
    side_purposes=["marketing", "credit-scoring"],
    fee_hash="e" * 64,
    lowest_grade="key_uv",
)


def offering(*explained: str, **changes: Any) -> Ask:
    """Return a question whose notice explains these side purposes."""
    return replace(ask(**changes), explained=frozenset(explained))


def test_a_question_without_a_text_is_not_put() -> None:
    """A purpose that nobody can read about cannot be asked for."""
    assert given(ASK, *DIRECTORY).rejected(ask(notice_id=None)) == ["notice_missing"]


def test_a_question_takes_what_its_product_has() -> None:
    """Side purposes and fees are fixed when it is asked, as far as its text explains them."""
    directory = [OFFER if line is DIRECTORY[1] else line for line in DIRECTORY]
    for explained, sides in [
        (["marketing", "credit-scoring", "partner-sharing"], ["marketing", "credit-scoring"]),
        (["marketing"], ["marketing"]),
        ([], None),
    ]:
        (fact,) = given(ASK, *directory).when(offering(*explained))
        asked = replace(QUESTION, side_purposes=sides, fee_hash="e" * 64)
        assert fact == replace(asked, lowest_grade="key_uv")


def test_the_same_question_after_a_new_version_is_the_same() -> None:
    """What we added when it was first asked does not make a repeated call another question."""
    asked = replace(QUESTION, side_purposes=["marketing"], fee_hash="e" * 64, lowest_grade="key_uv")
    again = offering("marketing", notice_id="open-account.9")
    assert given(ASK, *DIRECTORY, asked).when(again) == []
    other = replace(again, question=replace(again.question, product_id="p2"))
    assert given(ASK, *DIRECTORY, asked).rejected(other) == ["consent_id_reused"]
