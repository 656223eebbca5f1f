"""Two witnesses sign what a citizen without a phone decides, and no clerk does.

1. `name`: whoever asks says which two; they can be named anew at any time.
2. The first of them reads the notice to the citizen, presses what the citizen says, and signs. What
   was pressed is fixed by `ask_signature` (`services/consent/decisions.py`), as for a code.
3. `attest`: each signs a statement of their own about the citizen's. The second signature decides.
4. `dissent`: the other one saw something else; then it must begin anew.

The clerk presses nothing and signs nothing. What two witnesses sign waits (`Policy.waits_for`), and
confirms nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.consents import KINDS, Challenge, Consent, evolve
from services.consent.decisions import (
    Sign,
    failed,
    heard_phones,
    rejection,
    sign_boundary,
    sign_decide,
    unsignable,
    without_witnesses,
)
from services.consent.facts import (
    ConsentRequested,
    WitnessDissented,
    WitnessNamed,
    WitnessRejected,
    WitnessSigned,
)
from services.consent.facts.places import place_of
from services.consent.witnesses import PAIR, Known, unfit
from services.consent.witnesses import boundary as witness_boundary
from shared.contracts.consent import Grade
from shared.contracts.evidence import Evidence, Witnessing
from shared.errors import Kind, Reason, Rejection
from shared.ledger.log import Verb, about
from shared.passkeys import counts_on

# -- 1. name ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """Two people are to witness what the citizen of a consent decides."""

    consent_id: str
    witnesses: Known
    named_by: str


def name_boundary(asked: Name) -> Sequence[DCBQueryItem]:
    """Return this consent's facts, and what is known of the two."""
    consent = about(f"consent:{asked.consent_id}", kinds=KINDS)
    return [consent, *witness_boundary(asked.witnesses)]


def name_decide(consent: Consent, asked: Name) -> Sequence[WitnessNamed]:
    """Name them, or do nothing if it is they already."""
    question = consent.requested
    if question is None or not _asks(consent, asked.named_by):
        raise Rejection(Kind.UNKNOWN, "consent_unknown")
    pair = asked.witnesses.witness_ids
    if set(pair) == set(consent.named):
        return []
    heard = heard_phones(consent, asked.witnesses)
    if reasons := list(unfit(consent.witnesses, asked.witnesses, question, heard)):
        raise _unnamed(question, asked, reasons)
    return [
        WitnessNamed(consent_id=asked.consent_id, witness_id=one, named_by=asked.named_by)
        for one in pair
    ]


NAME = Verb(boundary=name_boundary, initial=Consent(), evolve=evolve, decide=name_decide)


def _asks(consent: Consent, name: str) -> bool:
    """Tell whether it is this bank's question, or this clerk's."""
    role, _, own_id = name.partition(":")
    asked = consent.requested
    own = {"bank": asked and asked.bank_id, "clerk": asked and asked.clerk_id}
    return own.get(role) == own_id


def _unnamed(question: ConsentRequested, asked: Name, reasons: list[Reason]) -> Rejection:
    fact = WitnessRejected(
        consent_id=asked.consent_id,
        witness_id=None,
        asked_by=asked.named_by,
        reasons=[reason.code for reason in reasons],
        **place_of(question),
    )
    return Rejection(Kind.REJECTED, "witnesses_rejected", reasons=reasons, facts=[fact])


# -- 3. attest ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Attest:
    """A witness's device answered: what was signed, or None and, in `sign`, why it is nothing.

    `sign` is what it comes to if the other signed before; its evidence is made of both.
    """

    witness_id: str
    witnessing: Witnessing | None
    sign: Sign


def attest_boundary(asked: Attest) -> Sequence[DCBQueryItem]:
    """Return all that a citizen's own signature depends on, and what is known of the two."""
    return sign_boundary(asked.sign)


def attest_decide(consent: Consent, asked: Attest) -> Sequence[Any]:
    """Record what this witness signed, and decide if the other signed before; else say why not."""
    challenge = _challenge(consent, asked.sign.challenge_id, asked.witness_id)
    witnessing = asked.witnessing
    if witnessing is None:
        raise failed(challenge, asked.sign, asked.sign.failure)
    if asked.witness_id in challenge.witnessed:
        return []
    reasons = [*_over(challenge, asked), *_unsound(consent, witnessing)]
    if not challenge.witnessed:  # the second's are looked at by the rule of deciding
        reasons += unsignable(consent, challenge, asked.sign)
        reasons += without_witnesses(consent, challenge.asked.statement, asked.sign.witnesses)
    if reasons:
        said = challenge.asked.statement
        raise rejection(consent, said, reasons, asked.sign.policy.version)
    signed = WitnessSigned(
        consent_id=asked.sign.consent_id,
        challenge_id=challenge.asked.challenge_id,
        witness_id=asked.witness_id,
        witnessing=witnessing,
        policy_version=asked.sign.policy.version,
    )
    evidence = _evidence({**challenge.witnessed, asked.witness_id: witnessing}, challenge)
    whole = sign_decide(consent, replace(asked.sign, evidence=evidence)) if evidence else []
    return [signed, *whole]


ATTEST = Verb(boundary=attest_boundary, initial=Consent(), evolve=evolve, decide=attest_decide)


def _challenge(consent: Consent, challenge_id: str, witness_id: str) -> Challenge:
    """Return what this witness is asked; raises `Rejection` for whoever is not asked."""
    challenge = consent.challenges.get(challenge_id)
    if challenge is None or witness_id not in (challenge.asked.witness_ids or ()):
        raise Rejection(Kind.UNKNOWN, "challenge_unknown")
    return challenge


def _over(challenge: Challenge, asked: Attest) -> Iterator[Reason]:
    if challenge.dissented:
        yield Reason("witness_dissented")
    if asked.sign.at >= challenge.asked.expires_at:
        yield Reason("witnessing_over")


def _unsound(consent: Consent, witnessing: Witnessing) -> Iterator[Reason]:
    """Yield why a signature that held by itself is not this witness's, or not new."""
    own = consent.witnesses.of(witnessing.witness_id).passkey
    if own is None or own.credential_id != witnessing.signature.credential_id:
        yield Reason("passkey_unknown")
    elif not counts_on(own.sign_count, witnessing.signature.sign_count):
        yield Reason("passkey_counter")


def _evidence(signed: dict[str, Witnessing], challenge: Challenge) -> Evidence | None:
    """Return what proves the citizen's statement, in the order of naming; None for one alone."""
    if len(signed) < PAIR:
        return None
    order = challenge.asked.witness_ids or []
    return Evidence(grade=Grade.WITNESSED, witnesses=[signed[one] for one in order])


# -- 4. dissent ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Dissent:
    """A witness did not see the citizen decide so."""

    consent_id: str
    challenge_id: str
    witness_id: str


def dissent_boundary(asked: Dissent) -> Sequence[DCBQueryItem]:
    """Return this consent's facts."""
    return [about(f"consent:{asked.consent_id}", kinds=KINDS)]


def dissent_decide(consent: Consent, asked: Dissent) -> Sequence[WitnessDissented]:
    """Record it, or do nothing if it was said; what both signed is decided, and is not taken back.

    Then the citizen withdraws, or says that it was not them.
    """
    challenge = _challenge(consent, asked.challenge_id, asked.witness_id)
    if challenge.dissented:
        return []
    if challenge.signed:
        raise rejection(consent, challenge.asked.statement, [Reason("already_decided")])
    return [
        WitnessDissented(
            consent_id=asked.consent_id,
            challenge_id=asked.challenge_id,
            witness_id=asked.witness_id,
        )
    ]


DISSENT = Verb(boundary=dissent_boundary, initial=Consent(), evolve=evolve, decide=dissent_decide)
