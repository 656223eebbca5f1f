"""A refusal that sticks without saying whose it is.

Whoever refuses gives no name to the log. Two keyed marks, one for the person and the bank and one
for the person and the office, are enough to know that these may not ask again yet; only the person,
who has the link, can take the refusal back earlier. Nobody else can tell one refuser from another.
"""

from dataclasses import dataclass
from datetime import datetime

from services.consent.facts import ConsentRefused, RefusalWithdrawn
from shared.marks import Marks


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusalMarks:
    """The marks that a refusal of this question has, or would have."""

    refuser: str
    """Stands for the person in this one refusal."""

    bank: str
    office: str | None

    @classmethod
    def of(
        cls, marks: Marks, consent_id: str, citizen_id: str, bank_id: str, office_id: str | None
    ) -> "RefusalMarks":
        """Return the marks for one question to one citizen."""
        office = office_id and marks.mark("refused-office", office_id, citizen_id)
        return cls(
            refuser=f"r-{marks.mark('refuser', consent_id, citizen_id)[:32]}",
            bank=marks.mark("refused-bank", bank_id, citizen_id),
            office=office,
        )


@dataclass(frozen=True, slots=True)
class Refusals:
    """The refusals that a question meets, by consent, with the positions of those that stand."""

    standing: tuple[tuple[int, ConsentRefused], ...] = ()

    def refused(self, position: int, fact: ConsentRefused) -> "Refusals":
        """Return these with one more."""
        return Refusals((*self.standing, (position, fact)))

    def withdrawn(self, fact: RefusalWithdrawn) -> "Refusals":
        """Return these without one that was taken back."""
        return Refusals(tuple(one for one in self.standing if one[1].consent_id != fact.consent_id))

    def blocking(self, marks: RefusalMarks, at: datetime) -> tuple[int, ...]:
        """Return the positions of the refusals that keep this bank or office from asking."""
        return tuple(
            position
            for position, refusal in self.standing
            if at < refusal.asking_again_from
            and (
                refusal.bank_refusal_id == marks.bank
                or (marks.office is not None and refusal.office_refusal_id == marks.office)
            )
        )
