"""Laws 26 to 30: what stood open when somebody was asked, photographed, and held to a yes.

The gate and the rules of asking are the consent service's own, over what the log held there. What
begins is judged by the act's own time, what ends by the log's too (ADR 22): by that of the fact
before, less the minute in which others may have come in between.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from typing_extensions import override

from services.audit.laws.cases import Cases
from services.audit.laws.directory import Directory
from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation
from services.audit.laws.people import People
from services.audit.laws.policy import JUDGED_WITHIN, Policies
from services.consent import gate, requests
from services.consent.facts import (
    BankRegistered,
    ClerkRegistered,
    ConsentDisputed,
    ConsentRedeemed,
    ConsentRefused,
    ConsentRequested,
    IdentityCaptured,
    OfficeRegistered,
    OpeningSubmitted,
    ProductOffered,
    RefusalWithdrawn,
    Right,
    SiteRegistered,
)
from services.consent.gate import Act
from services.consent.refusals import RefusalMarks
from services.consent.representatives import Person
from services.consent.requests import Ask, Before
from shared.errors import Reason, Rejection

_NO_MARKS = RefusalMarks(refuser="", bank="", office=None)
"""Marks take the operator's key; here a refusal is known by the question that it answers."""

_LATER_FIELDS = {"notice_missing"}
"""Said of questions from before a question had a notice."""

_GUARDS = {guard.code for guard in (*gate.RIGHTS.values(), *gate.SUSPENDED.values())}


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A refusal or a dispute, and whom it keeps from asking until when (UTC)."""

    position: int
    consent_id: str
    bank_id: str | None
    office_id: str | None
    until: datetime


class Gates(Group):
    """What must be in force."""

    def __init__(self, cases: Cases, known: Directory, people: People, policies: Policies) -> None:
        self._cases, self._directory, self._people = cases, known, people
        self._policies = policies
        self._standing = dict[str, list[Standing]]()

    @override
    def consent(self) -> Hearings:
        return {
            ConsentRequested: self._requested,
            IdentityCaptured: self._captured,
            OpeningSubmitted: self._submitted,
            ConsentRedeemed: self._redeemed,
            ConsentRefused: self._refused,
            ConsentDisputed: self._disputed,
            RefusalWithdrawn: self._taken_back,
        }

    # -- 26, 29 and 30 --------------------------------------------------------------------------

    def _requested(self, heard: Heard) -> Iterator[Violation]:
        fact: ConsentRequested = heard.fact
        reasons = [one for one in self._against(heard) if one.code not in _LATER_FIELDS]
        closed = [one for one in reasons if one.code in _GUARDS]
        others = [one.code for one in reasons if one.code not in _GUARDS]
        if self._cases.of(fact.consent_id).question is not None:
            others.append("consent_id_reused")
        if closed:
            yield _shut(26, heard, "asked", closed)
        if others:
            how = f"asked at {heard.position} against the rules: {', '.join(others)}"
            yield Violation(29, "consent", (heard.position,), how)
        yield from self._again(heard)

    def _against(self, heard: Heard) -> list[Reason]:
        """Return why the rules would not have let this question be put."""
        fact: ConsentRequested = heard.fact
        citizen = self._people.get(fact.citizen_id)
        entries = {
            BankRegistered: fact.bank_id,
            ProductOffered: fact.product_id,
            OfficeRegistered: fact.office_id,
            ClerkRegistered: fact.clerk_id,
            SiteRegistered: fact.site_id,
        }
        found = {kind: self._directory.entry(kind, one) for kind, one in entries.items()}
        before = Before(
            people={fact.citizen_id: Person(registered=bool(citizen and citizen.registered))},
            entries={kind: one for kind, one in found.items() if one},
            gate=self._directory.gate(Act.of(fact)),
        )
        asked = Ask(
            question=fact,
            refusals=_NO_MARKS,
            policy=self._policies.version(fact.policy_version),
            explained=frozenset(fact.side_purposes or ()),
            log_at=heard.before - JUDGED_WITHIN,
        )
        try:
            return [] if requests.decide(before, asked) == [fact] else [Reason("terms_differ")]
        except Rejection as no:
            return list(no.reasons)

    def _again(self, heard: Heard) -> Iterator[Violation]:
        fact: ConsentRequested = heard.fact
        for one in self._standing.get(fact.citizen_id, ()):
            office = one.office_id is not None and one.office_id == fact.office_id
            if fact.asked_at < one.until and (office or one.bank_id == fact.bank_id):
                how = f"asked at {heard.position}, though the answer at {one.position} was no"
                yield Violation(30, "consent", (heard.position, one.position), how)

    def _refused(self, heard: Heard) -> Iterator[Violation]:
        fact: ConsentRefused = heard.fact
        bank_id = fact.bank_id if fact.bank_refusal_id else None
        office_id = fact.office_id if fact.office_refusal_id else None
        return self._stand(heard, bank_id, office_id)

    def _disputed(self, heard: Heard) -> Iterator[Violation]:
        return self._stand(heard, heard.fact.bank_id, heard.fact.office_id)

    def _stand(
        self, heard: Heard, bank_id: str | None, office_id: str | None
    ) -> Iterator[Violation]:
        fact = heard.fact
        case = self._cases.of(fact.consent_id)
        if case.question:
            until = fact.asking_again_from
            one = Standing(heard.position, case.consent_id, bank_id, office_id, until)
            self._standing.setdefault(case.question.citizen_id, []).append(one)
        yield from NOTHING

    def _taken_back(self, heard: Heard) -> Iterator[Violation]:
        case = self._cases.of(heard.fact.consent_id)
        citizen_id = case.question.citizen_id if case.question else ""
        if held := self._standing.get(citizen_id):
            held[:] = [one for one in held if one.consent_id != case.consent_id]
        yield from NOTHING

    # -- 27 and 28 ------------------------------------------------------------------------------

    def _redeemed(self, heard: Heard) -> Iterator[Violation]:
        question = self._cases.of(heard.fact.consent_id).question
        if question is not None:
            closed = self._closed(heard, question.act, heard.fact.redeemed_at)
            if closed:
                yield _shut(27, heard, "used", closed)

    def _captured(self, heard: Heard) -> Iterator[Violation]:
        fact: IdentityCaptured = heard.fact
        question = self._cases.of(fact.consent_id).question
        if question is None:
            return
        device = gate.right_id(Right.DEVICE, question.office_id or "", fact.device_id)
        granted = self._directory.right(device)
        late = heard.before - JUDGED_WITHIN
        if granted is None or not gate.in_force(granted[1], heard.recorded_at, late):
            how = f"photographed at {heard.position} with a device that is not the office's"
            yield Violation(28, "consent", (heard.position,), how)
        yield from self._submitted(heard)

    def _submitted(self, heard: Heard) -> Iterator[Violation]:
        question = self._cases.of(heard.fact.consent_id).question
        if question is not None:
            at = heard.before - JUDGED_WITHIN
            closed = list(
                gate.closed(self._directory.gate(question.act), question.act, heard.recorded_at, at)
            )
            if closed:
                yield _shut(28, heard, "photographed, or handed in,", closed)

    def _closed(self, heard: Heard, act: Act, at: datetime) -> list[Reason]:
        late = max(at, heard.before - JUDGED_WITHIN)
        return list(gate.closed(self._directory.gate(act), act, at, late))


def _shut(law: int, heard: Heard, done: str, closed: list[Reason]) -> Violation:
    positions = [position for reason in closed for position in reason.positions]
    why = ", ".join(reason.code for reason in closed)
    how = f"{done} at {heard.position} at a closed gate: {why}"
    return Violation(law, "consent", (heard.position, *positions), how)
