"""A list handed in again, another under its id, and what is told of either."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import date

import pytest

from services.accounts.facts import (
    AccountUnconsented,
    Came,
    LinesReconciled,
    ReconciliationDone,
    ReconciliationStarted,
)
from services.accounts.lines import Form
from services.accounts.reports import Reports
from shared.errors import Rejection
from tests.accounts.test_reconciling import BOTH
from tests.support.lists import DAY, Desk, as_csv, as_ndjson, line, listed

LIST = as_csv([line(f"1000{at:02d}") for at in range(8)])


@pytest.mark.parametrize(
    "other",
    [
        LIST.replace(b"100000", b"200000"),
        LIST.replace(b"100007", b"200007"),
        LIST + b"300000,2023-08-09T09:00:00Z,,,,\n",
        b"\n".join(LIST.split(b"\n")[:6]) + b"\n",
        b"\n".join(LIST.split(b"\n")[:5]) + b"\n",
        LIST.strip(),
        b"",
    ],
    ids=["first", "last", "longer", "shorter", "a bit shorter", "no end", "nothing"],
)
@pytest.mark.parametrize("whole", [True, False])
def test_another_list_under_the_same_id_is_rejected(
    desk: Desk, other: bytes, *, whole: bool
) -> None:
    """At the first batch that differs, or at the end; what was said stays, and so of a part."""
    own = listed(desk.bank())
    if not other:
        own, other = replace(own, form=Form.NDJSON), b""
    body = LIST if own.form is Form.CSV else as_ndjson([line("100001"), line("100002")] * 3)
    if whole:
        asyncio.run(desk.take(own, body))
    else:
        with pytest.raises(Rejection, match="file_cut_off"):
            asyncio.run(desk.take(own, body, cut=len(body) // 7))
    before = asyncio.run(desk.noted(own))
    if not whole and other.count(b"\n") >= 6 and b"200000" not in other:
        asyncio.run(desk.take(own, other))  # it differs from nothing that was taken before
        return
    with pytest.raises(Rejection, match="reconciliation_id_reused"):
        asyncio.run(desk.take(own, other))
    assert asyncio.run(desk.noted(own)) == before
    with pytest.raises(Rejection, match="reconciliation_id_reused"):
        asyncio.run(desk.take(replace(own, day=date(2023, 8, 10)), body))
    asyncio.run(desk.take(own, body))


def test_the_bounds_of_a_batch_stay_as_a_list_began(desk: Desk) -> None:
    """A program with other bounds finishes what an earlier one began."""
    own = listed(desk.bank())
    with pytest.raises(Rejection, match="file_cut_off"):
        asyncio.run(desk.take(own, LIST, cut=20, batch_lines=2))
    asyncio.run(desk.take(own, LIST, batch_lines=5))
    batches = asyncio.run(desk.facts(f"reconciliation:{own.id}", kind=LinesReconciled))
    assert [(one.first, one.last) for one in batches] == [(1, 2), (3, 4), (5, 6), (7, 8), (9, 9)]


@BOTH
def test_two_at_once_under_one_id_come_to_one(desk: Desk) -> None:
    """In two processes: each batch is recorded once, whoever is faster; both end well."""
    own = listed(desk.bank())

    async def both() -> None:
        await asyncio.gather(*(desk.take(own, LIST) for _ in range(3)))

    asyncio.run(both())
    batches = asyncio.run(desk.facts(f"reconciliation:{own.id}", kind=LinesReconciled))
    assert [one.first for one in batches] == [1, 4, 7]
    assert len(asyncio.run(desk.facts(f"bank:{own.bank_id}", kind=AccountUnconsented))) == 8
    for kind in (ReconciliationStarted, ReconciliationDone):
        assert len(asyncio.run(desk.facts(f"reconciliation:{own.id}", kind=kind))) == 1


# -- reports --------------------------------------------------------------------------------------


def test_a_report_is_read_page_by_page(desk: Desk) -> None:
    """Every line is in one page, in order, wherever a page ends; by what came of them too."""
    own = listed(desk.bank())
    lines = [line(f"1000{at:02d}" if at % 3 else "1") for at in range(25)]
    asyncio.run(desk.take(own, as_csv(lines)))
    reports = Reports(desk.log)

    async def pages(limit: int, came: Came | None = None) -> list[int]:
        found, after = list[int](), 0
        while page := await reports.lines(own.id, came, after=after, limit=limit):
            if not page["lines"]:
                return found
            found += [one["line"] for one in page["lines"]]
            after = page["next"]
        return found

    for limit in (1, 2, 7, 100):
        assert asyncio.run(pages(limit)) == list(range(2, 27))
        assert asyncio.run(pages(limit, Came.BAD)) == list(range(2, 27, 3))
    with pytest.raises(Rejection, match="reconciliation_unknown"):
        asyncio.run(reports.lines("b0.none", None, after=0, limit=1))


def test_a_part_is_told_as_a_part(desk: Desk) -> None:
    """Counts go as far as the list was read; the day's report has it among the others."""
    own, reports = listed(desk.bank()), Reports(desk.log)
    with pytest.raises(Rejection, match="file_cut_off"):
        asyncio.run(desk.take(own, LIST, cut=45))
    part = asyncio.run(reports.reconciliation(own.id))
    assert (part["standing"], part["counts"]["lines"], part["sha256"]) == ("reading", 5, None)
    asyncio.run(desk.take(own, LIST))
    whole = asyncio.run(reports.reconciliation(own.id))
    assert (whole["standing"], whole["counts"]["lines"]) == ("done", 8)
    assert whole["sha256"] == hashlib.sha256(LIST).hexdigest()
    of_day = asyncio.run(reports.of_day(DAY, own.bank_id, after=0, limit=10))
    assert of_day["reconciliations"] == [whole]
    assert asyncio.run(reports.of_day(date(2023, 8, 8), None, after=0, limit=10))["next"] == 0
