"""What a bank reads of events and webhooks, field by field: what the API's document says."""

from datetime import datetime
from typing import Any, Literal

from shared.contracts.fields import Body
from shared.hearing.deliveries import State


class EventRead(Body):
    """One event: one fact, as CloudEvents 1.0; the data of each kind are under `webhooks`."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: datetime
    subject: str
    sequence: str
    datacontenttype: str
    data: dict[str, Any]


class EventPage(Body):
    """Some events, oldest first."""

    events: list[EventRead]
    next: int
    """What to ask for next, as `after`."""


class KeyRead(Body):
    """A public key that signs what is sent, `whpk_…`."""

    key: str
    signs_until: datetime | None
    """When it stops to; the newest has no end."""


class WebhookRead(Body):
    """Where a bank is told, with which keys, and how that goes."""

    webhook_id: str
    url: str
    kinds: list[str] | None
    """The kinds that are sent; all, if it is null."""

    keys: list[KeyRead]
    since: int
    """What lies behind this position is sent."""

    state: Literal["active", "failing", "disabled"]
    waiting: int
    delivered: int
    dead: int
    """How many are in each state, of those that are kept."""


class WebhookList(Body):
    """A bank's webhooks."""

    webhooks: list[WebhookRead]


class AttemptRead(Body):
    """One attempt: when, the answer's status or what went wrong, and how long it took."""

    at: datetime
    status: int | None
    error: str | None
    took_ms: int


class TestRead(AttemptRead):
    """What came of a test."""

    delivered: bool


class DeliveryRead(Body):
    """What was sent, or waits."""

    position: int
    id: str
    type: str
    state: State
    attempts: int
    next_at: datetime | None
    tries: list[AttemptRead]


class DeliveryPage(Body):
    """Some deliveries, in the order of the log."""

    deliveries: list[DeliveryRead]
    next: int
    """What to ask for next, as `after`."""
