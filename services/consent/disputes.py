"""“Not me”: one step stops everything, and only afterwards does anybody ask.

A dispute says that the agreement never was; a withdrawal, that it is no more; an invalidation, that
somebody found it void. The three are different facts, and none turns into another. From a dispute's
position on nothing uses the consent, no bank or office of it asks this citizen again for a while,
and the bank's clock runs (Law 91/2025 art. 23.1: 72 hours; Circular 15/2024 art. 6: at once).

Whoever disputes needs no code and no login, only the link or the dispute code from a message, a
letter or a receipt: a needless stop can be mended, a needless account harms.

An invalidation takes two organisations, such as the bank and the regulator (four eyes).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.consents import DECISIVE, Consent
from services.consent.consents import evolve as evolve_consent
from services.consent.facts import (
    ConsentDisputed,
    ConsentInvalidated,
    ConsentRequested,
    DisputeChannel,
    InvalidationProposed,
    InvalidationRejected,
    StopDelivered,
    VoidFor,
)
from services.consent.facts.places import place_of
from services.consent.policy import Policy
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about

# -- dispute ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispute:
    """Somebody with the link or the dispute code says that it was not them; `at` in UTC."""

    consent_id: str
    channel: DisputeChannel
    at: datetime
    policy: Policy


def dispute_boundary(asked: Dispute) -> Sequence[DCBQueryItem]:
    """Return what decides about this consent."""
    return [about(f"consent:{asked.consent_id}", kinds=tuple(DECISIVE))]


def dispute_decide(consent: Consent, asked: Dispute) -> Sequence[ConsentDisputed]:
    """Stop everything, whatever has happened before; the same again does nothing."""
    question = consent.requested
    if question is None:
        raise Rejection(Kind.UNKNOWN, "consent_unknown")
    if consent.disputed or consent.invalidated:
        return []
    used = consent.places.get("redeemed")
    return [
        ConsentDisputed(
            consent_id=asked.consent_id,
            citizen_id=question.citizen_id,
            bank_id=question.bank_id,
            office_id=question.office_id,
            clerk_id=question.clerk_id,
            channel=asked.channel,
            used_at=used.position if used else None,
            asking_again_from=asked.at + asked.policy.refusal_holds_for,
            authority_told_by=asked.at + asked.policy.authority_told_within,
            policy_version=asked.policy.version,
        )
    ]


DISPUTE = Verb(
    boundary=dispute_boundary, initial=Consent(), evolve=evolve_consent, decide=dispute_decide
)


# -- invalidate ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Invalidate:
    """An organisation finds a consent void; `by` such as `bank:cake` or `regulator:nhnn`."""

    consent_id: str
    case_id: str
    why: VoidFor
    by: str


@dataclass(frozen=True, slots=True)
class Case:
    """A consent, and what others proposed about it."""

    consent: Consent = field(default_factory=Consent)
    proposed: tuple[tuple[int, InvalidationProposed], ...] = ()


def invalidate_boundary(asked: Invalidate) -> Sequence[DCBQueryItem]:
    """Return what decides about this consent, and the proposals."""
    kinds = (*DECISIVE, InvalidationProposed)
    return [about(f"consent:{asked.consent_id}", kinds=kinds)]


def evolve(case: Case, recorded: Recorded) -> Case:
    """Collect both."""
    if isinstance(recorded.fact, InvalidationProposed):
        return replace(case, proposed=(*case.proposed, (recorded.position, recorded.fact)))
    return replace(case, consent=evolve_consent(case.consent, recorded))


def invalidate_decide(
    case: Case, asked: Invalidate
) -> Sequence[InvalidationProposed | ConsentInvalidated]:
    """Propose, or carry out what another organisation proposed; the same again does nothing."""
    question = case.consent.requested
    if question is None or not _concerns(question, asked.by):
        raise _rejection(asked, Kind.UNKNOWN, Reason("consent_unknown"))
    if case.consent.invalidated:
        return []
    same = [one for one in case.proposed if (one[1].case_id, one[1].why) == _what(asked)]
    if not same:
        return [_proposed(question, asked)]
    others = [one for one in same if one[1].proposed_by != asked.by]
    if not others:
        positions = tuple(position for position, _ in same)
        raise _rejection(asked, Kind.CONFLICT, Reason("four_eyes_required", positions), question)
    return [_invalidated(question, asked, others[0][1].proposed_by, case.consent)]


INVALIDATE = Verb(
    boundary=invalidate_boundary, initial=Case(), evolve=evolve, decide=invalidate_decide
)


def _concerns(question: ConsentRequested, by: str) -> bool:
    """Tell whether this caller may speak of the consent: its own bank, or the regulator."""
    role, _, own_id = by.partition(":")
    return role == "regulator" or (role == "bank" and own_id == question.bank_id)


def _what(asked: Invalidate) -> tuple[str, VoidFor]:
    return asked.case_id, asked.why


def _proposed(question: ConsentRequested, asked: Invalidate) -> InvalidationProposed:
    return InvalidationProposed(
        consent_id=asked.consent_id,
        bank_id=question.bank_id,
        case_id=asked.case_id,
        why=asked.why,
        proposed_by=asked.by,
    )


def _invalidated(
    question: ConsentRequested, asked: Invalidate, proposed_by: str, consent: Consent
) -> ConsentInvalidated:
    used = consent.places.get("redeemed")
    return ConsentInvalidated(
        consent_id=asked.consent_id,
        citizen_id=question.citizen_id,
        bank_id=question.bank_id,
        office_id=question.office_id,
        clerk_id=question.clerk_id,
        case_id=asked.case_id,
        why=asked.why,
        proposed_by=proposed_by,
        approved_by=asked.by,
        used_at=used.position if used else None,
    )


def _rejection(
    asked: Invalidate, kind: Kind, reason: Reason, own: ConsentRequested | None = None
) -> Rejection:
    """Return the no; of a question that is another's it does not say where it was asked."""
    fact = InvalidationRejected(
        consent_id=asked.consent_id,
        asked_by=asked.by,
        reasons=[reason.code],
        **place_of(own),
    )
    return Rejection(kind, "invalidation_rejected", reasons=[reason], facts=[fact])


# -- deliver ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Deliver:
    """The accounts service took the stop of a consent, at this position of its own log."""

    consent_id: str
    accounts_position: int


def deliver_boundary(asked: Deliver) -> Sequence[DCBQueryItem]:
    """Return whether it was delivered before."""
    return [about(f"consent:{asked.consent_id}", kinds=[StopDelivered])]


def deliver_decide(delivered: int, asked: Deliver) -> Sequence[StopDelivered]:
    """Record that accounts knows, once."""
    fact = StopDelivered(consent_id=asked.consent_id, accounts_position=asked.accounts_position)
    return [] if delivered else [fact]


DELIVER = Verb(
    boundary=deliver_boundary,
    initial=0,
    evolve=lambda delivered, _: delivered + 1,
    decide=deliver_decide,
)
