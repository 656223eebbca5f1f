"""Erasing what is kept of a citizen: their phone, and whatever else lies under their key.

The rules:
 1. the citizen is, or was, registered;
 2. nothing is open: no question that could be answered, no consent that could be used, of theirs or
    of whom they speak for. Without a phone nobody could answer or withdraw it, so that comes first;
 3. the facts stay: they name the citizen by a random id, and say nothing else;
 4. their passkeys sign nothing any more, whoever is registered under that id later;
 5. nor do they speak for anybody, or anybody for them: each such authority ends, by a fact.

Erasing is not withdrawing, and closes no account.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.facts import (
    CitizenErased,
    CitizenRegistered,
    ConsentConfirmed,
    ConsentDisputed,
    ConsentGiven,
    ConsentInvalidated,
    ConsentRedeemed,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    ErasureRejected,
    Ground,
    PasskeyEnrolled,
    PasskeyRevoked,
    RepresentativeAuthorised,
    RepresentativeEnded,
)
from services.consent.representatives import AUTHORITIES, ended
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about

OPENING = (
    ConsentRequested,
    ConsentGiven,
    ConsentConfirmed,
    ConsentWithdrawn,
    ConsentDisputed,
    ConsentInvalidated,
    ConsentRedeemed,
)
"""What names a citizen and opens something, or closes it."""

KINDS = (
    CitizenRegistered,
    CitizenErased,
    *OPENING,
    PasskeyEnrolled,
    PasskeyRevoked,
    *AUTHORITIES,
)

CLOSING = (
    ConsentRefused,
    ConsentWithdrawn,
    ConsentDisputed,
    ConsentInvalidated,
    ConsentRedeemed,
)
"""After each of these nothing can be answered or used any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Erase:
    """Who asks that these keys of a citizen be destroyed, and on what ground; `at` in UTC.

    `authority_ids` let the citizen speak for others, and `ward_ids` are for whom that is so now;
    what came since those were read is not known to be at rest. `consent_ids` are the questions that
    all of them were asked: a refusal names no citizen, and is found by its question.
    """

    citizen_id: str
    consent_ids: Sequence[str]
    key_ids: Sequence[str]
    ground: Ground
    asked_by: str
    at: datetime
    authority_ids: Sequence[str] = ()
    ward_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Before:
    """What the rules look at: whether there is a citizen, what is erased, open, and still signs.

    `authorities` are those that still stand, by their ids.
    """

    known: bool = False
    erased: dict[str, int] = field(default_factory=dict)
    open_until: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    passkey_ids: tuple[str, ...] = ()
    authorities: dict[str, tuple[int, RepresentativeAuthorised]] = field(default_factory=dict)


def boundary(asked: Erase) -> Sequence[DCBQueryItem]:
    """Return the arms: all that names this citizen, and the refusals, which do not."""
    refusals = [about(f"consent:{one}", kinds=[ConsentRefused]) for one in asked.consent_ids]
    return [
        about(f"citizen:{asked.citizen_id}", kinds=KINDS),
        about(f"representative:{asked.citizen_id}", kinds=AUTHORITIES),
        *(about(f"citizen:{one}", kinds=OPENING) for one in asked.ward_ids),
        *refusals,
    ]


def evolve(before: Before, recorded: Recorded) -> Before:
    """Collect what the rules look at."""
    match recorded.fact:
        case CitizenRegistered():
            return replace(before, known=True)
        case CitizenErased(key_id=key_id):
            return replace(before, erased={**before.erased, key_id: recorded.position})
        case PasskeyEnrolled(passkey_id=passkey_id):
            return replace(before, passkey_ids=(*before.passkey_ids, passkey_id))
        case PasskeyRevoked(passkey_id=passkey_id):
            live = tuple(one for one in before.passkey_ids if one != passkey_id)
            return replace(before, passkey_ids=live)
        case ConsentRequested(consent_id=consent_id, decide_by=until):
            return _open(before, consent_id, until, recorded)
        case ConsentGiven() | ConsentConfirmed() as fact:
            return _open(before, fact.consent_id, fact.statement.expires_at, recorded)
        case fact if isinstance(fact, CLOSING):
            rest = {key: one for key, one in before.open_until.items() if key != fact.consent_id}
            return replace(before, open_until=rest)
        case fact if isinstance(fact, AUTHORITIES):
            return _authority(before, recorded)
        case _:
            return before


def decide(
    before: Before, asked: Erase
) -> Sequence[CitizenErased | PasskeyRevoked | RepresentativeEnded]:
    """Erase, or do nothing if all these keys are erased already; rejects while anything is open."""
    if not before.known:
        raise _rejection(asked, Kind.UNKNOWN, Reason("citizen_unknown"))
    left = [key_id for key_id in asked.key_ids if key_id not in before.erased]
    still = tuple(at for until, at in before.open_until.values() if asked.at < until)
    if (left or before.passkey_ids or before.authorities) and still:
        raise _rejection(asked, Kind.CONFLICT, Reason("consent_open", still))
    if unread := _unread(before, asked):
        raise _rejection(asked, Kind.CONFLICT, Reason("contended", unread))
    over = [ended(fact, asked.asked_by) for _, fact in before.authorities.values()]
    return [*_erased(asked, left), *_revoked(before, asked), *over]


def _unread(before: Before, asked: Erase) -> tuple[int, ...]:
    """Return what lets the citizen speak for others since that was read."""
    return tuple(
        position
        for position, one in before.authorities.values()
        if one.representative_id == asked.citizen_id and one.authority_id not in asked.authority_ids
    )


def _authority(before: Before, recorded: Recorded) -> Before:
    fact = recorded.fact
    rest = {key: one for key, one in before.authorities.items() if key != fact.authority_id}
    if isinstance(fact, RepresentativeAuthorised):
        rest[fact.authority_id] = recorded.position, fact
    return replace(before, authorities=rest)


def _erased(asked: Erase, key_ids: Sequence[str]) -> list[CitizenErased]:
    said = {"citizen_id": asked.citizen_id, "asked_by": asked.asked_by}
    return [CitizenErased(**said, ground=asked.ground, key_id=one) for one in key_ids]


def _revoked(before: Before, asked: Erase) -> list[PasskeyRevoked]:
    return [
        PasskeyRevoked(citizen_id=asked.citizen_id, passkey_id=one) for one in before.passkey_ids
    ]


def _open(before: Before, consent_id: str, until: datetime, recorded: Recorded) -> Before:
    placed = (until, recorded.position)
    return replace(before, open_until={**before.open_until, consent_id: placed})


def _rejection(asked: Erase, kind: Kind, reason: Reason) -> Rejection:
    fact = ErasureRejected(
        citizen_id=asked.citizen_id, asked_by=asked.asked_by, reasons=[reason.code]
    )
    return Rejection(kind, "erasure_rejected", reasons=[reason], facts=[fact])


ERASE = Verb(boundary=boundary, initial=Before(), evolve=evolve, decide=decide)
