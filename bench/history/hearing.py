"""A bank has itself told of what happens, by each service."""

from bench.history.looking import minutes
from bench.history.world import Steps, World
from shared.claims import RequestClaimed
from shared.hearing.facts import (
    WebhookKeyRenewed,
    WebhookRegistered,
    WebhookRejected,
    WebhookRemoved,
)


def told(world: World) -> Steps:
    """Register a webhook, renew its key, remove it; after an address that no rule allows."""
    chance, bank_id = world.chance, world.products[0].bank_id
    names = {"webhook_id": chance.id("h"), "bank_id": bank_id}
    by, url = f"bank:{bank_id}", "https://bank.example/thuan"
    first, second = ({"key_id": chance.mark(), "key": f"whpk_{chance.mark()}"} for _ in range(2))
    for record in (world.record, world.record_in_accounts):
        record(WebhookRejected(**names, asked_by=by, reasons=["address_not_allowed"]))
        yield minutes(5, 50, world)
        record(WebhookRegistered(**names, url=url, kinds=None, **first, registered_by=by))
        yield minutes(5, 900, world)
        key = {"request_id": chance.mark(), "request_hash": chance.mark()}
        record(RequestClaimed(**key, claimed_by=by))
        record(WebhookKeyRenewed(**names, **second, renewed_by=by))
        yield minutes(5, 900, world)
        record(WebhookRemoved(**names, removed_by=by))
