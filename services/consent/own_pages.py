"""A citizen asks for the page of everything in their name, on the phone that is known as theirs.

Whoever types a number could be anybody, so how often its holder is written to is bounded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.facts import PageAsked
from services.consent.policy import Policy
from shared.errors import Kind, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about

COUNTED_FOR = timedelta(hours=1)
"""The hour of `Policy.codes_per_hour_max`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskPage:
    """A link to a citizen's own page is asked for; `at` in UTC."""

    citizen_id: str
    at: datetime
    policy: Policy


def boundary(asked: AskPage) -> Sequence[DCBQueryItem]:
    """Return what was asked for before."""
    return [about(f"citizen:{asked.citizen_id}", kinds=[PageAsked])]


def evolve(before: tuple[datetime, ...], recorded: Recorded) -> tuple[datetime, ...]:
    """Collect when."""
    return (*before, recorded.fact.asked_at)


def decide(before: tuple[datetime, ...], asked: AskPage) -> Sequence[PageAsked]:
    """Let the link go out, unless too many went before."""
    recent = [one for one in before if one > asked.at - COUNTED_FOR]
    if len(recent) >= asked.policy.codes_per_hour_max:
        raise Rejection(Kind.REJECTED, "too_many_codes")
    return [
        PageAsked(
            citizen_id=asked.citizen_id, asked_at=asked.at, policy_version=asked.policy.version
        )
    ]


NEVER: tuple[datetime, ...] = ()
ASK_PAGE = Verb(boundary=boundary, initial=NEVER, evolve=evolve, decide=decide)
