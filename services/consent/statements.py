"""What a citizen is given to sign, and what the service signs once they did.

Everything in a statement is fixed before the signature is asked for; nothing is added afterwards.
"""

from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET

from services.consent.consents import Consent
from services.consent.facts import ConsentRequested
from services.consent.notices import Notice
from services.consent.policy import Policy
from services.consent.purposes import choices
from services.consent.representatives import Speaker
from services.consent.separation import AGREEMENTS
from shared.contracts.consent import (
    ACCOUNTS,
    STATEMENT,
    ConsentEvent,
    Decision,
    Grade,
    Receipt,
    Statement,
    Stop,
    StopReason,
    Waits,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What makes one statement of all that could be made about a question; `at` in UTC.

    `subject` is the citizen, or stands for one who refuses; `speaker` is who says it, and
    `subject_agrees` that they asked the child, who agrees too. `known_before` says whether what
    will sign was the citizen's for long enough before the question came, `phone_known` whether
    their phone was. `chosen` are the side purposes that the citizen said yes to; `alone` is the one
    that is taken back by itself.
    """

    decision: Decision
    grade: Grade
    notice: Notice
    subject: str
    speaker: Speaker
    known_before: bool
    phone_known: bool
    statement_id: str
    nonce: str
    at: datetime
    chosen: frozenset[str] = frozenset()
    alone: str | None = None
    subject_agrees: bool = False


def draft(consent: Consent, asked: ConsentRequested, what: Draft, policy: Policy) -> Statement:
    """Return the statement for the citizen to sign."""
    first = consent.given or consent.refused
    waits_for = _waits_for(asked, what, policy) if what.decision is Decision.GIVEN else None
    not_before, expires_at = policy.usable(what.at, waits_for)
    # Whoever names the account's own purpose takes back the whole, with every choice.
    one = what.decision is Decision.WITHDRAWN and what.alone != asked.purpose
    alone = what.alone if one else None
    named = what.speaker if what.subject == asked.citizen_id else None
    authority_id = named.authority_id if named else None
    return Statement(
        typ=STATEMENT,
        statement_id=what.statement_id,
        consent_id=asked.consent_id,
        decision=what.decision,
        citizen_id=what.subject,
        bank_id=asked.bank_id,
        audience=[ACCOUNTS, asked.bank_id],
        purpose=alone or asked.purpose,
        product_id=asked.product_id,
        terms_hash=asked.terms_hash,
        notice_id=what.notice.id,
        notice_lang=what.notice.lang,
        notice_hash=what.notice.hash,
        channel=asked.channel,
        office_id=asked.office_id,
        site_id=asked.site_id,
        clerk_id=asked.clerk_id,
        grade=what.grade,
        nonce=what.nonce,
        issued_at=what.at,
        not_before=not_before,
        expires_at=expires_at,
        supersedes=first.statement.statement_id if first else None,
        fee_hash=asked.fee_hash or UNSET,
        choices=UNSET if alone else choices(consent, asked, what.decision, what.chosen),
        expressed_by=named.citizen_id if named and authority_id else UNSET,
        authority_id=authority_id or UNSET,
        waits_for=waits_for or UNSET,
        subject_agrees=_subject_agrees(what) or UNSET,
    )


def _subject_agrees(what: Draft) -> bool:
    """Tell whether there is a child who agrees too; none is asked to refuse, or to take back."""
    asked_too = what.speaker.child_agrees and what.decision in AGREEMENTS
    return asked_too and what.subject_agrees


def _waits_for(asked: ConsentRequested, what: Draft, policy: Policy) -> Waits | None:
    known = {"known_before": what.known_before, "phone_known": what.phone_known}
    return policy.waits_for(what.grade, asked.channel, **known)


def consent_event(
    issuer: str, signed: Statement, at: datetime, agreement: Statement | None = None
) -> ConsentEvent | None:
    """Return the event to publish for a statement that is now signed; None if there is none yet.

    `agreement` is the statement that a confirmation confirms.
    """
    whole = agreement or signed
    if whole.waits_for is Waits.CONFIRMATION and agreement is None:
        return None
    return ConsentEvent(
        iss=issuer,
        aud=whole.audience,
        sub=whole.citizen_id,
        jti=whole.statement_id,
        iat=int(at.timestamp()),
        nbf=int(signed.not_before.timestamp()),
        exp=int(signed.expires_at.timestamp()),
        statement=whole,
        statement_hash=whole.hash(),
        confirmation=signed if agreement else UNSET,
        confirmation_hash=signed.hash() if agreement else UNSET,
    )


def stop_document(issuer: str, consent: Consent, at: datetime) -> Stop:
    """Return the document that tells accounts that a consent is stopped."""
    asked, name = consent.requested, "invalidated" if consent.invalidated else "disputed"
    assert asked  # only what was asked for is stopped
    placed = consent.places[name]
    return Stop(
        iss=issuer,
        aud=ACCOUNTS,
        iat=int(at.timestamp()),
        consent_id=asked.consent_id,
        citizen_id=asked.citizen_id,
        bank_id=asked.bank_id,
        reason=StopReason.INVALIDATED if consent.invalidated else StopReason.DISPUTED,
        position=placed.position,
        recorded_at=placed.recorded_at,
    )


def redemption_receipt(issuer: str, consent: Consent) -> Receipt:
    """Return the receipt of a consent that was used."""
    redeemed, placed = consent.redeemed, consent.places["redeemed"]
    assert redeemed  # whoever asks for the receipt has just redeemed it, or found it redeemed
    return Receipt(
        iss=issuer,
        aud=ACCOUNTS,
        iat=int(redeemed.redeemed_at.timestamp()),
        redemption_id=redeemed.redemption_id,
        consent_id=redeemed.consent_id,
        statement_hash=redeemed.statement_hash,
        command_hash=redeemed.command_hash,
        position=placed.position,
        recorded_at=placed.recorded_at,
    )
