"""One consent from question to use: its state, folded from its facts, and nothing decided here."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct, structs

from services.consent import representatives, separation, witnesses
from services.consent.facts import (
    ConsentConfirmed,
    ConsentDisputed,
    ConsentGiven,
    ConsentInvalidated,
    ConsentRedeemed,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    IdentityCaptured,
    NoticeServed,
    OpeningSubmitted,
    PasskeyEnrolled,
    PasskeyRevoked,
    PasskeyUsed,
    PurposeGiven,
    PurposeWithdrawn,
    RefusalWithdrawn,
    SignatureAsked,
    SignatureFailed,
    StaffPasskeyMarked,
    WitnessDissented,
    WitnessNamed,
    WitnessSigned,
)
from services.consent.representatives import People
from services.consent.separation import PhoneUse
from services.consent.witnesses import PAIR, Witnesses
from shared.contracts.consent import Statement, Waits
from shared.contracts.evidence import Passkey, Witnessing
from shared.ledger.facts import Recorded

DECISIVE: dict[type[Any], str] = {
    ConsentRequested: "requested",
    ConsentGiven: "given",
    ConsentConfirmed: "confirmed",
    ConsentRefused: "refused",
    RefusalWithdrawn: "refusal_withdrawn",
    ConsentWithdrawn: "withdrawn",
    ConsentRedeemed: "redeemed",
    ConsentDisputed: "disputed",
    ConsentInvalidated: "invalidated",
}
"""The facts that a consent's standing is made of, and what `Consent` calls each."""

STEPS: dict[type[Any], str] = {IdentityCaptured: "captured", OpeningSubmitted: "submitted"}
"""What a clerk does after an agreement, before its use; a standing is made of neither."""

PLACED = DECISIVE | STEPS
"""The facts whose places a consent has."""

SIDES = (PurposeGiven, PurposeWithdrawn)
"""The facts about side purposes; a consent's standing is made of none of them."""

WITNESSED = (WitnessNamed, WitnessSigned, WitnessDissented)
"""What two witnesses did about a consent, before it decides anything."""

KINDS = (*PLACED, NoticeServed, SignatureAsked, SignatureFailed, *SIDES, *WITNESSED)
"""The facts that a consent's state is made of; rejections change nothing."""


PASSKEY_KINDS = (PasskeyEnrolled, PasskeyUsed, PasskeyRevoked)
"""The facts that a citizen's passkeys are made of."""

DEAD = frozenset({"code_expired", "code_tries_used"})
"""Why a challenge signs nothing any more, whatever is tried."""


class Standing(StrEnum):
    """Where a consent stands; it only ever moves forward."""

    UNKNOWN = "unknown"
    REQUESTED = "requested"
    LAPSED = "lapsed"
    """Not answered in time, or agreed and not confirmed in time: silence is no."""

    WAITING = "waiting"
    """Agreed, and not to be used yet: it waits for its confirmation, or for its time."""

    GIVEN = "given"
    EXPIRED = "expired"
    REFUSED = "refused"
    REFUSAL_WITHDRAWN = "refusal_withdrawn"
    WITHDRAWN = "withdrawn"
    REDEEMED = "redeemed"
    WITHDRAWN_AFTER_USE = "withdrawn_after_use"
    DISPUTED = "disputed"
    INVALIDATED = "invalidated"


class Challenge(Struct, frozen=True):
    """A code that was sent, or what two witnesses were asked, and what came of it.

    `witnessed` has what each witness signed, by witness; `dissented` says that one did not.
    """

    asked: SignatureAsked
    tries_failed: int = 0
    overtried: bool = False
    signed: bool = False
    witnessed: Mapping[str, Witnessing] = msgspec.field(default_factory=dict)
    dissented: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A passkey that a citizen has, since when, how far it has counted, and whether it still signs.

    `passkey` is as it was enrolled; `latest` has the count of its newest signature.
    """

    passkey: Passkey
    since: datetime
    sign_count: int
    revoked: bool = False

    @property
    def latest(self) -> Passkey:
        """Return the passkey with its newest count."""
        return replace(self.passkey, sign_count=self.sign_count)


Passkeys = Mapping[str, Held]
"""A citizen's passkeys by the name that facts know them by."""


class Placed(Struct, frozen=True):
    """A decisive fact and its position."""

    position: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Side:
    """A side purpose that was agreed to, and where it was taken back."""

    given: Placed
    withdrawn: Placed | None = None


class Consent(Struct, frozen=True):
    """What is known of one consent.

    A Struct, since every fact makes another of it: a frozen dataclass takes ten times as long.
    """

    requested: ConsentRequested | None = None
    notices: frozenset[tuple[str, str, str]] = frozenset()
    challenges: dict[str, Challenge] = msgspec.field(default_factory=dict)
    given: ConsentGiven | None = None
    confirmed: ConsentConfirmed | None = None
    refused: ConsentRefused | None = None
    refusal_withdrawn: RefusalWithdrawn | None = None
    withdrawn: ConsentWithdrawn | None = None
    redeemed: ConsentRedeemed | None = None
    disputed: ConsentDisputed | None = None
    invalidated: ConsentInvalidated | None = None
    captured: IdentityCaptured | None = None
    """The newest capture: the one that is handed in."""
    captures: dict[str, IdentityCaptured] = msgspec.field(default_factory=dict)
    submitted: OpeningSubmitted | None = None
    places: dict[str, Placed] = msgspec.field(default_factory=dict)
    passkeys: Passkeys = msgspec.field(default_factory=dict)
    staff_passkeys: frozenset[str] = frozenset()
    phone_use: PhoneUse = msgspec.field(default_factory=PhoneUse)
    """Whose the phone is that signs; looked at by the rules of signing alone."""
    sides: dict[str, Side] = msgspec.field(default_factory=dict)
    named: tuple[str, ...] = ()
    """The two who witness what the citizen decides, if two were named."""
    witnesses: Witnesses = msgspec.field(default_factory=Witnesses)
    """What is known of those two; looked at by the rules of signing alone."""
    people: People = msgspec.field(default_factory=dict)
    """Who may speak for the citizen; looked at by the rules of signing alone."""

    def standing(self, at: datetime) -> Standing:
        """Return where the consent stands at an instant (UTC); only time running out depends on it.

        What stops it stands before all else, whatever had happened or happens later.
        """
        if self.invalidated:
            return Standing.INVALIDATED
        if self.disputed:
            return Standing.DISPUTED
        return self._decided(at)

    def _decided(self, at: datetime) -> Standing:
        if self.withdrawn:
            return Standing.WITHDRAWN_AFTER_USE if self.redeemed else Standing.WITHDRAWN
        if self.redeemed:
            return Standing.REDEEMED
        if self.given:
            return self._agreed(self.given, at)
        if self.refusal_withdrawn:
            return Standing.REFUSAL_WITHDRAWN
        if self.refused:
            return Standing.REFUSED
        if self.requested is None:
            return Standing.UNKNOWN
        return Standing.REQUESTED if at < self.requested.decide_by else Standing.LAPSED

    @property
    def unconfirmed(self) -> bool:
        """Tell whether there is an agreement that waits for its confirmation."""
        waits = self.given is not None and self.given.statement.waits_for is Waits.CONFIRMATION
        return waits and self.confirmed is None

    @property
    def governing(self) -> Statement | None:
        """Return the statement whose times a use must lie within, None where nobody agreed."""
        last = self.confirmed or self.given
        return last.statement if last else None

    @property
    def event(self) -> str | None:
        """Return the signed consent event, if there is one."""
        last = self.confirmed or self.given
        return (last.event or None) if last else None

    def _agreed(self, given: ConsentGiven, at: datetime) -> Standing:
        governing = self.confirmed.statement if self.confirmed else given.statement
        if at >= governing.expires_at:
            return Standing.LAPSED if self.unconfirmed else Standing.EXPIRED
        waits = self.unconfirmed or at < governing.not_before
        return Standing.WAITING if waits else Standing.GIVEN

    def positions(self, *names: str) -> tuple[int, ...]:
        """Return the positions of the named facts that are there, such as `withdrawn`."""
        return tuple(self.places[name].position for name in names if name in self.places)


def evolve(consent: Consent, recorded: Recorded) -> Consent:
    """Return the consent after one more fact; facts of other nouns leave it as it is."""
    fact = recorded.fact
    if name := PLACED.get(type(fact)):
        return _placed(consent, recorded, name)
    match fact:
        case NoticeServed():
            text = (fact.notice_id, fact.notice_lang, fact.notice_hash)
            return structs.replace(consent, notices=consent.notices | {text})
        case SignatureAsked():
            return _challenge(consent, Challenge(fact))
        case SignatureFailed():
            return _failed(consent, fact)
        case StaffPasskeyMarked():
            marked = consent.staff_passkeys | {fact.passkey_id}
            return _others(structs.replace(consent, staff_passkeys=marked), recorded)
        case WitnessNamed():
            return structs.replace(consent, named=(*consent.named, fact.witness_id)[-PAIR:])
        case WitnessSigned() | WitnessDissented():
            return _others(_witnessed(consent, fact), recorded)
        case PasskeyEnrolled() | PasskeyUsed() | PasskeyRevoked():
            return structs.replace(consent, passkeys=held(consent.passkeys, recorded))
        case PurposeGiven() | PurposeWithdrawn():
            return _side(consent, recorded, fact)
        case _:
            return _others(consent, recorded)


def _placed(consent: Consent, recorded: Recorded, name: str) -> Consent:
    fact, placed = recorded.fact, Placed(recorded.position, recorded.recorded_at)
    members: dict[str, Any] = {name: fact, "places": {**consent.places, name: placed}}
    if isinstance(fact, IdentityCaptured):
        members["captures"] = {**consent.captures, fact.capture_id: fact}
    return _signed(structs.replace(consent, **members), getattr(fact, "challenge_id", ""))


def _others(consent: Consent, recorded: Recorded) -> Consent:
    """Return the consent with what one more fact says of phones, witnesses and people."""
    return structs.replace(
        consent,
        phone_use=separation.evolve(consent.phone_use, recorded),
        witnesses=witnesses.evolve(consent.witnesses, recorded),
        people=representatives.evolve(consent.people, recorded),
    )


def held(passkeys: Passkeys, recorded: Recorded) -> Passkeys:
    """Return a citizen's passkeys after one more fact."""
    fact = recorded.fact
    known = passkeys.get(fact.passkey_id)
    match fact:
        case PasskeyEnrolled():
            new = Held(fact.passkey, recorded.recorded_at, fact.passkey.sign_count)
            return {**passkeys, fact.passkey_id: new}
        case PasskeyUsed() if known:
            return {**passkeys, fact.passkey_id: replace(known, sign_count=fact.sign_count)}
        case PasskeyRevoked() if known:
            return {**passkeys, fact.passkey_id: replace(known, revoked=True)}
        case _:
            return passkeys


def _challenge(consent: Consent, challenge: Challenge) -> Consent:
    by_id = {**consent.challenges, challenge.asked.challenge_id: challenge}
    return structs.replace(consent, challenges=by_id)


def _side(consent: Consent, recorded: Recorded, fact: PurposeGiven | PurposeWithdrawn) -> Consent:
    placed = Placed(recorded.position, recorded.recorded_at)
    if isinstance(fact, PurposeGiven):
        return structs.replace(consent, sides={**consent.sides, fact.purpose: Side(placed)})
    side = replace(consent.sides.get(fact.purpose, Side(placed)), withdrawn=placed)
    sides = {**consent.sides, fact.purpose: side}
    return _signed(structs.replace(consent, sides=sides), fact.challenge_id)


def _failed(consent: Consent, fact: SignatureFailed) -> Consent:
    challenge = consent.challenges.get(fact.challenge_id)
    if challenge is None:
        return consent
    if fact.reason in DEAD:
        return _challenge(consent, structs.replace(challenge, overtried=True))
    return _challenge(consent, structs.replace(challenge, tries_failed=challenge.tries_failed + 1))


def _witnessed(consent: Consent, fact: WitnessSigned | WitnessDissented) -> Consent:
    challenge = consent.challenges.get(fact.challenge_id)
    if challenge is None:
        return consent  # another question's
    if isinstance(fact, WitnessDissented):
        return _challenge(consent, structs.replace(challenge, dissented=True))
    signed = {**challenge.witnessed, fact.witness_id: fact.witnessing}
    return _challenge(consent, structs.replace(challenge, witnessed=signed))


def _signed(consent: Consent, challenge_id: str) -> Consent:
    if challenge_id not in consent.challenges:
        return consent
    return _challenge(consent, structs.replace(consent.challenges[challenge_id], signed=True))
