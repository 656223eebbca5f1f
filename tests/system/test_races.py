"""Withdrawing and opening at the same moment, over real sockets: one winner, both sides agree."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from demo.cast import Citizen
from tests.support.processes import Running, Stand, a_stand, running
from tests.support.world import new_id

RACES = 200
AT_ONCE = 5
"""Races that are prepared and run together, each with a citizen of its own."""

HEAD_STARTS_S = (0.0, 0.002, 0.004, 0.006, 0.008)
"""Seconds by which the opening is sent before the withdrawal, so that either may be first."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give both services, for one race after the other."""
    with running(tmp_path_factory.mktemp("both")) as both:
        yield both


async def race(stand: Stand, citizen: Citizen, head_start_s: float) -> str:
    """Run one race; returns who won, having checked that answers and log agree."""
    world = stand.world
    consent_id, link, event = await world.given(citizen)
    phone = world.phone(citizen)
    page = await phone.press(link, "withdrawn")
    code = await phone.last_code()
    opening = asyncio.create_task(world.open(citizen, event))
    await asyncio.sleep(head_start_s)
    withdrawal, opened = await asyncio.gather(phone.type_code(page, code), opening)
    assert withdrawal.status_code == 200, withdrawal.text
    answer = await world.consent.get(
        f"/consents/{consent_id}", headers=world.tokens.header("regulator")
    )
    positions = answer.json()["positions"]
    if opened.status_code == 201:
        assert positions["redeemed"] < positions["withdrawn"]
        assert answer.json()["standing"] == "withdrawn_after_use"
        return "opening"
    assert opened.status_code == 403, opened.text
    assert [one["code"] for one in opened.json()["reasons"]] == ["consent_withdrawn"]
    assert "redeemed" not in positions
    return "withdrawal"


def test_two_hundred_races_of_withdrawal_and_opening(both: Running) -> None:
    """Each race has one winner, and what both parties were told is what the log says."""

    async def scenario() -> Counter[str]:
        async with a_stand(both) as stand:
            winners = Counter[str]()
            for number in range(RACES // AT_ONCE):
                people = stand.world.people[:AT_ONCE]
                starts = (HEAD_STARTS_S[(number + i) % len(HEAD_STARTS_S)] for i in range(AT_ONCE))
                races = [race(stand, *one) for one in zip(people, starts, strict=True)]
                winners.update(await asyncio.gather(*races))
            assert await stand.violations() == []
            return winners

    winners = asyncio.run(scenario())
    assert sum(winners.values()) == RACES
    assert set(winners) == {"opening", "withdrawal"}


def test_the_same_command_many_times_at_once(both: Running) -> None:
    """Thirty times the same command at the same moment: thirty times the same one account."""

    async def scenario() -> None:
        async with a_stand(both) as stand:
            citizen, opening_id = stand.world.people[0], new_id()
            consent_id, _, event = await stand.world.given(citizen)
            sends = [stand.world.open(citizen, event, opening_id=opening_id) for _ in range(30)]
            answers = await asyncio.gather(*sends)
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.json()["position"] for answer in answers}) == 1
            assert await stand.uses(consent_id) == (1, 1)
            assert await stand.violations() == []

    asyncio.run(scenario())


def test_many_commands_with_one_consent(both: Running) -> None:
    """Thirty commands with the same consent at the same moment: one account."""

    async def scenario() -> None:
        async with a_stand(both) as stand:
            citizen = stand.world.people[0]
            consent_id, _, event = await stand.world.given(citizen)
            answers = await asyncio.gather(*(stand.world.open(citizen, event) for _ in range(30)))
            statuses = Counter(answer.status_code for answer in answers)
            assert statuses == {201: 1, 403: 29}
            assert await stand.uses(consent_id) == (1, 1)
            assert await stand.violations() == []

    asyncio.run(scenario())
