"""The bank's list of what it really opened, held against what was allowed and confirmed here.

An account for which nobody consented is said, once: so a clerk is found who used the bank's own
app. What a line says of office and clerk is the bank's word, and nothing is decided by it.

A file is taken some lines at a time: each batch is one append, with the digest of the file up to
its end. The same file again finds each batch there, and another file under the same id does not
pass the first batch that differs. What was said of a line holds as of its batch; the next file
says what is so then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozen,
    AccountFrozenByBank,
    AccountOpened,
    AccountStillOpen,
    AccountUnconsented,
    Came,
    Counts,
    LinesReconciled,
    Noted,
    ReconciliationDone,
    ReconciliationRejected,
    ReconciliationStarted,
)
from shared.errors import Kind, Rejection, Unavailable
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about

ID_ENDS = "."
"""Stands between a bank's id and its own for a file; it is in neither, so no two banks meet."""

Stopping = AccountClosed | AccountDeclined | AccountFrozen | AccountFrozenByBank

STOPPED_BY: Mapping[type[Any], str] = {
    AccountClosed: "account_closed",
    AccountDeclined: "account_declined",
    AccountFrozen: "account_frozen",
    AccountFrozenByBank: "account_frozen",
}
"""What makes an account one that is not to be open, in a code."""

STOPS = (AccountClosed, AccountFrozen)
"""Of these, what stops a confirmed account: one that its bank froze is the bank's own affair."""

QUIET = frozenset({Came.MATCHED, Came.UNCONFIRMED})
"""What came of lines that nobody has to look at."""


def full_id(bank_id: str, own_id: str) -> str:
    """Return the id of a bank's reconciliation that facts carry."""
    return f"{bank_id}{ID_ENDS}{own_id}"


def own_id(reconciliation_id: str) -> str:
    """Return what the bank calls it."""
    return reconciliation_id.partition(ID_ENDS)[2]


def batch_id(reconciliation_id: str, number: int) -> str:
    """Return the id of a batch, counted from 0."""
    return f"{reconciliation_id}{ID_ENDS}{number}"


# -- a file begins, and ends ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """A bank's file, under its full id, up to a day."""

    reconciliation_id: str
    bank_id: str
    day: date
    batch_lines: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Finish:
    """A file that was read to its end: so many batches, its digest, and what came of it."""

    reconciliation_id: str
    bank_id: str
    day: date
    batches: int
    sha256: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Known:
    """What is recorded of a file: its start, what came of the batches asked for, its end."""

    started: ReconciliationStarted | None = None
    counts: Counts = field(default_factory=Counts)
    batches: int = 0
    done: ReconciliationDone | None = None


def known(state: Known, recorded: Recorded) -> Known:
    """Take in what is recorded of a file."""
    match recorded.fact:
        case ReconciliationStarted() as fact:
            return Known(fact, state.counts, state.batches, state.done)
        case LinesReconciled() as fact:
            counts = added(state.counts, fact.counts)
            return Known(state.started, counts, state.batches + 1, state.done)
        case ReconciliationDone() as fact:
            return Known(state.started, state.counts, state.batches, fact)
        case _:
            return state


def start_boundary(asked: Start) -> Sequence[DCBQueryItem]:
    """Return the arm: how this file began and ended."""
    kinds = [ReconciliationStarted, ReconciliationDone]
    return [about(f"reconciliation:{asked.reconciliation_id}", kinds=kinds)]


def start(state: Known, asked: Start) -> Sequence[ReconciliationStarted]:
    """Begin, or do nothing if it began; another day makes it another file."""
    if state.started is None:
        return [
            ReconciliationStarted(
                reconciliation_id=asked.reconciliation_id,
                bank_id=asked.bank_id,
                day=asked.day,
                batch_lines=asked.batch_lines,
            )
        ]
    if state.started.day != asked.day:
        raise reused(asked.reconciliation_id, asked.bank_id)
    return []


def finish_boundary(asked: Finish) -> Sequence[DCBQueryItem]:
    """Return the arms: the file's end, and a batch behind it, which none of this length has."""
    behind = batch_id(asked.reconciliation_id, asked.batches)
    return [
        about(f"reconciliation:{asked.reconciliation_id}", kinds=[ReconciliationDone]),
        about(f"batch:{behind}", kinds=[LinesReconciled]),
    ]


def finish(state: Known, asked: Finish) -> Sequence[ReconciliationDone]:
    """End, or do nothing if this very file has ended."""
    if state.batches or (state.done and state.done.sha256 != asked.sha256):
        raise reused(asked.reconciliation_id, asked.bank_id)
    if state.done:
        return []
    return [
        ReconciliationDone(
            reconciliation_id=asked.reconciliation_id,
            bank_id=asked.bank_id,
            day=asked.day,
            counts=asked.counts,
            sha256=asked.sha256,
        )
    ]


START = Verb(boundary=start_boundary, initial=Known(), evolve=known, decide=start)
FINISH = Verb(boundary=finish_boundary, initial=Known(), evolve=known, decide=finish)


# -- some lines of it -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A line that can be read: its number, and the account that it says was opened."""

    line: int
    account_id: str
    account_end: str
    opened_at: datetime
    opening_id: str | None = None
    office_id: str | None = None
    clerk_id: str | None = None
    product_id: str | None = None
    named_before: bool = False
    """Whether an earlier line of the file names the same opening for another account."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Lines to be held against what is recorded, and those that cannot be read.

    `confirmed` are the openings under which their accounts were confirmed when that was looked up,
    `named` the others that they name.
    """

    reconciliation_id: str
    bank_id: str
    number: int
    first: int
    last: int
    digest: str
    listed: Sequence[Listed] = ()
    bad: Sequence[Noted] = ()
    confirmed: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()


Chain = tuple[Any, Recorded] | None
"""The facts of a boundary, the last first: a batch has a thousand, and a tuple of them would be
made a thousand times."""


def accounts_arms(listed: Sequence[Listed]) -> list[DCBQueryItem]:
    """Return the arms that find what is recorded of the accounts themselves."""
    kinds = [AccountConfirmed, AccountUnconsented, AccountStillOpen]
    return [about(f"account:{one.account_id}", kinds=kinds) for one in listed]


def boundary(batch: Batch) -> Sequence[DCBQueryItem]:
    """Return the arms: the batch, the file's end, each account, and each opening concerned."""
    kinds = [AccountOpened, AccountConfirmed, *STOPPED_BY]
    own = batch_id(batch.reconciliation_id, batch.number)
    return [
        about(f"batch:{own}", kinds=[LinesReconciled]),
        about(f"reconciliation:{batch.reconciliation_id}", kinds=[ReconciliationDone]),
        *accounts_arms(batch.listed),
        *(about(f"opening:{one}", kinds=STOPS) for one in sorted(batch.confirmed)),
        *(about(f"opening:{one}", kinds=kinds) for one in sorted(batch.named)),
    ]


def linked(chain: Chain, recorded: Recorded) -> Chain:
    """Take in a fact."""
    return (chain, recorded)


class Found:
    """What is recorded of the accounts and openings of a batch, by their ids."""

    def __init__(self, chain: Chain) -> None:
        self.batch: LinesReconciled | None = None
        self.done = False
        self.confirmed = dict[str, AccountConfirmed]()
        self.said = set[tuple[type[Any], str]]()
        self.opened = dict[str, AccountOpened]()
        self.answered = dict[str, AccountConfirmed]()
        self.stopped = dict[str, Stopping]()
        self.held = dict[str, AccountFrozenByBank]()
        while chain:
            chain, recorded = chain
            self._take(recorded.fact)

    def _take(self, fact: Any) -> None:
        match fact:
            case AccountConfirmed():
                self.confirmed[fact.account_id] = self.answered[fact.opening_id] = fact
            case AccountFrozen() | AccountDeclined() | AccountClosed():
                self.stopped[fact.opening_id] = fact
            case AccountFrozenByBank():
                self.held[fact.opening_id] = fact
            case AccountOpened():
                self.opened[fact.opening_id] = fact
            case AccountUnconsented() | AccountStillOpen():
                self.said.add((type(fact), fact.account_id))
            case LinesReconciled():
                self.batch = fact
            case ReconciliationDone():
                self.done = True
            case _:
                pass


def decide(chain: Chain, batch: Batch) -> Sequence[Any]:
    """Say what came of each line, or do nothing if that was said of these very lines.

    Raises `Rejection` for other lines than those that were taken here before, and `Unavailable` if
    an account was confirmed since its opening was looked for.
    """
    found = Found(chain)
    if found.batch and found.batch.digest == batch.digest:
        return []
    if found.batch or found.done:
        raise reused(batch.reconciliation_id, batch.bank_id)
    looked = batch.confirmed | batch.named
    if any(one.opening_id not in looked for one in found.confirmed.values()):
        raise Unavailable("contended")
    noted, counts = list(batch.bad), dict.fromkeys(Came, 0) | {Came.BAD: len(batch.bad)}
    for line in batch.listed:
        came, code = came_of(line, batch.bank_id, found)
        counts[came] += 1
        if came not in QUIET:
            noted.append(_noted(line, came, code))
    noted.sort(key=lambda one: one.line)
    raised = list(_raised(batch, noted, found))
    return [*raised, _reconciled(batch, noted, counts)]


RECONCILE = Verb(boundary=boundary, initial=None, evolve=linked, decide=decide)


def came_of(line: Listed, bank_id: str, found: Found) -> tuple[Came, str]:
    """Return what came of a line, and why, in a code; empty where nobody has to look."""
    if confirmed := found.confirmed.get(line.account_id):
        if stopped := found.stopped.get(confirmed.opening_id):
            return Came.STOPPED, STOPPED_BY[type(stopped)]
        if line.opening_id not in {None, confirmed.opening_id}:
            return Came.MISMATCHED, "opening_differs"
        return Came.MATCHED, ""
    if line.opening_id is None:
        return Came.WITHOUT_CONSENT, "opening_not_named"
    opened = found.opened.get(line.opening_id)
    if opened is None or opened.bank_id != bank_id:
        return Came.WITHOUT_CONSENT, "opening_unknown"
    if line.opening_id in found.answered or line.named_before:
        return Came.WITHOUT_CONSENT, "opening_of_another_account"
    if stopped := found.stopped.get(line.opening_id) or found.held.get(line.opening_id):
        return Came.STOPPED, STOPPED_BY[type(stopped)]
    return Came.UNCONFIRMED, ""


def _noted(line: Listed, came: Came, code: str) -> Noted:
    said = asdict(line)
    del said["named_before"]
    return Noted(came=came, code=code, **said)


def _raised(
    batch: Batch, noted: Sequence[Noted], found: Found
) -> Iterator[AccountUnconsented | AccountStillOpen]:
    """Yield what is said of accounts of which it was not said before."""
    for one in noted:
        said = {name: getattr(one, name) for name in _SAID}
        said |= {"bank_id": batch.bank_id, "reconciliation_id": batch.reconciliation_id}
        said["why"] = one.code
        kinds = {Came.WITHOUT_CONSENT: AccountUnconsented, Came.STOPPED: AccountStillOpen}
        kind = kinds.get(one.came)
        if kind is None or (kind, one.account_id) in found.said:
            continue
        if kind is AccountStillOpen and said["opening_id"] is None:
            said["opening_id"] = found.confirmed[said["account_id"]].opening_id
        yield kind(**said)


_SAID = (
    *("line", "account_id", "account_end", "opened_at"),
    *("opening_id", "office_id", "clerk_id", "product_id"),
)


def _reconciled(batch: Batch, noted: list[Noted], counts: Mapping[Came, int]) -> LinesReconciled:
    lines = len(batch.listed) + len(batch.bad)
    return LinesReconciled(
        batch_id=batch_id(batch.reconciliation_id, batch.number),
        reconciliation_id=batch.reconciliation_id,
        bank_id=batch.bank_id,
        first=batch.first,
        last=batch.last,
        digest=batch.digest,
        counts=Counts(lines=lines, **{came.value: number for came, number in counts.items()}),
        noted=noted,
    )


def added(one: Counts, other: Counts) -> Counts:
    """Return the sum of both."""
    pairs = zip(asdict(one).items(), asdict(other).values(), strict=True)
    return Counts(**{name: first + second for (name, first), second in pairs})


# -- what is not taken ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Refuse:
    """A file that cannot be taken, and the code that says why."""

    reconciliation_id: str
    bank_id: str
    kind: Kind
    code: str


def refuse(_: Known, asked: Refuse) -> Sequence[Any]:
    """Reject it."""
    raise rejected(asked.reconciliation_id, asked.bank_id, asked.kind, asked.code)


def refuse_boundary(asked: Refuse) -> Sequence[DCBQueryItem]:
    """Return an arm that finds next to nothing; none at all would be the whole log."""
    return [about(f"reconciliation:{asked.reconciliation_id}", kinds=[ReconciliationStarted])]


REFUSE = Verb(boundary=refuse_boundary, initial=Known(), evolve=known, decide=refuse)


def reused(reconciliation_id: str, bank_id: str) -> Rejection:
    """Return the no to another file under an id that stands for one."""
    return rejected(reconciliation_id, bank_id, Kind.CONFLICT, "reconciliation_id_reused")


def rejected(reconciliation_id: str, bank_id: str, kind: Kind, code: str) -> Rejection:
    """Return a no with its fact."""
    fact = ReconciliationRejected(
        reconciliation_id=reconciliation_id, bank_id=bank_id, reasons=[code]
    )
    return Rejection(kind, code, facts=[fact])
