"""The citizen decides: a statement is put together, and a code or a passkey signs it.

1. `serve`: the exact text was put before the citizen.
2. `ask_signature`: the citizen pressed one of the buttons; the statement is fixed, with the way in
   which it is to be signed, and a code goes to the citizen's own phone, or the device is asked. The
   statement must name a text that was served.
3. `sign`: the code came back, or the device's answer. Right, it makes the decision; wrong, it is
   counted.

Agreeing, refusing and withdrawing take the same steps, and so does whoever speaks for the citizen
(`services/consent/representatives.py`), with a code and passkeys of their own. The code itself is
derived from the statement's hash with a secret key and stored nowhere
(`services/consent/codes.py`); the rules are told whether it matched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.consents import (
    DEAD,
    KINDS,
    PASSKEY_KINDS,
    Challenge,
    Consent,
    Held,
    Standing,
    evolve,
)
from services.consent.facts import (
    ConsentConfirmed,
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    DecisionRejected,
    NoticeServed,
    PasskeyUsed,
    RefusalWithdrawn,
    SignatureAsked,
    SignatureFailed,
    StaffPasskeyMarked,
)
from services.consent.facts.places import place_of
from services.consent.grades import unaccepted
from services.consent.policy import Policy
from services.consent.purposes import overtaken, side_facts, taken_alone, unwithdrawable
from services.consent.refusals import RefusalMarks
from services.consent.representatives import boundary as speaking_boundary
from services.consent.representatives import misspoken
from services.consent.separation import AGREEMENTS, Means, inseparable
from services.consent.separation import boundary as phone_boundary
from services.consent.submissions import unsubmitted
from services.consent.witnesses import NOBODY, Known, unfit
from services.consent.witnesses import boundary as witness_boundary
from shared.canonical import canonical
from shared.contracts.consent import Decision, Grade, Statement, Waits
from shared.contracts.evidence import Evidence, passkey_id
from shared.errors import Kind, Reason, Rejection
from shared.ledger.log import Timed, Verb, about
from shared.passkeys import counts_on

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
class AskSignature(Timed):
    """The statement that the citizen chose to sign, and the id of its challenge.

    `signer_id` is whoever speaks for the citizen: who signs, unless two witnesses do. `witnesses`
    are the two who are to sign it, if it is they who do; `scan_hash` is the SHA-256 of the paper.
    """

    challenge_id: str
    citizen_id: str
    signer_id: str
    statement: Statement
    means: Means
    at: datetime
    policy: Policy
    witnesses: Known = NOBODY
    scan_hash: str | None = None


def ask_boundary(asked: AskSignature) -> Sequence[DCBQueryItem]:
    """Return this consent's facts, who speaks, their passkeys and phone, the witnesses."""
    return [
        about(f"consent:{asked.statement.consent_id}", kinds=KINDS),
        speaking_boundary(asked.citizen_id),
        about(f"citizen:{asked.signer_id}", kinds=PASSKEY_KINDS),
        *phone_boundary(asked.means),
        *witness_boundary(asked.witnesses),
    ]


def ask_decide(consent: Consent, asked: AskSignature) -> Sequence[SignatureAsked]:
    """Let the code go out, unless the decision cannot be made or too many codes went before."""
    statement = asked.statement
    if asked.challenge_id in consent.challenges:
        return []
    reasons = [
        *_undecidable(consent, statement, asked.at, asked.late(asked.at)),
        *misspoken(consent.people, consent.requested, statement, asked.at),
        *_unserved(consent, statement),
        *unaccepted(consent.requested, statement),
        *_too_many(consent, asked),
        *_without_passkey(consent, statement, asked.policy),
        *without_witnesses(consent, statement, asked.witnesses),
        *_inseparable(consent, statement, asked.means, asked),
    ]
    if reasons:
        raise rejection(consent, statement, reasons, asked.policy.version)
    return [
        SignatureAsked(
            consent_id=statement.consent_id,
            citizen_id=statement.citizen_id,
            challenge_id=asked.challenge_id,
            statement=statement,
            statement_hash=statement.hash(),
            asked_at=asked.at,
            expires_at=asked.at + asked.policy.sign_within(statement.grade),
            phone_id=asked.means.phone_id if statement.decision in AGREEMENTS else None,
            witness_ids=list(asked.witnesses.witness_ids) or None,
            scan_hash=asked.scan_hash,
            policy_version=asked.policy.version,
        )
    ]


ASK_SIGNATURE = Verb(boundary=ask_boundary, initial=Consent(), evolve=evolve, decide=ask_decide)


def _undecidable(
    consent: Consent, statement: Statement, at: datetime, late: datetime
) -> Iterator[Reason]:
    """Yield why this decision cannot be made from where the consent stands."""
    decision, standing = statement.decision, consent.standing(late)
    positions = consent.positions("given", "confirmed", "refused", "withdrawn", "refusal_withdrawn")
    if stopped := STOPPED.get(standing):
        yield Reason(stopped, consent.positions("disputed", "invalidated"))
    elif alone := taken_alone(consent, statement):
        yield from unwithdrawable(consent, alone, at)
    elif decision is Decision.CONFIRMED:
        yield from unconfirmable(consent, at, late)
        yield from overtaken(consent, statement)
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


def unconfirmable(consent: Consent, at: datetime, late: datetime) -> Iterator[Reason]:
    """Yield why an agreement cannot be confirmed: none, nothing handed in, too early, late."""
    standing = consent.standing(late)
    if standing is Standing.LAPSED:
        yield Reason("request_expired", consent.positions("given"))
    elif standing is not Standing.WAITING or not consent.unconfirmed:
        code = "already_decided" if consent.places.keys() & DECIDED else "consent_not_given"
        yield Reason(code, consent.positions(*sorted(DECIDED)))
    else:
        yield from unsubmitted(consent)
        if consent.governing and at < consent.governing.not_before:
            yield Reason("confirmation_too_early", consent.positions("given"))


def _unserved(consent: Consent, statement: Statement) -> Iterator[Reason]:
    text = (statement.notice_id, statement.notice_lang, statement.notice_hash)
    if text not in consent.notices:
        yield Reason("notice_not_served")


def _without_passkey(consent: Consent, statement: Statement, policy: Policy) -> Iterator[Reason]:
    if statement.grade is not Grade.KEY_UV:
        return
    live = [one for one in consent.passkeys.values() if not one.revoked]
    if not live:
        yield Reason("passkey_unknown")
    elif not any(_known_long_enough(consent, statement, one, policy) for one in live):
        yield Reason("passkey_too_new")


def without_witnesses(consent: Consent, statement: Statement, known: Known) -> Iterator[Reason]:
    """Yield why the two who are to sign cannot: nobody named them, or they are not fit."""
    if statement.grade is not Grade.WITNESSED:
        return
    if tuple(known.witness_ids) != consent.named:
        yield Reason("witness_unknown")
    elif consent.requested:
        yield from unfit(consent.witnesses, known, consent.requested, heard_phones(consent, known))


def heard_phones(consent: Consent, known: Known) -> frozenset[str]:
    """Return the marks of the phones that whoever the witnesses hear has, or will have."""
    found = consent.phone_use.citizens
    phones = [one for name in known.heard_ids if name in found for one in found[name].held]
    return frozenset(one.phone_id for one in phones if one.phone_id)


def _inseparable(
    consent: Consent, statement: Statement, means: Means, asked: "AskSignature | Sign"
) -> Iterator[Reason]:
    use, question = consent.phone_use, consent.requested
    return inseparable(use, question, statement, means, at=asked.at, policy=asked.policy)


def _too_many(consent: Consent, asked: AskSignature) -> Iterator[Reason]:
    recent = [
        challenge
        for challenge in consent.challenges.values()
        if challenge.asked.asked_at > asked.at - CODES_COUNTED_FOR
        and _counted_as(challenge.asked.statement) == _counted_as(asked.statement)
    ]
    if len(recent) >= asked.policy.codes_per_hour_max:
        yield Reason("too_many_codes")


def _counted_as(statement: Statement) -> tuple[bool, str]:
    """Tell codes apart: no answer uses up what a withdrawal needs, nor one purpose another's."""
    return statement.decision is Decision.WITHDRAWN, statement.purpose


# -- 3. sign ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign(Timed):
    """A code came back, a device's answer, or two witnesses': the evidence, or why it is none.

    `signer_id` is whoever speaks for the citizen, whose code or device it is. `event` is what to
    publish if it makes the consent usable, else empty.
    """

    consent_id: str
    citizen_id: str
    signer_id: str
    challenge_id: str
    evidence: Evidence | None
    failure: str
    event: str
    refusals: RefusalMarks
    means: Means
    at: datetime
    policy: Policy
    witnesses: Known = NOBODY


def sign_boundary(asked: Sign) -> Sequence[DCBQueryItem]:
    """Return this consent's facts, who speaks, their passkeys, and whose what signs is."""
    arms = [
        about(f"consent:{asked.consent_id}", kinds=KINDS),
        speaking_boundary(asked.citizen_id),
        about(f"citizen:{asked.signer_id}", kinds=PASSKEY_KINDS),
        *phone_boundary(asked.means),
        *witness_boundary(asked.witnesses),
    ]
    if used := _passkey_used(asked):
        arms.append(about(f"passkey:{used}", kinds=[StaffPasskeyMarked]))
    return arms


def sign_decide(consent: Consent, asked: Sign) -> Sequence[Any]:
    """Make the decision, or do nothing if this code made it already; else count the try."""
    challenge = consent.challenges.get(asked.challenge_id)
    if challenge is None:
        raise Rejection(Kind.UNKNOWN, "challenge_unknown")
    if challenge.signed:
        if asked.evidence:
            return []
        signed = [Reason("already_decided")]
        raise rejection(consent, challenge.asked.statement, signed, asked.policy.version)
    if failure := _failure(challenge, asked):
        raise failed(challenge, asked, failure)
    statement = challenge.asked.statement
    if reasons := [*unsignable(consent, challenge, asked), *_unsound(consent, statement, asked)]:
        raise rejection(consent, statement, reasons, asked.policy.version)
    whole = [] if taken_alone(consent, statement) else [_decided(consent, challenge.asked, asked)]
    sides = side_facts(consent, challenge.asked, asked.evidence, asked.policy.version)
    return [*whole, *sides, *_used(statement, asked)]


SIGN = Verb(boundary=sign_boundary, initial=Consent(), evolve=evolve, decide=sign_decide)


def unsignable(consent: Consent, challenge: Challenge, asked: Sign) -> Iterator[Reason]:
    """Yield why a challenge cannot be signed now by whoever signs it, however well they do."""
    statement = challenge.asked.statement
    yield from _undecidable(consent, statement, asked.at, asked.late(asked.at))
    yield from misspoken(consent.people, consent.requested, statement, asked.at)
    yield from unaccepted(consent.requested, statement)
    means = replace(asked.means, phone_id=challenge.asked.phone_id)
    yield from _inseparable(consent, statement, means, asked)


def _failure(challenge: Challenge, asked: Sign) -> str | None:
    if challenge.tries_failed >= asked.policy.code_tries_max:
        return "code_tries_used"
    if asked.late(asked.at) >= challenge.asked.expires_at:
        return "code_expired"
    return None if asked.evidence else asked.failure


def _passkey_used(asked: Sign) -> str | None:
    signature = asked.evidence.passkey if asked.evidence else None
    return passkey_id(signature.credential_id) if signature else None


def _unsound(consent: Consent, statement: Statement, asked: Sign) -> Iterator[Reason]:
    """Yield why evidence that held by itself is none for this statement of this citizen."""
    evidence = asked.evidence
    if evidence is None or not evidence.complete or evidence.grade is not statement.grade:
        yield Reason("grade_differs")
        return
    yield from without_witnesses(consent, statement, asked.witnesses)
    if evidence.passkey is None:
        return
    name = passkey_id(evidence.passkey.credential_id)
    own = consent.passkeys.get(name)
    if name in consent.staff_passkeys:
        yield Reason("passkey_of_staff")
    if own is None or own.revoked:
        yield Reason("passkey_unknown")
    elif not counts_on(own.sign_count, evidence.passkey.sign_count):
        yield Reason("passkey_counter")
    elif not _known_long_enough(consent, statement, own, asked.policy):
        yield Reason("passkey_too_new")


def _known_long_enough(consent: Consent, statement: Statement, own: Held, policy: Policy) -> bool:
    """Tell whether the passkey may sign this: an agreement that waits, a no, or any if known.

    A confirmation is the second word of an agreement; what came after the question has none.
    """
    waits = statement.decision is Decision.GIVEN and statement.waits_for in set(Waits)
    if statement.decision not in AGREEMENTS or waits:
        return True
    asked = consent.requested
    return asked is not None and own.since <= asked.asked_at - policy.settles_after


def _used(statement: Statement, asked: Sign) -> Iterator[PasskeyUsed]:
    """Yield how far the passkey has counted, except where a refusal must not lead to a person."""
    name, signature = _passkey_used(asked), asked.evidence and asked.evidence.passkey
    if name and signature and statement.citizen_id == asked.citizen_id:
        yield PasskeyUsed(
            citizen_id=asked.signer_id, passkey_id=name, sign_count=signature.sign_count
        )


def failed(challenge: Challenge, asked: Sign, code: str) -> Rejection:
    """Return the rejection; a try after the last, or too late, is recorded once, not for ever."""
    fact = SignatureFailed(
        consent_id=asked.consent_id,
        challenge_id=asked.challenge_id,
        reason=code,
        policy_version=asked.policy.version,
    )
    repeated = challenge.overtried and code in DEAD
    left = asked.policy.code_tries_max - challenge.tries_failed - 1
    detail = "" if code in DEAD else str(left)
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
        "policy_version": asked.policy.version,
    }
    place: dict[str, Any] = {"office_id": statement.office_id, "clerk_id": statement.clerk_id}
    marks: dict[str, Any] = {
        "bank_refusal_id": asked.refusals.bank,
        "office_refusal_id": asked.refusals.office,
    }
    evidence = canonical(asked.evidence).decode()  # of a refusal, to be kept beside its fact
    match statement.decision:
        case Decision.GIVEN:
            return ConsentGiven(**common, **place, event=asked.event, evidence=asked.evidence)
        case Decision.CONFIRMED:
            return ConsentConfirmed(**common, **place, event=asked.event, evidence=asked.evidence)
        case Decision.REFUSED:
            again = asked.at + asked.policy.refusal_holds_for
            return ConsentRefused(
                **common, **place, **marks, asking_again_from=again, evidence=evidence
            )
        case Decision.WITHDRAWN if consent.refused:
            return RefusalWithdrawn(**common, **marks, evidence=evidence)
        case Decision.WITHDRAWN:
            used = consent.places.get("redeemed")
            return ConsentWithdrawn(
                **common,
                **place,
                used_at=used.position if used else None,
                evidence=asked.evidence,
            )


def rejection(
    consent: Consent, statement: Statement, reasons: list[Reason], version: int = 0
) -> Rejection:
    """Return the no to a decision, with the fact that says it, where, and by which policy."""
    fact = DecisionRejected(
        consent_id=statement.consent_id,
        decision=statement.decision,
        reasons=[reason.code for reason in reasons],
        policy_version=version,
        **place_of(consent.requested),
    )
    return Rejection(Kind.CONFLICT, "decision_rejected", reasons=reasons, facts=[fact])
