"""At a counter: photographed only after agreeing, handed in only after that, opened by the bank.

1. `capture`: the clerk photographs the citizen and their card, with a device of the office's own,
   after the citizen agreed, with pictures that served for nobody else.
2. `submit`: the same clerk hands it in. From then on a citizen whose agreement waits can confirm
   it, and the bank can open.

The order of the log decides, whatever a device's clock says: notice < agreement < capture <
submission < confirmation, where one is needed, < use. Online there is no clerk, and no capture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from services.consent import gate
from services.consent.consents import PLACED, Consent, Standing, evolve
from services.consent.facts import (
    CaptureRejected,
    ConsentGiven,
    ConsentRequested,
    IdentityCaptured,
    OpeningSubmitted,
    Right,
    RightGranted,
    SubmissionRejected,
)
from services.consent.gate import Act, Gate, closed
from services.consent.policy import Policy
from shared.contracts.consent import OPEN_ACCOUNT, Channel
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Timed, Verb, about

KINDS = tuple(PLACED)
"""The facts of a consent that both look at."""

NAMES = ("citizen_id", "bank_id", "office_id", "clerk_id", "site_id")

OVER = {
    Standing.DISPUTED: "consent_disputed",
    Standing.INVALIDATED: "consent_invalidated",
    Standing.WITHDRAWN: "consent_withdrawn",
    Standing.WITHDRAWN_AFTER_USE: "consent_withdrawn",
    Standing.REDEEMED: "consent_used",
    Standing.LAPSED: "consent_expired",
    Standing.EXPIRED: "consent_expired",
}
"""Where an agreement leads nowhere any more, and why."""


def needed(question: ConsentRequested | None) -> bool:
    """Tell whether an opening takes a capture and a submission: an account, at a counter."""
    return (
        question is not None
        and question.channel is Channel.COUNTER
        and question.purpose == OPEN_ACCOUNT
    )


def unsubmitted(consent: Consent) -> Iterator[Reason]:
    """Yield that nothing was handed in yet, where that comes first."""
    if needed(consent.requested) and consent.submitted is None:
        yield Reason("not_submitted", consent.positions("given", "captured"))


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of one consent, of the gate, of the device, and of pictures of others."""

    consent: Consent = field(default_factory=Consent)
    gate: Gate = field(default_factory=Gate)
    others: tuple[tuple[int, IdentityCaptured], ...] = ()


def collect(case: Case, recorded: Recorded) -> Case:
    """Collect it."""
    fact, asked = recorded.fact, case.consent.requested
    own = asked is None or getattr(fact, "consent_id", "") == asked.consent_id
    if isinstance(fact, IdentityCaptured) and not (asked and own):
        return replace(case, others=(*case.others, (recorded.position, fact)))
    if type(fact) in KINDS:
        return replace(case, consent=evolve(case.consent, recorded)) if own else case
    return replace(case, gate=gate.evolve(case.gate, recorded))


# -- 1. capture ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture(Timed):
    """A clerk says that a citizen was photographed; `act` is what the citizen was asked for.

    The pictures are keyed marks; `taken_at` is what the device's clock said, `at` is ours (UTC).
    """

    capture_id: str
    consent_id: str
    act: Act | None
    device_id: str
    document_image_id: str
    portrait_image_id: str
    taken_at: datetime
    captured_by: str
    at: datetime
    policy: Policy

    @property
    def images(self) -> frozenset[str]:
        """Return the marks of the pictures."""
        return frozenset({self.document_image_id, self.portrait_image_id})


def capture_boundary(asked: Capture) -> Sequence[DCBQueryItem]:
    """Return this consent, the gate, the device, and whatever used one of these pictures."""
    places = [f"{noun}_image:{one}" for one in asked.images for noun in ("document", "portrait")]
    return [
        *_own(asked.consent_id, asked.act),
        about(f"right:{_device_right(asked)}", kinds=[RightGranted]),
        *(about(one, kinds=[IdentityCaptured]) for one in places),
    ]


def capture_decide(case: Case, asked: Capture) -> Sequence[IdentityCaptured]:
    """Record that a citizen was photographed, once; else reject with every reason."""
    act = asked.act
    if act is None or case.consent.requested is None:
        raise _capture_rejection(asked, [Reason("consent_unknown")], Kind.UNKNOWN)
    fact = IdentityCaptured(
        consent_id=asked.consent_id,
        capture_id=asked.capture_id,
        device_id=asked.device_id,
        document_image_id=asked.document_image_id,
        portrait_image_id=asked.portrait_image_id,
        taken_at=asked.taken_at,
        policy_version=asked.policy.version,
        **_named(act),
    )
    if earlier := case.consent.captures.get(asked.capture_id):
        if replace(fact, policy_version=earlier.policy_version) == earlier:
            return []
        reused = [Reason("capture_id_reused", case.consent.positions("captured"))]
        raise _capture_rejection(asked, reused, Kind.CONFLICT)
    reasons = [
        *_not_own(act, asked.captured_by),
        *_premature(case.consent, asked),
        *_over(case.consent, asked.late(asked.at)),
        *_strange_device(case, asked),
        *_strange_pictures(case, asked),
        *closed(case.gate, act, asked.at, asked.late(asked.at)),
    ]
    if reasons:
        raise _capture_rejection(asked, reasons)
    return [fact]


CAPTURE = Verb(boundary=capture_boundary, initial=Case(), evolve=collect, decide=capture_decide)


def _premature(consent: Consent, asked: Capture) -> Iterator[Reason]:
    """Yield that somebody was photographed who had not agreed, by the log or by the device."""
    given = consent.given
    if given is None:
        before = consent.positions("requested", "refused")
        yield Reason("capture_before_consent", before)
    elif asked.taken_at < given.statement.issued_at:
        yield Reason("capture_before_consent", consent.positions("given"))
    if asked.taken_at > asked.at + asked.policy.device_clock_ahead_max:
        yield Reason("device_clock_ahead")


def _strange_device(case: Case, asked: Capture) -> Iterator[Reason]:
    position, granted = case.gate.rights.get(_device_right(asked), (0, None))
    if granted is None or not gate.in_force(granted, asked.at, asked.late(asked.at)):
        yield Reason(gate.RIGHTS[Right.DEVICE].code, (position,) if position else ())


def _strange_pictures(case: Case, asked: Capture) -> Iterator[Reason]:
    if len(asked.images) == 1:
        yield Reason("images_alike")
    used = [
        position
        for position, one in case.others
        if asked.images & {one.document_image_id, one.portrait_image_id}
    ]
    if used:
        yield Reason("image_used", tuple(used))


def _device_right(asked: Capture) -> str:
    office = (asked.act.office_id if asked.act else None) or ""
    return gate.right_id(Right.DEVICE, office, asked.device_id)


def _capture_rejection(
    asked: Capture, reasons: Sequence[Reason], kind: Kind = Kind.REJECTED
) -> Rejection:
    fact = CaptureRejected(
        consent_id=asked.consent_id,
        capture_id=asked.capture_id,
        device_id=asked.device_id,
        taken_at=asked.taken_at,
        asked_by=asked.captured_by,
        reasons=[reason.code for reason in reasons],
        policy_version=asked.policy.version,
        **_named(asked.act),
    )
    return Rejection(kind, "capture_rejected", reasons=reasons, facts=[fact])


# -- 2. submit ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Submit(Timed):
    """A clerk hands in to the bank what a citizen agreed to; `at` in UTC."""

    consent_id: str
    act: Act | None
    submitted_by: str
    at: datetime


def submit_boundary(asked: Submit) -> Sequence[DCBQueryItem]:
    """Return this consent, and the gate."""
    return _own(asked.consent_id, asked.act)


def submit_decide(case: Case, asked: Submit) -> Sequence[OpeningSubmitted]:
    """Hand it in, or do nothing if it was; else reject with every reason."""
    act, consent = asked.act, case.consent
    if act is None or consent.requested is None:
        raise _submission_rejection(asked, [Reason("consent_unknown")], Kind.UNKNOWN)
    reasons = [*_not_own(act, asked.submitted_by)]
    if consent.submitted and not reasons:
        return []
    reasons += [
        *_not_agreed(consent),
        *_over(consent, asked.late(asked.at)),
        *_uncaptured(consent),
        *closed(case.gate, act, asked.at, asked.late(asked.at)),
    ]
    if reasons or not (consent.given and consent.captured):
        raise _submission_rejection(asked, reasons)
    return [_submitted(consent.given, consent.captured, act)]


SUBMIT = Verb(boundary=submit_boundary, initial=Case(), evolve=collect, decide=submit_decide)


def _submitted(given: ConsentGiven, captured: IdentityCaptured, act: Act) -> OpeningSubmitted:
    return OpeningSubmitted(
        consent_id=given.consent_id,
        capture_id=captured.capture_id,
        statement_hash=given.statement_hash,
        **_named(act),
    )


def _not_agreed(consent: Consent) -> Iterator[Reason]:
    if consent.refused:
        yield Reason("consent_refused", consent.positions("refused"))
    elif consent.given is None:
        yield Reason("consent_not_given", consent.positions("requested"))


def _uncaptured(consent: Consent) -> Iterator[Reason]:
    if consent.captured is None:
        yield Reason("capture_missing", consent.positions("given"))


def _submission_rejection(
    asked: Submit, reasons: Sequence[Reason], kind: Kind = Kind.REJECTED
) -> Rejection:
    fact = SubmissionRejected(
        consent_id=asked.consent_id,
        asked_by=asked.submitted_by,
        reasons=[reason.code for reason in reasons],
        **_named(asked.act),
    )
    return Rejection(kind, "submission_rejected", reasons=reasons, facts=[fact])


# -- both ---------------------------------------------------------------------------------------


def _own(consent_id: str, act: Act | None) -> list[DCBQueryItem]:
    consent = about(f"consent:{consent_id}", kinds=KINDS)
    return [consent, *(gate.boundary(act) if act else [])]


def _not_own(act: Act, who: str) -> Iterator[Reason]:
    """Yield unless it is the clerk who asked, at a counter."""
    if act.channel is not Channel.COUNTER or who != f"clerk:{act.clerk_id}":
        yield Reason("not_own_clerk")


def _over(consent: Consent, at: datetime) -> Iterator[Reason]:
    if consent.submitted:
        yield Reason("submitted_already", consent.positions("submitted"))
    if consent.given and (code := OVER.get(consent.standing(at))):
        stops = ("given", "confirmed", "withdrawn", "redeemed", "disputed", "invalidated")
        yield Reason(code, consent.positions(*stops))


def _named(act: Act | None) -> dict[str, Any]:
    """Return whom it is about, and where; None where nobody was asked."""
    return {name: getattr(act, name) if act else None for name in NAMES}
