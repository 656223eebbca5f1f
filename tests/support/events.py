"""Facts as events for a store that is filled by hand, without anybody's keys."""

from typing import Any

from eventsourcing.dcb.api import DCBEvent

from shared.canonical import canonical
from shared.ledger.facts import tags_of


def event_of(fact: Any) -> DCBEvent:
    """Return a fact as it is stored; what it says of a person is as if erased."""
    return DCBEvent(type=fact.NAME, data=canonical(fact), tags=tags_of(fact))
