"""A no leads to what it means, and says all that is wrong, in an order that can be relied upon."""

from collections.abc import Iterator

import httpx
import pytest

from demo.commands import command
from shared.contracts.reasons import REASONS
from tests.support.world import Running, World, a_running_world, new_id


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("problems")) as running:
        yield running


async def put(world: World, content: bytes, holder: str = "so-viet") -> httpx.Response:
    """Send bytes as a command."""
    headers = world.tokens.header(holder) | {"Content-Type": "application/json"}
    answer: httpx.Response = await world.accounts.put(
        f"/openings/{new_id()}", content=content, headers=headers
    )
    return answer


def test_a_type_leads_to_its_sentences(running: Running) -> None:
    """At the service that said it: JSON to a program, a page to a browser, without a token."""

    async def scenario(world: World) -> None:
        no = await put(world, b"{}")
        for client, base in (
            (world.accounts, "http://accounts"),
            (world.consent, "http://consent"),
        ):
            missing = (await client.get("/openings", headers={"Authorization": "x"})).json()
            address = f"{base}/problems/malformed"
            told = await client.get(address)
            assert told.json()["title_vi"] == REASONS["malformed"].vi
            assert told.json()["type"] == address
            assert missing.get("type", "").startswith((f"{base}/problems/", "about:blank"))
        assert no.json()["type"] == "http://accounts/problems/malformed"
        browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        page = await world.accounts.get(no.json()["type"], headers=browser)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert page.headers["vary"] == "Accept"
        for sentence in REASONS["malformed"]:
            assert sentence in page.text
        unknown = await world.accounts.get("/problems/nothing_of_ours")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")

    running.play(scenario)


def test_every_code_has_its_page(running: Running) -> None:
    """So no `type` leads nowhere."""

    async def scenario(world: World) -> None:
        for code in REASONS:
            assert (await world.accounts.get(f"/problems/{code}")).status_code == 200

    running.play(scenario)


def test_syntax_then_form_then_the_rules_and_all_that_fail(running: Running) -> None:
    """Each stage is told alone, and whole: every place of the form, every guard of the rules."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        _, _, event = await world.given(citizen, holder="so-viet")
        stranger = await world.accounts.put(f"/openings/{new_id()}", content=b"{")
        assert stranger.json()["code"] == "unauthenticated"
        syntax = await put(world, b'{"citizen_id": 1,')
        assert (syntax.status_code, len(syntax.json()["reasons"])) == (422, 1)
        form = await put(world, b'{"citizen_id": 1, "bank_id": "so-viet", "purpose": ""}')
        places = {one["detail"].split(":")[0] for one in form.json()["reasons"]}
        assert form.status_code == 422
        assert places == {"body.citizen_id", "body.product_id", "body.terms_hash", "body.purpose"}
        wrong = command(citizen, event, clerk=None)
        wrong |= {"bank_id": "truong-son", "product_id": "other", "terms_hash": "0" * 64}
        headers = world.tokens.header("so-viet")
        path = f"/openings/{new_id()}"
        rules = await world.accounts.put(path, json=wrong, headers=headers)
        codes = {one["code"] for one in rules.json()["reasons"]}
        assert rules.status_code == 403
        assert codes >= {"bank_differs", "not_own_bank", "product_differs", "terms_differ"}
        assert all(one["en"] and one["vi"] for one in rules.json()["reasons"])

    running.play(scenario)
