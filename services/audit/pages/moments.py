"""What was known at a moment: up to which position of each log, and of which instant that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.audit.export import LogName
from services.audit.history import History
from services.audit.pages.cases import Case, Happened, at_place
from shared.clock import VIETNAM

STEP = timedelta(microseconds=1)
"""The step in which the logs tell time."""


class NoMoment(ValueError):
    """A text that is no moment of this export."""


@dataclass(frozen=True)
class Moment:
    """Up to where each log was known; `at` (UTC) is None for all that the export has."""

    known: Mapping[LogName, int]
    at: datetime | None = None

    def knows(self, one: Happened) -> bool:
        """Tell whether a fact was there already."""
        return one.position <= self.known[one.log]


def moment(history: History, text: str | None) -> Moment:
    """Return the moment that `consent:53`, or a time such as `2023-08-09T11:30`, means.

    A position means the time at which it was recorded in the other log. A time without a zone is
    Vietnam's. Raises `NoMoment`.
    """
    if not text:
        return Moment({name: log.size for name, log in history.logs.items()})
    name, colon, position = text.partition(":")
    for log in history.logs:
        if colon and name == log and position.isdecimal():
            if (found := at_place(history, log, int(position))) is None:
                raise NoMoment(text)
            return Moment({**_until(history, found.at), log: found.position}, found.at)
    try:
        instant = datetime.fromisoformat(text)
        instant = instant if instant.tzinfo else instant.replace(tzinfo=VIETNAM)
        return Moment(_until(history, instant), instant)
    except (ValueError, OverflowError) as error:
        raise NoMoment(text) from error


def of_step(case: Case, step: int) -> str:
    """Return the text of the moment at which so many steps of a case had happened."""
    steps = case.steps
    if step <= 0:
        return (steps[0].at - STEP).isoformat()
    return steps[min(step, len(steps)) - 1].place


def _until(history: History, instant: datetime) -> dict[LogName, int]:
    return {name: log.index.position_at(instant) for name, log in history.logs.items()}
