"""Both services through their routes: who may do and see what, and what a bad request gets."""

import asyncio
import base64
import json
import logging
import time
import unicodedata
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.cast import BANKS, KNOWN_SINCE, OTHER
from demo.commands import command
from services.accounts.consents import HttpConsents, Unreachable
from services.consent import main as consent_main
from services.consent.settings import Settings as ConsentSettings
from services.consent.sms import HttpGateway, NotSent
from shared.canonical import canonical
from shared.clock import system_clock
from shared.ledger.entries import encode
from shared.ledger.merkle import check_inclusion, leaf_hash
from shared.ledger.notes import VerifierKey, opened, signers
from shared.service_tokens import Bearer
from shared.web import Tokens, create_web_app
from tests.support.hearing import served
from tests.support.samples import judged
from tests.support.world import Running, World, a_running_world, a_world, new_id

Scenario = Callable[[World], Coroutine[Any, Any, None]]


def play(folder: Path, scenario: Scenario) -> None:
    """Run a scenario in a fresh world."""

    async def run() -> None:
        async with a_world(folder) as world:
            await scenario(world)

    asyncio.run(run())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world in which much is tried, whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("running")) as running:
        yield running


def codes(answer: httpx.Response) -> list[str]:
    """Return the reason codes of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    return [reason["code"] for reason in answer.json()["reasons"]]


def test_nobody_may_call_by_default(running: Running) -> None:
    """Without a tokens file, and with a wrong or missing token, everyone is refused."""

    async def scenario(world: World) -> None:
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}):
            for client, path in ((world.consent, "/log"), (world.accounts, "/openings")):
                answer = await client.get(path, headers=headers)
                assert answer.status_code == 401
                schemes = answer.headers["www-authenticate"]
                assert schemes == 'Bearer, DPoP algs="Ed25519 EdDSA ES256"'

    running.play(scenario)
    with pytest.raises(Exception, match="unauthenticated"):
        Tokens.from_file(None).caller("Bearer x")


def test_each_role_does_its_own(running: Running) -> None:
    """A role that a route does not name is refused, whatever else is right."""

    async def scenario(world: World) -> None:
        person, consents = world.people[0], world.consent
        calls = [
            (consents, "PUT", f"/citizens/{person.id}", "gdv-01", {"phone": person.phone}),
            (consents, "PUT", f"/consents/{new_id()}", "regulator", {}),
            (consents, "POST", "/consents/x/redemptions", "gdv-01", {}),
            (consents, "GET", "/log", "so-viet", None),
            (world.accounts, "GET", "/log", "operator", None),
            (world.accounts, "PUT", "/openings/x/confirmation", "gdv-01", {}),
            (world.accounts, "GET", f"/citizens/{person.id}/openings", "gdv-01", None),
        ]
        for client, method, path, holder, body in calls:
            answer = await client.request(
                method, path, json=body, headers=world.tokens.header(holder)
            )
            assert answer.status_code == 403, (path, answer.text)
            assert answer.json()["code"] == "role_not_allowed"

    running.play(scenario)


def test_what_a_command_is_told_is_what_can_be_read(running: Running) -> None:
    """At once, after a no under the same id, and again: the answer is the opening as it stands."""

    async def scenario(world: World) -> None:
        for lost in ([], ["before"]):
            citizen, opening_id = await world.newcomer(), new_id()
            _, _, event = await world.given(citizen, holder="so-viet")
            again: dict[str, Any] = {"holder": "so-viet", "opening_id": opening_id}
            world.wire.faults = list(lost)
            for fault in lost:
                assert (await world.open(citizen, event, **again)).status_code == 503, fault
            for _ in range(2):
                told = await world.open(citizen, event, **again)
                assert told.status_code == 201, told.text
                read = await world.accounts.get(
                    f"/openings/{opening_id}", headers=world.tokens.header("so-viet")
                )
                assert told.json() == read.json()
                assert len(told.json()["history"]) == 1 + len(lost)

    running.play(scenario)


def test_everyone_sees_what_is_theirs(tmp_path: Path) -> None:
    """A bank and a clerk find their own; of another's they are told that it does not exist."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        consent_id, _, event = await world.given(person)
        opening_id = new_id()
        await world.open(person, event, opening_id=opening_id)
        seen = {
            holder: (
                (await world.consent.get(f"/consents/{consent_id}", headers=h)).status_code,
                (await world.accounts.get(f"/openings/{opening_id}", headers=h)).status_code,
                len((await world.accounts.get("/openings", headers=h)).json()["openings"]),
            )
            for holder in ("so-viet", "gdv-01", "regulator", "truong-son", "gdv-02")
            for h in [world.tokens.header(holder)]
        }
        for holder in ("so-viet", "gdv-01", "regulator"):
            assert seen[holder] == (200, 200, 1)
        for holder in ("truong-son", "gdv-02"):
            assert seen[holder] == (404, 404, 0)
        citizen = await world.accounts.get(
            f"/citizens/{person.id}/openings", headers=world.tokens.header("regulator")
        )
        assert [one["opening_id"] for one in citizen.json()["openings"]] == [opening_id]

    play(tmp_path, scenario)


def test_an_id_that_two_banks_use_shows_neither_the_others_citizen(tmp_path: Path) -> None:
    """Whoever was first: neither in what is read, nor in an answer, nor where it lies."""

    async def scenario(world: World) -> None:
        first, second = world.people[:2]
        taken, opened = new_id(), new_id()
        _, _, event = await world.given(second)
        for opening_id, consent in ((taken, None), (opened, event)):
            if consent:
                assert (await world.open(second, consent, opening_id=opened)).status_code == 201
            await world.open(first, None, OTHER, opening_id=opening_id)
            await world.open(second, consent, opening_id=opening_id)
        probed = await world.open(first, None, OTHER, opening_id=opened)
        assert probed.json()["reasons"][0]["positions"] == []
        for holder, hidden in (("so-viet", first), ("truong-son", second)):
            headers = world.tokens.header(holder)
            read = [await world.accounts.get(f"/openings/{taken}", headers=headers)]
            assert read[0].status_code == 200
            read += [await world.accounts.get(f"/openings/{opened}", headers=headers)]
            assert all(hidden.id not in answer.text for answer in read)
            assert all(f"bank:{_other(holder)}" not in answer.text for answer in read)
        whole = await world.accounts.get(
            f"/openings/{taken}", headers=world.tokens.header("regulator")
        )
        assert {line["data"]["citizen_id"] for line in whole.json()["history"]} == {
            first.id,
            second.id,
        }

    play(tmp_path, scenario)


def _other(holder: str) -> str:
    return {"so-viet": "truong-son", "truong-son": "so-viet"}[holder]


def test_a_list_is_read_by_cursor(tmp_path: Path) -> None:
    """Page by page, each opening once, in the order in which they were allowed."""

    async def scenario(world: World) -> None:
        for person in world.people[:5]:
            _, _, event = await world.given(person)
            assert (await world.open(person, event)).status_code == 201
        headers, found, after = world.tokens.header("so-viet"), list[str](), 0
        while True:
            query = {"after": after, "limit": 2}
            page = (await world.accounts.get("/openings", params=query, headers=headers)).json()
            if not page["openings"]:
                break
            found += [one["citizen_id"] for one in page["openings"]]
            after = page["next"]
        assert found == [person.id for person in world.people[:5]]

    play(tmp_path, scenario)


def test_registering_twice_is_once_and_otherwise_a_conflict(running: Running) -> None:
    """The same line changes nothing, however its letters are typed; another is a conflict."""

    async def scenario(world: World) -> None:
        person, headers = world.people[0], world.tokens.header("operator")
        since = {"known_since": KNOWN_SINCE}
        nobodys = {"bank_id": "none", "name": "N", "purpose": "p", "terms_hash": "0" * 64}
        before = len(await world.log(world.consent))
        puts = [
            (f"/citizens/{person.id}", {"phone": person.phone, **since}, 204),
            (f"/citizens/{person.id}", {"phone": "+84999999999", **since}, 409),
            (f"/citizens/{person.id}", {"phone": person.phone}, 409),
            ("/clerks/gdv-01", {"office_id": "bd-huong-hoa"}, 204),
            ("/clerks/gdv-01", {"office_id": "elsewhere"}, 409),
            ("/products/new", nobodys, 404),
            ("/banks/so-viet", {"name": unicodedata.normalize("NFD", BANKS["so-viet"])}, 204),
            ("/banks/so-viet", {"name": "Sông Việt"}, 409),
        ]
        for path, body, status in puts:
            answer = await world.consent.put(path, json=body, headers=headers)
            assert answer.status_code == status, (path, answer.text)
        assert len(await world.log(world.consent)) == before

    running.play(scenario)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"citizen_id": 5}', b'{"citizen_id": "\xff"}', b'{"a":' * 2000],
)
def test_an_unreadable_command_is_a_fact(running: Running, body: bytes) -> None:
    """It is 422, the same again adds nothing, and none of its content is kept or echoed."""

    async def scenario(world: World) -> None:
        headers = {**world.tokens.header("gdv-01"), "Content-Type": "application/json"}
        before, path = len(await world.log(world.accounts)), f"/openings/{new_id()}"
        for _ in range(2):
            answer = await world.accounts.put(path, content=body, headers=headers)
            assert answer.status_code == 422, answer.text
        (rejected,) = [one["data"] for one in await world.log(world.accounts, before)]
        assert (rejected["reasons"], rejected["commanded_by"]) == (["malformed"], "clerk:gdv-01")

    running.play(scenario)


@pytest.mark.parametrize("behind", ["%0A", "%0D", "%20", "."])
def test_an_id_that_is_none_is_no_fact(running: Running, behind: str) -> None:
    """Not with a line break at its end, either: nothing is recorded under what nobody can name."""

    async def scenario(world: World) -> None:
        before, headers = len(await world.log(world.accounts)), world.tokens.header("so-viet")
        path = f"/openings/{new_id()}{behind}"
        answer = await world.accounts.put(path, content=b"{", headers=headers)
        assert answer.status_code == 422, answer.text
        assert len(await world.log(world.accounts)) == before

    running.play(scenario)


def test_what_is_lost_on_the_way_is_neither_a_fact_nor_an_error(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that ends in the midst of a body: nobody tried anything that was malformed."""
    paths = (f"PUT /openings/{new_id()}", "POST /webhooks/x/test", "POST /oauth/token")

    async def scenario(world: World) -> None:
        before = len(await world.log(world.accounts))
        (own,) = world.tokens.header("so-viet").items()
        async with served(world.accounts_app) as address:
            for path in paths:
                port = int(address.rpartition(":")[2])
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                fields = f"Host: x\r\n{own[0]}: {own[1]}\r\nIdempotency-Key: k\r\n"
                writer.write(f"{path} HTTP/1.1\r\n{fields}Content-Length: 9\r\n\r\n{{".encode())
                await asyncio.sleep(0.1)
                writer.transport.abort()
            await asyncio.sleep(0.2)
        assert len(await world.log(world.accounts)) == before

    running.play(scenario)
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


def test_what_was_sent_is_not_echoed(running: Running) -> None:
    """A problem document names the place of a mistake, not the value, which may be personal."""

    async def scenario(world: World) -> None:
        body = {**command(world.people[0], None), "terms_hash": "079083001234"}
        headers = world.tokens.header("gdv-01")
        answer = await world.accounts.put(f"/openings/{new_id()}", json=body, headers=headers)
        assert answer.status_code == 422
        assert "079083001234" not in answer.text
        assert "terms_hash" in answer.text
        long = await world.accounts.put("/openings/x", content=b"x" * 70_000, headers=headers)
        assert long.status_code == 413

    running.play(scenario)


def test_the_log_is_given_byte_for_byte(running: Running) -> None:
    """Each fact as it is stored, in pages, dense from 1."""

    async def scenario(world: World) -> None:
        headers = world.tokens.header("regulator")
        answer = await world.consent.get("/log", params={"limit": 3}, headers=headers)
        page = answer.json()
        assert [fact["position"] for fact in page["facts"]] == [1, 2, 3]
        assert page["next"] == 3
        stored = world.consent_app.state.log.recorder.page(limit=3).facts
        for fact in stored:
            assert fact.data in answer.content
        end = await world.consent.get("/log", params={"after": 10_000}, headers=headers)
        assert end.json() == {"facts": [], "next": 10_000}
        for tags in (["office:bd-huong-hoa"], ["office:bd-huong-hoa", "clerk:gdv-01"]):
            everything = world.consent_app.state.log.recorder.page().facts
            carrying = [one.position for one in everything if set(tags) <= set(one.tags)]
            query = {"tag": tags, "after": carrying[0], "limit": 2}
            answer = await world.consent.get("/log", params=query, headers=headers)
            assert [fact["position"] for fact in answer.json()["facts"]] == carrying[1:3] != []
        bad_ones = (
            {"after": -1},
            {"limit": 0},
            {"limit": 5000},
            {"tag": "x"},
            {"tag": 5 * ["a:b"]},
        )
        for bad in bad_ones:
            assert (await world.consent.get("/log", params=bad, headers=headers)).status_code == 422
        for client in (world.consent, world.accounts):
            assert (await client.get("/livez")).json() == {"status": "alive"}
            assert (await client.get("/readyz")).json()["status"] == "ready"

    running.play(scenario)


async def sealed(client: httpx.AsyncClient) -> int:
    """Wait until everything stored is sealed; return how far that is."""
    health: dict[str, Any] = {}
    deadline = time.monotonic() + 5
    while not health or health["sealed"] != health["head"]:
        assert time.monotonic() < deadline, health
        await asyncio.sleep(0.01)
        health = (await client.get("/readyz")).json()
    assert health["trouble"] is None
    return int(health["sealed"])


def test_anyone_can_check_the_log(tmp_path: Path) -> None:
    """With the public files alone: the checkpoint opens, and a fact is proved to be under it."""

    async def scenario(world: World) -> None:
        _, _, event = await world.given(world.people[0])
        await world.open(world.people[0], event)
        for client, origin in ((world.consent, "consent"), (world.accounts, "accounts")):
            size = await sealed(client)
            lines = (await client.get("/tlog/vkeys")).text.splitlines()
            keys = [VerifierKey.parse(line) for line in lines]
            answer = await client.get("/tlog/checkpoint")
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            assert answer.headers["cache-control"] == "no-cache"
            note, checkpoint = opened(answer.content, f"localhost/{origin}", keys)
            assert set(signers(note, keys)) == set(keys)
            assert checkpoint.size == size
            proof = (await client.get("/log/1/proof")).text.split("\n")
            assert proof[:2] == ["c2sp.org/tlog-proof@v1", "index 0"]
            path = [base64.b64decode(line) for line in proof[2 : proof.index("")]]
            assert "\n".join(proof[proof.index("") + 1 :]) == note.text()
            headers = world.tokens.header("regulator")
            (fact,) = (await client.get("/log?limit=1", headers=headers)).json()["facts"]
            entry = encode(
                fact["position"],
                datetime.fromisoformat(fact["recorded_at"]),
                fact["kind"],
                fact["tags"],
                canonical(fact["data"]),
            )
            check_inclusion(0, size, leaf_hash(entry), path, checkpoint.root)
            tile = await client.get(f"/tlog/tile/entries/000.p/{size}")
            assert tile.headers["content-type"] == "application/octet-stream"
            assert "immutable" in tile.headers["cache-control"]
            assert entry in tile.content
            assert world.people[0].id.encode() not in tile.content

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "path",
    [
        "/tlog/log.keys.json",
        "/tlog/../log.keys.json",
        "/tlog/tile/../../log.keys.json",
        "/tlog/%2e%2e/log.keys.json",
        "/tlog/tile/0/999",
        "/tlog/tile/0/0",
        "/tlog/",
        "/log/0/proof",
        "/log/999999/proof",
    ],
)
def test_nothing_else_is_public(running: Running, path: str) -> None:
    """Only the checkpoint, its keys and tiles: no path leaves the public folder."""

    async def scenario(world: World) -> None:
        await sealed(world.consent)
        assert (await world.consent.get(path)).status_code == 404

    running.play(scenario)


def test_an_unexpected_error_says_nothing(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with an id that the log has too; not a word of the exception leaves."""

    async def scenario(world: World) -> None:
        async def nothing() -> None:
            return

        state = world.consent_app.state
        app = create_web_app(
            name="consent",
            title="t",
            summary="s",
            tokens=Tokens(),
            log=state.log,
            seal=state.seal,
            now=world.clock,
            public_url="http://test",
            close=nothing,
        )

        @app.get("/broken")
        async def broken() -> None:
            raise RuntimeError("079083001234")

        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            with caplog.at_level(logging.ERROR):
                answer = await client.get("/broken")
            assert answer.status_code == 500
            assert "079083001234" not in answer.text
            assert answer.json()["incident"] in caplog.text
            assert (await client.get("/nowhere")).json()["status"] == 404

    running.play(scenario)


def test_nothing_personal_is_written(tmp_path: Path) -> None:
    """Phones, names, codes and account numbers are in no byte of either log's file."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        consent_id, answer = await world.ask(person, holder="so-viet")
        phone = world.phone(person)
        page = await phone.press(answer.json()["link"], "given")
        code = await phone.last_code()
        await phone.type_code(page, code)
        opening_id = new_id()
        event = await world.event(consent_id)
        await world.open(person, event, holder="so-viet", opening_id=opening_id)
        statuses = list[int]()
        for number in ("1020304050", "1020304050", "999999999"):
            confirmed = await world.accounts.put(
                f"/openings/{opening_id}/confirmation",
                json={"account_number": number},
                headers=world.tokens.header("so-viet"),
            )
            statuses.append(confirmed.status_code)
        assert statuses == [200, 200, 409]
        logs = json.dumps([await world.log(world.consent), await world.log(world.accounts)])
        for secret in (person.phone, person.name, "1020304050", f'"{code}"'):
            assert secret not in logs
        for client in (world.consent, world.accounts):
            await sealed(client)
        services = [tmp_path / "consent", tmp_path / "accounts"]
        files = [file for one in services for file in one.rglob("*") if file.is_file()]
        names = {file.name for file in files}
        assert {
            "ledger.db",
            "ledger.db-wal",
            "subject-keys.db",
            "checkpoints.db",
            "checkpoint",
        } <= names
        for file in files:
            content = file.read_bytes()
            for secret in (person.phone, person.name, "1020304050"):
                assert secret.encode() not in content

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (401, b"{}"),
        (403, b"{}"),
        (409, b"not json"),
        (409, b'{"reasons": []}'),
        (201, b"not json"),
        (201, b'{"receipt": "a.b.c"}'),
        (201, b'{"receipt": 5}'),
    ],
)
def test_an_answer_that_cannot_be_trusted_is_none(status: int, body: bytes) -> None:
    """Whatever is not a plain yes with its receipt, or a plain no, counts as out of reach."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("jwks.json"):
            return httpx.Response(200, json={"keys": []})
        return httpx.Response(status, content=body)

    async def scenario() -> None:
        transport = httpx.MockTransport(answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://c") as client:
            consents = HttpConsents(client, Bearer("t"), system_clock)
            with pytest.raises(Unreachable):
                await consents.redeem(judged())

    asyncio.run(scenario())


def test_forged_key_names_do_not_flood_the_consent_service() -> None:
    """Unknown keys are looked for once in a while, not once a command; garbage keys are none."""
    asked = list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"keys": []} if len(asked) < 3 else {"keys": [{}]})

    async def scenario() -> None:
        now = [system_clock()]
        transport = httpx.MockTransport(answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://c") as client:
            consents = HttpConsents(client, Bearer("t"), lambda: now[0])
            for number in range(50):
                await consents.keys(f"forged-{number}")
            assert len(asked) == 1
            now[0] = now[0].replace(year=now[0].year + 1)
            await consents.keys("forged")
            assert len(asked) == 2
            now[0] = now[0].replace(year=now[0].year + 1)
            with pytest.raises(Unreachable):
                await consents.keys("forged")

    asyncio.run(scenario())


def test_no_gateway_no_service(tmp_path: Path) -> None:
    """Without an SMS gateway the service starts as a sandbox or not at all."""
    settings = ConsentSettings(folder=tmp_path / "consent")
    consent_main.init(settings)
    with pytest.raises(consent_main.NotForPeople):
        consent_main.create_app(settings)


def test_the_gateway_takes_messages_or_says_so() -> None:
    """A message is posted as documented; a gateway that fails is `NotSent`."""
    got = list[dict[str, str]]()

    def answer(request: httpx.Request) -> httpx.Response:
        got.append(json.loads(request.content))
        return httpx.Response(200 if len(got) == 1 else 502)

    async def scenario() -> None:
        gateway = HttpGateway("http://gateway/send")
        await gateway._client.aclose()
        gateway._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        await gateway.send("+84900000001", "xin chào")
        assert got == [{"to": "+84900000001", "text": "xin chào"}]
        with pytest.raises(NotSent):
            await gateway.send("+84900000001", "xin chào")
        await gateway.close()

    asyncio.run(scenario())
