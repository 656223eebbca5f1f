"""Finds what somebody has a piece of: an id or its beginning, a position, a day, or a name.

Ids of citizens are not shown in full here: whoever types a whole one has it already.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice

from services.audit.export import LogName
from services.audit.history import FoundHistory, History
from services.audit.index import Entry
from services.audit.pages.directory import NAMED
from shared.clock import start_of
from shared.ledger.log import about
from shared.ledger.states import Subject

NOUNS = ("consent", "opening", "citizen", "clerk", "office", "site", "bank", "suspension")
"""What can be found by its id, in this order."""

FOUND_MAX = 40
"""Of each noun as many are shown, and that there are more."""

SHOWN = 4
"""Letters of a citizen's id that a result shows."""

DAY_FACTS = 100
"""Facts on one page of a day."""

DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y")
POSITION = re.compile(r"(?:(consent|accounts)[ :]+)?#?([1-9][0-9]{0,15})")


@dataclass(frozen=True)
class Found:
    """A subject that was found: how it is called, and where it is first mentioned.

    `text` is its id, of a citizen the beginning; `name` is what people call it, if anything.
    """

    noun: str
    text: str
    log: LogName
    position: int
    name: str = ""
    id: str = ""


@dataclass(frozen=True)
class Results:
    """What was found; `more` are the nouns of which there are more than are shown."""

    subjects: Sequence[Found] = ()
    more: frozenset[str] = field(default_factory=frozenset)
    places: Sequence[tuple[LogName, int]] = ()
    day: date | None = None


def search(history: History, text: str) -> Results:
    """Return what a text finds; nothing for an empty one. Raises `BadExport`."""
    text = text.strip()
    if not text:
        return Results()
    found, more = list(_named(history, text)), set[str]()
    for noun in NOUNS:
        own = list(islice(_by_id(history, noun, text), FOUND_MAX + 1))
        found += own[:FOUND_MAX]
        more |= {noun} if len(own) > FOUND_MAX else set()
    return Results(found, frozenset(more), list(_places(history, text)), _day(text))


def _by_id(history: History, noun: str, text: str) -> Iterator[Found]:
    """Yield what has an id that begins so; `noun:` before it leaves the others out."""
    wanted, colon, own_id = text.rpartition(":")
    if colon and wanted != noun:
        return
    seen = set[str]()
    for name, log in history.logs.items():
        for tag in log.index.tags(f"{noun}:{own_id}", limit=FOUND_MAX + 1):
            if tag not in seen:
                seen.add(tag)
                yield _found(name, log, tag, own_id)


def _found(name: LogName, log: FoundHistory, tag: str, typed: str) -> Found:
    subject, (first,) = Subject.of(tag), log.index.entries(about(tag), limit=1)
    if subject.noun == "citizen" and subject.id != typed:
        shown = subject.id[: max(SHOWN, len(typed))]
        return Found(subject.noun, f"{shown}…", name, first.position)
    return Found(subject.noun, subject.id, name, first.position, id=subject.id)


def _named(history: History, text: str) -> Iterator[Found]:
    """Yield what people call so: each by the newest name that it was given."""
    if "consent" not in history.logs:
        return
    log = history.logs["consent"]
    for noun, kind in NAMED.items():
        newest = {getattr(one.fact, f"{noun}_id"): one for one in log.recorded(about(kinds=[kind]))}
        hits = [one for one in newest.items() if text.casefold() in one[1].fact.name.casefold()]
        for own_id, one in hits[:FOUND_MAX]:
            yield Found(noun, own_id, "consent", one.position, one.fact.name, own_id)


def _places(history: History, text: str) -> Iterator[tuple[LogName, int]]:
    if matched := POSITION.fullmatch(text):
        for name, log in history.logs.items():
            if matched[1] in {None, name} and log.at(int(matched[2])):
                yield name, int(matched[2])


def _day(text: str) -> date | None:
    for one in DAYS:
        try:
            return datetime.strptime(text, one).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None


@dataclass(frozen=True)
class Day:
    """A page of one day in Vietnam of one log: `after` and `until` are the day's own bounds."""

    entries: Sequence[Entry]
    count: int
    next: int | None


def facts_of(log: FoundHistory, day: date, after: int) -> Day:
    """Return facts of a day behind a position."""
    step = timedelta(microseconds=1)
    first = log.index.position_at(start_of(day) - step)
    last = log.index.position_at(start_of(day + timedelta(days=1)) - step)
    found = log.index.entries(after=max(first, after), until=last, limit=DAY_FACTS + 1)
    shown = found[:DAY_FACTS]
    return Day(shown, last - first, shown[-1].position if len(found) > DAY_FACTS else None)
