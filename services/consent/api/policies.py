"""What is policy, from when on: proposed by an operator, approved by an overseer, read by all."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from services.consent.application.governing import Governing
from services.consent.facts import SetFor
from services.consent.policies import proposal
from shared.claimed import Claimed
from shared.contracts.fields import Input, Instant
from shared.web import Caller, Role, require

Operator = Annotated[Caller, Depends(require(Role.OPERATOR))]
Overseer = Annotated[Caller, Depends(require(Role.OVERSEER))]
Anybody = Annotated[Caller, Depends(require(*Role))]

Version = Annotated[int, Path(ge=1, le=10**6)]
ValueName = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,63}$")]
Value = Annotated[int, Field(strict=True, ge=0, le=10**9)]
"""Seconds, or a count."""


class Proposal(Input):
    """All values of a version by name, from when on they are to hold, and why."""

    values: Annotated[dict[ValueName, Value], Field(max_length=200)]
    valid_from: Instant
    why: SetFor


class Approval(Input):
    """Which proposal is meant: its position in the log."""

    proposal: int = Field(ge=1, le=2**53)


def routes(governing: Governing) -> APIRouter:
    """Return the routes of policy."""
    router = APIRouter(tags=["policy"])

    @router.put("/policies/{version}")
    async def propose(version: Version, body: Proposal, by: Operator) -> dict[str, Any]:
        """Propose the next version; a proposal put anew takes the place of the one before."""
        asked = proposal(version, body.values, body.valid_from, body.why, by.name)
        return await governing.propose(asked)

    @router.post("/policies/{version}/approval")
    async def approve(
        version: Version, body: Approval, by: Overseer, claimed: Claimed
    ) -> dict[str, Any]:
        """Set what is proposed: from its `valid_from` on, at least an hour from now."""
        async with claimed:
            return await governing.approve(version, body.proposal, by.name)

    @router.get("/policies")
    async def read(_: Anybody) -> dict[str, Any]:
        """Tell every version with its values and validity, which holds now, what is proposed."""
        return (await governing.governed()).document()

    return router
