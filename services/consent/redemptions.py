"""A consent is used: once, for one command, by an acknowledgement that has a place in the log.

`consent.redeemed` and `consent.withdrawn` lie in one boundary, so one of them is first, whatever
the clocks say: a withdrawal acknowledged at position p means no redemption after p.

The rules: the consent is given; it is meant for whoever uses it; it is this very statement; it was
not disputed, invalidated or withdrawn; it was not used; at a counter it was handed in, with a
capture that came after the agreement (`services/consent/submissions.py`); it is confirmed, if it
waits for that; the time is between `not_before` and `expires_at` of what was signed last; who
decides at the bank is no clerk, and not where the clerk is; and the gate is open
(`services/consent/gate.py`), whose facts lie in the same boundary.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from eventsourcing.dcb.api import DCBQueryItem

from services.consent import gate
from services.consent.consents import PLACED, Consent, evolve
from services.consent.facts import (
    ClerkRegistered,
    ConsentGiven,
    ConsentRedeemed,
    RedemptionRejected,
)
from services.consent.facts.places import place_of
from services.consent.gate import Act, Gate, closed
from services.consent.submissions import unsubmitted
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Timed, Verb, about

KINDS = tuple(PLACED)
"""What a use depends on: codes that were sent do not stand in its way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redeem(Timed):
    """A service wants to use a consent for the command with this SHA-256.

    `act` is what the consent was asked for, which never changes; None where nobody asked.
    `officer_id` is who decided at the bank, if the bank says, `approved_from_id` the mark of the
    network address from which it was decided, made like that of whoever asked.
    """

    consent_id: str
    act: Act | None
    redemption_id: str
    statement_hash: str
    command_hash: str
    redeemed_by: str
    at: datetime
    officer_id: str | None = None
    approved_from_id: str | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What the use of a consent depends on."""

    consent: Consent = field(default_factory=Consent)
    gate: Gate = field(default_factory=Gate)
    staff: Mapping[str, int] = field(default_factory=dict)
    """Where whoever decided at the bank was registered as a clerk, if they were."""


def boundary(asked: Redeem) -> Sequence[DCBQueryItem]:
    """Return the facts that decide over this consent's use."""
    arms = [about(f"consent:{asked.consent_id}", kinds=KINDS)]
    if asked.officer_id:
        arms.append(about(f"clerk:{asked.officer_id}", kinds=[ClerkRegistered]))
    return [*arms, *(gate.boundary(asked.act) if asked.act else [])]


def collect(use: Use, recorded: Recorded) -> Use:
    """Collect it."""
    if type(recorded.fact) in KINDS:
        return replace(use, consent=evolve(use.consent, recorded))
    if isinstance(recorded.fact, ClerkRegistered):
        return replace(use, staff={**use.staff, recorded.fact.clerk_id: recorded.position})
    return replace(use, gate=gate.evolve(use.gate, recorded))


def decide(use: Use, asked: Redeem) -> Sequence[ConsentRedeemed]:
    """Use the consent, or do nothing if this redemption did; else reject with every reason."""
    consent = use.consent
    if consent.requested is None or asked.act is None:
        raise _rejection(asked, Kind.UNKNOWN, [Reason("consent_unknown")])
    earlier = consent.redeemed
    if earlier and earlier.redemption_id == asked.redemption_id:
        if _same(earlier, asked):
            return []
        reason = Reason("redemption_id_reused", consent.positions("redeemed"))
        raise _rejection(asked, Kind.CONFLICT, [reason])
    shut = [*_same_eyes(use, asked), *closed(use.gate, asked.act, asked.at, asked.late(asked.at))]
    if consent.given is None:
        raise _rejection(asked, Kind.CONFLICT, [_not_given(consent), *shut])
    if reasons := [*_unusable(consent, consent.given, asked), *shut]:
        raise _rejection(asked, Kind.CONFLICT, reasons)
    return [
        ConsentRedeemed(
            consent_id=asked.consent_id,
            citizen_id=consent.given.citizen_id,
            bank_id=consent.given.bank_id,
            redemption_id=asked.redemption_id,
            statement_hash=asked.statement_hash,
            command_hash=asked.command_hash,
            redeemed_by=asked.redeemed_by,
            redeemed_at=asked.at,
            officer_id=asked.officer_id,
        )
    ]


def _same(earlier: ConsentRedeemed, asked: Redeem) -> bool:
    return (earlier.command_hash, earlier.statement_hash, earlier.redeemed_by) == (
        asked.command_hash,
        asked.statement_hash,
        asked.redeemed_by,
    )


def _same_eyes(use: Use, asked: Redeem) -> Iterator[Reason]:
    """Yield why those who captured and those who approve are not two (R21); no setting says so."""
    if asked.officer_id and (place := use.staff.get(asked.officer_id)):
        yield Reason("officer_is_clerk", (place,))
    counter = use.consent.requested and use.consent.requested.asked_from_id
    if counter and asked.approved_from_id == counter:
        yield Reason("approved_from_counter", use.consent.positions("requested"))


def _not_given(consent: Consent) -> Reason:
    if consent.refused:
        return Reason("consent_refused", consent.positions("refused"))
    return Reason("consent_not_given", consent.positions("requested"))


def _unusable(consent: Consent, given: ConsentGiven, asked: Redeem) -> Iterator[Reason]:
    if asked.redeemed_by.partition(":")[2] not in given.statement.audience:
        yield Reason("audience_differs", consent.positions("given"))
    if given.statement_hash != asked.statement_hash:
        yield Reason("statement_differs", consent.positions("given"))
    if consent.disputed:
        yield Reason("consent_disputed", consent.positions("disputed"))
    if consent.invalidated:
        yield Reason("consent_invalidated", consent.positions("invalidated"))
    if consent.withdrawn:
        yield Reason("consent_withdrawn", consent.positions("withdrawn"))
    if consent.redeemed:
        yield Reason("consent_used", consent.positions("redeemed"))
    yield from unsubmitted(consent)
    if consent.unconfirmed:
        yield Reason("consent_unconfirmed", consent.positions("given"))
        return
    governing = consent.governing or given.statement
    if asked.at < governing.not_before:
        yield Reason("consent_not_yet", consent.positions("given", "confirmed"))
    if asked.late(asked.at) >= governing.expires_at:
        yield Reason("consent_expired", consent.positions("given", "confirmed"))


def _rejection(asked: Redeem, kind: Kind, reasons: list[Reason]) -> Rejection:
    fact = RedemptionRejected(
        consent_id=asked.consent_id,
        redemption_id=asked.redemption_id,
        command_hash=asked.command_hash,
        redeemed_by=asked.redeemed_by,
        reasons=[reason.code for reason in reasons],
        citizen_id=asked.act.citizen_id if asked.act else None,
        **place_of(asked.act),
    )
    return Rejection(kind, "redemption_rejected", reasons=reasons, facts=[fact])


REDEEM = Verb(boundary=boundary, initial=Use(), evolve=collect, decide=decide)
