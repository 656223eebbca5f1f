"""Judges past decisions again: the rule of today, the policy and the facts of then.

For each fact that a rule decided, what was asked is put together from the fact itself; the rule
looks at the facts that lay in its boundary before that position, and has to come to what is there.
If it does not, the rule was changed since, or the fact was never its decision.

Some cannot be judged again from a log: what a rejection was asked for is not kept whole, what
refusals and representatives rest on is personal. Those are counted, and other laws look at them.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from eventsourcing.dcb.api import DCBQueryItem

from services.audit.history import FoundHistory, History
from services.audit.questions import ASKERS, Asker, Before, Question, Rejected, Unaskable
from services.consent import policies
from services.consent.policy import Policy
from shared.contracts.consent import Unreadable
from shared.errors import Rejection
from shared.ledger.facts import Recorded
from shared.signing import BadToken, TrustedKeys

JUDGED_WITHIN = timedelta(minutes=1)
"""From judging something to recording it, at most: what a fact does not say of its time."""

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Otherwise:
    """A decision that comes out otherwise: where it lies, and what the rule says now."""

    position: int
    kind: str
    says: str


@dataclass
class Rejudged:
    """What came of judging again: by kind how many were, which otherwise, and which could not."""

    judged: Counter[str] = field(default_factory=Counter)
    otherwise: list[Otherwise] = field(default_factory=list)
    unasked: Counter[tuple[str, str]] = field(default_factory=Counter)


def rejudge(log: FoundHistory, history: History, told: Told, *, after: int = 0) -> Rejudged:
    """Judge every decision of a log behind a position again; raises `BadExport`, `Unreadable`."""
    keys = TrustedKeys.from_jwks(history.jwks())
    before = Before(log, _policies(history), keys)
    made, askers = Rejudged(), ASKERS[log.name]
    kinds = DCBQueryItem(types=[kind.NAME for kind in askers], tags=[])
    for entry in log.index.entries(kinds, after=after):
        recorded = log.decoded(one) if (one := log.at(entry.position)) else None
        if recorded:
            _judge_again(recorded, before, askers[type(recorded.fact)], made)
        told(entry.position, log.size)
    return made


def _policies(history: History) -> Mapping[int, Policy]:
    consent = history.logs.get("consent")
    known = policies.Known()
    for recorded in consent.recorded(*policies.boundary()) if consent else ():
        known = policies.evolve(known, recorded)
    return policies.by_version(policies.history(known))


def _judge_again(recorded: Recorded, before: Before, asker: Asker, made: Rejudged) -> None:
    kind, at = recorded.fact.NAME, recorded.recorded_at
    try:
        says = _said(recorded, asker(recorded, at, before), before)
        if says and not _said(recorded, asker(recorded, at - JUDGED_WITHIN, before), before):
            says = ""
    except Unaskable as error:
        made.unasked[kind, str(error)] += 1
        return
    except (Rejected, BadToken, Unreadable) as error:
        says = str(error) or type(error).__name__
    made.judged[kind] += 1
    if says:
        made.otherwise.append(Otherwise(recorded.position, kind, says))


def _said(recorded: Recorded, question: Question, before: Before) -> str:
    """Return what the rule says now, nothing if that is what lies there."""
    verb, asked = question
    arms = list(verb.boundary(asked))
    try:
        facts = verb.decide(verb.fold(before.found(*arms, position=recorded.position)), asked)
    except Rejection as no:
        return "no: " + ", ".join(reason.code for reason in no.reasons) or f"no: {no.code}"
    if not facts:
        return "nothing: it was done before"
    lying = [recorded, *_following(before.log, recorded, len(facts) - 1)]
    differing = [one.fact.NAME for one, made in zip(lying, facts, strict=False) if one.fact != made]
    short = ["fewer facts"] if len(lying) < len(facts) else []
    return f"another {', '.join([*differing, *short])}" if differing or short else ""


def _following(log: FoundHistory, recorded: Recorded, count: int) -> list[Recorded]:
    if not count:
        return []
    following = log.found(after=recorded.position, until=recorded.position + count)
    return [log.decoded(one) for one in following]
