"""An inspector whose own pages show a citizen's case says so first."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from services.consent.application.looking import Looking
from shared.contracts.fields import Id, Input
from shared.looks import Inspected, Inspection, LookGround
from shared.web import Caller, Role, require

Inspector = Annotated[Caller, Depends(require(Role.REGULATOR))]

IDS_MAX = 100
"""Questions in one call."""


class Look(Input):
    """What is about to be shown, of whom, and why; the case is the inspector's own."""

    citizen_id: Id
    consent_ids: Annotated[list[Id], Field(min_length=1, max_length=IDS_MAX)]
    fields: Annotated[list[Inspected], Field(min_length=1, max_length=len(Inspected))]
    ground: LookGround
    case_id: Id


def routes(looking: Looking) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["regulator"])

    @router.post("/looks", status_code=204)
    async def look(body: Look, inspector: Inspector) -> None:
        """Record that an inspector is about to be shown a citizen's case, and on which ground.

        The citizen sees it on their own page. Nothing is to be shown where this fails; the same
        again within the hour adds nothing.
        """
        said = body.model_dump()
        inspection = Inspection(ids=said.pop("consent_ids"), read_by=inspector.name, **said)
        await looking.inspect(inspection)

    return router
