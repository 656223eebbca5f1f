"""Who is who in a made country: banks, offices, rights with dates, what is suspended, policy."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bench.history.world import NOUNS, STEADY, Office, Product, Steps, World
from services.consent.facts import (
    BankRegistered,
    ClerkRegistered,
    LiftedFor,
    LiftingProposed,
    OfficeRegistered,
    PolicyProposed,
    PolicySet,
    ProductOffered,
    Right,
    RightGranted,
    SetFor,
    SiteRegistered,
    StaffPhoneMarked,
    SuspendedFor,
    SuspensionOrdered,
)
from services.consent.gate import right_id
from services.consent.policies import POLICY_ID
from services.consent.policy import Policy
from shared.contracts.consent import OPEN_ACCOUNT, SidePurpose

RENEWED = timedelta(days=40)
"""How long before its end a right is given anew."""

BANKS = 5
CLERKS_EACH, SITES_EACH, DEVICES_EACH = 3, 2, 2

OF_OFFICE = (("k", CLERKS_EACH), ("t", SITES_EACH), ("d", DEVICES_EACH))


def settle(world: World, offices: int) -> None:
    """Register everybody, and start what happens to rights, suspensions and policy."""
    _offer_products(world)
    for number in range(offices):
        _open_office(world, steady=number < offices // STEADY)


def _offer_products(world: World) -> None:
    chance = world.chance
    sides = [SidePurpose.MARKETING.value, SidePurpose.CREDIT_SCORING.value]
    for number in range(BANKS):
        bank_id = chance.id("b")
        world.record(BankRegistered(bank_id=bank_id, name=f"Bank {number}"))
        for side_purposes in (None, sides):
            product = Product(
                id=chance.id("p"),
                bank_id=bank_id,
                purpose=OPEN_ACCOUNT,
                terms_hash=chance.mark(),
                side_purposes=side_purposes,
                fee_hash=chance.mark() if side_purposes else None,
                lowest_grade=None,
            )
            world.products.append(product)
            world.record(_offered(product))


def _open_office(world: World, *, steady: bool) -> None:
    chance = world.chance
    office = Office(
        chance.id("o"),
        *([chance.id(kind) for _ in range(number)] for kind, number in OF_OFFICE),
    )
    world.offices.append(office)
    world.record(OfficeRegistered(office_id=office.id, name="Post office"))
    grant(world, Right.REGISTRATION, office.id, steady=steady)
    for bank_id in dict.fromkeys(one.bank_id for one in world.products):
        grant(world, Right.CONTRACT, office.id, bank_id, steady=steady)
    for clerk_id in office.clerks:
        world.record(ClerkRegistered(clerk_id=clerk_id, office_id=office.id))
        phone_id = chance.mark()
        world.staff_phones.append(phone_id)
        world.record(StaffPhoneMarked(clerk_id=clerk_id, office_id=office.id, phone_id=phone_id))
        grant(world, Right.TRAINING, office.id, clerk_id, steady=steady)
    for site_id in office.sites:
        world.record(SiteRegistered(site_id=site_id, name="Team office", host="Power company"))
        grant(world, Right.PERMISSION, office.id, site_id, steady=steady)
    for device_id in office.devices:
        grant(world, Right.DEVICE, office.id, device_id, steady=steady)


def grant(
    world: World, right: Right, office_id: str, of: str | None = None, *, steady: bool
) -> None:
    """Grant a right, some of them until a day: those are given anew, or end."""
    ends = not steady and world.chance.random.random() < 0.5
    days = world.chance.random.randint(60, 300)
    until = world.now + timedelta(days=days) if ends else None
    granted = RightGranted(
        right_id=right_id(right, office_id, of),
        right=right,
        bank_id=of if right is Right.CONTRACT else None,
        office_id=office_id,
        clerk_id=of if right is Right.TRAINING else None,
        site_id=of if right is Right.PERMISSION else None,
        device_id=of if right is Right.DEVICE else None,
        valid_from=world.now,
        valid_until=until,
        document_hash=world.chance.mark(),
        granted_by="operator:op",
    )
    world.grant_as(granted)
    if until and world.chance.random.random() < 0.9:
        world.start(_renewal(world, granted, until), until - world.now - RENEWED)


def _renewal(world: World, granted: RightGranted, until: datetime) -> Steps:
    longer = until + timedelta(days=365)
    world.grant_as(replace(granted, valid_from=world.now, valid_until=longer))
    yield from ()


def suspension(world: World, scope: dict[str, str], by: str, lasts: timedelta) -> Steps:
    """Suspend what is within a scope, and let two lift it."""
    ordered = SuspensionOrdered(
        suspension_id=world.chance.id("s"),
        **{f"{noun}_id": scope.get(noun) for noun in NOUNS},
        why=SuspendedFor.COMPLAINTS,
        ordered_by=by,
    )
    world.order(ordered)
    yield lasts
    two = (f"bank:{world.products[0].bank_id}", "overseer:ministry")
    world.record(
        LiftingProposed(
            suspension_id=ordered.suspension_id, why=LiftedFor.REMEDIED, proposed_by=two[0]
        )
    )
    yield timedelta(hours=5)
    world.lift(ordered, *two)


def new_policy(world: World, policy: Policy) -> Steps:
    """Propose the next version and set it, a day before it holds."""
    world.policies += 1
    policy = replace(policy, version=world.policies)
    names: dict[str, Any] = {
        "policy_id": POLICY_ID,
        "version": policy.version,
        "values": policy.values(),
        "valid_from": world.now + timedelta(hours=26),
        "why": SetFor.EXPERIENCE,
        "proposed_by": "operator:op",
    }
    world.record(PolicyProposed(**names))
    yield timedelta(minutes=1)
    world.record(PolicySet(**names, approved_by="overseer:ministry"))
    yield names["valid_from"] - world.now
    world.policy = policy


def _offered(product: Product) -> ProductOffered:
    return ProductOffered(
        product_id=product.id,
        bank_id=product.bank_id,
        name="Account",
        purpose=product.purpose,
        terms_hash=product.terms_hash,
        side_purposes=product.side_purposes,
        fee_hash=product.fee_hash,
        lowest_grade=product.lowest_grade,
    )
