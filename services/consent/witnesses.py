"""Two people who saw it: who can be a witness, and which two of them bear out one question.

For a citizen without a phone, two witnesses sign what that citizen decides. The rules:
 1. each was invited, and enrolled a passkey of their own, which is no citizen's;
 2. neither is staff: no clerk's phone, and no passkey that is known to be a clerk's;
 3. neither stands for whoever asks: not for the office, not for the bank;
 4. they are two: not one person twice, nor two with one phone or one passkey, nor two of one
    organisation;
 5. neither has the citizen's own phone, nor that of whoever speaks for the citizen.
They hold when the two are named, when the first signs, and when the second does, each time for the
facts of that moment.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from eventsourcing.dcb.api import DCBQueryItem

from services.consent import phones
from services.consent.facts import (
    ConsentRequested,
    InvitationRequest,
    PasskeyEnrolled,
    StaffPasskeyMarked,
    StaffPhoneMarked,
    StaffPhoneUnmarked,
    WitnessEnded,
    WitnessEnrolled,
    WitnessInvited,
    WitnessRejected,
    WitnessSigned,
)
from shared.contracts.evidence import Passkey
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about

PAIR = 2
"""How many sign what a citizen without a phone decides."""

OF_WITNESSES = (WitnessInvited, WitnessEnrolled, WitnessEnded, WitnessSigned)
"""The facts that a witness is made of."""

OF_STAFF = (StaffPhoneMarked, StaffPhoneUnmarked, StaffPasskeyMarked)
"""The facts that make a phone or a passkey a clerk's."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who may witness: the newest invitation, and what was enrolled on one.

    `sign_count` is what the passkey had counted at its newest signature.
    """

    invited: WitnessInvited | None = None
    accepted: WitnessInvited | None = None
    enrolled: WitnessEnrolled | None = None
    sign_count: int = 0
    places: tuple[int, ...] = ()

    @property
    def passkey(self) -> Passkey | None:
        """Return the passkey with its newest count, None for whoever is no witness."""
        if self.enrolled is None:
            return None
        return replace(self.enrolled.passkey, sign_count=self.sign_count)


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What is known of some witnesses, and of what is staff's."""

    by_id: Mapping[str, Witness] = field(default_factory=dict)
    staff_phones: Mapping[str, frozenset[str]] = field(default_factory=dict)
    staff_passkeys: frozenset[str] = frozenset()

    def of(self, witness_id: str) -> Witness:
        """Return what is known of one."""
        return self.by_id.get(witness_id, Witness())


@dataclass(frozen=True, slots=True)
class Known:
    """What a boundary is about: witnesses, and the phones and passkeys that were found with them.

    `heard_ids` are of whom they are to be told apart: the citizen, and whoever speaks for them.
    """

    witness_ids: Sequence[str] = ()
    phone_ids: Sequence[str] = ()
    passkey_ids: Sequence[str] = ()
    heard_ids: Sequence[str] = ()

    def looks_at(self, witness: Witness) -> bool:
        """Tell whether there is a witness, with no other phone and passkey than were found."""
        phone, passkey = witness.accepted, witness.enrolled
        if phone is None or passkey is None:
            return False
        return phone.phone_id in self.phone_ids and passkey.passkey_id in self.passkey_ids


NOBODY = Known()
"""Where no witness signs."""


def boundary(known: Known) -> Sequence[DCBQueryItem]:
    """Return the arms: these witnesses, what of theirs is staff's, the phones of who is heard."""
    return [
        *(about(f"citizen:{one}", kinds=phones.KINDS) for one in known.heard_ids),
        *(about(f"witness:{one}", kinds=OF_WITNESSES) for one in known.witness_ids),
        *(about(f"phone:{one}", kinds=OF_STAFF) for one in known.phone_ids),
        *(about(f"passkey:{one}", kinds=OF_STAFF) for one in known.passkey_ids),
    ]


def evolve(witnesses: Witnesses, recorded: Recorded) -> Witnesses:
    """Return what is known after one more fact."""
    match recorded.fact:
        case StaffPhoneMarked(phone_id=phone_id, clerk_id=clerk_id):
            held = witnesses.staff_phones.get(phone_id, frozenset()) | {clerk_id}
            return replace(witnesses, staff_phones={**witnesses.staff_phones, phone_id: held})
        case StaffPhoneUnmarked(phone_id=phone_id, clerk_id=clerk_id):
            held = witnesses.staff_phones.get(phone_id, frozenset()) - {clerk_id}
            return replace(witnesses, staff_phones={**witnesses.staff_phones, phone_id: held})
        case StaffPasskeyMarked(passkey_id=passkey_id):
            return replace(witnesses, staff_passkeys=witnesses.staff_passkeys | {passkey_id})
        case WitnessInvited() | WitnessEnrolled() | WitnessEnded() | WitnessSigned() as fact:
            one = _evolved(witnesses.of(fact.witness_id), recorded)
            return replace(witnesses, by_id={**witnesses.by_id, fact.witness_id: one})
        case _:
            return witnesses


def _evolved(witness: Witness, recorded: Recorded) -> Witness:
    match recorded.fact:
        case WitnessInvited() as fact:
            return replace(witness, invited=fact)
        case WitnessEnrolled() as fact:
            return replace(
                witness,
                accepted=witness.invited,
                enrolled=fact,
                sign_count=fact.passkey.sign_count,
                places=(recorded.position,),
            )
        case WitnessSigned(witnessing=signed):
            return replace(witness, sign_count=signed.signature.sign_count)
        case _:  # ended
            return Witness()


# -- the rule -----------------------------------------------------------------------------------


def unfit(
    witnesses: Witnesses,
    known: Known,
    question: ConsentRequested,
    heard_phones: frozenset[str],
) -> Iterator[Reason]:
    """Yield why these two cannot bear out what the citizen of a question decides."""
    both = [witnesses.of(one) for one in known.witness_ids]
    places = tuple(sorted(position for one in both for position in one.places))
    if len(both) != PAIR or not all(known.looks_at(one) for one in both):
        yield Reason("witness_unknown", places)
        return
    if any(_of_staff(witnesses, one) for one in both):
        yield Reason("witness_of_staff", places)
    if {one.organisation_id for one in _accepted(both)} & {question.office_id, question.bank_id}:
        yield Reason("witness_of_asker", places)
    if _alike(both):
        yield Reason("witnesses_alike", places)
    if {one.phone_id for one in _accepted(both)} & heard_phones:
        yield Reason("witness_is_citizen", places)


def _accepted(witnesses: Sequence[Witness]) -> list[WitnessInvited]:
    """Return the invitations on which they enrolled."""
    return [one.accepted for one in witnesses if one.accepted]


def _of_staff(witnesses: Witnesses, one: Witness) -> bool:
    phone = one.accepted is not None and witnesses.staff_phones.get(one.accepted.phone_id)
    passkey = one.enrolled is not None and one.enrolled.passkey_id in witnesses.staff_passkeys
    return bool(phone) or passkey


def _alike(both: Sequence[Witness]) -> bool:
    """Tell whether they are not two: anything that each of two people has, they have once."""
    accepted = _accepted(both)
    apart = [
        {one.witness_id for one in accepted},
        {one.organisation_id for one in accepted},
        {one.phone_id for one in accepted},
        {one.enrolled.passkey_id for one in both if one.enrolled},
    ]
    return any(len(values) < PAIR for values in apart)


# -- invite -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Invite:
    """Somebody is asked to be a witness, on a phone with this mark; times in UTC."""

    request: InvitationRequest
    organisation_id: str
    phone_id: str
    invited_by: str
    expires_at: datetime
    policy_version: int = 0
    """By which it expires then."""


def invite_boundary(asked: Invite) -> Sequence[DCBQueryItem]:
    """Return what is known of the witness, and whether the phone is a clerk's."""
    return boundary(Known([asked.request.witness_id], [asked.phone_id]))


def invite_decide(witnesses: Witnesses, asked: Invite) -> Sequence[WitnessInvited]:
    """Invite, or do nothing if they are invited, or witness, with these particulars already."""
    witness_id = asked.request.witness_id
    if witnesses.staff_phones.get(asked.phone_id):
        raise _rejection(witness_id, asked.invited_by, [Reason("witness_of_staff")])
    known = witnesses.of(witness_id)
    if known.invited and _stands(known, known.invited, asked):
        return []
    return [
        WitnessInvited(
            witness_id=witness_id,
            enrolment_id=asked.request.enrolment_id,
            organisation_id=asked.organisation_id,
            phone_id=asked.phone_id,
            request=asked.request,
            request_hash=asked.request.hash(),
            expires_at=asked.expires_at,
            invited_by=asked.invited_by,
            policy_version=asked.policy_version,
        )
    ]


def _stands(known: Witness, invited: WitnessInvited, asked: Invite) -> bool:
    """Tell whether the newest invitation says the same, and was taken or still can be."""
    same = (invited.organisation_id, invited.phone_id) == (asked.organisation_id, asked.phone_id)
    return same and (invited == known.accepted or asked.request.issued_at < invited.expires_at)


INVITE = Verb(boundary=invite_boundary, initial=Witnesses(), evolve=evolve, decide=invite_decide)


# -- enrol --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrol:
    """A witness's device answered: `passkey`, or None and why; `phone_id` is the invitation's."""

    witness_id: str
    enrolment_id: str
    phone_id: str
    passkey: Passkey | None
    failure: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Enrolling:
    """What is known of the witness, and where each passkey was enrolled already."""

    witnesses: Witnesses = field(default_factory=Witnesses)
    owners: Mapping[str, int] = field(default_factory=dict)


def enrol_boundary(asked: Enrol) -> Sequence[DCBQueryItem]:
    """Return what is known of the witness, and whose phone and passkey are."""
    arms = [*boundary(Known([asked.witness_id], [asked.phone_id]))]
    if asked.passkey:
        kinds = [PasskeyEnrolled, WitnessEnrolled, StaffPasskeyMarked]
        arms.append(about(f"passkey:{asked.passkey.id}", kinds=kinds))
    return arms


def enrol_evolve(state: Enrolling, recorded: Recorded) -> Enrolling:
    """Collect it."""
    witnesses = evolve(state.witnesses, recorded)
    taken = isinstance(recorded.fact, (PasskeyEnrolled, WitnessEnrolled))
    owner = {recorded.fact.passkey_id: recorded.position} if taken else {}
    return Enrolling(witnesses, {**state.owners, **owner})


def enrol_decide(state: Enrolling, asked: Enrol) -> Sequence[WitnessEnrolled]:
    """Enrol the passkey, or do nothing if this answer did."""
    known = state.witnesses.of(asked.witness_id)
    if known.invited is None or known.invited.enrolment_id != asked.enrolment_id:
        raise Rejection(Kind.UNKNOWN, "invitation_over")
    if known.enrolled and known.accepted == known.invited:
        if asked.passkey == known.enrolled.passkey:
            return []
        raise Rejection(Kind.CONFLICT, "enrolment_done")
    if reasons := list(_unenrollable(state, known.invited, asked)):
        raise _rejection(asked.witness_id, f"witness:{asked.witness_id}", reasons)
    assert asked.passkey  # without one there is a reason
    return [
        WitnessEnrolled(
            witness_id=asked.witness_id,
            enrolment_id=asked.enrolment_id,
            passkey_id=asked.passkey.id,
            passkey=asked.passkey,
        )
    ]


def _unenrollable(state: Enrolling, invited: WitnessInvited, asked: Enrol) -> Iterator[Reason]:
    if asked.at >= invited.expires_at:
        yield Reason("invitation_over")
    if asked.passkey is None:
        yield Reason(asked.failure)
        return
    if taken := state.owners.get(asked.passkey.id):
        yield Reason("passkey_taken", (taken,))
    staff = state.witnesses.staff_phones.get(invited.phone_id)
    if staff or asked.passkey.id in state.witnesses.staff_passkeys:
        yield Reason("witness_of_staff")


ENROL = Verb(boundary=enrol_boundary, initial=Enrolling(), evolve=enrol_evolve, decide=enrol_decide)


# -- end ----------------------------------------------------------------------------------------


def end_boundary(ended: WitnessEnded) -> Sequence[DCBQueryItem]:
    """Return what is known of the witness."""
    return boundary(Known([ended.witness_id]))


def end_decide(witnesses: Witnesses, ended: WitnessEnded) -> Sequence[WitnessEnded]:
    """Let somebody be no witness any more, or do nothing if they are none."""
    return [ended] if witnesses.of(ended.witness_id).invited else []


END = Verb(boundary=end_boundary, initial=Witnesses(), evolve=evolve, decide=end_decide)


def _rejection(witness_id: str, asked_by: str, reasons: list[Reason]) -> Rejection:
    fact = WitnessRejected(
        consent_id=None,
        witness_id=witness_id,
        asked_by=asked_by,
        reasons=[reason.code for reason in reasons],
    )
    return Rejection(Kind.REJECTED, reasons[0].code, reasons=reasons, facts=[fact])
