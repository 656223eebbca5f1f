"""Laws 31 and 34: what the directory, its rights and its suspensions rest on.

The rules of the consent service themselves decide: what lies in the log is what they answer, asked
again with what was known there.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from typing_extensions import override

from services.audit.laws.law import Group, Heard, Hearings, Violation
from services.audit.laws.people import People
from services.audit.laws.policy import Policies
from services.consent import directory, rights, suspensions
from services.consent.facts import (
    BankRegistered,
    CitizenRegistered,
    ClerkRegistered,
    LiftingProposed,
    OfficeRegistered,
    ProductOffered,
    RightGranted,
    SiteRegistered,
    SuspensionLifted,
    SuspensionOrdered,
)
from services.consent.gate import SUSPENDED, Act, Gate
from services.consent.suspensions import Lift, Suspension
from shared.errors import Rejection

ENTRIES: Mapping[type[Any], str] = {
    BankRegistered: "bank_id",
    ProductOffered: "product_id",
    OfficeRegistered: "office_id",
    ClerkRegistered: "clerk_id",
    SiteRegistered: "site_id",
}
"""The kinds of the directory's lines, but for citizens, and what each is known by."""

_NEEDED: Mapping[type[Any], tuple[type[Any], str]] = {
    ProductOffered: (BankRegistered, "bank_id"),
    ClerkRegistered: (OfficeRegistered, "office_id"),
}
"""Without what else a line cannot be."""


class Directory:
    """What is registered, granted and suspended so far."""

    def __init__(self) -> None:
        self.suspensions = dict[str, Suspension]()
        self._entries = dict[tuple[type[Any], str], Any]()
        self._rights = dict[str, tuple[int, RightGranted]]()
        self._within = dict[tuple[str, str], dict[str, tuple[int, SuspensionOrdered]]]()
        self._lifted = dict[str, datetime]()

    def entry(self, kind: type[Any], own_id: str | None) -> Any:
        """Return a line of the directory, None if there is none."""
        return self._entries.get((kind, own_id or ""))

    def register(self, fact: Any) -> None:
        """Take a line; the first of an id stays."""
        self._entries.setdefault((type(fact), getattr(fact, ENTRIES[type(fact)])), fact)

    def right(self, right_id: str) -> tuple[int, RightGranted] | None:
        """Return the newest grant of a right with its position, None if there is none."""
        return self._rights.get(right_id)

    def grant(self, position: int, fact: RightGranted) -> None:
        """Take a grant."""
        self._rights[fact.right_id] = position, fact

    def suspend(self, position: int, fact: SuspensionOrdered) -> None:
        """Take a suspension."""
        for noun in SUSPENDED:
            if own_id := getattr(fact, f"{noun}_id"):
                held = self._within.setdefault((noun, own_id), {})
                held[fact.suspension_id] = position, fact

    def lift(self, fact: SuspensionLifted) -> None:
        """Take the end of one."""
        self._lifted[fact.suspension_id] = fact.effective_from

    def gate(self, act: Act, *more: str) -> Gate:
        """Return what the gate looks at for an act, with more rights if they are named."""
        wanted = (*act.rights.values(), *more)
        held = dict[str, tuple[int, SuspensionOrdered]]()
        if self._within:
            for noun in SUSPENDED:
                held |= self._within.get((noun, getattr(act, f"{noun}_id") or ""), {})
        granted = {one: self._rights[one] for one in wanted if one in self._rights}
        return Gate(rights=granted, suspensions=held, lifted=self._lifted)


class DirectoryLaws(Group):
    """What keeps the directory, and who may."""

    def __init__(self, known: Directory, people: People, policies: Policies) -> None:
        self._directory, self._people, self._policies = known, people, policies

    @override
    def consent(self) -> Hearings:
        return {
            **dict.fromkeys(ENTRIES, self._registered),
            CitizenRegistered: self._citizen,
            RightGranted: self._granted,
            SuspensionOrdered: self._ordered,
            LiftingProposed: self._lifting,
            SuspensionLifted: self._lifted,
        }

    # -- 34 -------------------------------------------------------------------------------------

    def _registered(self, heard: Heard) -> Iterator[Violation]:
        fact, kind = heard.fact, type(heard.fact)
        own = self._directory.entry(kind, getattr(fact, ENTRIES[kind]))
        needed = _NEEDED.get(kind)
        other = needed and self._directory.entry(needed[0], getattr(fact, needed[1]))
        try:
            right = directory.decide(tuple(one for one in (own, other) if one), fact) == [fact]
        except Rejection:
            right = False
        if not right:
            yield _wrong(34, heard, "registered against the rules")
        self._directory.register(fact)

    def _citizen(self, heard: Heard) -> Iterator[Violation]:
        known = self._people.get(heard.fact.citizen_id)
        if known and known.registered:
            yield _wrong(34, heard, "a citizen was registered twice")

    def _granted(self, heard: Heard) -> Iterator[Violation]:
        fact: RightGranted = heard.fact
        before = self._directory.right(fact.right_id)
        entries = [
            self._directory.entry(kind, getattr(fact, f"{noun}_id"))
            for noun, (kind, _) in rights.NEEDED.items()
        ]
        known = rights.Known(before and before[1], tuple(one for one in entries if one))
        try:
            right = rights.decide(known, fact) == [fact]
        except Rejection:
            right = False
        if not right:
            yield _wrong(34, heard, "a right was granted against the rules")
        self._directory.grant(heard.position, fact)

    # -- 31 -------------------------------------------------------------------------------------

    def _ordered(self, heard: Heard) -> Iterator[Violation]:
        fact: SuspensionOrdered = heard.fact
        known = self._suspension(fact.suspension_id, fact.site_id)
        try:
            right = suspensions.order_decide(known, fact) == [fact]
        except Rejection:
            right = False
        if not right:
            yield _wrong(31, heard, "suspended by who does not answer for it")
        self._directory.suspend(heard.position, fact)
        self._keep(fact.suspension_id, suspensions.evolve(known, heard.recorded))

    def _lifting(self, heard: Heard) -> Iterator[Violation]:
        fact: LiftingProposed = heard.fact
        known = self._suspension(fact.suspension_id)
        if not _follows(known, fact, fact.proposed_by, heard.recorded_at, self._policies):
            yield _wrong(31, heard, "a lifting was proposed by who has no say")
        self._keep(fact.suspension_id, suspensions.evolve(known, heard.recorded))

    def _lifted(self, heard: Heard) -> Iterator[Violation]:
        fact: SuspensionLifted = heard.fact
        known = self._suspension(fact.suspension_id)
        at = fact.effective_from
        if fact.approved_by.startswith("citizen:"):
            at -= self._policies.version(fact.policy_version).settles_after
        if not _follows(known, fact, fact.approved_by, at, self._policies):
            yield _wrong(31, heard, "lifted without two who may")
        self._directory.lift(fact)
        self._keep(fact.suspension_id, suspensions.evolve(known, heard.recorded))

    def _suspension(self, suspension_id: str, site_id: str | None = None) -> Suspension:
        known = self._directory.suspensions.get(suspension_id)
        if known:
            return known
        return Suspension(site=self._directory.entry(SiteRegistered, site_id))

    def _keep(self, suspension_id: str, known: Suspension) -> None:
        self._directory.suspensions[suspension_id] = known


def _follows(
    known: Suspension,
    fact: LiftingProposed | SuspensionLifted,
    by: str,
    at: datetime,
    policies: Policies,
) -> bool:
    """Tell whether lifting, asked for anew, comes to this very fact."""
    version = getattr(fact, "policy_version", 0)
    asked = Lift(
        suspension_id=fact.suspension_id,
        why=fact.why,
        by=by,
        at=at,
        policy=policies.version(version),
    )
    try:
        return list(suspensions.lift_decide(known, asked)) == [fact]
    except Rejection:
        return False


def _wrong(law: int, heard: Heard, how: str) -> Violation:
    return Violation(law, "consent", (heard.position,), f"{how} at {heard.position}")
