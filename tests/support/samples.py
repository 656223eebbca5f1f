"""One of everything: a consent from question to use, an opening, and ways to change them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.accounts.openings import Command, Judge
from services.consent.facts import (
    BankRegistered,
    CitizenRegistered,
    ClerkRegistered,
    ConsentConfirmed,
    ConsentDisputed,
    ConsentGiven,
    ConsentRedeemed,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    DisputeChannel,
    IdentityCaptured,
    NoticeServed,
    OfficeRegistered,
    OpeningSubmitted,
    ProductOffered,
    RefusalWithdrawn,
    Right,
    RightGranted,
    SignatureAsked,
    SiteRegistered,
)
from services.consent.gate import right_id
from services.consent.refusals import RefusalMarks
from shared.contracts.consent import (
    ACCOUNTS,
    STATEMENT,
    Channel,
    ConsentEvent,
    Decision,
    Grade,
    Receipt,
    Statement,
    Waits,
)
from shared.marks import Marks
from tests.support.given import AT

TERMS, NOTICE, COMMAND = "a" * 64, "b" * 64, "c" * 64


def right(kind: Right, of: str | None = None, **changes: Any) -> RightGranted:
    """Return that a right is in force at the office of QUESTION, for what its last id names."""
    office_id = changes.get("office_id", "o")
    whole = RightGranted(
        right_id=right_id(kind, office_id, of),
        right=kind,
        bank_id=of if kind is Right.CONTRACT else None,
        office_id=office_id,
        clerk_id=of if kind is Right.TRAINING else None,
        site_id=of if kind is Right.PERMISSION else None,
        device_id=of if kind is Right.DEVICE else None,
        valid_from=AT - timedelta(days=365),
        valid_until=None,
        document_hash=None,
        granted_by="operator:op",
    )
    return replace(whole, **changes)


RIGHTS = [
    right(Right.REGISTRATION),
    right(Right.CONTRACT, "cake"),
    right(Right.TRAINING, "k"),
    right(Right.PERMISSION, "s"),
]
"""All that must be in force for QUESTION."""

DIRECTORY: list[Any] = [
    BankRegistered(bank_id="cake", name="Bank"),
    ProductOffered(
        product_id="p", bank_id="cake", name="P", purpose="open-account", terms_hash=TERMS
    ),
    OfficeRegistered(office_id="o", name="O"),
    ClerkRegistered(clerk_id="k", office_id="o"),
    SiteRegistered(site_id="s", name="S", host="H"),
    CitizenRegistered(citizen_id="c1"),
    *RIGHTS,
]

QUESTION = ConsentRequested(
    consent_id="q1",
    citizen_id="c1",
    bank_id="cake",
    product_id="p",
    terms_hash=TERMS,
    purpose="open-account",
    channel=Channel.COUNTER,
    office_id="o",
    site_id="s",
    clerk_id="k",
    asked_by="clerk:k",
    asked_at=AT,
    decide_by=AT + timedelta(hours=24),
    notice_id="open-account.1",
)

SERVED = NoticeServed(
    consent_id="q1", notice_id="open-account.1", notice_lang="vi", notice_hash=NOTICE
)


def refusal_marks(
    consent_id: str = "q1", citizen_id: str = "c1", bank_id: str = "cake", office_id: Any = "o"
) -> RefusalMarks:
    """Return the marks that a refusal has, under a key that only tests know."""
    return RefusalMarks.of(Marks(bytes(32)), consent_id, citizen_id, bank_id, office_id)


MARKS = refusal_marks()


def statement(decision: Decision = Decision.GIVEN, **changes: Any) -> Statement:
    """Return a statement that answers QUESTION, valid for an hour from AT."""
    whole = Statement(
        typ=STATEMENT,
        statement_id=f"st-{decision}",
        consent_id="q1",
        decision=decision,
        citizen_id="c1",
        bank_id="cake",
        audience=[ACCOUNTS, "cake"],
        purpose="open-account",
        product_id="p",
        terms_hash=TERMS,
        notice_id="open-account.1",
        notice_lang="vi",
        notice_hash=NOTICE,
        channel=Channel.COUNTER,
        office_id="o",
        site_id="s",
        clerk_id="k",
        grade=Grade.OTP,
        nonce="n",
        issued_at=AT,
        not_before=AT,
        expires_at=AT + timedelta(hours=1),
    )
    return replace(whole, **changes)


def asked(decision: Decision = Decision.GIVEN, challenge_id: str = "ch1") -> SignatureAsked:
    """Return the fact that a code went out for a decision."""
    signed = statement(decision)
    return SignatureAsked(
        consent_id="q1",
        citizen_id="c1",
        challenge_id=challenge_id,
        statement=signed,
        statement_hash=signed.hash(),
        asked_at=AT,
        expires_at=AT + timedelta(minutes=5),
    )


def _decided(kind: Any, decision: Decision, **more: Any) -> Any:
    signed = statement(decision)
    return kind(
        consent_id="q1",
        citizen_id="c1",
        bank_id="cake",
        office_id="o",
        clerk_id="k",
        challenge_id="ch1",
        statement=signed,
        statement_hash=signed.hash(),
        **more,
    )


GIVEN = _decided(ConsentGiven, Decision.GIVEN, event="jws")
REFUSED = _decided(
    ConsentRefused,
    Decision.REFUSED,
    asking_again_from=AT + timedelta(days=90),
    bank_refusal_id=MARKS.bank,
    office_refusal_id=MARKS.office,
)
WAITING = replace(
    _decided(ConsentGiven, Decision.GIVEN, event=""),
    statement=statement(
        waits_for=Waits.CONFIRMATION,
        not_before=AT + timedelta(minutes=30),
        expires_at=AT + timedelta(hours=72),
    ),
)
"""Agreed at a counter with a code: it waits for its confirmation."""

COOLING = replace(
    _decided(ConsentGiven, Decision.GIVEN, event="jws"),
    statement=statement(
        waits_for=Waits.TIME,
        not_before=AT + timedelta(hours=72),
        expires_at=AT + timedelta(hours=96),
    ),
)
"""Agreed with something that was not known before: it waits for its time."""

CASE: dict[str, Any] = {
    "consent_id": "q1",
    "capture_id": "cap1",
    "citizen_id": "c1",
    "bank_id": "cake",
    "office_id": "o",
    "clerk_id": "k",
    "site_id": "s",
}
CAPTURED = IdentityCaptured(
    **CASE, device_id="d", document_image_id="1" * 64, portrait_image_id="2" * 64, taken_at=AT
)
SUBMITTED = OpeningSubmitted(**CASE, statement_hash=statement().hash())
HANDED: list[Any] = [CAPTURED, SUBMITTED]
"""After an agreement at a counter: photographed, and handed in."""

CONFIRMED = _decided(ConsentConfirmed, Decision.CONFIRMED, event="jws")
ASK_ME_AGAIN = RefusalWithdrawn(
    consent_id="q1",
    citizen_id="c1",
    bank_id="cake",
    challenge_id="ch1",
    statement=statement(Decision.WITHDRAWN),
    statement_hash=statement(Decision.WITHDRAWN).hash(),
    bank_refusal_id=MARKS.bank,
    office_refusal_id=MARKS.office,
)
WITHDRAWN = _decided(ConsentWithdrawn, Decision.WITHDRAWN, used_at=None)
DISPUTED = ConsentDisputed(
    consent_id="q1",
    citizen_id="c1",
    bank_id="cake",
    office_id="o",
    clerk_id="k",
    channel=DisputeChannel.LINK,
    used_at=None,
    asking_again_from=AT + timedelta(days=90),
    authority_told_by=AT + timedelta(hours=72),
)
REDEEMED = ConsentRedeemed(
    consent_id="q1",
    citizen_id="c1",
    bank_id="cake",
    redemption_id="op1",
    statement_hash=statement().hash(),
    command_hash=COMMAND,
    redeemed_by="service:accounts",
    redeemed_at=AT,
)

ORDER = Command(
    opening_id="op1",
    citizen_id="c1",
    bank_id="cake",
    product_id="p",
    terms_hash=TERMS,
    purpose="open-account",
    office_id="o",
    site_id="s",
    clerk_id="k",
    consent="jws",
)


def event(signed: Statement | None = None, **changes: Any) -> ConsentEvent:
    """Return a consent event whose signature held."""
    signed = signed or statement()
    whole = ConsentEvent(
        iss="consent",
        aud=signed.audience,
        sub=signed.citizen_id,
        jti=signed.statement_id,
        iat=int(AT.timestamp()),
        nbf=int(AT.timestamp()),
        exp=int(signed.expires_at.timestamp()),
        statement=signed,
        statement_hash=signed.hash(),
    )
    return replace(whole, **changes)


def judged(command: Command = ORDER, **changes: Any) -> Judge:
    """Return a command with its evidence, sent by its bank a minute after the decision."""
    whole = Judge(
        command=command,
        command_hash=command.hash(),
        commanded_by="bank:cake",
        evidence=event(),
        issuer="consent",
        at=AT + timedelta(minutes=1),
    )
    return replace(whole, **changes)


def receipt(**changes: Any) -> Receipt:
    """Return the receipt for ORDER."""
    whole = Receipt(
        iss="consent",
        aud=ACCOUNTS,
        iat=int(AT.timestamp()),
        redemption_id="op1",
        consent_id="q1",
        statement_hash=statement().hash(),
        command_hash=ORDER.hash(),
        position=9,
        recorded_at=AT,
    )
    return replace(whole, **changes)
