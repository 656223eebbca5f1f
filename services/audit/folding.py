"""The states of a long log, in memory that does not grow with it.

Whatever was not touched for a while leaves only its leaf hash behind, in a file of its own that is
gone at the end. A subject that comes up again is folded anew from its own facts, which the index
finds; most never do, because a case is over long before.
"""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import override

from services.audit.history import FoundHistory, UnreadFact
from shared.ledger.facts import Recorded
from shared.ledger.log import about
from shared.ledger.recorder import StoredFact
from shared.ledger.states import Noun, state_leaf, state_root

KEPT_MAX = 8_192
"""Subjects in memory; half leave when there are so many. All of a process is some 220 MB."""

TABLES = """
PRAGMA journal_mode=OFF;
PRAGMA synchronous=OFF;
PRAGMA cache_size=-32768;
CREATE TABLE leaves (tag TEXT PRIMARY KEY, leaf BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""


class Folding(AbstractContextManager["Folding"]):
    """What a log's facts come to, taken in one after the other from its beginning."""

    def __init__(self, log: FoundHistory, kept_max: int = KEPT_MAX) -> None:
        self._log, self._kept_max = log, kept_max
        self._kept = dict[str, Any]()  # by tag, what was touched last at the end
        self._folder = tempfile.TemporaryDirectory(prefix="thuan-")
        self._store = sqlite3.connect(Path(self._folder.name) / "leaves.sqlite")
        self._store.executescript(TABLES)
        self._any_left = False
        self.position = 0
        self.unread = list[str]()
        """What could not be read as a fact, and so made no state: where, and why."""

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._store.close()
        self._folder.cleanup()

    def read(self, stored: StoredFact) -> None:
        """Take in the log's next fact as it lies there; one that cannot be read is passed over."""
        try:
            self.take(self._log.decoded(stored), stored.tags)
        except UnreadFact as error:
            self.unread.append(str(error))
            self.position = stored.position

    def take(self, recorded: Recorded, tags: Sequence[str]) -> None:
        """Take in the log's next fact, with the tags that it was stored with."""
        for tag, noun in self._log.nouns.about(type(recorded.fact), tags):
            state = self._kept.pop(tag, None)
            if state is None:
                state = self._before(tag, noun, recorded.position)
            self._kept[tag] = noun.evolve(state, recorded)
        if len(self._kept) > self._kept_max:
            self._let_go(self._kept_max // 2)
        self.position = recorded.position

    def digest(self) -> tuple[int, bytes]:
        """Return how many subjects there are, and the digest of all."""
        self._let_go(len(self._kept))
        (count,) = self._store.execute("SELECT COUNT(*) FROM leaves").fetchone()
        return int(count), state_root(leaf for _, leaf in self.leaves())

    def leaves(self) -> Iterator[tuple[str, bytes]]:
        """Return every subject's tag and leaf hash in order, as of the last digest."""
        return iter(self._store.execute("SELECT tag, leaf FROM leaves ORDER BY tag"))

    def remember(self) -> None:
        """Keep the leaves of the last digest, for `differing`."""
        self._store.executescript(
            "DROP TABLE IF EXISTS earlier; CREATE TABLE earlier AS SELECT * FROM leaves;"
        )

    def differing(self) -> Iterator[tuple[str, bool]]:
        """Return the tags whose leaves are not what they were, and whether each is new."""
        found = self._store.execute(
            "SELECT leaves.tag, earlier.leaf IS NULL FROM leaves"
            " LEFT JOIN earlier ON earlier.tag = leaves.tag"
            " WHERE earlier.leaf IS NOT leaves.leaf ORDER BY leaves.tag"
        )
        return ((str(tag), bool(new)) for tag, new in found)

    def _before(self, tag: str, noun: Noun, position: int) -> Any:
        """Return the state of a subject that is not kept: none yet, or folded anew."""
        if not (self._any_left and self._is_left(tag)):
            return noun.initial
        arm = about(tag, kinds=list(noun.kinds))
        return noun.fold(self._log.recorded(arm, until=position - 1))

    def _is_left(self, tag: str) -> bool:
        found = self._store.execute("SELECT 1 FROM leaves WHERE tag = ?", [tag])
        return found.fetchone() is not None

    def _let_go(self, count: int) -> None:
        """Leave behind the leaf hashes of those that were touched longest ago."""
        leaving = list(islice(self._kept, count))
        rows = [(tag, state_leaf(tag, self._kept.pop(tag))) for tag in leaving]
        self._store.executemany("INSERT OR REPLACE INTO leaves VALUES (?, ?)", rows)
        self._any_left = True
