"""What a bank reads here, field by field: what the API's document says of each answer."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from services.accounts.facts import Came, Counts
from shared.contracts.fields import Body

AS_GIVEN: dict[str, Any] = {"response_model_exclude_unset": True}
"""What an answer does not say is not in it."""


class Standing(StrEnum):
    """Where an opening stands."""

    REJECTED = "rejected"
    OPENED = "opened"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    FROZEN = "frozen"
    CLOSED = "closed"


class OpeningSummary(Body):
    """What became of a command to open an account."""

    opening_id: str
    standing: Standing
    """Where it stands now: a rejection undoes nothing, and what is frozen or closed stays so."""

    position: int
    """Where it lies in the log; its proof is at `/log/{position}/proof`."""

    recorded_at: datetime
    citizen_id: str | None
    bank_id: str | None
    product_id: str | None
    office_id: str | None
    clerk_id: str | None
    consent_id: str | None
    account_end: str | None
    """The last digits of the account's number, once the bank has said it; no more of it is kept."""

    declined_for: str | None
    """The bank's own word for why it did not open the account."""


class OpeningStep(Body):
    """One thing that happened: its place, its kind, and the fact itself."""

    position: int
    recorded_at: datetime
    kind: str
    data: dict[str, Any]


class OpeningRead(OpeningSummary):
    """An opening with all that happened to it, in order."""

    history: list[OpeningStep]
    proof: str | None = None
    """That the fact lies under a signed checkpoint (C2SP tlog-proof), if that was waited for."""


class OpeningPage(Body):
    """Some openings, oldest first."""

    openings: list[OpeningSummary]
    next: int
    """What to ask for next, as `after`."""


class SentenceOf(Body):
    """A code in words."""

    code: str
    en: str
    vi: str


class LineRead(Body):
    """A line of the bank's list to look at, and why."""

    line: int
    """Its number in the file, from 1."""

    came: Came
    reason: SentenceOf
    column: str | None = None
    account_end: str | None = None
    opened_at: datetime | None = None
    opening_id: str | None = None
    office_id: str | None = None
    clerk_id: str | None = None
    product_id: str | None = None


class LinePage(Body):
    """Some lines to look at, in the order of the file."""

    lines: list[LineRead]
    next: int
    """What to ask for next, as `after`."""


class ReconciliationRead(Body):
    """What came of a list of the accounts that a bank really opened."""

    reconciliation_id: str
    bank_id: str
    day: date
    standing: Literal["reading", "done"]
    position: int
    """Where in the log it began."""

    recorded_at: datetime
    done_at: datetime | None
    sha256: str | None
    """The digest of the whole file, once it was read to its end."""

    counts: Counts


class ReconciliationPage(Body):
    """Some lists up to a day, in the order in which they came."""

    reconciliations: list[ReconciliationRead]
    next: int
    """What to ask for next, as `after`."""
