"""A bank compares its books with what is written here, thousands of openings at a time."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field, StringConstraints

from services.accounts.comparing import Compared, Comparing
from shared.contracts.fields import Id, Input
from shared.oauth.scopes import Scope
from shared.web import Caller, Role, require

Bank = Annotated[Caller, Depends(require(Role.BANK, scope=Scope.OPENINGS))]

IDS_MAX = 5_000
"""Openings in one comparison."""

BYTES_MAX = 2**19
"""So many ids of the longest kind, with room to spare."""

Standing = Annotated[str, StringConstraints(pattern="^[a-z_]{1,32}$")]


class Comparison(Input):
    """Which openings; with `standing`, only those of them that stand in one of these ways."""

    opening_ids: Annotated[list[Id], Field(min_length=1, max_length=IDS_MAX)]
    standing: list[Standing] = Field(default_factory=list)


def routes(comparing: Comparing) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["openings"])

    @router.post("/standings", max_body_size=BYTES_MAX)
    async def standings(body: Comparison, bank: Bank) -> Compared:
        """Tell where up to 5,000 openings stand; changes nothing.

        An id that is not the bank's own is in `unknown`, whoever's it is. Each that is told is a
        look at what a citizen has, and recorded as one.
        """
        return await comparing.standings(body.opening_ids, bank.id, body.standing)

    return router
