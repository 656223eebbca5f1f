"""What is planted: cases that break a law, each known by its line in the key.

A deed goes as an ordinary case does, but for what its twists change, or for steps of its own. The
laws take turns, and each law's deeds too, so that every law gets its equal share.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import cycle
from typing import Any

from bench.history.case import Case
from bench.history.flows import plain
from bench.history.lives import enrolled, registered, spoken_for
from bench.history.looking import minutes
from bench.history.question import Twist, Way
from bench.history.world import Steps, World
from services.audit.export import LogName
from shared.contracts.consent import Channel, Grade


@dataclass(frozen=True)
class Broken:
    """A law that a deed breaks: in which log, and at the facts of which kinds it can be found."""

    law: int
    kinds: tuple[str, ...]
    log: LogName = "consent"


@dataclass(frozen=True)
class Deed:
    """A way to break a law, or several where one cannot be broken alone."""

    how: str
    broken: tuple[Broken, ...]
    steps: Callable[[Case], Steps] = plain
    channel: Channel = Channel.ONLINE
    grade: Grade = Grade.OTP
    spoken: bool = False
    twists: Mapping[str, Callable[[Case, Any], Any]] = field(default_factory=dict)
    settled: bool = True
    """Whether a passkey is enrolled well before the question."""

    @property
    def law(self) -> int:
        """Return the law among whose deeds it takes its turn: the first it breaks."""
        return self.broken[0].law


@dataclass(frozen=True)
class KeyLine:
    """A law that was broken, and where: at any one of these positions it must be found."""

    law: int
    log: LogName
    positions: tuple[int, ...]
    how: str

    def document(self) -> dict[str, Any]:
        """Return the line as JSON members."""
        positions = list(self.positions)
        return {"law": self.law, "log": self.log, "positions": positions, "how": self.how}


class Planting:
    """Plants a deed in place of every so many-th case."""

    def __init__(self, world: World, every: int, deeds: Sequence[Deed]) -> None:
        self.key = list[KeyLine]()
        self._world, self._every, self._asked = world, every, 0
        self._deeds = in_turn(deeds)

    def next(self) -> Steps | None:
        """Return a planted case if it is its turn, else None."""
        self._asked += 1
        if not self._every or self._asked % self._every:
            return None
        return self._case(next(self._deeds))

    def _case(self, deed: Deed) -> Steps:
        world = self._world
        product = world.chance.random.choice(world.products)
        counter = deed.channel is Channel.COUNTER
        witnessed = deed.grade is Grade.WITNESSED
        person = registered(world, phone=not witnessed)
        speaker, authority_id = spoken_for(world, person) if deed.spoken else (None, None)
        if deed.grade is Grade.KEY_UV:
            yield from enrolled(world, speaker or person, product.bank_id)
            yield timedelta(hours=49 if deed.settled else 0) + minutes(1, 20, world)
        else:
            yield minutes(1, 20, world)
        place = world.steady_place() if counter else None
        way = Way(deed.channel, deed.grade, known=not witnessed)
        case = Case(world, person, product, place, way, speaker, authority_id)
        case.twists = {kind: _twist(change, case) for kind, change in deed.twists.items()}
        yield from deed.steps(case)
        for one in deed.broken:
            positions = tuple(case.places[kind] for kind in one.kinds)
            self.key.append(KeyLine(one.law, one.log, positions, deed.how))


def _twist(change: Callable[[Case, Any], Any], case: Case) -> Twist:
    return partial(change, case)


def in_turn(deeds: Sequence[Deed]) -> Iterator[Deed]:
    """Return deeds without end: law after law, and of each law its deeds one after the other."""
    laws = dict.fromkeys(deed.law for deed in deeds)
    of_law = {law: cycle([deed for deed in deeds if deed.law == law]) for law in laws}
    return (next(of_law[law]) for law in cycle(laws))
