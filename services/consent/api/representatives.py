"""The operator says who may speak for a citizen, by what paper, for how long."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.consent.application.representing import Granted, Representing
from services.consent.facts import AuthorityGround
from services.consent.representatives import End
from shared.contracts.fields import Body, Input, Name, PathId, Timestamp
from shared.web import Caller, Role, require

Operator = Annotated[Caller, Depends(require(Role.OPERATOR))]


class Authority(Input):
    """Why, from when until when (null: until it is ended), and the number of the paper."""

    ground: AuthorityGround
    valid_from: Timestamp
    valid_until: Timestamp | None = None
    document: Name
    """What the paper that shows it is known by; of it only a mark is kept."""


class Authorised(Body):
    """The authority that statements name."""

    authority_id: str


def routes(representing: Representing) -> APIRouter:
    """Return the routes of representatives."""
    router = APIRouter(tags=["representatives"])

    @router.put("/citizens/{citizen_id}/representatives/{representative_id}")
    async def authorise(
        citizen_id: PathId, representative_id: PathId, body: Authority, by: Operator
    ) -> Authorised:
        """Let a citizen of age speak for a child, or for somebody of limited capacity."""
        granted = Granted(
            citizen_id=citizen_id, representative_id=representative_id, **body.model_dump()
        )
        authority_id = await representing.authorise(granted, authorised_by=by.name)
        return Authorised(authority_id=authority_id)

    @router.delete("/citizens/{citizen_id}/representatives/{representative_id}", status_code=204)
    async def end(
        citizen_id: PathId,
        representative_id: PathId,
        by: Operator,
        *,
        restored: Annotated[bool, Query()] = False,
    ) -> None:
        """Let them speak no more.

        A citizen of limited capacity is then spoken for by whoever is named next, and by nobody
        until then; `restored` says that a court gave them their capacity back.
        """
        await representing.end(
            End(
                citizen_id=citizen_id,
                representative_id=representative_id,
                ended_by=by.name,
                restored=restored,
            )
        )

    return router
