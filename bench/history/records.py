"""Deeds about what is recorded of accounts that are there: answers, looks, reasons, tags."""

from collections.abc import Callable
from dataclasses import replace

from bench.history.agreeing import changed, marked
from bench.history.case import Case
from bench.history.flows import agreed, plain, used
from bench.history.keys import canonical_fast
from bench.history.looking import look_at_account, minutes
from bench.history.planted import Broken, Deed
from bench.history.rejecting import reject_opening, reject_request
from bench.history.using import in_accounts
from bench.history.world import Steps
from services.accounts.facts import AccountClosed, AccountFrozenByBank, OpeningRejected
from services.consent.facts import (
    NoticeServed,
)
from shared.contracts.consent import Channel, Grade
from shared.looks import ReadFor

DECLINED = "account.declined.1"
SERVED, REJECTED = "notice.served.1", "opening.rejected.1"
USED, OPENED = "consent.redeemed.1", "account.opened.1"
ANSWERED, LOOKED = "account.confirmed.1", "account.read.1"
CLAIMED = "request.claimed.1"
CAPTURED = "identity.captured.1"
COUNTER, KEY_UV = Channel.COUNTER, Grade.KEY_UV


# -- answered -------------------------------------------------------------------------------------


def _confirmed_twice(case: Case) -> Steps:
    yield from plain(case)
    yield minutes(5, 500, case.world)
    case.confirm()


def _unopened(case: Case) -> Steps:
    yield from agreed(case)
    case.confirm()


def _declined(case: Case) -> Steps:
    yield from agreed(case)
    yield from used(case)
    yield minutes(5, 50, case.world)
    case.decline()


def _declined_signed(case: Case) -> Steps:
    yield from agreed(case)
    yield from used(case)
    yield minutes(5, 50, case.world)
    case.decline(signed=True)


def _declined_too(case: Case) -> Steps:
    yield from plain(case)
    yield minutes(5, 500, case.world)
    case.decline()


def _closed_twice(case: Case) -> Steps:
    yield from plain(case)
    for reason in ("at_request", "no_longer_used"):
        yield minutes(5, 500, case.world)
        case.order(AccountClosed, reason)


def _frozen_behind(case: Case) -> Steps:
    yield from plain(case)
    for kind in (AccountClosed, AccountFrozenByBank):
        yield minutes(5, 500, case.world)
        case.order(kind, "at_request")


def _key_twice(case: Case) -> Steps:
    bank = f"bank:{case.product.bank_id}"
    request_id = case.claim(bank)
    case.places["first claim"] = case.places[CLAIMED]
    yield minutes(5, 500, case.world)
    case.claim(bank, request_id)


def _same_number(case: Case) -> Steps:
    """Confirm with the number of another account."""
    first = Case(case.world, case.person, case.product, None, case.way)
    yield from plain(first)
    number = first.confirmed.account_id
    case.twists = {ANSWERED: lambda fact: replace(fact, account_id=number)}
    yield minutes(120, 600, case.world)
    yield from plain(case)


# -- looked and recorded --------------------------------------------------------------------------


def looked(by: Callable[[Case], str], purpose: ReadFor) -> Callable[[Case], Steps]:
    """Return the steps in which somebody looks whose business it is not."""

    def flow(case: Case) -> Steps:
        yield from plain(case)
        yield minutes(5, 500, case.world)
        look_at_account(case, by(case), purpose)

    return flow


def _another_bank(case: Case) -> str:
    others = [one.bank_id for one in case.world.products if one.bank_id != case.product.bank_id]
    return f"bank:{others[0]}"


def _looked_twice(case: Case) -> Steps:
    yield from plain(case)
    yield minutes(5, 500, case.world)
    look = look_at_account(case, "regulator:nhnn", ReadFor.SUPERVISION)
    case.places["first look"] = case.places[LOOKED]
    case.put_in_accounts(look)


def _rejected_request(*reasons: str) -> Callable[[Case], Steps]:
    def flow(case: Case) -> Steps:
        reject_request(case, list(reasons))
        yield from ()

    return flow


def _rejected_opening(*reasons: str) -> Callable[[Case], Steps]:
    def flow(case: Case) -> Steps:
        case.send(consent=None)
        reject_opening(case, list(reasons))
        yield from ()

    return flow


def _untagged(case: Case) -> Steps:
    """Record a text that was served so that its consent does not find it."""
    case.ask()
    yield minutes(1, 3, case.world)
    fact = NoticeServed(
        consent_id=case.consent_id,
        notice_id="open-account.2",
        notice_lang="vi",
        notice_hash=case.notice_hash,
    )
    world = case.world
    data = canonical_fast(fact)
    case.places[SERVED] = world.consent.add_raw(world.now, SERVED, [], data, [])


def _overtagged(case: Case) -> Steps:
    """Record a rejection so that another citizen's page shows it."""
    case.send(consent=None)
    world, command = case.world, case.send(consent=None)
    fact = OpeningRejected(
        opening_id=command.opening_id,
        citizen_id=None,
        bank_id=command.bank_id,
        product_id=None,
        purpose=None,
        office_id=None,
        site_id=None,
        clerk_id=None,
        command_hash=None,
        commanded_by=f"bank:{command.bank_id}",
        reasons=["malformed"],
    )
    tags = [f"opening:{command.opening_id}", f"citizen:{case.person.id}"]
    data = canonical_fast(fact)
    case.places[REJECTED] = world.accounts.add_raw(world.now, REJECTED, tags, data, [])
    yield from ()


RECORDS = [
    Deed("confirmed twice", (in_accounts(12, ANSWERED),), _confirmed_twice),
    Deed("confirmed, nothing opened", (in_accounts(12, ANSWERED),), _unopened),
    Deed("confirmed, then declined", (in_accounts(12, "account.declined.1"),), _declined_too),
    Deed("a key for two requests", (Broken(45, (CLAIMED, "first claim")),), _key_twice),
    Deed("closed twice", (in_accounts(43, "account.closed.1"),), _closed_twice),
    Deed("frozen once closed", (in_accounts(43, "account.frozen_by_bank.1"),), _frozen_behind),
    Deed("a number for two accounts", (in_accounts(12, ANSWERED),), _same_number),
    Deed("no such reason", (Broken(13, ("request.rejected.1",)),), _rejected_request("because")),
    Deed("no reason", (in_accounts(13, "opening.rejected.1"),), _rejected_opening()),
    Deed(
        "a phone in a bank's reason",
        (in_accounts(15, DECLINED),),
        _declined,
        twists={DECLINED: changed(reason="+84912000000")},
    ),
    Deed(
        "a signed no that was changed",
        (in_accounts(42, DECLINED),),
        _declined_signed,
        twists={DECLINED: changed(reason="duplicate")},
    ),
    Deed(
        "a phone for a product",
        (Broken(15, ("request.rejected.1",)),),
        _rejected_request("product_unknown"),
        twists={"request.rejected.1": changed(product_id="+84912000000")},
    ),
    Deed("found by no tag", (Broken(14, ("notice.served.1",)),), _untagged),
    Deed("found by another's tag", (in_accounts(14, "opening.rejected.1"),), _overtagged),
    Deed(
        "another bank looked",
        (in_accounts(21, LOOKED),),
        looked(_another_bank, ReadFor.OWN_QUESTION),
    ),
    Deed(
        "for a page that nobody asked for",
        (in_accounts(21, LOOKED),),
        looked(lambda _: "service:consent", ReadFor.OWN_PAGE),
    ),
    Deed("a look recorded twice", (in_accounts(21, LOOKED, "first look"),), _looked_twice),
    Deed(
        "a look under another id",
        (in_accounts(21, LOOKED),),
        looked(lambda _: "regulator:nhnn", ReadFor.SUPERVISION),
        twists={LOOKED: marked("look_id")},
    ),
]
"""Deeds about answers, looks, reasons and tags."""
