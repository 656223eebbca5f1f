"""What can be read of reconciliations: the day's report, and every line to look at.

A view over the facts of each list, in which no citizen is named. A line names office and clerk as
far as the bank said who they are.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import msgspec

from services.accounts.facts import (
    Came,
    LinesReconciled,
    Noted,
    ReconciliationDone,
    ReconciliationStarted,
)
from services.accounts.reconciliation import Known, batch_id, known, own_id
from shared.contracts.reasons import sentence
from shared.errors import Kind, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Log, about

BATCHES_AT_ONCE = 20
"""Batches that are read before others of the service's callers have their turn."""


class Reports:
    """Tells of the reconciliations in one log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def reconciliation(self, reconciliation_id: str) -> dict[str, Any]:
        """Return what came of a list; raises `Rejection` for an unknown id."""
        return await self._document(await self._started(reconciliation_id))

    async def of_day(
        self, day: date, bank_id: str | None, *, after: int, limit: int
    ) -> dict[str, Any]:
        """Return the reconciliations up to a day, of one bank or all, and the cursor behind."""
        tags = [f"bank:{bank_id}"] if bank_id else []
        arm = about(f"day:{day}", *tags, kinds=[ReconciliationStarted])
        page = await self._log.read(arm, after=after, limit=limit)
        documents = [await self._document(one) for one in page]
        return {"reconciliations": documents, "next": page[-1].position if page else after}

    async def lines(
        self, reconciliation_id: str, came: Came | None, *, after: int, limit: int
    ) -> dict[str, Any]:
        """Return the lines to look at behind a line, in order, and the cursor behind them."""
        page, last = list[dict[str, Any]](), after
        async for one in self.each(reconciliation_id, came, after=after):
            page.append(one)
            last = one["line"]
            if len(page) == limit:
                break
        return {"lines": page, "next": last}

    async def each(
        self, reconciliation_id: str, came: Came | None = None, *, after: int = 0
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the lines to look at behind a line; raises `Rejection` for an unknown id."""
        started: ReconciliationStarted = (await self._started(reconciliation_id)).fact
        first = batch_id(reconciliation_id, after // started.batch_lines)
        for found in await self._log.read(about(f"batch:{first}", kinds=[LinesReconciled])):
            async for batch in self._batches(reconciliation_id, after=found.position - 1):
                for one in batch.noted:
                    if one.line > after and came in {None, one.came}:
                        yield _line(one)

    async def _started(self, reconciliation_id: str) -> Recorded:
        tag = f"reconciliation:{reconciliation_id}"
        for started in await self._log.read(about(tag, kinds=[ReconciliationStarted])):
            return started
        raise Rejection(Kind.UNKNOWN, "reconciliation_unknown")

    async def _batches(
        self, reconciliation_id: str, *, after: int = 0
    ) -> AsyncIterator[LinesReconciled]:
        arm = about(f"reconciliation:{reconciliation_id}", kinds=[LinesReconciled])
        while page := await self._log.read(arm, after=after, limit=BATCHES_AT_ONCE):
            for one in page:
                yield one.fact
            after = page[-1].position
            await asyncio.sleep(0)  # an embedded store is read in place: others come between

    async def _document(self, started: Recorded) -> dict[str, Any]:
        fact: ReconciliationStarted = started.fact
        tag = f"reconciliation:{fact.reconciliation_id}"
        ends = await self._log.read(about(tag, kinds=[ReconciliationDone]))
        done: ReconciliationDone | None = ends[0].fact if ends else None
        state = Known()
        if done is None:
            async for batch in self._batches(fact.reconciliation_id):
                state = known(state, Recorded(0, started.recorded_at, batch))
        return {
            "reconciliation_id": own_id(fact.reconciliation_id),
            "bank_id": fact.bank_id,
            "day": fact.day,
            "standing": "done" if done else "reading",
            "position": started.position,
            "recorded_at": started.recorded_at,
            "done_at": ends[0].recorded_at if ends else None,
            "sha256": done.sha256 if done else None,
            "counts": msgspec.to_builtins(done.counts if done else state.counts),
        }


def _line(noted: Noted) -> dict[str, Any]:
    said = msgspec.to_builtins(noted)
    code = said.pop("code")
    reason = {"code": code, "en": sentence(code, "en"), "vi": sentence(code, "vi")}
    return {**said, "reason": reason}
