"""What must be in force at a counter: granted, renewed and ended by whoever answers for it."""

from typing import Annotated

from fastapi import APIRouter, Depends

from services.consent.application.registering import Registering
from services.consent.facts import Right, RightGranted
from services.consent.gate import right_id
from shared.contracts.fields import Input, PathId, Sha256, Timestamp
from shared.oauth.scopes import Scope
from shared.web import Caller, Role, require

Operator = Annotated[Caller, Depends(require(Role.OPERATOR))]
Contractor = Annotated[Caller, Depends(require(Role.OPERATOR, Role.BANK, scope=Scope.CONTRACTS))]
Permitter = Annotated[Caller, Depends(require(Role.OPERATOR, Role.HOST))]


class Term(Input):
    """From when (included) until when (not included) a right is in force, and its paper.

    What ends early is put again with its end.
    """

    valid_from: Timestamp
    valid_until: Timestamp | None = None
    document_hash: Sha256 | None = None


def routes(directory: Registering) -> APIRouter:
    """Return the routes of rights."""
    router = APIRouter(tags=["directory"])

    @router.put("/offices/{office_id}/registration", status_code=204)
    async def register(office_id: PathId, body: Term, by: Operator) -> None:
        """Say from when until when an office is registered as an agent."""
        await directory.grant(granted(Right.REGISTRATION, office_id, body, by))

    @router.put("/offices/{office_id}/contracts/{bank_id}", status_code=204)
    async def contract(office_id: PathId, bank_id: PathId, body: Term, by: Contractor) -> None:
        """Say from when until when a bank has a contract with an office."""
        await directory.grant(granted(Right.CONTRACT, office_id, body, by, bank_id=bank_id))

    @router.put("/offices/{office_id}/trainings/{clerk_id}", status_code=204)
    async def train(office_id: PathId, clerk_id: PathId, body: Term, by: Operator) -> None:
        """Say from when until when a clerk is trained and appointed at an office."""
        await directory.grant(granted(Right.TRAINING, office_id, body, by, clerk_id=clerk_id))

    @router.put("/offices/{office_id}/permissions/{site_id}", status_code=204)
    async def permit(office_id: PathId, site_id: PathId, body: Term, by: Permitter) -> None:
        """Say from when until when an office may ask at a place; its host may say so too."""
        await directory.grant(granted(Right.PERMISSION, office_id, body, by, site_id=site_id))

    @router.put("/offices/{office_id}/devices/{device_id}", status_code=204)
    async def equip(office_id: PathId, device_id: PathId, body: Term, by: Operator) -> None:
        """Say from when until when a device is an office's own, to photograph people with."""
        await directory.grant(granted(Right.DEVICE, office_id, body, by, device_id=device_id))

    return router


def granted(
    right: Right,
    office_id: str,
    term: Term,
    by: Caller,
    *,
    bank_id: str | None = None,
    clerk_id: str | None = None,
    site_id: str | None = None,
    device_id: str | None = None,
) -> RightGranted:
    """Return the fact that a right is in force for a term, by the word of whoever says so."""
    return RightGranted(
        right_id=right_id(right, office_id, bank_id or clerk_id or site_id or device_id),
        right=right,
        bank_id=bank_id,
        office_id=office_id,
        clerk_id=clerk_id,
        site_id=site_id,
        device_id=device_id,
        granted_by=by.name,
        **term.model_dump(),
    )
