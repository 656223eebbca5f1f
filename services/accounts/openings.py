"""Opening an account: every check between a command and an account, numbered as in docs/checks.md.

    judged here, before anything is used
     1  well-formed      the command has all its fields, and a consent that is a signed document
     2  signature        made by a key of the consent service that was valid when it signed
     3  type, audience   it is a consent event, an agreement, meant for us and for its own bank
     4  subject          the citizen of the command
     5  bank             the bank of the command, and of the caller: a clerk hands in, a bank opens
     6  product, terms   the product and the very terms that the citizen read; the very fees, where
                         the command names them
     7  purpose          opening an account, in the consent and in the command
     8  place            the office, the clerk and the site; whoever decides is not that clerk
     9  time             confirmed, if it waits for that; not before, not after
    10  not used         no account in our own log has this consent, and nothing stopped it
    then, in this order
    11  redeem           the consent service uses it once, for this command alone
    12  record           `account.opened`, with both signed documents

Checks 1 to 3 stop at the first failure, because nothing in a document that proves nothing is worth
comparing. Of 4 to 10 all that fail are named.

A crash between 11 and 12 leaves a used consent and no account; the same command again finishes
it, because the consent service answers the same redemption with the same receipt. Nothing is
finished by itself: whoever went home has not opened an account.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from eventsourcing.dcb.api import DCBQueryItem
from msgspec import UNSET, UnsetType

from services.accounts.facts import AccountOpened, OpeningRejected, StopReceived
from shared.canonical import digest
from shared.contracts.consent import (
    ACCOUNTS,
    OPEN_ACCOUNT,
    ConsentEvent,
    Decision,
    Receipt,
)
from shared.errors import Kind, Reason, Rejection, Unavailable
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about
from shared.message_signatures.requests import SignedRequest

COMPARED = {
    "citizen_id": "subject_differs",
    "bank_id": "bank_differs",
    "product_id": "product_differs",
    "terms_hash": "terms_differ",
    "fee_hash": "fees_differ",
    "purpose": "purpose_differs",
    "office_id": "office_differs",
    "clerk_id": "clerk_differs",
    "site_id": "site_differs",
}
"""What must be equal in the citizen's statement and in the command, and the reason if it is not.

What a command leaves unset is not compared.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What somebody wants opened, with the signed consent event that must allow it.

    `officer_id` is who decided at the bank. It and `fee_hash` came later: unset, they are in no
    bytes, so that a command keeps its hash.
    """

    opening_id: str
    citizen_id: str
    bank_id: str
    product_id: str
    terms_hash: str
    purpose: str
    office_id: str | None
    site_id: str | None
    clerk_id: str | None
    consent: str | None
    fee_hash: str | UnsetType = UNSET
    officer_id: str | UnsetType = UNSET

    def hash(self) -> str:
        """Return the SHA-256 of the canonical command, which the redemption is bound to."""
        return digest(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """A command, who sent it, and its consent: a verified event, or why it proves nothing.

    `sent_from` is the network address that it came from, kept nowhere. `also` are the reasons of
    the consent service why the consent cannot be used, where ours were found before it was asked.
    `signed` is the bank's signature on it.
    """

    command: Command
    command_hash: str
    commanded_by: str
    evidence: ConsentEvent | Reason
    issuer: str
    at: datetime
    sent_from: str | None = None
    also: tuple[Reason, ...] = ()
    signed: SignedRequest | UnsetType = UNSET


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A command that was judged and redeemed."""

    judged: Judge
    receipt: Receipt
    receipt_token: str


@dataclass(frozen=True, slots=True)
class Opening:
    """What the log knows of an opening id, and of the consent that a command brings."""

    opened: tuple[tuple[int, AccountOpened], ...] = ()
    stopped: tuple[tuple[int, StopReceived], ...] = ()
    rejected: tuple[OpeningRejected, ...] = ()


def boundary(asked: Judge) -> Sequence[DCBQueryItem]:
    """Return the arms: this opening, and any account from the same consent."""
    opening = f"opening:{asked.command.opening_id}"
    arms = [about(opening, kinds=[AccountOpened, OpeningRejected])]
    if isinstance(asked.evidence, ConsentEvent):
        consent = f"consent:{asked.evidence.statement.consent_id}"
        arms.append(about(consent, kinds=[AccountOpened, StopReceived]))
    return arms


def evolve(opening: Opening, recorded: Recorded) -> Opening:
    """Collect what was opened and what was rejected."""
    match recorded.fact:
        case AccountOpened() as fact:
            return replace(opening, opened=(*opening.opened, (recorded.position, fact)))
        case StopReceived() as fact:
            return replace(opening, stopped=(*opening.stopped, (recorded.position, fact)))
        case OpeningRejected() as fact:
            return replace(opening, rejected=(*opening.rejected, fact))
        case _:
            return opening


# -- judge: checks 1 to 10 ----------------------------------------------------------------------


def judge(opening: Opening, asked: Judge) -> Sequence[AccountOpened]:
    """Return nothing if the command may go on to its redemption; else reject with every reason."""
    _one_command(opening, asked)
    if _done(opening, asked):
        return []
    reasons = by_itself(asked)
    if isinstance(asked.evidence, ConsentEvent):
        reasons += _used(opening, asked.evidence)
    if reasons:
        raise rejection(opening, asked, [*reasons, *_new(asked.also, reasons)])
    return []


def by_itself(asked: Judge) -> list[Reason]:
    """Return why a command is to be rejected, as far as it and its evidence tell."""
    event = asked.evidence
    if isinstance(event, Reason):
        return [event, *_not_the_bank(asked)]
    return [*(list(_not_for_us(event, asked)) or _unlike(event, asked)), *_not_the_bank(asked)]


def _new(more: Sequence[Reason], known: Sequence[Reason]) -> Iterator[Reason]:
    codes = {one.code for one in known}
    return (one for one in more if one.code not in codes)


def _not_the_bank(asked: Judge) -> Iterator[Reason]:
    """Yield that an agent hands in and does not open (check 5; Circular 07/2024 art. 4)."""
    if not asked.commanded_by.startswith("bank:"):
        yield Reason("bank_decides")


def _done(opening: Opening, asked: Judge) -> bool:
    return any(
        fact.opening_id == asked.command.opening_id and fact.command_hash == asked.command_hash
        for _, fact in opening.opened
    )


def _one_command(opening: Opening, asked: Judge) -> None:
    """Hold an id to the first readable command that it stood for."""
    own = asked.command.opening_id
    known = [(position, fact) for position, fact in opening.opened if fact.opening_id == own]
    hashes: set[str | None] = {fact.command_hash for _, fact in known}
    hashes |= {fact.command_hash for fact in opening.rejected if _binds(fact)}
    if hashes and asked.command_hash not in hashes:
        positions = tuple(position for position, fact in known if not _of_another(fact, asked))
        reason = Reason("opening_id_reused", positions)
        raise rejection(opening, asked, [reason], kind=Kind.CONFLICT)


def _of_another(fact: AccountOpened, asked: Judge) -> bool:
    """Tell whether a bank asks about what is another's: it does not hear where that was made."""
    role, _, own_id = asked.commanded_by.partition(":")
    return role == "bank" and fact.bank_id != own_id


def _binds(fact: OpeningRejected) -> bool:
    """Tell whether a rejected command had this id to itself."""
    return fact.command_hash is not None and "opening_id_reused" not in fact.reasons


def _not_for_us(event: ConsentEvent, asked: Judge) -> Iterator[Reason]:
    """Make check 3, and see that the event says of itself what its statement says."""
    statement = event.statement
    if event.iss != asked.issuer or not {ACCOUNTS, statement.bank_id} <= set(event.aud):
        yield Reason("audience_differs")
    if statement.decision is not Decision.GIVEN:
        yield Reason("decision_differs")
    if (
        event.statement_hash != statement.hash()
        or event.sub != statement.citizen_id
        or not _confirms(event)
    ):
        yield Reason("statement_differs")


def _confirms(event: ConsentEvent) -> bool:
    """Tell whether the confirmation, if there is one, is of this very agreement."""
    agreed, confirmed = event.statement, event.confirmation
    if not confirmed:
        return True
    return (
        confirmed.decision is Decision.CONFIRMED
        and event.confirmation_hash == confirmed.hash()
        and confirmed.supersedes == agreed.statement_id
        and all(getattr(confirmed, name) == getattr(agreed, name) for name in COMPARED)
    )


def _unlike(event: ConsentEvent, asked: Judge) -> Iterator[Reason]:
    """Make checks 4 to 9."""
    statement, command = event.statement, asked.command
    for name, code in COMPARED.items():
        wanted = getattr(command, name)
        if wanted is not UNSET and wanted != getattr(statement, name):
            yield Reason(code)
    if command.purpose != OPEN_ACCOUNT and statement.purpose == command.purpose:
        yield Reason("purpose_differs")
    yield from _not_own(asked)
    if command.officer_id is not UNSET and command.officer_id == command.clerk_id:
        yield Reason("officer_is_clerk")
    if event.unconfirmed:
        yield Reason("consent_unconfirmed")
        return
    if asked.at < event.governing.not_before:
        yield Reason("consent_not_yet")
    if asked.at >= event.governing.expires_at:
        yield Reason("consent_expired")


def _not_own(asked: Judge) -> Iterator[Reason]:
    """Hold a bank to what is its own (check 5)."""
    role, _, own_id = asked.commanded_by.partition(":")
    if role == "bank" and own_id != asked.command.bank_id:
        yield Reason("not_own_bank")


def _used(opening: Opening, event: ConsentEvent) -> Iterator[Reason]:
    """Make check 10."""
    consent_id = event.statement.consent_id
    used = tuple(position for position, one in opening.opened if one.consent_id == consent_id)
    if used:
        yield Reason("consent_used", used)
    for position, stop in opening.stopped:
        yield Reason(stop.reason, (position,))


JUDGE = Verb(boundary=boundary, initial=Opening(), evolve=evolve, decide=judge)


# -- record: check 12 ---------------------------------------------------------------------------


def record_boundary(asked: Record) -> Sequence[DCBQueryItem]:
    """Return what judging depended on: it must still hold when the account is recorded."""
    return boundary(asked.judged)


def record(opening: Opening, asked: Record) -> Sequence[AccountOpened]:
    """Open the account, or do nothing if this command did; a consent never opens a second one."""
    judged = asked.judged
    if _done(opening, judged):
        return []
    if not _receipt_fits(asked):
        raise rejection(opening, judged, [Reason("receipt_invalid")])
    _one_command(opening, judged)
    if isinstance(judged.evidence, ConsentEvent) and (
        reasons := list(_used(opening, judged.evidence))
    ):
        raise rejection(opening, judged, reasons)
    command = judged.command
    return [
        AccountOpened(
            opening_id=command.opening_id,
            consent_id=asked.receipt.consent_id,
            citizen_id=command.citizen_id,
            bank_id=command.bank_id,
            product_id=command.product_id,
            terms_hash=command.terms_hash,
            purpose=command.purpose,
            office_id=command.office_id,
            site_id=command.site_id,
            clerk_id=command.clerk_id,
            command_hash=judged.command_hash,
            commanded_by=judged.commanded_by,
            consent_event=command.consent or "",
            redemption_receipt=asked.receipt_token,
            fee_hash=command.fee_hash or None,
            officer_id=command.officer_id or None,
            signed=judged.signed,
        )
    ]


def _receipt_fits(asked: Record) -> bool:
    event, receipt = asked.judged.evidence, asked.receipt
    if isinstance(event, Reason):
        return False
    return (
        receipt.iss,
        receipt.aud,
        receipt.redemption_id,
        receipt.consent_id,
        receipt.statement_hash,
        receipt.command_hash,
    ) == (
        asked.judged.issuer,
        ACCOUNTS,
        asked.judged.command.opening_id,
        event.statement.consent_id,
        event.statement_hash,
        asked.judged.command_hash,
    )


RECORD = Verb(boundary=record_boundary, initial=Opening(), evolve=evolve, decide=record)


# -- reject: what the consent service said, or did not say -------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """A command that goes no further, and why; `reasons` are those of the consent service."""

    judged: Judge
    reasons: tuple[Reason, ...]


def reject_boundary(asked: Reject) -> Sequence[DCBQueryItem]:
    """Return what judging depended on."""
    return boundary(asked.judged)


def reject(opening: Opening, asked: Reject) -> Sequence[AccountOpened]:
    """Record the rejection, unless the same command has opened its account meanwhile."""
    if _done(opening, asked.judged):
        return []
    raise rejection(opening, asked.judged, asked.reasons)


REJECT = Verb(boundary=reject_boundary, initial=Opening(), evolve=evolve, decide=reject)


def rejection(
    opening: Opening, asked: Judge, reasons: Sequence[Reason], *, kind: Kind = Kind.REJECTED
) -> Rejection:
    """Return the rejection; the same command rejected for the same reasons adds no second fact."""
    command = asked.command
    fact = OpeningRejected(
        opening_id=command.opening_id,
        citizen_id=command.citizen_id,
        bank_id=command.bank_id,
        product_id=command.product_id,
        purpose=command.purpose,
        office_id=command.office_id,
        site_id=command.site_id,
        clerk_id=command.clerk_id,
        command_hash=asked.command_hash,
        commanded_by=asked.commanded_by,
        reasons=[reason.code for reason in reasons],
    )
    facts = [] if fact in opening.rejected else [fact]
    if all(reason.code == "consent_unreachable" for reason in reasons):
        return Unavailable("consent_unreachable", facts=facts)
    return Rejection(kind, "opening_rejected", reasons=reasons, facts=facts)


# -- a command that could not be read: check 1 --------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """A command of the wrong form: who sent it, under which id."""

    opening_id: str
    commanded_by: str


def unread_boundary(asked: Unread) -> Sequence[DCBQueryItem]:
    """Return this opening's rejections."""
    return [about(f"opening:{asked.opening_id}", kinds=[OpeningRejected])]


def unread(opening: Opening, asked: Unread) -> Sequence[OpeningRejected]:
    """Record that a command could not be read; of what it held, nothing is kept."""
    fact = OpeningRejected(
        opening_id=asked.opening_id,
        citizen_id=None,
        bank_id=None,
        product_id=None,
        purpose=None,
        office_id=None,
        site_id=None,
        clerk_id=None,
        command_hash=None,
        commanded_by=asked.commanded_by,
        reasons=["malformed"],
    )
    return [] if fact in opening.rejected else [fact]


UNREAD = Verb(boundary=unread_boundary, initial=Opening(), evolve=evolve, decide=unread)
