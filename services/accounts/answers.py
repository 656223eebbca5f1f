"""The bank's answer to an opening: it confirms with its account number, or declines. Once.

Only the bank of the opening answers (Circular 07/2024 art. 4: an agent submits, the bank opens).
An account number stands for one opening. What is frozen is not confirmed any more, and what is
closed is not answered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from eventsourcing.dcb.api import DCBQueryItem
from msgspec import UNSET, UnsetType

from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozen,
    AccountFrozenByBank,
    AccountOpened,
    AnswerRejected,
)
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about
from shared.message_signatures.requests import SignedRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a bank says of an opening, signed where it came as a command; `WORD` names it."""

    WORD: ClassVar[str]

    opening_id: str
    bank_id: str
    signed: SignedRequest | UnsetType = UNSET


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirm(Said):
    """The bank's yes: the keyed mark of its account number, and the number's last digits."""

    WORD: ClassVar[str] = "confirmed"

    account_id: str
    account_end: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decline(Said):
    """The bank's no, and its reason in a code of its own."""

    WORD: ClassVar[str] = "declined"

    reason: str


Answer = Confirm | Decline


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer depends on, and what the bank does later.

    `orders` came later: unset, they are in no bytes, so that a state keeps its digest.
    """

    opened: AccountOpened | None = None
    frozen: tuple[int, ...] = ()
    answers: tuple[tuple[int, AccountConfirmed | AccountDeclined], ...] = ()
    orders: tuple[tuple[int, AccountFrozenByBank | AccountClosed], ...] | UnsetType = UNSET

    @property
    def closed(self) -> tuple[int, ...]:
        """Return where the bank closed it."""
        return tuple(place for place, one in self.orders or () if isinstance(one, AccountClosed))


KINDS = [
    AccountOpened,
    AccountFrozen,
    AccountFrozenByBank,
    AccountConfirmed,
    AccountDeclined,
    AccountClosed,
]
"""All that becomes of an opening."""


def boundary(answer: Answer) -> Sequence[DCBQueryItem]:
    """Return the arms: this opening, and whatever has this account number."""
    arms = [about(f"opening:{answer.opening_id}", kinds=KINDS)]
    if isinstance(answer, Confirm):
        arms.append(about(f"account:{answer.account_id}", kinds=[AccountConfirmed]))
    return arms


def evolve(answered: Answered, recorded: Recorded) -> Answered:
    """Collect the opening and the answers."""
    match recorded.fact:
        case AccountOpened() as fact:
            return replace(answered, opened=fact)
        case AccountFrozen():
            return replace(answered, frozen=(*answered.frozen, recorded.position))
        case AccountFrozenByBank() as fact:
            frozen = (*answered.frozen, recorded.position)
            orders = (*(answered.orders or ()), (recorded.position, fact))
            return replace(answered, frozen=frozen, orders=orders)
        case AccountClosed() as fact:
            return replace(answered, orders=(*(answered.orders or ()), (recorded.position, fact)))
        case AccountConfirmed() | AccountDeclined() as fact:
            return replace(answered, answers=(*answered.answers, (recorded.position, fact)))
        case _:
            return answered


def decide(answered: Answered, answer: Answer) -> Sequence[AccountConfirmed | AccountDeclined]:
    """Take the answer, or do nothing if it was given; else reject."""
    opened = answered.opened
    if opened is None or opened.bank_id != answer.bank_id:
        raise rejected(None, answer, Kind.UNKNOWN, [Reason("opening_unknown")])
    fact = _fact(answer, opened)
    if any(_unsigned(one) == _unsigned(fact) for _, one in answered.answers):
        return []
    if reasons := list(_conflicts(answered, answer)):
        raise rejected(opened, answer, Kind.CONFLICT, reasons)
    return [fact]


ANSWER = Verb(boundary=boundary, initial=Answered(), evolve=evolve, decide=decide)


def _unsigned(fact: AccountConfirmed | AccountDeclined) -> AccountConfirmed | AccountDeclined:
    """Return what an answer says, without its signature, of which each sending has another."""
    return replace(fact, signed=UNSET) if isinstance(fact, AccountDeclined) else fact


def _fact(answer: Answer, opened: AccountOpened) -> AccountConfirmed | AccountDeclined:
    if isinstance(answer, Decline):
        return AccountDeclined(
            opening_id=answer.opening_id,
            citizen_id=opened.citizen_id,
            bank_id=answer.bank_id,
            reason=answer.reason,
            signed=answer.signed,
        )
    return AccountConfirmed(
        opening_id=answer.opening_id,
        citizen_id=opened.citizen_id,
        bank_id=answer.bank_id,
        account_id=answer.account_id,
        account_end=answer.account_end,
    )


def _conflicts(answered: Answered, answer: Answer) -> Iterator[Reason]:
    own = tuple(p for p, one in answered.answers if one.opening_id == answer.opening_id)
    others = tuple(p for p, one in answered.answers if one.opening_id != answer.opening_id)
    if answered.closed:
        yield Reason("account_closed", answered.closed)
    if answered.frozen and isinstance(answer, Confirm):
        yield Reason("account_frozen", answered.frozen)
    if own:
        yield Reason("already_answered", own)
    if others:
        yield Reason("account_number_used", others)


def rejected(own: AccountOpened | None, said: Said, kind: Kind, reasons: list[Reason]) -> Rejection:
    """Return the no; of another bank's opening it does not say where that was made."""
    fact = AnswerRejected(
        opening_id=said.opening_id,
        bank_id=said.bank_id,
        answer=said.WORD,
        reasons=[reason.code for reason in reasons],
        office_id=own.office_id if own else None,
        site_id=own.site_id if own else None,
        clerk_id=own.clerk_id if own else None,
    )
    return Rejection(kind, "answer_rejected", reasons=reasons, facts=[fact])
