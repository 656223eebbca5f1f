"""Erasing a citizen's data: once nothing is open, once, and with a way back."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.directory import REGISTER
from services.consent.erasures import ERASE, Erase
from services.consent.facts import (
    CitizenErased,
    CitizenRegistered,
    Ground,
    PasskeyRevoked,
)
from services.consent.policy import Policy
from services.consent.requests import ASK, Ask
from tests.consent.test_rules_passkeys import ENROLLED as ENROLLED_ONE
from tests.support.given import AT, given
from tests.support.samples import DIRECTORY, GIVEN, MARKS, QUESTION, REDEEMED, REFUSED, WITHDRAWN

REGISTERED = CitizenRegistered(citizen_id="c1", phone="+84900000001")
ERASED_FACT = CitizenErased(
    citizen_id="c1", key_id="k-1", ground=Ground.REQUEST, asked_by="operator:o"
)


def erase(*key_ids: str, at: datetime = AT) -> Erase:
    """Return a request to erase these keys."""
    return Erase(
        citizen_id="c1",
        consent_ids=["q1"],
        key_ids=key_ids or ("k-1",),
        ground=Ground.REQUEST,
        asked_by="operator:o",
        at=at,
    )


def test_a_citizen_is_erased_once() -> None:
    """One fact for each key; the same again adds nothing, a later key is erased too."""
    assert given(ERASE, REGISTERED).when(erase()) == [ERASED_FACT]
    assert given(ERASE, REGISTERED, ERASED_FACT).when(erase()) == []
    later = replace(ERASED_FACT, key_id="k-2")
    assert given(ERASE, REGISTERED, ERASED_FACT).when(erase("k-1", "k-2")) == [later]


ENROLLED = {one: replace(ENROLLED_ONE, passkey_id=one) for one in ("pk-1", "pk-2", "pk-3")}


@for_all(
    enrolled=st.frozensets(st.sampled_from(sorted(ENROLLED))),
    gone=st.frozensets(st.sampled_from(sorted(ENROLLED))),
    keys=st.sampled_from([(), ("k-1",), ("k-1", "k-2")]),
)
def test_erasing_takes_away_every_passkey_that_still_signs(
    enrolled: frozenset[str], gone: frozenset[str], keys: tuple[str, ...]
) -> None:
    """Each once, also of somebody who was erased before passkeys were looked at."""
    revoked = [PasskeyRevoked(citizen_id="c1", passkey_id=one) for one in sorted(gone & enrolled)]
    history = [REGISTERED, *(ENROLLED[one] for one in sorted(enrolled)), *revoked]
    asked = replace(erase(), key_ids=keys)
    facts = given(ERASE, *history).when(asked)
    assert [one.key_id for one in facts if isinstance(one, CitizenErased)] == list(keys)
    left = [one.passkey_id for one in facts if isinstance(one, PasskeyRevoked)]
    assert left == sorted(enrolled - gone)
    assert given(ERASE, *history, *facts).when(asked) == []


def test_a_citizen_without_a_key_has_nothing_to_erase() -> None:
    """After everything is done the keys are gone, and asking again is still right."""
    asked = replace(erase(), key_ids=())
    assert given(ERASE, REGISTERED, ERASED_FACT).when(asked) == []


def test_only_a_citizen_who_is_known() -> None:
    """Nobody else's data can be asked away."""
    assert given(ERASE).rejected(erase()) == ["citizen_unknown"]


@pytest.mark.parametrize(
    ("history", "open_"),
    [
        ([QUESTION], True),
        ([QUESTION, GIVEN], True),
        ([QUESTION, REFUSED], False),
        ([QUESTION, GIVEN, WITHDRAWN], False),
        ([QUESTION, GIVEN, REDEEMED], False),
    ],
)
def test_not_while_anything_is_open(history: list[Any], open_: bool) -> None:  # noqa: FBT001 - a table
    """Without a phone nobody could answer, or take back, what is still open."""
    before = given(ERASE, REGISTERED, *history)
    if open_:
        assert before.rejected(erase()) == ["consent_open"]
    else:
        assert before.when(erase()) == [ERASED_FACT]


def test_what_has_lapsed_is_not_open() -> None:
    """At the very end of its time a question, or a consent, no longer stands in the way."""
    asked, consent = given(ERASE, REGISTERED, QUESTION), given(ERASE, REGISTERED, QUESTION, GIVEN)
    for before, end in ((asked, QUESTION.decide_by), (consent, GIVEN.statement.expires_at)):
        assert before.rejected(erase(at=end - timedelta(microseconds=1))) == ["consent_open"]
        assert before.when(erase(at=end)) == [ERASED_FACT]


def test_an_erased_citizen_is_not_asked_and_may_come_back() -> None:
    """No question reaches them, until they are registered anew, with any phone."""
    asked = Ask(question=QUESTION, refusals=MARKS, policy=Policy())
    assert given(ASK, *DIRECTORY, ERASED_FACT).rejected(asked) == ["citizen_unknown"]
    other = replace(REGISTERED, phone="+84900000002")
    assert given(REGISTER, REGISTERED).rejected(other) == ["registered_otherwise"]
    assert given(REGISTER, REGISTERED).when(REGISTERED) == []
    assert given(REGISTER, REGISTERED, ERASED_FACT).when(other) == [other]
    assert given(ASK, *DIRECTORY, ERASED_FACT, other).when(asked) == [QUESTION]
