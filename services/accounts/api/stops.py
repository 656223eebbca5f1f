"""The consent service says that a consent is stopped; its signature is all the right it needs."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import StringConstraints

from services.accounts.application import Openings
from shared.contracts.fields import Input
from shared.signing import TOKEN_CHARACTERS_MAX


class Stopping(Input):
    """A stop that the consent service signed; its signature is all the right that it needs."""

    stop: Annotated[str, StringConstraints(max_length=TOKEN_CHARACTERS_MAX)]


def routes(openings: Openings) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["openings"])

    @router.post("/stops")
    async def halt(body: Stopping) -> dict[str, Any]:
        """Take a signed stop: nothing opens with its consent any more, what it opened is frozen."""
        return await openings.halt(body.stop)

    return router
