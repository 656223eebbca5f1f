"""Laws 12 and 43: what a bank answers, once, to what was opened; what it freezes and closes."""

from collections.abc import Iterator
from sys import intern

import msgspec
from typing_extensions import override

from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozenByBank,
    AccountOpened,
)
from services.audit.laws.cases import MARK_BYTES, as_bytes
from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation


class Opening(msgspec.Struct, gc=False):
    """An account that was allowed, and where the bank answered."""

    bank_id: str
    position: int
    answered: int = 0
    declined: int = 0
    closed: int = 0


class Answers(Group):
    """The answers of banks."""

    def __init__(self) -> None:
        self._openings = dict[str, Opening]()
        self.numbers = dict[bytes, int]()
        """Where each account number was confirmed first, by the beginning of its mark."""

    @override
    def accounts(self) -> Hearings:
        return {
            AccountOpened: self._opened,
            AccountConfirmed: self._confirmed,
            AccountDeclined: self._declined,
            AccountFrozenByBank: self._ordered,
            AccountClosed: self._ordered,
        }

    def _opened(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountOpened = heard.fact
        new = Opening(intern(fact.bank_id), heard.position)
        if (before := self._openings.setdefault(fact.opening_id, new)) is not new:
            how = f"opened at {before.position}, and again at {heard.position}"
            yield Violation(12, "accounts", (heard.position, before.position), how)

    def _confirmed(self, heard: Heard) -> Iterator[Violation]:
        yield from self._answered(heard)
        number = as_bytes(heard.fact.account_id)[:MARK_BYTES]
        before = self.numbers.setdefault(number, heard.position)
        if before != heard.position:
            how = f"the number at {heard.position} is that of {before}"
            yield Violation(12, "accounts", (heard.position, before), how)

    def _declined(self, heard: Heard) -> Iterator[Violation]:
        yield from self._answered(heard)
        if opening := self._openings.get(heard.fact.opening_id):
            opening.declined = opening.declined or heard.position

    def _ordered(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountFrozenByBank | AccountClosed = heard.fact
        at, opening = heard.position, self._openings.get(fact.opening_id)
        if opening is None or opening.declined:
            how = f"frozen or closed at {at} though there is no account"
            yield Violation(43, "accounts", (at,), how)
            return
        if opening.bank_id != fact.bank_id:
            how = f"frozen or closed at {at} by another bank than the account's"
            yield Violation(43, "accounts", (at, opening.position), how)
        yield from _behind_closure(opening, at)
        if isinstance(fact, AccountClosed):
            opening.closed = opening.closed or at

    def _answered(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountConfirmed | AccountDeclined = heard.fact
        at, opening = heard.position, self._openings.get(fact.opening_id)
        if opening is None:
            how = f"answered at {at} though nothing was opened"
            yield Violation(12, "accounts", (at,), how)
            return
        if opening.answered:
            how = f"answered at {opening.answered}, and again at {at}"
            yield Violation(12, "accounts", (at, opening.answered), how)
        yield from _behind_closure(opening, at)
        if opening.bank_id != fact.bank_id:
            how = f"answered at {at} by another bank than the account's"
            yield Violation(35, "accounts", (at, opening.position), how)
        opening.answered = opening.answered or at
        yield from NOTHING


def _behind_closure(opening: Opening, at: int) -> Iterator[Violation]:
    if opening.closed:
        how = f"something was done at {at} with what was closed at {opening.closed}"
        yield Violation(43, "accounts", (at, opening.closed), how)
