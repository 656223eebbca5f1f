"""Clocks that go back or are behind, at the real service: what ended has ended for each of them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from demo.cast import KNOWN_SINCE, OFFICE
from services.consent import main as consent_main
from services.consent.policy import Policy
from services.consent.settings import Settings
from shared.clock import SandboxClock
from tests.support.authenticator import ORIGIN, RP_ID
from tests.support.world import World
from tests.system.test_gate import codes, suspend
from tests.system.test_passkeys import play

BEHIND = timedelta(minutes=10)


async def put_contract(world: World, until: str | None) -> None:
    """Say until when the bank has its contract with the office, as the bank."""
    path, body = f"/offices/{OFFICE[0]}/contracts/so-viet", {"valid_from": KNOWN_SINCE}
    headers = world.tokens.header("so-viet")
    answer = await world.consent.put(path, json={**body, "valid_until": until}, headers=headers)
    answer.raise_for_status()


def a_second(world: World) -> Any:
    """Return a second process's service on the same log and folder, whose clock is behind."""
    clock = SandboxClock(world.folder / "clock-behind")
    clock.move_to(world.clock() - BEHIND)
    settings = Settings(
        folder=world.folder / "consent",
        tokens=world.tokens.file,
        public_url="http://consent",
        passkey_domain=RP_ID,
        passkey_origins=(ORIGIN,),
        sandbox=True,
        clock_file=world.folder / "clock-behind",
    )
    return consent_main.create_app(settings, httpx.AsyncClient())


def test_what_was_stopped_is_stopped_for_a_process_whose_clock_is_behind(tmp_path: Path) -> None:
    """A right that ended just now, and a suspension; it is ten minutes behind."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        _, _, event = await world.given(person)
        world.clock.move_to(world.clock() + 2 * BEHIND)  # it would be too new for the other
        first, second = world.wire.app, a_second(world)
        world.wire.app = second  # where accounts redeems
        try:
            await put_contract(world, world.clock().isoformat())
            assert codes(await world.open(person, event)) == ["contract_missing"]
            await put_contract(world, None)
            assert (await suspend(world, "manager", "s-1", office_id=OFFICE[0])).is_success
            assert codes(await world.open(person, event)) == ["office_suspended"]
        finally:
            world.wire.app = first
            async with second.router.lifespan_context(second):
                pass  # let go of its files

    play(tmp_path, scenario)


def test_a_clock_that_was_set_back_brings_nothing_back(tmp_path: Path) -> None:
    """A right that ended, an agreement that expired; what goes on is recorded in order."""

    async def scenario(world: World) -> None:
        person, other = world.people[:2]
        _, _, event = await world.given(person)  # from here on for an hour
        world.clock.move_to(world.clock() + Policy().usable_for - timedelta(minutes=1))
        await put_contract(world, world.clock().isoformat())
        world.clock.move_to(world.clock() - BEHIND)
        assert codes(await world.open(person, event)) == ["contract_missing"]
        assert codes((await world.ask(other))[1]) == ["contract_missing"]
        await put_contract(world, None)
        world.clock.move_to(world.clock() + BEHIND + timedelta(minutes=1))
        await world.newcomer()  # anything that is recorded now
        world.clock.move_to(world.clock() - BEHIND)
        assert codes(await world.open(person, event)) == ["consent_expired"]
        log = await world.log(world.consent)
        assert [one["recorded_at"] for one in log] == sorted(one["recorded_at"] for one in log)

    play(tmp_path, scenario)
