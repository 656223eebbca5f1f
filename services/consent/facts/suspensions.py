"""What is stopped, by whom, and when it goes on."""

from datetime import datetime
from enum import StrEnum

from services.consent.facts.places import PLACE
from shared.ledger.facts import fact


class SuspendedFor(StrEnum):
    """Why somebody stops what is done at a place, by a clerk, for a bank, or in a name."""

    COMPLAINTS = "complaints"
    MISCONDUCT = "misconduct"
    NO_PERMISSION = "no_permission"
    SECURITY = "security"
    ORDER = "order"
    OWN_WISH = "own_wish"
    """A citizen wants no account opened in their name."""


class LiftedFor(StrEnum):
    """Why it can go on."""

    REMEDIED = "remedied"
    MISTAKEN = "mistaken"
    ORDER = "order"
    OWN_WISH = "own_wish"


OF_SCOPE = ("suspension", "bank", "office", "clerk", "site", "citizen")


@fact("suspension.ordered.1", tags=OF_SCOPE)
class SuspensionOrdered:
    """From here on nothing is asked or opened within a scope: where all ids that are set agree."""

    suspension_id: str
    bank_id: str | None
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    citizen_id: str | None
    why: SuspendedFor
    ordered_by: str


@fact("lifting.proposed.1", tags=("suspension",))
class LiftingProposed:
    """Somebody wants a suspension to end; it takes one more, of another organisation."""

    suspension_id: str
    why: LiftedFor
    proposed_by: str


@fact("suspension.lifted.1", tags=OF_SCOPE)
class SuspensionLifted:
    """A suspension ends at `effective_from` (UTC)."""

    suspension_id: str
    bank_id: str | None
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    citizen_id: str | None
    why: LiftedFor
    proposed_by: str
    approved_by: str
    effective_from: datetime
    policy_version: int = 0


@fact("suspension.rejected.1", tags=("suspension", *PLACE, "asked_by"))
class SuspensionRejected:
    """The rules did not let somebody suspend, or lift; what was to be, or is, suspended where."""

    suspension_id: str
    asked_by: str
    reasons: list[str]
    bank_id: str | None = None
    office_id: str | None = None
    site_id: str | None = None
    clerk_id: str | None = None
