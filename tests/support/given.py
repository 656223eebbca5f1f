"""Given facts, when asked, then facts: how a rule is tested, as a list in and a list out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.errors import Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb

AT = datetime(2023, 8, 9, 4, 15, tzinfo=UTC)
"""11:15 in Vietnam."""


@dataclass(frozen=True)
class Given:
    """A verb and the history that it meets; positions from 1, times all the same."""

    verb: Verb[Any, Any]
    facts: Sequence[Any]

    def when(self, asked: Any) -> list[Any]:
        """Return the facts that follow; raises what the rule raises."""
        return list(self.verb.decide(self.state(), asked))

    def rejected(self, asked: Any) -> list[str]:
        """Return the reasons of the rejection; fails if the rule allows it, or records nothing."""
        try:
            allowed = self.when(asked)
        except Rejection as no:
            codes = [reason.code for reason in no.reasons]
            for fact in no.facts:
                assert codes == getattr(fact, "reasons", codes)
            return codes
        raise AssertionError(allowed)

    def state(self) -> Any:
        """Return the state that the history leads to."""
        history = [Recorded(number, AT, fact) for number, fact in enumerate(self.facts, start=1)]
        return self.verb.fold(history)


def given(verb: Verb[Any, Any], *facts: Any) -> Given:
    """Return a verb that meets these facts."""
    return Given(verb, facts)
