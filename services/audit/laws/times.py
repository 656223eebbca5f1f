"""Law 41: silence is no. What is signed when the time for it is over decides nothing.

A fact does not say when it was judged, only when it was recorded: a minute before that is taken
for the same.
"""

from collections.abc import Iterator
from datetime import datetime

from typing_extensions import override

from services.audit.laws.cases import Case, Cases
from services.audit.laws.decisions import SAYS
from services.audit.laws.law import Group, Heard, Hearings, Violation
from services.audit.laws.policy import JUDGED_WITHIN
from services.consent.facts import ConsentConfirmed, ConsentGiven, ConsentRefused


class InTime(Group):
    """The times of questions, of agreements that wait, and of what was sent to sign them."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases

    @override
    def consent(self) -> Hearings:
        return {
            **dict.fromkeys(SAYS, self._signed),
            ConsentGiven: self._decided,
            ConsentRefused: self._decided,
            ConsentConfirmed: self._confirmed,
        }

    def _decided(self, heard: Heard) -> Iterator[Violation]:
        question = self._cases.of(heard.fact.consent_id).question
        if question and _judged(heard) >= question.decide_by:
            places = (heard.position, question.position)
            how = f"decided at {heard.position}, when the time to decide was over"
            yield Violation(41, "consent", places, how)
        yield from self._signed(heard)

    def _confirmed(self, heard: Heard) -> Iterator[Violation]:
        given = self._cases.of(heard.fact.consent_id).given
        if given and not given.not_before <= heard.recorded_at:
            how = f"confirmed at {heard.position}, before the time for it"
            yield Violation(41, "consent", (heard.position, given.position), how)
        if given and _judged(heard) >= given.expires_at:
            how = f"confirmed at {heard.position}, when the time for it was over"
            yield Violation(41, "consent", (heard.position, given.position), how)
        yield from self._signed(heard)

    def _signed(self, heard: Heard) -> Iterator[Violation]:
        case: Case = self._cases.of(heard.fact.consent_id)
        code = case.code(heard.fact.challenge_id)
        if code and _judged(heard) >= code.expires_at:
            how = f"signed at {heard.position} by what was sent at {code.position} and had run out"
            yield Violation(41, "consent", (heard.position, code.position), how)


def _judged(heard: Heard) -> datetime:
    """Return the earliest instant (UTC) at which a fact may have been judged."""
    return heard.recorded_at - JUDGED_WITHIN
