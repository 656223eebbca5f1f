"""A consent is stopped: nothing opens with it any more, and what it opened is frozen, at once.

The stop and the record of an opening lie in one boundary. Whichever is first, no account stays
open: an opening that finds the stop is rejected, a stop that finds the opening freezes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eventsourcing.dcb.api import DCBQueryItem

from services.accounts.facts import AccountFrozen, AccountOpened, StopReceived
from shared.contracts.consent import Stop
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about


@dataclass(frozen=True, kw_only=True, slots=True)
class Halt:
    """A stop whose signature held, and the token that it came in."""

    stop: Stop
    token: str


@dataclass(frozen=True, slots=True)
class Affected:
    """What a consent opened, what of it is frozen, and where a stop was received."""

    opened: tuple[AccountOpened, ...] = ()
    frozen: frozenset[str] = frozenset()
    received_at: int | None = None


def boundary(asked: Halt) -> Sequence[DCBQueryItem]:
    """Return all that concerns this consent."""
    kinds = [AccountOpened, StopReceived, AccountFrozen]
    return [about(f"consent:{asked.stop.consent_id}", kinds=kinds)]


def evolve(affected: Affected, recorded: Recorded) -> Affected:
    """Collect it."""
    match recorded.fact:
        case AccountOpened() as fact:
            return replace(affected, opened=(*affected.opened, fact))
        case AccountFrozen() as fact:
            return replace(affected, frozen=affected.frozen | {fact.opening_id})
        case StopReceived():
            first = affected.received_at or recorded.position
            return replace(affected, received_at=first)
        case _:
            return affected


def decide(affected: Affected, asked: Halt) -> Sequence[StopReceived | AccountFrozen]:
    """Take the stop, once, and freeze whatever is not frozen yet."""
    stop = asked.stop
    received = StopReceived(
        consent_id=stop.consent_id,
        citizen_id=stop.citizen_id,
        bank_id=stop.bank_id,
        reason=stop.reason,
        stop=asked.token,
    )
    left = [one for one in affected.opened if one.opening_id not in affected.frozen]
    frozen = [_frozen(one, stop) for one in left]
    return frozen if affected.received_at else [received, *frozen]


HALT = Verb(boundary=boundary, initial=Affected(), evolve=evolve, decide=decide)


def _frozen(opened: AccountOpened, stop: Stop) -> AccountFrozen:
    return AccountFrozen(
        opening_id=opened.opening_id,
        consent_id=opened.consent_id,
        citizen_id=opened.citizen_id,
        bank_id=opened.bank_id,
        office_id=opened.office_id,
        clerk_id=opened.clerk_id,
        reason=stop.reason,
    )
