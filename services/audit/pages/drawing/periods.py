"""Rights and suspensions in time: a bar for each, under a scale of years or months."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.audit.pages.places import Span
from shared.clock import VIETNAM

LABEL_WIDTH, SCALE_WIDTH = 330, 820
"""Of the words, and of all time; pixels like everything here."""

HEAD_HEIGHT, ROW_HEIGHT, BAR_HEIGHT = 34, 34, 18
BAR_MIN = 6.0
TICKS_MAX = 12
MONTHS = (1, 3, 6, 12, 24, 60, 120)
"""Months between two marks on the scale, the first that gives few enough."""


@dataclass(frozen=True)
class Bar:
    """One span: where its bar stands, and whether it goes on behind the end."""

    span: Span
    y: float
    x: float
    width: float
    goes_on: bool


@dataclass(frozen=True)
class Tick:
    """A mark on the scale."""

    x: float
    at: datetime


@dataclass(frozen=True)
class Periods:
    """The drawing, with its size; `end` is where the export ends."""

    width: float
    height: float
    bars: Sequence[Bar]
    ticks: Sequence[Tick]
    end: float
    row_height: int = ROW_HEIGHT
    bar_height: int = BAR_HEIGHT


def draw(spans: Sequence[Span], end: datetime) -> Periods | None:
    """Return where everything stands; None where there is nothing."""
    if not spans:
        return None
    first = min(one.start for one in spans)
    length = max(end - first, timedelta(hours=1)) * 1.04

    def x(at: datetime) -> float:
        """Return where an instant stands, within the scale."""
        share = (at - first) / length
        return LABEL_WIDTH + SCALE_WIDTH * min(max(share, 0.0), 1.0)

    ordered = sorted(spans, key=lambda one: (one.kind, one.of, one.start))
    bars = [_bar(one, HEAD_HEIGHT + at * ROW_HEIGHT, x, end) for at, one in enumerate(ordered)]
    ticks = [Tick(x(at), at) for at in _marks(first, first + length)]
    height = HEAD_HEIGHT + len(bars) * ROW_HEIGHT
    return Periods(LABEL_WIDTH + SCALE_WIDTH, height, bars, ticks, x(end))


def _bar(span: Span, y: float, x: Callable[[datetime], float], end: datetime) -> Bar:
    start, stop = x(span.start), x(span.end or end)
    goes_on = span.end is None or span.end > end
    return Bar(span, y, start, max(stop - start, BAR_MIN), goes_on)


def _marks(first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the beginnings of months that stand on the scale."""
    local = first.astimezone(VIETNAM)
    months = (last - first) / timedelta(days=30)
    step = next((one for one in MONTHS if months / one <= TICKS_MAX), MONTHS[-1])
    month = local.year * 12 + local.month - 1
    month += -month % step
    while True:
        at = datetime(month // 12, month % 12 + 1, 1, tzinfo=VIETNAM)
        if at > last:
            return
        if at >= first:
            yield at
        month += step
