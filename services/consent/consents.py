"""One consent from question to use: its state, folded from its facts, and nothing decided here."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from services.consent.facts import (
    ConsentGiven,
    ConsentRedeemed,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    NoticeServed,
    RefusalWithdrawn,
    SignatureAsked,
    SignatureFailed,
)
from shared.ledger.facts import Recorded

KINDS = (
    ConsentRequested,
    NoticeServed,
    RefusalWithdrawn,
    SignatureAsked,
    SignatureFailed,
    ConsentGiven,
    ConsentRefused,
    RefusalWithdrawn,
    ConsentWithdrawn,
    ConsentRedeemed,
)
"""The facts that a consent's state is made of; rejections change nothing."""


class Standing(StrEnum):
    """Where a consent stands; it only ever moves forward."""

    UNKNOWN = "unknown"
    REQUESTED = "requested"
    LAPSED = "lapsed"
    GIVEN = "given"
    REFUSED = "refused"
    REFUSAL_WITHDRAWN = "refusal_withdrawn"
    WITHDRAWN = "withdrawn"
    REDEEMED = "redeemed"
    WITHDRAWN_AFTER_USE = "withdrawn_after_use"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A code that was sent, and what came of it."""

    asked: SignatureAsked
    tries_failed: int = 0
    overtried: bool = False
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A decisive fact and its position."""

    position: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """What is known of one consent."""

    requested: ConsentRequested | None = None
    notices: frozenset[tuple[str, str, str]] = frozenset()
    challenges: dict[str, Challenge] = field(default_factory=dict)
    given: ConsentGiven | None = None
    refused: ConsentRefused | None = None
    refusal_withdrawn: RefusalWithdrawn | None = None
    withdrawn: ConsentWithdrawn | None = None
    redeemed: ConsentRedeemed | None = None
    places: dict[str, Placed] = field(default_factory=dict)

    def standing(self, at: datetime) -> Standing:
        """Return where the consent stands at an instant (UTC); only lapsing depends on time."""
        if self.withdrawn:
            return Standing.WITHDRAWN_AFTER_USE if self.redeemed else Standing.WITHDRAWN
        if self.redeemed:
            return Standing.REDEEMED
        if self.given:
            return Standing.GIVEN
        if self.refusal_withdrawn:
            return Standing.REFUSAL_WITHDRAWN
        if self.refused:
            return Standing.REFUSED
        if self.requested is None:
            return Standing.UNKNOWN
        return Standing.REQUESTED if at < self.requested.decide_by else Standing.LAPSED

    def positions(self, *names: str) -> tuple[int, ...]:
        """Return the positions of the named facts that are there, such as `withdrawn`."""
        return tuple(self.places[name].position for name in names if name in self.places)


def evolve(consent: Consent, recorded: Recorded) -> Consent:
    """Return the consent after one more fact; facts of other nouns leave it as it is."""
    match recorded.fact:
        case ConsentRequested() as fact:
            return _place(replace(consent, requested=fact), "requested", recorded)
        case NoticeServed() as fact:
            text = (fact.notice_id, fact.notice_lang, fact.notice_hash)
            return replace(consent, notices=consent.notices | {text})
        case SignatureAsked() as fact:
            return _challenge(consent, Challenge(fact))
        case SignatureFailed() as fact:
            return _failed(consent, fact)
        case ConsentGiven() as fact:
            decided = _place(replace(consent, given=fact), "given", recorded)
            return _signed(decided, fact.challenge_id)
        case ConsentRefused() as fact:
            decided = _place(replace(consent, refused=fact), "refused", recorded)
            return _signed(decided, fact.challenge_id)
        case RefusalWithdrawn() as fact:
            undone = replace(consent, refusal_withdrawn=fact)
            return _signed(_place(undone, "refusal_withdrawn", recorded), fact.challenge_id)
        case ConsentWithdrawn() as fact:
            decided = _place(replace(consent, withdrawn=fact), "withdrawn", recorded)
            return _signed(decided, fact.challenge_id)
        case ConsentRedeemed() as fact:
            return _place(replace(consent, redeemed=fact), "redeemed", recorded)
        case _:
            return consent


def _place(consent: Consent, name: str, recorded: Recorded) -> Consent:
    placed = Placed(recorded.position, recorded.recorded_at)
    return replace(consent, places={**consent.places, name: placed})


def _challenge(consent: Consent, challenge: Challenge) -> Consent:
    by_id = {**consent.challenges, challenge.asked.challenge_id: challenge}
    return replace(consent, challenges=by_id)


def _failed(consent: Consent, fact: SignatureFailed) -> Consent:
    challenge = consent.challenges.get(fact.challenge_id)
    if challenge is None:
        return consent
    if fact.reason == "code_wrong":
        return _challenge(consent, replace(challenge, tries_failed=challenge.tries_failed + 1))
    return _challenge(consent, replace(challenge, overtried=True))


def _signed(consent: Consent, challenge_id: str) -> Consent:
    if challenge_id not in consent.challenges:
        return consent
    return _challenge(consent, replace(consent.challenges[challenge_id], signed=True))
