"""What a bank reads here, field by field: what the API's document says of each answer."""

from datetime import datetime

from pydantic import Field

from services.consent.consents import Standing
from services.consent.facts import LiftedFor, SuspendedFor
from services.consent.purposes import SideStanding
from shared.contracts.fields import Body


class ConsentRead(Body):
    """A question to a citizen, and what came of it."""

    consent_id: str
    standing: Standing
    """Where it stands now; it only ever moves forward."""

    citizen_id: str
    bank_id: str
    product_id: str
    purpose: str
    purposes: dict[str, SideStanding]
    """Each side purpose that was offered, and whether the citizen agreed to it."""

    decide_by: datetime
    """Until when the citizen can decide; after that, silence is no."""

    event: str | None
    """The signed consent event (JWS) that opens an account, once there is one."""

    positions: dict[str, int]
    """Where in the log each step lies; the proof of each is at `/log/{position}/proof`."""


class Submitted(Body):
    """What was handed in at a counter for the bank to decide on."""

    position: int
    submitted_at: datetime
    consent_id: str
    capture_id: str
    """The sitting in which the citizen was photographed, after agreeing."""

    bank_id: str
    office_id: str | None
    clerk_id: str | None
    site_id: str | None


class SubmissionPage(Body):
    """Some of what was handed in, oldest first."""

    submissions: list[Submitted]
    next: int
    """What to ask for next, as `after`."""


class LiftingProposal(Body):
    """One organisation's word that it can go on."""

    by: str
    why: LiftedFor


class Lifted(Body):
    """Who agreed that it can go on, and from when."""

    by: str
    from_: datetime = Field(alias="from")
    """The instant from which things may be asked and opened again."""


class SuspensionRead(Body):
    """What was stopped: everything to which all the ids apply that are named."""

    suspension_id: str
    bank_id: str | None
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    citizen_id: str | None
    why: SuspendedFor
    ordered_by: str
    position: int
    """Behind this position nothing was asked or opened."""

    holds: bool
    proposals: list[LiftingProposal]
    lifted: Lifted | None
