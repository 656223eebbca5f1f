"""The bank's list: planted orphans are found and no others, and nothing twice."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.accounts import reconciling
from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozen,
    AccountFrozenByBank,
    AccountStillOpen,
    AccountUnconsented,
    Came,
    ReconciliationDone,
)
from services.accounts.lines import Form
from services.accounts.reconciliation import RECONCILE, Batch, Listed
from services.accounts.reconciling import BankList
from shared.errors import Rejection, Unavailable
from tests.accounts.test_rules_openings import opened
from tests.support import given as given_module
from tests.support.lists import Desk, as_csv, as_ndjson, line, listed

BOTH = pytest.mark.parametrize("desk", ["sqlite", "postgres"], indirect=True)
"""On each store: what asks a store for more than single facts."""


# -- the law --------------------------------------------------------------------------------------


@dataclass
class Shadow:
    """What a second telling holds of one bank's accounts: openings by id, in plain dictionaries."""

    account: dict[str, str] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    theirs: set[str] = field(default_factory=set)
    said: set[tuple[str, str]] = field(default_factory=set)

    def came(self, number: str, opening: str, before: Sequence[tuple[str, str]]) -> str:
        """Return what must come of a line, given those before it."""
        if number in {one for one, _ in before}:
            return "bad"
        own = next((one for one, other in self.account.items() if other == number), None)
        if own:
            mismatched = opening not in {"", own}
            return "stopped" if own in self.stopped else "mismatched" if mismatched else "matched"
        taken = opening in self.account or opening in {one for _, one in before}
        if opening not in self.theirs or taken:
            return "without_consent"
        return "stopped" if opening in {*self.stopped, *self.held} else "unconfirmed"


OPENINGS, NUMBERS = ["x1", "x2", "x3", "other"], ["000001", "000002", "000003", "000004"]
Deed = tuple[str, str, str]
deeds = st.lists(
    st.tuples(
        st.sampled_from(["open", "confirm", "decline", "freeze", "hold", "close"]),
        st.sampled_from(OPENINGS[:3]),
        st.sampled_from(NUMBERS),
    ),
    max_size=8,
)
files = st.lists(
    st.tuples(st.sampled_from(NUMBERS), st.sampled_from(["", "", *OPENINGS, "x9"])), max_size=8
)


def happen(desk: Desk, shadow: Shadow, bank_id: str, history: Sequence[Deed]) -> None:
    """Let happen what the rules would let happen."""
    for deed, opening, number in history:
        own = f"{bank_id}-{opening}"
        said: dict[str, Any] = {"opening_id": own, "citizen_id": "c", "bank_id": bank_id}
        answered = opening in shadow.account or shadow.stopped.get(opening) == "declined"
        if deed == "open" and opening not in shadow.theirs:
            shadow.theirs.add(opening)
            desk.enter(opened(opening_id=own, bank_id=bank_id))
        if opening not in shadow.theirs:
            continue
        if deed == "freeze" and opening not in shadow.stopped:
            shadow.stopped[opening] = "frozen"
            place: dict[str, Any] = {"consent_id": "q", "office_id": None, "clerk_id": None}
            desk.enter(AccountFrozen(**said, **place, reason="consent_disputed"))
        if deed == "hold" and opening not in {*shadow.stopped, *shadow.held}:
            shadow.held.add(opening)
            desk.enter(AccountFrozenByBank(**said, reason="r"))
        if deed == "close" and opening not in shadow.stopped:
            shadow.stopped[opening] = "closed"
            desk.enter(AccountClosed(**said, reason="r"))
        if answered or opening in shadow.stopped:
            continue
        if deed == "decline":
            shadow.stopped[opening] = "declined"
            desk.enter(AccountDeclined(**said, reason="no"))
        free = number not in shadow.account.values() and opening not in shadow.held
        if deed == "confirm" and free:
            shadow.account[opening] = number
            mark = desk.marks.mark(bank_id, number)
            desk.enter(AccountConfirmed(**said, account_id=mark, account_end=number[-4:]))


def wanted(desk: Desk, shadow: Shadow, bank_id: str, file: Sequence[tuple[str, str]]) -> list[str]:
    """Return what must come of each line; remember of which accounts something was said."""
    came = [shadow.came(*one, before=read(file, at)) for at, one in enumerate(file)]
    for (number, _), one in zip(file, came, strict=True):
        if one in {"stopped", "without_consent"}:
            shadow.said.add((one, desk.marks.mark(bank_id, number)))
    return came


def read(file: Sequence[tuple[str, str]], end: int) -> list[tuple[str, str]]:
    """Return the lines before one that were not bad: each account's first."""
    first = dict[str, str]()
    for number, opening in file[:end]:
        first.setdefault(number, opening)
    return list(first.items())


@BOTH
@settings(max_examples=max(30, settings().max_examples // 2), deadline=timedelta(seconds=5))
@given(
    days=st.lists(st.tuples(deeds, files), min_size=1, max_size=3),
    form=st.sampled_from(Form),
    cut=st.none() | st.integers(0, 60),
)
def test_planted_orphans_are_found_and_no_others(
    desk: Desk, days: list[tuple[list[Deed], list[tuple[str, str]]]], form: Form, cut: int | None
) -> None:
    """Whatever happened and is listed, as a second telling has it; each account is said once.

    Also where a first sending was cut off anywhere; and the same again changes nothing.
    """
    bank_id, shadow = desk.bank(), Shadow()
    other = opened(opening_id=f"{bank_id}-other", bank_id=f"{bank_id}-other")
    desk.enter(other)

    async def hand_in(own: BankList, body: bytes) -> None:
        if cut is not None and cut * 7 < len(body):
            with pytest.raises(Rejection, match="file_cut_off"):
                await desk.take(own, body, cut=cut)
        await desk.take(own, body)
        head = await desk.log.head()
        await desk.take(own, body)
        assert await desk.log.head() == head

    async def check() -> None:
        for number, (history, file) in enumerate(days):
            happen(desk, shadow, bank_id, history)
            lines = [
                line(one, **({"opening_id": f"{bank_id}-{of}"} if of else {})) for one, of in file
            ]
            own = listed(bank_id, f"l{number}", form)
            await hand_in(own, as_csv(lines) if form is Form.CSV else as_ndjson(lines))
            came = wanted(desk, shadow, bank_id, file)
            first = 2 if form is Form.CSV else 1
            looked = {one.line - first: one.came.value for one in await desk.noted(own)}
            quiet = {"matched", "unconfirmed"}
            assert looked == {at: one for at, one in enumerate(came) if one not in quiet}
            (done,) = await desk.facts(f"reconciliation:{own.id}", kind=ReconciliationDone)
            assert done.counts.lines == len(file)
            assert all(getattr(done.counts, one.value) == came.count(one.value) for one in Came)
        raised = [
            *(
                ("without_consent", one)
                for one in await desk.facts(f"bank:{bank_id}", kind=AccountUnconsented)
            ),
            *(
                ("stopped", one)
                for one in await desk.facts(f"bank:{bank_id}", kind=AccountStillOpen)
            ),
        ]
        said = [(kind, one.account_id) for kind, one in raised]
        assert len(said) == len(set(said))
        assert set(said) == shadow.said

    asyncio.run(check())


# -- what an orphan's fact says, and what it does not ---------------------------------------------


def test_an_orphan_names_the_clerk_and_the_office_and_no_number(desk: Desk) -> None:
    """It is found by bank, office, clerk and account; the number is a keyed mark, with its end."""
    bank_id = desk.bank()
    own, clerk_id = listed(bank_id), f"{bank_id}-gdv"
    orphan = line("880012345678", office_id="lao-bao", clerk_id=clerk_id, product_id="payment")
    asyncio.run(desk.take(own, as_csv([orphan])))
    mark = desk.marks.mark(bank_id, "880012345678")
    for tag in (f"bank:{bank_id}", f"clerk:{clerk_id}", f"account:{mark}"):
        (fact,) = asyncio.run(desk.facts(tag, kind=AccountUnconsented))
        assert fact == AccountUnconsented(
            account_id=mark,
            account_end="5678",
            bank_id=bank_id,
            reconciliation_id=f"{bank_id}.l1",
            line=2,
            opened_at=datetime(2023, 8, 9, 2, 0, tzinfo=UTC),
            opening_id=None,
            office_id="lao-bao",
            clerk_id=clerk_id,
            product_id="payment",
            why="opening_not_named",
        )


def test_an_account_of_tomorrows_list_is_in_tomorrows_report_and_no_second_fact(desk: Desk) -> None:
    """The fact is raised once; each day's lines have it, and the clerk if only that day says so."""
    bank_id = desk.bank()
    first, second = listed(bank_id, "l1"), listed(bank_id, "l2")
    asyncio.run(desk.take(first, as_csv([line("100001")])))
    asyncio.run(desk.take(second, as_csv([line("100001", clerk_id="k")])))
    assert len(asyncio.run(desk.facts(f"bank:{bank_id}", kind=AccountUnconsented))) == 1
    (again,) = asyncio.run(desk.noted(second))
    assert (again.came, again.clerk_id) == (Came.WITHOUT_CONSENT, "k")


def test_an_orphan_that_is_opened_properly_later_is_matched_then(desk: Desk) -> None:
    """Nothing is taken back; the next list matches it."""
    bank_id = desk.bank()
    body = as_csv([line("100001")])
    asyncio.run(desk.take(listed(bank_id, "l1"), body))
    happen(desk, Shadow(), bank_id, [("open", "x1", "100001"), ("confirm", "x1", "100001")])
    asyncio.run(desk.take(listed(bank_id, "l1"), body))
    (noted,) = asyncio.run(desk.noted(listed(bank_id, "l1")))
    assert noted.came is Came.WITHOUT_CONSENT
    asyncio.run(desk.take(listed(bank_id, "l2"), body))
    assert asyncio.run(desk.noted(listed(bank_id, "l2"))) == []


# -- what happens meanwhile -----------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("also", [(), ("freeze",)])
def test_what_is_confirmed_while_a_list_is_read_is_no_orphan(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, also: tuple[str, ...]
) -> None:
    """The bank confirms between the look and the record, and a stop may follow: a second look."""
    bank_id, shadow = desk.bank(), Shadow()
    happen(desk, shadow, bank_id, [("open", "x1", "")])
    run, times = reconciling.Run, count()
    first_look = run._looked_up

    async def then(self: Any, batch: Batch) -> Batch:
        found = await first_look(self, batch)
        if next(times) == 0:
            deeds = [(deed, "x1", "100001") for deed in ("confirm", *also)]
            happen(desk, shadow, bank_id, deeds)
        return found

    monkeypatch.setattr(run, "_looked_up", then)
    own = listed(bank_id)
    asyncio.run(desk.take(own, as_csv([line("100001")])))
    came = [one.came for one in asyncio.run(desk.noted(own))]
    assert came == ([Came.STOPPED] if also else [])
    assert next(times) == 2


def test_an_account_whose_opening_was_not_looked_for_is_not_judged() -> None:
    """The rule itself asks for another look, rather than take a frozen account for a good one."""
    listed = Listed(line=2, account_id="mark", account_end="0001", opened_at=given_module.AT)
    batch = Batch(
        reconciliation_id="b.l",
        bank_id="cake",
        number=0,
        first=1,
        last=2,
        digest="d",
        listed=[listed],
    )
    confirmed = AccountConfirmed(
        opening_id="op1", citizen_id="c", bank_id="cake", account_id="mark", account_end="0001"
    )
    with pytest.raises(Unavailable, match="contended"):
        given_module.given(RECONCILE, confirmed).when(batch)
    looked = replace(batch, confirmed=frozenset({"op1"}))
    (fact,) = given_module.given(RECONCILE, confirmed).when(looked)
    assert fact.counts.matched == 1
