"""Who may ask, for what, where: registered by the operator, one fact each, the same twice is once.

Validity over time, training, permissions and stops come with the directory's own capability.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.facts import (
    BankRegistered,
    CitizenErased,
    CitizenRegistered,
    ClerkRegistered,
    OfficeRegistered,
    ProductOffered,
    SiteRegistered,
)
from shared.errors import Kind, Rejection
from shared.ledger.facts import ERASED, Recorded
from shared.ledger.log import Verb, about

Entry = (
    BankRegistered
    | ProductOffered
    | OfficeRegistered
    | ClerkRegistered
    | SiteRegistered
    | CitizenRegistered
)
"""One line of the directory."""


def boundary(entry: Entry) -> Sequence[DCBQueryItem]:
    """Return what depends on: earlier entries of the same kind and id, and the product's bank."""
    own = about(tag(entry), kinds=[type(entry)])
    match entry:
        case ProductOffered(bank_id=bank_id):
            return [own, about(f"bank:{bank_id}", kinds=[BankRegistered])]
        case ClerkRegistered(office_id=office_id):
            return [own, about(f"office:{office_id}", kinds=[OfficeRegistered])]
        case CitizenRegistered():
            return [about(tag(entry), kinds=[CitizenRegistered, CitizenErased])]
        case _:
            return [own]


def tag(entry: Entry) -> str:
    """Return the tag that finds the entry, such as `bank:cake`."""
    noun = entry.TAGS[0]  # type: ignore[union-attr]  # every fact class has TAGS
    return f"{noun}:{getattr(entry, f'{noun}_id')}"


def evolve(entries: tuple[Any, ...], recorded: Recorded) -> tuple[Any, ...]:
    """Collect the entries; a citizen whose data were erased may be registered anew."""
    return () if isinstance(recorded.fact, CitizenErased) else (*entries, recorded.fact)


def decide(entries: tuple[Any, ...], entry: Entry) -> Sequence[Entry]:
    """Register, or do nothing if this very entry is there; rejects other particulars."""
    if any(_same(one, entry) for one in entries):
        return []
    if any(type(one) is type(entry) for one in entries):
        raise Rejection(Kind.CONFLICT, "registered_otherwise")
    match entry:
        case ProductOffered() if not entries:
            raise Rejection(Kind.UNKNOWN, "bank_unknown")
        case ClerkRegistered() if not entries:
            raise Rejection(Kind.UNKNOWN, "office_unknown")
        case _:
            return [entry]


def _same(one: Any, entry: Entry) -> bool:
    """Tell whether two lines say the same; an older one may lack what was not kept then."""
    if isinstance(one, CitizenRegistered) and isinstance(entry, CitizenRegistered):
        mark = entry.phone_id if one.phone_id else None
        return _aged(one) == _aged(replace(entry, phone_id=mark))
    return bool(one == entry)


def _aged(one: CitizenRegistered) -> CitizenRegistered:
    """Return a citizen whose date of birth was not asked for as one who was of age."""
    return replace(one, born_on=None) if one.born_on is ERASED else one


REGISTER = Verb(boundary=boundary, initial=(), evolve=evolve, decide=decide)
