"""Banks, the regulator and the consent service read openings; each what is theirs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from services.accounts.api.shapes import AS_GIVEN, OpeningPage, OpeningRead
from services.accounts.application import Openings, Reading
from shared.contracts.fields import CaseId, PathId
from shared.errors import Kind, Rejection
from shared.looks import ReadFor, purpose_of
from shared.oauth.scopes import Scope
from shared.web import Caller, Role, require

Reader = Annotated[
    Caller,
    Depends(require(Role.CLERK, Role.BANK, Role.SERVICE, Role.REGULATOR, scope=Scope.OPENINGS)),
]
CitizenReader = Annotated[Caller, Depends(require(Role.SERVICE, Role.REGULATOR))]
After = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=1, le=100)]

TAGS = {Role.CLERK: "clerk", Role.BANK: "bank"}
"""The tag that limits what a role sees; the others see everything."""


def routes(openings: Openings) -> APIRouter:
    """Return the routes that read openings."""
    router = APIRouter(tags=["openings"])

    @router.get("/openings/{opening_id}", response_model=OpeningRead, **AS_GIVEN)
    async def read(opening_id: PathId, reader: Reader, case_id: CaseId = None) -> dict[str, Any]:
        """Give an opening with its history; the look is recorded first.

        What others tried under the same id is not in it. The citizen sees the reader, the fields,
        and the case, which is the reader's own.
        """
        own = TAGS.get(reader.role)
        opening = await openings.opening(opening_id, reader.name if own else None)
        if own and opening[f"{own}_id"] != reader.id:
            raise Rejection(Kind.UNKNOWN, "opening_unknown")
        await openings.look([opening], _reading(reader, case_id))
        return opening

    @router.get("/openings", response_model=OpeningPage)
    async def page(
        reader: Reader, after: After = 0, limit: Limit = 50, case_id: CaseId = None
    ) -> dict[str, Any]:
        """List the caller's openings, oldest first, behind a cursor; each look is recorded."""
        own = TAGS.get(reader.role)
        tag = f"{own}:{reader.id}" if own else None
        listed = await openings.openings(tag, after=after, limit=limit)
        await openings.look(listed["openings"], _reading(reader, case_id))
        return listed

    @router.get("/citizens/{citizen_id}/openings")
    async def of_citizen(
        citizen_id: PathId,
        reader: CitizenReader,
        after: After = 0,
        limit: Limit = 50,
        case_id: CaseId = None,
    ) -> dict[str, Any]:
        """List the openings in a citizen's name, oldest first, and whoever looked at them.

        A service asks for the citizen's own page; each look is recorded first.
        """
        reading = _reading(reader, case_id, for_a_service=ReadFor.OWN_PAGE)
        return await openings.of_citizen(citizen_id, reading, after=after, limit=limit)

    return router


def _reading(
    reader: Caller, case_id: str | None, *, for_a_service: ReadFor = ReadFor.SERVICE
) -> Reading:
    of_service = reader.role is Role.SERVICE
    purpose = for_a_service if of_service else purpose_of(reader.name)
    return Reading(read_by=reader.name, purpose=purpose, case_id=case_id)
