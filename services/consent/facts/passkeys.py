"""The passkeys that sign for citizens."""

from dataclasses import dataclass
from datetime import datetime

from shared.canonical import digest
from shared.contracts.evidence import Passkey
from shared.ledger.facts import fact

ENROLMENT = "thuan-enrolment+jcs;v=1"
"""`typ` of what a code and a device answer for: it can never be taken for a statement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EnrolmentRequest:
    """A citizen's wish to sign with a device; its digest is what code and device stand for."""

    typ: str
    enrolment_id: str
    citizen_id: str
    nonce: str
    issued_at: datetime

    def hash(self) -> str:
        """Return the SHA-256 of the canonical bytes, hexadecimal."""
        return digest(self)


@fact("passkey.asked.1", tags=("citizen", "enrolment"))
class PasskeyAsked:
    """A code bound to this request went to the citizen's phone; the device answers its digest.

    `phone_id` is that phone's mark; `bank_id` is who asked on the page that it was begun from.
    """

    citizen_id: str
    enrolment_id: str
    request: EnrolmentRequest
    request_hash: str
    expires_at: datetime
    phone_id: str | None = None
    bank_id: str | None = None
    policy_version: int = 0


@fact("passkey.failed.1", tags=("citizen", "enrolment"))
class PasskeyFailed:
    """A try to enrol a passkey did not succeed."""

    citizen_id: str
    enrolment_id: str
    reasons: list[str]
    policy_version: int = 0


@fact("passkey.enrolled.1", tags=("citizen", "enrolment", "passkey"))
class PasskeyEnrolled:
    """A device signs for the citizen from now on; `passkey` has the bytes that prove it was asked.

    Passkeys say nothing of a person: key and id are chance, made on the device for us alone.
    """

    citizen_id: str
    enrolment_id: str
    passkey_id: str
    passkey: Passkey
    policy_version: int = 0


@fact("passkey.used.1", tags=("citizen", "passkey"))
class PasskeyUsed:
    """A passkey signed something of the citizen's, and counts on from here."""

    citizen_id: str
    passkey_id: str
    sign_count: int


@fact("passkey.revoked.1", tags=("citizen", "passkey"))
class PasskeyRevoked:
    """The citizen took a passkey away, or was erased: it signs nothing from here on."""

    citizen_id: str
    passkey_id: str
