"""A list whose way is cut: by kill -9, a lost request, a lost answer, a bank that goes away.

Real processes, real sockets. Sent again it is finished, and said once. While one is taken, whoever
asks for something else is answered.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.cast import ACCOUNT
from tests.support.lists import as_csv, line
from tests.support.processes import Running, Stand, a_stand, running
from tests.support.proxy import pass_on
from tests.support.world import new_id

DOCUMENT = Path(__file__).parents[2] / "docs" / "bank-api.md"
BANK = ACCOUNT.bank_id
LINES = 1_600
BLOCK = 8_192
PLACES = range(7, LINES, 300)
"""Which lines are bad, among orphans."""

Scenario = Callable[[Stand], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give both services, for one scenario after the other; whoever is dead is started first."""
    with running(tmp_path_factory.mktemp("both")) as both:
        yield both


def play(both: Running, scenario: Scenario) -> None:
    """Run a scenario on running services."""

    async def run() -> None:
        async with a_stand(both) as stand:
            await scenario(stand)
            assert await stand.violations() == []

    asyncio.run(run())


def a_list(prefix: str, lines: int = LINES) -> bytes:
    """Return a list of accounts that are nobody's else."""
    numbers = ("1" if at in PLACES else f"{prefix}{at:08d}" for at in range(lines))
    return as_csv([line(one) for one in numbers])


async def in_blocks(body: bytes, until: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    """Yield a body; with `until`, no more than half of it before that."""
    for at in range(0, len(body), BLOCK):
        if until and at > len(body) // 2:
            await until.wait()
        yield body[at : at + BLOCK]


async def hand_in(
    stand: Stand, own_id: str, body: Any, client: httpx.AsyncClient | None = None
) -> httpx.Response:
    """Hand in a list."""
    headers = {**stand.world.tokens.header(BANK), "Content-Type": "text/csv"}
    client = client or stand.world.accounts
    return await client.put(
        f"/reconciliations/{own_id}", params={"day": "2023-08-09"}, content=body, headers=headers
    )


async def so_far(stand: Stand, own_id: str) -> dict[str, Any]:
    """Return what is recorded of a list, nothing if there is none."""
    headers = stand.world.tokens.header(BANK)
    answer = await stand.world.accounts.get(f"/reconciliations/{own_id}", headers=headers)
    document: dict[str, Any] = answer.json()
    return document if answer.status_code == 200 else {}


async def half(stand: Stand, own_id: str) -> dict[str, Any]:
    """Wait until some of a list is recorded, and return what."""
    deadline = time.monotonic() + 10
    while not (found := await so_far(stand, own_id)) or not found["counts"]["lines"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return found


async def finished(stand: Stand, own_id: str, body: bytes) -> None:
    """Hand in the whole list: it is finished, every line said once; and again, which adds none."""
    whole = (await hand_in(stand, own_id, body)).raise_for_status().json()
    bad = len(PLACES)
    said = {name: count for name, count in whole["counts"].items() if count}
    assert said == {"lines": LINES, "without_consent": LINES - bad, "bad": bad}
    log = await stand.world.log(stand.world.accounts)
    own = [one for one in log if f"reconciliation:{BANK}.{own_id}" in one["tags"]]
    orphans = [one["data"]["line"] for one in own if one["kind"] == "account.unconsented.1"]
    assert orphans == [at + 2 for at in range(LINES) if at not in PLACES]
    again = await hand_in(stand, own_id, body)
    assert again.json() == whole
    assert len(await stand.world.log(stand.world.accounts)) == len(log)


def test_a_service_killed_in_the_middle_finishes_when_the_list_comes_again(both: Running) -> None:
    """What was recorded stays, and is not said twice."""

    async def scenario(stand: Stand) -> None:
        own_id, body, until = new_id(), a_list("10"), asyncio.Event()
        sending = asyncio.create_task(hand_in(stand, own_id, in_blocks(body, until)))
        await half(stand, own_id)
        stand.services.accounts.kill()
        until.set()
        with suppress(httpx.TransportError):
            await sending
        stand.services.accounts.start()
        part = await so_far(stand, own_id)
        assert part["standing"] == "reading"
        assert 0 < part["counts"]["lines"] < LINES
        await finished(stand, own_id, body)

    play(both, scenario)


def test_a_service_killed_at_any_moment_loses_and_repeats_nothing(both: Running) -> None:
    """Three times in a row, wherever it is in the list, the last time perhaps at its end."""

    async def scenario(stand: Stand) -> None:
        own_id, body = new_id(), a_list("20")
        for pause in (0.02, 0.1, 0.3):
            sending = asyncio.create_task(hand_in(stand, own_id, in_blocks(body)))
            await asyncio.sleep(pause)
            stand.services.accounts.kill()
            with suppress(httpx.TransportError):
                await sending
            stand.services.accounts.start()
        await finished(stand, own_id, body)

    play(both, scenario)


@pytest.mark.parametrize("arrives", [False, True], ids=["lost-before", "lost-after"])
def test_a_lost_request_and_a_lost_answer_come_to_one(both: Running, *, arrives: bool) -> None:
    """Sent again, the list is taken once."""

    async def scenario(stand: Stand) -> None:
        own_id, body = new_id(), a_list("30" if arrives else "40")
        lost = {"on_answer" if arrives else "on_request": lambda _: False}
        stand.before.on_request = lost.get("on_request", pass_on)
        stand.before.on_answer = lost.get("on_answer", pass_on)
        base = f"http://127.0.0.1:{stand.before.port}"
        async with httpx.AsyncClient(base_url=base, timeout=10) as by_proxy:
            with pytest.raises(httpx.TransportError):
                await hand_in(stand, own_id, body, by_proxy)
        assert (await so_far(stand, own_id)).get("standing") == ("done" if arrives else None)
        await finished(stand, own_id, body)

    play(both, scenario)


def test_a_bank_that_goes_away_leaves_its_place(both: Running) -> None:
    """What came is recorded; the next list is taken at once, without anybody waiting for a time."""

    async def scenario(stand: Stand) -> None:
        own_id, body = new_id(), a_list("50")
        sending = asyncio.create_task(
            hand_in(stand, own_id, in_blocks(body, until=asyncio.Event()))
        )
        await half(stand, own_id)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        deadline = time.monotonic() + 5
        while (await hand_in(stand, own_id, body)).status_code == 503:
            assert time.monotonic() < deadline
        await finished(stand, own_id, body)

    play(both, scenario)


def test_others_are_answered_while_a_list_is_taken(both: Running) -> None:
    """A clerk and another bank do not wait for it: reading and matching leave room between."""

    async def scenario(stand: Stand) -> None:
        header = stand.world.tokens.header("truong-son")
        sending = asyncio.create_task(hand_in(stand, new_id(), in_blocks(a_list("60", 4_000))))
        waits = list[float]()
        while not sending.done():
            started = time.perf_counter()
            answer = await stand.world.accounts.get("/openings/none", headers=header)
            assert answer.status_code == 404
            waits.append(time.perf_counter() - started)
        assert sending.result().status_code == 200
        assert len(waits) > 10
        assert max(waits) < 0.5

    play(both, scenario)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_documented_call_works_at_real_processes(both: Running, tmp_path: Path) -> None:
    """The block of docs/bank-api.md, with its own file: both lines are told, as nobody's."""
    section = DOCUMENT.read_text("utf-8").partition("## Reconciling")[2]
    call, table = (
        re.findall(rf"```{one}\n(.*?)```", section, re.DOTALL)[0] for one in ("sh", "csv")
    )
    (tmp_path / "accounts.csv").write_text(table, "utf-8")
    env = {
        **os.environ,
        "ACCOUNTS": both.services.accounts.url,
        "BANK_TOKEN": both.tokens.by_holder[BANK],
    }
    both.revive()
    done = subprocess.run(
        ["sh", "-euc", call], cwd=tmp_path, env=env, capture_output=True, timeout=30, check=True
    )
    counts = json.loads(done.stdout)["counts"]
    assert (counts["lines"], counts["without_consent"]) == (2, 2)
