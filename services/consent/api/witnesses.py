"""The operator invites witnesses; whoever asks a question names two of them for it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from services.consent.application.witnessing import Witnessing
from shared.contracts.fields import Body, Id, Input, PathId, Phone
from shared.oauth.scopes import Scope
from shared.web import Caller, Role, require

Operator = Annotated[Caller, Depends(require(Role.OPERATOR))]
Asker = Annotated[Caller, Depends(require(Role.BANK, Role.CLERK, scope=Scope.CONSENTS))]


class Invitation(Input):
    """Whom the witness stands for, and their own phone; of it only a mark is kept."""

    organisation_id: Id
    phone: Phone


class Invited(Body):
    """Until when the link that went to the phone makes a witness."""

    expires_at: datetime


class Pair(Input):
    """Two witnesses, of two organisations."""

    witness_ids: Annotated[list[Id], Field(min_length=2, max_length=2)]


def routes(witnessing: Witnessing) -> APIRouter:
    """Return the routes of witnesses."""
    router = APIRouter(tags=["witnesses"])

    @router.put("/witnesses/{witness_id}")
    async def invite(witness_id: PathId, body: Invitation, by: Operator) -> Invited:
        """Invite somebody to be a witness: the link to their own page goes to their phone."""
        until = await witnessing.invite(
            witness_id, body.organisation_id, body.phone, invited_by=by.name
        )
        return Invited(expires_at=until)

    @router.delete("/witnesses/{witness_id}", status_code=204)
    async def end(witness_id: PathId, by: Operator) -> None:
        """Let somebody be a witness no more."""
        await witnessing.end(witness_id, ended_by=by.name)

    @router.put("/consents/{consent_id}/witnesses", status_code=204)
    async def name(consent_id: PathId, body: Pair, by: Asker) -> None:
        """Name the two who sign what a citizen without a phone decides; the last two count."""
        first, second = body.witness_ids
        await witnessing.name(consent_id, (first, second), named_by=by.name)

    return router
