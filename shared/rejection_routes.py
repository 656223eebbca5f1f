"""Who may see what the rules rejected: authorities all, a bank its own, an office what is its own.

A host is told how many were rejected at its place, and no more. A manager gets no number of a
single clerk, so that no ranking can be made of them (R35). No answer names a citizen.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from shared.contracts.fields import ID_PATTERN
from shared.errors import Kind, Reason, Rejection
from shared.oauth.scopes import Scope
from shared.rejections import Rejections, Sought
from shared.web import Caller, Role, require

LINES_MAX = 100
"""Attempts in one page."""

PERIOD_DAYS_MAX = 92
"""Days that are counted at once: a quarter, as a report to an authority has."""

READERS = (Role.REGULATOR, Role.OVERSEER, Role.BANK, Role.MANAGER)
Reader = Annotated[Caller, Depends(require(*READERS, scope=Scope.REJECTIONS))]
Counting = Annotated[Caller, Depends(require(*READERS, Role.HOST, scope=Scope.REJECTIONS))]

Own = Annotated[str | None, Query(pattern=ID_PATTERN)]
After = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=1, le=LINES_MAX)]
DAYS: dict[str, Any] = {"ge": date(2000, 1, 1), "lt": date(3000, 1, 1)}
"""What a day can be; others have no place in any log."""

HostOf = Callable[[str], Awaitable[str | None]]
"""Gives who the host of a site is, None for one that is not registered or has none."""


async def _nobody(_: str) -> None:
    """Know no host: what a service does that has no directory of places."""


async def _sought(
    bank_id: Own = None, office_id: Own = None, site_id: Own = None, clerk_id: Own = None
) -> Sought:
    return Sought(bank_id=bank_id, office_id=office_id, site_id=site_id, clerk_id=clerk_id)


Asked = Annotated[Sought, Depends(_sought)]


def routes(rejections: Rejections, host_of: HostOf = _nobody) -> APIRouter:
    """Return the routes; without `host_of` hosts are told nothing."""
    router = APIRouter(tags=["rejections"])

    @router.get("/rejections")
    async def listed(
        asked: Asked,
        reader: Reader,
        day: Annotated[date | None, Query(**DAYS)] = None,
        after: After = 0,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """List what was rejected, the oldest first, behind a cursor: what, by whom, where, why.

        `day` is one in Vietnam. The proof of each lies at `/log/{position}/proof`.
        """
        own = _own(asked, reader)
        return await rejections.listed(own, day=day, after=after, limit=limit)

    @router.get("/rejections/counts")
    async def counted(
        asked: Asked,
        reader: Counting,
        first: Annotated[date, Query(alias="from", **DAYS)],
        until: Annotated[date, Query(**DAYS)],
    ) -> dict[str, Any]:
        """Count what was rejected on each day from one until before another, and for which reasons.

        Days are those in Vietnam, 92 at most. `as_of` is the last position that was looked at.
        """
        if not timedelta(0) < until - first <= timedelta(days=PERIOD_DAYS_MAX):
            reason = Reason("malformed", detail="query.until: out_of_range")
            raise Rejection(Kind.MALFORMED, "malformed", reasons=[reason])
        if reader.role is Role.HOST:
            await _check_host(asked, reader, host_of)
        if reader.role is Role.MANAGER and asked.clerk_id:
            raise Rejection(Kind.FORBIDDEN, "not_entitled")
        return await rejections.counted(_own(asked, reader), first, until)

    return router


def _own(asked: Sought, reader: Caller) -> Sought:
    """Return what a reader may see of what is asked for; raises `Rejection` for another's."""
    if reader.role is Role.BANK:
        if asked.bank_id not in {None, reader.id}:
            raise Rejection(Kind.FORBIDDEN, "not_own_bank")
        return replace(asked, bank_id=reader.id)
    if reader.role is Role.MANAGER:
        if asked.office_id not in {None, reader.id}:
            raise Rejection(Kind.FORBIDDEN, "not_entitled")
        return replace(asked, office_id=reader.id)
    return asked


async def _check_host(asked: Sought, host: Caller, host_of: HostOf) -> None:
    """Let a host ask for a place of its own, and for nothing beside."""
    site_id = asked.site_id
    alone = site_id and asked == Sought(site_id=site_id)
    if not (site_id and alone and await host_of(site_id) == host.id):
        raise Rejection(Kind.FORBIDDEN, "not_entitled")
