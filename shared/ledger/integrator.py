"""Seals what the store holds: reads it back, recomputes, compares, writes tiles, only then signs.

A fact is *stored* once committed and *sealed* once a signed checkpoint covers it, within a second.
A store that was changed, cut, or restored from an old backup is never signed for: the integrator
stops, says at which position, and stays stopped until someone looked.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from shared.ledger.checkpoints import Checkpoints, Overtaken, Signed
from shared.ledger.merkle import Frontier
from shared.ledger.notes import Checkpoint, Note, SigningKey
from shared.ledger.recorder import Commit, Recorder, StoredFact
from shared.ledger.tiles import BadTile, PublicFolder, Tiles

INTERVAL_S = 0.4
"""Seconds between looks at the store: facts are sealed within one, and a checkpoint has company."""

FACTS_MAX = 16_384
"""Facts sealed by one checkpoint at most; bounds the memory when there is much to catch up with."""

CHECKPOINT_PATH = "checkpoint"
WITNESSED_PATH = "witnessed"
"""The newest signed, and the newest that a quorum of witnesses cosigned: a moment behind."""

logger = logging.getLogger(__name__)


class Tampered(Exception):
    """The store, or what was published of it, is not what it was; `position` is where it shows."""

    def __init__(self, position: int, how: str) -> None:
        super().__init__(f"position {position}: {how}")
        self.position = position


class Integrator:
    """Seals one log under the keys of its origin."""

    def __init__(
        self,
        recorder: Recorder,
        folder: PublicFolder,
        checkpoints: Checkpoints,
        keys: Sequence[SigningKey],
        now: Callable[[], datetime],
    ) -> None:
        self._recorder = recorder
        self._folder = folder
        self._checkpoints = checkpoints
        self._keys = keys
        self._now = now

    def step(self) -> int:
        """Seal what is new, up to `FACTS_MAX`, and return the size that is sealed.

        Raises `Tampered` rather than sign for a log that does not continue the last checkpoint,
        and `BadTile` if the tiles of that checkpoint cannot be read.
        """
        last = self._checkpoints.last()
        self._check_past(last)
        if last.size and not self._folder.has_tiles():
            self._rebuild(last)
        commit = self._recorder.commit(last.size + FACTS_MAX)
        if commit is None or commit.position == last.size:
            self._publish(last)
            return last.size
        facts = self._read_back(last.size, commit.position)
        self._compare(last, commit, facts)
        signed = self._grow(last, commit, facts)
        try:
            self._checkpoints.add(last, signed, self._now())
        except Overtaken:
            return last.size
        self._publish(signed)
        return signed.size

    def _check_past(self, last: Signed) -> None:
        """Hold that the store still has, at that size, the tree that was signed last."""
        if last.size and self._recorder.commit(last.size) != Commit(last.size, last.root):
            raise Tampered(last.size, "the store does not hold the tree that was signed")

    def _rebuild(self, last: Signed) -> None:
        """Write all tiles anew, where all are lost; they must lead to what was signed last."""
        logger.warning("the public files are gone; writing them anew from the store")
        anew, written = self._folder.beside(), Frontier()
        for start in range(0, last.size, FACTS_MAX):
            facts = self._read_back(start, min(start + FACTS_MAX, last.size))
            written = anew.grow(start, [fact.entry() for fact in facts])
        if written.root() != last.root:
            raise Tampered(last.size, "the store does not lead to the root that was signed")
        self._folder.adopt(anew)

    def _read_back(self, after: int, until: int) -> list[StoredFact]:
        page = self._recorder.page(after=after, limit=until - after)
        facts = self._recorder.with_parts(page.facts)
        for position, fact in enumerate(facts, start=after + 1):
            if fact.position != position:
                raise Tampered(position, "the fact is missing")
            if fact.leaf != fact.leaf_now():
                raise Tampered(position, "the fact is not what its leaf says")
            if fact.changed_parts():
                raise Tampered(position, "a personal part is not what its digest says")
        if len(facts) != until - after:
            raise Tampered(after + len(facts) + 1, "the fact is missing")
        return facts

    def _compare(self, last: Signed, commit: Commit, facts: Sequence[StoredFact]) -> None:
        published = Tiles(self._folder.fetch, last.size).frontier() if last.size else Frontier()
        if published.root() != last.root:
            raise Tampered(last.size, "the published tiles do not lead to the signed root")
        if published.extended(fact.leaf for fact in facts).root() != commit.root:
            raise Tampered(last.size + 1, "facts from here on do not lead to the root kept")

    def _grow(self, last: Signed, commit: Commit, facts: Sequence[StoredFact]) -> Signed:
        written = self._folder.grow(last.size, [fact.entry() for fact in facts])
        if written.root() != commit.root:
            raise Tampered(last.size + 1, "the tiles written do not lead to the root kept")
        body = Checkpoint(self._keys[0].name, commit.position, commit.root).body()
        signatures = tuple(key.sign(body, self._now()) for key in self._keys)
        return Signed(commit.position, commit.root, Note(body, signatures).text().encode())

    def _publish(self, signed: Signed) -> None:
        """Publish the newest checkpoint, unless it is, or another integrator has a newer one."""
        try:
            published = self._folder.fetch(CHECKPOINT_PATH)
        except FileNotFoundError:
            published = b""
        if signed.note != published and signed == self._checkpoints.last():
            self._folder.publish(CHECKPOINT_PATH, signed.note)


class Sealing:
    """Runs an integrator in a thread of its own, and knows how far it is."""

    def __init__(self, integrator: Integrator) -> None:
        self._integrator = integrator
        self._stop = threading.Event()
        self.sealed = 0
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-sealing", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Seal what is there, then stop."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            self._seal()
        self._seal()

    def _seal(self) -> None:
        try:
            while self.sealed != (reached := self._integrator.step()):
                self.sealed = reached
            self.trouble = None
        except (Tampered, BadTile) as error:
            self._tell(str(error), error)
        except Exception as error:  # noqa: BLE001 - store or disk may come back; the next look tries again
            self._tell(type(error).__name__, error)

    def _tell(self, trouble: str, error: Exception) -> None:
        if trouble != self.trouble:
            logger.critical("nothing is sealed: %s", trouble, exc_info=error)
        self.trouble = trouble
