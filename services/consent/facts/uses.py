"""What stops a consent, and its one use."""

from datetime import datetime
from enum import StrEnum

from services.consent.facts.places import PLACE
from shared.ledger.facts import fact


class DisputeChannel(StrEnum):
    """How somebody said that it was not them."""

    LINK = "link"
    CODE = "code"


class VoidFor(StrEnum):
    """Why an organisation finds a consent void."""

    NEVER_GIVEN = "never_given"
    FORCED = "forced"
    NOT_INFORMED = "not_informed"
    NO_CAPACITY = "no_capacity"
    STAFF_MISCONDUCT = "staff_misconduct"


@fact("consent.disputed.1", tags=("consent", "citizen", "bank", "office", "clerk"))
class ConsentDisputed:
    """Somebody said that it was not them: everything stops, whatever had been signed.

    `used_at` is where the consent had been used. The authority is told until `authority_told_by`.
    """

    consent_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    channel: DisputeChannel
    used_at: int | None
    asking_again_from: datetime
    authority_told_by: datetime
    policy_version: int = 0


@fact("invalidation.proposed.1", tags=("consent", "bank"))
class InvalidationProposed:
    """An organisation finds a consent void; it takes a second one to say so."""

    consent_id: str
    bank_id: str
    case_id: str
    why: VoidFor
    proposed_by: str


@fact("consent.invalidated.1", tags=("consent", "citizen", "bank", "office", "clerk"))
class ConsentInvalidated:
    """Two organisations found the consent void; `used_at` is where it had been used."""

    consent_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    case_id: str
    why: VoidFor
    proposed_by: str
    approved_by: str
    used_at: int | None


@fact("invalidation.rejected.1", tags=("consent", *PLACE, "asked_by"))
class InvalidationRejected:
    """The rules did not let somebody declare a consent void.

    Where the citizen had been asked is there if that was any business of theirs.
    """

    consent_id: str
    asked_by: str
    reasons: list[str]
    bank_id: str | None = None
    office_id: str | None = None
    site_id: str | None = None
    clerk_id: str | None = None


@fact("stop.delivered.1", tags=("consent",))
class StopDelivered:
    """The accounts service knows that the consent is stopped, and froze what it had opened."""

    consent_id: str
    accounts_position: int


@fact("consent.redeemed.1", tags=("consent", "citizen", "bank", "redemption"))
class ConsentRedeemed:
    """The consent was used, once, for the command with this SHA-256."""

    consent_id: str
    citizen_id: str
    bank_id: str
    redemption_id: str
    statement_hash: str
    command_hash: str
    redeemed_by: str
    redeemed_at: datetime
    officer_id: str | None = None


@fact("redemption.rejected.1", tags=("consent", "redemption", "citizen", *PLACE))
class RedemptionRejected:
    """The rules did not let the consent be used.

    Whom it was asked of, where and by whom; None where nobody asked.
    """

    consent_id: str
    redemption_id: str
    command_hash: str
    redeemed_by: str
    reasons: list[str]
    citizen_id: str | None = None
    bank_id: str | None = None
    office_id: str | None = None
    site_id: str | None = None
    clerk_id: str | None = None
