"""Deeds about the gate: who may ask, photograph, hand in and use, where and when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.history.agreeing import decided
from bench.history.case import Case
from bench.history.flows import agreed
from bench.history.looking import minutes, pace
from bench.history.planted import Broken, Deed
from bench.history.question import Person
from bench.history.using import COUNTER, KEY_UV, USED
from bench.history.world import Steps
from services.consent.facts import (
    ClerkRegistered,
    Right,
    RightGranted,
    SuspendedFor,
    SuspensionOrdered,
)
from services.consent.gate import right_id
from shared.contracts.consent import Decision

REQUESTED, CAPTURED, SUBMITTED = (
    "consent.requested.1",
    "identity.captured.1",
    "opening.submitted.1",
)
ORDERED, LIFTED = "suspension.ordered.1", "suspension.lifted.1"
PROPOSED, SET = "policy.proposed.1", "policy.set.1"
GRANTED, VOID = "right.granted.1", "consent.invalidated.1"
STOPPED = "stop.received.1"

OVERSEER = "overseer:ministry"

# -- the gate -------------------------------------------------------------------------------------


def _asked(case: Case) -> Steps:
    """Ask, and show; nobody answers."""
    case.ask()
    yield minutes(1, 5, case.world)
    case.serve()


def _untrained(case: Case) -> Steps:
    """Let a clerk ask who was never trained."""
    assert case.place
    clerk_id = case.world.chance.id("k")
    case.world.record(ClerkRegistered(clerk_id=clerk_id, office_id=case.place.office_id))
    case.place = replace(case.place, clerk_id=clerk_id)
    return _asked(case)


def _unpermitted(case: Case) -> Steps:
    """Ask at a place of another office."""
    assert case.place
    case.place = replace(case.place, site_id=case.world.offices[-1].sites[0])
    return _asked(case)


def suspended(case: Case) -> None:
    """Let the citizen suspend whatever is done in their name."""
    case.put(ordered_by(case, f"citizen:{case.person.id}"))


def ordered_by(case: Case, by: str, office_id: str | None = None) -> SuspensionOrdered:
    """Return that somebody suspends what is done in the citizen's name, there or anywhere."""
    return SuspensionOrdered(
        suspension_id=case.world.chance.id("s"),
        bank_id=None,
        office_id=office_id,
        clerk_id=None,
        site_id=None,
        citizen_id=case.person.id,
        why=SuspendedFor.ORDER,
        ordered_by=by,
    )


def _asked_suspended(case: Case) -> Steps:
    suspended(case)
    yield minutes(5, 50, case.world)
    yield from _asked(case)


def _used_suspended(case: Case) -> Steps:
    yield from agreed(case)
    suspended(case)
    yield minutes(0.1, 2, case.world)
    case.send()
    case.use()


def _used_without_contract(case: Case) -> Steps:
    """Use a consent after the clerk's training was over."""
    assert case.place
    clerk_id = case.world.chance.id("k")
    office_id = case.place.office_id
    case.world.record(ClerkRegistered(clerk_id=clerk_id, office_id=office_id))
    case.place = replace(case.place, clerk_id=clerk_id)
    trained = granted(case, Right.TRAINING, office_id, clerk_id)
    case.world.grant_as(trained)
    yield minutes(5, 10, case.world)
    yield from agreed(case)
    case.world.grant_as(replace(trained, valid_until=case.world.now))
    yield minutes(0.1, 2, case.world)
    case.send()
    case.use()


def granted(case: Case, right: Right, office_id: str, of: str) -> RightGranted:
    """Return that a right is in force from now on."""
    return RightGranted(
        right_id=right_id(right, office_id, of),
        right=right,
        bank_id=of if right is Right.CONTRACT else None,
        office_id=office_id,
        clerk_id=of if right is Right.TRAINING else None,
        site_id=of if right is Right.PERMISSION else None,
        valid_from=case.world.now,
        valid_until=None,
        document_hash=None,
        granted_by="operator:op",
    )


def _own_device(case: Case) -> Steps:
    """Photograph with the clerk's own telephone."""
    assert case.place
    case.place = replace(case.place, device_id=case.world.chance.id("d"))
    return counter("capture", "submit")(case)


def counter(*steps: str | Callable[[Case], None]) -> Callable[[Case], Steps]:
    """Return the steps of a counter, some of them one's own; nothing is used."""

    def flow(case: Case) -> Steps:
        case.ask()
        yield pace(case)
        case.serve()
        yield pace(case)
        case.sign(case.press(Decision.GIVEN))
        for step in steps:
            yield minutes(0.5, 2, case.world)
            if callable(step):
                step(case)
            else:
                getattr(case, step)()

    return flow


# -- asked ----------------------------------------------------------------------------------------


def _unregistered(case: Case) -> Steps:
    case.person = Person(case.world.chance.id("c"), None)
    return _asked(case)


def _unoffered(case: Case) -> Steps:
    case.product = replace(case.product, id=case.world.chance.id("p"))
    return _asked(case)


def _of_another_bank(case: Case, fact: Any) -> Any:
    banks = {one.bank_id for one in case.world.products} - {fact.bank_id}
    return replace(fact, asked_by=f"bank:{min(banks)}")


def _too_long(case: Case, fact: Any) -> Any:
    return replace(fact, decide_by=fact.asked_at + timedelta(days=60))


def asked_again(before: Callable[[Case], Steps]) -> Callable[[Case], Steps]:
    """Return the steps in which a bank asks again whoever had enough of it."""

    def flow(case: Case) -> Steps:
        yield from before(case)
        yield minutes(600, 9_000, case.world)
        again = Case(case.world, case.person, case.product, None, case.way)
        yield from _asked(again)
        case.places |= again.places

    return flow


def _disputed(case: Case) -> Steps:
    yield from decided(Decision.GIVEN)(case)
    yield minutes(1, 50, case.world)
    case.dispute()
    case.receive_stop()
    case.deliver_stop()


GATE = [
    Deed("asked by a clerk who is not trained", (Broken(26, (REQUESTED,)),), _untrained, COUNTER),
    Deed(
        "asked where the host permits nothing", (Broken(26, (REQUESTED,)),), _unpermitted, COUNTER
    ),
    Deed("asked whoever wants nothing", (Broken(26, (REQUESTED,)),), _asked_suspended),
    Deed("used though suspended", (Broken(27, (USED,)),), _used_suspended),
    Deed(
        "used though the clerk's training was over",
        (Broken(27, (USED,)),),
        _used_without_contract,
        COUNTER,
        KEY_UV,
    ),
    Deed("a clerk's own device", (Broken(28, (CAPTURED,)),), _own_device, COUNTER, KEY_UV),
    Deed(
        "photographed though suspended",
        (Broken(28, (CAPTURED,)),),
        counter(suspended, "capture"),
        COUNTER,
        KEY_UV,
    ),
    Deed(
        "handed in though suspended",
        (Broken(28, (SUBMITTED,)),),
        counter("capture", suspended, "submit"),
        COUNTER,
        KEY_UV,
    ),
    Deed("asked whom nobody registered", (Broken(29, (REQUESTED,)),), _unregistered),
    Deed("asked for what nobody offers", (Broken(29, (REQUESTED,)),), _unoffered),
    Deed(
        "asked in another bank's name",
        (Broken(29, (REQUESTED,)), Broken(35, (REQUESTED,))),
        _asked,
        twists={REQUESTED: _of_another_bank},
    ),
    Deed("time without end", (Broken(29, (REQUESTED,)),), _asked, twists={REQUESTED: _too_long}),
    Deed(
        "asked after a refusal", (Broken(30, (REQUESTED,)),), asked_again(decided(Decision.REFUSED))
    ),
    Deed("asked after a dispute", (Broken(30, (REQUESTED,)),), asked_again(_disputed)),
]
"""Deeds about the gate, and about whom a question is put to."""
