"""A citizen's own passkeys: enrolled with a code from their phone, taken away with one press.

1. `ask_enrolment`: the request is fixed, and a code bound to it goes to the citizen's own phone.
   The same digest is what the device is asked to answer: code and device stand for one request.
2. `enrol`: the code came back, and the device's answer held. A passkey is one person's, and never
   one that is staff's, or a witness's.
3. `revoke`: it signs nothing from this position on.

A new passkey is one that was not known before (`Policy.settles_after`): whoever had the phone for
a minute could enrol theirs, so what it agrees to waits, it confirms nothing, and the phone is told
of it. With a phone that is not the citizen's own (`services/consent/separation.py`) none is
enrolled: what it signs later is held to no phone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from eventsourcing.dcb.api import DCBQueryItem

from services.consent import separation
from services.consent.facts import (
    CitizenErased,
    ClerkRegistered,
    EnrolmentRequest,
    PasskeyAsked,
    PasskeyEnrolled,
    PasskeyFailed,
    PasskeyRevoked,
    StaffPasskeyMarked,
    WitnessEnrolled,
)
from services.consent.policy import Policy
from services.consent.separation import Means, Owner, PhoneUse, unowned
from shared.contracts.evidence import Passkey
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about

COUNTED_FOR = timedelta(hours=1)
"""The hour of `Policy.codes_per_hour_max`."""


# -- 1. ask to enrol ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class AskEnrolment:
    """A citizen wants to sign with this device from now on; `at` in UTC."""

    request: EnrolmentRequest
    bank_id: str
    means: Means
    at: datetime
    policy: Policy


@dataclass(frozen=True, slots=True)
class Asking:
    """What a citizen asked for before, and what is known of the phone."""

    before: tuple[PasskeyAsked, ...] = ()
    use: PhoneUse = field(default_factory=PhoneUse)


def ask_boundary(asked: AskEnrolment) -> Sequence[DCBQueryItem]:
    """Return what this citizen asked for before, and whose the phone is."""
    before = about(f"citizen:{asked.request.citizen_id}", kinds=[PasskeyAsked])
    return [before, *separation.boundary(asked.means)]


def ask_evolve(state: Asking, recorded: Recorded) -> Asking:
    """Collect it."""
    if isinstance(recorded.fact, PasskeyAsked):
        return replace(state, before=(*state.before, recorded.fact))
    return replace(state, use=separation.evolve(state.use, recorded))


def ask_decide(state: Asking, asked: AskEnrolment) -> Sequence[PasskeyAsked]:
    """Let the code go out, unless too many went before, or the phone is not the citizen's own."""
    recent = [one for one in state.before if one.request.issued_at > asked.at - COUNTED_FOR]
    if len(recent) >= asked.policy.codes_per_hour_max:
        raise Rejection(Kind.REJECTED, "too_many_codes")
    owner = asked.request.citizen_id, asked.bank_id, asked.means.phone_id
    if reasons := list(_unowned(state.use, owner, asked.at, asked.policy)):
        raise Rejection(Kind.REJECTED, reasons[0].code, reasons=reasons)
    return [
        PasskeyAsked(
            citizen_id=asked.request.citizen_id,
            enrolment_id=asked.request.enrolment_id,
            request=asked.request,
            request_hash=asked.request.hash(),
            expires_at=asked.at + asked.policy.code_lives_for,
            phone_id=asked.means.phone_id,
            bank_id=asked.bank_id,
            policy_version=asked.policy.version,
        )
    ]


ASK_ENROLMENT = Verb(boundary=ask_boundary, initial=Asking(), evolve=ask_evolve, decide=ask_decide)


def _unowned(
    use: PhoneUse, whose: tuple[str, str | None, str | None], at: datetime, policy: Policy
) -> Iterator[Reason]:
    """Yield why the phone that a code went to makes no passkey this citizen's."""
    citizen_id, bank_id, phone_id = whose
    if phone_id is not None:
        owner = Owner(citizen_id, bank_id or "", phone_id)
        yield from unowned(use, owner, at, policy)


# -- 2. enrol -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrol:
    """A code and a device's answer came back; `passkey` is None, with the reason, if it failed."""

    enrolment_id: str
    citizen_id: str
    means: Means
    code_matches: bool
    passkey: Passkey | None
    failure: str
    at: datetime
    policy: Policy


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A request, the tries at it, and whose the passkey is already."""

    asked: PasskeyAsked | None = None
    erased: tuple[int, ...] = ()
    tries_failed: int = 0
    enrolled: PasskeyEnrolled | None = None
    owners: tuple[int, ...] = ()
    staff: tuple[int, ...] = ()
    use: PhoneUse = field(default_factory=PhoneUse)


def enrol_boundary(asked: Enrol) -> Sequence[DCBQueryItem]:
    """Return this request, and whose the passkey and the phone are."""
    arms = [
        about(f"enrolment:{asked.enrolment_id}"),
        about(f"citizen:{asked.citizen_id}", kinds=[CitizenErased]),
        *separation.boundary(asked.means),
    ]
    if asked.passkey:
        kinds = [PasskeyEnrolled, WitnessEnrolled, StaffPasskeyMarked]
        arms.append(about(f"passkey:{asked.passkey.id}", kinds=kinds))
    return arms


def enrol_evolve(state: Enrolment, recorded: Recorded) -> Enrolment:
    """Collect it."""
    match recorded.fact:
        case PasskeyAsked() as fact:
            return replace(state, asked=fact)
        case PasskeyFailed():
            return replace(state, tries_failed=state.tries_failed + 1)
        case CitizenErased(citizen_id=citizen_id):
            state = replace(state, use=separation.evolve(state.use, recorded))
            if state.asked is None or citizen_id != state.asked.citizen_id:
                return state  # before this request, or of another on the same phone
            return replace(state, erased=(*state.erased, recorded.position))
        case StaffPasskeyMarked():
            return replace(state, staff=(*state.staff, recorded.position))
        case PasskeyEnrolled() as fact:
            owners = (*state.owners, recorded.position)
            own = state.asked and fact.enrolment_id == state.asked.enrolment_id
            return replace(state, owners=owners, enrolled=fact if own else state.enrolled)
        case WitnessEnrolled():
            return replace(state, owners=(*state.owners, recorded.position))
        case _:
            return replace(state, use=separation.evolve(state.use, recorded))


def enrol_decide(state: Enrolment, asked: Enrol) -> Sequence[PasskeyEnrolled]:
    """Enrol the passkey, or do nothing if this answer did; else count the try."""
    request = state.asked
    if request is None:
        raise Rejection(Kind.UNKNOWN, "enrolment_unknown")
    if state.enrolled:
        if asked.code_matches and asked.passkey == state.enrolled.passkey:
            return []
        raise Rejection(Kind.CONFLICT, "enrolment_done")
    reasons = list(_unenrollable(state, request, asked))
    if reasons:
        facts = [
            PasskeyFailed(
                citizen_id=request.citizen_id,
                enrolment_id=asked.enrolment_id,
                reasons=[one.code for one in reasons],
                policy_version=asked.policy.version,
            )
        ]
        dead = state.tries_failed >= asked.policy.code_tries_max
        raise Rejection(
            Kind.REJECTED, reasons[0].code, reasons=reasons, facts=[] if dead else facts
        )
    assert asked.passkey  # without one there is a reason
    return [
        PasskeyEnrolled(
            citizen_id=request.citizen_id,
            enrolment_id=asked.enrolment_id,
            passkey_id=asked.passkey.id,
            passkey=asked.passkey,
            policy_version=asked.policy.version,
        )
    ]


ENROL = Verb(boundary=enrol_boundary, initial=Enrolment(), evolve=enrol_evolve, decide=enrol_decide)


def _unenrollable(state: Enrolment, request: PasskeyAsked, asked: Enrol) -> Iterator[Reason]:
    if state.tries_failed >= asked.policy.code_tries_max:
        yield Reason("code_tries_used")
    elif asked.at >= request.expires_at:
        yield Reason("code_expired")
    elif not asked.code_matches:
        left = asked.policy.code_tries_max - state.tries_failed - 1
        yield Reason("code_wrong", detail=str(left))
    elif asked.passkey is None:
        yield Reason(asked.failure)
    if state.erased:
        yield Reason("citizen_erased", state.erased)
    if state.staff:
        yield Reason("passkey_of_staff", state.staff)
    if state.owners:
        yield Reason("passkey_taken", state.owners)
    whose = request.citizen_id, request.bank_id, request.phone_id
    yield from _unowned(state.use, whose, asked.at, asked.policy)


# -- 3. revoke ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Revoke:
    """A citizen takes a passkey away."""

    citizen_id: str
    passkey_id: str


def revoke_boundary(asked: Revoke) -> Sequence[DCBQueryItem]:
    """Return what is known of this passkey of this citizen."""
    tags = f"citizen:{asked.citizen_id}", f"passkey:{asked.passkey_id}"
    return [about(*tags, kinds=[PasskeyEnrolled, PasskeyRevoked])]


def revoke_evolve(kinds: frozenset[type], recorded: Recorded) -> frozenset[type]:
    """Collect what happened to it."""
    return kinds | {type(recorded.fact)}


def revoke_decide(kinds: frozenset[type], asked: Revoke) -> Sequence[PasskeyRevoked]:
    """Take it away, or do nothing if it is away."""
    if PasskeyEnrolled not in kinds:
        raise Rejection(Kind.UNKNOWN, "passkey_unknown")
    fact = PasskeyRevoked(citizen_id=asked.citizen_id, passkey_id=asked.passkey_id)
    return [] if PasskeyRevoked in kinds else [fact]


UNTOUCHED: frozenset[type] = frozenset()
REVOKE = Verb(
    boundary=revoke_boundary, initial=UNTOUCHED, evolve=revoke_evolve, decide=revoke_decide
)


# -- staff's ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Marked:
    """Whether there is the clerk, and the passkeys that are known to be theirs."""

    clerk: bool = False
    passkey_ids: frozenset[str] = field(default_factory=frozenset)


def mark_boundary(mark: StaffPasskeyMarked) -> Sequence[DCBQueryItem]:
    """Return what is known of this clerk."""
    kinds: list[type] = [ClerkRegistered, StaffPasskeyMarked]
    return [about(f"clerk:{mark.clerk_id}", kinds=kinds)]


def mark_evolve(marked: Marked, recorded: Recorded) -> Marked:
    """Collect it."""
    if isinstance(recorded.fact, StaffPasskeyMarked):
        return replace(marked, passkey_ids=marked.passkey_ids | {recorded.fact.passkey_id})
    return replace(marked, clerk=True)


def mark_decide(marked: Marked, mark: StaffPasskeyMarked) -> Sequence[StaffPasskeyMarked]:
    """Know a passkey as staff's from now on: it signs for no citizen, whoever enrolled it."""
    if not marked.clerk:
        raise Rejection(Kind.UNKNOWN, "clerk_unknown")
    return [] if mark.passkey_id in marked.passkey_ids else [mark]


MARK_STAFF = Verb(boundary=mark_boundary, initial=Marked(), evolve=mark_evolve, decide=mark_decide)
