"""What a bank is told of a fact: that it happened, where in the log, and the ids to ask with.

An event is one fact, as CloudEvents 1.0 in JSON. It holds ids and codes and nothing of a person:
the bank then reads the consent or the opening, and that look is recorded. The same fact is the same
bytes each time and each way, so whoever hears of it twice knows it by its id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import msgspec
from eventsourcing.dcb.api import DCBQueryItem

from shared.hearing.facts import WebhookKeyRenewed, WebhookRegistered, WebhookRemoved
from shared.ledger.log import about
from shared.ledger.recorder import StoredFact

SEQUENCE_DIGITS = 16
"""All positions in so many digits: as texts they are in order, too (CloudEvents `sequence`)."""

CHAINED = ("citizen", "consent", "opening")
"""Events that share such a tag are sent in order: a refusal has no citizen, but a consent."""

PERSONAL = ("citizen_id", "representative_id", "phone_id", "asked_by")
"""What no event says, besides what lies under a person's key."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """A kind of fact that banks hear of; of the fields said, the first is the subject's id."""

    fact: type[Any]
    subjects: str
    said: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the fact's stored name, which is the event's type."""
        name: str = self.fact.NAME
        return name


def tells(fact: type[Any], subjects: str, *said: str) -> EventKind:
    """Return that banks hear of such a fact: its subject, as in a path, and which fields."""
    known = {field.name for field in fields(fact)}
    assert known.issuperset(said), fact.NAME
    assert not {*said}.intersection(PERSONAL, *fact.PERSONAL.values()), fact.NAME
    return EventKind(fact, subjects, said)


OF_WEBHOOKS = (
    tells(WebhookRegistered, "webhooks", "webhook_id"),
    tells(WebhookKeyRenewed, "webhooks", "webhook_id"),
    tells(WebhookRemoved, "webhooks", "webhook_id"),
)
"""In every log: a bank hears of it when somebody changes where it is told."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event, ready to be told: where it lies, what it is, what comes in order with it."""

    position: int
    kind: str
    chains: tuple[str, ...]
    body: bytes


class Events:
    """What banks hear of one log."""

    def __init__(self, log: str, kinds: Sequence[EventKind]) -> None:
        """`log` is the name of the log, such as `consent`: an event's id begins with it."""
        self.log = log
        self.kinds = {kind.name: kind for kind in kinds}

    def arm(self, bank_id: str, kinds: Sequence[str] | None = None) -> DCBQueryItem:
        """Return what finds the facts that a bank hears of, of some kinds or all."""
        return DCBQueryItem(
            types=[kind for kind in self.kinds if kinds is None or kind in kinds],
            tags=about(f"bank:{bank_id}").tags,
        )

    def event(self, stored: StoredFact, source: str) -> Event:
        """Return the event of a fact; `source` is the service's address (CloudEvents `source`)."""
        kind, said = self.kinds[stored.kind], msgspec.json.decode(stored.data)
        data = {name: _own(name, said[name]) for name in kind.said if said.get(name) is not None}
        body = {
            "specversion": "1.0",
            "id": f"{self.log}/{stored.position}",
            "source": source,
            "type": stored.kind,
            "time": stored.recorded_at,
            "subject": f"{kind.subjects}/{data[kind.said[0]]}",
            "sequence": f"{stored.position:0{SEQUENCE_DIGITS}}",
            "datacontenttype": "application/json",
            "data": data,
        }
        chains = tuple(tag for tag in stored.tags if tag.partition(":")[0] in CHAINED)
        return Event(stored.position, stored.kind, chains, msgspec.json.encode(body))


def _own(name: str, value: Any) -> Any:
    """Return an id as the bank gave it: where a log joins the two, behind the full stop."""
    return value.rpartition(".")[2] if name.endswith("_id") else value
