"""Deeds about powers: four eyes, the directory, policy, records and stops."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.history.agreeing import changed, decided, left_out
from bench.history.case import Case
from bench.history.flows import agreed, plain
from bench.history.gate import granted, ordered_by
from bench.history.looking import minutes
from bench.history.planted import Broken, Deed
from bench.history.rejecting import reject_opening
from bench.history.using import OPENED, USED, in_accounts
from bench.history.world import Steps
from services.consent.facts import (
    ClerkRegistered,
    LiftedFor,
    LiftingProposed,
    PolicyProposed,
    PolicySet,
    Right,
    SetFor,
    SiteRegistered,
    SuspensionLifted,
)
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

# -- four eyes ------------------------------------------------------------------------------------


def _of_another_office(case: Case) -> Steps:
    """Let the manager of one office suspend at another."""
    first, second = case.world.offices[:2]
    case.put(ordered_by(case, f"manager:{second.id}", first.id))
    yield from ()


def lifted(proposed_by: str | None, approved_by: str) -> Callable[[Case], Steps]:
    """Return the steps in which a suspension is lifted by these."""

    def flow(case: Case) -> Steps:
        office_id = case.world.offices[0].id
        ordered = ordered_by(case, f"manager:{office_id}", office_id)
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
