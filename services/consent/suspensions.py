"""Suspending: one call, effective at once, by anyone who answers for what is suspended.

1. `order`: from its position on nothing is asked or opened within its scope. A bank suspends what
   is done for it, an office's manager what is done there, a host what is done at its place, an
   overseer anything, a citizen what is done in their own name.
2. `lift`: it takes two of different organisations, each with a reason: a bank or an overseer among
   them, and an overseer or whoever ordered it. The citizen alone lifts their own, which counts a
   day later: a phone in another's hand must not be enough.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.facts import (
    LiftedFor,
    LiftingProposed,
    SiteRegistered,
    SuspensionLifted,
    SuspensionOrdered,
    SuspensionRejected,
)
from services.consent.facts.places import place_of
from services.consent.policy import Policy
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about

APPROVERS = frozenset({"bank", "overseer"})
"""Of the two who lift a suspension, one is one of these."""

SCOPE = ("bank_id", "office_id", "clerk_id", "site_id", "citizen_id")


@dataclass(frozen=True, slots=True)
class Suspension:
    """What is known of one suspension, and of the place that it is to be about."""

    ordered: SuspensionOrdered | None = None
    proposals: tuple[LiftingProposed, ...] = ()
    lifted: SuspensionLifted | None = None
    place: int = 0
    site: SiteRegistered | None = None


def evolve(suspension: Suspension, recorded: Recorded) -> Suspension:
    """Collect it."""
    match recorded.fact:
        case SuspensionOrdered() as fact:
            return replace(suspension, ordered=fact, place=recorded.position)
        case LiftingProposed() as fact:
            return replace(suspension, proposals=(*suspension.proposals, fact))
        case SuspensionLifted() as fact:
            return replace(suspension, lifted=fact)
        case SiteRegistered() as fact:
            return replace(suspension, site=fact)
        case _:
            return suspension


# -- 1. order -----------------------------------------------------------------------------------


def order_boundary(asked: SuspensionOrdered) -> Sequence[DCBQueryItem]:
    """Return what is known under this id, and the place."""
    arms = [about(f"suspension:{asked.suspension_id}")]
    if asked.site_id:
        arms.append(about(f"site:{asked.site_id}", kinds=[SiteRegistered]))
    return arms


def order_decide(suspension: Suspension, asked: SuspensionOrdered) -> Sequence[SuspensionOrdered]:
    """Suspend, or do nothing if this very suspension was ordered."""
    if suspension.ordered is not None:
        if suspension.ordered == asked:
            return []
        reused = [Reason("suspension_id_reused", (suspension.place,))]
        raise _rejection(asked, asked.ordered_by, reused, Kind.CONFLICT)
    if reasons := list(_unorderable(suspension, asked)):
        raise _rejection(asked, asked.ordered_by, reasons)
    return [asked]


ORDER = Verb(boundary=order_boundary, initial=Suspension(), evolve=evolve, decide=order_decide)


def _unorderable(suspension: Suspension, asked: SuspensionOrdered) -> Iterator[Reason]:
    if not any(getattr(asked, name) for name in SCOPE):
        yield Reason("scope_missing")
    elif not _answers_for(suspension, asked, asked.ordered_by):
        yield Reason("not_entitled")


def _answers_for(suspension: Suspension, scope: SuspensionOrdered, who: str) -> bool:
    """Tell whether somebody answers for all that a scope covers: for one of its ids, it is own."""
    role, _, own_id = who.partition(":")
    site = suspension.site
    return {
        "overseer": True,
        "bank": scope.bank_id == own_id,
        "manager": scope.office_id == own_id,
        "host": site is not None and site.host_id == own_id,
        "citizen": scope.citizen_id == own_id,
    }.get(role, False)


# -- 2. lift ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Lift:
    """Somebody wants a suspension to end; `at` in UTC."""

    suspension_id: str
    why: LiftedFor
    by: str
    at: datetime
    policy: Policy = field(default_factory=Policy)
    site_id: str | None = None
    """The place that the suspension names, to tell who its host is."""


def lift_boundary(asked: Lift) -> Sequence[DCBQueryItem]:
    """Return what is known of the suspension, and of its place."""
    arms = [about(f"suspension:{asked.suspension_id}")]
    if asked.site_id:
        arms.append(about(f"site:{asked.site_id}", kinds=[SiteRegistered]))
    return arms


def lift_decide(
    suspension: Suspension, asked: Lift
) -> Sequence[LiftingProposed | SuspensionLifted]:
    """Propose, or lift what another organisation proposed; or do nothing if it is lifted."""
    ordered = suspension.ordered
    if ordered is None:
        raise Rejection(Kind.UNKNOWN, "suspension_unknown")
    if suspension.lifted:
        return []
    if not _may_lift(suspension, ordered, asked.by):
        reasons = [Reason("not_entitled", (suspension.place,))]
        raise _rejection(ordered, asked.by, reasons)
    if ordered.citizen_id and asked.by == f"citizen:{ordered.citizen_id}":
        return [_lifted(ordered, asked, asked.by, asked.at + asked.policy.settles_after)]
    return _with_another(suspension, ordered, asked)


LIFT = Verb(boundary=lift_boundary, initial=Suspension(), evolve=evolve, decide=lift_decide)


def _may_lift(suspension: Suspension, ordered: SuspensionOrdered, who: str) -> bool:
    """Tell whether somebody has a say: a citizen alone of what the citizen ordered."""
    of_citizen = ordered.ordered_by.startswith("citizen:")
    if of_citizen or who.startswith("citizen:"):
        return who == ordered.ordered_by
    return _answers_for(suspension, ordered, who) or who.startswith("bank:")


def _with_another(
    suspension: Suspension, ordered: SuspensionOrdered, asked: Lift
) -> Sequence[LiftingProposed | SuspensionLifted]:
    for proposal in suspension.proposals:
        if _enough(ordered, proposal.proposed_by, asked.by):
            return [_lifted(ordered, asked, proposal.proposed_by, asked.at)]
    if any(one.proposed_by == asked.by for one in suspension.proposals):
        return []
    return [LiftingProposed(suspension_id=asked.suspension_id, why=asked.why, proposed_by=asked.by)]


def _enough(ordered: SuspensionOrdered, *two: str) -> bool:
    """Tell whether these two may lift a suspension."""
    roles = {who.partition(":")[0] for who in two}
    by_authority = "overseer" in roles or ordered.ordered_by in two
    return len(set(two)) == len(two) and by_authority and bool(APPROVERS & roles)


def _lifted(
    ordered: SuspensionOrdered, asked: Lift, proposed_by: str, start: datetime
) -> SuspensionLifted:
    return SuspensionLifted(
        suspension_id=ordered.suspension_id,
        **{name: getattr(ordered, name) for name in SCOPE},
        why=asked.why,
        proposed_by=proposed_by,
        approved_by=asked.by,
        effective_from=start,
        policy_version=asked.policy.version,
    )


def _rejection(
    ordered: SuspensionOrdered, asked_by: str, reasons: list[Reason], kind: Kind = Kind.REJECTED
) -> Rejection:
    fact = SuspensionRejected(
        suspension_id=ordered.suspension_id,
        asked_by=asked_by,
        reasons=[reason.code for reason in reasons],
        **place_of(ordered),
    )
    return Rejection(kind, "suspension_rejected", reasons=reasons, facts=[fact])
