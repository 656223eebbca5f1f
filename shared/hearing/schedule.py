"""What is sent next, and when again what failed: the rules of sending, without a clock or a wire.

Of one citizen, nothing is sent before what came before it was taken or given up. Apart from that,
what cannot be delivered holds up nothing else. Each event is tried again for three days, with
the waits that Standard Webhooks proposes; while a consumer answers nothing at all, only one attempt
in minutes is made, and once it answers again, all that waits is sent at once.
"""

from collections.abc import Container, Iterable, Iterator
from datetime import timedelta

import msgspec

DELAYS_S = tuple(
    delta.total_seconds()
    for delta in (
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
    )
)
"""Seconds before the second attempt, the third, and so on; the last one is repeated."""

GIVEN_UP_AFTER_S = timedelta(hours=72).total_seconds()
"""Seconds after its first attempt in which an event is tried."""

JITTER = 0.2
"""A wait is longer by up to this part of it, by chance: not all that failed comes back at once."""

RETRY_AFTER_S_MAX = timedelta(hours=1).total_seconds()
"""The longest wait that a consumer may ask for (`Retry-After`)."""

DOWN_AFTER = 5
"""Attempts in a row that fail before a consumer counts as down."""

REST_S_MAX = 300.0
"""The longest that a consumer which is down is left alone: so soon it hears once it is back."""

NO_CHAIN = ("",)
"""What belongs to nobody is in order among itself."""


class Waiting(msgspec.Struct, gc=False):
    """An event that is to be sent: where it lies, what it must not overtake, when it is due.

    Times are in seconds since 1970; `first_at` is that of the first attempt, None before it.
    """

    position: int
    chains: tuple[str, ...]
    kind: str
    body: bytes
    due_at: float = 0.0
    first_at: float | None = None
    attempts: int = 0


def ready(waiting: Iterable[Waiting], flying: Container[int], now: float) -> Iterator[Waiting]:
    """Give the events that may be sent now, of those that wait in order, `flying` under way."""
    held_up = set[str]()
    for one in waiting:
        chains = one.chains or NO_CHAIN
        due = one.due_at <= now and one.position not in flying
        if due and held_up.isdisjoint(chains):
            yield one
        held_up.update(chains)


def due_again(failed: Waiting, now: float, chance: float, retry_after_s: float) -> float | None:
    """Return when to try again what failed just now; None: it is given up.

    `failed.attempts` are all until now. `chance` is from 0 to 1, `retry_after_s` what the consumer
    asked for, 0 if nothing. The last attempt is made when the time is up, and not before.
    """
    end = (now if failed.first_at is None else failed.first_at) + GIVEN_UP_AFTER_S
    if now >= end:
        return None
    delay = DELAYS_S[min(failed.attempts, len(DELAYS_S)) - 1] * (1 + JITTER * chance)
    return min(end, now + max(delay, min(retry_after_s, RETRY_AFTER_S_MAX)))


def rest_s(failures: int) -> float:
    """Return for how many seconds to leave a consumer alone that failed so often in a row."""
    if failures < DOWN_AFTER:
        return 0.0
    doubled: float = DELAYS_S[0] * 2 ** min(failures - DOWN_AFTER, 10)
    return min(doubled, REST_S_MAX)
