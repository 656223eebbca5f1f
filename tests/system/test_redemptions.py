"""Openings that wait together use their consents in one call, and each is told its own outcome."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from services.accounts import consents
from services.consent.application.asking import Asking
from tests.support.world import Running, World, a_running_world, new_id

TOGETHER = "/redemptions"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("redemptions")) as running:
        running.world.holder = "so-viet"
        yield running


async def openings(world: World, count: int) -> list[tuple[Any, ...]]:
    """Return as many citizens with their events and ids for their openings."""
    people = [await world.newcomer() for _ in range(count)]
    given = [await world.given(one) for one in people]
    return [
        (person, event, new_id(), consent_id, link)
        for person, (consent_id, link, event) in zip(people, given, strict=True)
    ]


async def open_all(world: World, wanted: list[tuple[Any, ...]]) -> list[httpx.Response]:
    """Send all commands at once."""
    return await asyncio.gather(*(world.open(one[0], one[1], opening_id=one[2]) for one in wanted))


def redemption(consent_id: str, **changes: Any) -> dict[str, Any]:
    """Return one use among several, of a statement that nobody signed."""
    own = {"redemption_id": new_id(), "statement_hash": "0" * 64, "command_hash": "0" * 64}
    return {"consent_id": consent_id, **own, **changes}


async def redeem(world: World, *uses: dict[str, Any]) -> httpx.Response:
    """Ask for several uses as accounts would."""
    headers = world.tokens.header("accounts")
    answer: httpx.Response = await world.consent.post(
        "/redemptions", json={"redemptions": list(uses)}, headers=headers
    )
    return answer


def test_openings_that_wait_go_together(running: Running) -> None:
    """Eight commands at once open eight accounts, with fewer calls; a withdrawn one opens none."""

    async def scenario(world: World) -> None:
        wanted = await openings(world, 8)
        phone = world.phone(wanted[3][0])
        (await phone.decide(wanted[3][4], "withdrawn")).raise_for_status()
        before = len(world.wire.paths)
        answers = await open_all(world, wanted)
        assert [one.status_code for one in answers] == [201] * 3 + [403] + [201] * 4
        assert [one["code"] for one in answers[3].json()["reasons"]] == ["consent_withdrawn"]
        asked = world.wire.paths[before:]
        assert TOGETHER in asked
        assert len(asked) < 8

    running.play(scenario)


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_lost_call_is_repeated_by_each(running: Running, fault: str) -> None:
    """Lost before or after: nobody opens, nobody is refused for good, and each again opens one."""

    async def scenario(world: World) -> None:
        wanted = await openings(world, 6)
        world.wire.faults, world.wire.only = [fault] * 6, TOGETHER
        assert {one.status_code for one in await open_all(world, wanted)} == {503}
        world.wire.faults = []
        assert {one.status_code for one in await open_all(world, wanted)} == {201}
        assert {one.status_code for one in await open_all(world, wanted)} == {201}
        log = await world.log(world.consent)
        for one in wanted:
            used = [fact for fact in log if fact["kind"] == "consent.redeemed.1"]
            assert [fact["data"]["consent_id"] for fact in used].count(one[3]) == 1

    running.play(scenario)


def test_each_in_a_list_has_its_own_outcome(running: Running) -> None:
    """Unknown, of another statement, refused twice under one id: each by itself, in order."""

    async def scenario(world: World) -> None:
        ((_, _, _, consent_id, _),) = await openings(world, 1)
        twice = redemption(consent_id)
        answer = await redeem(world, redemption("unheard-of"), twice, twice)
        assert answer.status_code == 200
        outcomes = answer.json()["outcomes"]
        assert [one["status"] for one in outcomes] == [404, 409, 409]
        codes = [[why["code"] for why in one["reasons"]] for one in outcomes]
        assert codes == [["consent_unknown"], *[["statement_differs"]] * 2]
        assert [one["receipt"] for one in outcomes] == [None] * 3

    running.play(scenario)


def test_a_list_is_bounded_and_for_services(running: Running) -> None:
    """None, too many, one that cannot be read, another role: nothing is used."""

    async def scenario(world: World) -> None:
        for uses in (
            [],
            [redemption("c")] * 65,
            [redemption("c"), redemption("c", statement_hash="x")],
        ):
            assert (await redeem(world, *uses)).status_code == 422
        refused = await world.consent.post(
            "/redemptions",
            json={"redemptions": [redemption("c")]},
            headers=world.tokens.header("so-viet"),
        )
        assert refused.status_code == 403

    running.play(scenario)


def test_one_that_cannot_be_read_keeps_no_other_from_opening(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the list as a whole is refused, each goes alone."""

    async def scenario(world: World) -> None:
        wanted = await openings(world, 4)
        monkeypatch.setattr("services.accounts.consents._use", longer(wanted[2][2]))
        answers = await open_all(world, wanted)
        assert [one.status_code for one in answers] == [201, 201, 403, 201]
        assert [one["code"] for one in answers[2].json()["reasons"]] == ["malformed"]

    running.play(scenario)


def longer(opening_id: str) -> Any:
    """Return what makes one use unreadable, as an address of a hundred characters would."""
    plain = consents._use

    def use(judged: Any) -> dict[str, str | None]:
        found = plain(judged)
        mine = judged.command.opening_id == opening_id
        return {**found, "approved_from": "x" * 100} if mine else found

    return use


def test_a_defect_in_one_is_not_told_to_the_others(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told that something went wrong here, and may be sent again."""

    async def scenario(world: World) -> None:
        first, second = await openings(world, 2)
        plain = Asking.redeem

        async def broken(self: Asking, asked: Any, host: str | None) -> str:
            if asked.consent_id == first[3]:
                raise RuntimeError("a defect")
            return await plain(self, asked, host)

        with monkeypatch.context() as patched:
            patched.setattr(Asking, "redeem", broken)
            answer = await redeem(world, redemption(first[3]), redemption(second[3]))
        assert [one["status"] for one in answer.json()["outcomes"]] == [503, 409]

    running.play(scenario)
