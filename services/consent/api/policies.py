"""What is policy, from when on: proposed by an operator, approved by an overseer, read by all."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import AwareDatetime, BaseModel, Field

from services.consent.application.governing import Governing
from services.consent.facts import SetFor
from services.consent.policies import proposal
from shared.web import Caller, Role, require

Operator = Annotated[Caller, Depends(require(Role.OPERATOR))]
Overseer = Annotated[Caller, Depends(require(Role.OVERSEER))]
Anybody = Annotated[Caller, Depends(require(*Role))]

Version = Annotated[int, Path(ge=1, le=10**6)]
ValueName = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,63}$")]
Value = Annotated[int, Field(strict=True, ge=0, le=10**9)]
"""Seconds, or a count."""

EARLIEST, LATEST = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 9000))
"""Times between which every time has a form in UTC."""


class Proposal(BaseModel):
    """All values of a version by name, from when on they are to hold, and why."""

    values: Annotated[dict[ValueName, Value], Field(max_length=200)]
    valid_from: Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]
    why: SetFor


class Approval(BaseModel):
    """Which proposal is meant: its position in the log."""

    proposal: int = Field(ge=1, le=2**53)


def routes(governing: Governing) -> APIRouter:
    """Return the routes of policy."""
    router = APIRouter(tags=["policy"])

    @router.put("/policies/{version}")
    async def propose(version: Version, body: Proposal, by: Operator) -> dict[str, Any]:
        """Propose the next version; a proposal put anew takes the place of the one before."""
        start = body.valid_from.astimezone(UTC)
        return await governing.propose(proposal(version, body.values, start, body.why, by.name))

    @router.post("/policies/{version}/approval")
    async def approve(version: Version, body: Approval, by: Overseer) -> dict[str, Any]:
        """Set what is proposed: from its `valid_from` on, at least an hour from now."""
        return await governing.approve(version, body.proposal, by.name)

    @router.get("/policies")
    async def read(_: Anybody) -> dict[str, Any]:
        """Tell every version with its values and validity, which holds now, what is proposed."""
        return (await governing.governed()).document()

    return router
