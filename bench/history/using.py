"""Deeds about what follows an agreement: at counters, uses, and accounts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.history.agreeing import changed, left_out, marked
from bench.history.case import Case
from bench.history.flows import agreed, plain, signed
from bench.history.looking import minutes, pace
from bench.history.planted import Broken, Deed
from bench.history.world import Steps
from shared.contracts.consent import CONSENT_EVENT, REDEMPTION, Channel, Decision, Grade

USED, OPENED = "consent.redeemed.1", "account.opened.1"
ANSWERED, LOOKED = "account.confirmed.1", "account.read.1"
CAPTURED = "identity.captured.1"
COUNTER, KEY_UV = Channel.COUNTER, Grade.KEY_UV


def in_accounts(law: int, *kinds: str) -> Broken:
    """Return a law that is broken in the log of accounts."""
    return Broken(law, kinds, "accounts")


# -- used -----------------------------------------------------------------------------------------


def _twice(case: Case) -> Steps:
    """Use a consent, and at once a second time."""
    yield from agreed(case)
    case.send()
    case.use()
    case.places["first use"] = case.places[USED]
    yield timedelta(seconds=9)
    case.opening_id = case.world.chance.id("a")
    case.send()
    case.use()


def _opened_twice(case: Case) -> Steps:
    """Record an account a second time."""
    yield from plain(case)
    case.open()


def used_after(steps: Callable[[Case], Steps]) -> Callable[[Case], Steps]:
    """Return the steps in which a consent is used after something that forbids it."""

    def flow(case: Case) -> Steps:
        yield from steps(case)
        yield minutes(1, 5, case.world)
        case.send()
        case.use()

    return flow


def _withdrawn(case: Case) -> Steps:
    yield from agreed(case)
    yield minutes(1, 2, case.world)
    challenge = case.press(Decision.WITHDRAWN)
    yield timedelta(seconds=30)
    case.sign(challenge)


def _disputed(case: Case) -> Steps:
    yield from agreed(case)
    yield minutes(1, 2, case.world)
    case.dispute()
    case.receive_stop()
    case.deliver_stop()


def _expired(case: Case) -> Steps:
    yield from agreed(case)
    yield minutes(61, 600, case.world)


def _unconfirmed(case: Case) -> Steps:
    case.ask()
    yield pace(case)
    case.serve()
    yield pace(case)
    yield from signed(case)
    yield minutes(1, 5, case.world)
    case.capture()
    case.submit()
    yield minutes(40, 600, case.world)


# -- at the counter -------------------------------------------------------------------------------


def in_order(*steps: str) -> Callable[[Case], Steps]:
    """Return the steps of a counter in an order of one's own; ends with the account's answer."""

    def flow(case: Case) -> Steps:
        case.ask()
        yield pace(case)
        case.serve()
        for step in steps:
            yield minutes(0.5, 2, case.world)
            if step == "sign":
                case.sign(case.press(Decision.GIVEN))
            else:
                getattr(case, step)()
        yield minutes(1, 5, case.world)
        case.send()
        case.use()
        yield timedelta(milliseconds=20)
        case.open()

    return flow


def _picture_used(case: Case) -> Steps:
    """Hand in a picture that served another case, too."""
    world = case.world
    first = Case(world, case.person, case.product, case.place, case.way)
    yield from in_order("sign", "capture", "submit")(first)
    picture = first.captured.document_image_id
    case.twists = {CAPTURED: lambda fact: replace(fact, document_image_id=picture)}
    yield minutes(120, 600, world)
    yield from in_order("sign", "capture", "submit")(case)


# -- opened ---------------------------------------------------------------------------------------


def sent(**changes: Any) -> Callable[[Case], Steps]:
    """Return the steps in which the account differs from what was agreed to."""

    def flow(case: Case) -> Steps:
        yield from agreed(case)
        yield minutes(0.5, 5, case.world)
        case.send(**{name: make(case) for name, make in changes.items()})
        case.use()
        yield timedelta(milliseconds=9)
        case.open()

    return flow


def signed_by_a_stranger(typ: str) -> Callable[[Case], Steps]:
    """Return the steps in which a document is signed by a key that nobody trusts."""

    def flow(case: Case) -> Steps:
        case.stranger_signs = frozenset({typ})
        return plain(case)

    return flow


def _receipt(**changes: Callable[[Case], Any]) -> Callable[[Case], Steps]:
    def flow(case: Case) -> Steps:
        case.receipt_changes = {name: make(case) for name, make in changes.items()}
        return plain(case)

    return flow


def _mark(case: Case) -> str:
    return case.world.chance.mark()


USING = [
    Deed(
        "used for another command",
        (in_accounts(2, OPENED),),
        twists={USED: marked("command_hash")},
    ),
    Deed(
        "opened without a use",
        (in_accounts(2, OPENED), in_accounts(11, OPENED)),
        twists={USED: left_out},
    ),
    Deed("used twice", (Broken(3, (USED, "first use")),), _twice),
    Deed("opened twice", (in_accounts(3, OPENED), in_accounts(12, OPENED)), _opened_twice),
    Deed("used after it was withdrawn", (Broken(4, (USED,)),), used_after(_withdrawn)),
    Deed("used after its time", (Broken(4, (USED,)),), used_after(_expired)),
    Deed("used unconfirmed", (Broken(4, (USED,)),), used_after(_unconfirmed), COUNTER),
    Deed("used after it was disputed", (Broken(4, (USED,)),), used_after(_disputed)),
    Deed("another product", (in_accounts(5, OPENED),), sent(product_id=_mark)),
    Deed("other terms", (in_accounts(5, OPENED),), sent(terms_hash=_mark)),
    Deed("another purpose", (in_accounts(5, OPENED),), sent(purpose=lambda _: "credit")),
    Deed(
        "a consent signed by a stranger",
        (in_accounts(6, OPENED),),
        signed_by_a_stranger(CONSENT_EVENT),
    ),
    Deed(
        "a receipt signed by a stranger",
        (in_accounts(6, OPENED),),
        signed_by_a_stranger(REDEMPTION),
    ),
    Deed(
        "a receipt for another statement",
        (in_accounts(6, OPENED),),
        _receipt(statement_hash=_mark),
    ),
    Deed(
        "used for another statement", (Broken(9, (USED,)),), twists={USED: marked("statement_hash")}
    ),
    Deed(
        "a receipt for another position", (in_accounts(11, OPENED),), _receipt(position=lambda _: 3)
    ),
    Deed(
        "a receipt for another time",
        (in_accounts(11, OPENED),),
        _receipt(recorded_at=lambda case: case.world.now),
    ),
    Deed(
        "photographed before agreeing",
        (Broken(23, (USED,)), Broken(23, (CAPTURED,))),
        in_order("capture", "sign", "submit"),
        COUNTER,
        KEY_UV,
    ),
    Deed(
        "never photographed",
        (Broken(23, (USED,)), Broken(23, ("opening.submitted.1",))),
        plain,
        COUNTER,
        KEY_UV,
        twists={CAPTURED: left_out},
    ),
    Deed("a picture of another case", (Broken(24, (CAPTURED,)),), _picture_used, COUNTER, KEY_UV),
    Deed(
        "a clerk decided at the bank",
        (in_accounts(24, OPENED),),
        sent(officer_id=lambda case: case.place.clerk_id),
        COUNTER,
        KEY_UV,
    ),
    Deed(
        "not the bank commanded",
        (in_accounts(24, OPENED),),
        twists={OPENED: changed(commanded_by="operator:op")},
    ),
]
"""Deeds about captures, uses and accounts."""
