"""Several verbs as one: what they all come to is recorded in one append, or nothing is.

Each verb is decided over its own boundary, by the history and by what the verbs before it decided.
That has no place yet, so verbs whose rules look at the positions or times of each other's facts do
not go together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from shared.errors import Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, within

NOWHERE, NEVER = 0, datetime.min.replace(tzinfo=UTC)
"""Position and time of what is decided and not recorded yet."""

History = tuple[Recorded, ...]
"""All that the verbs depend on, in order."""


@dataclass(frozen=True)
class Step:
    """One verb, and what it is asked."""

    verb: Verb[Any, Any]
    asked: Any

    @cached_property
    def query(self) -> DCBQuery:
        """Return the step's own boundary."""
        return DCBQuery(items=list(self.verb.boundary(self.asked)))


def boundary(steps: Sequence[Step]) -> Sequence[DCBQueryItem]:
    """Return every arm of every step, each once."""
    arms = list[DCBQueryItem]()
    for step in steps:
        arms += [arm for arm in step.query.items if arm not in arms]
    return arms


def evolve(history: History, recorded: Recorded) -> History:
    """Keep it: each step folds what is its own."""
    return (*history, recorded)


def decide(history: History, steps: Sequence[Step]) -> Sequence[Any]:
    """Return what all steps decide, one after the other.

    Raises the first `Rejection`, without the facts that would record it: whoever asks for many
    things together hears of each, and the same again leaves no more behind than once.
    """
    decided = list[Any]()
    for step in steps:
        known = [*history, *(Recorded(NOWHERE, NEVER, one) for one in decided)]
        state = step.verb.fold([one for one in known if within(step.query, one)])
        try:
            decided += step.verb.decide(state, step.asked)
        except Rejection as no:
            raise Rejection(no.kind, no.code, reasons=no.reasons) from no
    return decided


TOGETHER = Verb[History, Sequence[Step]](
    boundary=boundary, initial=(), evolve=evolve, decide=decide
)
