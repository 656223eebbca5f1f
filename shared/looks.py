"""Who looked at a citizen's data: what is shown is recorded first, and the same once an hour.

Each service has a fact of its own for it, with names of fields and never their values, so that the
citizen can be told who was shown what, when and what for (Law 91/2025 art. 4; Circular 50/2024
art. 19.3; Decree 356/2025 art. 4.2). Whoever asks again and again within the hour is shown it
again, and adds nothing: a log that is flooded is read by nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from eventsourcing.dcb.api import DCBQueryItem

from shared.canonical import digest
from shared.ledger.facts import Recorded
from shared.ledger.log import Log, Verb, about

ONCE_IN = timedelta(hours=1)
"""The period, counted from the full hour, in which looks that are alike are recorded once."""

ID_DIGITS = 32
"""Hexadecimal digits of a look's id: 128 bits, so that two looks never share one."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ReadFor(StrEnum):
    """What somebody was shown a citizen's data for."""

    OWN_QUESTION = "own_question"
    """Whoever asked the citizen, or has their account, looks what became of it."""

    INVALIDATION = "invalidation"
    """An organisation finds a consent void, in the case that it names."""

    WITNESSING = "witnessing"
    """A witness of what the citizen decides reads it out, having been named for it."""

    SUPERVISION = "supervision"
    OWN_PAGE = "own_page"
    """The citizen looks, on the page that they asked for: it is nobody else's look."""

    SERVICE = "service"
    """One of our services, by itself."""


class LookGround(StrEnum):
    """Why an inspector opens somebody's case; written down before it is shown."""

    INSPECTION = "inspection"
    COMPLAINT = "complaint"
    COURT = "court"
    INCIDENT = "incident"


class Inspected(StrEnum):
    """What an inspector's own pages show of somebody."""

    HISTORY = "history"
    """Everything that happened in one case."""

    OVERVIEW = "overview"
    """Every case in a citizen's name."""


PURPOSES = {
    "bank": ReadFor.OWN_QUESTION,
    "clerk": ReadFor.OWN_QUESTION,
    "regulator": ReadFor.SUPERVISION,
    "service": ReadFor.SERVICE,
}
"""What each role may look for."""

ReadT = TypeVar("ReadT", bound=Any)
"""A service's own fact of a look: `look_id`, `read_by`, `fields`, `ground`, `read_at` and whose."""


def purpose_of(read_by: str) -> ReadFor:
    """Return what a reader such as `bank:cake` looks for, where nothing else is said."""
    return PURPOSES[read_by.partition(":")[0]]


def shown(document: Mapping[str, Any]) -> list[str]:
    """Return the names of what a document shows; what is empty in it shows nothing."""
    return [name for name, value in document.items() if value is not None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What an inspector's pages are about to show of a citizen: questions or openings, by id."""

    citizen_id: str
    ids: Sequence[str]
    fields: Sequence[Inspected]
    ground: LookGround
    case_id: str
    read_by: str


# -- recording ----------------------------------------------------------------------------------


def named(read: ReadT, once_in: timedelta = ONCE_IN) -> ReadT:
    """Return a look under the id that all looks alike in the same period have."""
    alike = alike_of(msgspec.to_builtins(read), read.read_at, once_in)
    return replace(read, look_id=digest(alike)[:ID_DIGITS])


def alike_of(
    said: Mapping[str, Any], read_at: datetime, once_in: timedelta = ONCE_IN
) -> dict[str, Any]:
    """Return what a look's id is the digest of: what it says, but for when in its period.

    A ground came later: without one, it is in no byte, and a look keeps the id that it had.
    """
    begun = read_at - (read_at - EPOCH) % once_in
    alike = {**said, "look_id": "", "read_at": begun}
    if alike["ground"] is None:
        del alike["ground"]
    return alike


def boundary(asked: Sequence[Any]) -> Sequence[DCBQueryItem]:
    """Return the looks of the same ids."""
    return [about(f"look:{one.look_id}", kinds=[type(one)]) for one in asked]


def evolve(before: frozenset[str], recorded: Recorded) -> frozenset[str]:
    """Collect the ids."""
    return before | {recorded.fact.look_id}


def decide(before: frozenset[str], asked: Sequence[Any]) -> Sequence[Any]:
    """Record every look that is not there yet, once."""
    new = {one.look_id: one for one in asked if one.look_id not in before}
    return list(new.values())


NONE: frozenset[str] = frozenset()
LOOK = Verb(boundary=boundary, initial=NONE, evolve=evolve, decide=decide)


async def record(log: Log, reads: Sequence[Any]) -> None:
    """Record looks before anything is shown; raises `Unavailable`, and then nothing may be."""
    if reads:  # no looks would be a boundary of the whole log
        await log.perform(LOOK, [named(one) for one in reads])


# -- telling ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """Everything that one reader was shown of one question, for one purpose, in one case (UTC).

    `ground` is that of an inspector, if one was given.
    """

    read_by: str
    purpose: ReadFor
    consent_id: str | None
    case_id: str | None
    fields: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    ground: LookGround | None = None


def grouped(reads: Iterable[Any]) -> list[Looked]:
    """Return looks put together, whoever looked last first."""
    groups = dict[tuple[Any, ...], Looked]()
    for one in reads:
        key = (one.read_by, one.purpose, one.consent_id, one.case_id, one.ground)
        before = groups.get(key)
        fields = (*(before.fields if before else ()), *one.fields)
        groups[key] = Looked(
            read_by=one.read_by,
            purpose=one.purpose,
            consent_id=one.consent_id,
            case_id=one.case_id,
            fields=tuple(dict.fromkeys(fields)),
            first_at=before.first_at if before else one.read_at,
            last_at=one.read_at,
            ground=one.ground,
        )
    return sorted(groups.values(), key=lambda one: one.last_at, reverse=True)
