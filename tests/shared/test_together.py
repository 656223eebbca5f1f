"""Verbs that are asked together, and verbs that are only rehearsed."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.consent.directory import REGISTER
from services.consent.facts import (
    VOCABULARY,
    ClerkRegistered,
    OfficeRegistered,
    Right,
    RightGranted,
    StaffPhoneMarked,
)
from services.consent.gate import right_id
from services.consent.rights import GRANT
from services.consent.separation import MARK_STAFF, MarkStaff
from shared.clock import system_clock
from shared.errors import Rejection
from shared.ledger import stores
from shared.ledger.facts import Recorded
from shared.ledger.log import Log, within
from shared.ledger.rehearsal import rehearsal
from shared.ledger.together import TOGETHER, Step
from tests.support.given import AT

OFFICE = Step(REGISTER, OfficeRegistered(office_id="o", name="Lao Bảo"))


def clerk(office_id: str = "o") -> Step:
    """Return what registers a clerk."""
    return Step(REGISTER, ClerkRegistered(clerk_id="c", office_id=office_id))


def phones(*marks: str) -> Step:
    """Return what says which phones are the clerk's."""
    return Step(MARK_STAFF, MarkStaff(clerk_id="c", phone_ids=frozenset(marks)))


def training(document_hash: str | None = None) -> Step:
    """Return what says that the clerk is trained."""
    granted = RightGranted(
        right_id=right_id(Right.TRAINING, "o", "c"),
        right=Right.TRAINING,
        bank_id=None,
        office_id="o",
        clerk_id="c",
        site_id=None,
        valid_from=AT,
        valid_until=None,
        document_hash=document_hash,
        granted_by="operator:import",
    )
    return Step(GRANT, granted)


STEPS = [OFFICE, clerk(), clerk("other"), phones("p"), phones("p", "q"), training(), training("0")]


def one_by_one(steps: Sequence[Step]) -> list[Any]:
    """Return the facts that the steps lead to when each is recorded before the next is asked."""
    log = list[Recorded]()
    for step in steps:
        own = [one for one in log if within(step.query, one)]
        facts = step.verb.decide(step.verb.fold(own), step.asked)
        log += [Recorded(number, AT, one) for number, one in enumerate(facts, start=len(log) + 1)]
    return [one.fact for one in log]


def outcome(deed: Any) -> Any:
    """Return what comes of it: facts, or the reasons of a no."""
    try:
        return list(deed())
    except Rejection as no:
        return [reason.code for reason in no.reasons]


@given(st.lists(st.sampled_from(STEPS), max_size=6))
def test_together_is_one_by_one(steps: list[Step]) -> None:
    """The same facts in the same order, or the same first no."""
    assert outcome(lambda: TOGETHER.decide((), steps)) == outcome(lambda: one_by_one(steps))


def test_what_is_together_is_known_to_what_follows() -> None:
    """A clerk's phones and training are there with the clerk, at once, and once."""
    office = Recorded(1, AT, OFFICE.asked)
    facts = TOGETHER.decide((office,), [clerk(), phones("p"), training()])
    assert [type(one) for one in facts] == [ClerkRegistered, StaffPhoneMarked, RightGranted]
    history = (office, *(Recorded(number, AT, one) for number, one in enumerate(facts, start=2)))
    assert TOGETHER.decide(history, [clerk(), phones("p"), training()]) == []


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Give a log on SQLite."""
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    stores.create_schema(address)
    log = Log(stores.open_recorder(address, system_clock), VOCABULARY)
    yield log
    log.close()


def test_one_no_keeps_all_out_and_leaves_nothing(log: Log) -> None:
    """Not even the fact that records the no: a right's own rule would leave one."""

    async def scenario() -> None:
        await log.perform(TOGETHER, [OFFICE])
        with pytest.raises(Rejection) as no:
            await log.perform(TOGETHER, [clerk("o"), training(), Step(GRANT, elsewhere())])
        assert [reason.code for reason in no.value.reasons] == ["office_unknown", "clerk_unknown"]
        assert await log.head() == 1

    asyncio.run(scenario())


def elsewhere() -> Any:
    """Return a right at an office that nobody knows."""
    return replace(training().asked, office_id="x", right_id="training/x/c")


def test_a_rehearsal_says_what_the_deed_does(log: Log) -> None:
    """What was rehearsed before counts, what is in the log counts, and nothing gets into it."""

    async def scenario() -> None:
        await log.perform(TOGETHER, [OFFICE])
        with rehearsal(log, VOCABULARY, system_clock) as rehearsed:
            await log.perform(TOGETHER, [Step(REGISTER, OfficeRegistered(office_id="p", name="P"))])
            first = await rehearsed.perform(TOGETHER, [clerk(), phones("p")])
            again = await rehearsed.perform(TOGETHER, [clerk(), phones("p")])
            for steps in ([clerk("other")], [Step(REGISTER, late())]):
                with pytest.raises(Rejection):
                    await rehearsed.perform(TOGETHER, steps)
        assert again.added == []
        assert await log.head() == 2
        deed = await log.perform(TOGETHER, [clerk(), phones("p")])
        assert [one.fact for one in first.added] == [one.fact for one in deed.added]
        assert [one.fact for one in first.state] == [one.fact for one in deed.state]

    asyncio.run(scenario())


def late() -> ClerkRegistered:
    """Return a clerk of an office that came after the rehearsal began."""
    return ClerkRegistered(clerk_id="d", office_id="p")
