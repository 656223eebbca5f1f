"""Whom it happens to: citizens with phones and passkeys, some spoken for, and the witnesses."""

from datetime import timedelta
from typing import Any

from bench.history.case import Case
from bench.history.flows import KINDS, Kind
from bench.history.keys import Device, digest_fast
from bench.history.looking import minutes, own_page
from bench.history.question import Person, Way
from bench.history.rejecting import reject_opening, reject_request
from bench.history.world import Place, Steps, WitnessAble, World
from services.consent.facts import (
    ENROLMENT,
    INVITATION,
    AuthorityGround,
    CitizenRegistered,
    EnrolmentRequest,
    InvitationRequest,
    LiftedFor,
    PasskeyAsked,
    PasskeyEnrolled,
    RepresentativeAuthorised,
    SuspendedFor,
    SuspensionLifted,
    SuspensionOrdered,
    WitnessEnrolled,
    WitnessInvited,
)
from shared.contracts.consent import Channel, Grade

WEIGHTS = [one.weight for one in KINDS]

BACK = 0.25
"""How many come back for another bank's account."""


def registered(
    world: World, *, known: bool = True, phone: bool = True, key_id: str | None = None
) -> Person:
    """Register a citizen, with a phone that was theirs before, or since today."""
    chance = world.chance
    person = Person(chance.id("c"), chance.mark() if phone else None)
    since = world.now - timedelta(days=chance.random.randint(30, 900))
    fact = CitizenRegistered(
        citizen_id=person.id,
        phone="+84000000000" if phone else "",
        known_since=since if known else None,
        phone_id=person.phone_id,
        born_on=None,
    )
    world.record(fact, key_id)
    return person


def enrolled(world: World, person: Person, bank_id: str) -> Steps:
    """Enrol a passkey with a code from the citizen's phone."""
    chance = world.chance
    request = EnrolmentRequest(
        typ=ENROLMENT,
        enrolment_id=chance.id("e"),
        citizen_id=person.id,
        nonce=chance.mark()[:32],
        issued_at=world.now,
    )
    request_hash = digest_fast(request)
    world.record(
        PasskeyAsked(
            citizen_id=person.id,
            enrolment_id=request.enrolment_id,
            request=request,
            request_hash=request_hash,
            expires_at=world.now + world.policy.code_lives_for,
            phone_id=person.phone_id,
            bank_id=bank_id,
            policy_version=world.policy.version,
        )
    )
    yield timedelta(seconds=60)
    person.device = Device(chance, elliptic=chance.random.random() < 0.5)
    passkey = person.device.enrol(request_hash)
    world.record(
        PasskeyEnrolled(
            citizen_id=person.id,
            enrolment_id=request.enrolment_id,
            passkey_id=passkey.id,
            passkey=passkey,
            policy_version=world.policy.version,
        )
    )


def spoken_for(world: World, person: Person) -> tuple[Person, str]:
    """Register who speaks for a citizen, by a court's decision; returns them, and the authority."""
    speaker, authority_id = registered(world), world.chance.id("au")
    world.record(authority(world, person, speaker, authority_id))
    return speaker, authority_id


def authority(
    world: World, person: Person, speaker: Person, authority_id: str
) -> RepresentativeAuthorised:
    """Return that one may speak for the other."""
    return RepresentativeAuthorised(
        authority_id=authority_id,
        citizen_id=person.id,
        representative_id=speaker.id,
        ground=AuthorityGround.LIMITED_CAPACITY,
        document_id=world.chance.mark(),
        authorised_by="operator:op",
        valid_from=world.now - timedelta(days=10),
        valid_until=None,
    )


def invite(world: World, organisation_id: str) -> WitnessAble:
    """Invite and enrol a witness."""
    chance = world.chance
    device = Device(chance)
    witness = WitnessAble(chance.id("w"), organisation_id, device)
    request = InvitationRequest(
        typ=INVITATION,
        enrolment_id=chance.id("e"),
        witness_id=witness.id,
        nonce=chance.mark()[:32],
        issued_at=world.now,
    )
    request_hash = digest_fast(request)
    world.record(
        WitnessInvited(
            witness_id=witness.id,
            enrolment_id=request.enrolment_id,
            organisation_id=organisation_id,
            phone_id=chance.mark(),
            request=request,
            request_hash=request_hash,
            expires_at=world.now + world.policy.invitation_lives_for,
            invited_by="operator:op",
            policy_version=world.policy.version,
        )
    )
    passkey = device.enrol(request_hash)
    named: dict[str, Any] = {"witness_id": witness.id, "enrolment_id": request.enrolment_id}
    world.record(WitnessEnrolled(**named, passkey_id=passkey.id, passkey=passkey))
    return witness


# -- lives ----------------------------------------------------------------------------------------


def life(world: World) -> Steps:
    """Live through one question, or two; look at the own page; some want nothing opened."""
    random = world.chance.random
    (kind,) = random.choices(KINDS, WEIGHTS)
    case = None
    for steps in _prepared(world, kind):
        if isinstance(steps, Case):
            case = steps
        else:
            yield steps
    if case is None:
        return
    yield from kind.flow(case)
    if case.question and random.random() < 0.1:
        yield minutes(10, 5_000, world)
        yield from own_page(case)
    if case.opened and random.random() < BACK:
        yield minutes(2_000, 60_000, world)
        yield from another(world, case)
    if case.question and random.random() < 0.01:
        yield from nothing_in_my_name(world, case.person)


def _prepared(world: World, kind: Kind) -> Any:
    """Yield what goes before a case, and then the case; none where no counter is open."""
    chance = world.chance
    product = chance.random.choice(world.products)
    place = world.open_place(product.bank_id) if kind.channel is Channel.COUNTER else None
    if kind.channel is Channel.COUNTER and place is None:
        place = world.any_place()
    phone = kind.grade is not Grade.WITNESSED or chance.random.random() < 0.5
    person = registered(world, known=kind.known, phone=phone)
    speaker, authority_id = spoken_for(world, person) if kind.spoken else (None, None)
    if kind.grade is Grade.KEY_UV:
        yield from enrolled(world, person, product.bank_id)
        yield timedelta(hours=49) + minutes(0, 3_000, world)
    else:
        yield minutes(1, 20, world)
    way = Way(kind.channel, kind.grade, kind.known)
    yield Case(world, person, product, place, way, speaker, authority_id)


def another(world: World, before: Case) -> Steps:
    """Ask the same citizen for another bank's account, online."""
    others = [one for one in world.products if one.bank_id != before.product.bank_id]
    grade = Grade.KEY_UV if before.person.device else Grade.OTP
    if before.speaker or before.person.phone_id is None:
        return
    product = world.chance.random.choice(others)
    case = Case(world, before.person, product, None, Way(Channel.ONLINE, grade))
    yield from KINDS[1].flow(case)


def nothing_in_my_name(world: World, person: Person) -> Steps:
    """Suspend whatever is done in one's own name, and a week later lift that."""
    by = f"citizen:{person.id}"
    ordered = SuspensionOrdered(
        suspension_id=world.chance.id("s"),
        bank_id=None,
        office_id=None,
        clerk_id=None,
        site_id=None,
        citizen_id=person.id,
        why=SuspendedFor.OWN_WISH,
        ordered_by=by,
    )
    world.record(ordered)
    yield timedelta(days=7)
    world.record(
        SuspensionLifted(
            suspension_id=ordered.suspension_id,
            bank_id=None,
            office_id=None,
            clerk_id=None,
            site_id=None,
            citizen_id=person.id,
            why=LiftedFor.OWN_WISH,
            proposed_by=by,
            approved_by=by,
            effective_from=world.now + world.policy.settles_after,
            policy_version=world.policy.version,
        )
    )


# -- attempts -------------------------------------------------------------------------------------

ATTEMPTS = (
    ["consent_missing"],
    ["consent_missing", "bank_decides"],
    ["signature_invalid"],
    ["token_malformed"],
    ["key_unknown", "bank_decides"],
    ["consent_unreachable"],
)
"""Why commands open nothing whose consent is none."""

REQUESTS = (
    ["terms_differ"],
    ["product_unknown"],
    ["citizen_unknown"],
    ["not_own_clerk"],
    ["place_missing"],
    ["decide_by_out_of_range"],
)
"""Why questions are not put that nobody should put."""


def attempts(world: World, most: int = 6) -> Steps:
    """Let somebody try to open accounts without any consent: a clerk in a bank's own app."""
    case = stray(world)
    place = case.place
    assert place
    for _ in range(world.chance.random.randint(1, most)):
        reasons = world.chance.random.choice(ATTEMPTS)
        by = f"clerk:{place.clerk_id}" if "bank_decides" in reasons else None
        case.opening_id = world.chance.id("a")
        case.send(consent=None)
        reject_opening(case, list(reasons), by)
        yield minutes(0.1, 5, world)


def misplaced(world: World) -> Steps:
    """Let somebody put a question that the rules do not let them put."""
    reject_request(stray(world), list(world.chance.random.choice(REQUESTS)))
    yield from ()


def stray(world: World) -> Case:
    """Return a case of somebody who was never asked."""
    product: Any = world.chance.random.choice(world.products)
    place: Place = world.any_place()
    person = Person(world.chance.id("c"), None)
    return Case(world, person, product, place, Way(Channel.COUNTER, Grade.OTP))
