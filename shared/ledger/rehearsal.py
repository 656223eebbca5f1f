"""A rehearsal: verbs are decided as they would be, over a real log, and nothing gets into it.

What they add lies in a log of its own, on disk, and is thrown away; what follows is decided by
both. So a rehearsal says what the deed will do because it is the deed, down to the last rule. What
facts say of persons would lie there too, so verbs with such facts are not rehearsed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.clock import Clock
from shared.ledger import sqlite
from shared.ledger.facts import Vocabulary
from shared.ledger.log import AskedT, Log, Outcome, StateT, Verb


class Rehearsal:
    """Performs verbs over a log as it is at this moment, without changing it.

    Positions in an outcome are those of the rehearsal, from 1, where they are of what was added.
    """

    def __init__(self, real: Log, own: Log, head: int) -> None:
        """`own` is empty; `head` is the position behind which the real log is not looked at."""
        self._real = real
        self._own = own
        self._head = head

    async def perform(self, verb: Verb[StateT, AskedT], asked: AskedT) -> Outcome[StateT]:
        """Decide, and keep what follows to ourselves; raises what `Log.perform` raises."""
        history = await self._real.read(*verb.boundary(asked), as_of=self._head)
        return await self._own.perform(replace(verb, initial=verb.fold(history)), asked)


@contextmanager
def rehearsal(real: Log, vocabulary: Vocabulary, now: Clock) -> Iterator[Rehearsal]:
    """Give a rehearsal over a log; what lay in it is gone afterwards."""
    with TemporaryDirectory(prefix="thuan-rehearsal-") as folder:
        file = Path(folder) / "ledger.db"
        sqlite.create_schema(file)
        own = Log(sqlite.SQLiteRecorder(file, now), vocabulary)
        try:
            yield Rehearsal(real, own, real.recorder.head())
        finally:
            own.close()
