"""Who asked, and the regulator, get the receipt of a decision; anyone sees what still counts."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.consent.api.consents import Reader, may_read
from services.consent.application.asking import Asking
from services.consent.application.listing import TTL, Listing
from services.consent.application.looking import Looking
from services.consent.application.receipting import Receipting
from shared.contracts.fields import Body, CaseId, PathId
from shared.contracts.status_list import STATUS_LIST

LIST_NUMBER_MAX = 2**47 - 1
"""The list of the last position that a log can have."""

LIST_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": f"public, max-age={int(TTL.total_seconds())}",
    "X-Content-Type-Options": "nosniff",
}
"""The lists are for everyone, in browsers too (draft-ietf-oauth-status-list, section 8)."""


class Receipted(Body):
    """The receipt of the newest decision, a JWS."""

    receipt: str


def routes(asking: Asking, receipting: Receipting, listing: Listing, looking: Looking) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["receipts"])

    @router.get("/consents/{consent_id}/receipt")
    async def read(consent_id: PathId, reader: Reader, case_id: CaseId = None) -> Receipted:
        """Give the receipt of the newest decision, whatever it was; the look is recorded first."""
        view = await asking.consent(consent_id)
        may_read(view, reader)
        receipted = Receipted(receipt=await receipting.copy(consent_id))
        await looking.look(view, list(Receipted.model_fields), reader.name, case_id)
        return receipted

    @router.get("/status-lists/{number}", response_class=Response)
    async def read_list(number: Annotated[int, Path(ge=0, le=LIST_NUMBER_MAX)]) -> Response:
        """Give the signed list of which decisions of 65,536 positions still count.

        An IETF Token Status List as JWT, with two bits for each position.
        """
        token = await listing.token(number)
        return Response(token, headers=LIST_HEADERS, media_type=f"application/{STATUS_LIST}")

    return router
