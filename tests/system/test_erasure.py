"""A citizen is erased, through the whole service: what goes, what stays, and the way back."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from demo.cast import OTHER, Citizen
from demo.phone import Phone
from shared.ledger import __main__ as command
from tests.support.sealed import found
from tests.support.world import Running, World, a_running_world
from tests.system.test_api import codes, play, sealed


async def erase(world: World, person: Citizen) -> httpx.Response:
    """Erase a citizen's data as the operator."""
    answer: httpx.Response = await world.consent.post(
        f"/citizens/{person.id}/erasure",
        json={"ground": "request"},
        headers=world.tokens.keyed("operator"),
    )
    return answer


async def used_and_erased(world: World, person: Citizen) -> tuple[str, str, int]:
    """Let a citizen agree, open the account, erase; returns consent, link and the fact's place."""
    consent_id, link, event = await world.given(person)
    assert (await world.open(person, event)).is_success
    (position,) = (await erase(world, person)).json()["positions"]
    return consent_id, link, position


def test_once_nothing_is_open_and_then_once(tmp_path: Path) -> None:
    """While a consent could be used it is refused; after that it is one fact, however often."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        _, _, event = await world.given(person)
        early = await erase(world, person)
        assert (early.status_code, codes(early)) == (409, ["consent_open"])
        assert (await world.open(person, event)).is_success
        first = (await erase(world, person)).json()
        assert (await erase(world, person)).json() == first
        await world.restart()
        assert (await erase(world, person)).json() == first

    play(tmp_path, scenario)


def test_what_stays_is_proved_and_says_nothing(tmp_path: Path) -> None:
    """The fact has its proof, the log verifies, and the phone is in no byte of any file."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        _, _, position = await used_and_erased(world, person)
        log = await world.log(world.consent)
        assert log[position - 1]["kind"] == "citizen.erased.1"
        assert log[position - 1]["data"]["ground"] == "request"
        await sealed(world.consent)
        proof = await world.consent.get(f"/log/{position}/proof")
        assert proof.text.startswith("c2sp.org/tlog-proof@v1")
        assert person.phone not in json.dumps(log)
        assert found(tmp_path, person.phone.encode()) == set()

    play(tmp_path, scenario)
    assert command.main([str(tmp_path / "consent"), "--json"]) == 0


def test_pages_and_lists_live_with_it(tmp_path: Path) -> None:
    """The page says so and offers nothing to sign; the consent reads as before; nobody asks."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        consent_id, link, _ = await used_and_erased(world, person)
        page = await world.consent.get(link)
        assert page.status_code == 200
        assert 'id="erased"' in page.text
        assert 'name="decision"' not in page.text, "nothing can be signed"
        assert "/not-me" in page.text, "it can still be stopped"
        pressed = await world.consent.post(f"{link}/code", data={"decision": "withdrawn"})
        assert pressed.status_code == 409
        assert "đã được xóa" in pressed.text
        regulator = world.tokens.header("regulator")
        read = await world.consent.get(f"/consents/{consent_id}", headers=regulator)
        assert read.json()["standing"] == "redeemed"
        _, asked = await world.ask(person)
        assert (asked.status_code, codes(asked)) == (403, ["citizen_unknown"])

    play(tmp_path, scenario)


def test_a_citizen_comes_back(tmp_path: Path) -> None:
    """Registered anew, with another phone, they are asked, and can take back what they gave."""

    async def scenario(world: World) -> None:
        person = replace(world.people[0], phone="+84900099999")
        _, link, _ = await used_and_erased(world, world.people[0])
        back = await world.consent.put(
            f"/citizens/{person.id}",
            json={"phone": person.phone},
            headers=world.tokens.header("operator"),
        )
        assert back.status_code == 204
        assert (await world.ask(person, OTHER))[1].is_success
        withdrawn = await Phone(world.consent, person.phone).decide(link, "withdrawn")
        assert withdrawn.is_success
        page = await world.consent.get(link)
        assert 'id="erased"' not in page.text

    play(tmp_path, scenario)


def test_a_page_for_a_code_that_can_no_longer_be_typed_leads_back(tmp_path: Path) -> None:
    """Whoever left the page for the code open, and was erased meanwhile, sees how things stand."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        _, link, event = await world.given(person)
        signing = await world.phone(person).press(link, "withdrawn")
        assert (await world.open(person, event)).is_success
        assert (await erase(world, person)).is_success
        answer = await world.consent.get(str(signing.url))
        assert answer.status_code == 303

    play(tmp_path, scenario)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world for what is tried in many ways, whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("erasure")) as running:
        yield running


@pytest.mark.parametrize(
    ("holder", "body", "status"),
    [
        ("operator", {"ground": "because"}, 422),
        ("operator", {}, 422),
        ("gdv-01", {"ground": "request"}, 403),
        ("so-viet", {"ground": "request"}, 403),
        ("regulator", {"ground": "request"}, 403),
    ],
)
def test_only_the_operator_erases_and_says_why(
    running: Running, holder: str, body: dict[str, str], status: int
) -> None:
    """Nobody else, and no ground that the law does not know; nothing is erased by such a call."""

    async def scenario(world: World) -> None:
        person = await world.newcomer()
        answer = await world.consent.post(
            f"/citizens/{person.id}/erasure", json=body, headers=world.tokens.keyed(holder)
        )
        assert answer.status_code == status
        assert (await world.ask(person))[1].is_success

    running.play(scenario)
