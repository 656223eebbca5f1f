"""Brings one webhook its events: as they happen, again if they fail, each citizen's in order.

Each webhook has its own, so that a consumer which hangs holds up nobody else's. What it knows is in
the queue's file before it is relied on, so it may be killed at any moment: at worst the last
events are sent again. `Courier.run` is all that is called; everything else is one of its steps.
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import islice
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.clock import Clock
from shared.errors import Unavailable
from shared.hearing import signatures
from shared.hearing.addresses import is_allowed, parse
from shared.hearing.deliveries import Condition, Hook, State, Tried, Try
from shared.hearing.feed import Feed
from shared.hearing.following import Following
from shared.hearing.queue import WAITING_MAX, Queue
from shared.hearing.schedule import Waiting, due_again, ready, rest_s
from shared.hearing.sending import Answer, Sender
from shared.hearing.signatures import WebhookKeys
from shared.hearing.webhooks import Webhook

AT_ONCE = 16
"""Events under way to one webhook."""

DUE_LOOK_S = 0.2
"""Seconds between looks at what has become due, by a clock that may be moved."""

AFTER_TROUBLE_S = 1.0

FORGET_EVERY = 1_000
"""Attempts after which what is long over is removed."""

GONE = 410
"""A consumer's word that it wants nothing more."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Office:
    """What all couriers of a service share."""

    feed: Feed
    following: Following
    queue: Queue
    keys: WebhookKeys
    now: Clock
    private: bool
    """Whether our own machines may be called, and without TLS: in a sandbox, or behind a VPN."""

    def sender(self) -> Sender:
        """Return connections of a webhook's own."""
        return Sender(private=self.private, at_once=AT_ONCE)


class Signing:
    """The private keys of one webhook, derived once each."""

    def __init__(self, keys: WebhookKeys, hook: Hook, webhook: Webhook) -> None:
        self._keys, self._hook, self._webhook = keys, hook, webhook

    def at(self, instant: datetime) -> list[Ed25519PrivateKey]:
        """Return the keys that sign now; none that is not what the log says of it."""
        signing = [one.key_id for one, _ in self._webhook.signing(instant)]
        return [self._derived[key_id] for key_id in signing if key_id in self._derived]

    @cached_property
    def _derived(self) -> dict[str, Ed25519PrivateKey]:
        derived = {one: self._keys.key(*self._hook, one.key_id) for one in self._webhook.keys}
        return {
            one.key_id: key for one, key in derived.items() if signatures.public(key) == one.public
        }


async def deliver(
    office: Office, sender: Sender, webhook: Webhook, signing: Signing, message: tuple[str, bytes]
) -> tuple[Answer, Try]:
    """Send a message, an id and a body, once; returns what came of it."""
    (message_id, body), at = message, office.now()
    begun = asyncio.get_running_loop().time()
    address, keys = parse(webhook.url), signing.at(at)
    if address is None or not is_allowed(webhook.url, private=office.private):
        answer = Answer(error="address_not_allowed")
    elif not keys:
        answer = Answer(error="key_lost")
    else:
        headers = signatures.headers(message_id, body, at, keys)
        answer = await sender.send(address, headers, body)
    took_ms = round((asyncio.get_running_loop().time() - begun) * 1_000)
    return answer, Try(at.timestamp(), answer.status, answer.error, took_ms)


Sent = asyncio.Task[tuple[Answer, Try]]


class Courier:
    """Sends one webhook's events until it is cancelled."""

    def __init__(self, office: Office, hook: Hook, webhook: Webhook) -> None:
        self._office, self._hook = office, hook
        self._own = (hook, webhook.since)
        self._waiting = dict[int, Waiting]()
        self._flying = dict[Sent, Waiting]()
        self._condition = Condition(webhook.since, 0, 0, None)
        self._sender = office.sender()
        self._moved: asyncio.Task[bool] | None = None
        self._stale, self._tried = True, 0
        self.webhook = webhook

    @property
    def webhook(self) -> Webhook:
        """Return the webhook as it is told at this moment."""
        return self._webhook

    @webhook.setter
    def webhook(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._signing = Signing(self._office.keys, self._hook, webhook)

    def look_again(self) -> None:
        """Have the queue read again: somebody else has changed it."""
        self._stale = True

    async def run(self) -> None:
        """Send what there is and what comes, for ever."""
        try:
            while True:
                try:
                    await self._step()
                except Unavailable:
                    logger.warning("webhooks wait: the log or their queue does not answer")
                    self._stale = True
                    await asyncio.sleep(AFTER_TROUBLE_S)
        finally:
            for task in [*self._flying, *([self._moved] if self._moved else [])]:
                task.cancel()
            await self._sender.close()

    async def _step(self) -> None:
        if self._stale:
            await self._look()
        await self._read()
        self._launch()
        await self._pause()
        await self._settle()

    async def _look(self) -> None:
        """Take what waits, and how the webhook is, from the queue."""
        self._stale = False
        waiting = await asyncio.to_thread(self._office.queue.waiting, self._hook)
        condition = await asyncio.to_thread(self._office.queue.condition, self._hook)
        self._waiting = {one.position: one for one in waiting}
        self._condition = condition or self._condition

    async def _read(self) -> None:
        """Take in what the log has behind what was read, while there is room."""
        room = WAITING_MAX - len(self._waiting)
        if room <= 0 or self._office.following.head <= self._condition.read_to:
            return
        heard = await self._office.feed.read(
            self._hook.bank_id,
            after=self._condition.read_to,
            limit=room,
            kinds=self.webhook.kinds,
        )
        if heard.events:
            take_in = self._office.queue.take_in
            await asyncio.to_thread(take_in, *self._own, heard.events, heard.next)
        for event in heard.events:
            waiting = Waiting(event.position, event.chains, event.kind, event.body)
            self._waiting[event.position] = waiting
        self._condition = replace(self._condition, read_to=heard.next)

    def _launch(self) -> None:
        """Send what may be sent now: one alone, after a rest, to a consumer that seems down."""
        now = self._office.now().timestamp()
        if self._condition.disabled_at is not None or self._condition.rests_until > now:
            return
        at_once = 1 if rest_s(self._condition.failures) else AT_ONCE
        flying = {one.position for one in self._flying.values()}
        free = at_once - len(flying)
        for one in islice(ready(self._waiting.values(), flying, now), max(0, free)):
            message = (f"{self._office.feed.events.log}/{one.position}", one.body)
            sending = deliver(self._office, self._sender, self.webhook, self._signing, message)
            self._flying[asyncio.create_task(sending)] = one

    async def _pause(self) -> None:
        """Wait until an attempt ends, the log grows, or something may have become due."""
        if self._moved is None or self._moved.done():
            beyond = self._office.following.beyond(self._condition.read_to, AFTER_TROUBLE_S)
            self._moved = asyncio.create_task(beyond)
        full = len(self._waiting) >= WAITING_MAX
        waits: set[asyncio.Task[Any]] = {*self._flying, *([] if full else [self._moved])}
        timeout = DUE_LOOK_S if self._waiting else AFTER_TROUBLE_S
        if waits:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(timeout)

    async def _settle(self) -> None:
        """Keep what came of the attempts that ended, in the order of the log."""
        ended = [(self._flying.pop(task), task.result()) for task in [*self._flying] if task.done()]
        if not ended:
            return
        down = rest_s(self._condition.failures) > 0
        results = [self._tried_now(waiting, *result) for waiting, result in ended]
        wakes = down and not self._condition.failures
        # Only what these attempts were told: it may have been switched on again meanwhile.
        gone = any(one.tried.status == GONE for one in results)
        told = self._condition if gone else replace(self._condition, disabled_at=None)
        keep = partial(self._office.queue.tried, wakes=wakes)
        await asyncio.to_thread(keep, *self._own, results, told)
        for one in results:
            position = one.waiting.position
            if one.state is not State.WAITING:
                self._waiting.pop(position, None)
            elif position in self._waiting:  # read anew while it was under way, it knew less
                self._waiting[position] = one.waiting
        self._stale = self._stale or wakes
        await self._forget(len(ended))

    def _tried_now(self, waiting: Waiting, answer: Answer, tried: Try) -> Tried:
        """Return what is kept of an attempt, and how the webhook is after it."""
        now = self._office.now().timestamp()
        waiting.attempts += 1
        waiting.first_at = tried.at if waiting.first_at is None else waiting.first_at
        if answer.taken:
            self._condition = replace(self._condition, failures=0, rests_until=0)
            return Tried(waiting, State.DELIVERED, tried)
        failures = self._condition.failures + 1
        rests = max(rest_s(failures), _asked_to_rest(answer))
        if answer.status == GONE:
            logger.warning("webhook %s of %s wants nothing more", *reversed(self._hook))
        gone = tried.at if answer.status == GONE else self._condition.disabled_at
        self._condition = replace(
            self._condition, failures=failures, rests_until=now + rests, disabled_at=gone
        )
        chance = secrets.randbelow(1_000) / 1_000
        due_at = due_again(waiting, now, chance, answer.retry_after_s)
        waiting.due_at = now if due_at is None else due_at
        if due_at is None:
            logger.warning("an event is given up: webhook %s of %s", *reversed(self._hook))
        return Tried(waiting, State.DEAD if due_at is None else State.WAITING, tried)

    async def _forget(self, tried: int) -> None:
        self._tried += tried
        if self._tried >= FORGET_EVERY:
            self._tried = 0
            await asyncio.to_thread(self._office.queue.forget, self._hook)


def _asked_to_rest(answer: Answer) -> float:
    """Return for how long a consumer that has too much wants nothing at all."""
    return min(answer.retry_after_s, 3_600.0)
