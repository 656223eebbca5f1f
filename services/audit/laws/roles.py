"""Laws 32 and 35: who did what, and that nobody did what is another's."""

from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from services.audit.laws.cases import Cases
from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation
from services.consent.facts import (
    ConsentInvalidated,
    ConsentRedeemed,
    ConsentRequested,
    IdentityCaptured,
    InvalidationProposed,
    OpeningSubmitted,
    PhoneEnrolled,
    PhoneSharingAllowed,
    RepresentativeAuthorised,
    WitnessInvited,
    WitnessNamed,
)
from services.consent.submissions import NAMES

BY: Mapping[type[Any], tuple[str, frozenset[str]]] = {
    ConsentRequested: ("asked_by", frozenset({"bank", "clerk"})),
    ConsentRedeemed: ("redeemed_by", frozenset({"service"})),
    PhoneEnrolled: ("asked_by", frozenset({"operator", "clerk"})),
    PhoneSharingAllowed: ("allowed_by", frozenset({"operator", "bank"})),
    RepresentativeAuthorised: ("authorised_by", frozenset({"operator"})),
    WitnessInvited: ("invited_by", frozenset({"operator"})),
    WitnessNamed: ("named_by", frozenset({"bank", "clerk"})),
}
"""Who may be behind a fact, by its field. Others are held to more by laws of their own."""


class Roles(Group):
    """Who did it."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._proposed = dict[str, list[InvalidationProposed]]()

    @override
    def consent(self) -> Hearings:
        return {
            **dict.fromkeys(BY, self._by),
            IdentityCaptured: self._of_clerk,
            OpeningSubmitted: self._of_clerk,
            InvalidationProposed: self._proposing,
            ConsentInvalidated: self._invalidated,
        }

    # -- 35 -------------------------------------------------------------------------------------

    def _by(self, heard: Heard) -> Iterator[Violation]:
        fact = heard.fact
        name, roles = BY[type(fact)]
        who: str = getattr(fact, name)
        role, _, own_id = who.partition(":")
        if role not in roles or not self._own(fact, role, own_id):
            how = f"what is at {heard.position} was not for {who} to do"
            yield Violation(35, "consent", (heard.position,), how)

    def _own(self, fact: Any, role: str, own_id: str) -> bool:
        """Tell whether a bank or a clerk acts in its own name, and a service in what is its."""
        case = self._cases.of(fact.consent_id) if hasattr(fact, "consent_id") else None
        if role == "service":
            return case is None or case.given is None or own_id in case.given.audience
        if role not in {"bank", "clerk"}:
            return True
        if isinstance(fact, WitnessNamed):
            question = case and case.question
            return question is not None and getattr(question, f"{role}_id") == own_id
        return bool(getattr(fact, f"{role}_id") == own_id)

    def _of_clerk(self, heard: Heard) -> Iterator[Violation]:
        question = self._cases.of(heard.fact.consent_id).question
        unlike = [
            name for name in NAMES if getattr(question, name, None) != getattr(heard.fact, name)
        ]
        if unlike:
            how = f"what is at {heard.position} is of another {', '.join(unlike)}"
            yield Violation(35, "consent", (heard.position,), how)

    # -- 32 -------------------------------------------------------------------------------------

    def _proposing(self, heard: Heard) -> Iterator[Violation]:
        fact: InvalidationProposed = heard.fact
        self._proposed.setdefault(fact.consent_id, []).append(fact)
        if not self._concerns(fact.consent_id, fact.proposed_by):
            how = f"found void at {heard.position} by {fact.proposed_by}, whom it does not concern"
            yield Violation(32, "consent", (heard.position,), how)

    def _invalidated(self, heard: Heard) -> Iterator[Violation]:
        fact: ConsentInvalidated = heard.fact
        what = (fact.case_id, fact.why, fact.proposed_by)
        proposals = self._proposed.get(fact.consent_id, [])
        rightly = (
            fact.proposed_by != fact.approved_by
            and what in [(one.case_id, one.why, one.proposed_by) for one in proposals]
            and self._concerns(fact.consent_id, fact.approved_by)
        )
        if not rightly:
            how = f"void at {heard.position} without the word of two organisations"
            yield Violation(32, "consent", (heard.position,), how)
        yield from NOTHING

    def _concerns(self, consent_id: str, who: str) -> bool:
        """Tell whether a consent is somebody's business: its own bank's, or a regulator's."""
        role, _, own_id = who.partition(":")
        question = self._cases.of(consent_id).question
        own = question is not None and question.bank_id == own_id
        return role == "regulator" or (role == "bank" and own)
