"""What a law is, what breaks one, and how a group of laws hears of facts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from services.audit.export import LogName
from shared.ledger.facts import Recorded


@dataclass(frozen=True, slots=True)
class Law:
    """One thing that must hold of two logs, for an inspector, and what it is taken from."""

    number: int
    vi: str
    en: str
    source: str


class Violation(NamedTuple):
    """A law that does not hold, in which log, at which positions: first the act that breaks it."""

    law: int
    log: LogName
    positions: tuple[int, ...]
    sentence: str


class Heard(msgspec.Struct, frozen=True, gc=False):
    """A fact in its place, with its tags and its bytes as they are stored.

    `before` is when the fact before it was recorded (UTC).
    """

    position: int
    recorded_at: datetime
    fact: Any
    tags: list[str]
    data: bytes
    before: datetime

    @property
    def recorded(self) -> Recorded:
        """Return it as the services' rules read it."""
        return Recorded(self.position, self.recorded_at, self.fact)


Hearing = Callable[[Heard], Iterable[Violation]]
"""Takes one fact, and returns what it breaks."""

Hearings = Mapping[type[Any], Hearing]
"""What is done with the facts of each kind."""


class Group:
    """A few laws that look at the same facts; holds what they need of those before."""

    def consent(self) -> Hearings:
        """Return what hears the facts of the consent log, each kind once."""
        return {}

    def accounts(self) -> Hearings:
        """Return the same for the accounts log, which comes after all of the other."""
        return {}

    def over(self) -> Iterator[Violation]:
        """Return what is broken by that which never came."""
        return iter(())


NOTHING: tuple[Violation, ...] = ()
"""What a fact breaks that breaks nothing."""
