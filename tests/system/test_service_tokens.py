"""The services call each other as clients with keys of their own, and nothing opens by less."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from demo.cast import Citizen
from services.accounts import main as accounts_main
from services.accounts.settings import Settings as AccountsSettings
from services.consent.pages.words import VIETNAMESE
from shared import service_tokens
from shared.authority import KEYS as TOKEN_KEYS
from shared.clock import system_clock
from shared.service_tokens import KEYS, ROW, Access, NoAccess, Other, _Held, create_client
from shared.signing import KEY_VALIDITY, create_key, load_keys, token_header
from tests.support.clients import register
from tests.support.world import Running, World, a_running_world, new_id
from tests.system.test_own_page import a_link

TOKEN = "/oauth/token"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world whose services are each other's clients, and whose logs are sound in the end."""
    folder = tmp_path_factory.mktemp("services")
    with a_running_world(folder) as running:
        world = running.world
        world.clients, world.as_clients, world.holder = folder / "clients.json", True, "so-viet"
        known(world)
        running.play(World.restart)
        yield running


def known(world: World, *names: str) -> None:
    """Register so many services as clients; both, if none is named."""
    assert world.clients
    rows = [json.loads((world.folder / name / ROW).read_text()) for name in names or BOTH]
    register(world.clients, *rows)


BOTH = ("consent", "accounts")


def tokens_asked(world: World) -> int:
    """Return how often accounts asked for a token so far."""
    return world.wire.paths.count(TOKEN)


async def someone(world: World) -> tuple[Citizen, str]:
    """Return a newcomer, and their agreement."""
    citizen = await world.newcomer()
    _, _, event = await world.given(citizen)
    return citizen, event


async def unreachable(world: World, citizen: Citizen, event: str, opening_id: str) -> None:
    """Check that nothing opens, that this says why, and that it may be sent again."""
    answer = await world.open(citizen, event, opening_id=opening_id)
    assert (answer.status_code, answer.json()["code"]) == (503, "consent_unreachable")


def test_an_account_opens_and_the_citizen_sees_it(running: Running) -> None:
    """Both ways: a consent is used by accounts, and accounts are read by the consent service."""

    async def scenario(world: World) -> None:
        citizen, event = await someone(world)
        assert (await world.open(citizen, event)).status_code == 201
        page = await world.consent.get(await a_link(world, citizen))
        assert VIETNAMESE["own_accounts_unknown"] not in page.text
        assert world.back.paths.count(TOKEN) == 1

    running.play(scenario)


def test_a_service_that_is_struck_off_opens_nothing(running: Running) -> None:
    """At once, with the token that it has; once it is back, the same command opens."""

    async def scenario(world: World) -> None:
        citizen, event = await someone(world)
        other, other_event = await someone(world)
        assert (await world.open(other, other_event)).status_code == 201
        opening_id = new_id()
        known(world, "consent")
        await unreachable(world, citizen, event, opening_id)
        known(world)
        answer = await world.open(citizen, event, opening_id=opening_id)
        assert answer.status_code == 201, answer.text

    running.play(scenario)


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_lost_request_for_a_token_opens_nothing(running: Running, fault: str) -> None:
    """Or its lost answer; the same command opens afterwards, and is used once."""

    async def scenario(world: World) -> None:
        citizen, event = await someone(world)
        await world.restart_accounts()
        world.wire.faults, world.wire.only = [fault], TOKEN
        opening_id = new_id()
        await unreachable(world, citizen, event, opening_id)
        world.wire.only = ""
        for _ in range(2):
            answer = await world.open(citizen, event, opening_id=opening_id)
            assert answer.status_code == 201

    running.play(scenario)


def test_one_request_gets_a_token_for_all_that_wait(running: Running) -> None:
    """Eight commands at once, by a service that has just started."""

    async def scenario(world: World) -> None:
        people = [await someone(world) for _ in range(8)]
        await world.restart_accounts()
        before = tokens_asked(world)
        answers = await asyncio.gather(*(world.open(*one) for one in people))
        assert {one.status_code for one in answers} == {201}
        assert tokens_asked(world) == before + 1

    running.play(scenario)


def test_a_token_is_renewed_before_it_ends(running: Running) -> None:
    """In its last minute a call goes on with it and the next is got; after its end, one is."""

    async def scenario(world: World) -> None:
        people = [await someone(world) for _ in range(4)]
        await world.restart_accounts()
        before, counts = tokens_asked(world), list[int]()
        for one, later_s in zip(people, (0, 545, 60, 700), strict=True):
            world.clock.move_to(world.clock() + timedelta(seconds=later_s))
            assert (await world.open(*one)).status_code == 201
            await asyncio.sleep(0.05)
            counts.append(tokens_asked(world) - before)
        assert counts == [1, 2, 2, 3]

    running.play(scenario)


def test_a_renewal_that_fails_stops_no_call(running: Running) -> None:
    """While the token counts it is used, and not at every call is another asked for."""

    async def scenario(world: World) -> None:
        people = [await someone(world) for _ in range(4)]
        await world.restart_accounts()
        assert (await world.open(*people[0])).status_code == 201
        world.clock.move_to(world.clock() + timedelta(seconds=545))
        world.wire.faults, world.wire.only = ["before"] * 9, TOKEN
        before = tokens_asked(world)
        for one in people[1:3]:
            assert (await world.open(*one)).status_code == 201
            await asyncio.sleep(0.05)
        assert tokens_asked(world) == before + 1
        world.clock.move_to(world.clock() + timedelta(seconds=60))
        await unreachable(world, *people[3], new_id())
        world.wire.faults, world.wire.only = [], ""
        assert (await world.open(*people[3])).status_code == 201

    running.play(scenario)


def test_a_token_that_is_refused_is_renewed_once(running: Running) -> None:
    """The consent service lost the keys that signed it, say, and has others."""

    async def scenario(world: World) -> None:
        people = [await someone(world) for _ in range(2)]
        assert (await world.open(*people[0])).status_code == 201
        keys = world.folder / "consent" / TOKEN_KEYS
        for file in keys.iterdir():
            file.unlink()
        create_key(keys, world.clock() - timedelta(seconds=1))
        before = tokens_asked(world)
        assert (await world.open(*people[1])).status_code == 201
        assert tokens_asked(world) == before + 1

    running.play(scenario)


def test_keys_change_while_both_services_run(running: Running) -> None:
    """A new key is not used before the other service knows it; then the old one may go."""

    async def scenario(world: World) -> None:
        people, folder = [await someone(world) for _ in range(3)], world.folder / "accounts"
        (old,) = load_keys(folder / KEYS)
        create_key(folder / KEYS, world.clock() - timedelta(seconds=1))
        await world.restart_accounts()
        assert len(json.loads((folder / ROW).read_text())["jwks"]["keys"]) == 2
        assert (await world.open(*people[0])).status_code == 201, "signed with the old one"
        known(world)
        await world.restart_accounts()
        assert (await world.open(*people[1])).status_code == 201
        (folder / KEYS / f"{old.kid}.jwk.json").unlink()
        create_client(folder, "accounts", "accounts", world.clock)
        known(world)
        await world.restart_accounts()
        assert (await world.open(*people[2])).status_code == 201

    running.play(scenario)


def test_init_makes_keys_that_only_the_service_can_read(tmp_path: Path) -> None:
    """And a row of their public halves; the same again changes nothing."""
    settings = AccountsSettings(folder=tmp_path, consent_client_id="accounts-2")
    accounts_main.init(settings)
    (file,) = (tmp_path / KEYS).iterdir()
    assert file.stat().st_mode & 0o077 == 0
    row = (tmp_path / ROW).read_text()
    assert json.loads(file.read_text())["d"] not in row
    told = json.loads(row)
    assert (told["client_id"], told["role"], told["id"]) == ("accounts-2", "service", "accounts")
    accounts_main.init(settings)
    assert (tmp_path / ROW).read_text() == row
    assert [*(tmp_path / KEYS).iterdir()] == [file]


GIVEN: dict[str, Any] = {"access_token": "a.b.c", "token_type": "DPoP", "expires_in": 600}


def access(tmp_path: Path, answer: Callable[[httpx.Request], Any]) -> Access:
    """Return access to a service that answers as told."""
    create_client(tmp_path, "accounts", "accounts", system_clock)
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Access("accounts", tmp_path, Other(url="http://c"), http, system_clock)


def test_a_key_signs_in_its_time_alone(tmp_path: Path) -> None:
    """One of a clock that was ahead is passed over, and one that ended is not handed over."""
    now, asked = system_clock(), list[str]()

    def answering(request: httpx.Request) -> httpx.Response:
        if request.url.path == TOKEN:
            text = parse_qs(request.content.decode())["client_assertion"][0]
            asked.append(str(token_header(text)["kid"]))
        return httpx.Response(200, json=GIVEN)

    ended = create_key(tmp_path / KEYS, now - KEY_VALIDITY - timedelta(days=1))
    ours = create_key(tmp_path / KEYS, now - timedelta(days=1))
    ahead = create_key(tmp_path / KEYS, now + timedelta(days=1))

    async def scenario() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answering)) as http:
            await http.get("http://c/x", auth=access(tmp_path, answering))

    asyncio.run(scenario())
    assert asked == [ours.kid]
    told = {one["kid"] for one in json.loads((tmp_path / ROW).read_text())["jwks"]["keys"]}
    assert told == {ours.kid, ahead.kid}
    assert ended.kid not in told


def test_a_token_is_used_in_its_time_alone() -> None:
    """Neither before, by a clock that was set back, nor so late that it would end on its way."""
    now = system_clock()
    held = _Held("a.b.c", now, now + timedelta(seconds=600))
    for later_s, counts, soon in (
        (-1, False, False),
        (0, True, False),
        (539, True, False),
        (540, True, True),
        (594, True, True),
        (595, False, True),
    ):
        then = now + timedelta(seconds=later_s)
        assert (held.counts_at(then), held.ends_soon_at(then)) == (counts, soon)


def test_it_signs_for_what_the_other_is_called(tmp_path: Path) -> None:
    """Not for where it answers, which may have a path of its own; without the query."""
    proofs = list[str]()

    def answering(request: httpx.Request) -> httpx.Response:
        proofs.append(request.headers["dpop"])
        return httpx.Response(200, json=GIVEN)

    async def scenario() -> None:
        create_client(tmp_path, "accounts", "accounts", system_clock)
        other = Other(url="http://inside/consent/", public_url="https://consent.example/")
        async with httpx.AsyncClient(transport=httpx.MockTransport(answering)) as http:
            auth = Access("accounts", tmp_path, other, http, system_clock)
            await http.get("http://inside/consent/x/%C3%A9?q=1", auth=auth)

    asyncio.run(scenario())
    said = [json.loads(base64.urlsafe_b64decode(one.split(".")[1] + "==")) for one in proofs]
    assert [one["htu"] for one in said] == [
        "https://consent.example/oauth/token",
        "https://consent.example/x/%C3%A9",
    ]


def test_who_stops_waiting_stops_nobody_else(tmp_path: Path) -> None:
    """The request for a token goes on for the others."""
    asked = list[str]()

    async def slowly(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        await asyncio.sleep(0.05)
        return httpx.Response(200, json=GIVEN)

    async def scenario() -> None:
        auth = access(tmp_path, slowly)
        async with httpx.AsyncClient(transport=httpx.MockTransport(slowly)) as http:
            first, second = (asyncio.create_task(http.get("http://c/x", auth=auth)) for _ in "ab")
            await asyncio.sleep(0.02)
            first.cancel()
            assert (await second).status_code == 200

    asyncio.run(scenario())
    assert asked == [TOKEN, "/x"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, text="not json"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={**GIVEN, "token_type": "Bearer"}),
        httpx.Response(200, json={**GIVEN, "access_token": None}),
        httpx.Response(200, json={"token_type": "DPoP", "expires_in": 600}),
        httpx.Response(400, json={"error": "invalid_client", "code": "client_unknown"}),
        httpx.Response(400, json={"error": "invalid_client", "code": "assertion_key_unknown"}),
    ],
)
def test_whatever_comes_in_place_of_a_token_is_none(tmp_path: Path, answer: Any) -> None:
    """And nothing is sent without one."""
    sent = list[str]()

    def answering(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        return httpx.Response(answer.status_code, content=answer.content)

    async def scenario() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answering)) as http:
            with pytest.raises(NoAccess):
                await http.get("http://c/x", auth=access(tmp_path, answering))

    asyncio.run(scenario())
    assert sent == [TOKEN]


def test_waiting_for_a_token_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the other service takes the request and never answers; all waiters hear it."""
    monkeypatch.setattr(service_tokens, "ASKED_WITHIN", 0.05)

    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async def scenario() -> None:
        auth = access(tmp_path, never)
        async with httpx.AsyncClient() as http:
            waiting = [http.get("http://c/x", auth=auth) for _ in range(4)]
            found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in found] == [NoAccess] * 4

    asyncio.run(asyncio.wait_for(scenario(), 2))


def test_a_token_is_asked_for_again_once(tmp_path: Path) -> None:
    """A service that refuses every token is not asked for ever."""
    sent = list[str]()

    def answering(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        if request.url.path == TOKEN:
            return httpx.Response(200, json=GIVEN)
        return httpx.Response(401, headers={"WWW-Authenticate": 'DPoP error="invalid_token"'})

    async def scenario() -> int:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answering)) as http:
            return (await http.get("http://c/x", auth=access(tmp_path, answering))).status_code

    assert asyncio.run(scenario()) == 401
    assert sent == [TOKEN, "/x", TOKEN, "/x"]
