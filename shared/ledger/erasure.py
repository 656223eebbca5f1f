"""Carries out what the log says is erased: first the fact, then the key, then the bytes.

The log is the list of keys that must not exist. So whatever was lost in between, or came back with
an old backup of the keys, goes when the service starts: `again`.
"""

import logging
from collections.abc import Iterable, Sequence

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from shared.ledger.facts import Vocabulary
from shared.ledger.personal import SubjectKeys
from shared.ledger.recorder import ERASURE_TAG, PAGE_FACTS_MAX, Recorder, StoredFact

PREFIX = f"{ERASURE_TAG}:"

logger = logging.getLogger(__name__)


class Erasure:
    """Destroys keys and what lies under them.

    `eraser` is the store as the role that may remove personal parts; the same as serves, where
    there are no roles.
    """

    def __init__(self, keys: SubjectKeys, eraser: Recorder) -> None:
        self._keys = keys
        self._eraser = eraser

    def carry_out(self, key_ids: Sequence[str]) -> None:
        """Destroy the keys, then the bytes; only after the fact that says so.

        Without their key the bytes say nothing; if they cannot be removed now, the next start does.
        """
        if not key_ids:
            return
        self._keys.destroy(key_ids)
        try:
            self._eraser.forget(key_ids)
        except Exception:
            logger.exception("keys are destroyed; what lay under them is still to be removed")

    def close(self) -> None:
        """Let go of keys and store; a store that also serves may be closed twice."""
        self._keys.close()
        self._eraser.close()

    def again(self, vocabulary: Vocabulary) -> None:
        """Carry out every erasure in the log, whatever is left of it to do."""
        kinds = [kind.NAME for kind in vocabulary.facts.values() if ERASURE_TAG in kind.TAGS]
        if not kinds:
            return
        query, after = DCBQuery(items=[DCBQueryItem(types=kinds, tags=[])]), 0
        while facts := self._eraser.page(query, after=after, limit=PAGE_FACTS_MAX).facts:
            self.carry_out(erased_keys(facts))
            after = facts[-1].position


def erased_keys(facts: Iterable[StoredFact]) -> list[str]:
    """Return the ids of the keys that facts erase, as very few do."""
    tags = [tag for fact in facts for tag in fact.tags if tag.startswith(PREFIX)]
    return [tag.removeprefix(PREFIX) for tag in tags]
