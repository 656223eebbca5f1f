"""Who may ask, for what, where, by what right; and what is staff's."""

from datetime import datetime
from enum import StrEnum

from services.consent.facts.places import PLACE
from shared.ledger.facts import fact


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

    DEVICE = "device"
    """A device is the office's own: with no other may anybody be photographed."""


@fact("right.granted.1", tags=("right", "bank", "office", "clerk", "site", "device"))
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
    device_id: str | None = None


@fact("right.rejected.1", tags=("right", *PLACE, "asked_by"))
class RightRejected:
    """The rules did not let a right be granted, or ended."""

    right_id: str
    asked_by: str
    reasons: list[str]
    bank_id: str | None = None
    office_id: str | None = None
    site_id: str | None = None
    clerk_id: str | None = None


@fact("staff.passkey.marked.1", tags=("clerk", "passkey"))
class StaffPasskeyMarked:
    """A passkey is a clerk's own: it signs for no citizen, whoever enrolled it."""

    clerk_id: str
    passkey_id: str
