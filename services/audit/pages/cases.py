"""One case: everything that both logs have of a question, of an opening, or of a citizen.

A question and what was opened with it are one case. What a refusal says names nobody, so the case
of a question that was refused has no citizen to be shown.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.accounts.facts import AccountOpened, AccountRead, OpeningRejected
from services.audit.export import LOG_NAMES, LogName
from services.audit.history import History
from services.consent.facts import (
    ConsentRefused,
    ConsentRequested,
    DataRead,
    RequestRejected,
)
from shared.ledger.facts import Recorded
from shared.ledger.log import about
from shared.ledger.recorder import StoredFact
from shared.ledger.states import Subject

LOOKS = (DataRead, AccountRead)
"""The facts that say who looked: no steps of a case."""

NAMING = (ConsentRequested, RequestRejected, AccountOpened, OpeningRejected)
"""The facts that say whose a case is, the first that is there; others may name nobody."""


@dataclass(frozen=True)
class Happened:
    """A fact in its log and place."""

    log: LogName
    stored: StoredFact
    recorded: Recorded

    @property
    def fact(self) -> Any:
        """Return what happened."""
        return self.recorded.fact

    @property
    def position(self) -> int:
        """Return its position."""
        return self.recorded.position

    @property
    def at(self) -> datetime:
        """Return when it was recorded (UTC)."""
        return self.recorded.recorded_at

    @property
    def place(self) -> str:
        """Return what names it in addresses, such as `consent:53`."""
        return f"{self.log}:{self.position}"


@dataclass(frozen=True)
class Case:
    """A case by the tag that stands for it, such as `consent:4f1c…`, and its facts by time.

    `citizen_id` is whose it is, None where no fact says so. `refused`: nobody is to be named.
    """

    tag: str
    happened: Sequence[Happened]
    citizen_id: str | None
    consents: Sequence[str]
    openings: Sequence[str]
    refused: bool = False

    @property
    def subject(self) -> Subject:
        """Return what the tag names."""
        return Subject.of(self.tag)

    @property
    def steps(self) -> list[Happened]:
        """Return the facts without those that say who looked."""
        return [one for one in self.happened if not isinstance(one.fact, LOOKS)]

    @property
    def looks(self) -> list[Happened]:
        """Return the facts that say who looked."""
        return [one for one in self.happened if isinstance(one.fact, LOOKS)]


def tag_of_case(history: History, tags: Sequence[str]) -> str | None:
    """Return the case that a fact with these tags belongs to, None if it is about nobody."""
    by_noun = dict(reversed([(Subject.of(tag).noun, tag) for tag in tags]))
    if found := by_noun.get("consent"):
        return found
    if opening := by_noun.get("opening"):
        return _consent_of(history, opening) or opening
    return by_noun.get("citizen")


def read_case(history: History, tag: str) -> Case | None:
    """Return a case by its tag, None if there is nothing of it; raises `BadExport`."""
    subject = Subject.of(tag)
    if subject.noun == "citizen":
        return _of_citizen(history, tag)
    happened = list(_tagged(history, tag))
    ids = {one.fact.opening_id for one in happened if isinstance(one.fact, AccountOpened)}
    if subject.noun == "opening":
        ids.add(subject.id)
    for opening_id in ids:
        happened += _tagged(history, f"opening:{opening_id}")
    happened = _by_time(happened)
    if not happened:
        return None
    consents = [subject.id] if subject.noun == "consent" else []
    refused = any(isinstance(one.fact, ConsentRefused) for one in happened)
    return Case(tag, happened, _whose(happened), consents, sorted(ids), refused)


def at_place(history: History, log: LogName, position: int) -> Happened | None:
    """Return the fact of a position, None where there is none; raises `BadExport`."""
    if log not in history.logs or (stored := history.logs[log].at(position)) is None:
        return None
    return Happened(log, stored, history.logs[log].decoded(stored))


def _consent_of(history: History, opening: str) -> str | None:
    if "accounts" not in history.logs:
        return None
    opened = history.logs["accounts"].recorded(about(opening, kinds=[AccountOpened]))
    return f"consent:{opened[0].fact.consent_id}" if opened else None


def _of_citizen(history: History, tag: str) -> Case | None:
    """Return everything of a citizen but the questions that were refused, which name nobody."""
    found = list(_tagged(history, tag))
    asked = {one.fact.consent_id for one in found if getattr(one.fact, "consent_id", None)}
    refused = {one for one in asked if _is_refused(history, one)}
    happened = [one for one in found if getattr(one.fact, "consent_id", None) not in refused]
    if not happened:
        return None
    opened = {one.fact.opening_id for one in happened if getattr(one.fact, "opening_id", None)}
    return Case(
        tag, _by_time(happened), Subject.of(tag).id, sorted(asked - refused), sorted(opened)
    )


def _is_refused(history: History, consent_id: str) -> bool:
    log = history.logs.get("consent")
    arm = about(f"consent:{consent_id}", kinds=[ConsentRefused])
    return log is not None and bool(log.index.entries(arm, limit=1))


def _tagged(history: History, tag: str) -> Iterator[Happened]:
    for name, log in history.logs.items():
        for stored in log.found(about(tag)):
            yield Happened(name, stored, log.decoded(stored))


def _by_time(happened: Iterable[Happened]) -> list[Happened]:
    """Return each fact once, by time; of one instant consent's come first: they are the cause."""
    once = {(one.log, one.position): one for one in happened}
    return sorted(once.values(), key=lambda one: (one.at, LOG_NAMES.index(one.log), one.position))


def _whose(happened: Sequence[Happened]) -> str | None:
    for kind in NAMING:
        for one in happened:
            if isinstance(one.fact, kind) and one.fact.citizen_id:
                return str(one.fact.citizen_id)
    return None
