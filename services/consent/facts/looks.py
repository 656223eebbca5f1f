"""Who was shown what of a citizen."""

from datetime import datetime

from shared.ledger.facts import fact
from shared.looks import LookGround, ReadFor


@fact("page.asked.1", tags=("citizen",))
class PageAsked:
    """A link to everything in a citizen's name went to their phone."""

    citizen_id: str
    asked_at: datetime
    policy_version: int = 0


@fact("data.read.1", tags=("citizen", "consent", "case", "look"))
class DataRead:
    """Somebody was shown these fields, never said with their values, of one question to a citizen.

    The same look has the same `look_id` for an hour, and is recorded once in it. The case, if the
    reader named one, is the reader's own; the ground is an inspector's.
    """

    look_id: str
    citizen_id: str
    consent_id: str
    case_id: str | None
    read_by: str
    purpose: ReadFor
    fields: list[str]
    read_at: datetime
    ground: LookGround | None = None
