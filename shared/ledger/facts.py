"""What a fact is, and how it becomes bytes that anyone can still read in twenty years.

A fact is a frozen dataclass under a stored name that is never reused. Its bytes are canonical
JSON (RFC 8785). Fields are added last, with a default; any other change is a new name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar, dataclass_transform

import msgspec
from eventsourcing.dcb.api import DCBEvent

from shared.canonical import canonical


class Fact(Protocol):
    """Something that happened: an instance of a class made by `@fact`."""

    NAME: ClassVar[str]
    TAGS: ClassVar[tuple[str, ...]]


FactT = TypeVar("FactT")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def fact(name: str, *, tags: Iterable[str]) -> Callable[[type[FactT]], type[FactT]]:
    """Make a class a fact, stored as `name`, found again by `tags`.

    The tag `citizen` takes its value from the field `citizen_id`; a field that is None gives none.
    """

    def make(cls: type[FactT]) -> type[FactT]:
        made = dataclass(frozen=True, kw_only=True, slots=True)(cls)
        made.NAME = name  # type: ignore[attr-defined]  # the decorator is what adds them
        made.TAGS = tuple(tags)  # type: ignore[attr-defined]
        return made

    return make


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact in its place: positions from 1 without gaps, `recorded_at` (UTC) never decreasing."""

    position: int
    recorded_at: datetime
    fact: Any


def tags_of(happened: Fact) -> list[str]:
    """Return the tags of a fact, such as `citizen:4f1c…`, in the order its class names them."""
    values = ((tag, getattr(happened, f"{tag}_id")) for tag in happened.TAGS)
    return [f"{tag}:{value}" for tag, value in values if value is not None]


class UnknownFact(Exception):
    """A stored name that this vocabulary does not know: the log is newer than the program."""


class Vocabulary:
    """The facts of one log, by stored name."""

    def __init__(self, facts: Iterable[type[Any]]) -> None:
        self.facts: Mapping[str, type[Any]] = {cls.NAME: cls for cls in facts}

    def encode(self, happened: Fact) -> DCBEvent:
        """Return the fact's name, tags and canonical bytes."""
        return DCBEvent(type=happened.NAME, data=canonical(happened), tags=tags_of(happened))

    def decode(self, name: str, data: bytes) -> Any:
        """Return the fact stored under `name`; fields unknown to its class are passed over.

        Raises `UnknownFact` for a name that is not in the vocabulary.
        """
        try:
            kind = self.facts[name]
        except KeyError:
            raise UnknownFact(name) from None
        return msgspec.json.decode(data, type=kind)
