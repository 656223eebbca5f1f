"""A sandbox is tried out in minutes, and nothing else has what makes that possible."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from services.accounts import main as accounts_main
from services.accounts.settings import Settings
from tests.support.world import Running, World, a_running_world


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def test_the_clock_of_both_services_is_moved_at_once(running: Running) -> None:
    """A question lapses without anybody waiting; the clock never goes back."""

    async def scenario(world: World) -> None:
        consent_id, answer = await world.ask(await world.newcomer(), holder="so-viet")
        later = datetime.fromisoformat(answer.json()["decide_by"]) + timedelta(seconds=1)
        body = {"now": later.isoformat()}
        moved = await world.accounts.put("/sandbox/clock", json=body)
        assert moved.status_code == 200
        told = (await world.consent.get("/sandbox/clock")).json()["now"]
        assert later <= datetime.fromisoformat(told) < later + timedelta(minutes=1)
        read = await world.consent.get(
            f"/consents/{consent_id}", headers=world.tokens.header("so-viet")
        )
        assert read.json()["standing"] == "lapsed"
        back = {"now": (later - timedelta(hours=1)).isoformat()}
        for wrong, status, code in (
            (back, 409, "clock_only_forward"),
            ({"now": 5}, 422, "malformed"),
            ({"now": "2023-08-09T07:00:00"}, 422, "malformed"),
        ):
            no = await world.accounts.put("/sandbox/clock", json=wrong)
            assert (no.status_code, no.json()["code"]) == (status, code)

    running.play(scenario)


def test_nobody_moves_the_clock_of_a_service_for_real_people(tmp_path: Path) -> None:
    """Without a sandbox there is no such route, in the document or out of it."""
    for sandbox in (True, False):
        settings = Settings(folder=tmp_path, sandbox=sandbox, clock_file=tmp_path / "clock")
        accounts_main.init(settings)
        app = accounts_main.create_app(settings)
        assert ("/sandbox/clock" in app.openapi()["paths"]) == sandbox
        assert any(getattr(one, "path", "") == "/sandbox/clock" for one in app.routes) == sandbox
        app.state.seal.close()
        app.state.log.close()
