"""Law 44: what was said of a bank's list is so by the log, said once, and counted rightly.

Whether a line was *not* reported though it had to be, no log tells: it has no account numbers.
"""

from collections.abc import Iterator
from sys import intern

import msgspec
from typing_extensions import override

from services.accounts.facts import (
    AccountStillOpen,
    AccountUnconsented,
    Came,
    Counts,
    LinesReconciled,
    ReconciliationDone,
    ReconciliationStarted,
)
from services.accounts.reconciliation import STOPPED_BY, added
from services.audit.laws.answers import Answers
from services.audit.laws.cases import MARK_BYTES, as_bytes
from services.audit.laws.law import Group, Heard, Hearings, Violation

NOTED = (Came.MISMATCHED, Came.STOPPED, Came.WITHOUT_CONSENT, Came.BAD)
"""What came of lines that a batch has to list."""

SAID = {Came.WITHOUT_CONSENT: AccountUnconsented, Came.STOPPED: AccountStillOpen}
"""What came of lines of whose accounts a fact is due, and that fact."""

Raised = AccountUnconsented | AccountStillOpen


class Listing(msgspec.Struct):
    """A bank's list so far: its batches, and the lines of facts whose batch is still to come."""

    bank_id: str
    position: int
    last: int = 0
    counts: Counts = Counts()
    raised: dict[int, int] = {}
    done: int = 0


class Reconciled(Group):
    """The lists of banks."""

    def __init__(self, answers: Answers) -> None:
        """`answers` hears of a confirmed number before this does."""
        self._answers = answers
        self._lists = dict[str, Listing]()
        self._stopped = set[str]()
        self._said = dict[tuple[type[Raised], bytes], int]()

    @override
    def accounts(self) -> Hearings:
        return {
            **dict.fromkeys(STOPPED_BY, self._stop),
            ReconciliationStarted: self._started,
            AccountUnconsented: self._unconsented,
            AccountStillOpen: self._still_open,
            LinesReconciled: self._reconciled,
            ReconciliationDone: self._done,
        }

    def _stop(self, heard: Heard) -> Iterator[Violation]:
        self._stopped.add(heard.fact.opening_id)
        return iter(())

    def _started(self, heard: Heard) -> Iterator[Violation]:
        fact: ReconciliationStarted = heard.fact
        new = Listing(intern(fact.bank_id), heard.position)
        if (before := self._lists.setdefault(fact.reconciliation_id, new)) is not new:
            yield _wrong(heard, "begins a list again", before.position)

    def _unconsented(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountUnconsented = heard.fact
        if confirmed := self._answers.numbers.get(_mark(fact.account_id)):
            yield _wrong(heard, "says that nobody consented to what was confirmed", confirmed)
        yield from self._raised(heard)

    def _still_open(self, heard: Heard) -> Iterator[Violation]:
        if heard.fact.opening_id not in self._stopped:
            yield _wrong(heard, "says that an account is open still, which nothing stopped")
        yield from self._raised(heard)

    def _raised(self, heard: Heard) -> Iterator[Violation]:
        fact: Raised = heard.fact
        key = (type(fact), _mark(fact.account_id))
        before = self._said.setdefault(key, heard.position)
        if before != heard.position:
            yield _wrong(heard, "says again what was said of an account", before)
        if listing := self._lists.get(fact.reconciliation_id):
            listing.raised[fact.line] = heard.position
            if listing.bank_id != fact.bank_id:
                yield _wrong(heard, "says of another bank what a list says", listing.position)
        else:
            yield _wrong(heard, "tells of a list that never began")

    def _reconciled(self, heard: Heard) -> Iterator[Violation]:
        fact: LinesReconciled = heard.fact
        listing = self._lists.get(fact.reconciliation_id)
        if listing is None or listing.done or fact.first != listing.last + 1:
            yield _wrong(heard, "holds lines of a list out of their turn")
            return
        if not _counted(fact):
            yield _wrong(heard, "counts other lines than it lists")
        yield from self._all_said(heard, listing)
        listing.last, listing.counts = fact.last, added(listing.counts, fact.counts)

    def _all_said(self, heard: Heard, listing: Listing) -> Iterator[Violation]:
        """Yield a line of whose account nothing was said, or a fact whose line is not listed."""
        listed = {one.line: one for one in heard.fact.noted if one.came in SAID}
        for line, position in listing.raised.items():
            if line not in listed:
                yield _wrong(heard, f"does not list the line {line} of a fact", position)
        listing.raised.clear()
        for one in listed.values():
            if (SAID[one.came], _mark(one.account_id or "")) not in self._said:
                yield _wrong(heard, f"lists the line {one.line}, of which nothing was said")

    def _done(self, heard: Heard) -> Iterator[Violation]:
        fact: ReconciliationDone = heard.fact
        listing = self._lists.get(fact.reconciliation_id)
        if listing is None or listing.done or listing.raised:
            yield _wrong(heard, "ends a list out of its turn")
        elif listing.counts != fact.counts:
            yield _wrong(heard, "counts otherwise than the lines did", listing.position)
        if listing:
            listing.done = heard.position


def _counted(fact: LinesReconciled) -> bool:
    """Tell whether a batch counts the lines that it lists, and each line once."""
    counts = fact.counts
    came = [one.came for one in fact.noted]
    each = all(getattr(counts, one.value) == came.count(one) for one in NOTED)
    return each and counts.lines == sum(getattr(counts, one.value) for one in Came)


def _mark(account_id: str) -> bytes:
    return as_bytes(account_id)[:MARK_BYTES]


def _wrong(heard: Heard, how: str, *others: int) -> Violation:
    positions = (heard.position, *others)
    return Violation(44, "accounts", positions, f"{heard.position} {how}")
