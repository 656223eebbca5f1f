"""Everything that can happen in the accounts log, on one page.

An account that is *opened* here was allowed and handed to the bank, which then confirms it with
its number, or declines. The number itself is kept nowhere: the bank has it, and a fact has a keyed
mark, by which the same number is known again.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from msgspec import UNSET, UnsetType

from shared.claims import RequestClaimed
from shared.hearing.facts import (
    WebhookKeyRenewed,
    WebhookRegistered,
    WebhookRejected,
    WebhookRemoved,
)
from shared.ledger.facts import Vocabulary, fact
from shared.ledger.indexes import TagsIndexed
from shared.looks import LookGround, ReadFor
from shared.message_signatures.requests import SignedRequest


@fact("account.opened.1", tags=("opening", "consent", "citizen", "bank", "office", "clerk"))
class AccountOpened:
    """An account was allowed: the command, and both signed documents that prove it could be.

    `signed` is the bank's own signature on the command, where it calls with keys; else it is in no
    bytes, so that facts of before are as they were.
    """

    opening_id: str
    consent_id: str
    citizen_id: str
    bank_id: str
    product_id: str
    terms_hash: str
    purpose: str
    office_id: str | None
    site_id: str | None
    clerk_id: str | None
    command_hash: str
    commanded_by: str
    consent_event: str
    redemption_receipt: str
    fee_hash: str | None = None
    officer_id: str | None = None
    signed: SignedRequest | UnsetType = UNSET


@fact(
    "opening.rejected.1",
    tags=("opening", "citizen", "bank", "office", "clerk", "site", "commanded_by"),
)
class OpeningRejected:
    """Somebody tried to open an account, and the rules did not let it happen.

    What the command did not say, or not readably, is None; `command_hash` is None where the
    command itself could not be read.
    """

    opening_id: str
    citizen_id: str | None
    bank_id: str | None
    product_id: str | None
    purpose: str | None
    office_id: str | None
    site_id: str | None
    clerk_id: str | None
    command_hash: str | None
    commanded_by: str
    reasons: list[str]


@fact("account.confirmed.1", tags=("opening", "citizen", "bank", "account"))
class AccountConfirmed:
    """The bank opened it: a keyed mark of the account's number, and the number's last digits.

    A signature on it is checked and not kept: whoever has it could try all numbers against it.
    """

    opening_id: str
    citizen_id: str
    bank_id: str
    account_id: str
    account_end: str


@fact("stop.received.1", tags=("consent", "citizen", "bank"))
class StopReceived:
    """The consent service says that a consent must open nothing any more; `stop` is its JWS."""

    consent_id: str
    citizen_id: str
    bank_id: str
    reason: str
    stop: str


@fact("account.frozen.1", tags=("opening", "consent", "citizen", "bank", "office", "clerk"))
class AccountFrozen:
    """What a stopped consent had opened: the bank lets nothing happen with it any more."""

    opening_id: str
    consent_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    reason: str


@fact("account.declined.1", tags=("opening", "citizen", "bank"))
class AccountDeclined:
    """The bank did not open the account after all; `signed` as in `AccountOpened`."""

    opening_id: str
    citizen_id: str
    bank_id: str
    reason: str
    signed: SignedRequest | UnsetType = UNSET


@fact("account.frozen_by_bank.1", tags=("opening", "citizen", "bank"))
class AccountFrozenByBank:
    """The bank itself lets nothing happen with the account; `signed` as in `AccountOpened`.

    What a stopped consent freezes is another fact, which a stop alone brings about.
    """

    opening_id: str
    citizen_id: str
    bank_id: str
    reason: str
    signed: SignedRequest | UnsetType = UNSET


@fact("account.closed.1", tags=("opening", "citizen", "bank"))
class AccountClosed:
    """The bank ended the account, for good; `signed` as in `AccountOpened`."""

    opening_id: str
    citizen_id: str
    bank_id: str
    reason: str
    signed: SignedRequest | UnsetType = UNSET


@fact("answer.rejected.1", tags=("opening", "bank", "office", "site", "clerk"))
class AnswerRejected:
    """What a bank said of an opening did not fit it; where that was made is said if its own.

    `answer` is `confirmed`, `declined`, `frozen` or `closed`.
    """

    opening_id: str
    bank_id: str
    answer: str
    reasons: list[str]
    office_id: str | None = None
    site_id: str | None = None
    clerk_id: str | None = None


@fact("account.read.1", tags=("citizen", "consent", "opening", "case", "look"))
class AccountRead:
    """Somebody was shown these fields, never said with their values, of an opening.

    The same look has the same `look_id` for an hour, and is recorded once in it. The case, if the
    reader named one, is the reader's own, the ground an inspector's; a rejected opening has no
    consent.
    """

    look_id: str
    citizen_id: str
    consent_id: str | None
    opening_id: str
    case_id: str | None
    read_by: str
    purpose: ReadFor
    fields: list[str]
    read_at: datetime
    ground: LookGround | None = None


# -- the bank's list of what it really opened -----------------------------------------------------


class Came(StrEnum):
    """What came of a line of the bank's list."""

    MATCHED = "matched"
    """The account was confirmed here, and nothing stopped it."""

    UNCONFIRMED = "unconfirmed"
    """It names an opening of this bank that waits for the bank's answer."""

    MISMATCHED = "mismatched"
    """The account was confirmed here, under another opening than the line names."""

    STOPPED = "stopped"
    """The account was frozen, declined or closed here, and the bank has it open."""

    WITHOUT_CONSENT = "without_consent"
    """Nobody's consent opened this account here."""

    BAD = "bad"
    """The line cannot be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """How many lines there are, and what came of them; a header or an empty line is none."""

    lines: int = 0
    matched: int = 0
    unconfirmed: int = 0
    mismatched: int = 0
    stopped: int = 0
    without_consent: int = 0
    bad: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    """A line to look at: its number in the file from 1, what came of it and why, in a code.

    Of a bad line there is no more than that, and in which column. What a line says of the account
    has the account number as a keyed mark and its last digits; office, clerk and product are the
    bank's word.
    """

    line: int
    came: Came
    code: str
    column: str | None = None
    account_id: str | None = None
    account_end: str | None = None
    opened_at: datetime | None = None
    opening_id: str | None = None
    office_id: str | None = None
    clerk_id: str | None = None
    product_id: str | None = None


@fact("reconciliation.started.1", tags=("reconciliation", "bank", "day"))
class ReconciliationStarted:
    """A bank begins to hand in the accounts that it really opened, up to a day, under its own id.

    `reconciliation_id` is the bank's id and its own for the file, as in `so-viet.2023-08-09`.
    The file is taken `batch_lines` lines at a time.
    """

    reconciliation_id: str
    bank_id: str
    day: date
    batch_lines: int


@fact("lines.reconciled.1", tags=("batch", "reconciliation"))
class LinesReconciled:
    """Some lines of the file, from `first` to `last`, were held against what was confirmed here.

    `digest` is the SHA-256 of the file up to the end of the last of them. `noted` are those to look
    at, in order.
    """

    batch_id: str
    reconciliation_id: str
    bank_id: str
    first: int
    last: int
    digest: str
    counts: Counts
    noted: list[Noted]


@fact(
    "account.unconsented.1",
    tags=("account", "bank", "office", "clerk", "reconciliation"),
)
class AccountUnconsented:
    """The bank has an account that nobody's consent opened; said once of each account.

    `account_id` is the keyed mark of its number. Who opened it where is the bank's word, and
    `line` where it stands in the bank's file.
    """

    account_id: str
    account_end: str
    bank_id: str
    reconciliation_id: str
    line: int
    opened_at: datetime
    opening_id: str | None
    office_id: str | None
    clerk_id: str | None
    product_id: str | None
    why: str


@fact(
    "account.still.open.1",
    tags=("account", "opening", "bank", "office", "clerk", "reconciliation"),
)
class AccountStillOpen:
    """The bank has an account open that was frozen, declined or closed here; said once of each."""

    account_id: str
    account_end: str
    opening_id: str
    bank_id: str
    reconciliation_id: str
    line: int
    opened_at: datetime
    office_id: str | None
    clerk_id: str | None
    product_id: str | None
    why: str


@fact("reconciliation.done.1", tags=("reconciliation", "bank", "day"))
class ReconciliationDone:
    """The whole file was taken; `sha256` is the digest of all its bytes."""

    reconciliation_id: str
    bank_id: str
    day: date
    counts: Counts
    sha256: str


@fact("reconciliation.rejected.1", tags=("reconciliation", "bank"))
class ReconciliationRejected:
    """A file, or the rest of one, was not taken; what was taken of it before stays."""

    reconciliation_id: str
    bank_id: str
    reasons: list[str]


VOCABULARY = Vocabulary(
    [
        AccountOpened,
        OpeningRejected,
        AccountConfirmed,
        StopReceived,
        AccountFrozen,
        AccountDeclined,
        AccountFrozenByBank,
        AccountClosed,
        AnswerRejected,
        AccountRead,
        ReconciliationStarted,
        LinesReconciled,
        AccountUnconsented,
        AccountStillOpen,
        ReconciliationDone,
        ReconciliationRejected,
        TagsIndexed,
        WebhookRegistered,
        WebhookKeyRenewed,
        WebhookRemoved,
        WebhookRejected,
        RequestClaimed,
    ]
)
