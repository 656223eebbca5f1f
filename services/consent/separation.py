"""Whose phone is it, and from where: what keeps a clerk from signing for a citizen.

An agreement (`given`, `confirmed`) is not signed
 1. with a phone that is a clerk's, whoever else it belongs to;
 2. with a phone that does not count as the citizen's any more;
 3. with a phone that is the phone of more citizens than policy, or the bank, allows;
 4. for a confirmation: with a phone that was not the citizen's well before the question;
 5. from the network address from which the clerk asked.
A passkey speaks for its owner without a phone, so none is enrolled with a phone of 1. to 3.
Where another speaks for the citizen, it is that other's phone.

Refusing and taking back are never kept from anybody: no is no, from wherever it comes. Rules are
told marks, not numbers and not addresses (`shared/marks.py`).

The boundary has all that names the phone, and the phones of whoever was found on it before; who
comes to it in between is within the boundary too, and is counted.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from eventsourcing.dcb.api import DCBQueryItem

from services.consent import phones
from services.consent.facts import (
    BankRegistered,
    CitizenErased,
    CitizenRegistered,
    ClerkRegistered,
    ConsentRequested,
    PhoneEnrolled,
    PhoneEnrolmentStopped,
    PhoneRejected,
    PhoneSharingAllowed,
    SharingGround,
    StaffPhoneMarked,
    StaffPhoneUnmarked,
)
from services.consent.phones import Phones
from services.consent.policy import Policy
from shared.contracts.consent import Decision, Statement
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about
from shared.marks import Marks

AGREEMENTS = frozenset({Decision.GIVEN, Decision.CONFIRMED})
"""The decisions that a clerk would want to forge."""

OF_A_PHONE = (
    StaffPhoneMarked,
    StaffPhoneUnmarked,
    CitizenRegistered,
    PhoneEnrolled,
    PhoneEnrolmentStopped,
    PhoneSharingAllowed,
)
"""The facts that carry a phone's mark."""

SHARERS_MAX = 20
"""Citizens of one phone whose later phones are looked at. More are counted as if still on it, which
only ever keeps something from being signed."""

NETWORK_BITS = {4: 32, 6: 64}
"""How much of an address tells networks apart: all of IPv4, the half of IPv6 that a network has."""


def phone_mark(marks: Marks, number: str) -> str:
    """Return the mark of a phone number in E.164 form."""
    return marks.mark("phone", number)


def address_mark(marks: Marks, consent_id: str, host: str | None) -> str | None:
    """Return the mark of a network address, good for one consent; None for what has none.

    This machine's own addresses have none: behind them is a proxy, which says nothing of people.
    """
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return None
    network = ipaddress.ip_interface(f"{address}/{NETWORK_BITS[address.version]}").network
    return marks.mark("address", consent_id, str(network))


# -- the rule -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What somebody signs with, in marks: the phone that a code goes to, if one does, and where.

    `citizens` are the one who signs, and who else was found to have, or have had, the same phone.
    """

    phone_id: str | None = None
    address_id: str | None = None
    citizens: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PhoneUse:
    """What is known of one phone: the clerks and citizens who have it, and what banks allow."""

    staff: Mapping[str, int] = field(default_factory=dict)
    citizens: Mapping[str, Phones] = field(default_factory=dict)
    allowed: Mapping[str, PhoneSharingAllowed] = field(default_factory=dict)

    def limit(self, bank_id: str, policy: Policy) -> int:
        """Return how many citizens may sign with the phone for a bank."""
        allowed = self.allowed.get(bank_id)
        by_bank = min(allowed.citizens_max, policy.family_phone_max) if allowed else 0
        return max(policy.citizens_per_phone_max, by_bank)


def boundary(means: Means) -> Sequence[DCBQueryItem]:
    """Return the arms: what names the phone, and the phones of these citizens."""
    if means.phone_id is None:
        return []
    citizens = [about(f"citizen:{one}", kinds=phones.KINDS) for one in means.citizens]
    return [about(f"phone:{means.phone_id}", kinds=OF_A_PHONE), *citizens]


def evolve(use: PhoneUse, recorded: Recorded) -> PhoneUse:
    """Return what is known of a phone after one more fact."""
    match recorded.fact:
        case StaffPhoneMarked(clerk_id=clerk_id):
            return replace(use, staff={**use.staff, clerk_id: recorded.position})
        case StaffPhoneUnmarked(clerk_id=clerk_id):
            rest = {one: at for one, at in use.staff.items() if one != clerk_id}
            return replace(use, staff=rest)
        case PhoneSharingAllowed() as fact:
            return replace(use, allowed={**use.allowed, fact.bank_id: fact})
        case CitizenRegistered() | CitizenErased() | PhoneEnrolled() | PhoneEnrolmentStopped():
            citizen_id = recorded.fact.citizen_id
            own = phones.evolve(use.citizens.get(citizen_id, Phones()), recorded)
            return replace(use, citizens={**use.citizens, citizen_id: own})
        case _:
            return use


def inseparable(
    use: PhoneUse,
    question: ConsentRequested | None,
    statement: Statement,
    means: Means,
    *,
    at: datetime,
    policy: Policy,
) -> Iterator[Reason]:
    """Yield why an agreement cannot be told from one that a clerk makes; `at` in UTC."""
    if statement.decision not in AGREEMENTS or question is None:
        return
    if means.phone_id is not None:
        signs = statement.expressed_by or question.citizen_id
        owner = Owner(signs, question.bank_id, means.phone_id)
        yield from unowned(use, owner, at, policy)
        if statement.decision is Decision.CONFIRMED:
            yield from _unknown(use, owner, question.asked_at - policy.settles_after, at)
    if means.address_id is not None and means.address_id == question.asked_from_id:
        yield Reason("clerk_address")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose phone it is said to be, and the bank that the agreement is for."""

    citizen_id: str
    bank_id: str
    phone_id: str


def unowned(use: PhoneUse, owner: Owner, at: datetime, policy: Policy) -> Iterator[Reason]:
    """Yield why a phone is not this citizen's own; `at` in UTC."""
    if use.staff:
        yield Reason("phone_of_staff", tuple(sorted(use.staff.values())))
    yield from _anothers(use, owner, at)
    yield from _shared(use, owner, at, policy)


def _anothers(use: PhoneUse, owner: Owner, at: datetime) -> Iterator[Reason]:
    """Yield why a phone is not the citizen's: another came to count, or none does any more."""
    own = use.citizens.get(owner.citizen_id, Phones()).effective(at)
    if own is None or own.phone_id not in {None, owner.phone_id}:
        yield Reason("phone_not_own", (own.position,) if own else ())


def _shared(use: PhoneUse, owner: Owner, at: datetime, policy: Policy) -> Iterator[Reason]:
    theirs = {citizen_id: one.effective(at) for citizen_id, one in use.citizens.items()}
    others = [
        held.position
        for citizen_id, held in theirs.items()
        if held and held.phone_id == owner.phone_id and citizen_id != owner.citizen_id
    ]
    if len(others) + 1 > use.limit(owner.bank_id, policy):
        yield Reason("phone_shared", tuple(sorted(others)))


def _unknown(use: PhoneUse, owner: Owner, since: datetime, at: datetime) -> Iterator[Reason]:
    """Yield why a confirmation would prove nothing: the phone came too late."""
    own = use.citizens.get(owner.citizen_id, Phones()).effective(at)
    if own is None or own.known_since > since:
        yield Reason("phone_not_known", (own.position,) if own else ())


# -- a clerk's phones ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkStaff:
    """These phones are a clerk's, and no others."""

    clerk_id: str
    phone_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Clerk:
    """Where a clerk works, None for one unknown, and the clerk's phones."""

    office_id: str | None = None
    phone_ids: frozenset[str] = frozenset()


def mark_boundary(asked: MarkStaff) -> Sequence[DCBQueryItem]:
    """Return what is known of the clerk."""
    kinds = [ClerkRegistered, StaffPhoneMarked, StaffPhoneUnmarked]
    return [about(f"clerk:{asked.clerk_id}", kinds=kinds)]


def mark_evolve(clerk: Clerk, recorded: Recorded) -> Clerk:
    """Collect the clerk's office and phones."""
    match recorded.fact:
        case ClerkRegistered(office_id=office_id):
            return replace(clerk, office_id=office_id)
        case StaffPhoneMarked(phone_id=phone_id):
            return replace(clerk, phone_ids=clerk.phone_ids | {phone_id})
        case StaffPhoneUnmarked(phone_id=phone_id):
            return replace(clerk, phone_ids=clerk.phone_ids - {phone_id})
        case _:
            return clerk


def mark_decide(clerk: Clerk, asked: MarkStaff) -> Sequence[StaffPhoneMarked | StaffPhoneUnmarked]:
    """Mark what is new, unmark what is no longer theirs."""
    office_id = clerk.office_id
    if office_id is None:
        raise Rejection(Kind.UNKNOWN, "clerk_unknown")
    new, old = asked.phone_ids - clerk.phone_ids, clerk.phone_ids - asked.phone_ids
    whose = {"clerk_id": asked.clerk_id, "office_id": office_id}
    return [
        *(StaffPhoneMarked(**whose, phone_id=one) for one in sorted(new)),
        *(StaffPhoneUnmarked(**whose, phone_id=one) for one in sorted(old)),
    ]


MARK_STAFF = Verb(boundary=mark_boundary, initial=Clerk(), evolve=mark_evolve, decide=mark_decide)


# -- a household's phone ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class AllowSharing:
    """A bank takes agreements by up to `citizens_max` citizens with the phone of one of them."""

    citizen_id: str
    phone_id: str
    bank_id: str
    citizens_max: int
    ground: SharingGround
    allowed_by: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class Sharing:
    """Whether there is such a bank, and what it allowed last."""

    bank: bool = False
    allowed: PhoneSharingAllowed | None = None


def allow_boundary(asked: AllowSharing) -> Sequence[DCBQueryItem]:
    """Return the bank, and what it said of this phone."""
    bank = f"bank:{asked.bank_id}"
    return [
        about(bank, kinds=[BankRegistered]),
        about(bank, f"phone:{asked.phone_id}", kinds=[PhoneSharingAllowed]),
    ]


def allow_evolve(sharing: Sharing, recorded: Recorded) -> Sharing:
    """Collect what the rules look at."""
    match recorded.fact:
        case BankRegistered():
            return replace(sharing, bank=True)
        case PhoneSharingAllowed() as fact:
            return replace(sharing, allowed=fact)
        case _:
            return sharing


def allow_decide(sharing: Sharing, asked: AllowSharing) -> Sequence[PhoneSharingAllowed]:
    """Allow it, or do nothing if this is what holds; never above the cap."""
    allowed = PhoneSharingAllowed(
        phone_id=asked.phone_id,
        bank_id=asked.bank_id,
        citizens_max=asked.citizens_max,
        ground=asked.ground,
        allowed_by=asked.allowed_by,
        policy_version=asked.policy.version,
    )
    if reasons := list(_unshareable(sharing, asked)):
        fact = PhoneRejected(
            citizen_id=asked.citizen_id,
            asked_by=asked.allowed_by,
            reasons=[reason.code for reason in reasons],
            bank_id=asked.bank_id,
            policy_version=asked.policy.version,
        )
        raise Rejection(Kind.REJECTED, "phone_rejected", reasons=reasons, facts=[fact])
    was = sharing.allowed and replace(sharing.allowed, policy_version=allowed.policy_version)
    return [] if was == allowed else [allowed]


ALLOW_SHARING = Verb(
    boundary=allow_boundary, initial=Sharing(), evolve=allow_evolve, decide=allow_decide
)


def _unshareable(sharing: Sharing, asked: AllowSharing) -> Iterator[Reason]:
    if not sharing.bank:
        yield Reason("bank_unknown")
    role, _, own_id = asked.allowed_by.partition(":")
    if role == "bank" and own_id != asked.bank_id:
        yield Reason("not_own_bank")
    if asked.citizens_max > asked.policy.family_phone_max:
        yield Reason("sharing_above_cap")
