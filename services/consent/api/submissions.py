"""A clerk says that somebody was photographed, and hands in; a bank sees what came in for it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.consent.api.shapes import SubmissionPage
from services.consent.application.submitting import Submitting, Taken
from shared.contracts.fields import Id, Input, Instant, PathId, Sha256
from shared.oauth.scopes import Scope
from shared.web import Caller, Role, require

Clerk = Annotated[Caller, Depends(require(Role.CLERK))]
Reader = Annotated[
    Caller, Depends(require(Role.BANK, Role.CLERK, Role.REGULATOR, scope=Scope.CONSENTS))
]
After = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=1, le=100)]

OWN = {Role.BANK: "bank", Role.CLERK: "clerk"}
"""The tag that limits what a role sees; the regulator sees everything."""


class Sitting(Input):
    """One sitting before a device of the office: the SHA-256 of both pictures, and its clock."""

    device_id: Id
    document_hash: Sha256
    portrait_hash: Sha256
    taken_at: Instant


def routes(submitting: Submitting) -> APIRouter:
    """Return the routes from an agreement at a counter to the bank's desk."""
    router = APIRouter(tags=["submissions"])

    @router.put("/consents/{consent_id}/captures/{capture_id}", status_code=204)
    async def capture(consent_id: PathId, capture_id: PathId, body: Sitting, clerk: Clerk) -> None:
        """Say that a citizen who agreed was photographed; the caller makes the id."""
        taken = Taken(**body.model_dump())
        await submitting.capture(consent_id, capture_id, taken, clerk.name)

    @router.put("/consents/{consent_id}/submission", status_code=204)
    async def submit(consent_id: PathId, clerk: Clerk) -> None:
        """Hand in to the bank what a citizen agreed to; the bank alone decides what comes of it."""
        await submitting.submit(consent_id, clerk.name)

    @router.get("/submissions")
    async def page(reader: Reader, after: After = 0, limit: Limit = 50) -> SubmissionPage:
        """List what was handed in for the caller, oldest first, behind a cursor."""
        own = OWN.get(reader.role)
        tag = f"{own}:{reader.id}" if own else None
        return SubmissionPage(**await submitting.submissions(tag, after=after, limit=limit))

    return router
