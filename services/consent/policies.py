"""Policy is dated: a version holds from an instant on, set by two, known to all well before.

1. `propose`: an operator says all values of the next version, from when on, and why.
2. `approve`: an overseer, of another organisation, says so too: of that very proposal.

A version never counts backwards. It is set at least `NOTICE` before it holds, and after it nothing
is set that would hold earlier. What came to lie in the log later than `KNOWN_FOR` before its own
start (a process stood still between deciding and recording) never holds: so whether it does can be
told from the log alone, and whoever read the log `KNOWN_FOR` ago knows all that holds now.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.bounds import out_of_bounds
from services.consent.facts import PolicyProposed, PolicyRejected, PolicySet, SetFor
from services.consent.policy import VALUES, Policy
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about

POLICY_ID = "consent"
"""Which policy it is: that of this service."""

NOTICE = timedelta(hours=1)
"""From setting a version to the earliest moment at which it can hold. No policy changes it."""

KNOWN_FOR = NOTICE / 2
"""How long a version has lain in the log when it begins to hold; else it never does."""

AHEAD_MAX = timedelta(days=90)
"""The longest time ahead: until it begins to hold, nothing can be set to hold before it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was proposed, by its position, and what was set, in order."""

    proposed: Mapping[int, PolicyProposed] = field(default_factory=dict)
    was_set: tuple[Recorded, ...] = ()

    def newest(self, version: int) -> int | None:
        """Return where the newest proposal of a version lies."""
        of_it = [at for at, one in self.proposed.items() if one.version == version]
        return of_it[-1] if of_it else None

    def version(self, version: int) -> PolicySet | None:
        """Return what a version was set to, None if it was not."""
        return next((one.fact for one in self.was_set if one.fact.version == version), None)


def boundary(_: object = None) -> Sequence[DCBQueryItem]:
    """Return all that was proposed and set."""
    return [about(f"policy:{POLICY_ID}", kinds=[PolicyProposed, PolicySet])]


def evolve(known: Known, recorded: Recorded) -> Known:
    """Collect it."""
    if isinstance(recorded.fact, PolicySet):
        return replace(known, was_set=(*known.was_set, recorded))
    return replace(known, proposed={**known.proposed, recorded.position: recorded.fact})


# -- what holds ---------------------------------------------------------------------------------

VERSION_0 = Policy()
"""What holds until another version does."""


def holds(recorded: Recorded) -> bool:
    """Tell whether a version ever holds: it lay in the log for long enough before its start."""
    start: datetime = recorded.fact.valid_from
    return recorded.recorded_at + KNOWN_FOR <= start


History = Sequence[tuple[datetime, Policy]]
"""Versions that hold, each with its start (UTC), in order."""


def history(known: Known) -> History:
    """Return every version that holds from some instant on, but 0, which holds before them."""
    return [
        (one.fact.valid_from, Policy.of(one.fact.version, one.fact.values))
        for one in known.was_set
        if holds(one)
    ]


def in_force(dated: History, at: datetime) -> Policy:
    """Return the policy of an instant (UTC)."""
    return next((policy for start, policy in reversed(dated) if start <= at), VERSION_0)


def by_version(dated: History) -> dict[int, Policy]:
    """Return the policy that each version names: what a fact is judged by again."""
    return {0: VERSION_0, **{policy.version: policy for _, policy in dated}}


# -- 1. propose ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Propose:
    """An operator wants a version; `at` in UTC."""

    proposal: PolicyProposed
    at: datetime


def propose_decide(known: Known, asked: Propose) -> Sequence[PolicyProposed]:
    """Propose it, or do nothing if just that is proposed, or set."""
    wanted = asked.proposal
    newest = known.newest(wanted.version)
    if newest and known.proposed[newest] == wanted:
        return []
    by = wanted.proposed_by
    if reasons := list(_taken(known, wanted)):
        raise _rejection(wanted.version, by, reasons, Kind.CONFLICT)
    if reasons := [*_not_by("operator", by), *_unsettable(known, wanted, asked.at)]:
        raise _rejection(wanted.version, by, reasons)
    return [wanted]


PROPOSE = Verb(boundary=boundary, initial=Known(), evolve=evolve, decide=propose_decide)


def _taken(known: Known, wanted: PolicyProposed) -> Iterator[Reason]:
    if known.version(wanted.version):
        yield Reason("policy_version_taken")


def _not_by(role: str, who: str) -> Iterator[Reason]:
    if who.partition(":")[0] != role:
        yield Reason("not_entitled")


def _unsettable(known: Known, wanted: PolicyProposed, at: datetime) -> Iterator[Reason]:
    """Yield why these values cannot be policy from then on, if that is said at an instant."""
    if wanted.version != len(known.was_set) + 1:
        yield Reason("policy_version_skips", tuple(one.position for one in known.was_set[-1:]))
    if not at + NOTICE <= wanted.valid_from <= at + AHEAD_MAX:
        yield Reason("policy_notice")
    if known.was_set and wanted.valid_from <= known.was_set[-1].fact.valid_from:
        yield Reason("policy_backwards", (known.was_set[-1].position,))
    if wanted.values.keys() != VALUES.keys():
        yield Reason("policy_not_whole")
        return
    for detail in out_of_bounds(wanted.values):
        yield Reason("policy_out_of_bounds", detail=detail)


# -- 2. approve ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Approve:
    """An overseer approves the proposal at this position of the log; `at` in UTC."""

    version: int
    position: int
    by: str
    at: datetime


def approve_decide(known: Known, asked: Approve) -> Sequence[PolicySet]:
    """Set what was proposed, or do nothing if just that is set."""
    wanted = known.proposed.get(asked.position)
    if wanted is None or wanted.version != asked.version:
        raise _rejection(asked.version, asked.by, [Reason("proposal_unknown")], Kind.UNKNOWN)
    new = _set(wanted, asked.by)
    was = known.version(asked.version)
    if was and replace(was, approved_by=asked.by) == new:
        return []
    if reasons := [*_taken(known, wanted), *_replaced(known, asked)]:
        raise _rejection(asked.version, asked.by, reasons, Kind.CONFLICT)
    if reasons := [*_one_sided(wanted, asked), *_unsettable(known, wanted, asked.at)]:
        raise _rejection(asked.version, asked.by, reasons)
    return [new]


APPROVE = Verb(boundary=boundary, initial=Known(), evolve=evolve, decide=approve_decide)


def _replaced(known: Known, asked: Approve) -> Iterator[Reason]:
    newest = known.newest(asked.version)
    if newest is not None and newest != asked.position:
        yield Reason("proposal_replaced", (newest,))


def _one_sided(wanted: PolicyProposed, asked: Approve) -> Iterator[Reason]:
    """Yield why this is not the word of another organisation."""
    yield from _not_by("overseer", asked.by)
    if wanted.proposed_by.partition(":")[2] == asked.by.partition(":")[2]:
        yield Reason("four_eyes_required", (asked.position,))


def _set(wanted: PolicyProposed, approved_by: str) -> PolicySet:
    return PolicySet(
        policy_id=wanted.policy_id,
        version=wanted.version,
        values=wanted.values,
        valid_from=wanted.valid_from,
        why=wanted.why,
        proposed_by=wanted.proposed_by,
        approved_by=approved_by,
    )


def _rejection(
    version: int, asked_by: str, reasons: list[Reason], kind: Kind = Kind.REJECTED
) -> Rejection:
    fact = PolicyRejected(
        policy_id=POLICY_ID,
        version=version,
        asked_by=asked_by,
        reasons=[reason.code for reason in reasons],
        out_of_bounds=[reason.detail for reason in reasons if reason.detail],
    )
    return Rejection(kind, "policy_rejected", reasons=reasons, facts=[fact])


def proposal(
    version: int, values: Mapping[str, int], valid_from: datetime, why: SetFor, by: str
) -> PolicyProposed:
    """Return the fact that somebody wants these values."""
    return PolicyProposed(
        policy_id=POLICY_ID,
        version=version,
        values=dict(values),
        valid_from=valid_from,
        why=why,
        proposed_by=by,
    )
