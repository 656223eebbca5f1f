"""What a bank does to its own account later: it freezes it, or closes it.

A freezing here is the bank's own; that of a stopped consent comes by itself (`stops.py`), also to
what the bank has frozen, or closed. What is closed stays so: nothing is confirmed, declined or
frozen by the bank behind that. What the bank declined was never an account.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from eventsourcing.dcb.api import DCBQueryItem
from msgspec import UNSET

from services.accounts.answers import KINDS, Answered, Said, evolve, rejected
from services.accounts.facts import (
    AccountClosed,
    AccountDeclined,
    AccountFrozenByBank,
    AccountOpened,
)
from shared.errors import Kind, Reason
from shared.ledger.log import Verb, about


@dataclass(frozen=True, kw_only=True, slots=True)
class Freeze(Said):
    """The bank lets nothing happen with its account; why, in a code of its own."""

    WORD: ClassVar[str] = "frozen"

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Close(Said):
    """The bank ends its account; why, in a code of its own."""

    WORD: ClassVar[str] = "closed"

    reason: str


Order = Freeze | Close


def boundary(order: Order) -> Sequence[DCBQueryItem]:
    """Return all that became of this opening."""
    return [about(f"opening:{order.opening_id}", kinds=KINDS)]


def decide(answered: Answered, order: Order) -> Sequence[AccountFrozenByBank | AccountClosed]:
    """Do it, or nothing if it was done; else reject. Another bank's account is unknown."""
    opened = answered.opened
    if opened is None or opened.bank_id != order.bank_id:
        raise rejected(None, order, Kind.UNKNOWN, [Reason("opening_unknown")])
    fact = _fact(order, opened)
    if any(replace(one, signed=UNSET) == replace(fact, signed=UNSET) for _, one in _done(answered)):
        return []
    if reasons := list(_conflicts(answered, order)):
        raise rejected(opened, order, Kind.CONFLICT, reasons)
    return [fact]


ORDER = Verb(boundary=boundary, initial=Answered(), evolve=evolve, decide=decide)


def _done(answered: Answered) -> Sequence[tuple[int, AccountFrozenByBank | AccountClosed]]:
    return answered.orders or ()


def _fact(order: Order, opened: AccountOpened) -> AccountFrozenByBank | AccountClosed:
    kind = AccountFrozenByBank if isinstance(order, Freeze) else AccountClosed
    return kind(
        opening_id=order.opening_id,
        citizen_id=opened.citizen_id,
        bank_id=order.bank_id,
        reason=order.reason,
        signed=order.signed,
    )


def _conflicts(answered: Answered, order: Order) -> Iterator[Reason]:
    declined = [p for p, one in answered.answers if isinstance(one, AccountDeclined)]
    frozen = [p for p, one in _done(answered) if isinstance(one, AccountFrozenByBank)]
    if declined:
        yield Reason("account_declined", tuple(declined))
    if answered.closed:
        yield Reason("account_closed", answered.closed)
    if frozen and isinstance(order, Freeze):
        yield Reason("account_frozen", tuple(frozen))
