"""The citizen decides: a statement is put together, a code bound to it is sent, the code signs it.

1. `serve`: the exact text was put before the citizen.
2. `ask_signature`: the citizen pressed one of the buttons; the statement is fixed and a code goes
   to the citizen's own phone. The statement must name a text that was served.
3. `sign`: the code came back. Right, it makes the decision; wrong, it is counted.

Agreeing, refusing and withdrawing take the same steps. The code itself is derived from the
statement's hash with a secret key and stored nowhere (`services/consent/codes.py`); the rules are
told whether it matched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.consents import KINDS, Challenge, Consent, Standing, evolve
from services.consent.facts import (
    ConsentConfirmed,
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    DecisionRejected,
    NoticeServed,
    RefusalWithdrawn,
    SignatureAsked,
    SignatureFailed,
)
from services.consent.policy import Policy
from services.consent.refusals import RefusalMarks
from shared.contracts.consent import Decision, Statement
from shared.errors import Kind, Reason, Rejection
from shared.ledger.log import Verb, about

WITHDRAWABLE = frozenset({Standing.WAITING, Standing.GIVEN, Standing.REDEEMED, Standing.REFUSED})
"""Where there is something to take back: an agreement, or a refusal."""

WITHDRAWN_ALREADY = frozenset(
    {Standing.WITHDRAWN, Standing.WITHDRAWN_AFTER_USE, Standing.REFUSAL_WITHDRAWN}
)

DECIDED = frozenset({"given", "confirmed", "refused", "withdrawn"})
"""What leaves nothing to confirm, where an agreement does not wait for it."""

STOPPED = {
    Standing.DISPUTED: "consent_disputed",
    Standing.INVALIDATED: "consent_invalidated",
}
"""Where nothing can be decided any more, and why."""

CODES_COUNTED_FOR = timedelta(hours=1)
"""The hour of `Policy.codes_per_hour_max`."""


# -- 1. serve -----------------------------------------------------------------------------------


def serve_boundary(notice: NoticeServed) -> Sequence[DCBQueryItem]:
    """Return this consent's facts."""
    return [about(f"consent:{notice.consent_id}", kinds=KINDS)]


def serve_decide(consent: Consent, notice: NoticeServed) -> Sequence[NoticeServed]:
    """Record that this text was served, the first time that it is."""
    if consent.requested is None:
        raise Rejection(Kind.UNKNOWN, "consent_unknown")
    served = (notice.notice_id, notice.notice_lang, notice.notice_hash)
    return [] if served in consent.notices else [notice]


SERVE = Verb(boundary=serve_boundary, initial=Consent(), evolve=evolve, decide=serve_decide)


# -- 2. ask for a signature ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class AskSignature:
    """The statement that the citizen chose to sign, and the id of the code's challenge."""

    challenge_id: str
    statement: Statement
    at: datetime
    policy: Policy


def ask_boundary(asked: AskSignature) -> Sequence[DCBQueryItem]:
    """Return this consent's facts."""
    return [about(f"consent:{asked.statement.consent_id}", kinds=KINDS)]


def ask_decide(consent: Consent, asked: AskSignature) -> Sequence[SignatureAsked]:
    """Let the code go out, unless the decision cannot be made or too many codes went before."""
    statement = asked.statement
    if asked.challenge_id in consent.challenges:
        return []
    reasons = [
        *_undecidable(consent, statement.decision, asked.at),
        *_unserved(consent, statement),
        *_too_many(consent, asked),
    ]
    if reasons:
        raise _rejection(statement.consent_id, statement.decision, reasons)
    return [
        SignatureAsked(
            consent_id=statement.consent_id,
            citizen_id=statement.citizen_id,
            challenge_id=asked.challenge_id,
            statement=statement,
            statement_hash=statement.hash(),
            asked_at=asked.at,
            expires_at=asked.at + asked.policy.code_lives_for,
        )
    ]


ASK_SIGNATURE = Verb(boundary=ask_boundary, initial=Consent(), evolve=evolve, decide=ask_decide)


def _undecidable(consent: Consent, decision: Decision, at: datetime) -> Iterator[Reason]:
    """Yield why this decision cannot be made from where the consent stands."""
    standing = consent.standing(at)
    positions = consent.positions("given", "confirmed", "refused", "withdrawn", "refusal_withdrawn")
    if stopped := STOPPED.get(standing):
        yield Reason(stopped, consent.positions("disputed", "invalidated"))
    elif decision is Decision.CONFIRMED:
        yield from unconfirmable(consent, at)
    elif decision is Decision.WITHDRAWN:
        if standing in WITHDRAWN_ALREADY:
            yield Reason("already_decided", positions)
        elif standing is Standing.EXPIRED:
            yield Reason("consent_expired", positions)
        elif standing not in WITHDRAWABLE:
            yield Reason("consent_not_given", positions)
    elif standing is Standing.LAPSED:
        yield Reason("request_expired", consent.positions("requested"))
    elif standing is not Standing.REQUESTED:
        yield Reason("already_decided", positions)


def unconfirmable(consent: Consent, at: datetime) -> Iterator[Reason]:
    """Yield why an agreement cannot be confirmed: there is none, it is too early, or late."""
    standing = consent.standing(at)
    if standing is Standing.LAPSED:
        yield Reason("request_expired", consent.positions("given"))
    elif standing is not Standing.WAITING or not consent.unconfirmed:
        code = "already_decided" if consent.places.keys() & DECIDED else "consent_not_given"
        yield Reason(code, consent.positions(*sorted(DECIDED)))
    elif consent.governing and at < consent.governing.not_before:
        yield Reason("confirmation_too_early", consent.positions("given"))


def _unserved(consent: Consent, statement: Statement) -> Iterator[Reason]:
    text = (statement.notice_id, statement.notice_lang, statement.notice_hash)
    if text not in consent.notices:
        yield Reason("notice_not_served")


def _too_many(consent: Consent, asked: AskSignature) -> Iterator[Reason]:
    recent = [
        challenge
        for challenge in consent.challenges.values()
        if challenge.asked.asked_at > asked.at - CODES_COUNTED_FOR
        and (challenge.asked.statement.decision is Decision.WITHDRAWN)
        == (asked.statement.decision is Decision.WITHDRAWN)
    ]
    if len(recent) >= asked.policy.codes_per_hour_max:
        yield Reason("too_many_codes")


# -- 3. sign ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """A code came back; `event` is what to publish if it makes the consent usable, else empty."""

    consent_id: str
    challenge_id: str
    code_matches: bool
    event: str
    refusals: RefusalMarks
    at: datetime
    policy: Policy


def sign_boundary(asked: Sign) -> Sequence[DCBQueryItem]:
    """Return this consent's facts."""
    return [about(f"consent:{asked.consent_id}", kinds=KINDS)]


def sign_decide(consent: Consent, asked: Sign) -> Sequence[Any]:
    """Make the decision, or do nothing if this code made it already; else count the try."""
    challenge = consent.challenges.get(asked.challenge_id)
    if challenge is None:
        raise Rejection(Kind.UNKNOWN, "challenge_unknown")
    if challenge.signed:
        if asked.code_matches:
            return []
        raise _rejection(
            asked.consent_id, challenge.asked.statement.decision, [Reason("already_decided")]
        )
    if failure := _failure(challenge, asked):
        raise _failed(challenge, asked, failure)
    decision = challenge.asked.statement.decision
    if reasons := list(_undecidable(consent, decision, asked.at)):
        raise _rejection(asked.consent_id, decision, reasons)
    return [_decided(consent, challenge.asked, asked)]


SIGN = Verb(boundary=sign_boundary, initial=Consent(), evolve=evolve, decide=sign_decide)


def _failure(challenge: Challenge, asked: Sign) -> str | None:
    if challenge.tries_failed >= asked.policy.code_tries_max:
        return "code_tries_used"
    if asked.at >= challenge.asked.expires_at:
        return "code_expired"
    return None if asked.code_matches else "code_wrong"


def _failed(challenge: Challenge, asked: Sign, code: str) -> Rejection:
    """Return the rejection; a try after the last, or too late, is recorded once, not for ever."""
    fact = SignatureFailed(
        consent_id=asked.consent_id, challenge_id=asked.challenge_id, reason=code
    )
    repeated = challenge.overtried and code != "code_wrong"
    left = asked.policy.code_tries_max - challenge.tries_failed - 1
    detail = str(left) if code == "code_wrong" else ""
    reason = Reason(code, detail=detail)
    return Rejection(Kind.REJECTED, code, reasons=[reason], facts=[] if repeated else [fact])


def _decided(consent: Consent, challenge: SignatureAsked, asked: Sign) -> Any:
    """Return the fact that a signed statement makes."""
    statement = challenge.statement
    common: dict[str, Any] = {
        "consent_id": statement.consent_id,
        "citizen_id": statement.citizen_id,
        "bank_id": statement.bank_id,
        "challenge_id": challenge.challenge_id,
        "statement": statement,
        "statement_hash": challenge.statement_hash,
    }
    place: dict[str, Any] = {"office_id": statement.office_id, "clerk_id": statement.clerk_id}
    marks: dict[str, Any] = {
        "bank_refusal_id": asked.refusals.bank,
        "office_refusal_id": asked.refusals.office,
    }
    match statement.decision:
        case Decision.GIVEN:
            return ConsentGiven(**common, **place, event=asked.event)
        case Decision.CONFIRMED:
            return ConsentConfirmed(**common, **place, event=asked.event)
        case Decision.REFUSED:
            again = asked.at + asked.policy.refusal_holds_for
            return ConsentRefused(**common, **place, **marks, asking_again_from=again)
        case Decision.WITHDRAWN if consent.refused:
            return RefusalWithdrawn(**common, **marks)
        case Decision.WITHDRAWN:
            used = consent.places.get("redeemed")
            return ConsentWithdrawn(**common, **place, used_at=used.position if used else None)


def _rejection(consent_id: str, decision: Decision, reasons: list[Reason]) -> Rejection:
    fact = DecisionRejected(
        consent_id=consent_id,
        decision=decision,
        reasons=[reason.code for reason in reasons],
    )
    return Rejection(Kind.CONFLICT, "decision_rejected", reasons=reasons, facts=[fact])
