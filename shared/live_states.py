"""The state of a log at a position, as its service finds it: each subject's facts by its tag.

That is how every rule finds its facts, so an index that loses one shows here, and whoever folds the
whole log in order (`./run audit replay`) comes to another digest.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response

from shared.contracts.fields import Timestamp
from shared.errors import Kind, Rejection
from shared.ledger.facts import Recorded, Vocabulary
from shared.ledger.log import Log, about
from shared.ledger.states import Nouns, Subject, state_leaf, state_root, state_text
from shared.web import Regulator, Tag

PAGE_FACTS = 1_000

SUBJECTS_AT_ONCE = 64
"""Subjects that are folded before others of the service's callers have their turn."""

Position = Annotated[int, Query(ge=0, le=2**53)]


@dataclass(frozen=True, slots=True)
class Digested:
    """What stands for every state at a position: the root over so many subjects."""

    position: int
    subjects: int
    digest: bytes


class LiveStates:
    """Reads states from a service's store, without anything personal."""

    def __init__(self, log: Log, vocabulary: Vocabulary, nouns: Nouns) -> None:
        self._log, self._vocabulary, self._nouns = log, vocabulary, nouns
        self._digesting = asyncio.Lock()

    async def position(self, at: int | None, time: datetime | None) -> int:
        """Return the position that is meant: at most the log's last, which is that of now."""
        head = await self._log.head()
        if time is not None:
            return await self._log.position_at(time)
        return head if at is None else min(at, head)

    async def digest(self, position: int) -> Digested:
        """Return the digest of all states at a position; one is made at a time."""
        async with self._digesting:
            leaves = dict[str, bytes]()
            for number, tag in enumerate(sorted(await self._tags(position))):
                leaves[tag] = state_leaf(tag, await self.state(Subject.of(tag), position))
                if number % SUBJECTS_AT_ONCE == 0:
                    await asyncio.sleep(0)
            return Digested(position, len(leaves), state_root(leaves.values()))

    async def state(self, subject: Subject, position: int) -> Any:
        """Return a subject's state at a position; raises `Rejection` for what has none."""
        noun = self._nouns.by_name.get(subject.noun)
        history = await self._history(subject, position) if noun else []
        if not noun or not history:
            raise Rejection(Kind.UNKNOWN, "not_found")
        return noun.fold(history)

    async def _history(self, subject: Subject, position: int) -> list[Recorded]:
        arm = about(subject.tag, kinds=list(self._nouns.by_name[subject.noun].kinds))
        return await self._log.read(arm, as_of=position, withheld=True)

    async def _tags(self, position: int) -> set[str]:
        """Return the tags of everything that has a state; a kind that is not ours makes none."""
        found, after = set[str](), 0
        while after < position:
            limit = min(PAGE_FACTS, position - after)
            for stored in await self._log.stored(after=after, limit=limit):
                if kind := self._vocabulary.facts.get(stored.kind):
                    found.update(tag for tag, _ in self._nouns.about(kind, stored.tags))
            after += limit
        return found


def routes(states: LiveStates) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["regulator"])

    @router.get("/log/state", responses={404: {}})
    async def read_state(
        _: Regulator,
        at: Position | None = None,
        time: Timestamp | None = None,
        of: Tag | None = None,
    ) -> Response:
        """Give the digest of all that the log came to, now, at a position, or at an instant.

        With `of`, such as `consent:4f1c…`, the state of one subject instead. Nothing personal is
        in either: a replay of the exported log comes to the same.
        """
        position = await states.position(at, time)
        if of:
            state = msgspec.Raw(state_text(await states.state(Subject.of(of), position)))
            return _json({"position": position, "of": of, "state": state})
        made = await states.digest(position)
        digest = made.digest.hex()
        return _json({"position": position, "subjects": made.subjects, "digest": digest})

    return router


def _json(document: Any) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")
