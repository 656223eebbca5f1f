"""A bank hands in what it really opened; it, an overseer and a regulator read what came of it."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from services.accounts.api.shapes import AS_GIVEN, LinePage, ReconciliationPage, ReconciliationRead
from services.accounts.facts import Came
from services.accounts.lines import Form
from services.accounts.reconciliation import full_id
from services.accounts.reconciling import BankList, CutOff, Reconciling
from services.accounts.reports import Reports
from shared.contracts.fields import ID_PATTERN, PathId
from shared.errors import Kind, Reason, Rejection
from shared.oauth.scopes import Scope
from shared.rejection_routes import DAYS
from shared.web import TOO_SLOW, Caller, Role, require

Bank = Annotated[Caller, Depends(require(Role.BANK, scope=Scope.RECONCILIATIONS))]
Reader = Annotated[
    Caller, Depends(require(Role.BANK, Role.OVERSEER, Role.REGULATOR, scope=Scope.RECONCILIATIONS))
]
Day = Annotated[date, Query(**DAYS)]
OfBank = Annotated[str | None, Query(pattern=ID_PATTERN)]
After = Annotated[int, Query(ge=0, le=2**53)]

LINES_MAX = 1_000
"""Lines in one page."""

PAGE_MAX = 100
"""Reconciliations in one page."""

BLOCK_BYTES = 1 << 20
"""By how much a body may pass its bound before the server itself cuts it."""

COLUMNS = (
    *("line", "came", "code", "column", "account_end", "opened_at"),
    *("opening_id", "office_id", "clerk_id", "product_id", "vi", "en"),
)

ONE = "/reconciliations/{reconciliation_id}"

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {form: {"schema": {"type": "string", "format": "binary"}} for form in Form},
    }
}
"""How the list is described: FastAPI describes only what it reads itself."""


async def _own(reader: Reader, bank_id: OfBank = None) -> str | None:
    """Return whose reconciliations are meant; raises `Rejection` for another bank's."""
    if reader.role is not Role.BANK:
        return bank_id
    if bank_id not in {None, reader.id}:
        raise Rejection(Kind.FORBIDDEN, "not_own_bank")
    return reader.id


OwnBank = Annotated[str | None, Depends(_own)]


async def _named(reconciliation_id: PathId, bank: OwnBank) -> str:
    """Return the full id of what is meant; an authority has to name the bank."""
    if bank is None:
        reason = Reason("malformed", detail="query.bank_id: missing")
        raise Rejection(Kind.MALFORMED, "malformed", reasons=[reason])
    return full_id(bank, reconciliation_id)


Named = Annotated[str, Depends(_named)]


def routes(reconciling: Reconciling, reports: Reports) -> APIRouter:
    """Return the routes of reconciliations."""
    router = APIRouter(tags=["reconciliations"])
    bytes_max = reconciling.bounds.file_bytes + BLOCK_BYTES

    @router.put(ONE, max_body_size=bytes_max, openapi_extra=BODY, response_model=ReconciliationRead)
    async def reconcile(
        reconciliation_id: PathId, request: Request, bank: Bank, day: Day
    ) -> dict[str, Any]:
        """Take the list of accounts that the bank really opened up to a day, and say what came.

        CSV with a header, or NDJSON: `account_number`, `opened_at` with its zone, and where known
        `opening_id`, `office_id`, `clerk_id`, `product_id`. The bank makes the id; the same call
        again adds nothing, and finishes what was cut off.
        """
        form = _form(request.headers.get("content-type", ""))
        if form is None:
            own = full_id(bank.id, reconciliation_id)
            await reconciling.refuse(own, bank.id, Kind.MALFORMED, "media_type_unknown")
            raise AssertionError
        asked = BankList(own_id=reconciliation_id, bank_id=bank.id, day=day, form=form)
        length = request.headers.get("content-length", "")
        said = int(length) if length.isdecimal() else None
        await reconciling.take(asked, _blocks(request), said)
        return await reports.reconciliation(asked.id)

    @router.get(ONE, response_model=ReconciliationRead)
    async def read(named: Named) -> dict[str, Any]:
        """Say what came of a list, as far as it was read; an authority names the bank."""
        return await reports.reconciliation(named)

    @router.get(f"{ONE}/lines", response_model=LinePage, **AS_GIVEN)
    async def lines(
        named: Named,
        came: Came | None = None,
        after: After = 0,
        limit: Annotated[int, Query(ge=1, le=LINES_MAX)] = 100,
    ) -> dict[str, Any]:
        """List the lines to look at, by their numbers: bad, without consent, stopped, mismatched.

        `after` is the number of a line, and `next` that of the last one given.
        """
        return await reports.lines(named, came, after=after, limit=limit)

    @router.get(f"{ONE}/lines.csv", response_class=StreamingResponse)
    async def table(named: Named) -> StreamingResponse:
        """Give all of those lines as CSV, in UTF-8 with a byte order mark."""
        await reports.reconciliation(named)  # that there is none is said before anything is sent
        return StreamingResponse(_table(reports, named), media_type="text/csv; charset=utf-8")

    @router.get("/reconciliations", response_model=ReconciliationPage)
    async def of_day(
        bank: OwnBank,
        day: Day,
        after: After = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    ) -> dict[str, Any]:
        """List the reconciliations up to a day: a bank's own, an authority's all, or one bank's."""
        return await reports.of_day(day, bank, after=after, limit=limit)

    return router


def _form(content_type: str) -> Form | None:
    """Return the form that a media type names, None for one that is not taken."""
    name, _, parameters = content_type.partition(";")
    charset = parameters.lower().replace(" ", "").replace('"', "")
    known = {one.value: one for one in Form}
    return known.get(name.strip().lower()) if charset in {"", "charset=utf-8"} else None


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for block in request.stream():
            yield block
    except ClientDisconnect:
        raise CutOff from None
    except HTTPException as no:
        if no.status_code != TOO_SLOW:
            raise
        raise CutOff from None  # slower than any body may come


async def _table(reports: Reports, reconciliation_id: str) -> AsyncIterator[str]:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\r\n")
    text.write("\ufeff")
    writer.writeheader()
    async for line in reports.each(reconciliation_id):
        writer.writerow({**line, **line["reason"]})
        if text.tell() > BLOCK_BYTES // 16:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()
