"""What a process remembers of policy is what the log says, at every instant that it judges."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.application.policies import KEPT_FOR, Policies
from services.consent.facts import VOCABULARY, SetFor
from services.consent.policies import (
    APPROVE,
    KNOWN_FOR,
    NOTICE,
    PROPOSE,
    Approve,
    Propose,
    history,
    in_force,
    proposal,
)
from services.consent.policy import Policy
from services.consent.views import read_policies
from shared.errors import Rejection, Unavailable
from shared.ledger import stores
from shared.ledger.log import Log
from tests.support.given import AT

MINUTE = timedelta(minutes=1)


@dataclass
class Machine:
    """A log in a real store, two clocks, and processes that remember what they read of it."""

    log: Log
    wall: list[datetime]
    kept_for: timedelta = KEPT_FOR
    monotonic_s: float = 0.0
    processes: list[Policies] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.processes = [self.process() for _ in range(2)]

    def process(self) -> Policies:
        """Return a process that has read nothing."""
        return Policies(self.log, self._now, monotonic=self._monotonic, kept_for=self.kept_for)

    def _now(self) -> datetime:
        return self.wall[0]

    def _monotonic(self) -> float:
        return self.monotonic_s

    def wait(self, time: timedelta) -> None:
        """Let time go by."""
        self.wall[0] += time
        self.monotonic_s += time.total_seconds()

    async def set(self, ahead: timedelta) -> None:
        """Set the next version to hold so long after the notice, if the rules let it."""
        known, at = await read_policies(self.log), self.wall[0]
        version, start = len(known.was_set) + 1, at + NOTICE + ahead
        values = {**Policy().values(), "code_tries_max": 1 + version % 9}
        one = proposal(version, values, start, SetFor.MISUSE, "operator:op")
        with suppress(Rejection):  # it would hold before the one that was set last
            outcome = await self.log.perform(PROPOSE, Propose(proposal=one, at=at))
            position = outcome.state.newest(version) or 0
            approve = Approve(version=version, position=position, by="overseer:ubnd", at=at)
            await self.log.perform(APPROVE, approve)

    async def judged(self, process: int) -> tuple[Policy, Policy]:
        """Return what a process judges by now, and what the whole log says."""
        at = self.wall[0]
        by = await self.processes[process].at(at)
        return by, in_force(history(await read_policies(self.log)), at)


@contextmanager
def a_machine(folder: Path, **more: Any) -> Iterator[Machine]:
    """Give a machine with an empty log."""
    address, wall = f"sqlite:///{folder / 'log.db'}", [AT]
    stores.create_schema(address)
    recorder = stores.open_recorder(address, lambda: wall[0])
    with closing(Log(recorder, VOCABULARY)) as log:
        yield Machine(log, wall, **more)


ACTIONS = [
    *(("set", ahead) for ahead in (timedelta(0), MINUTE, 2 * NOTICE)),
    *(("wait", time) for time in (MINUTE / 2, MINUTE, KNOWN_FOR, NOTICE - MINUTE, NOTICE)),
    *(("put", time) for time in (NOTICE, -MINUTE, -KNOWN_FOR / 2)),
]
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1)), min_size=3, max_size=20)
"""What is done, and which process judges then."""


@for_all(STEPS)
def test_every_process_judges_by_what_holds(steps: list[tuple[Any, int]]) -> None:
    """However setting, waiting, judging, and a clock that is put forward or back, take turns."""

    async def play(machine: Machine) -> None:
        for (what, value), process in steps:
            if what == "set":
                await machine.set(value)
            elif what == "wait":
                machine.wait(value)
            else:
                machine.wall[0] += value
            by, holds = await machine.judged(process)
            assert by == holds

    with TemporaryDirectory() as folder, a_machine(Path(folder)) as machine:
        asyncio.run(play(machine))


def test_what_is_remembered_is_far_younger_than_the_notice() -> None:
    """And what was recorded in its time lies there for longer than anything is remembered."""
    assert KEPT_FOR * 10 <= KNOWN_FOR < NOTICE


@pytest.mark.parametrize(("kept_for", "right"), [(KEPT_FOR, True), (2 * NOTICE, False)])
def test_whoever_remembers_for_longer_than_the_notice_is_wrong(
    tmp_path: Path, kept_for: timedelta, *, right: bool
) -> None:
    """The notice is what makes remembering safe: with less of it, or more of that, it is not."""

    async def play(machine: Machine) -> bool:
        assert (await machine.judged(0))[0].version == 0
        await machine.set(timedelta(0))
        machine.wait(NOTICE)
        by, holds = await machine.judged(0)
        assert holds.version == 1
        return by == holds

    with a_machine(tmp_path, kept_for=kept_for) as machine:
        assert asyncio.run(play(machine)) is right


def test_without_the_log_nothing_is_judged(tmp_path: Path) -> None:
    """Nor after a minute without it, even by a clock that stands still."""

    async def play(machine: Machine) -> None:
        first, fresh = machine.processes[0], machine.process()
        await first.at(AT)
        machine.log.recorder.close()
        machine.monotonic_s += KEPT_FOR.total_seconds()
        assert (await first.at(AT + KEPT_FOR)).version == 0
        with pytest.raises(Unavailable):
            await fresh.at(AT)
        for later in (KEPT_FOR + timedelta(seconds=1), -2 * KEPT_FOR):
            with pytest.raises(Unavailable):
                await first.at(AT + later)
        machine.monotonic_s += 1
        with pytest.raises(Unavailable):
            await first.at(AT)

    with a_machine(tmp_path) as machine:
        asyncio.run(play(machine))
