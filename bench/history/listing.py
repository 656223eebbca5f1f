"""What is recorded of a bank's list of the accounts that it really opened, soundly and not."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from bench.history.agreeing import changed
from bench.history.case import Case
from bench.history.flows import agreed, plain, used
from bench.history.lives import registered
from bench.history.looking import minutes
from bench.history.planted import Deed
from bench.history.question import Way
from bench.history.using import OPENED, in_accounts
from bench.history.world import Steps, World
from services.accounts.facts import (
    AccountConfirmed,
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
from services.accounts.reconciliation import batch_id, full_id
from shared.contracts.consent import Channel, Grade

ORPHAN, LINES, DONE = "account.unconsented.1", "lines.reconciled.1", "reconciliation.done.1"


def reported(world: World) -> Steps:
    """Let a bank decline an account, open it all the same, and list it beside one of its own."""
    product = world.chance.random.choice(world.products)
    way = Way(Channel.ONLINE, Grade.OTP, known=True)
    case = Case(world, registered(world), product, None, way)
    yield from agreed(case)
    yield from used(case)
    if OPENED not in case.places:
        return
    yield minutes(5, 50, world)
    case.decline()
    yield minutes(600, 1500, world)
    _list(case, world.chance.mark(), still_open=world.chance.mark())
    named = {"reconciliation_id": full_id(product.bank_id, "r"), "bank_id": product.bank_id}
    world.record_in_accounts(ReconciliationRejected(**named, reasons=["header_malformed"]))


def _list(case: Case, orphan: str, still_open: str | None = None) -> None:
    """Record a list: a confirmed account, or one open still; and one that nobody consented to."""
    bank_id, day = case.product.bank_id, case.world.now.date()
    own = full_id(bank_id, case.world.chance.id("r"))
    named: dict[str, Any] = {"reconciliation_id": own, "bank_id": bank_id}
    counts = Counts(lines=2, matched=1, without_consent=1)
    digest = case.world.chance.mark()
    noted = [_noted(case, 3, orphan, Came.WITHOUT_CONSENT, "opening_not_named")]
    case.put_in_accounts(ReconciliationStarted(**named, day=day, batch_lines=500))
    if still_open:
        counts = Counts(lines=2, stopped=1, without_consent=1)
        stopped = _noted(case, 2, still_open, Came.STOPPED, "account_declined")
        noted.insert(0, replace(stopped, opening_id=case.opening_id))
        case.put_in_accounts(AccountStillOpen(**named, **_said(noted[0])))
    case.put_in_accounts(AccountUnconsented(**named, **_said(noted[-1])))
    batch: dict[str, Any] = {"batch_id": batch_id(own, 0), "first": 1, "last": 3, "digest": digest}
    case.put_in_accounts(LinesReconciled(**named, **batch, counts=counts, noted=noted))
    case.put_in_accounts(ReconciliationDone(**named, day=day, counts=counts, sha256=digest))


def _noted(case: Case, line: int, mark: str, came: Came, code: str) -> Noted:
    place = case.world.any_place()
    return Noted(
        line=line,
        came=came,
        code=code,
        account_id=mark,
        account_end="0001",
        opened_at=case.world.now,
        office_id=place.office_id,
        clerk_id=place.clerk_id,
    )


def _said(noted: Noted) -> dict[str, Any]:
    """Return what a fact says of a line that is listed."""
    said = {one.name: getattr(noted, one.name) for one in fields(noted)}
    del said["came"], said["column"]
    said["why"] = said.pop("code")
    return said


def _reported(mark: Callable[[Case, AccountConfirmed], str]) -> Callable[[Case], Steps]:
    """Return the steps of an account that is confirmed, and of the bank's list a day later."""

    def flow(case: Case) -> Steps:
        yield from plain(case)
        yield minutes(600, 1500, case.world)
        _list(case, mark(case, case.confirmed))

    return flow


def _another(case: Case, _: AccountConfirmed) -> str:
    return case.world.chance.mark()


def _listed_twice(case: Case) -> Steps:
    """Say in two lists of one account that nobody consented to it."""
    yield from plain(case)
    mark = case.world.chance.mark()
    for _ in range(2):
        yield minutes(600, 1500, case.world)
        _list(case, mark)


LISTING = [
    Deed(
        "an orphan that was confirmed",
        (in_accounts(44, ORPHAN),),
        _reported(lambda _, confirmed: confirmed.account_id),
    ),
    Deed("an orphan twice", (in_accounts(44, ORPHAN),), _listed_twice),
    Deed(
        "lines counted otherwise",
        (in_accounts(44, LINES),),
        _reported(_another),
        twists=dict.fromkeys((LINES, DONE), changed(counts=Counts(lines=2, matched=2))),
    ),
    Deed(
        "a list counted otherwise",
        (in_accounts(44, DONE),),
        _reported(_another),
        twists={DONE: changed(counts=Counts(lines=2, matched=2))},
    ),
]
"""Deeds about a bank's list."""
