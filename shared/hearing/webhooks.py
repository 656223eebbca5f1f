"""A bank says where it is told, by which key, and where no longer.

All webhooks of a bank are one state, since there are few: an id is the bank's own, and what another
has under the same id is none of its business, nor shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem
from msgspec import UNSET, UnsetType

from shared.errors import Kind, Reason, Rejection
from shared.hearing.addresses import is_allowed
from shared.hearing.facts import (
    CHANGING,
    WebhookKeyRenewed,
    WebhookRegistered,
    WebhookRejected,
    WebhookRemoved,
)
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about

WEBHOOKS_MAX = 5
"""Of one bank: enough for two systems, and for moving each."""

SIGNS_ON = timedelta(hours=24)
"""How long a key signs on after the next one came, beside it."""

RENEWALS_MAX = 3
"""In that time: so that no more than four signatures go with an event."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of a webhook: what it is derived from, its public half, and since when it signs."""

    key_id: str
    public: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a bank is told, of what (None: of all), and what that is signed with, newest last.

    It is told what lies behind the position `since`, at which it was registered.
    """

    url: str
    kinds: tuple[str, ...] | None
    since: int
    keys: tuple[SigningKey, ...]

    def signing(self, now: datetime) -> list[tuple[SigningKey, datetime | None]]:
        """Return the keys that sign now, newest first, each with when it ends, if it does."""
        ends = [later.since + SIGNS_ON for later in self.keys[1:]]
        both = [*zip(self.keys, ends, strict=False), (self.keys[-1], None)]
        return [(key, end) for key, end in reversed(both) if end is None or end > now]


@dataclass(frozen=True, slots=True)
class Webhooks:
    """All webhooks of one bank, by its own ids; and those that were."""

    by_id: Mapping[str, Webhook] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    renewed: frozenset[str] | UnsetType = UNSET
    """Ids of all keys that ever came by a renewal: the same request again renews nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Register:
    """Tell a bank at an address; `key` is used where there is none yet.

    `private` is whether our own machines may be called, `known` are the kinds that there are.
    """

    webhook_id: str
    bank_id: str
    url: str
    kinds: tuple[str, ...] | None
    key_id: str
    key: str
    asked_by: str
    private: bool
    known: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Renew:
    """Sign with a new key from now on."""

    webhook_id: str
    bank_id: str
    key_id: str
    key: str
    asked_by: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Remove:
    """Tell nothing there any more."""

    webhook_id: str
    bank_id: str
    asked_by: str


Asked = Register | Renew | Remove


def of_bank(bank_id: str) -> DCBQueryItem:
    """Return what finds all that made a bank's webhooks what they are."""
    return about(f"bank:{bank_id}", kinds=CHANGING)


def boundary(asked: Asked) -> Sequence[DCBQueryItem]:
    """Return the one arm: the bank's webhooks."""
    return [of_bank(asked.bank_id)]


def evolve(webhooks: Webhooks, recorded: Recorded) -> Webhooks:
    """Follow what was registered, renewed and removed."""
    by_id = webhooks.by_id
    match recorded.fact:
        case WebhookRegistered() as fact:
            changed = {**by_id, fact.webhook_id: _registered(by_id.get(fact.webhook_id), recorded)}
            removed = webhooks.removed - {fact.webhook_id}
            return replace(webhooks, by_id=changed, removed=removed)
        case WebhookKeyRenewed(webhook_id=own_id) as fact if own_id in by_id:
            key = SigningKey(fact.key_id, fact.key, recorded.recorded_at)
            keys = (*by_id[own_id].keys[-RENEWALS_MAX:], key)
            changed = {**by_id, own_id: replace(by_id[own_id], keys=keys)}
            renewed = frozenset(webhooks.renewed or ()) | {fact.key_id}
            return replace(webhooks, by_id=changed, renewed=renewed)
        case WebhookRemoved(webhook_id=own_id):
            left = {one: webhook for one, webhook in by_id.items() if one != own_id}
            return replace(webhooks, by_id=left, removed=webhooks.removed | {own_id})
        case _:
            return webhooks


def _registered(known: Webhook | None, recorded: Recorded) -> Webhook:
    fact: WebhookRegistered = recorded.fact
    kinds = None if fact.kinds is None else tuple(fact.kinds)
    if known:
        return replace(known, url=fact.url, kinds=kinds)
    key = SigningKey(fact.key_id, fact.key, recorded.recorded_at)
    return Webhook(fact.url, kinds, recorded.position, (key,))


def decide(webhooks: Webhooks, asked: Asked) -> Sequence[Any]:
    """Do what is asked, or nothing if it is done already; else reject."""
    match asked:
        case Register():
            return _register(webhooks, asked)
        case Renew():
            return _renew(webhooks, asked)
        case Remove():
            if asked.webhook_id in webhooks.removed:
                return []
            _known(webhooks, asked)
            removed = WebhookRemoved(
                webhook_id=asked.webhook_id, bank_id=asked.bank_id, removed_by=asked.asked_by
            )
            return [removed]


WEBHOOK = Verb(boundary=boundary, initial=Webhooks(), evolve=evolve, decide=decide)


def _register(webhooks: Webhooks, asked: Register) -> Sequence[WebhookRegistered]:
    known = webhooks.by_id.get(asked.webhook_id)
    if known and (known.url, known.kinds) == (asked.url, asked.kinds):
        return []
    if reasons := list(_against(webhooks, asked)):
        raise _rejection(asked, Kind.REJECTED, "webhook_rejected", reasons)
    newest = known.keys[-1] if known else None
    registered = WebhookRegistered(
        webhook_id=asked.webhook_id,
        bank_id=asked.bank_id,
        url=asked.url,
        kinds=None if asked.kinds is None else [*asked.kinds],
        key_id=newest.key_id if newest else asked.key_id,
        key=newest.public if newest else asked.key,
        registered_by=asked.asked_by,
    )
    return [registered]


def _against(webhooks: Webhooks, asked: Register) -> Iterator[Reason]:
    if not is_allowed(asked.url, private=asked.private):
        yield Reason("address_not_allowed")
    if not asked.known.issuperset(asked.kinds or ()):
        yield Reason("event_kind_unknown")
    others = [one.since for own_id, one in webhooks.by_id.items() if own_id != asked.webhook_id]
    if len(others) >= WEBHOOKS_MAX:
        yield Reason("webhooks_too_many", tuple(sorted(others)))


def _renew(webhooks: Webhooks, asked: Renew) -> Sequence[WebhookKeyRenewed]:
    keys = _known(webhooks, asked).keys
    if asked.key_id in (webhooks.renewed or ()):
        return []
    lately = [key for key in keys[1:] if key.since > asked.at - SIGNS_ON]
    if len(lately) >= RENEWALS_MAX:
        reasons = [Reason("key_renewed_lately")]
        raise _rejection(asked, Kind.CONFLICT, "webhook_rejected", reasons)
    renewed = WebhookKeyRenewed(
        webhook_id=asked.webhook_id,
        bank_id=asked.bank_id,
        key_id=asked.key_id,
        key=asked.key,
        renewed_by=asked.asked_by,
    )
    return [renewed]


def _known(webhooks: Webhooks, asked: Renew | Remove) -> Webhook:
    known = webhooks.by_id.get(asked.webhook_id)
    if known is None:
        unknown = [Reason("webhook_unknown")]
        raise _rejection(asked, Kind.UNKNOWN, "webhook_unknown", unknown)
    return known


def _rejection(asked: Asked, kind: Kind, code: str, reasons: list[Reason]) -> Rejection:
    fact = WebhookRejected(
        webhook_id=asked.webhook_id,
        bank_id=asked.bank_id,
        asked_by=asked.asked_by,
        reasons=[reason.code for reason in reasons],
    )
    return Rejection(kind, code, reasons=reasons, facts=[fact])
