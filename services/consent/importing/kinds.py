"""What files of the directory hold: the columns of each, and what a line of it asks for.

A line is checked by the same models that the routes check a body with, and asks for the same verbs.
So no file brings in what `PUT` would refuse.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from services.consent.api.directory import Clerk, Named, Product, Site
from services.consent.api.rights import Term, granted
from services.consent.directory import REGISTER
from services.consent.facts import (
    BankRegistered,
    ClerkRegistered,
    OfficeRegistered,
    ProductOffered,
    Right,
    RightGranted,
    SiteRegistered,
)
from services.consent.importing.tables import Unreadable
from services.consent.rights import GRANT, Known
from services.consent.separation import MARK_STAFF, MarkStaff, phone_mark
from shared.clock import VIETNAM
from shared.contracts.fields import Id, Phone, Sha256
from shared.errors import Reason
from shared.ledger.together import Step
from shared.marks import Marks
from shared.web import Caller

PLAIN_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

LISTS = frozenset({"phones", "side_purposes"})
"""Columns whose cells hold several words, with blanks between."""

CODES = {"missing": "cell_missing", "start_missing": "start_missing"}
"""What is said of a cell for a model's error; for any other, `cell_malformed`."""


def _instant(cell: str) -> datetime:
    """Return what an ISO 8601 cell says in UTC; a plain date is midnight in Vietnam."""
    instant = datetime.fromisoformat(cell)
    if PLAIN_DATE.fullmatch(cell):
        instant = instant.replace(tzinfo=VIETNAM)
    if instant.tzinfo is None:
        raise ValueError("a time says its zone")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("no calendar goes that far") from None


Instant = Annotated[datetime, BeforeValidator(_instant)]


def _started(end: object, info: ValidationInfo, start: str) -> object:
    """Return what is said of a right's end or paper; there is no right without a start."""
    if end is not None and info.data.get(start, end) is None:
        raise PydanticCustomError("start_missing", "no start")
    return end


class BankLine(Named):
    """A bank, or another organisation that asks."""

    bank_id: Id


class ProductLine(Product):
    """A product of a bank."""

    product_id: Id


class OfficeLine(Named):
    """An office, and from when until when it is an agent, if the line says so."""

    office_id: Id
    registered_from: Instant | None = None
    registered_until: Instant | None = None
    document_hash: Sha256 | None = None

    @field_validator("registered_until", "document_hash")
    @classmethod
    def _with_a_start(cls, value: object, info: ValidationInfo) -> object:
        return _started(value, info, "registered_from")


class ClerkLine(Clerk):
    """A clerk, the clerk's phones, and from when until when trained, as far as the line says."""

    clerk_id: Id
    trained_from: Instant | None = None
    trained_until: Instant | None = None
    document_hash: Sha256 | None = None

    @field_validator("trained_until", "document_hash")
    @classmethod
    def _with_a_start(cls, value: object, info: ValidationInfo) -> object:
        return _started(value, info, "trained_from")

    @field_validator("phones")
    @classmethod
    def _in_one_order(cls, phones: list[Phone] | None) -> list[Phone] | None:
        return None if phones is None else sorted(set(phones))


class SiteLine(Site):
    """A place where people may be asked."""

    site_id: Id


class Dated(BaseModel):
    """From when until when something is in force, and its paper."""

    office_id: Id
    valid_from: Instant
    valid_until: Instant | None = None
    document_hash: Sha256 | None = None


class ContractLine(Dated):
    """A bank's contract with an office."""

    bank_id: Id


class PermissionLine(Dated):
    """A host's permission for an office."""

    site_id: Id


class DeviceLine(Dated):
    """A device of an office's own."""

    device_id: Id


def _keeping_the_paper(known: Known, asked: RightGranted) -> Sequence[RightGranted]:
    """Grant; a line that says nothing of the paper takes none away while the dates are the same."""
    if asked.document_hash is None and known.granted:
        with_paper = replace(asked, document_hash=known.granted.document_hash)
        if not GRANT.decide(known, with_paper):
            return []
    return GRANT.decide(known, asked)


PUT_RIGHT = replace(GRANT, decide=_keeping_the_paper)


class Asking:
    """Says what a line asks for; `by` is whose word it is."""

    def __init__(self, marks: Marks, by: Caller) -> None:
        self._marks = marks
        self._by = by

    def bank(self, line: BankLine) -> Iterator[Step]:
        """Yield what registers a bank."""
        yield Step(REGISTER, BankRegistered(bank_id=line.bank_id, name=line.name))

    def product(self, line: ProductLine) -> Iterator[Step]:
        """Yield what registers a product."""
        yield Step(REGISTER, ProductOffered(**line.model_dump()))

    def office(self, line: OfficeLine) -> Iterator[Step]:
        """Yield what registers an office, and makes it an agent."""
        yield Step(REGISTER, OfficeRegistered(office_id=line.office_id, name=line.name))
        if line.registered_from:
            term = _term(line.registered_from, line.registered_until, line.document_hash)
            yield self._right(Right.REGISTRATION, line.office_id, term)

    def clerk(self, line: ClerkLine) -> Iterator[Step]:
        """Yield what registers a clerk, marks the clerk's phones, and says who is trained."""
        clerk_id, office_id = line.clerk_id, line.office_id
        yield Step(REGISTER, ClerkRegistered(clerk_id=clerk_id, office_id=office_id))
        if line.phones is not None:
            marks = frozenset(phone_mark(self._marks, one) for one in line.phones)
            yield Step(MARK_STAFF, MarkStaff(clerk_id=clerk_id, phone_ids=marks))
        if line.trained_from:
            term = _term(line.trained_from, line.trained_until, line.document_hash)
            yield self._right(Right.TRAINING, office_id, term, clerk_id=clerk_id)

    def site(self, line: SiteLine) -> Iterator[Step]:
        """Yield what registers a place."""
        yield Step(REGISTER, SiteRegistered(**line.model_dump()))

    def contract(self, line: ContractLine) -> Iterator[Step]:
        """Yield what dates a contract."""
        term = _term(line.valid_from, line.valid_until, line.document_hash)
        yield self._right(Right.CONTRACT, line.office_id, term, bank_id=line.bank_id)

    def permission(self, line: PermissionLine) -> Iterator[Step]:
        """Yield what dates a permission."""
        term = _term(line.valid_from, line.valid_until, line.document_hash)
        yield self._right(Right.PERMISSION, line.office_id, term, site_id=line.site_id)

    def device(self, line: DeviceLine) -> Iterator[Step]:
        """Yield what dates a device."""
        term = _term(line.valid_from, line.valid_until, line.document_hash)
        yield self._right(Right.DEVICE, line.office_id, term, device_id=line.device_id)

    def _right(self, right: Right, office_id: str, term: Term, **of: str) -> Step:
        return Step(PUT_RIGHT, granted(right, office_id, term, self._by, **of))


def _term(start: datetime, end: datetime | None, document_hash: str | None) -> Term:
    return Term(valid_from=start, valid_until=end, document_hash=document_hash)


@dataclass(frozen=True)
class Kind:
    """What the lines of one file are: their columns, how one is known, what one asks for."""

    noun: str
    line: type[BaseModel]
    ids: tuple[str, ...]
    asks: Callable[[Asking, Any], Iterator[Step]]

    def has(self, columns: Sequence[str]) -> bool:
        """Tell whether a header is of this kind: all columns that are needed, none unknown."""
        known = self.line.model_fields
        needed = {name for name, one in known.items() if one.is_required()}
        return needed <= set(columns) <= set(known)

    def read(self, cells: Mapping[str, str]) -> BaseModel | list[Reason]:
        """Return the line, or everything that is wrong with its cells; an empty one is none."""
        said = {name: cell for name, cell in cells.items() if cell}
        lists = {name: said[name].split() for name in LISTS & said.keys()}
        try:
            return self.line.model_validate({**said, **lists})
        except ValidationError as bad:
            return [_reason(error["type"], error["loc"]) for error in bad.errors()]

    def id(self, line: BaseModel) -> str:
        """Return what the line is about: an id, or two."""
        return "/".join(str(getattr(line, name)) for name in self.ids)


KINDS = (
    Kind("bank", BankLine, ("bank_id",), Asking.bank),
    Kind("product", ProductLine, ("product_id",), Asking.product),
    Kind("office", OfficeLine, ("office_id",), Asking.office),
    Kind("site", SiteLine, ("site_id",), Asking.site),
    Kind("clerk", ClerkLine, ("clerk_id",), Asking.clerk),
    Kind("contract", ContractLine, ("office_id", "bank_id"), Asking.contract),
    Kind("permission", PermissionLine, ("office_id", "site_id"), Asking.permission),
    Kind("device", DeviceLine, ("office_id", "device_id"), Asking.device),
)
"""Every kind, in the order in which files are imported: what others name comes first."""

ABOUT = {
    "bank_unknown": "bank_id",
    "office_unknown": "office_id",
    "clerk_unknown": "clerk_id",
    "site_unknown": "site_id",
}
"""The column that a rule's reason is about, where it is about one whatever the file."""


def kind_of(columns: Sequence[str]) -> Kind:
    """Return the kind that a header is of; raises `Unreadable`."""
    for kind in KINDS:
        if kind.has(columns):
            return kind
    raise Unreadable(f"no kind of file has the columns {', '.join(columns)}")


def column_of(reason: Reason, columns: Sequence[str]) -> Reason:
    """Return a rule's reason with the column that it is about, where it is about one."""
    column = ABOUT.get(reason.code, "")
    if reason.code == "valid_until_out_of_range":
        column = next((name for name in columns if name.endswith("_until")), "")
    return Reason(reason.code, detail=column)


def _reason(error: str, place: Sequence[object]) -> Reason:
    return Reason(CODES.get(error, "cell_malformed"), detail=str(place[0]) if place else "")
