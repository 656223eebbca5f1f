"""What has not changed is not sent again, and whoever asks too often hears when to go on."""

from collections.abc import Iterator

import pytest

from shared.etags import DIGITS
from tests.support.world import Running, World, a_running_world


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("repeated")) as running:
        yield running


def test_an_answer_that_is_known_is_not_sent_again(running: Running) -> None:
    """304 without a body, until something happened; problems and other kinds have no tag."""

    async def scenario(world: World) -> None:
        citizen, headers = await world.newcomer(), world.tokens.header("so-viet")
        consent_id, answer = await world.ask(citizen, holder="so-viet")
        link, path = answer.json()["link"], f"/consents/{consent_id}"
        first = await world.consent.get(path, headers=headers)
        tag = first.headers["etag"]
        assert len(tag) == DIGITS + 2
        assert first.headers["cache-control"] == "private, no-cache"
        for known in (tag, f'"other", W/{tag}', "*"):
            again = await world.consent.get(path, headers={**headers, "If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        (await world.phone(citizen).decide(link, "given")).raise_for_status()
        changed = await world.consent.get(path, headers={**headers, "If-None-Match": tag})
        assert (changed.status_code, changed.json()["standing"]) == (200, "given")
        assert changed.headers["etag"] != tag
        unknown = await world.consent.get("/consents/none", headers=headers)
        text = await world.consent.get("/metrics")
        assert not {"etag"} & {*unknown.headers, *text.headers}

    running.play(scenario)


def test_whoever_asks_too_often_hears_when_to_go_on(running: Running) -> None:
    """429 for that bank alone, counted over all routes; our own services are not counted."""

    async def scenario(world: World) -> None:
        def rate(headers: dict[str, str]) -> str:
            return headers["ratelimit"].partition(";")[2]

        world.accounts_app.state.rates._limit = 3
        try:
            for left in (2, 1, 0):
                answer = await world.accounts.get(
                    "/openings", headers={"Authorization": "Bearer nobody"}
                )
                assert answer.status_code == 401  # nobody of that name: not counted
                answer = await world.accounts.get(
                    "/openings", headers=world.tokens.header("so-viet")
                )
                assert rate(dict(answer.headers)).startswith(f"r={left};")
                assert answer.headers["ratelimit-policy"] == '"caller";q=3;w=60'
            answer = await world.accounts.get("/rejections", headers=world.tokens.header("so-viet"))
            assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
            assert 1 <= int(answer.headers["retry-after"]) <= 20
            assert rate(dict(answer.headers)).startswith("r=0;")
            for holder in ("truong-son", *["consent"] * 5):
                answer = await world.accounts.get("/openings", headers=world.tokens.header(holder))
                assert answer.status_code == 200
        finally:
            world.accounts_app.state.rates._limit = 60_000

    running.play(scenario)
