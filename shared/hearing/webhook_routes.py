"""A bank registers where it is told, looks what was delivered, and has it sent again."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field, StringConstraints

from shared.claimed import Claimed
from shared.contracts.fields import Input, PathId
from shared.hearing.addresses import CHARACTERS_MAX
from shared.hearing.deliveries import Hook, State
from shared.hearing.registering import Registering
from shared.hearing.shapes import DeliveryPage, TestRead, WebhookList, WebhookRead
from shared.oauth.scopes import Scope
from shared.web import Caller, Role, require

Bank = Annotated[Caller, Depends(require(Role.BANK, scope=Scope.WEBHOOKS))]
After = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=1, le=500)]
Position = Annotated[int, Path(ge=1, le=2**53)]
EventKind = Annotated[str, StringConstraints(max_length=64)]

KINDS_MAX = 100

KEY_ID_DIGITS = 32
"""Of the digest of a request's key, as many as an id of a key has otherwise."""


class Wanted(Input):
    """Where to tell, and of which kinds of events; of all, if none are named."""

    url: Annotated[str, StringConstraints(max_length=CHARACTERS_MAX)]
    kinds: Annotated[list[EventKind], Field(min_length=1, max_length=KINDS_MAX)] | None = None


def routes(registering: Registering) -> APIRouter:
    """Return the routes of webhooks."""
    router = APIRouter(tags=["webhooks"])

    @router.put("/webhooks/{webhook_id}", response_model=WebhookRead)
    async def register(webhook_id: PathId, body: Wanted, bank: Bank) -> dict[str, Any]:
        """Be told of what happens from now on, by POST to an address; the caller makes the id.

        Again with another address or other kinds, it changes; one that was disabled is sent to.
        """
        hook = Hook(bank.id, webhook_id)
        return await registering.register(hook, body.url, body.kinds, bank.name)

    @router.get("/webhooks", response_model=WebhookList)
    async def page(bank: Bank) -> dict[str, Any]:
        """List the caller's webhooks."""
        return {"webhooks": await registering.listed(bank.id)}

    @router.get("/webhooks/{webhook_id}", response_model=WebhookRead)
    async def read(webhook_id: PathId, bank: Bank) -> dict[str, Any]:
        """Give a webhook, the public keys that sign now, and how much waits, or is dead."""
        return await registering.read(Hook(bank.id, webhook_id))

    @router.delete("/webhooks/{webhook_id}", status_code=204)
    async def remove(webhook_id: PathId, bank: Bank) -> None:
        """Be told nothing there any more."""
        await registering.remove(Hook(bank.id, webhook_id), bank.name)

    @router.post("/webhooks/{webhook_id}/key", response_model=WebhookRead)
    async def renew(webhook_id: PathId, bank: Bank, claimed: Claimed) -> dict[str, Any]:
        """Have a new key sign from now on; for 24 hours the one before signs too."""
        async with claimed:
            own = claimed.claim.request_id[:KEY_ID_DIGITS]  # so that the same again is the same key
            return await registering.renew(Hook(bank.id, webhook_id), bank.name, own)

    @router.post("/webhooks/{webhook_id}/test", response_model=TestRead)
    async def test(webhook_id: PathId, bank: Bank, claimed: Claimed) -> dict[str, Any]:
        """Be sent an event of type `webhook.tested`, once; the answer says what came of it."""
        async with claimed:
            return await registering.test(Hook(bank.id, webhook_id), claimed.claim.request_id)

    @router.get("/webhooks/{webhook_id}/deliveries", response_model=DeliveryPage)
    async def deliveries(
        webhook_id: PathId,
        bank: Bank,
        after: After = 0,
        limit: Limit = 100,
        state: State | None = None,
    ) -> dict[str, Any]:
        """List what was sent or waits behind a position, with every attempt."""
        hook = Hook(bank.id, webhook_id)
        return await registering.deliveries(hook, after=after, limit=limit, state=state)

    @router.post("/webhooks/{webhook_id}/deliveries/{position}/redelivery", status_code=202)
    async def again(webhook_id: PathId, position: Position, bank: Bank, claimed: Claimed) -> None:
        """Be sent the event at a position once more, be it dead, delivered, or from before."""
        async with claimed:
            hook = Hook(bank.id, webhook_id)
            await registering.again(hook, position, claimed.claim.request_id)

    return router
