"""The witnesses of citizens, and what they sign."""

from dataclasses import dataclass
from datetime import datetime

from services.consent.facts.places import PLACE
from shared.canonical import digest
from shared.contracts.evidence import Passkey, Witnessing
from shared.ledger.facts import fact

INVITATION = "thuan-invitation+jcs;v=1"
"""`typ` of what a witness's device answers for: it can never be taken for a citizen's request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InvitationRequest:
    """That somebody is to be a witness; its digest is what their device is asked to answer."""

    typ: str
    enrolment_id: str
    witness_id: str
    nonce: str
    issued_at: datetime

    def hash(self) -> str:
        """Return the SHA-256 of the canonical bytes, hexadecimal."""
        return digest(self)


@fact("witness.invited.1", tags=("witness", "enrolment"))
class WitnessInvited:
    """Somebody may be a witness, once their device answers; a link to do so went to their phone.

    `organisation_id` is whom they stand for, which may be an office or a bank. `phone_id` is the
    keyed mark of the phone; the number is kept nowhere.
    """

    witness_id: str
    enrolment_id: str
    organisation_id: str
    phone_id: str
    request: InvitationRequest
    request_hash: str
    expires_at: datetime
    invited_by: str
    policy_version: int = 0


@fact("witness.enrolled.1", tags=("witness", "enrolment", "passkey"))
class WitnessEnrolled:
    """A device signs for a witness from now on, in place of the one before."""

    witness_id: str
    enrolment_id: str
    passkey_id: str
    passkey: Passkey


@fact("witness.ended.1", tags=("witness",))
class WitnessEnded:
    """Somebody is a witness no more, unless they are invited again."""

    witness_id: str
    ended_by: str


@fact("witness.named.1", tags=("consent", "witness"))
class WitnessNamed:
    """Of the two who witness one question, this is one; the last two that were named count."""

    consent_id: str
    witness_id: str
    named_by: str


@fact("witness.signed.1", tags=("consent", "witness", "challenge"))
class WitnessSigned:
    """One of two witnesses heard a citizen decide so, and signed; it takes both to decide."""

    consent_id: str
    challenge_id: str
    witness_id: str
    witnessing: Witnessing
    policy_version: int = 0


@fact("witness.dissented.1", tags=("consent", "witness", "challenge"))
class WitnessDissented:
    """A witness did not see the citizen decide so: what the other signed is worth nothing."""

    consent_id: str
    challenge_id: str
    witness_id: str


@fact("witness.rejected.1", tags=("consent", "witness", *PLACE, "asked_by"))
class WitnessRejected:
    """The rules did not let somebody be a witness, or be one of this question."""

    consent_id: str | None
    witness_id: str | None
    asked_by: str
    reasons: list[str]
    bank_id: str | None = None
    office_id: str | None = None
    site_id: str | None = None
    clerk_id: str | None = None
