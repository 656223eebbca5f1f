"""Deeds about who may do what, where and when: the gate, roles, four eyes, policy and stops."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.history.agreeing import changed, decided, left_out
from bench.history.case import Case
from bench.history.flows import agreed, plain
from bench.history.looking import minutes
from bench.history.planted import Broken, Deed
from bench.history.question import Person
from bench.history.rejecting import reject_opening
from bench.history.using import COUNTER, KEY_UV, OPENED, USED, in_accounts
from bench.history.world import Steps
from services.consent.facts import (
    ClerkRegistered,
    LiftedFor,
    LiftingProposed,
    PolicyProposed,
    PolicySet,
    Right,
    RightGranted,
    SetFor,
    SiteRegistered,
    SuspendedFor,
    SuspensionLifted,
    SuspensionOrdered,
)
from services.consent.gate import right_id
from services.consent.policies import POLICY_ID
from shared.contracts.consent import STOP, Decision

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
    case.put(_ordered(case, f"citizen:{case.person.id}"))


def _ordered(case: Case, by: str, office_id: str | None = None) -> SuspensionOrdered:
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
        yield minutes(1, 3, case.world)
        case.serve()
        yield minutes(1, 3, case.world)
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


# -- four eyes ------------------------------------------------------------------------------------


def _of_another_office(case: Case) -> Steps:
    """Let the manager of one office suspend at another."""
    first, second = case.world.offices[:2]
    case.put(_ordered(case, f"manager:{second.id}", first.id))
    yield from ()


def lifted(proposed_by: str | None, approved_by: str) -> Callable[[Case], Steps]:
    """Return the steps in which a suspension is lifted by these."""

    def flow(case: Case) -> Steps:
        office_id = case.world.offices[0].id
        ordered = _ordered(case, f"manager:{office_id}", office_id)
        case.put(ordered)
        yield minutes(100, 3_000, case.world)
        of, why = ordered.suspension_id, LiftedFor.MISTAKEN
        if proposed_by:
            case.put(LiftingProposed(suspension_id=of, why=why, proposed_by=proposed_by))
        yield minutes(1, 30, case.world)
        scope = ("bank_id", "office_id", "clerk_id", "site_id", "citizen_id")
        case.put(
            SuspensionLifted(
                suspension_id=of,
                **{name: getattr(ordered, name) for name in scope},
                why=why,
                proposed_by=proposed_by or "bank:none",
                approved_by=approved_by,
                effective_from=case.world.now,
                policy_version=case.world.policy.version,
            )
        )

    return flow


def _void(case: Case) -> Steps:
    yield from decided(Decision.GIVEN)(case)
    yield minutes(100, 900, case.world)
    case.propose_void()
    yield minutes(10, 900, case.world)
    case.invalidate()
    case.receive_stop()
    case.deliver_stop()


def _by_the_same(case: Case, fact: Any) -> Any:
    return replace(fact, approved_by=fact.proposed_by)


def policy(**changes: Any) -> Callable[[Case], Steps]:
    """Return the steps in which policy is set otherwise than it may be; it never holds."""

    def flow(case: Case) -> Steps:
        world = case.world
        world.policies += 1
        values = {**world.policy.values(), **changes.get("values", {})}
        named: dict[str, Any] = {
            "policy_id": POLICY_ID,
            "version": world.policies,
            "values": values,
            "valid_from": world.now + timedelta(minutes=10),
            "why": SetFor.EXPERIENCE,
            "proposed_by": "operator:op",
        }
        if changes.get("proposed", True):
            case.put(PolicyProposed(**named))
        case.put(PolicySet(**named, approved_by=changes.get("approved_by", OVERSEER)))
        yield from ()

    return flow


# -- the directory --------------------------------------------------------------------------------


def _granted_by(right: Right, by: str) -> Callable[[Case], Steps]:
    """Return the step in which somebody grants what is not theirs to grant."""

    def flow(case: Case) -> Steps:
        world = case.world
        office_id = world.offices[0].id
        if right is Right.PERMISSION:
            of = world.chance.id("t")
            world.record(SiteRegistered(site_id=of, name="Hall", host="Ward", host_id="ward"))
        else:
            of = world.chance.id("k")
            world.record(ClerkRegistered(clerk_id=of, office_id=office_id))
        case.put(replace(granted(case, right, office_id, of), granted_by=by))
        yield from ()

    return flow


def _of_nobody(case: Case) -> Steps:
    """Grant a training to a clerk who is not registered."""
    office_id = case.world.offices[0].id
    case.put(granted(case, Right.TRAINING, office_id, case.world.chance.id("k")))
    yield from ()


# -- records and stops ----------------------------------------------------------------------------


def raw(kind: str, data: bytes) -> Callable[[Case], Steps]:
    """Return the step in which something is recorded that is no fact."""

    def flow(case: Case) -> Steps:
        world = case.world
        case.places[kind] = world.consent.add_raw(world.now, kind, [], data, [])
        yield from ()

    return flow


def _for_a_rejected_command(case: Case) -> Steps:
    yield from agreed(case)
    case.send()
    reject_opening(case, ["product_differs"])
    yield minutes(1, 5, case.world)
    case.use()


def _stopped(case: Case) -> Steps:
    yield from plain(case)
    yield minutes(5, 500, case.world)
    case.dispute()
    case.receive_stop()
    case.deliver_stop()


def _opened_after(case: Case) -> Steps:
    """Use, stop, and open all the same."""
    yield from agreed(case)
    case.send()
    case.use()
    yield minutes(1, 5, case.world)
    case.dispute()
    case.receive_stop()
    case.deliver_stop()
    yield minutes(1, 5, case.world)
    case.open()


def _stop_by_a_stranger(case: Case) -> Steps:
    case.stranger_signs = frozenset({STOP})
    return _stopped(case)


_BY_ONE = lifted(OVERSEER, OVERSEER)

POWERS = [
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
    Deed("suspended at another's office", (Broken(31, (ORDERED,)),), _of_another_office),
    Deed("lifted by one alone", (Broken(31, (LIFTED,)),), _BY_ONE),
    Deed("lifted without a proposal", (Broken(31, (LIFTED,)),), lifted(None, OVERSEER)),
    Deed("void by one alone", (Broken(32, (VOID,)),), _void, twists={VOID: _by_the_same}),
    Deed(
        "void without a proposal",
        (Broken(32, (VOID,)),),
        _void,
        twists={"invalidation.proposed.1": left_out},
    ),
    Deed(
        "policy without bounds",
        (Broken(33, (SET,)), Broken(33, (PROPOSED,))),
        policy(values={"code_tries_max": 50}),
    ),
    Deed("policy by one alone", (Broken(33, (SET,)),), policy(approved_by="operator:op")),
    Deed("policy that nobody proposed", (Broken(33, (SET,)),), policy(proposed=False)),
    Deed(
        "a training by a bank", (Broken(34, (GRANTED,)),), _granted_by(Right.TRAINING, "bank:other")
    ),
    Deed(
        "a permission by another host",
        (Broken(34, (GRANTED,)),),
        _granted_by(Right.PERMISSION, "host:other"),
    ),
    Deed("a training of nobody", (Broken(34, (GRANTED,)),), _of_nobody),
    Deed(
        "a bank used it itself",
        (Broken(35, (USED,)),),
        twists={USED: changed(redeemed_by="bank:other")},
    ),
    Deed("no such fact", (Broken(36, ("consent.granted.1",)),), raw("consent.granted.1", b"{}")),
    Deed(
        "a fact without fields", (Broken(36, ("notice.served.1",)),), raw("notice.served.1", b"{}")
    ),
    Deed(
        "used for a rejected command",
        (in_accounts(37, "opening.rejected.1"),),
        _for_a_rejected_command,
    ),
    Deed(
        "stopped, not frozen",
        (in_accounts(38, OPENED, STOPPED),),
        _stopped,
        twists={"account.frozen.1": left_out},
    ),
    Deed("opened after a stop", (in_accounts(38, OPENED),), _opened_after),
    Deed("a stop by a stranger", (in_accounts(38, STOPPED),), _stop_by_a_stranger),
]
"""Deeds about who may do what, where and when."""
