"""What a citizen is asked, what they decide, and how it is signed."""

from datetime import datetime

from services.consent.facts.places import PLACE
from shared.contracts.consent import Channel, Decision, Statement
from shared.contracts.evidence import Evidence
from shared.ledger.facts import ERASED, Erased, fact


@fact("consent.requested.1", tags=("consent", "citizen", "bank", "office", "clerk", "dispute"))
class ConsentRequested:
    """A citizen is asked one question, and has until `decide_by` to answer.

    `dispute_id` is the keyed mark of the code with which anybody who holds it can dispute.
    `notice_id` is the text that it is put with, fixed now for good; `side_purposes`, `fee_hash`
    and `lowest_grade` are what the product then had, as far as that text explains it.
    """

    consent_id: str
    citizen_id: str
    bank_id: str
    product_id: str
    terms_hash: str
    purpose: str
    channel: Channel
    office_id: str | None
    site_id: str | None
    clerk_id: str | None
    asked_by: str
    asked_at: datetime
    decide_by: datetime
    dispute_id: str | None = None
    asked_from_id: str | None = None
    """The keyed mark of the clerk's network address, at a counter; good for this question alone."""
    notice_id: str | None = None
    side_purposes: list[str] | None = None
    fee_hash: str | None = None
    lowest_grade: str | None = None
    policy_version: int = 0


@fact(
    "request.rejected.1",
    tags=("consent", "citizen", "bank", "office", "clerk", "site", "asked_by"),
)
class RequestRejected:
    """The rules did not let somebody ask."""

    consent_id: str
    citizen_id: str
    bank_id: str
    product_id: str
    purpose: str
    office_id: str | None
    site_id: str | None
    clerk_id: str | None
    asked_by: str
    reasons: list[str]
    policy_version: int = 0


@fact("notice.served.1", tags=("consent",))
class NoticeServed:
    """A text was put before the citizen; `notice_hash` is the SHA-256 of its exact bytes."""

    consent_id: str
    notice_id: str
    notice_lang: str
    notice_hash: str


@fact("signature.asked.1", tags=("consent", "citizen", "challenge"))
class SignatureAsked:
    """A code bound to this statement went to the citizen's phone; the code is written nowhere.

    Or a device was asked, or two witnesses: `witness_ids`, with the SHA-256 of the scanned paper.
    `phone_id` is the mark of that phone, for an agreement alone: a refusal names nobody.
    """

    consent_id: str
    citizen_id: str
    challenge_id: str
    statement: Statement
    statement_hash: str
    asked_at: datetime
    expires_at: datetime
    phone_id: str | None = None
    witness_ids: list[str] | None = None
    scan_hash: str | None = None
    policy_version: int = 0


@fact("signature.failed.1", tags=("consent", "challenge"))
class SignatureFailed:
    """A code did not sign: it was wrong, too old, or one try too many."""

    consent_id: str
    challenge_id: str
    reason: str
    policy_version: int = 0


@fact("decision.rejected.1", tags=("consent", *PLACE))
class DecisionRejected:
    """The rules did not let a decision be made, or a code be sent for it.

    Where and by whom the question was asked is known; who would have decided is not said here.
    """

    consent_id: str
    decision: Decision
    reasons: list[str]
    bank_id: str | None = None
    office_id: str | None = None
    site_id: str | None = None
    clerk_id: str | None = None
    policy_version: int = 0


@fact("consent.given.1", tags=("consent", "citizen", "bank", "office", "clerk", "challenge"))
class ConsentGiven:
    """The citizen agreed and signed; `event` is the signed consent event (JWS).

    It is empty where the agreement waits for its confirmation, which has the event then.
    """

    consent_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    challenge_id: str
    statement: Statement
    statement_hash: str
    event: str
    evidence: Evidence | None = None
    policy_version: int = 0


@fact(
    "consent.refused.1",
    tags=(
        *("consent", "citizen", "bank", "office", "clerk", "challenge"),
        *("bank_refusal", "office_refusal"),
    ),
    personal={"consent": ("evidence",)},
)
class ConsentRefused:
    """Somebody refused and signed; asking them again is blocked until `asking_again_from`.

    Who it was is not said: `citizen_id`, here and in the statement, stands for this one refusal,
    and two marks block the next question of the same bank and of the same office.
    """

    consent_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    challenge_id: str
    statement: Statement
    statement_hash: str
    asking_again_from: datetime
    bank_refusal_id: str | None = None
    office_refusal_id: str | None = None
    evidence: str | Erased = ERASED
    policy_version: int = 0


@fact(
    "refusal.withdrawn.1",
    tags=("consent", "citizen", "bank", "challenge", "bank_refusal", "office_refusal"),
    personal={"consent": ("evidence",)},
)
class RefusalWithdrawn:
    """Whoever refused took it back and signed: they may be asked again, as if never asked."""

    consent_id: str
    citizen_id: str
    bank_id: str
    challenge_id: str
    statement: Statement
    statement_hash: str
    bank_refusal_id: str | None
    office_refusal_id: str | None
    evidence: str | Erased = ERASED
    policy_version: int = 0


@fact("consent.confirmed.1", tags=("consent", "citizen", "bank", "office", "clerk", "challenge"))
class ConsentConfirmed:
    """The citizen meant it, and signed a second time; `event` is the signed consent event (JWS)."""

    consent_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    challenge_id: str
    statement: Statement
    statement_hash: str
    event: str
    evidence: Evidence | None = None
    policy_version: int = 0


@fact("consent.withdrawn.1", tags=("consent", "citizen", "bank", "office", "clerk", "challenge"))
class ConsentWithdrawn:
    """The citizen took the consent back and signed; `used_at` is where it had been used."""

    consent_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    challenge_id: str
    statement: Statement
    statement_hash: str
    used_at: int | None
    evidence: Evidence | None = None
    policy_version: int = 0


@fact("purpose.given.1", tags=("consent", "citizen", "bank"))
class PurposeGiven:
    """With an agreement, the citizen chose one side purpose too; it counts while that does."""

    consent_id: str
    citizen_id: str
    bank_id: str
    purpose: str
    statement_hash: str
    policy_version: int = 0


@fact("purpose.withdrawn.1", tags=("consent", "citizen", "bank", "challenge"))
class PurposeWithdrawn:
    """The citizen took one side purpose back and signed: it alone, or with the whole consent.

    The statement names this purpose, or the one that the consent is for. `evidence` is of the
    statement that names this purpose; that of the whole is in the consent's own fact.
    """

    consent_id: str
    citizen_id: str
    bank_id: str
    challenge_id: str
    purpose: str
    statement: Statement
    statement_hash: str
    evidence: Evidence | None = None
    policy_version: int = 0
