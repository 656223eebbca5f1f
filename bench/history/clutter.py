"""Whatever else happens, so that a history has every kind of fact."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from bench.history.case import Case
from bench.history.hearing import told
from bench.history.listing import reported
from bench.history.lives import invite, registered, stray
from bench.history.looking import minutes
from bench.history.question import Way
from bench.history.rejecting import reject_capture, reject_use
from bench.history.world import Steps, World
from services.consent.facts import (
    CitizenErased,
    ErasureRejected,
    Ground,
    InvalidationRejected,
    PasskeyFailed,
    PhoneEnrolled,
    PhoneEnrolmentStopped,
    PhoneRejected,
    PhoneSharingAllowed,
    PolicyRejected,
    RepresentativeRejected,
    Right,
    RightRejected,
    SharingGround,
    StaffPasskeyMarked,
    StaffPhoneMarked,
    StaffPhoneUnmarked,
    Stopped,
    SuspensionRejected,
    WitnessDissented,
    WitnessEnded,
    WitnessRejected,
)
from services.consent.gate import right_id
from services.consent.policies import POLICY_ID
from shared.contracts.consent import Channel, Decision, Grade


def clutter(world: World) -> Steps:
    """Let one of all that happen, each in its turn."""
    world.happened += 1
    return HAPPENINGS[world.happened % len(HAPPENINGS)](world)


# -- phones ---------------------------------------------------------------------------------------


def another_phone(world: World, *, stopped: bool) -> Steps:
    """Enrol another phone at a counter; or stop it, with the old one, before it counts."""
    chance, person, place = world.chance, registered(world), world.any_place()
    phone_id, enrolment_id = chance.mark(), chance.id("e")
    waits = world.policy.phone_change_waits_for
    yield minutes(5, 50, world)
    world.record(
        PhoneEnrolled(
            enrolment_id=enrolment_id,
            citizen_id=person.id,
            phone_id=phone_id,
            clerk_id=place.clerk_id,
            office_id=place.office_id,
            asked_by=f"clerk:{place.clerk_id}",
            asked_at=world.now,
            effective_from=world.now + waits,
            phone="+84000000000",
            policy_version=world.policy.version,
        )
    )
    yield minutes(5, 900, world)
    if stopped:
        world.record(
            PhoneEnrolmentStopped(
                enrolment_id=enrolment_id,
                citizen_id=person.id,
                phone_id=phone_id,
                ground=Stopped.OLD_PHONE,
            )
        )


def shared_phone(world: World, *, allowed: bool) -> Steps:
    """Let a bank take one phone for a household, or not."""
    person, bank_id = registered(world), world.products[0].bank_id
    yield minutes(5, 50, world)
    if not allowed:
        world.record(
            PhoneRejected(
                citizen_id=person.id,
                asked_by=f"bank:{bank_id}",
                reasons=["sharing_above_cap"],
                bank_id=bank_id,
                policy_version=world.policy.version,
            )
        )
        return
    world.record(
        PhoneSharingAllowed(
            phone_id=person.phone_id or "",
            bank_id=bank_id,
            citizens_max=3,
            ground=SharingGround.HOUSEHOLD,
            allowed_by=f"bank:{bank_id}",
            policy_version=world.policy.version,
        )
    )


def erased(world: World) -> Steps:
    """Forget somebody, after a no."""
    key_id = world.chance.mark()[:32]
    person = registered(world, key_id=key_id)
    named = {"citizen_id": person.id, "asked_by": "operator:op"}
    yield minutes(500, 900, world)
    world.record(ErasureRejected(**named, reasons=["consent_open"]))
    yield minutes(9_000, 90_000, world)
    world.record(CitizenErased(**named, key_id=key_id, ground=Ground.REQUEST))


# -- staff and witnesses --------------------------------------------------------------------------


def staff(world: World) -> Steps:
    """Let a clerk have another phone, and a passkey that is known as theirs."""
    chance, place = world.chance, world.any_place()
    whose = {"clerk_id": place.clerk_id, "office_id": place.office_id}
    old, new = chance.mark(), chance.mark()
    world.record(StaffPhoneMarked(**whose, phone_id=old))
    yield minutes(900, 9_000, world)
    world.record(StaffPhoneMarked(**whose, phone_id=new))
    world.record(StaffPhoneUnmarked(**whose, phone_id=old))
    world.record(StaffPasskeyMarked(clerk_id=place.clerk_id, passkey_id=chance.mark()[:32]))


def dissent(world: World) -> Steps:
    """Name two witnesses, of whom the second did not see the citizen decide so; one is then let go.

    Nothing comes of what the first signed.
    """
    product = world.chance.random.choice(world.products)
    place = world.open_place(product.bank_id)
    if place is None:
        return
    person = registered(world, known=False, phone=False)
    yield minutes(1, 9, world)
    way = Way(Channel.COUNTER, Grade.WITNESSED, known=False)
    case = Case(world, person, product, place, way)
    case.ask()
    case.serve()
    yield minutes(1, 9, world)
    pair = (world.witnesses[0], invite(world, world.chance.id("org")))
    case.name_witnesses(pair)
    asked = case.press(Decision.GIVEN)
    yield minutes(1, 9, world)
    case.witness(asked, pair[0])
    named = {"consent_id": case.consent_id, "challenge_id": asked.challenge_id}
    world.record(WitnessDissented(**named, witness_id=pair[1].id))
    yield minutes(900, 9_000, world)
    world.record(WitnessEnded(witness_id=pair[1].id, ended_by="operator:op"))


# -- what the rules did not let happen ------------------------------------------------------------


def no(world: World, *, what: Callable[[Case], Any]) -> Steps:
    """Record a no that nothing else in a history brings."""
    world.record(what(stray(world)))
    yield from ()


def _of(case: Case) -> dict[str, Any]:
    return {"bank_id": case.product.bank_id, **case.where}


def _no_right(case: Case) -> Any:
    assert case.place
    return RightRejected(
        right_id=right_id(Right.CONTRACT, case.place.office_id, case.product.bank_id),
        asked_by="bank:other",
        reasons=["not_entitled"],
        **_of(case),
    )


def _no_suspension(case: Case) -> Any:
    return SuspensionRejected(
        suspension_id=case.world.chance.id("s"),
        asked_by="manager:other",
        reasons=["not_entitled"],
        **_of(case),
    )


def _no_invalidation(case: Case) -> Any:
    return InvalidationRejected(
        consent_id=case.consent_id,
        asked_by=f"bank:{case.product.bank_id}",
        reasons=["four_eyes_required"],
        **_of(case),
    )


def _no_witness(case: Case) -> Any:
    return WitnessRejected(
        consent_id=case.consent_id,
        witness_id=case.world.chance.id("w"),
        asked_by="operator:op",
        reasons=["witness_of_staff"],
        **_of(case),
    )


def _no_policy(case: Case) -> Any:
    return PolicyRejected(
        policy_id=POLICY_ID,
        version=case.world.policies + 1,
        asked_by="overseer:ministry",
        reasons=["policy_out_of_bounds"],
        out_of_bounds=["code_tries_max: 1 to 10"],
    )


def _no_representative(case: Case) -> Any:
    return RepresentativeRejected(
        citizen_id=case.person.id,
        representative_id=case.world.chance.id("c"),
        asked_by="operator:op",
        reasons=["representative_unknown"],
    )


def _no_passkey(case: Case) -> Any:
    return PasskeyFailed(
        citizen_id=case.person.id,
        enrolment_id=case.world.chance.id("e"),
        reasons=["code_wrong"],
        policy_version=case.world.policy.version,
    )


def no_use(world: World) -> Steps:
    """Let somebody photograph, and use, what nobody ever agreed to."""
    case = stray(world)
    reject_capture(case, ["consent_unknown"])
    yield timedelta(seconds=40)
    case.send()
    reject_use(case, ["consent_unknown"])


HAPPENINGS: list[Callable[[World], Steps]] = [
    partial(another_phone, stopped=True),
    partial(another_phone, stopped=False),
    partial(shared_phone, allowed=True),
    partial(shared_phone, allowed=False),
    *(erased, staff, dissent, no_use, reported, told),
    *(
        partial(no, what=one)
        for one in (
            *(_no_right, _no_suspension, _no_invalidation, _no_witness),
            *(_no_policy, _no_representative, _no_passkey),
        )
    ),
]
"""All that happens, in turn."""
