"""Who speaks for a citizen at an instant: the citizen, one other person who may, or nobody.

The rules (Law 91/2025 art. 24; Circular 17/2024 art. 11 and 16.3):
 1. from 15 years on a citizen speaks alone, unless a court limited their capacity;
 2. for anybody else, whoever has a live authority does, and nobody where there is none; a court's
    decision stays when the one who spoke by it goes;
 3. a child from 7 years on agrees too to what is agreed to;
 4. whoever speaks for another is asked at a counter alone, and answers what was asked there.

An authority is somebody's over a citizen, for a time. It is given only
 5. to a registered citizen of 18 years or more, who is another, and for whom nobody else speaks;
 6. over a citizen for whom somebody must speak, and who speaks for nobody;
 7. if no other is there for that time: who speaks is never a choice.
So the facts about the citizen alone say who speaks.

Years are counted by the date in Vietnam. Whoever was born on 29 February is a year older on 1 March
where a year has none. A citizen whose date of birth was not asked for is of age.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.facts import (
    AuthorityGround,
    CitizenErased,
    CitizenRegistered,
    ConsentRequested,
    RepresentativeAuthorised,
    RepresentativeEnded,
    RepresentativeRejected,
)
from services.consent.separation import AGREEMENTS
from shared.clock import VIETNAM
from shared.contracts.consent import Channel, Decision, Statement
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Erased, Recorded
from shared.ledger.log import Verb, about

AGREES_TOO_FROM = 7
"""Years from which a child is asked too (Law 91/2025 art. 24)."""

SPEAKS_FROM = 15
"""Years from which a citizen opens an account by their own decision (Circular 17/2024 art. 11)."""

ADULT_FROM = 18
"""Years from which a citizen can speak for another (Civil Code 2015 art. 20)."""

AUTHORITIES = (RepresentativeAuthorised, RepresentativeEnded)
"""The facts that an authority is made of."""

KINDS = (CitizenRegistered, CitizenErased, *AUTHORITIES)
"""The facts about a citizen that say who speaks for them."""


def age_at(born_on: date, at: datetime) -> int:
    """Return the years that somebody has lived at an instant (UTC), by the date in Vietnam."""
    today = at.astimezone(VIETNAM).date()
    before = (today.month, today.day) < (born_on.month, born_on.day)
    return today.year - born_on.year - before


@dataclass(frozen=True, slots=True)
class Authority:
    """What lets somebody speak, where it was recorded, from when, until when if ever (UTC).

    A `vacant` one is a court's decision by which nobody speaks any more.
    """

    position: int
    fact: RepresentativeAuthorised
    start: datetime
    until: datetime | None
    vacant: bool = False

    @property
    def limits(self) -> bool:
        """Tell whether it is by a court's decision, which is for every age."""
        return self.fact.ground is AuthorityGround.LIMITED_CAPACITY

    def live(self, at: datetime) -> bool:
        """Tell whether it counts at an instant (UTC)."""
        return self.start <= at and not self.past(at)

    def past(self, at: datetime) -> bool:
        """Tell whether it never counts again from an instant (UTC) on."""
        return self.until is not None and self.until <= at


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of one citizen: whether there is one, the date of birth, the authorities."""

    registered: bool = False
    born_on: date | None = None
    authorities: tuple[Authority, ...] = ()

    def younger(self, years: int, at: datetime) -> bool:
        """Tell whether the citizen has not lived so many years at an instant (UTC)."""
        return self.born_on is not None and age_at(self.born_on, at) < years

    def unspoken(self, at: datetime) -> bool:
        """Tell whether a court's decision counts at an instant (UTC), and nobody speaks by it."""
        return any(one.vacant and one.live(at) for one in self.authorities)

    def incapable(self, at: datetime) -> tuple[int, ...]:
        """Return where a court's decision was recorded that counts, or will."""
        return tuple(one.position for one in self.authorities if one.limits and not one.past(at))

    def speaking(self, at: datetime) -> Authority | None:
        """Return by which authority another speaks at an instant (UTC), None if none does."""
        child = self.younger(SPEAKS_FROM, at)
        held = (one for one in self.authorities if one.live(at) and not one.vacant)
        return next((one for one in held if child or one.limits), None)


People = Mapping[str, Person]
"""What is known of citizens, by their ids."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks for a citizen; `authority_id` is None if it is the citizen.

    `child_agrees` says that the citizen is a child who is asked too.
    """

    citizen_id: str
    authority_id: str | None = None
    child_agrees: bool = False


def boundary(citizen_id: str) -> DCBQueryItem:
    """Return the arm: what says who speaks for a citizen."""
    return about(f"citizen:{citizen_id}", kinds=KINDS)


def evolve(people: People, recorded: Recorded) -> People:
    """Return what is known after one more fact; other facts leave it as it is."""
    fact = recorded.fact
    if not isinstance(fact, KINDS):
        return people
    known = people.get(fact.citizen_id, Person())
    return {**people, fact.citizen_id: _evolved(known, recorded)}


def _evolved(person: Person, recorded: Recorded) -> Person:
    match recorded.fact:
        case CitizenRegistered(born_on=born_on):
            told = born_on if isinstance(born_on, date) else None
            return replace(person, registered=True, born_on=told)
        case CitizenErased():
            return replace(person, registered=False, born_on=None)
        case RepresentativeAuthorised() as fact:
            return replace(person, authorities=_with(person.authorities, recorded.position, fact))
        case _:  # ended
            return replace(person, authorities=tuple(_without(person.authorities, recorded.fact)))


def _with(
    authorities: tuple[Authority, ...], position: int, fact: RepresentativeAuthorised
) -> tuple[Authority, ...]:
    """Return them with one more, unless its time is erased: such a one counts no more."""
    start, until = fact.valid_from, fact.valid_until
    if isinstance(start, Erased) or isinstance(until, Erased):
        return authorities
    new = Authority(position, fact, start, until)
    return (*(one for one in authorities if not (one.vacant and new.limits)), new)


def _without(authorities: Sequence[Authority], over: RepresentativeEnded) -> Iterator[Authority]:
    for one in authorities:
        if one.fact.authority_id != over.authority_id:
            yield one
        elif one.limits and not over.restored:
            yield replace(one, vacant=True)


# -- the rule -----------------------------------------------------------------------------------


def speaker(people: People, citizen_id: str, at: datetime) -> Speaker | None:
    """Return who speaks for a citizen at an instant (UTC), None if nobody may."""
    person = people.get(citizen_id, Person())
    child = person.younger(SPEAKS_FROM, at)
    if authority := person.speaking(at):
        fact = authority.fact
        asked_too = child and not person.younger(AGREES_TOO_FROM, at)
        return Speaker(fact.representative_id, fact.authority_id, asked_too)
    return None if child or person.unspoken(at) else Speaker(citizen_id)


def unaskable(people: People, question: ConsentRequested) -> Iterator[Reason]:
    """Yield why a citizen for whom another must speak cannot be asked like this."""
    speaks = speaker(people, question.citizen_id, question.asked_at)
    if speaks is None:
        yield Reason("representative_missing")
    if speaks is None or speaks.authority_id:
        yield from _afar(question.channel)


def misspoken(
    people: People, question: ConsentRequested | None, statement: Statement, at: datetime
) -> Iterator[Reason]:
    """Yield why a statement is not that of whoever speaks for the citizen; `at` in UTC.

    A refusal names nobody, and is kept from nobody; so is taking one back.
    """
    if question is None or _names_nobody(question, statement):
        return
    speaks = speaker(people, question.citizen_id, at)
    if speaks is None:
        yield Reason("representative_missing")
    elif (statement.expressed_by or None, statement.authority_id or None) != _named(speaks):
        yield Reason("authority_over" if statement.expressed_by else "representative_needed")
    if statement.decision in AGREEMENTS:
        if statement.expressed_by:
            yield from _afar(question.channel)
        if speaks and speaks.child_agrees and statement.subject_agrees is not True:
            yield Reason("child_not_asked")


def _names_nobody(question: ConsentRequested, statement: Statement) -> bool:
    refuses = statement.decision is Decision.REFUSED
    return refuses or statement.citizen_id != question.citizen_id


def _named(speaks: Speaker) -> tuple[str | None, str | None]:
    """Return what a statement of this speaker says of them."""
    return (speaks.citizen_id, speaks.authority_id) if speaks.authority_id else (None, None)


def _afar(channel: Channel) -> Iterator[Reason]:
    if channel is Channel.ONLINE:
        yield Reason("representative_not_online")


# -- authorise ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Authorise:
    """Somebody is to speak for a citizen; `at` in UTC."""

    authority: RepresentativeAuthorised
    at: datetime


def authorise_boundary(asked: Authorise) -> Sequence[DCBQueryItem]:
    """Return what is known of the two, and for whom the citizen speaks."""
    citizen_id = asked.authority.citizen_id
    return [
        boundary(citizen_id),
        boundary(asked.authority.representative_id),
        about(f"representative:{citizen_id}", kinds=AUTHORITIES),
    ]


def authorise_decide(people: People, asked: Authorise) -> Sequence[RepresentativeAuthorised]:
    """Let them speak, or do nothing if they may already by the same; else say why not."""
    if standing(people, asked.authority):
        return []
    reasons = [*_unfit(people, asked), *_needless(people, asked)]
    if reasons:
        raise _rejection(asked.authority, reasons)
    return [asked.authority]


def standing(people: People, fact: RepresentativeAuthorised) -> str | None:
    """Return the id of the authority that says the same and was not ended, None if none does."""
    ours = people.get(fact.citizen_id, Person()).authorities
    same = ("representative_id", "ground", "valid_from", "valid_until", "document_id")
    return next(
        (
            one.fact.authority_id
            for one in ours
            if not one.vacant
            and all(getattr(one.fact, name) == getattr(fact, name) for name in same)
        ),
        None,
    )


AUTHORISE: Verb[People, Authorise] = Verb(
    boundary=authorise_boundary, initial={}, evolve=evolve, decide=authorise_decide
)


def _unfit(people: People, asked: Authorise) -> Iterator[Reason]:
    """Yield why this person speaks for nobody."""
    authority = asked.authority
    person = people.get(authority.representative_id, Person())
    if authority.representative_id == authority.citizen_id:
        yield Reason("representative_is_citizen")
    if not person.registered:
        yield Reason("representative_unknown")
    if person.younger(ADULT_FROM, asked.at):
        yield Reason("representative_under_age")
    if positions := person.incapable(asked.at):
        yield Reason("representative_incapable", positions)


def _needless(people: People, asked: Authorise) -> Iterator[Reason]:
    """Yield why nobody can be given this authority over the citizen."""
    citizen_id = asked.authority.citizen_id
    person = people.get(citizen_id, Person())
    (new,) = _with((), 0, asked.authority)
    start = max(new.start, asked.at)
    if not person.registered:
        yield Reason("citizen_unknown")
    elif not new.limits and not person.younger(SPEAKS_FROM, start):
        yield Reason("citizen_of_age")
    if new.limits and (positions := _speaks_for(people, citizen_id, asked.at)):
        yield Reason("citizen_represents", positions)
    if new.past(start):
        yield Reason("authority_period")
    if positions := _beside(person, new, start):
        yield Reason("authority_stands", positions)


def _speaks_for(people: People, citizen_id: str, at: datetime) -> tuple[int, ...]:
    """Return by which authorities a citizen speaks for others, or will."""
    held = (one for person in people.values() for one in person.authorities)
    mine = (one for one in held if one.fact.representative_id == citizen_id)
    return tuple(sorted(one.position for one in mine if not (one.vacant or one.past(at))))


def _beside(person: Person, new: Authority, start: datetime) -> tuple[int, ...]:
    """Return the authorities that would count at the same time; a parent's ends with childhood."""
    return tuple(
        one.position
        for one in person.authorities
        if not (one.vacant or one.past(start))
        and not new.past(one.start)
        and (one.limits or person.younger(SPEAKS_FROM, max(start, one.start)))
    )


# -- end ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """Somebody is to speak for a citizen no more; `restored`: the citizen speaks alone again."""

    citizen_id: str
    representative_id: str
    ended_by: str
    restored: bool = False


def end_boundary(asked: End) -> Sequence[DCBQueryItem]:
    """Return the authorities of this one over that one."""
    pair = f"citizen:{asked.citizen_id}", f"representative:{asked.representative_id}"
    return [about(*pair, kinds=AUTHORITIES)]


def end_decide(people: People, asked: End) -> Sequence[RepresentativeEnded]:
    """End what there is, nothing if there is none."""
    held = people.get(asked.citizen_id, Person()).authorities
    there = (one for one in held if asked.restored or not one.vacant)
    return [ended(one.fact, asked.ended_by, restored=asked.restored) for one in there]


def ended(
    fact: RepresentativeAuthorised, ended_by: str, *, restored: bool = False
) -> RepresentativeEnded:
    """Return that an authority is no more."""
    return RepresentativeEnded(
        authority_id=fact.authority_id,
        citizen_id=fact.citizen_id,
        representative_id=fact.representative_id,
        ended_by=ended_by,
        restored=restored,
    )


END: Verb[People, End] = Verb(boundary=end_boundary, initial={}, evolve=evolve, decide=end_decide)


def _rejection(authority: RepresentativeAuthorised, reasons: Sequence[Reason]) -> Rejection:
    fact = RepresentativeRejected(
        citizen_id=authority.citizen_id,
        representative_id=authority.representative_id,
        asked_by=authority.authorised_by,
        reasons=[reason.code for reason in reasons],
    )
    unknown = {"citizen_unknown", "representative_unknown"}
    kind = Kind.UNKNOWN if unknown & {one.code for one in reasons} else Kind.CONFLICT
    return Rejection(kind, "representative_rejected", reasons=reasons, facts=[fact])
