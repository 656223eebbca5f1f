"""Citizens, who speaks for them, their phones, and what is forgotten of them."""

from datetime import date, datetime
from enum import StrEnum

from shared.ledger.facts import ERASED, Erased, fact


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
    policy_version: int = 0


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
    policy_version: int = 0


@fact("phone.rejected.1", tags=("citizen", "bank", "office", "clerk", "asked_by"))
class PhoneRejected:
    """The rules did not let a citizen's phone be changed, kept, or shared."""

    citizen_id: str
    asked_by: str
    reasons: list[str]
    bank_id: str | None = None
    office_id: str | None = None
    clerk_id: str | None = None
    policy_version: int = 0


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
