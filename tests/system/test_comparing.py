"""A bank compares its books: thousands of consents and openings in one request, its own alone."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo.cast import ACCOUNT, OTHER
from services.consent.application import comparing
from tests.support.faults import break_once
from tests.support.world import Running, World, a_running_world, new_id

BANKS = ("so-viet", "truong-son")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("comparing")) as running:
        yield running


async def compare(world: World, noun: str, bank: str, ids: list[str], **more: Any) -> Any:
    """Ask where these stand, as a bank."""
    answer = await asked(world, noun, bank, ids, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def asked(world: World, noun: str, bank: str, ids: list[str], **more: Any) -> httpx.Response:
    """Return the answer."""
    client = {"consent": world.consent, "opening": world.accounts}[noun]
    answer: httpx.Response = await client.post(
        "/standings",
        json={f"{noun}_ids": ids, **more},
        headers=world.tokens.header(bank),
    )
    return answer


async def opened(world: World) -> tuple[str, str, str]:
    """Have an account opened; returns its consent, its opening, and a consent that was refused."""
    citizen = await world.newcomer()
    consent_id, _, event = await world.given(citizen, holder="so-viet")
    opening_id = new_id()
    answer = await world.open(citizen, event, opening_id=opening_id, clerk=None)
    assert answer.status_code == 201
    other = await world.newcomer()
    refused, answer = await world.ask(other, OTHER, holder="truong-son")
    (await world.phone(other).decide(answer.json()["link"], "refused")).raise_for_status()
    return consent_id, opening_id, refused


def test_many_are_told_in_one_answer(running: Running) -> None:
    """In the order of asking, each once; what is nobody's, and what is another's, are alike."""

    async def scenario(world: World) -> None:
        consent_id, opening_id, refused = await opened(world)
        nobodys = new_id()
        ids = [refused, nobodys, consent_id, consent_id]
        told = await compare(world, "consent", "so-viet", ids)
        assert [(one["consent_id"], one["standing"]) for one in told["consents"]] == [
            (consent_id, "redeemed")
        ]
        assert told["unknown"] == [refused, nobodys]
        theirs = await compare(world, "consent", "truong-son", ids)
        assert [one["standing"] for one in theirs["consents"]] == ["refused"]
        told = await compare(world, "opening", "so-viet", [nobodys, opening_id])
        assert [one["standing"] for one in told["openings"]] == ["opened"]
        theirs = await compare(world, "opening", "truong-son", [nobodys, opening_id])
        assert theirs == {"openings": [], "unknown": [nobodys, opening_id]}

    running.play(scenario)


def test_the_answer_can_be_of_some_standings_alone(running: Running) -> None:
    """What stands otherwise is neither told nor unknown; so it is not looked at either."""

    async def scenario(world: World) -> None:
        consent_id, opening_id, _ = await opened(world)
        log = await world.log(world.consent)
        told = await compare(world, "consent", "so-viet", [consent_id], standing=["withdrawn"])
        assert told == {"consents": [], "unknown": []}
        assert await world.log(world.consent, after=log[-1]["position"]) == []
        told = await compare(world, "opening", "so-viet", [opening_id], standing=["opened"])
        assert [one["opening_id"] for one in told["openings"]] == [opening_id]

    running.play(scenario)


def test_what_is_told_is_a_look_that_is_recorded_first(running: Running) -> None:
    """One for each, once in the hour; where it cannot be recorded, nothing is told."""

    async def scenario(world: World) -> None:
        consent_id, opening_id, _ = await opened(world)
        for noun, client, own_id in (
            ("consent", world.consent, consent_id),
            ("opening", world.accounts, opening_id),
        ):
            before = (await world.newest(client))["position"]
            for _ in range(2):
                await compare(world, noun, "so-viet", [own_id])
            (look,) = await world.log(client, after=before)
            assert look["data"]["fields"] == [f"{noun}_id", "standing"]
            assert look["data"]["read_by"] == "bank:so-viet"
        later, _, _ = await opened(world)
        break_once(world.consent_app.state.log.recorder, "before")
        answer = await asked(world, "consent", "so-viet", [later])
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")

    running.play(scenario)


def test_so_many_and_no_more(running: Running) -> None:
    """5,000 are answered; 5,001, none, and what is no id are malformed; others may not ask."""

    async def scenario(world: World) -> None:
        consent_id, _, _ = await opened(world)
        ids = [*(new_id() for _ in range(4_999)), consent_id]
        told = await compare(world, "consent", "so-viet", ids)
        assert (len(told["consents"]), len(told["unknown"])) == (1, 4_999)
        told = await compare(world, "opening", "so-viet", ids)
        assert len(told["unknown"]) == 5_000
        for wrong in ([*ids, new_id()], [], ["no id!"]):
            assert (await asked(world, "consent", "so-viet", wrong)).status_code == 422
        assert (await asked(world, "consent", "gdv-01", ids[:1])).status_code == 403

    running.play(scenario)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(order=st.permutations(range(6)), slices=st.integers(1, 4))
def test_a_bank_is_told_its_own_and_no_other(
    running: Running, order: list[int], slices: int
) -> None:
    """However the ids are mixed, and wherever a slice of them ends."""

    async def scenario(world: World) -> None:
        own, theirs, nobodys = ITS.setdefault("ids", await _of_both(world))
        ids = [[*own, *theirs, *nobodys][place] for place in order]
        told = await compare(world, "consent", "so-viet", ids)
        assert [one["consent_id"] for one in told["consents"]] == [o for o in ids if o in own]
        assert told["unknown"] == [one for one in ids if one not in own]

    before, comparing.AT_ONCE = comparing.AT_ONCE, slices
    try:
        running.play(scenario)
    finally:
        comparing.AT_ONCE = before


ITS: dict[str, Any] = {}


async def _of_both(world: World) -> tuple[list[str], list[str], list[str]]:
    """Ask two citizens for each of both banks; returns the ids, and two of nobody."""
    asked_for = dict[str, list[str]]()
    for bank, product in zip(BANKS, (ACCOUNT, OTHER), strict=True):
        for _ in range(2):
            consent_id, answer = await world.ask(await world.newcomer(), product, holder=bank)
            answer.raise_for_status()
            asked_for.setdefault(bank, []).append(consent_id)
    return asked_for[BANKS[0]], asked_for[BANKS[1]], [new_id(), new_id()]
