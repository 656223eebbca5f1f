"""What is said of a delivery: to which webhook, what came of it, and how the consumer is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from shared.hearing.schedule import Waiting


class State(StrEnum):
    """What became of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class Hook(NamedTuple):
    """Which webhook: its bank, and the bank's own id for it."""

    bank_id: str
    webhook_id: str


class Try(msgspec.Struct, array_like=True, frozen=True):
    """One attempt: when (seconds since 1970), the answer's status or what went wrong, how long."""

    at: float
    status: int | None
    error: str | None
    took_ms: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one attempt, to be kept."""

    waiting: Waiting
    state: State
    tried: Try


@dataclass(frozen=True, slots=True)
class Condition:
    """How a webhook is: how far the log was read for it, and whether its consumer answers."""

    read_to: int
    failures: int
    rests_until: float
    disabled_at: float | None


class Delivery(msgspec.Struct, frozen=True):
    """A line of the delivery log."""

    position: int
    kind: str
    state: State
    attempts: int
    due_at: float | None
    tries: list[Try]
