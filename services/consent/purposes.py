"""Side purposes: what may be asked for beside an account, each with its own yes, and none needed.

The rules:
 1. each that the question offers is in the statement with a yes or a no; not chosen is no, and
    whoever refuses agrees to none (Law 91/2025 art. 9.4);
 2. one that was agreed to can be taken back alone, by a statement `withdrawn` that names it as its
    purpose, for as long as the agreement waits or counts;
 3. taking the agreement back takes back every side purpose that still stands, one fact each;
 4. they count while the agreement does: one that lapsed or expired unused leaves none behind;
 5. no other rule looks at them, so an account opens, or does not, whatever was chosen.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import UNSET, UnsetType

from services.consent.consents import Consent, Standing
from services.consent.facts import (
    ConsentRequested,
    PurposeGiven,
    PurposeWithdrawn,
    SignatureAsked,
)
from shared.contracts.consent import Choice, Decision, Statement
from shared.contracts.evidence import Evidence
from shared.errors import Reason

WITHDRAWABLE = frozenset({Standing.WAITING, Standing.GIVEN, Standing.REDEEMED})
"""Where the agreement stands while a side purpose can be taken back alone."""

COUNTING = frozenset({Standing.GIVEN, Standing.REDEEMED})
"""Where the agreement stands while its side purposes count."""


class SideStanding(StrEnum):
    """Where one side purpose stands."""

    GIVEN = "given"
    NOT_GIVEN = "not_given"
    """Not agreed to, or agreed to together with what does not count yet, or no more."""

    WITHDRAWN = "withdrawn"


def choices(
    consent: Consent, asked: ConsentRequested, decision: Decision, chosen: Collection[str]
) -> list[Choice] | UnsetType:
    """Return the choices that a statement names: one for each side purpose, none where none is.

    A confirmation repeats what was agreed to and not taken back since.
    """
    if not asked.side_purposes:
        return UNSET
    agreed = {
        Decision.GIVEN: chosen,
        Decision.CONFIRMED: standing_sides(consent),
    }.get(decision, ())
    return [Choice(purpose=one, agreed=one in agreed) for one in asked.side_purposes]


def agreed_sides(statement: Statement) -> list[str]:
    """Return the side purposes that a statement agrees to."""
    named = [] if statement.choices is UNSET else statement.choices
    return [one.purpose for one in named if one.agreed]


def standing_sides(consent: Consent) -> list[str]:
    """Return the side purposes that were agreed to and not taken back."""
    return [purpose for purpose, one in consent.sides.items() if one.withdrawn is None]


def taken_alone(consent: Consent, statement: Statement) -> str | None:
    """Return the side purpose that a statement takes back alone, None for any other statement."""
    asked = consent.requested
    whole = asked is None or statement.purpose == asked.purpose
    return None if whole or statement.decision is not Decision.WITHDRAWN else statement.purpose


def unwithdrawable(consent: Consent, purpose: str, at: datetime) -> Iterator[Reason]:
    """Yield why a side purpose cannot be taken back alone."""
    side = consent.sides.get(purpose)
    if side is None:
        yield Reason("purpose_not_given", consent.positions("given", "refused"))
    elif side.withdrawn:
        yield Reason("already_decided", (side.withdrawn.position,))
    elif consent.standing(at) not in WITHDRAWABLE:
        yield Reason("consent_expired", consent.positions("given", "confirmed"))


def overtaken(consent: Consent, statement: Statement) -> Iterator[Reason]:
    """Yield why a confirmation is of too much: a side purpose was taken back meanwhile."""
    gone = set(agreed_sides(statement)) - set(standing_sides(consent))
    if gone:
        sides = [consent.sides[one].withdrawn for one in sorted(gone) if one in consent.sides]
        yield Reason("purpose_withdrawn", tuple(one.position for one in sides if one))


def side_facts(
    consent: Consent, signed: SignatureAsked, evidence: Evidence | None, version: int
) -> Sequence[PurposeGiven | PurposeWithdrawn]:
    """Return the facts that a signed statement makes of side purposes, one for each.

    `version` is that of the policy by which it is judged.
    """
    statement = signed.statement
    if statement.decision is Decision.GIVEN:
        return [_given(one, signed, version) for one in agreed_sides(statement)]
    if statement.decision is not Decision.WITHDRAWN:
        return []
    if alone := taken_alone(consent, statement):
        return [_withdrawn(alone, signed, evidence, version)]
    return [_withdrawn(one, signed, None, version) for one in standing_sides(consent)]


def side_standings(consent: Consent, at: datetime) -> dict[str, SideStanding]:
    """Return where each side purpose that the question offers stands at an instant (UTC)."""
    asked = consent.requested
    offered = (asked.side_purposes if asked else None) or []
    return {one: _standing(consent, one, at) for one in offered}


def _standing(consent: Consent, purpose: str, at: datetime) -> SideStanding:
    side = consent.sides.get(purpose)
    if side and side.withdrawn:
        return SideStanding.WITHDRAWN
    counts = side is not None and consent.standing(at) in COUNTING
    return SideStanding.GIVEN if counts else SideStanding.NOT_GIVEN


def _given(purpose: str, signed: SignatureAsked, version: int) -> PurposeGiven:
    return PurposeGiven(
        consent_id=signed.consent_id,
        citizen_id=signed.citizen_id,
        bank_id=signed.statement.bank_id,
        purpose=purpose,
        statement_hash=signed.statement_hash,
        policy_version=version,
    )


def _withdrawn(
    purpose: str, signed: SignatureAsked, evidence: Evidence | None, version: int
) -> PurposeWithdrawn:
    return PurposeWithdrawn(
        consent_id=signed.consent_id,
        citizen_id=signed.citizen_id,
        bank_id=signed.statement.bank_id,
        challenge_id=signed.challenge_id,
        purpose=purpose,
        statement=signed.statement,
        statement_hash=signed.statement_hash,
        evidence=evidence,
        policy_version=version,
    )
