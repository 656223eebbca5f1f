"""Suspend with one call; go on again with two, by two organisations."""

from typing import Annotated

from fastapi import APIRouter, Depends

from services.consent.api.shapes import SuspensionRead
from services.consent.application.suspending import Suspending
from services.consent.facts import LiftedFor, SuspendedFor, SuspensionOrdered
from services.consent.views import SuspensionView
from shared.claimed import Claimed
from shared.contracts.fields import Id, Input, PathId
from shared.oauth.scopes import Scope
from shared.web import Caller, Role, require

Stopper = Annotated[
    Caller,
    Depends(require(Role.OVERSEER, Role.BANK, Role.MANAGER, Role.HOST, scope=Scope.SUSPENSIONS)),
]
Reader = Annotated[
    Caller,
    Depends(
        require(
            Role.OVERSEER,
            Role.BANK,
            Role.MANAGER,
            Role.HOST,
            Role.REGULATOR,
            scope=Scope.SUSPENSIONS,
        )
    ),
]


class Suspension(Input):
    """What is to stop: everything to which all the ids apply that are named."""

    bank_id: Id | None = None
    office_id: Id | None = None
    clerk_id: Id | None = None
    site_id: Id | None = None
    citizen_id: Id | None = None
    why: SuspendedFor


class Lifting(Input):
    """Why it can go on."""

    why: LiftedFor


def routes(suspending: Suspending) -> APIRouter:
    """Return the routes of suspensions."""
    router = APIRouter(tags=["suspensions"])

    @router.put("/suspensions/{suspension_id}")
    async def order(suspension_id: PathId, body: Suspension, by: Stopper) -> SuspensionRead:
        """Suspend at once: behind the position that is answered nothing is asked or opened."""
        ordered = SuspensionOrdered(
            suspension_id=suspension_id, ordered_by=by.name, **body.model_dump()
        )
        return _read(await suspending.order(ordered))

    @router.post("/suspensions/{suspension_id}/lifting")
    async def lift(
        suspension_id: PathId, body: Lifting, by: Stopper, claimed: Claimed
    ) -> SuspensionRead:
        """Propose that it ends, or agree to what another organisation proposed."""
        async with claimed:
            return _read(await suspending.lift(suspension_id, body.why, by.name))

    @router.get("/suspensions/{suspension_id}")
    async def read(suspension_id: PathId, _: Reader) -> SuspensionRead:
        """Tell what was suspended, by whom, why, and whether it still is; never of a citizen."""
        return _read(await suspending.suspension(suspension_id, of_citizens=False))

    return router


def _read(view: SuspensionView) -> SuspensionRead:
    return SuspensionRead(**view.document())
