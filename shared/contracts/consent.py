"""The documents that pass between consent and accounts, and what each member promises.

- `Statement`: what the citizen signed. Its SHA-256 over RFC 8785 bytes is what the signature binds.
- the consent event: a JWS of type `CONSENT_EVENT`, whose payload holds the whole statement.
- the redemption receipt: a JWS of type `REDEMPTION`, saying at which position of the consent log
  the consent was used, for which command.
- the stop: a JWS of type `STOP`, saying at which position the consent was disputed or found void.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from shared.canonical import digest

CONSENT_EVENT = "thuan-consent+jwt"
"""JOSE `typ` of a consent event: no other document of ours can be taken for one (RFC 8725 3.11)."""

REDEMPTION = "thuan-redemption+jwt"
"""JOSE `typ` of a redemption receipt."""

STOP = "thuan-stop+jwt"
"""JOSE `typ` of a stop: a consent must open nothing any more, and what it opened is frozen."""

STATEMENT = "thuan-statement+jcs;v=1"
"""`typ` inside every statement, so that its digest means nothing in another protocol."""

ACCOUNTS = "accounts"
"""The audience name of the accounts service."""

OPEN_ACCOUNT = "open-account"
"""The purpose without which no account opens."""


class SidePurpose(StrEnum):
    """What an organisation may ask for beside an account: each alone, each off, none needed."""

    MARKETING = "marketing"
    CREDIT_SCORING = "credit-scoring"
    PARTNER_SHARING = "partner-sharing"


class Decision(StrEnum):
    """What a citizen can say; one type of statement, so that each is as strong as the others."""

    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    CONFIRMED = "confirmed"
    """Said later of an agreement that waits for it: it was meant."""


class Waits(StrEnum):
    """What an agreement waits for before it can be used."""

    CONFIRMATION = "confirmation"
    """The same person's second word, from where they signed it and no clerk stands beside them."""

    TIME = "time"
    """The end of a period in which it can be disputed: nothing was known before to confirm by."""


class Grade(StrEnum):
    """How a citizen signed, the strongest first; each names what the clerk does not hold."""

    KEY_UV = "key_uv"
    """The citizen's own passkey, which asked for finger, face or PIN."""

    OTP = "otp"
    """A code to the citizen's own phone."""

    WITNESSED = "witnessed"
    """Two people who are not the clerk, each with their own passkey."""


class Channel(StrEnum):
    """Where the citizen was asked."""

    COUNTER = "counter"
    ONLINE = "online"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A purpose beside the one that is asked for, and whether the citizen agreed to it too."""

    purpose: str
    agreed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What a citizen decides, whole; signed by its digest.

    One consent, one purpose, one bank (the data controller of Law 91/2025, or another that asks),
    one product, one place, one use between `not_before` and `expires_at` (UTC). `choices` are the
    purposes that nothing hangs on, each with its own yes or no. `expressed_by` is the citizen who
    speaks for this one, and `authority_id` what gives the right to (Law 91/2025 art. 24);
    `subject_agrees` says that the child for whom they speak was asked, and agrees too. An
    agreement that `waits_for` its confirmation is none until a second statement, `confirmed`,
    supersedes it; then the use lies within the second one's times.

    The members that have UNSET came later. Unset, they are in no bytes, so that what was signed
    before they came still has its digest.
    """

    typ: str
    statement_id: str
    consent_id: str
    decision: Decision
    citizen_id: str
    bank_id: str
    audience: list[str]
    purpose: str
    product_id: str
    terms_hash: str
    notice_id: str
    notice_lang: str
    notice_hash: str
    channel: Channel
    office_id: str | None
    site_id: str | None
    clerk_id: str | None
    grade: Grade
    nonce: str
    issued_at: datetime
    not_before: datetime
    expires_at: datetime
    max_uses: int = 1
    jurisdiction: str = "VN"
    supersedes: str | None = None
    fee_hash: str | UnsetType = UNSET
    choices: list[Choice] | UnsetType = UNSET
    expressed_by: str | UnsetType = UNSET
    authority_id: str | UnsetType = UNSET
    waits_for: Waits | UnsetType = UNSET
    subject_agrees: bool | UnsetType = UNSET

    def hash(self) -> str:
        """Return the SHA-256 of the canonical bytes, hexadecimal: what the citizen signs."""
        return digest(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentEvent:
    """The payload of a consent event (RFC 7519 names; times are seconds since 1970 UTC)."""

    iss: str
    aud: list[str]
    sub: str
    jti: str
    iat: int
    nbf: int
    exp: int
    statement: Statement
    statement_hash: str
    confirmation: Statement | UnsetType = UNSET
    confirmation_hash: str | UnsetType = UNSET

    @property
    def governing(self) -> Statement:
        """Return the statement whose times the use must lie within."""
        return self.confirmation or self.statement

    @property
    def unconfirmed(self) -> bool:
        """Tell whether the agreement still waits for its confirmation."""
        return self.statement.waits_for is Waits.CONFIRMATION and not self.confirmation


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """The payload of a redemption receipt.

    `position` and `recorded_at` are where the consent log holds the redemption.
    """

    iss: str
    aud: str
    iat: int
    redemption_id: str
    consent_id: str
    statement_hash: str
    command_hash: str
    position: int
    recorded_at: datetime


class StopReason(StrEnum):
    """Why a consent must open nothing any more."""

    DISPUTED = "consent_disputed"
    INVALIDATED = "consent_invalidated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """The payload of a stop; `position` and `recorded_at` are where the consent log holds it."""

    iss: str
    aud: str
    iat: int
    consent_id: str
    citizen_id: str
    bank_id: str
    reason: StopReason
    position: int
    recorded_at: datetime


DocumentT = TypeVar("DocumentT")


class Unreadable(ValueError):
    """A document of the right type whose content is not of its shape."""


def read_consent_event(payload: bytes) -> ConsentEvent:
    """Return the payload as a consent event; raises `Unreadable`."""
    return _read(payload, ConsentEvent)


def read_receipt(payload: bytes) -> Receipt:
    """Return the payload as a redemption receipt; raises `Unreadable`."""
    return _read(payload, Receipt)


def read_stop(payload: bytes) -> Stop:
    """Return the payload as a stop; raises `Unreadable`."""
    return _read(payload, Stop)


def _read(payload: bytes, shape: type[DocumentT]) -> DocumentT:
    try:
        return msgspec.json.decode(payload, type=shape)
    except (msgspec.DecodeError, ValueError) as error:
        raise Unreadable(str(error)) from error
