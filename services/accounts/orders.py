"""What a bank does to its own account later: it freezes it, or closes it.

A freezing here is the bank's own; that of a stopped consent comes by itself (`stops.py`), also to
what the bank has frozen, or closed. What is closed stays so: nothing is confirmed, declined or
frozen by the bank behind that. What the bank declined was never an account.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from eventsourcing.dcb.api import DCBQueryItem
from msgspec import UNSET, UnsetType

from services.accounts.answers import KINDS, Answered, evolve
from services.accounts.facts import (
    AccountClosed,
    AccountDeclined,
    AccountFrozenByBank,
    AccountOpened,
    AnswerRejected,
)
from shared.errors import Kind, Reason, Rejection
from shared.ledger.log import Verb, about
from shared.message_signatures.requests import SignedRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Freeze:
    """The bank lets nothing happen with its account; why, in a code of its own."""

    opening_id: str
    bank_id: str
    reason: str
    signed: SignedRequest | UnsetType = UNSET


@dataclass(frozen=True, kw_only=True, slots=True)
class Close:
    """The bank ends its account; why, in a code of its own."""

    opening_id: str
    bank_id: str
    reason: str
    signed: SignedRequest | UnsetType = UNSET


Order = Freeze | Close


def boundary(order: Order) -> Sequence[DCBQueryItem]:
    """Return all that became of this opening."""
    return [about(f"opening:{order.opening_id}", kinds=KINDS)]


def decide(answered: Answered, order: Order) -> Sequence[AccountFrozenByBank | AccountClosed]:
    """Do it, or nothing if it was done; else reject. Another bank's account is unknown."""
    opened = answered.opened
    if opened is None or opened.bank_id != order.bank_id:
        raise _rejection(None, order, Kind.UNKNOWN, [Reason("opening_unknown")])
    fact = _fact(order, opened)
    if any(replace(one, signed=UNSET) == replace(fact, signed=UNSET) for _, one in _done(answered)):
        return []
    if reasons := list(_conflicts(answered, order)):
        raise _rejection(opened, order, Kind.CONFLICT, reasons)
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


def _rejection(
    own: AccountOpened | None, order: Order, kind: Kind, reasons: list[Reason]
) -> Rejection:
    """Return the no; of another bank's opening it does not say where that was made."""
    fact = AnswerRejected(
        opening_id=order.opening_id,
        bank_id=order.bank_id,
        answer="frozen" if isinstance(order, Freeze) else "closed",
        reasons=[reason.code for reason in reasons],
        office_id=own.office_id if own else None,
        site_id=own.site_id if own else None,
        clerk_id=own.clerk_id if own else None,
    )
    return Rejection(kind, "answer_rejected", reasons=reasons, facts=[fact])
