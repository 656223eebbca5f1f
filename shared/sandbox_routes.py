"""A sandbox's clock, moved by whoever tries things out: nobody waits three days for an agreement.

Both services of a sandbox share one clock; it only goes forward, as a log's time does.
"""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from shared.clock import SandboxClock
from shared.contracts.fields import Input, Instant
from shared.errors import Kind, Rejection


class Now(BaseModel):
    """What time it is in the sandbox."""

    now: datetime


class Moved(Input):
    """What time it shall be."""

    now: Instant


def routes(clock: SandboxClock) -> APIRouter:
    """Return the clock's routes; nobody else but a sandbox has them."""
    router = APIRouter(tags=["sandbox"])

    @router.get("/sandbox/clock")
    async def read_clock() -> Now:
        """Tell the sandbox's time."""
        return Now(now=clock())

    @router.put("/sandbox/clock")
    async def move_clock(body: Moved) -> Now:
        """Make it a later time, for all services of the sandbox at once."""
        if body.now < clock():
            raise Rejection(Kind.CONFLICT, "clock_only_forward")
        clock.move_to(body.now)
        return Now(now=clock())

    return router
