"""How often one caller may ask, so that one that asks without end leaves room for the others.

Each caller has a bucket of requests, filled again all the time at the same rate, so what was saved
up can be asked at once. A process counts for itself: with several, a caller has as many buckets.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import Kind, Rejection

REQUESTS_PER_MINUTE = 60_000
"""What one caller may ask of one process: more than two cores answer, unless set."""

WINDOW_S = 60
"""The seconds to which a rate is told (`RateLimit-Policy`)."""

CALLERS_MAX = 10_000
"""Buckets that are kept; the one that was used longest ago goes, and is a full one anew."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a caller may still ask, and in how many seconds the bucket is full again."""

    limit: int
    remaining: int
    full_in_s: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers-10."""
        policy = f'"caller";q={self.limit};w={WINDOW_S}'
        now = f'"caller";r={self.remaining};t={self.full_in_s}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", now.encode())]


class Limited(Rejection):
    """Too many requests; what was asked was not looked at."""

    def __init__(self, left: Left, retry_after_s: int) -> None:
        headers = {"Retry-After": str(retry_after_s)}
        super().__init__(Kind.LIMITED, "rate_limited", headers=headers)
        self.left = left


class Rates:
    """The buckets of all callers of a process."""

    def __init__(self, per_minute: int, elapsed: Callable[[], float] = time.monotonic) -> None:
        """Let each caller ask so often a minute, on average; `elapsed` is in seconds."""
        self._limit, self._elapsed = per_minute, elapsed
        self._full_at = dict[str, float]()

    def take(self, caller: str) -> Left:
        """Take one request from a caller's bucket; raises `Limited` if it is empty.

        A bucket is kept as one number: when it would be full again if nothing more were taken.
        """
        now, each_s = self._elapsed(), WINDOW_S / self._limit
        full_at = max(self._full_at.pop(caller, now), now) + each_s
        over_s = full_at - now - WINDOW_S
        if over_s > 0:
            self._full_at[caller] = full_at - each_s
            raise Limited(Left(self._limit, 0, WINDOW_S), max(1, math.ceil(round(over_s, 3))))
        self._full_at[caller] = full_at
        if len(self._full_at) > CALLERS_MAX:
            del self._full_at[next(iter(self._full_at))]
        remaining = int((WINDOW_S - (full_at - now)) / each_s)
        return Left(self._limit, remaining, math.ceil(round(full_at - now, 3)))


class RateHeaders:
    """Tells each caller that is known what is left of its bucket; `caller_of` leaves it there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                left: Left | None = scope.get("state", {}).get("rate")
                if left:
                    message = {**message, "headers": [*message["headers"], *left.headers()]}
            await send(message)

        await self._app(scope, receive, telling)
