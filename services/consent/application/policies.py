"""Which policy holds at an instant: read from the log, and remembered for a minute.

Why that is never wrong. Let a process have begun to read the log at r, and judge something at t,
with t - r no more than `KEPT_FOR`. What holds at t lay in the log by t - `KNOWN_FOR`, for else it
never does (`services/consent/policies.py`). `KNOWN_FOR` is half an hour, so that is before r: it
was read. What was set since then begins after t, and is not asked for yet. So whoever remembers
and whoever reads anew say the same, and no act needs the policy in its boundary.

This takes clocks that agree to within `KNOWN_FOR` less `KEPT_FOR`, 29 minutes, and appends that
end within that time; codes, links and consents need far better ones. A clock that is put forward,
back, or stopped makes nothing remembered for longer: an instant further from r than `KEPT_FOR` is
looked up anew, and so is everything once a clock that nobody can set has gone on by `KEPT_FOR`.

If the log cannot be read there is no policy, and nothing is decided.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.consent.policies import History, history, in_force
from services.consent.policy import Policy
from services.consent.views import read_policies
from shared.clock import Clock
from shared.ledger.log import Log

KEPT_FOR = timedelta(minutes=1)
"""How long what was read is remembered: far below `KNOWN_FOR`."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the log said, and when reading it began: in UTC, and in seconds that only grow."""

    dated: History
    read_at: datetime
    began_s: float


class Policies:
    """The policies of one process."""

    def __init__(
        self,
        log: Log,
        now: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        kept_for: timedelta = KEPT_FOR,
    ) -> None:
        self._log, self._now, self._monotonic = log, now, monotonic
        self._kept_for = kept_for
        self._known: Remembered | None = None

    async def at(self, instant: datetime) -> Policy:
        """Return the policy of an instant (UTC) that is not yet to come.

        Raises `Unavailable` if the log has to be read, and cannot be.
        """
        known = self._known
        if known is None or not self._serves(known, instant):
            known = self._known = await self._read()
        return in_force(known.dated, instant)

    def _serves(self, known: Remembered, instant: datetime) -> bool:
        age_s = self._monotonic() - known.began_s
        young = age_s <= self._kept_for.total_seconds()
        return young and abs(instant - known.read_at) <= self._kept_for

    async def _read(self) -> Remembered:
        read_at, began_s = self._now(), self._monotonic()
        return Remembered(history(await read_policies(self._log)), read_at, began_s)
