"""What a bank hears of the accounts log, and which ids it is told: one line for each kind."""

from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozen,
    AccountFrozenByBank,
    AccountOpened,
    AccountStillOpen,
    AccountUnconsented,
    AnswerRejected,
    OpeningRejected,
    ReconciliationDone,
    StopReceived,
)
from shared.hearing.events import OF_WEBHOOKS, Events, tells

OF_A_LINE = ("line", "why", "opening_id", "office_id", "clerk_id", "product_id")
"""What a bank is told of a line of its own list."""

EVENTS = Events(
    "accounts",
    [
        tells(AccountOpened, "openings", "opening_id", "consent_id", "product_id", "office_id"),
        tells(OpeningRejected, "openings", "opening_id", "product_id", "office_id", "reasons"),
        tells(AccountConfirmed, "openings", "opening_id"),
        tells(AccountDeclined, "openings", "opening_id", "reason"),
        tells(AnswerRejected, "openings", "opening_id", "answer", "reasons"),
        tells(AccountFrozen, "openings", "opening_id", "consent_id", "office_id", "reason"),
        tells(AccountFrozenByBank, "openings", "opening_id", "reason"),
        tells(AccountClosed, "openings", "opening_id", "reason"),
        tells(AccountUnconsented, "reconciliations", "reconciliation_id", *OF_A_LINE),
        tells(AccountStillOpen, "reconciliations", "reconciliation_id", *OF_A_LINE),
        tells(ReconciliationDone, "reconciliations", "reconciliation_id", "day", "counts"),
        tells(StopReceived, "consents", "consent_id", "reason"),
        *OF_WEBHOOKS,
    ],
)
"""Of these, a bank hears those with its own tag."""
