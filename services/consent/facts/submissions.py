"""What a clerk does once a citizen agreed at a counter: photographs, and hands in to the bank."""

from datetime import datetime

from shared.ledger.facts import fact

CASE = ("consent", "citizen", "bank", "office", "clerk", "site")
"""What both are found by."""


@fact("identity.captured.1", tags=(*CASE, "device", "document_image", "portrait_image"))
class IdentityCaptured:
    """A citizen who had agreed was photographed, and their identity card, with a device of ours.

    The pictures are in no log: keyed marks tell whether one was used before. `taken_at` is what the
    device's own clock said.
    """

    consent_id: str
    capture_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    device_id: str
    document_image_id: str
    portrait_image_id: str
    taken_at: datetime
    policy_version: int = 0


@fact("capture.rejected.1", tags=(*CASE, "device", "asked_by"))
class CaptureRejected:
    """The rules did not let somebody be photographed."""

    consent_id: str
    capture_id: str
    citizen_id: str | None
    bank_id: str | None
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    device_id: str
    taken_at: datetime
    asked_by: str
    reasons: list[str]
    policy_version: int = 0


@fact("opening.submitted.1", tags=CASE)
class OpeningSubmitted:
    """A clerk handed in to the bank what the citizen agreed to, with the capture that goes with it.

    It opens nothing: the bank decides (Circular 07/2024 art. 4).
    """

    consent_id: str
    capture_id: str
    citizen_id: str
    bank_id: str
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    statement_hash: str


@fact("submission.rejected.1", tags=(*CASE, "asked_by"))
class SubmissionRejected:
    """The rules did not let a clerk hand something in."""

    consent_id: str
    citizen_id: str | None
    bank_id: str | None
    office_id: str | None
    clerk_id: str | None
    site_id: str | None
    asked_by: str
    reasons: list[str]
