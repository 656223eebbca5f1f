"""A status list says of each decision what its consent's standing says, now and after a restart."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from services.consent.consents import Consent, Standing, evolve
from services.consent.facts import VOCABULARY
from services.consent.statuses import PAGE_FACTS, STATUSES, Course, Statuses, status_of
from shared.contracts.status_list import LIST_ENTRIES, Status, StatusList
from shared.ledger import stores
from shared.ledger.facts import Recorded
from shared.ledger.log import Log
from shared.ledger.recorder import Append
from tests.support.events import event_of
from tests.support.given import AT
from tests.support.postgres import in_a_schema
from tests.support.samples import (
    ASK_ME_AGAIN,
    CONFIRMED,
    COOLING,
    GIVEN,
    QUESTION,
    REDEEMED,
    REFUSED,
    SERVED,
    WAITING,
    WITHDRAWN,
)

LATER = AT + timedelta(days=9)
HOURS = st.integers(-1, 24 * 9).map(lambda hours: AT + timedelta(hours=hours, minutes=1))

HISTORIES = [
    [QUESTION],
    [QUESTION, GIVEN],
    [QUESTION, GIVEN, WITHDRAWN],
    [QUESTION, GIVEN, REDEEMED],
    [QUESTION, GIVEN, REDEEMED, WITHDRAWN],
    [QUESTION, WAITING],
    [QUESTION, WAITING, CONFIRMED],
    [QUESTION, WAITING, CONFIRMED, REDEEMED],
    [QUESTION, WAITING, WITHDRAWN],
    [QUESTION, COOLING],
    [QUESTION, COOLING, REDEEMED],
    [QUESTION, REFUSED],
    [QUESTION, REFUSED, ASK_ME_AGAIN],
]
"""Every course that a consent can take."""


def folded(facts: Sequence[Any]) -> Consent:
    """Return the consent that facts make, at positions from 1."""
    consent = Consent()
    for position, fact in enumerate(facts, start=1):
        consent = evolve(consent, Recorded(position, AT, fact))
    return consent


# -- what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "at", "said"),
    [
        ([QUESTION, GIVEN], AT, {2: Status.VALID}),
        ([QUESTION, GIVEN], LATER, {2: Status.INVALID}),
        ([QUESTION, GIVEN, REDEEMED], LATER, {2: Status.USED}),
        ([QUESTION, GIVEN, WITHDRAWN], AT, {2: Status.INVALID}),
        ([QUESTION, GIVEN, REDEEMED, WITHDRAWN], AT, {2: Status.INVALID}),
        ([QUESTION, WAITING], AT, {2: Status.SUSPENDED}),
        ([QUESTION, WAITING], AT + timedelta(hours=1), {2: Status.SUSPENDED}),
        ([QUESTION, WAITING], LATER, {2: Status.INVALID}),
        ([QUESTION, WAITING, CONFIRMED], AT, {2: Status.VALID, 3: Status.VALID}),
        ([QUESTION, WAITING, CONFIRMED, REDEEMED], AT, {2: Status.USED, 3: Status.USED}),
        ([QUESTION, COOLING], AT, {2: Status.SUSPENDED}),
        ([QUESTION, COOLING], AT + timedelta(hours=80), {2: Status.VALID}),
        ([QUESTION, REFUSED], LATER, {2: Status.VALID}),
        ([QUESTION, REFUSED, ASK_ME_AGAIN], AT, {2: Status.INVALID}),
    ],
)
def test_each_decision_has_the_status_of_its_consent(
    facts: list[Any], at: datetime, said: dict[int, Status]
) -> None:
    """Agreements and refusals change; a withdrawal and a use stand for ever and are not listed."""
    course = Course.of(folded(facts), 0)
    assert dict.fromkeys(course.indices, course.at(at)) == said


@for_all(st.sampled_from(HISTORIES), HOURS)
def test_a_course_is_the_standing_at_every_instant(facts: list[Any], at: datetime) -> None:
    """What is kept of a consent says at any time what the consent itself would."""
    consent = folded(facts)
    assert Course.of(consent, 0).at(at) is status_of(consent.standing(at))


def test_a_standing_without_a_line_counts_no_more() -> None:
    """Only what is known to be all right is called so."""
    assert set(STATUSES) == set(Standing) - {Standing.UNKNOWN, Standing.REQUESTED}
    assert status_of(Standing.UNKNOWN) is Status.INVALID


# -- following a log ----------------------------------------------------------------------------


@contextmanager
def a_log(folder: Path, address: str = "") -> Iterator[Log]:
    """Give a log of the consent service, on a file unless an address says otherwise."""
    address = address or f"sqlite:///{folder / 'ledger.db'}"
    stores.create_schema(address)
    log = Log(stores.open_recorder(address, lambda: AT), VOCABULARY)
    try:
        yield log
    finally:
        log.close()


def add(log: Log, *facts: Any) -> None:
    """Put facts into a log, past the rules."""
    log.recorder.append_batch([Append([event_of(fact) for fact in facts])])


def of(consent_id: str, fact: Any) -> Any:
    """Return the same fact of another consent."""
    return replace(fact, consent_id=consent_id)


def listed(view: Statuses, at: datetime = AT) -> StatusList:
    """Return what a view says."""
    return asyncio.run(view.at(at))


Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, len(HISTORIES) - 1)), max_size=4)


@settings(max_examples=20)
@for_all(STEPS, st.lists(st.booleans(), min_size=20, max_size=20), HOURS)
def test_following_is_the_same_as_looking_anew(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step], looks: list[bool], at: datetime
) -> None:
    """However often it looks meanwhile, a view says what one made after a restart says."""
    facts = [
        of(f"{consent}{turn}", fact)
        for turn, (consent, history) in enumerate(steps)
        for fact in HISTORIES[history]
    ]
    with a_log(tmp_path_factory.mktemp("log")) as log:
        view = Statuses(log, 0)
        for fact, look in zip(facts, looks, strict=False):
            add(log, fact)
            if look:
                assert listed(view, at) == listed(Statuses(log, 0), at)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_withdrawal_is_in_the_next_answer(
    tmp_path: Path, request: pytest.FixtureRequest, store: str
) -> None:
    """What was acknowledged before the question is in the answer: a view never lags."""
    postgres = store == "postgres"
    address = in_a_schema(request.getfixturevalue("postgres_url")) if postgres else ""
    with a_log(tmp_path, address) as log:
        view = Statuses(log, 0)
        add(log, QUESTION, GIVEN)
        assert listed(view).get(2) == Status.VALID
        add(log, WITHDRAWN)
        assert listed(view).get(2) == Status.INVALID
        assert listed(view).get(3) == Status.VALID


@for_all(st.sampled_from(HISTORIES[1:]), st.lists(HOURS, min_size=2, max_size=6))
def test_time_alone_changes_an_answer(facts: list[Any], instants: list[datetime]) -> None:
    """An answer that is kept is given only as long as it is the right one, whatever the clock."""
    consent = folded(facts)
    course = Course.of(consent, 0)
    first = instants[0]
    for at in instants[1:]:
        if first <= at < course.next_turn(first):
            assert course.at(at) is course.at(first)


def test_what_waits_runs_out_without_a_fact(tmp_path: Path) -> None:
    """The same view says waiting, valid, over; and waiting again for an earlier instant."""
    with a_log(tmp_path) as log:
        add(log, QUESTION, COOLING)
        view = Statuses(log, 0)
        for hours, said in [(0, 2), (1, 2), (71, 2), (72, 0), (95, 0), (96, 1), (1, 2)]:
            assert listed(view, AT + timedelta(hours=hours)).get(2) == said


def test_an_answer_costs_what_happened_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing new is no read of facts; one new decision is that fact and its consent's."""
    with a_log(tmp_path) as log:
        add(log, *(of(f"q{n}", fact) for n in range(200) for fact in (QUESTION, SERVED, GIVEN)))
        view, read = Statuses(log, 0), list[int]()
        listed(view)
        page = log.recorder.page

        def counted(*args: Any, **kwargs: Any) -> Any:
            answer = page(*args, **kwargs)
            read.append(len(answer.facts))
            return answer

        monkeypatch.setattr(log.recorder, "page", counted)
        listed(view)
        assert read == []
        add(log, of("q7", WITHDRAWN))
        assert listed(view).get(3 * 8) == Status.INVALID
        assert sum(read) == 1 + 3  # the new fact; question, agreement and withdrawal


def test_a_list_of_old_is_kept_by_its_own_stretch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view far behind reads its own 65,536 facts and their consents, not what came after."""
    with a_log(tmp_path) as log:
        add(log, QUESTION, GIVEN)
        early = Statuses(log, 0)
        assert listed(early).get(2) == Status.VALID
        many = Append([event_of(SERVED)] * 6_000)
        for _ in range(0, LIST_ENTRIES + PAGE_FACTS, len(many.events)):
            log.recorder.append_batch([many])
        add(log, WITHDRAWN, of("q2", QUESTION), of("q2", GIVEN))
        late = log.recorder.head()
        read = list[int]()
        page = log.recorder.page

        def seen(*args: Any, **kwargs: Any) -> Any:
            answer = page(*args, **kwargs)
            read.extend(fact.position for fact in answer.facts)
            return answer

        monkeypatch.setattr(log.recorder, "page", seen)
        assert listed(early).get(2) == Status.INVALID
        assert [one for one in read if one >= LIST_ENTRIES] == [late - 2]
        assert listed(Statuses(log, 0)).get(2) == Status.INVALID
        assert listed(Statuses(log, 1)).get(late % LIST_ENTRIES) == Status.VALID
        assert listed(Statuses(log, 1)).get(2) == Status.VALID
