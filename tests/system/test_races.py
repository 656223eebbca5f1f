"""A decision and an opening at the same moment, over real sockets: one is first, all sides agree.

Some rounds of each kind on SQLite, and of each kind of stop on PostgreSQL, where two processes of
each service serve one log, so that the decision goes to another than the use. `./run bench races`
runs a thousand of each on both.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice, product

import pytest

from tests.support.postgres import in_a_schema
from tests.support.processes import Running, running
from tests.support.race_consents import agree
from tests.support.race_kinds import KINDS, STOPS, event_of, put
from tests.support.races import ACT, OPENING, a_course
from tests.support.world import new_id

ROUNDS = {"sqlite": 8, "postgres": 8}
PROCESSES = {"sqlite": 1, "postgres": 2}

SEALED_WITHIN_S = 20.0
"""Seconds in which every process must know that all is sealed: less than one, but for others."""


@dataclass
class Track:
    """Both services on one store, and how many rounds are run there."""

    both: Running
    rounds: int


@pytest.fixture(scope="module")
def start(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Track]]:
    """Give a way to both services on a store: they are started once, for one race after another."""
    with ExitStack() as stack:

        @cache
        def started(store: str) -> Track:
            ledgers = {}
            if store == "postgres":
                url = request.getfixturevalue("postgres_url")
                ledgers = {name: in_a_schema(url) for name in ("consent", "accounts")}
            folder, processes = tmp_path_factory.mktemp("track"), PROCESSES[store]
            both = running(folder, by_proxy=False, ledgers=ledgers, processes=processes)
            return Track(stack.enter_context(both), ROUNDS[store])

        yield started


@pytest.fixture(params=ROUNDS)
def track(request: pytest.FixtureRequest, start: Callable[[str], Track]) -> Track:
    """Give both services on each store in turn."""
    return start(request.param)


@pytest.mark.parametrize(
    ("track", "kind"),
    [*product(["sqlite"], KINDS), *product(["postgres"], STOPS)],
    indirect=["track"],
)
def test_one_is_first_and_all_sides_agree(kind: str, track: Track) -> None:
    """Nothing opens that was stopped, refused or unconfirmed before; what all are told is so."""

    async def scenario() -> Counter[str]:
        async with a_course(track.both) as course:
            return await course.play(KINDS[kind], track.rounds)

    winners = asyncio.run(scenario())
    assert winners.total() >= track.rounds
    assert set(winners) == {ACT, OPENING}


def test_the_same_command_many_times_at_once(track: Track) -> None:
    """Thirty times the same command at the same moment: thirty times the same one account."""

    async def scenario() -> None:
        async with a_course(track.both) as course:
            asked, opening_id = await agree(course), new_id()
            event = await event_of(course, asked)
            lanes = list(islice(cycle(course.lanes), 30))
            sends = [put(lane, asked, event, opening_id) for lane in lanes]
            answers = await asyncio.gather(*sends)
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.json()["position"] for answer in answers}) == 1
            await course.check()
            assert course.logs.count("account.opened.1", asked.consent_id) == 1

    asyncio.run(scenario())


def test_many_commands_with_one_consent(track: Track) -> None:
    """Thirty commands with the same consent at the same moment: one account."""

    async def scenario() -> None:
        async with a_course(track.both) as course:
            asked = await agree(course)
            event = await event_of(course, asked)
            lanes = list(islice(cycle(course.lanes), 30))
            sends = [put(lane, asked, event, new_id()) for lane in lanes]
            statuses = Counter(answer.status_code for answer in await asyncio.gather(*sends))
            assert statuses == {201: 1, 403: 29}
            await course.check()
            assert course.logs.count("consent.redeemed.1", asked.consent_id) == 1

    asyncio.run(scenario())


def test_all_is_sealed_by_whichever_process(track: Track) -> None:
    """Several integrators of one log in one folder: none has trouble, and all come to its end."""

    async def scenario() -> None:
        async with a_course(track.both) as course, asyncio.timeout(SEALED_WITHIN_S):
            for client in (one for lane in course.lanes for one in (lane.gate, lane.accounts)):
                while True:
                    ready = (await client.get("/readyz")).json()
                    assert ready["trouble"] is None, ready
                    if ready["sealed"] == ready["head"]:
                        break
                    await asyncio.sleep(0.1)

    asyncio.run(scenario())
