"""Another phone for a citizen: the old one is warned and waited for, and can stop it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.facts import (
    CitizenErased,
    CitizenRegistered,
    Ground,
    PhoneEnrolled,
    PhoneEnrolmentStopped,
    PhoneRejected,
    Stopped,
)
from services.consent.phones import ENROL, STOP, Enrol, Phones, Stop, evolve
from services.consent.policy import Policy
from shared.errors import Rejection
from shared.ledger.facts import Recorded
from tests.support.given import AT, given
from tests.support.samples import DIRECTORY

WAIT = Policy().phone_change_waits_for
INSTANT = timedelta(microseconds=1)
CLERK = DIRECTORY[3]
OWN = CitizenRegistered(citizen_id="c1", phone="+84900000001", phone_id="own")
ERASED_FACT = CitizenErased(
    citizen_id="c1", key_id="k-1", ground=Ground.REQUEST, asked_by="operator:o"
)


def enrol(**changes: Any) -> Enrol:
    """Return a clerk's wish for another phone."""
    whole = Enrol(
        enrolment_id="e1",
        citizen_id="c1",
        number="+84900000002",
        phone_id="new",
        asked_by="clerk:k",
        clerk_id="k",
        at=AT,
        policy=Policy(),
    )
    return replace(whole, **changes)


BY_OPERATOR = {"asked_by": "operator:o", "clerk_id": None}

NEW = PhoneEnrolled(
    enrolment_id="e1",
    citizen_id="c1",
    phone_id="new",
    clerk_id="k",
    office_id="o",
    asked_by="clerk:k",
    asked_at=AT,
    effective_from=AT + WAIT,
    phone="+84900000002",
)
NOT_ME = PhoneEnrolmentStopped(
    enrolment_id="e1", citizen_id="c1", phone_id="new", ground=Stopped.OLD_PHONE
)


def stop(**changes: Any) -> Stop:
    """Return the press of the old phone's button."""
    whole = Stop(citizen_id="c1", enrolment_id="e1", ground=Stopped.OLD_PHONE, at=AT)
    return replace(whole, **changes)


def phones(*facts: Any) -> Phones:
    """Return a citizen's phones after these facts."""
    whole = Phones()
    for number, fact in enumerate(facts, start=1):
        whole = evolve(whole, Recorded(number, AT, fact))
    return whole


def mark(held: Any) -> Any:
    """Return the mark of a phone, None for none."""
    return held.phone_id if held else None


def test_another_phone_waits() -> None:
    """Asked for once, it counts after three days; whoever asks, the old one does until then."""
    assert given(ENROL, CLERK, OWN).when(enrol()) == [NEW]
    assert given(ENROL, CLERK, OWN, NEW).when(enrol(enrolment_id="e2")) == []
    (fact,) = given(ENROL, OWN).when(enrol(**BY_OPERATOR))
    assert fact == replace(NEW, asked_by="operator:o", clerk_id=None, office_id=None)


def test_to_the_microsecond() -> None:
    """At three days it counts, an instant earlier the old one does; it is known from then on."""
    held = phones(OWN, NEW)
    before, then = AT + WAIT - INSTANT, AT + WAIT
    assert (mark(held.effective(before)), mark(held.coming(before))) == ("own", "new")
    assert (mark(held.effective(then)), mark(held.coming(then))) == ("new", None)
    assert held.held[-1].known_since == then


def test_the_same_number_is_nothing() -> None:
    """Neither the number that counts nor the one to come is enrolled again; the old one is."""
    own = enrol(enrolment_id="e2", number="+84900000001", phone_id="own")
    assert given(ENROL, CLERK, OWN).when(own) == []
    assert given(ENROL, CLERK, OWN, NEW).when(own) == []
    late = replace(own, at=AT + WAIT)
    (back,) = given(ENROL, CLERK, OWN, NEW).when(late)
    assert back.effective_from == AT + 2 * WAIT


def test_a_later_one_takes_the_place() -> None:
    """A mistyped number gives way to the right one, whose time starts anew."""
    hour = timedelta(hours=1)
    right = enrol(enrolment_id="e2", phone_id="right", at=AT + hour)
    (fact,) = given(ENROL, CLERK, OWN, NEW).when(right)
    held = phones(OWN, NEW, fact)
    assert mark(held.effective(AT + WAIT)) == "own"
    assert mark(held.effective(AT + WAIT + hour)) == "right"
    assert held.of("e1") is None


def test_where_nobody_can_be_warned_the_operator_alone_enrols() -> None:
    """Erased: a clerk is told to send the citizen on; the operator's counts at once."""
    erased = given(ENROL, CLERK, OWN, ERASED_FACT)
    assert erased.rejected(enrol()) == ["phone_unwarned"]
    (fact,) = erased.when(enrol(**BY_OPERATOR))
    assert fact.effective_from == AT
    held = phones(OWN, ERASED_FACT, fact)
    assert mark(held.effective(AT - INSTANT)) == "new", "no clock is behind the log"
    assert held.held[-1].known_since == AT


@pytest.mark.parametrize(
    ("history", "changes", "codes"),
    [
        ([CLERK], {}, ["citizen_unknown"]),
        ([OWN], {}, ["clerk_unknown"]),
        ([], {}, ["citizen_unknown", "clerk_unknown"]),
        ([], BY_OPERATOR, ["citizen_unknown"]),
    ],
)
def test_citizen_and_clerk_are_registered(
    history: list[Any], changes: dict[str, Any], codes: list[str]
) -> None:
    """Each that is missing is named."""
    assert given(ENROL, *history).rejected(enrol(**changes)) == codes


def test_the_old_phone_stops_it() -> None:
    """Until the instant at which it counts; stopping twice, or what is gone, adds nothing."""
    assert given(STOP, OWN, NEW).when(stop(at=AT + WAIT - INSTANT)) == [NOT_ME]
    assert given(STOP, OWN, NEW, NOT_ME).when(stop(at=AT + 9 * WAIT)) == []
    assert given(STOP, OWN, NEW, ERASED_FACT).when(stop()) == []
    assert given(STOP, OWN, NEW).rejected(stop(at=AT + WAIT)) == ["phone_counts"]
    held = phones(OWN, NEW, NOT_ME)
    assert mark(held.effective(AT + WAIT)) == "own"
    (again,) = given(ENROL, CLERK, OWN, NEW, NOT_ME).when(enrol(enrolment_id="e2"))
    assert again.effective_from == AT + WAIT, "warned anew, waits anew"


def test_what_is_rejected_is_written_down() -> None:
    """Who asked, about whom, and why; never the number."""
    with pytest.raises(Rejection) as no:
        given(ENROL, CLERK).when(enrol())
    assert no.value.facts == (
        PhoneRejected(
            citizen_id="c1",
            asked_by="clerk:k",
            reasons=["citizen_unknown"],
            office_id="o",
            clerk_id="k",
        ),
    )


STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "stop", "erase", "return"]), st.integers(0, 100)),
    max_size=12,
)


@for_all(steps=STEPS)
def test_no_phone_counts_that_the_one_before_was_not_given_three_days_for(
    steps: list[tuple[str, int]],
) -> None:
    """Whatever is asked for in whatever order, what counts changes only by the rules."""
    history: list[Any] = [CLERK, OWN]
    waiting_since, now = dict[str, Any](), AT
    counting: str | None = "own"
    for number, (what, hours) in enumerate(steps):
        now += timedelta(hours=hours)
        before = mark(phones(*history[1:]).effective(now))
        if before != counting:
            assert before is not None
            assert now - waiting_since[before] >= WAIT
            counting = before
        if what == "stop":
            added = _stopped(history[1:], now)
        elif what == "erase":
            added, counting = [replace(ERASED_FACT, key_id=f"k-{number}")], None
        elif what == "return":
            added = [OWN] if counting is None else []
            counting = counting or "own"
        else:
            asked = enrol(enrolment_id=f"e{number}", phone_id=what, at=now)
            met = given(ENROL, *history)
            if counting is None:
                assert met.rejected(asked) == ["phone_unwarned"]
            added = [] if counting is None else met.when(asked)
            waiting_since |= {fact.phone_id: now for fact in added}
        history += added


def _stopped(history: list[Any], at: Any) -> list[Any]:
    coming = phones(*history).coming(at)
    if coming is None or coming.enrolled is None:
        return []
    return given(STOP, *history).when(stop(enrolment_id=coming.enrolled.enrolment_id, at=at))
