"""Laws 25 and 33: which policy judged, and who set it."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime, timedelta

from typing_extensions import override

from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation
from services.audit.laws.shape import VOCABULARIES
from services.consent.facts import PolicyProposed, PolicySet
from services.consent.policies import (
    NOTICE,
    Approve,
    Known,
    Propose,
    approve_decide,
    by_version,
    evolve,
    history,
    in_force,
    propose_decide,
)
from services.consent.policy import VALUES, Policy
from shared.errors import Rejection

JUDGED_WITHIN = timedelta(minutes=1)
"""From judging something to recording it, at most."""

_NAMING = [
    kind
    for kind in VOCABULARIES["consent"].facts.values()
    if "policy_version" in {one.name for one in fields(kind)}
]
"""The facts that say by which policy they were judged."""


class Policies:
    """The versions that the log has set so far."""

    def __init__(self) -> None:
        self.known = Known()
        self._dated = history(self.known)
        self._versions = by_version(self._dated)

    def version(self, number: int) -> Policy:
        """Return a version; what the log does not hold is as version 0."""
        return self._versions.get(number, self._versions[0])

    def held(self, at: datetime) -> int:
        """Return which version is in force at an instant (UTC)."""
        return in_force(self._dated, at).version if self._dated else 0

    def add(self, heard: Heard) -> None:
        """Take what was proposed or set."""
        self.known = evolve(self.known, heard.recorded)
        self._dated = history(self.known)
        self._versions = by_version(self._dated)


class PolicyLaws(Group):
    """What names a version, and what makes one."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    @override
    def consent(self) -> Hearings:
        return {
            **dict.fromkeys(_NAMING, self._named),
            PolicyProposed: self._proposed,
            PolicySet: self._set,
        }

    def _named(self, heard: Heard) -> Iterable[Violation]:
        version = heard.fact.policy_version
        asked_at = getattr(heard.fact, "asked_at", None)
        if self._policies.held(asked_at or heard.recorded_at) == version:
            return NOTHING
        if asked_at is None and self._policies.held(heard.recorded_at - JUDGED_WITHIN) == version:
            return NOTHING
        if not version and b'"policy_version"' not in heard.data:
            return NOTHING  # from before there were versions
        how = f"judged at {heard.position} by a policy that was not in force"
        return [Violation(25, "consent", (heard.position,), how)]

    def _proposed(self, heard: Heard) -> Iterator[Violation]:
        fact: PolicyProposed = heard.fact
        at = min(heard.recorded_at, fact.valid_from - NOTICE)
        try:
            right = propose_decide(self._policies.known, Propose(proposal=fact, at=at)) == [fact]
        except Rejection as no:
            right = _only_older(no, fact)
        self._policies.add(heard)
        if not right:
            how = f"policy was proposed at {heard.position} against the rules"
            yield Violation(33, "consent", (heard.position,), how)

    def _set(self, heard: Heard) -> Iterator[Violation]:
        fact: PolicySet = heard.fact
        known, at = self._policies.known, min(heard.recorded_at, fact.valid_from - NOTICE)
        newest = known.newest(fact.version) or 0
        asked = Approve(version=fact.version, position=newest, by=fact.approved_by, at=at)
        try:
            right = approve_decide(known, asked) == [fact]
        except Rejection as no:
            right = _only_older(no, fact)
        self._policies.add(heard)
        if not right:
            how = f"policy was set at {heard.position} without two, or not as was proposed"
            yield Violation(33, "consent", (heard.position,), how)


def _only_older(no: Rejection, fact: PolicyProposed | PolicySet) -> bool:
    """Tell whether the rules of today miss only values that came to the program later."""
    missing = {reason.code for reason in no.reasons} == {"policy_not_whole"}
    return missing and fact.values.keys() < VALUES.keys()
