"""What a bank hears of the consent log, and which ids it is told: one line for each kind."""

from services.consent.facts import (
    ConsentConfirmed,
    ConsentDisputed,
    ConsentGiven,
    ConsentInvalidated,
    ConsentRedeemed,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    IdentityCaptured,
    InvalidationProposed,
    OpeningSubmitted,
    PurposeGiven,
    PurposeWithdrawn,
    RedemptionRejected,
    RefusalWithdrawn,
    RightGranted,
    SuspensionLifted,
    SuspensionOrdered,
)
from shared.hearing.events import OF_WEBHOOKS, Events, tells

EVENTS = Events(
    "consent",
    [
        tells(ConsentRequested, "consents", "consent_id", "product_id", "purpose", "office_id"),
        tells(ConsentGiven, "consents", "consent_id", "office_id"),
        tells(ConsentConfirmed, "consents", "consent_id"),
        tells(ConsentRefused, "consents", "consent_id", "office_id"),
        tells(RefusalWithdrawn, "consents", "consent_id"),
        tells(ConsentWithdrawn, "consents", "consent_id"),
        tells(PurposeGiven, "consents", "consent_id", "purpose"),
        tells(PurposeWithdrawn, "consents", "consent_id", "purpose"),
        tells(IdentityCaptured, "consents", "consent_id", "capture_id", "office_id"),
        tells(OpeningSubmitted, "consents", "consent_id", "capture_id", "office_id"),
        tells(ConsentRedeemed, "consents", "consent_id", "redemption_id"),
        tells(RedemptionRejected, "consents", "consent_id", "reasons"),
        tells(ConsentDisputed, "consents", "consent_id", "office_id", "used_at"),
        tells(InvalidationProposed, "consents", "consent_id", "why"),
        tells(ConsentInvalidated, "consents", "consent_id", "office_id", "why", "used_at"),
        tells(SuspensionOrdered, "suspensions", "suspension_id", "office_id", "why"),
        tells(SuspensionLifted, "suspensions", "suspension_id", "office_id", "effective_from"),
        tells(RightGranted, "rights", "right_id", "right", "office_id", "valid_until"),
        *OF_WEBHOOKS,
    ],
)
"""Of these, a bank hears those with its own tag."""
