"""What can be read of a consent: folded from its facts, and disposable."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from services.consent import phones, policies, representatives, suspensions, witnesses
from services.consent.accounts import Attempt
from services.consent.consents import (
    KINDS,
    PASSKEY_KINDS,
    Consent,
    Passkeys,
    Placed,
    Standing,
    evolve,
    held,
)
from services.consent.facts import (
    BankRegistered,
    CaptureRejected,
    CitizenRegistered,
    ClerkRegistered,
    ConsentDisputed,
    ConsentInvalidated,
    ConsentRequested,
    DataRead,
    LiftingProposed,
    OfficeRegistered,
    OpeningSubmitted,
    PasskeyAsked,
    PhoneEnrolled,
    ProductOffered,
    RepresentativeAuthorised,
    RequestRejected,
    SiteRegistered,
    StopDelivered,
    SubmissionRejected,
    SuspensionLifted,
    SuspensionOrdered,
    WitnessInvited,
    WitnessNamed,
)
from services.consent.notices import Names
from services.consent.phones import Phones
from services.consent.purposes import SideStanding, side_standings
from services.consent.representatives import AUTHORITIES, People, Speaker, speaker
from services.consent.suspensions import Suspension
from services.consent.witnesses import Known, Witnesses
from shared.errors import Kind, Rejection
from shared.ledger.log import Log, about
from shared.looks import Looked, grouped

SUBMISSION_FIELDS = ("consent_id", "capture_id", "bank_id", "office_id", "clerk_id", "site_id")
"""What a list says of a submission; whose it is, whoever may reads in the consent."""

TERMS_FINGERPRINT_DIGITS = 16
"""Hexadecimal digits of a hash of terms or fees that a person sees: enough to compare by eye."""


@dataclass(frozen=True, slots=True)
class ConsentView:
    """A consent, where it stands now, and when what happened to it."""

    consent: Consent
    standing: Standing
    sides: dict[str, SideStanding] = field(default_factory=dict)

    @property
    def event(self) -> str | None:
        """Return the signed consent event, once it can be used."""
        return self.consent.event

    @property
    def places(self) -> dict[str, Placed]:
        """Return position and time of what decided, by name."""
        return self.consent.places

    def document(self) -> dict[str, Any]:
        """Return what the API answers."""
        asked = self.consent.requested
        if asked is None:
            raise Rejection(Kind.UNKNOWN, "consent_unknown")
        return {
            "consent_id": asked.consent_id,
            "standing": self.standing,
            "citizen_id": asked.citizen_id,
            "bank_id": asked.bank_id,
            "product_id": asked.product_id,
            "purpose": asked.purpose,
            "purposes": self.sides,
            "decide_by": asked.decide_by,
            "event": self.event,
            "positions": {name: placed.position for name, placed in self.places.items()},
        }


async def read_consent(log: Log, consent_id: str, at: datetime) -> ConsentView:
    """Return a consent as it stands; raises `Rejection` for one that was never asked for."""
    consent = Consent()
    for recorded in await log.read(about(f"consent:{consent_id}", kinds=KINDS)):
        consent = evolve(consent, recorded)
    if consent.requested is None:
        raise Rejection(Kind.UNKNOWN, "consent_unknown")
    return view_of(consent, at)


async def read_consents(
    log: Log, consent_ids: Sequence[str], at: datetime
) -> dict[str, ConsentView]:
    """Return consents as they stand, by id, in the order of the ids; unknown ones are not there."""
    arms = [about(f"consent:{one}", kinds=KINDS) for one in consent_ids]
    found = {one: Consent() for one in consent_ids}
    for recorded in await log.read(*arms) if arms else []:
        consent_id = recorded.fact.consent_id
        found[consent_id] = evolve(found[consent_id], recorded)
    return {key: view_of(one, at) for key, one in found.items() if one.requested}


async def read_own_ids(log: Log, consent_ids: Sequence[str], tag: str) -> set[str]:
    """Return which of these consents were asked for under a tag, such as `bank:so-viet`.

    It reads nothing of the others, so that it takes no longer for them than for none.
    """
    arms = [about(f"consent:{one}", tag, kinds=[ConsentRequested]) for one in consent_ids]
    return {one.fact.consent_id for one in await log.read(*arms)} if arms else set()


async def list_submissions(log: Log, tag: str | None, *, after: int, limit: int) -> dict[str, Any]:
    """Return what was handed in under a tag, or all, oldest first; nobody's own id is in it."""
    arm = about(*([tag] if tag else []), kinds=[OpeningSubmitted])
    found = await log.read(arm, after=after, limit=limit)
    submissions = [
        {
            "position": one.position,
            "submitted_at": one.recorded_at,
            **{name: getattr(one.fact, name) for name in SUBMISSION_FIELDS},
        }
        for one in found
    ]
    return {"submissions": submissions, "next": found[-1].position if found else after}


async def read_question(log: Log, consent_id: str) -> ConsentRequested | None:
    """Return what a citizen was asked, None for a consent that nobody asked for."""
    found = await log.read(about(f"consent:{consent_id}", kinds=[ConsentRequested]), limit=1)
    return found[0].fact if found else None


def view_of(consent: Consent, at: datetime) -> ConsentView:
    """Return a consent as it stands at an instant (UTC)."""
    return ConsentView(consent, consent.standing(at), side_standings(consent, at))


async def read_consent_ids(log: Log, citizen_id: str) -> list[str]:
    """Return the consents that a citizen was asked for, in the order of asking."""
    asked = await log.read(about(f"citizen:{citizen_id}", kinds=[ConsentRequested]))
    return [recorded.fact.consent_id for recorded in asked]


async def read_attempts(log: Log, citizen_id: str) -> list[Attempt]:
    """Return who tried here to do something in a citizen's name, and why not; in order.

    A use that was rejected is what accounts tells: somebody tried to open something.
    """
    kinds = [RequestRejected, CaptureRejected, SubmissionRejected]
    return [
        Attempt(
            kind=one.fact.NAME,
            at=one.recorded_at,
            tried_by=one.fact.asked_by,
            reasons=one.fact.reasons,
        )
        for one in await log.read(about(f"citizen:{citizen_id}", kinds=kinds))
    ]


async def read_looks(log: Log, citizen_id: str) -> list[Looked]:
    """Return who was shown something of a citizen's here, whoever looked last first."""
    reads = await log.read(about(f"citizen:{citizen_id}", kinds=[DataRead]))
    return grouped(read.fact for read in reads)


async def read_reader_names(log: Log, readers: Iterable[str]) -> dict[str, str]:
    """Return the name of each reader's bank, or of the office of a clerk; others have none."""
    banks = {one.removeprefix("bank:") for one in readers if one.startswith("bank:")}
    clerks = {one.removeprefix("clerk:") for one in readers if one.startswith("clerk:")}
    offices = dict[str, str]()
    for one in await _registered(log, "clerk", clerks, ClerkRegistered):
        offices[one.clerk_id] = one.office_id
    named = await _registered(log, "office", set(offices.values()), OfficeRegistered)
    names = {one.office_id: one.name for one in named}
    found = {f"clerk:{one}": names[office] for one, office in offices.items()}
    for one in await _registered(log, "bank", banks, BankRegistered):
        found[f"bank:{one.bank_id}"] = one.name
    return found


async def _registered(log: Log, noun: str, ids: Iterable[str], kind: type[Any]) -> list[Any]:
    """Return the lines of the directory that these ids have."""
    arms = [about(f"{noun}:{one}", kinds=[kind]) for one in sorted(ids)]
    return [one.fact for one in await log.read(*arms)] if arms else []


async def read_host(log: Log, site_id: str) -> str | None:
    """Return whom the calls of a site's host come from, None if there are none, or no such site."""
    found = await _registered(log, "site", [site_id], SiteRegistered)
    return found[0].host_id if found else None


async def read_passkeys(log: Log, citizen_id: str) -> Passkeys:
    """Return a citizen's passkeys, those too that were taken away."""
    passkeys: Passkeys = {}
    for recorded in await log.read(about(f"citizen:{citizen_id}", kinds=PASSKEY_KINDS)):
        passkeys = held(passkeys, recorded)
    return passkeys


async def read_enrolment(log: Log, enrolment_id: str) -> PasskeyAsked | None:
    """Return a request to enrol a passkey, None if there is none of this id."""
    found = await log.read(about(f"enrolment:{enrolment_id}", kinds=[PasskeyAsked]), limit=1)
    return found[0].fact if found else None


async def read_by_dispute(log: Log, dispute_id: str) -> str | None:
    """Return the consent whose dispute code has this mark, None if none has."""
    found = await log.read(about(f"dispute:{dispute_id}", kinds=[ConsentRequested]), limit=1)
    return found[0].fact.consent_id if found else None


async def read_delivered(log: Log, consent_id: str) -> bool:
    """Tell whether accounts has heard that a consent is stopped."""
    return bool(await log.read(about(f"consent:{consent_id}", kinds=[StopDelivered]), limit=1))


async def read_undelivered(log: Log) -> list[str]:
    """Return the consents that are stopped and of which accounts has not heard, oldest first."""
    stopped = await log.read(about(kinds=[ConsentDisputed, ConsentInvalidated, StopDelivered]))
    left = dict[str, None]()
    for recorded in stopped:
        if isinstance(recorded.fact, StopDelivered):
            left.pop(recorded.fact.consent_id, None)
        else:
            left[recorded.fact.consent_id] = None
    return list(left)


class PhoneChangeStanding(StrEnum):
    """What became of a phone that was asked for."""

    COMING = "coming"
    STOPPED = "stopped"
    """Stopped, or replaced by another, or erased: it never counts."""

    COUNTS = "counts"


@dataclass(frozen=True, slots=True)
class Phone:
    """A citizen's own number (E.164), since when it is known to be theirs, and its mark."""

    number: str = field(repr=False)
    known_since: datetime
    mark: str | None = None
    """None for one recorded before there were marks."""


async def read_phones(log: Log, citizen_id: str) -> Phones:
    """Return a citizen's phones: the one that counts, and one that may be coming."""
    held = Phones()
    for recorded in await log.read(about(f"citizen:{citizen_id}", kinds=phones.KINDS)):
        held = phones.evolve(held, recorded)
    return held


async def read_phone(log: Log, citizen_id: str, at: datetime) -> Phone | None:
    """Return the phone that counts at an instant (UTC), None where there is none to send to."""
    return phone_of(await read_phones(log, citizen_id), at)


@dataclass(frozen=True, slots=True)
class SuspensionView:
    """A suspension, where it lies, and how it stands at an instant."""

    ordered: SuspensionOrdered
    position: int
    proposals: tuple[LiftingProposed, ...]
    lifted: SuspensionLifted | None
    holds: bool

    def document(self) -> dict[str, Any]:
        """Return what the API answers."""
        proposed = [{"by": one.proposed_by, "why": one.why} for one in self.proposals]
        lifted = self.lifted
        return {
            **msgspec.to_builtins(self.ordered),
            "position": self.position,
            "holds": self.holds,
            "proposals": proposed,
            "lifted": lifted and {"by": lifted.approved_by, "from": lifted.effective_from},
        }


async def read_suspension(log: Log, suspension_id: str, at: datetime) -> SuspensionView | None:
    """Return a suspension as it stands at an instant (UTC), None for one that nobody ordered."""
    known = Suspension()
    for recorded in await log.read(about(f"suspension:{suspension_id}")):
        known = suspensions.evolve(known, recorded)
    if known.ordered is None:
        return None
    holds = known.lifted is None or at < known.lifted.effective_from
    return SuspensionView(known.ordered, known.place, known.proposals, known.lifted, holds)


async def read_suspensions_of(log: Log, citizen_id: str, at: datetime) -> list[SuspensionView]:
    """Return what a citizen suspended in the own name and still holds, the oldest first."""
    facts = await log.read(about(f"citizen:{citizen_id}", kinds=[SuspensionOrdered]))
    own = [one.fact.suspension_id for one in facts]
    views = [await read_suspension(log, one, at) for one in own]
    return [one for one in views if one and one.holds]


async def read_policies(log: Log) -> policies.Known:
    """Return every policy that was proposed, and set."""
    known = policies.Known()
    for recorded in await log.read(*policies.boundary()):
        known = policies.evolve(known, recorded)
    return known


def phone_of(held: Phones, at: datetime) -> Phone | None:
    """Return the phone that counts, None for a citizen unknown, erased, or without any."""
    one = held.effective(at)
    if one is None or not isinstance(one.number, str):
        return None
    return Phone(one.number, one.known_since, one.phone_id)


async def read_speaker(log: Log, citizen_id: str, at: datetime) -> Speaker | None:
    """Return who speaks for a citizen at an instant (UTC), None if nobody may."""
    people: People = {}
    for recorded in await log.read(representatives.boundary(citizen_id)):
        people = representatives.evolve(people, recorded)
    return speaker(people, citizen_id, at)


async def read_wards(log: Log, representative_id: str, at: datetime) -> list[str]:
    """Return for whom a citizen speaks at an instant (UTC), in the order of coming."""
    held = await read_authorities(log, representative_id)
    citizens = dict.fromkeys(one.citizen_id for one in held)
    speakers = [(one, await read_speaker(log, one, at)) for one in citizens]
    return [one for one, found in speakers if found and found.citizen_id == representative_id]


async def read_authorities(log: Log, representative_id: str) -> list[RepresentativeAuthorised]:
    """Return what lets a citizen speak for others, or did until its time ended; not what ended."""
    left = dict[str, RepresentativeAuthorised]()
    for one in await log.read(about(f"representative:{representative_id}", kinds=AUTHORITIES)):
        left.pop(one.fact.authority_id, None)
        if isinstance(one.fact, RepresentativeAuthorised):
            left[one.fact.authority_id] = one.fact
    return list(left.values())


async def read_witnesses(log: Log, *witness_ids: str) -> Witnesses:
    """Return what is known of some witnesses, without whether anything is staff's."""
    found = Witnesses()
    for recorded in await log.read(*witnesses.boundary(Known(witness_ids))):
        found = witnesses.evolve(found, recorded)
    return found


async def read_invitation(log: Log, enrolment_id: str) -> WitnessInvited | None:
    """Return an invitation to be a witness, None if there is none of this id."""
    found = await log.read(about(f"enrolment:{enrolment_id}", kinds=[WitnessInvited]), limit=1)
    return found[0].fact if found else None


async def read_named(log: Log, witness_id: str) -> list[str]:
    """Return the consents that somebody was named for as a witness, the newest first."""
    named = await log.read(about(f"witness:{witness_id}", kinds=[WitnessNamed]))
    return list(dict.fromkeys(one.fact.consent_id for one in reversed(named)))


async def read_sharers(log: Log, phone_id: str) -> list[str]:
    """Return the citizens who have, or had, a phone with this mark, in the order of coming."""
    kinds = [CitizenRegistered, PhoneEnrolled]
    facts = await log.read(about(f"phone:{phone_id}", kinds=kinds))
    return list(dict.fromkeys(one.fact.citizen_id for one in facts))


@dataclass(frozen=True, slots=True)
class PhoneChange:
    """What was asked for a citizen's phone, whether it still can be stopped, and who asked."""

    enrolled: PhoneEnrolled
    phones: Phones
    office: str | None

    def standing(self, at: datetime) -> PhoneChangeStanding:
        """Return where it stands at an instant (UTC)."""
        held = self.phones.of(self.enrolled.enrolment_id)
        if held is None:
            return PhoneChangeStanding.STOPPED
        return PhoneChangeStanding.COUNTS if held.counts(at) else PhoneChangeStanding.COMING


async def read_phone_change(log: Log, enrolment_id: str) -> PhoneChange:
    """Return what was asked; raises `Rejection` for an enrolment that there never was."""
    found = await log.read(about(f"enrolment:{enrolment_id}", kinds=[PhoneEnrolled]))
    if not found:
        raise Rejection(Kind.UNKNOWN, "not_found")
    enrolled: PhoneEnrolled = found[0].fact
    office = about(f"office:{enrolled.office_id}", kinds=[OfficeRegistered])
    offices = await log.read(office) if enrolled.office_id else []
    names = [one.fact.name for one in offices]
    held = await read_phones(log, enrolled.citizen_id)
    return PhoneChange(enrolled, held, names[0] if names else None)


async def read_names(log: Log, consent: Consent) -> Names:
    """Return the names that the notice of a consent shows."""
    asked = consent.requested
    if asked is None:
        raise Rejection(Kind.UNKNOWN, "consent_unknown")
    arms = [
        about(f"bank:{asked.bank_id}", kinds=[BankRegistered]),
        about(f"product:{asked.product_id}", kinds=[ProductOffered]),
    ]
    if asked.office_id:
        arms.append(about(f"office:{asked.office_id}", kinds=[OfficeRegistered]))
    if asked.site_id:
        arms.append(about(f"site:{asked.site_id}", kinds=[SiteRegistered]))
    names = {type(one.fact): one.fact.name for one in await log.read(*arms)}
    return Names(
        bank=names[BankRegistered],
        product=names[ProductOffered],
        terms=asked.terms_hash[:TERMS_FINGERPRINT_DIGITS],
        office=names.get(OfficeRegistered),
        clerk=asked.clerk_id,
        site=names.get(SiteRegistered),
        code=asked.consent_id[:8].upper(),
        fees=asked.fee_hash[:TERMS_FINGERPRINT_DIGITS] if asked.fee_hash else None,
    )
