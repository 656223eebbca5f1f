"""A proof as a tree: the fact's leaf below, the signed root above, and a sibling on each level."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.pages.proving import Proven

BOX_WIDTH, BOX_HEIGHT = 196, 34
LEVEL_HEIGHT = 64
"""From one level to the next, in pixels like everything here."""

ASIDE = 250
"""From the middle to a sibling's."""

MARGIN = 24
HEX_SHOWN = 16


@dataclass(frozen=True)
class Box:
    """A hash: its box's left upper corner, and what stands in it."""

    x: float
    y: float
    text: str
    kind: str
    """`leaf`, `joined`, `sibling`, `root`, `reached` (which is not the root), `checkpoint`."""

    @property
    def middle(self) -> float:
        """Return where its text stands."""
        return self.x + BOX_WIDTH / 2


@dataclass(frozen=True)
class Line:
    """From a hash up to the one that it is joined into; `own` on the way from the leaf."""

    x1: float
    y1: float
    x2: float
    y2: float
    own: bool


@dataclass(frozen=True)
class Tree:
    """The drawing, with its size."""

    width: float
    height: float
    boxes: Sequence[Box]
    lines: Sequence[Line]
    box_width: int = BOX_WIDTH
    box_height: int = BOX_HEIGHT


def draw(proven: Proven) -> Tree:
    """Return where everything stands."""
    levels = len(proven.steps)
    middle = MARGIN + ASIDE + BOX_WIDTH / 2
    boxes, lines = list[Box](), list[Line]()

    def top(level: int) -> float:
        """Return the upper edge of a level's boxes; 0 is the leaf's, the checkpoint has one too."""
        return MARGIN + (levels + 1 - level) * LEVEL_HEIGHT

    def put(at: float, level: int, digest: bytes, kind: str) -> None:
        boxes.append(Box(at - BOX_WIDTH / 2, top(level), _hex(digest), kind))

    def join(at: float, level: int, *, own: bool) -> None:
        lines.append(Line(at, top(level), middle, top(level + 1) + BOX_HEIGHT, own))

    put(middle, 0, proven.leaf, "leaf" if levels else _kind(proven, "root"))
    for level, step in enumerate(proven.steps, start=1):
        aside = middle - ASIDE if step.on_left else middle + ASIDE
        join(aside, level - 1, own=False)
        join(middle, level - 1, own=True)
        put(aside, level - 1, step.sibling, "sibling")
        put(middle, level, step.joined, "joined" if level < levels else _kind(proven, "root"))
    if proven.wrong:
        put(middle + ASIDE, levels, proven.sealed.checkpoint.root, "root")
        lines.append(_to_checkpoint(middle + ASIDE, middle, top(levels), top(levels + 1)))
    else:
        join(middle, levels, own=True)
    size = proven.sealed.checkpoint.size
    boxes.append(Box(middle - BOX_WIDTH / 2, top(levels + 1), f"{size:,}", "checkpoint"))
    return Tree(2 * middle, top(0) + BOX_HEIGHT + MARGIN, boxes, lines)


def _to_checkpoint(start: float, end: float, below: float, above: float) -> Line:
    return Line(start, below, end, above + BOX_HEIGHT, own=True)


def _kind(proven: Proven, kind: str) -> str:
    return "reached" if proven.wrong else kind


def _hex(digest: bytes) -> str:
    return digest.hex()[:HEX_SHOWN]
