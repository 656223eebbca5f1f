"""The texts of the notices, as they are kept: for whoever puts a notice together again."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from services.consent.notices import Notices
from shared.errors import Kind, Rejection

NoticeId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9.-]{0,79}$")]


def routes(notices: Notices) -> APIRouter:
    """Return the route; it is for everyone, since a text without names says nothing of anybody."""
    router = APIRouter(tags=["notices"])

    @router.get("/notices/{notice_id}")
    async def notice(notice_id: NoticeId) -> dict[str, Any]:
        """Give the texts of one version of a notice, in each language, with their places empty."""
        texts = notices.files(notice_id)
        if not texts:
            raise Rejection(Kind.UNKNOWN, "not_found")
        return {"notice_id": notice_id, "texts": texts}

    return router
