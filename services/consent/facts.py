"""Everything that can happen in the consent log, on one page.

A citizen *refuses*; the rules *reject*. Ids are random or given by the caller and hold nothing
personal; a phone lies under the citizen's own key, and can be erased. Times are UTC.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from shared.canonical import digest
from shared.contracts.consent import Channel, Decision, Statement
from shared.contracts.evidence import Evidence, Passkey, Witnessing
from shared.ledger.facts import ERASED, Erased, Vocabulary, fact
from shared.looks import ReadFor

# -- the directory: who may ask, for what, where ------------------------------------------------


@fact("bank.registered.1", tags=("bank",))
class BankRegistered:
    """An organisation may ask citizens: a bank, or another whose purposes are not accounts."""

    bank_id: str
    name: str


@fact("product.offered.1", tags=("product", "bank"))
class ProductOffered:
    """An organisation offers a product for one purpose, under terms with this SHA-256.

    `side_purposes` are what a citizen is asked for beside it, one by one; `fee_hash` is the SHA-256
    of the fees. `lowest_grade` is the weakest signature that the organisation takes for it.
    """

    product_id: str
    bank_id: str
    name: str
    purpose: str
    terms_hash: str
    side_purposes: list[str] | None = None
    fee_hash: str | None = None
    lowest_grade: str | None = None


@fact("office.registered.1", tags=("office",))
class OfficeRegistered:
    """A post office may ask on behalf of banks."""

    office_id: str
    name: str


@fact("clerk.registered.1", tags=("clerk", "office"))
class ClerkRegistered:
    """A clerk, known by a code, works at an office."""

    clerk_id: str
    office_id: str


@fact("staff.phone.marked.1", tags=("clerk", "office", "phone"))
class StaffPhoneMarked:
    """A phone is a clerk's: as long as it is, no agreement is signed with it.

    `phone_id` is the keyed mark of the number, equal to that of a citizen with the same phone.
    """

    clerk_id: str
    office_id: str
    phone_id: str


@fact("staff.phone.unmarked.1", tags=("clerk", "office", "phone"))
class StaffPhoneUnmarked:
    """A phone is no longer this clerk's."""

    clerk_id: str
    office_id: str
    phone_id: str


@fact("site.registered.1", tags=("site",))
class SiteRegistered:
    """A place at which people may be asked, once its host permits it.

    `host_id` is whom the host's own calls come from; None: the host makes none.
    """

    site_id: str
    name: str
    host: str
    host_id: str | None = None


class Right(StrEnum):
    """What must be in force for somebody to be asked, and an account opened, at a counter."""

    REGISTRATION = "registration"
    """The office is registered as an agent."""

    CONTRACT = "contract"
    """The bank has a contract with the office."""

    TRAINING = "training"
    """The clerk is trained, and appointed at the office."""

    PERMISSION = "permission"
    """The host of a place lets the office ask there, in writing."""


@fact("right.granted.1", tags=("right", "bank", "office", "clerk", "site"))
class RightGranted:
    """A right is in force from `valid_from` until before `valid_until` (UTC; None: no end set).

    The newest fact of a right is what holds, so that one which ends early is granted anew with its
    end. `document_hash` is the SHA-256 of the paper.
    """

    right_id: str
    right: Right
    bank_id: str | None
    office_id: str
    clerk_id: str | None
    site_id: str | None
    valid_from: datetime
    valid_until: datetime | None
    document_hash: str | None
    granted_by: str


@fact("right.rejected.1", tags=("right",))
class RightRejected:
    """The rules did not let a right be granted, or ended."""

    right_id: str
    asked_by: str
    reasons: list[str]


# -- suspending ---------------------------------------------------------------------------------


class SuspendedFor(StrEnum):
    """Why somebody stops what is done at a place, by a clerk, for a bank, or in a name."""

    COMPLAINTS = "complaints"
    MISCONDUCT = "misconduct"
    NO_PERMISSION = "no_permission"
    SECURITY = "security"
    ORDER = "order"
    OWN_WISH = "own_wish"
    """A citizen wants no account opened in their name."""


class LiftedFor(StrEnum):
    """Why it can go on."""

    REMEDIED = "remedied"
    MISTAKEN = "mistaken"
    ORDER = "order"
    OWN_WISH = "own_wish"


OF_SCOPE = ("suspension", "bank", "office", "clerk", "site", "citizen")


@fact("suspension.ordered.1", tags=OF_SCOPE)
class SuspensionOrdered:
    """From here on nothing is asked or opened within a scope: where all ids that are set agree."""

    suspension_id: str
    bank_id: str | None
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    citizen_id: str | None
    why: SuspendedFor
    ordered_by: str


@fact("lifting.proposed.1", tags=("suspension",))
class LiftingProposed:
    """Somebody wants a suspension to end; it takes one more, of another organisation."""

    suspension_id: str
    why: LiftedFor
    proposed_by: str


@fact("suspension.lifted.1", tags=OF_SCOPE)
class SuspensionLifted:
    """A suspension ends at `effective_from` (UTC)."""

    suspension_id: str
    bank_id: str | None
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    citizen_id: str | None
    why: LiftedFor
    proposed_by: str
    approved_by: str
    effective_from: datetime


@fact("suspension.rejected.1", tags=("suspension",))
class SuspensionRejected:
    """The rules did not let somebody suspend, or lift."""

    suspension_id: str
    asked_by: str
    reasons: list[str]


# -- citizens -----------------------------------------------------------------------------------


@fact(
    "citizen.registered.1",
    tags=("citizen", "phone"),
    personal={"citizen": ("phone", "born_on")},
)
class CitizenRegistered:
    """A citizen can be asked, on the phone (E.164) that was confirmed as theirs.

    An empty phone is none: what such a person says, two witnesses sign. `known_since` is from when
    it was theirs; None: since this was recorded. `phone_id` is the keyed mark of the number; None:
    there is none, or it was recorded before there were such marks. `born_on` None: of age, as
    whoever registered them saw; it is not there either of whom was registered before it was asked.
    """

    citizen_id: str
    phone: str | Erased = ERASED
    known_since: datetime | None = None
    phone_id: str | None = None
    born_on: date | Erased | None = ERASED


class AuthorityGround(StrEnum):
    """What lets one citizen speak for another."""

    PARENT = "parent"
    GUARDIAN = "guardian"
    LIMITED_CAPACITY = "limited_capacity"
    """A court's decision about somebody of any age."""


@fact(
    "representative.authorised.1",
    tags=("authority", "citizen", "representative"),
    personal={"citizen": ("valid_from", "valid_until")},
)
class RepresentativeAuthorised:
    """A citizen may speak for another from `valid_from` on, until `valid_until` if there is one.

    `document_id` is the keyed mark of what the paper that shows it is known by. A parent's time
    often begins at a birth, so the times are personal.
    """

    authority_id: str
    citizen_id: str
    representative_id: str
    ground: AuthorityGround
    document_id: str
    authorised_by: str
    valid_from: datetime | Erased = ERASED
    valid_until: datetime | Erased | None = ERASED


@fact("representative.ended.1", tags=("authority", "citizen", "representative"))
class RepresentativeEnded:
    """An authority is no more, whatever its time was.

    Of one by a court's decision the decision stands, and nobody speaks until another is given, or
    until `restored` says that the court gave the citizen their capacity back.
    """

    authority_id: str
    citizen_id: str
    representative_id: str
    ended_by: str
    restored: bool = False


@fact("representative.rejected.1", tags=("citizen", "representative"))
class RepresentativeRejected:
    """The rules did not let somebody speak for a citizen."""

    citizen_id: str
    representative_id: str
    asked_by: str
    reasons: list[str]


@fact(
    "phone.enrolled.1",
    tags=("citizen", "phone", "enrolment", "clerk", "office"),
    personal={"citizen": ("phone",)},
)
class PhoneEnrolled:
    """A citizen gets another phone (E.164), which counts from `effective_from` on.

    That is when it was asked for, or later if there was a phone that could be warned.
    """

    enrolment_id: str
    citizen_id: str
    phone_id: str
    clerk_id: str | None
    office_id: str | None
    asked_by: str
    asked_at: datetime
    effective_from: datetime
    phone: str | Erased = ERASED


class Stopped(StrEnum):
    """Why a phone never came to count."""

    OLD_PHONE = "old_phone"
    """Whoever holds the phone that counts said that the other is not theirs."""

    UNWARNED = "unwarned"
    """The phone that counts could not be warned."""


@fact("phone.enrolment.stopped.1", tags=("citizen", "phone", "enrolment"))
class PhoneEnrolmentStopped:
    """A phone that did not count yet never will, unless it is asked for again."""

    enrolment_id: str
    citizen_id: str
    phone_id: str
    ground: Stopped


class SharingGround(StrEnum):
    """Why several citizens may sign with one phone."""

    HOUSEHOLD = "household"
    CARE = "care"


@fact("phone.sharing.allowed.1", tags=("phone", "bank"))
class PhoneSharingAllowed:
    """A bank takes agreements signed with one phone by up to so many citizens; the last counts."""

    phone_id: str
    bank_id: str
    citizens_max: int
    ground: SharingGround
    allowed_by: str


@fact("phone.rejected.1", tags=("citizen",))
class PhoneRejected:
    """The rules did not let a citizen's phone be changed, kept, or shared."""

    citizen_id: str
    asked_by: str
    reasons: list[str]


class Ground(StrEnum):
    """Why personal data must go (Law 91/2025, article 14)."""

    REQUEST = "request"
    PURPOSE_ENDED = "purpose_ended"
    RETENTION_ENDED = "retention_ended"
    ORDER = "order"


@fact("citizen.erased.1", tags=("citizen", "key"))
class CitizenErased:
    """What lay under a key of the citizen is gone, and the key; both must never come back."""

    citizen_id: str
    key_id: str
    ground: Ground
    asked_by: str


@fact("erasure.rejected.1", tags=("citizen",))
class ErasureRejected:
    """The rules did not let a citizen's data be erased yet."""

    citizen_id: str
    asked_by: str
    reasons: list[str]


# -- passkeys -----------------------------------------------------------------------------------

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


@fact("page.asked.1", tags=("citizen",))
class PageAsked:
    """A link to everything in a citizen's name went to their phone."""

    citizen_id: str
    asked_at: datetime


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


@fact("passkey.failed.1", tags=("citizen", "enrolment"))
class PasskeyFailed:
    """A try to enrol a passkey did not succeed."""

    citizen_id: str
    enrolment_id: str
    reasons: list[str]


@fact("passkey.enrolled.1", tags=("citizen", "enrolment", "passkey"))
class PasskeyEnrolled:
    """A device signs for the citizen from now on; `passkey` has the bytes that prove it was asked.

    Passkeys say nothing of a person: key and id are chance, made on the device for us alone.
    """

    citizen_id: str
    enrolment_id: str
    passkey_id: str
    passkey: Passkey


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


@fact("staff.passkey.marked.1", tags=("clerk", "passkey"))
class StaffPasskeyMarked:
    """A passkey is a clerk's own: it signs for no citizen, whoever enrolled it."""

    clerk_id: str
    passkey_id: str


# -- witnesses ----------------------------------------------------------------------------------

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


@fact("witness.dissented.1", tags=("consent", "witness", "challenge"))
class WitnessDissented:
    """A witness did not see the citizen decide so: what the other signed is worth nothing."""

    consent_id: str
    challenge_id: str
    witness_id: str


@fact("witness.rejected.1", tags=("consent", "witness"))
class WitnessRejected:
    """The rules did not let somebody be a witness, or be one of this question."""

    consent_id: str | None
    witness_id: str | None
    asked_by: str
    reasons: list[str]


# -- asking -------------------------------------------------------------------------------------


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


@fact("request.rejected.1", tags=("consent", "citizen", "bank", "office", "clerk"))
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


@fact("notice.served.1", tags=("consent",))
class NoticeServed:
    """A text was put before the citizen; `notice_hash` is the SHA-256 of its exact bytes."""

    consent_id: str
    notice_id: str
    notice_lang: str
    notice_hash: str


# -- deciding -----------------------------------------------------------------------------------


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


@fact("signature.failed.1", tags=("consent", "challenge"))
class SignatureFailed:
    """A code did not sign: it was wrong, too old, or one try too many."""

    consent_id: str
    challenge_id: str
    reason: str


@fact("decision.rejected.1", tags=("consent",))
class DecisionRejected:
    """The rules did not let a decision be made, or a code be sent for it."""

    consent_id: str
    decision: Decision
    reasons: list[str]


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


# -- stopping -----------------------------------------------------------------------------------


class DisputeChannel(StrEnum):
    """How somebody said that it was not them."""

    LINK = "link"
    CODE = "code"


class VoidFor(StrEnum):
    """Why an organisation finds a consent void."""

    NEVER_GIVEN = "never_given"
    FORCED = "forced"
    NOT_INFORMED = "not_informed"
    NO_CAPACITY = "no_capacity"
    STAFF_MISCONDUCT = "staff_misconduct"


@fact("consent.disputed.1", tags=("consent", "citizen", "bank", "office", "clerk"))
class ConsentDisputed:
    """Somebody said that it was not them: everything stops, whatever had been signed.

    `used_at` is where the consent had been used. The authority is told until `authority_told_by`.
    """

    consent_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    channel: DisputeChannel
    used_at: int | None
    asking_again_from: datetime
    authority_told_by: datetime


@fact("invalidation.proposed.1", tags=("consent", "bank"))
class InvalidationProposed:
    """An organisation finds a consent void; it takes a second one to say so."""

    consent_id: str
    bank_id: str
    case_id: str
    why: VoidFor
    proposed_by: str


@fact("consent.invalidated.1", tags=("consent", "citizen", "bank", "office", "clerk"))
class ConsentInvalidated:
    """Two organisations found the consent void; `used_at` is where it had been used."""

    consent_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    case_id: str
    why: VoidFor
    proposed_by: str
    approved_by: str
    used_at: int | None


@fact("invalidation.rejected.1", tags=("consent",))
class InvalidationRejected:
    """The rules did not let somebody declare a consent void."""

    consent_id: str
    asked_by: str
    reasons: list[str]


@fact("stop.delivered.1", tags=("consent",))
class StopDelivered:
    """The accounts service knows that the consent is stopped, and froze what it had opened."""

    consent_id: str
    accounts_position: int


@fact("purpose.given.1", tags=("consent", "citizen", "bank"))
class PurposeGiven:
    """With an agreement, the citizen chose one side purpose too; it counts while that does."""

    consent_id: str
    citizen_id: str
    bank_id: str
    purpose: str
    statement_hash: str


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


# -- using --------------------------------------------------------------------------------------


@fact("consent.redeemed.1", tags=("consent", "citizen", "bank", "redemption"))
class ConsentRedeemed:
    """The consent was used, once, for the command with this SHA-256."""

    consent_id: str
    citizen_id: str
    bank_id: str
    redemption_id: str
    statement_hash: str
    command_hash: str
    redeemed_by: str
    redeemed_at: datetime


@fact("redemption.rejected.1", tags=("consent", "redemption"))
class RedemptionRejected:
    """The rules did not let the consent be used."""

    consent_id: str
    redemption_id: str
    command_hash: str
    redeemed_by: str
    reasons: list[str]


# -- looking ------------------------------------------------------------------------------------


@fact("data.read.1", tags=("citizen", "consent", "case", "look"))
class DataRead:
    """Somebody was shown these fields, never said with their values, of one question to a citizen.

    The same look has the same `look_id` for an hour, and is recorded once in it. The case, if the
    reader named one, is the reader's own.
    """

    look_id: str
    citizen_id: str
    consent_id: str
    case_id: str | None
    read_by: str
    purpose: ReadFor
    fields: list[str]
    read_at: datetime


VOCABULARY = Vocabulary(
    [
        BankRegistered,
        ProductOffered,
        OfficeRegistered,
        ClerkRegistered,
        StaffPhoneMarked,
        StaffPhoneUnmarked,
        SiteRegistered,
        RightGranted,
        RightRejected,
        SuspensionOrdered,
        LiftingProposed,
        SuspensionLifted,
        SuspensionRejected,
        CitizenRegistered,
        RepresentativeAuthorised,
        RepresentativeEnded,
        RepresentativeRejected,
        PhoneEnrolled,
        PhoneEnrolmentStopped,
        PhoneSharingAllowed,
        PhoneRejected,
        CitizenErased,
        ErasureRejected,
        PageAsked,
        PasskeyAsked,
        PasskeyFailed,
        PasskeyEnrolled,
        PasskeyUsed,
        PasskeyRevoked,
        StaffPasskeyMarked,
        WitnessInvited,
        WitnessEnrolled,
        WitnessEnded,
        WitnessNamed,
        WitnessSigned,
        WitnessDissented,
        WitnessRejected,
        ConsentRequested,
        RequestRejected,
        NoticeServed,
        SignatureAsked,
        SignatureFailed,
        DecisionRejected,
        ConsentGiven,
        ConsentConfirmed,
        ConsentRefused,
        RefusalWithdrawn,
        ConsentWithdrawn,
        ConsentDisputed,
        InvalidationProposed,
        ConsentInvalidated,
        InvalidationRejected,
        StopDelivered,
        PurposeGiven,
        PurposeWithdrawn,
        ConsentRedeemed,
        RedemptionRejected,
        DataRead,
    ]
)
