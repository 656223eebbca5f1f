"""Either process is killed at each arrow of an opening; the same command again ends well.

Real processes, real files, kill -9. The arrows: redeem is asked for, redeemed, recorded, answered.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest

from demo.cast import Citizen
from demo.integrity import of_kind
from demo.services import Service
from tests.support.processes import Running, Stand, a_stand, running
from tests.support.proxy import pass_on
from tests.support.world import new_id

Scenario = Callable[[Stand], Awaitable[None]]

REDEMPTION = b"/redemptions "


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

    asyncio.run(run())


def kill_once(service: Service) -> Callable[[bytes], bool]:
    """Return a moment that kills a service at the first redemption, and hands nothing on."""

    def moment(_: bytes) -> bool:
        service.kill()
        return False

    return moment


async def lost(stand: Stand, opening_id: str, event: str) -> None:
    """Send the command and get no account for it: no answer, or none that decides."""
    try:
        answer = await stand.world.open(stand.world.people[0], event, opening_id=opening_id)
    except httpx.TransportError:
        return
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


async def opens_in_the_end(stand: Stand, consent_id: str, opening_id: str, event: str) -> None:
    """Repeat the command: one account, no second one by another command, and sound logs."""
    citizen = stand.world.people[0]
    for _ in range(2):
        answer = await stand.world.open(citizen, event, opening_id=opening_id)
        assert answer.status_code == 201, answer.text
    assert (await stand.world.open(citizen, event)).status_code == 403
    assert await stand.uses(consent_id) == (1, 1)
    assert await stand.violations() == []


@pytest.mark.parametrize("redeemed", [False, True], ids=["before-redeem", "after-redeem"])
def test_accounts_killed_around_the_redemption(both: Running, *, redeemed: bool) -> None:
    """Accounts dies before it asks, or before it hears: repeating opens exactly one account."""

    async def scenario(stand: Stand) -> None:
        consent_id, _, event = await stand.world.given(stand.world.people[0])
        opening_id, accounts = new_id(), stand.services.accounts
        kill = kill_once(accounts)
        if redeemed:
            stand.between.on_answer = lambda answer: b"receipt" not in answer or kill(answer)
        else:
            stand.between.on_request = lambda request: REDEMPTION not in request or kill(request)
        await lost(stand, opening_id, event)
        used = (await stand.kinds("consent", consent_id)).count("consent.redeemed.1")
        assert used == int(redeemed)
        stand.between.on_request = stand.between.on_answer = pass_on
        accounts.start()
        assert await stand.uses(consent_id) == (int(redeemed), 0)
        await opens_in_the_end(stand, consent_id, opening_id, event)

    play(both, scenario)


def test_accounts_killed_before_its_answer_arrives(both: Running) -> None:
    """Accounts dies after the record: the account is there, and repeating finds it."""

    async def scenario(stand: Stand) -> None:
        consent_id, _, event = await stand.world.given(stand.world.people[0])
        opening_id, accounts = new_id(), stand.services.accounts
        straight = stand.world.accounts
        base = f"http://127.0.0.1:{stand.before.port}"
        stand.before.on_answer = kill_once(accounts)
        async with httpx.AsyncClient(base_url=base, timeout=5) as by_proxy:
            stand.world.accounts = by_proxy
            await lost(stand, opening_id, event)
        stand.world.accounts = straight
        accounts.start()
        assert await stand.uses(consent_id) == (1, 1)
        await opens_in_the_end(stand, consent_id, opening_id, event)

    play(both, scenario)


@pytest.mark.parametrize("redeemed", [False, True], ids=["before-redeem", "after-redeem"])
def test_consent_killed_around_the_redemption(both: Running, *, redeemed: bool) -> None:
    """The consent service dies before it redeems, or before its answer is heard: 503, then one."""

    async def scenario(stand: Stand) -> None:
        consent_id, _, event = await stand.world.given(stand.world.people[0])
        opening_id, consent = new_id(), stand.services.consent
        kill = kill_once(consent)
        if redeemed:
            stand.between.on_answer = lambda answer: b"receipt" not in answer or kill(answer)
        else:
            stand.between.on_request = lambda request: REDEMPTION not in request or kill(request)
        await lost(stand, opening_id, event)
        stand.between.on_request = stand.between.on_answer = pass_on
        consent.start()
        assert await stand.uses(consent_id) == (int(redeemed), 0)
        await opens_in_the_end(stand, consent_id, opening_id, event)

    play(both, scenario)


def test_a_used_consent_opens_nothing_for_another_command(both: Running) -> None:
    """After a crash between use and record, only the command that used the consent finishes."""

    async def scenario(stand: Stand) -> None:
        citizen = stand.world.people[0]
        consent_id, _, event = await stand.world.given(citizen)
        stand.between.on_answer = lambda answer: b"receipt" not in answer
        await lost(stand, new_id(), event)
        stand.between.on_answer = pass_on
        answer = await stand.world.open(citizen, event)
        assert answer.status_code == 403
        assert [reason["code"] for reason in answer.json()["reasons"]] == ["consent_used"]
        assert await stand.uses(consent_id) == (1, 0)
        assert await stand.violations() == []

    play(both, scenario)


def test_consent_killed_in_a_burst_of_openings(both: Running) -> None:
    """Ten openings at once, the consent service killed among them, all repeated: ten accounts."""

    async def scenario(stand: Stand) -> None:
        people = stand.world.people[:10]
        given = await asyncio.gather(*(stand.world.given(one) for one in people))
        asked = list(zip(people, given, strict=True))
        commands = [(citizen, event, new_id()) for citizen, (_, _, event) in asked]

        async def send(citizen: Citizen, event: str, opening_id: str) -> int:
            answer = await stand.world.open(citizen, event, opening_id=opening_id)
            return answer.status_code

        async def kill_soon() -> None:
            await asyncio.sleep(0.01)
            stand.services.consent.kill()

        first = await asyncio.gather(*(send(*one) for one in commands), kill_soon())
        assert set(first) <= {201, 503, None}
        stand.services.consent.start()
        again = await asyncio.gather(*(send(*one) for one in commands))
        assert again == [201] * len(commands)
        _, accounts = await stand.logs()
        opened = Counter(one["data"]["consent_id"] for one in of_kind(accounts, "account.opened.1"))
        assert [opened[consent_id] for consent_id, _, _ in given] == [1] * len(commands)
        assert await stand.violations() == []

    play(both, scenario)
