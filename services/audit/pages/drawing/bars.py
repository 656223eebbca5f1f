"""Attempts by day, each bar stacked by reason; a reason has a pattern, not only a colour."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, PLOT_HEIGHT = 1150, 220
LEFT, TOP, BOTTOM = 44, 12, 30
"""Of the numbers beside it, above it, and of the days below; pixels like everything here."""

PATTERNS = 8
"""Reasons that are told apart; the others share the last pattern."""

OTHER = ""
"""What stands for the others."""

BAR_MAX = 44.0
DAYS_NAMED_MAX = 16
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
LINES_MAX = 5


@dataclass(frozen=True)
class Part:
    """One reason's part of a day's bar, in the pattern of that number."""

    x: float
    y: float
    width: float
    height: float
    pattern: int


@dataclass(frozen=True)
class Bars:
    """The drawing: parts, the names of days, the lines of the scale, and whose each pattern is."""

    width: float
    height: float
    parts: Sequence[Part]
    days: Sequence[tuple[float, date]]
    lines: Sequence[tuple[float, int]]
    legend: Sequence[tuple[int, str]]
    left: int = LEFT
    base: int = TOP + PLOT_HEIGHT


def draw(days: Sequence[date], by_day: Mapping[date, Counter[str]]) -> Bars | None:
    """Return where everything stands; None where there was nothing on any day."""
    totals = Counter[str]()
    for counts in by_day.values():
        totals.update(counts)
    if not totals:
        return None
    named = [reason for reason, _ in totals.most_common(PATTERNS - 1)]
    most = max(sum(counts.values()) for counts in by_day.values())
    step = next((one for one in STEPS if most / one <= LINES_MAX), STEPS[-1])
    top = -(-most // step) * step
    slot = (WIDTH - LEFT) / len(days)
    parts = [
        part
        for at, day in enumerate(days)
        for part in _stacked(by_day.get(day, Counter()), named, LEFT + at * slot, slot, top)
    ]
    every = -(-len(days) // DAYS_NAMED_MAX)
    shown = [(LEFT + (at + 0.5) * slot, day) for at, day in enumerate(days) if at % every == 0]
    lines = [(_height(top, top - one) + TOP, one) for one in range(0, top + 1, step)]
    legend = list(enumerate(named))
    if len(totals) > len(named):
        legend.append((PATTERNS - 1, OTHER))
    return Bars(WIDTH, TOP + PLOT_HEIGHT + BOTTOM, parts, shown, lines, legend)


def _stacked(
    counts: Counter[str], named: Sequence[str], x: float, slot: float, top: int
) -> list[Part]:
    """Return the parts of a day's bar, from below."""
    width = min(slot * 0.7, BAR_MAX)
    own = [(at, counts[reason]) for at, reason in enumerate(named)]
    own.append((PATTERNS - 1, sum(counts.values()) - sum(count for _, count in own)))
    parts, below = list[Part](), 0
    for pattern, count in own:
        if count:
            height = _height(top, count)
            y = TOP + PLOT_HEIGHT - _height(top, below) - height
            parts.append(Part(x + (slot - width) / 2, y, width, height, pattern))
            below += count
    return parts


def _height(top: int, count: int) -> float:
    return PLOT_HEIGHT * count / top
