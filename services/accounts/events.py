"""What a bank hears of the accounts log, and which ids it is told: one line for each kind."""

from services.accounts.facts import (
    AccountConfirmed,
    AccountDeclined,
    AccountFrozen,
    AccountOpened,
    AnswerRejected,
    OpeningRejected,
    StopReceived,
)
from shared.hearing.events import OF_WEBHOOKS, Events, tells

EVENTS = Events(
    "accounts",
    [
        tells(AccountOpened, "openings", "opening_id", "consent_id", "product_id", "office_id"),
        tells(OpeningRejected, "openings", "opening_id", "product_id", "office_id", "reasons"),
        tells(AccountConfirmed, "openings", "opening_id"),
        tells(AccountDeclined, "openings", "opening_id", "reason"),
        tells(AnswerRejected, "openings", "opening_id", "answer", "reasons"),
        tells(AccountFrozen, "openings", "opening_id", "consent_id", "office_id", "reason"),
        tells(StopReceived, "consents", "consent_id", "reason"),
        *OF_WEBHOOKS,
    ],
)
"""Of these, a bank hears those with its own tag."""
