"""Another phone for a citizen, and a phone that a household shares."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from services.consent.application.enrolling import Enrolling
from services.consent.application.registering import Registering
from services.consent.facts import SharingGround
from shared.contracts.fields import Body, Id, Input, PathId, Phone
from shared.errors import Kind, Rejection
from shared.oauth.scopes import Scope
from shared.web import Caller, Role, require

Enroller = Annotated[Caller, Depends(require(Role.OPERATOR, Role.CLERK))]
Allower = Annotated[Caller, Depends(require(Role.OPERATOR, Role.BANK, scope=Scope.CONSENTS))]


class AnotherPhone(Input):
    """The citizen's new number."""

    phone: Phone


class Enrolled(Body):
    """From when the number counts; None: it always did."""

    citizen_id: str
    effective_from: datetime | None


class Sharing(Input):
    """How many citizens may sign with one phone, and why; the operator says for which bank."""

    citizens_max: int = Field(ge=1, le=1000)
    ground: SharingGround
    bank_id: Id | None = None


def routes(enrolling: Enrolling, directory: Registering) -> APIRouter:
    """Return the routes of phones."""
    router = APIRouter(tags=["phones"])

    @router.put("/citizens/{citizen_id}/phone")
    async def put_phone(citizen_id: PathId, body: AnotherPhone, by: Enroller) -> Enrolled:
        """Ask for another phone; the one that counts is warned, and can stop it until then."""
        start = await enrolling.enrol(
            citizen_id,
            body.phone,
            asked_by=by.name,
            clerk_id=by.id if by.role is Role.CLERK else None,
        )
        return Enrolled(citizen_id=citizen_id, effective_from=start)

    @router.put("/phones/{citizen_id}/sharing", status_code=204)
    async def put_sharing(citizen_id: PathId, body: Sharing, by: Allower) -> None:
        """Let several citizens sign with this citizen's phone, for one bank; 1 takes it back."""
        bank_id = body.bank_id or (by.id if by.role is Role.BANK else None)
        if bank_id is None:
            raise Rejection(Kind.MALFORMED, "malformed")
        await directory.allow_sharing(
            citizen_id, bank_id, body.citizens_max, body.ground, allowed_by=by.name
        )

    return router
