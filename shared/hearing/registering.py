"""What a bank may ask about its webhooks: each method reads, performs a verb, answers."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from eventsourcing.dcb.api import DCBQuery

from shared.errors import Kind, Rejection, Unavailable
from shared.hearing import signatures
from shared.hearing.courier import Office, Signing, deliver
from shared.hearing.deliveries import Delivery, Hook, State, Try
from shared.hearing.webhooks import WEBHOOK, Register, Remove, Renew, Webhook, Webhooks, of_bank
from shared.ledger.log import Log

KEY_ID_BYTES = 16

TESTS_AT_ONCE = 4
"""Tests of one bank that a process sends at the same time."""

TEST_ID_DIGITS = 16
"""Of the digest of a request's key, as many as tell tests apart."""


class Registering:
    """The webhooks of banks, behind their routes.

    Every method raises `Rejection`: for another bank's webhook the same as for one that is not.
    """

    def __init__(self, log: Log, office: Office) -> None:
        self._log, self._office = log, office
        self._testing = Counter[str]()

    async def register(
        self, hook: Hook, url: str, kinds: Sequence[str] | None, by: str
    ) -> dict[str, Any]:
        """Tell a bank at an address, of some kinds of events or all; returns the webhook.

        One that was switched off since nobody was there is sent to again.
        """
        key_id = secrets.token_hex(KEY_ID_BYTES)
        asked = Register(
            **hook._asdict(),
            url=url,
            kinds=None if kinds is None else tuple(sorted(set(kinds))),
            key_id=key_id,
            key=self._key(hook, key_id),
            asked_by=by,
            private=self._office.private,
            known=frozenset(self._office.feed.events.kinds),
        )
        outcome = await self._log.perform(WEBHOOK, asked)
        await asyncio.to_thread(self._office.queue.enable, hook)
        return await self._view(hook, outcome.state.by_id[hook.webhook_id])

    async def renew(self, hook: Hook, by: str, key_id: str) -> dict[str, Any]:
        """Sign with the key of this id, and for a day with the one before too.

        Returns the webhook; the same id again is the same key.
        """
        key = self._key(hook, key_id)
        at = self._office.now()
        asked = Renew(**hook._asdict(), key_id=key_id, key=key, asked_by=by, at=at)
        outcome = await self._log.perform(WEBHOOK, asked)
        return await self._view(hook, outcome.state.by_id[hook.webhook_id])

    async def remove(self, hook: Hook, by: str) -> None:
        """Tell nothing there any more; the same again changes nothing."""
        await self._log.perform(WEBHOOK, Remove(**hook._asdict(), asked_by=by))

    async def listed(self, bank_id: str) -> list[dict[str, Any]]:
        """Return a bank's webhooks."""
        webhooks = await self._webhooks(bank_id)
        hooks = {Hook(bank_id, own_id): one for own_id, one in webhooks.by_id.items()}
        return [await self._view(hook, webhook) for hook, webhook in hooks.items()]

    async def read(self, hook: Hook) -> dict[str, Any]:
        """Return one webhook."""
        return await self._view(hook, await self._known(hook))

    async def deliveries(
        self, hook: Hook, *, after: int, limit: int, state: State | None
    ) -> dict[str, Any]:
        """Return what was sent to a webhook, or waits, behind a position; `next` is the cursor."""
        await self._known(hook)
        read = self._office.queue.deliveries
        found = await asyncio.to_thread(read, hook, after=after, limit=limit, state=state)
        last = found[-1].position if found else after
        return {"deliveries": [self._line(one) for one in found], "next": last}

    async def again(self, hook: Hook, position: int, request_id: str) -> None:
        """Send the event at a position once more, whatever became of it; once for each request."""
        webhook, feed = await self._known(hook), self._office.feed
        arm = feed.events.arm(hook.bank_id, webhook.kinds)
        query = DCBQuery(items=[arm])
        page = await self._log.page(query, after=position - 1, limit=1)
        found = [one for one in page.facts if one.position == position]
        if not found:
            raise Rejection(Kind.UNKNOWN, "event_unknown")
        event = feed.events.event(found[0], feed.source)
        again = self._office.queue.again
        await asyncio.to_thread(again, hook, webhook.since, event, request_id)

    async def test(self, hook: Hook, request_id: str) -> dict[str, Any]:
        """Send an event that nothing happened for, once and now; returns what came of it.

        The same request again sends the same event, which is known by its id.
        """
        webhook, feed = await self._known(hook), self._office.feed
        if self._testing[hook.bank_id] >= TESTS_AT_ONCE:
            raise Unavailable("overloaded")
        message_id = f"{feed.events.log}/test-{request_id[:TEST_ID_DIGITS]}"
        event = {
            "specversion": "1.0",
            "id": message_id,
            "source": feed.source,
            "type": "webhook.tested",
            "time": _text(self._office.now().timestamp()),
            "subject": f"webhooks/{hook.webhook_id}",
            "datacontenttype": "application/json",
            "data": {"webhook_id": hook.webhook_id},
        }
        signing, sender = Signing(self._office.keys, hook, webhook), self._office.sender()
        message = (message_id, json.dumps(event, separators=(",", ":")).encode())
        self._testing[hook.bank_id] += 1
        try:
            answer, tried = await deliver(self._office, sender, webhook, signing, message)
        finally:
            self._testing[hook.bank_id] -= 1
            await sender.close()
        return {"delivered": answer.taken, **_attempt(tried)}

    def _key(self, hook: Hook, key_id: str) -> str:
        return signatures.public(self._office.keys.key(*hook, key_id))

    async def _webhooks(self, bank_id: str) -> Webhooks:
        return WEBHOOK.fold(await self._log.read(of_bank(bank_id)))

    async def _known(self, hook: Hook) -> Webhook:
        known = (await self._webhooks(hook.bank_id)).by_id.get(hook.webhook_id)
        if known is None:
            raise Rejection(Kind.UNKNOWN, "webhook_unknown")
        return known

    async def _view(self, hook: Hook, webhook: Webhook) -> dict[str, Any]:
        """Return a webhook as its bank sees it; its newest key comes first."""
        condition = await asyncio.to_thread(self._office.queue.condition, hook)
        counts = await asyncio.to_thread(self._office.queue.counts, hook)
        state = "active"
        if condition and condition.disabled_at is not None:
            state = "disabled"
        elif condition and condition.failures:
            state = "failing"
        keys = [
            {"key": key.public, "signs_until": end}
            for key, end in webhook.signing(self._office.now())
        ]
        return {
            "webhook_id": hook.webhook_id,
            "url": webhook.url,
            "kinds": webhook.kinds,
            "keys": keys,
            "since": webhook.since,
            "state": state,
            **counts,
        }

    def _line(self, one: Delivery) -> dict[str, Any]:
        waits = one.state is State.WAITING
        return {
            "position": one.position,
            "id": f"{self._office.feed.events.log}/{one.position}",
            "type": one.kind,
            "state": one.state,
            "attempts": one.attempts,
            "next_at": _text(one.due_at) if waits and one.due_at else None,
            "tries": [_attempt(tried) for tried in one.tries],
        }


def _attempt(tried: Try) -> dict[str, Any]:
    return {
        "at": _text(tried.at),
        "status": tried.status,
        "error": tried.error,
        "took_ms": tried.took_ms,
    }


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
