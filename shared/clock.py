"""The only place that reads the time; everything else is handed an instant.

People and deadlines live in `Asia/Ho_Chi_Minh`; facts carry UTC.
"""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
"""The zone of every time that a person reads. It has no summer time."""


def day_of(instant: datetime) -> date:
    """Return the day in Vietnam on which an instant lies."""
    return instant.astimezone(VIETNAM).date()


def start_of(day: date) -> datetime:
    """Return the first instant (UTC) of a day in Vietnam."""
    return datetime.combine(day, time(), VIETNAM).astimezone(UTC)


class Clock(Protocol):
    """Gives the present instant, aware, in UTC."""

    def __call__(self) -> datetime:
        """Return now."""


def system_clock() -> datetime:
    """Return the machine's time in UTC."""
    return datetime.now(UTC)


def choose_clock(*, sandbox: bool, file: Path | None) -> Clock:
    """Return a sandbox's moved clock if there is a file to move it, else the machine's."""
    return SandboxClock(file) if sandbox and file else system_clock


class SandboxClock:
    """The machine's time moved by the seconds in a file; an empty or absent file moves nothing.

    Several processes that name the same file share one moved time, so a demonstration can
    relive a morning of 2023 and let a consent expire without waiting for it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self) -> datetime:
        """Return the moved time in UTC."""
        return system_clock() + timedelta(seconds=self._offset_s())

    def move_to(self, instant: datetime) -> None:
        """Make `instant` the present for everyone who reads this file."""
        offset = (instant - system_clock()).total_seconds()
        beside = self._file.with_suffix(".new")
        beside.write_text(repr(offset), encoding="ascii")
        beside.replace(self._file)

    def _offset_s(self) -> float:
        try:
            return float(self._file.read_text(encoding="ascii") or 0)
        except FileNotFoundError:
            return 0.0
