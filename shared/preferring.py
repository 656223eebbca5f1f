"""`Prefer: wait=N` (RFC 7240): the answer to a command comes with the proof that it is sealed.

Nobody is kept waiting for it who did not ask; and when the time is over, the answer is as it would
have been. A waiter costs a sleeping coroutine, and no thread until there is something to prove.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from shared.ledger.seal import NotSealed, Seal

WAIT_S_MAX = 10
"""Seconds that a command may wait at most; a checkpoint takes about one."""

POLL_S = 0.05

WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long the caller of a command would wait, and where that is told."""

    seconds: int
    seal: Seal
    response: Response

    async def proved(self, answer: Mapping[str, Any], position: int) -> dict[str, Any]:
        """Return an answer, with the proof of a position if the wait is long enough for one.

        `proof` is a C2SP tlog-proof, as `GET /log/{position}/proof` gives it.
        """
        until = time.monotonic() + self.seconds
        # The seal is another thread's, which knows no event loop: nothing here could be awaited.
        while self.seal.sealed < position and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        if not self.seconds or self.seal.sealed < position:
            return dict(answer)
        try:
            proof = await asyncio.to_thread(self.seal.proof, position)
        except NotSealed:  # known here, and not published yet
            return dict(answer)
        self.response.headers["Preference-Applied"] = "wait"
        return {**answer, "proof": proof}


def wait_of(fields: Sequence[str]) -> int:
    """Return how many seconds `Prefer` says; what cannot be read is passed over (section 2)."""
    found = WAIT.search(",".join(fields))
    return min(int(found[1]), WAIT_S_MAX) if found else 0
