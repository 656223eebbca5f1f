"""What a fact is, and how it becomes bytes that anyone can still read in twenty years.

A fact is a frozen dataclass under a stored name that is never reused. Its bytes are canonical
JSON (RFC 8785). Fields are added last, with a default; any other change is a new name.

What a fact says of a person can be erased later: such fields are named when the class is made, and
read as `ERASED` from then on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from types import ModuleType
from typing import Any, ClassVar, Protocol, TypeVar, dataclass_transform

import msgspec
from eventsourcing.dcb.api import DCBEvent

from shared.canonical import canonical


class Fact(Protocol):
    """Something that happened: an instance of a class made by `@fact`."""

    NAME: ClassVar[str]
    TAGS: ClassVar[tuple[str, ...]]
    TAGGED: ClassVar[tuple[tuple[str, str], ...]]
    PERSONAL: ClassVar[Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Erased:
    """What a personal field says once it is erased."""


ERASED = Erased()
"""The default of every personal field: an erased part is simply not there any more."""


FactT = TypeVar("FactT")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def fact(
    name: str, *, tags: Iterable[str], personal: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[[type[FactT]], type[FactT]]:
    """Make a class a fact, stored as `name`, found again by `tags`.

    The tag `citizen` takes its value from the field `citizen_id`, or, where there is none, the tag
    `asked_by` from the field of that name; a field that is None gives none. A tag may be added
    last: facts that were stored before keep theirs, so nothing finds them by it.
    `personal={"citizen": ("phone",)}` names fields that are kept under the key of that person, and
    whose default is `ERASED`.
    """
    by_subject = dict(personal or {})

    def make(cls: type[FactT]) -> type[FactT]:
        erasable = [field for named in by_subject.values() for field in named]
        assert all(getattr(cls, field) is ERASED for field in erasable), f"{name}: no ERASED"
        made = dataclass(frozen=True, kw_only=True, slots=True)(cls)
        made.NAME = name  # type: ignore[attr-defined]  # the decorator is what adds them
        made.TAGS = tuple(tags)  # type: ignore[attr-defined]
        made.TAGGED = tuple((tag, _field(made, tag)) for tag in made.TAGS)  # type: ignore[attr-defined]
        made.PERSONAL = by_subject  # type: ignore[attr-defined]
        return made

    return make


def _field(kind: type[Any], tag: str) -> str:
    """Return the field that a tag takes its value from."""
    names = {one.name for one in fields(kind)}
    (name,) = [one for one in (f"{tag}_id", tag) if one in names][:1]
    return name


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact in its place: positions from 1 without gaps, `recorded_at` (UTC) never decreasing."""

    position: int
    recorded_at: datetime
    fact: Any


def tags_of(happened: Fact) -> list[str]:
    """Return the tags of a fact, such as `citizen:4f1c…`, in the order its class names them."""
    return [
        f"{tag}:{value}"
        for tag, name in happened.TAGGED
        if (value := getattr(happened, name)) is not None
    ]


class UnknownFact(Exception):
    """A stored name that this vocabulary does not know: the log is newer than the program."""


class Vocabulary:
    """The facts of one log, by stored name."""

    def __init__(self, facts: Iterable[type[Any]]) -> None:
        self.facts: Mapping[str, type[Any]] = {cls.NAME: cls for cls in facts}

    @classmethod
    def of(cls, *modules: ModuleType) -> "Vocabulary":
        """Return the facts that modules define, in their order there: none can be left out."""
        defined = [one for module in modules for one in vars(module).values()]
        return cls(one for one in defined if isinstance(one, type) and hasattr(one, "NAME"))

    def encode(self, happened: Fact) -> DCBEvent:
        """Return the fact's name, tags and canonical bytes.

        Raises `ValueError` for one with personal fields, which never are in these bytes.
        """
        if happened.PERSONAL:
            raise ValueError(f"{happened.NAME} says something of a person")
        return DCBEvent(type=happened.NAME, data=canonical(happened), tags=tags_of(happened))

    def decode(self, name: str, data: bytes, personal: Mapping[str, Any] | None = None) -> Any:
        """Return the fact stored under `name`; fields unknown to its class are passed over.

        `personal` are its personal fields, without those that are erased. Raises `UnknownFact` for
        a name that is not in the vocabulary.
        """
        try:
            kind = self.facts[name]
        except KeyError:
            raise UnknownFact(name) from None
        if not personal:
            return msgspec.json.decode(data, type=kind)
        return msgspec.convert({**msgspec.json.decode(data), **personal}, kind)
