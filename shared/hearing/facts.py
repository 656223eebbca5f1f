"""Where a bank wants to be told, and with which key that is signed: in the log that it hears of.

An id is the bank's own: another bank's webhook of the same id is another webhook.
"""

from shared.ledger.facts import fact


@fact("webhook.registered.1", tags=("webhook", "bank"))
class WebhookRegistered:
    """A bank wants to be told at this address, of these kinds of events; None: of all.

    `key` is the public key (`whpk_…`, Standard Webhooks) of what is sent there, which `key_id` is
    derived from; registered anew with another address, it keeps the key that it has.
    """

    webhook_id: str
    bank_id: str
    url: str
    kinds: list[str] | None
    key_id: str
    key: str
    registered_by: str


@fact("webhook.key.renewed.1", tags=("webhook", "bank"))
class WebhookKeyRenewed:
    """What is sent there is signed with this key; for a day with the one before, too."""

    webhook_id: str
    bank_id: str
    key_id: str
    key: str
    renewed_by: str


@fact("webhook.removed.1", tags=("webhook", "bank"))
class WebhookRemoved:
    """The bank is told nothing there any more."""

    webhook_id: str
    bank_id: str
    removed_by: str


@fact("webhook.rejected.1", tags=("webhook", "bank", "asked_by"))
class WebhookRejected:
    """The rules did not let a webhook be registered, changed or removed."""

    webhook_id: str
    bank_id: str
    asked_by: str
    reasons: list[str]


CHANGING = (WebhookRegistered, WebhookKeyRenewed, WebhookRemoved)
"""What makes a webhook what it is."""
