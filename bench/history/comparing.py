"""Holds what a judge found against the key: all that was planted, and nothing else, law by law."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.history.planted import KeyLine


class Found(Protocol):
    """A violation as a judge gives it."""

    @property
    def law(self) -> int:
        """Return the law's number."""

    @property
    def log(self) -> str:
        """Return the log in which it lies."""

    @property
    def positions(self) -> Collection[int]:
        """Return where it lies."""

    @property
    def sentence(self) -> str:
        """Return what a person reads."""


@dataclass
class Score:
    """How much of a law's violations was found, and what was found beside them."""

    planted: int = 0
    found: int = 0
    reported: int = 0
    unplanted: int = 0

    @property
    def recall(self) -> float:
        """Return which part of what was planted was found."""
        return self.found / self.planted if self.planted else 1.0

    @property
    def precision(self) -> float:
        """Return which part of what was found was planted."""
        return 1 - self.unplanted / self.reported if self.reported else 1.0


@dataclass(frozen=True)
class Compared:
    """The scores by law, the lines of the key that nothing answers, and what answers none."""

    scores: dict[int, Score]
    missed: list[KeyLine]
    unplanted: list[Found]

    @property
    def exact(self) -> bool:
        """Tell whether all that was planted was found, and nothing else."""
        return not self.missed and not self.unplanted


def compare(found: Iterable[Found], key: Sequence[KeyLine]) -> Compared:
    """Return how what was found fits the key.

    A violation answers a line of the same law and log if they share a position. A deed that is
    seen from several sides makes several violations, and all of them answer its line.
    """
    lines = defaultdict[tuple[int, str, int], set[int]](set)
    for number, line in enumerate(key):
        for position in line.positions:
            lines[line.law, line.log, position].add(number)
    scores, answered, unplanted = defaultdict[int, Score](Score), set[int](), list[Found]()
    for one in found:
        score = scores[one.law]
        own = {number for at in one.positions for number in lines.get((one.law, one.log, at), ())}
        score.reported += 1
        score.unplanted += not own
        unplanted += [] if own else [one]
        answered |= own
    for law, count in Counter(line.law for line in key).items():
        scores[law].planted = count
    for number in answered:
        scores[key[number].law].found += 1
    missed = [line for number, line in enumerate(key) if number not in answered]
    return Compared(dict(sorted(scores.items())), missed, unplanted)


def read_key(file: Path) -> list[KeyLine]:
    """Return the lines of a key."""
    lines = (json.loads(line) for line in file.read_text("utf-8").splitlines())
    return [
        KeyLine(line["law"], line["log"], tuple(line["positions"]), line["how"]) for line in lines
    ]
