"""A case in lanes: time goes down, each fact a card in the lane of whoever did it.

Facts follow each other at one distance, however long it took; a long wait is said between them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.audit.pages.cases import Happened
from services.audit.pages.lanes import ALWAYS, LANES, lane_of, mark_of
from services.audit.pages.links import Link
from services.audit.pages.moments import Moment

TIME_WIDTH, LANE_WIDTH = 120, 212
"""Of the column of times, and of a lane; pixels like everything here."""

CARD_WIDTH, CARD_HEIGHT = 180, 46
HEAD_HEIGHT, ROW_HEIGHT, WAIT_HEIGHT = 48, 64, 30
LETTERS_MAX = 20
"""Letters in one line of a card."""

WAIT_FROM = timedelta(minutes=5)
"""From when on a wait is said."""

BEND = 26
"""How far a curve swings out within a lane."""


@dataclass(frozen=True)
class Card:
    """A fact: its box's left upper corner, the lines in it, and whether it was known."""

    happened: Happened
    x: float
    y: float
    lines: Sequence[str]
    mark: str
    known: bool
    broken: bool
    laws: Sequence[int] = ()


@dataclass(frozen=True)
class Missing:
    """A card of what is not there, beside the fact that should rest on it."""

    x: float
    y: float
    lines: Sequence[str]
    path: str
    middle: tuple[float, float]


@dataclass(frozen=True)
class Arrow:
    """From what allowed to what was allowed; `stops`: kept from happening."""

    path: str
    stops: bool
    known: bool


@dataclass(frozen=True)
class Wait:
    """A long time between two facts."""

    y: float
    length: timedelta


@dataclass(frozen=True)
class Timeline:
    """The drawing, with its size; `now` is where what was known ends, None where all was."""

    width: float
    height: float
    lanes: Sequence[tuple[str, float]]
    cards: Sequence[Card]
    arrows: Sequence[Arrow]
    missing: Sequence[Missing]
    waits: Sequence[Wait]
    now: float | None
    card_width: int = CARD_WIDTH
    card_height: int = CARD_HEIGHT
    lane_width: int = LANE_WIDTH


Say = Callable[[str], str]


def draw(
    steps: Sequence[Happened],
    found: Sequence[Link],
    moment: Moment,
    *,
    fact_word: Say,
    word: Say,
    laws: Callable[[Happened], Sequence[int]] = lambda one: (),
) -> Timeline:
    """Return where everything stands.

    `fact_word` says what a kind of fact is called, `word` what is missing; `laws` are those that a
    fact is found to break.
    """
    lanes = _lanes(steps, found)
    left = {lane: TIME_WIDTH + at * LANE_WIDTH for at, lane in enumerate(lanes)}
    inset = (LANE_WIDTH - CARD_WIDTH) / 2
    cards, waits, y, before = list[Card](), list[Wait](), float(HEAD_HEIGHT), None
    now = None if all(map(moment.knows, steps)) else float(HEAD_HEIGHT)
    broken = {id(one.target) for one in found if one.source is None}
    for one in steps:
        if before and one.at - before >= WAIT_FROM:
            waits.append(Wait(y, one.at - before))
            y += WAIT_HEIGHT
        x, lines = left[lane_of(one)] + inset, wrapped(fact_word(one.stored.kind))
        wrong = id(one) in broken
        card = Card(one, x, y, lines, mark_of(one), moment.knows(one), wrong, laws(one))
        cards.append(card)
        y, before = y + ROW_HEIGHT, one.at
        if now is not None and card.known:
            now = y - (ROW_HEIGHT - CARD_HEIGHT) / 2
    by_fact = {id(one.happened): one for one in cards}
    width = TIME_WIDTH + len(lanes) * LANE_WIDTH
    return Timeline(
        width=width,
        height=y,
        lanes=[(lane, left[lane] + LANE_WIDTH / 2) for lane in lanes],
        cards=cards,
        arrows=list(_arrows(found, by_fact)),
        missing=[
            _missing(one, by_fact[id(one.target)], left[one.lane] + inset, word(one.wrong))
            for one in found
            if one.source is None
        ],
        waits=waits,
        now=now,
    )


def _lanes(steps: Sequence[Happened], found: Sequence[Link]) -> list[str]:
    used = {lane_of(one) for one in steps} | {one.lane for one in found if one.source is None}
    return [lane for at, lane in enumerate(LANES) if at < ALWAYS or lane in used]


def _arrows(found: Sequence[Link], by_fact: dict[int, Card]) -> Iterator[Arrow]:
    for one in found:
        if one.source is not None:
            source, target = by_fact[id(one.source)], by_fact[id(one.target)]
            yield Arrow(_path(source, target), one.stops, source.known and target.known)


def _path(source: Card, target: Card) -> str:
    """Return a curve from one card to another; within a lane past what lies between."""
    if source.x == target.x:
        if target.y - source.y <= ROW_HEIGHT:
            middle = source.x + CARD_WIDTH / 2
            return f"M{middle} {source.y + CARD_HEIGHT}L{middle} {target.y}"
        x, start, end = source.x, source.y + CARD_HEIGHT * 0.7, target.y + CARD_HEIGHT * 0.3
        return f"M{x} {start}C{x - BEND} {start} {x - BEND} {end} {x} {end}"
    on = 1 if target.x > source.x else -1
    start_x = source.x + (CARD_WIDTH if on > 0 else 0)
    end_x = target.x + (0 if on > 0 else CARD_WIDTH)
    start, end = source.y + CARD_HEIGHT * 0.7, target.y + CARD_HEIGHT * 0.3
    return (
        f"M{start_x} {start}C{start_x + on * BEND} {start} {end_x - on * BEND} {end} {end_x} {end}"
    )


def _missing(link: Link, target: Card, x: float, said: str) -> Missing:
    """Return the card of what is missing, on the line of the fact, in a lane beside it."""
    if x == target.x:
        x += LANE_WIDTH if x < TIME_WIDTH + LANE_WIDTH else -LANE_WIDTH
    on = 1 if target.x > x else -1
    start, end = x + (CARD_WIDTH if on > 0 else 0), target.x + (0 if on > 0 else CARD_WIDTH)
    level = target.y + CARD_HEIGHT / 2
    path = f"M{start} {level}L{end} {level}"
    return Missing(x, target.y, wrapped(said), path, ((start + end) / 2, level))


def wrapped(text: str) -> list[str]:
    """Return a text in two lines at most, broken between words."""
    if len(text) <= LETTERS_MAX:
        return [text]
    words, first = text.split(" "), ""
    while words and len(f"{first} {words[0]}".strip()) <= LETTERS_MAX:
        first = f"{first} {words.pop(0)}".strip()
    second = " ".join(words)
    return [first, second if len(second) <= LETTERS_MAX else f"{second[: LETTERS_MAX - 1]}…"]
