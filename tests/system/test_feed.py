"""A bank hears everything of its own, in order, by a feed and a stream, and of nobody else's."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import is_valid

from demo.cast import ACCOUNT, OTHER
from services.accounts.events import EVENTS as OF_ACCOUNTS
from services.accounts.facts import VOCABULARY as ACCOUNTS
from services.consent.events import EVENTS as OF_CONSENT
from services.consent.facts import VOCABULARY as CONSENT
from shared.hearing.documented import hooks
from shared.hearing.events import Events
from shared.hearing.feed import LISTENERS_MAX
from shared.ledger.facts import Vocabulary
from shared.ledger.recorder import StoredFact
from tests.support.any_facts import any_facts, as_stored
from tests.support.banks import Bank
from tests.support.clients import BankClient, register
from tests.support.given import AT
from tests.support.hearing import read_feed, sent, served, take
from tests.support.processes import Running as Processes
from tests.support.processes import a_stand
from tests.support.processes import running as processes
from tests.support.world import Running, World, a_running_world, new_id

BANKS = ("so-viet", "truong-son")

UNTOLD = {
    "consent": {
        *("bank.registered.1", "product.offered.1"),  # the operator's, with the bank's knowledge
        *("request.rejected.1", "decision.rejected.1", "capture.rejected.1"),  # nothing came of it
        *("submission.rejected.1", "invalidation.rejected.1", "right.rejected.1"),
        *("suspension.rejected.1", "phone.rejected.1", "witness.rejected.1"),
        "phone.sharing.allowed.1",  # the bank's own act, about a phone
        "webhook.rejected.1",
    },
    "accounts": {
        "webhook.rejected.1",
        *("reconciliation.started.1", "reconciliation.rejected.1"),  # the answer to it says so
    },
}
"""Facts with a bank's tag that are no events; what was rejected is at `GET /rejections`."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world of two banks, with a file of clients."""
    with a_running_world(tmp_path_factory.mktemp("feed")) as running:
        world = running.world
        world.clients = world.folder / "clients.json"
        register(world.clients, BankClient().row())
        running.runner.run(world.restart())
        yield running


async def lives(world: World, people: int = 2) -> None:
    """Have so many people agree with each bank, open, be confirmed, refuse, and dispute."""
    for product in (ACCOUNT, OTHER):
        bank = product.bank_id
        for _ in range(people):
            citizen = await world.newcomer()
            _, link, event = await world.given(citizen, product, holder=bank)
            opening_id = new_id()
            answer = await world.open(citizen, event, product, opening_id=opening_id, holder=bank)
            assert answer.status_code == 201, answer.text
            number = {"account_number": new_id()[:12]}
            path = f"/openings/{opening_id}/confirmation"
            await world.accounts.put(path, json=number, headers=world.tokens.header(bank))
            await world.open(citizen, None, product, holder=bank)
            (await world.phone(citizen).decide(link, "withdrawn")).raise_for_status()
        refuser = await world.newcomer()
        _, asked = await world.ask(refuser, product, holder=bank)
        await world.phone(refuser).decide(asked.json()["link"], "refused")


def services(world: World) -> list[tuple[Events, httpx.AsyncClient]]:
    """Return both services, each with what is heard of it."""
    return [(OF_CONSENT, world.consent), (OF_ACCOUNTS, world.accounts)]


def test_the_feed_is_the_log_seen_by_one_bank(running: Running) -> None:
    """Every fact that names the bank, of a kind that is told, once, in order: no more and no less.

    Nothing is in it of the citizen, nor any signed document.
    """

    async def scenario(world: World) -> None:
        await lives(world)
        for events, client in services(world):
            log = await world.log(client)
            people = {one["data"].get("citizen_id") for one in log} - {None}
            for bank in BANKS:
                heard = await read_feed(client, world.tokens.header(bank), limit=7)
                own = [
                    one
                    for one in log
                    if f"bank:{bank}" in one["tags"] and one["kind"] in events.kinds
                ]
                said = [(int(one["sequence"]), one["type"]) for one in heard]
                assert said == [(one["position"], one["kind"]) for one in own]
                text = json.dumps(heard)
                assert not any(person in text for person in people)
                assert "eyJ" not in text
                assert len({one["type"] for one in heard}) > 2

    running.play(scenario)


def test_an_event_is_a_cloud_event_with_ids_to_ask_with(running: Running) -> None:
    """Its required attributes are there, and its subject is a path at which the bank may ask."""

    async def scenario(world: World) -> None:
        for events, client in services(world):
            own = world.tokens.header("so-viet")
            heard = await read_feed(client, own)
            for one in heard:
                position = int(one["sequence"])
                assert one["specversion"] == "1.0"
                assert one["id"] == f"{events.log}/{position}"
                assert one["source"] == f"http://{events.log}"
                assert one["time"].endswith("Z")
                assert len(one["sequence"]) == 16
            readable = "consents/" if client is world.consent else "openings/"
            subjects = {one["subject"] for one in heard if one["subject"].startswith(readable)}
            for subject in sorted(subjects)[:5]:
                assert (await client.get(f"/{subject}", headers=own)).status_code == 200

    running.play(scenario)


@given(limits=st.lists(st.integers(1, 9), min_size=1, max_size=5))
@settings(max_examples=10)
def test_pages_of_any_size_tell_the_same(running: Running, limits: list[int]) -> None:
    """However a bank reads, the pages in a row are the whole, and the same bytes each time."""

    async def scenario(world: World) -> None:
        headers = world.tokens.header("truong-son")
        whole = await read_feed(world.consent, headers)
        after, parts = 0, list[Any]()
        while True:
            query = {"after": after, "limit": limits[len(parts) % len(limits)]}
            answer = await world.consent.get("/events", params=query, headers=headers)
            if not answer.json()["events"]:
                break
            parts.append(answer.json()["events"])
            after = answer.json()["next"]
        assert [event for part in parts for event in part] == whole

    running.play(scenario)


def test_only_a_bank_hears(running: Running) -> None:
    """Nobody else has a feed, and a bad cursor is no cursor."""

    async def scenario(world: World) -> None:
        own = world.tokens.header("so-viet")
        for path in ("/events", "/events/stream"):
            for holder, status in {"regulator": 403, "gdv-01": 403, "operator": 403}.items():
                answer = await world.consent.get(path, headers=world.tokens.header(holder))
                assert answer.status_code == status
            assert (await world.consent.get(path)).status_code == 401
            bad = await world.consent.get(path, params={"after": -1}, headers=own)
            assert bad.status_code == 422
        bad = await world.consent.get("/events/stream", headers={**own, "Last-Event-ID": "x"})
        assert bad.status_code == 422

    running.play(scenario)


def test_a_read_waits_for_what_comes(running: Running) -> None:
    """Asked to wait, it answers once something happened, and with nothing after that time.

    What happens to others does not wake it, and the cursor moves on all the same.
    """

    async def scenario(world: World) -> None:
        own = world.tokens.header("so-viet")
        after = (await world.consent.get("/readyz")).json()["head"]

        def waiting(seconds: int) -> Any:
            query = {"after": after, "wait": seconds}
            return asyncio.create_task(world.consent.get("/events", params=query, headers=own))

        begun, wait = time.monotonic(), waiting(1)
        await world.ask(await world.newcomer(), OTHER, holder="truong-son")
        answer = (await wait).json()
        assert answer["events"] == []
        assert answer["next"] > after
        assert time.monotonic() - begun >= 1
        wait = waiting(20)
        await asyncio.sleep(0.2)
        consent_id, _ = await world.ask(await world.newcomer(), holder="so-viet")
        (event,) = (await asyncio.wait_for(wait, 5)).json()["events"]
        assert event["data"]["consent_id"] == consent_id
        after = (await world.consent.get("/readyz")).json()["head"]
        waits = [waiting(20) for _ in range(LISTENERS_MAX + 1)]
        await asyncio.sleep(0.1)
        await world.ask(await world.newcomer(), holder="so-viet")
        statuses = [(await one).status_code for one in waits]
        assert sorted(statuses) == [200] * LISTENERS_MAX + [503]

    running.play(scenario)


def test_a_stream_goes_on_where_it_broke_off(running: Running) -> None:
    """What was missed comes first, then what happens; each twice named, none skipped."""

    async def scenario(world: World) -> None:
        own = world.tokens.header("so-viet")
        whole = await read_feed(world.consent, own)
        async with (
            served(world.consent_app) as address,
            httpx.AsyncClient(base_url=address) as client,
        ):
            async with client.stream("GET", "/events/stream", headers=own) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                first = await take(sent(answer.aiter_lines()), 3)
            last = {**own, "Last-Event-ID": str(int(first[-1]["sequence"]))}
            async with client.stream("GET", "/events/stream?after=1", headers=last) as answer:
                events = sent(answer.aiter_lines())
                then = await take(events, len(whole) - 3)
                assert first + then == whole
                consent_id, _ = await world.ask(await world.newcomer(), holder="so-viet")
                (event,) = await asyncio.wait_for(take(events, 1), 5)
                assert event["subject"] == f"consents/{consent_id}"

    running.play(scenario)


def test_a_bank_has_so_many_streams_and_gets_each_back(running: Running) -> None:
    """One too many is asked to come again; whoever hangs up makes room."""

    async def scenario(world: World) -> None:
        own = world.tokens.header("truong-son")
        async with (
            served(world.consent_app) as address,
            httpx.AsyncClient(base_url=address) as client,
        ):
            for _ in range(2):
                async with AsyncExitStack() as stack:
                    for number in range(LISTENERS_MAX + 1):
                        stream = client.stream("GET", "/events/stream", headers=own)
                        answer = await stack.enter_async_context(stream)
                        assert answer.status_code == (200 if number < LISTENERS_MAX else 503)
                await asyncio.sleep(0.2)

    running.play(scenario)


def test_a_stream_ends_with_the_right_to_it(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that is struck off hears no more within seconds, nor one whose token is too old.

    Nor one that may open accounts still, and hear nothing any more.
    """
    monkeypatch.setattr("shared.hearing.feed.ASKED_AGAIN_EVERY_S", 0.1)

    async def listen(world: World, address: str, rows: list[dict[str, Any]] | None) -> None:
        client = BankClient()
        assert world.clients
        register(world.clients, client.row())
        bank = Bank(world, client, world.consent, "http://consent")
        token = await bank.token()
        proof = bank.proof("GET", "/events/stream", token)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        async with (
            httpx.AsyncClient(base_url=address) as http,
            http.stream("GET", "/events/stream", headers=headers) as answer,
        ):
            events = sent(answer.aiter_lines())
            assert len(await take(events, 1)) == 1
            if rows is not None:
                register(world.clients, *(client.row() | one for one in rows))
            else:
                world.clock.move_to(world.clock() + timedelta(minutes=11))
            async with asyncio.timeout(5):
                async for _ in events:
                    pass

    async def scenario(world: World) -> None:
        async with served(world.consent_app) as address:
            for rows in (None, [], [{"scopes": ["openings"]}]):
                await listen(world, address, rows)

    running.play(scenario)


@pytest.mark.parametrize(("events", "vocabulary"), [(OF_CONSENT, CONSENT), (OF_ACCOUNTS, ACCOUNTS)])
def test_no_event_says_whom_it_is_about(events: Events, vocabulary: Vocabulary) -> None:
    """Whatever a fact says, its event has ids of the bank's business, and is small.

    Every kind of fact that names a bank is told, or named as one that is not; each event is what
    the document says of it.
    """
    named = {kind.NAME for kind in vocabulary.facts.values() if "bank" in kind.TAGS}
    documented = hooks(events)
    assert named - set(events.kinds) == UNTOLD[events.log]
    for number, fact in enumerate(any_facts(vocabulary, Random(7), 2_000), start=1):
        if fact.NAME in events.kinds:
            event = as_stored(fact)
            body = events.event(StoredFact.new(number, AT, event), "https://thuan.example").body
            told = documented[fact.NAME]["post"]["requestBody"]["content"]
            assert is_valid(told["application/cloudevents+json"]["schema"], json.loads(body))
            data, said = json.loads(body)["data"], json.loads(event.data)
            for name, one in data.items():
                whole = said[name]
                assert one == (whole.rpartition(".")[2] if name == JOINED else whole), name
            assert not {"citizen_id", "statement", "event", "evidence"} & set(data)
            assert b"citizen_id" not in body
            assert len(body) < 1_500


JOINED = "reconciliation_id"
"""What a log joins with the bank's id, and an event does not."""


def test_nothing_is_skipped_when_the_service_is_killed(tmp_path: Path) -> None:
    """The service dies while it tells; whoever connects again with the last id hears all the rest.

    When it is asked to stop, it lets go of listeners at once.
    """
    with processes(tmp_path) as both:
        asyncio.run(killed_while_telling(both))


async def killed_while_telling(both: Processes) -> None:
    """Ask people all the while, kill the service twice, and hear everything."""
    async with a_stand(both) as stand:
        world, consent = stand.world, stand.services.consent
        own, heard = world.tokens.header("so-viet"), list[dict[str, Any]]()

        async def listen(count: int) -> None:
            last = str(int(heard[-1]["sequence"])) if heard else "0"
            headers = {**own, "Last-Event-ID": last}
            async with world.consent.stream("GET", "/events/stream", headers=headers) as answer:
                heard.extend(await take(sent(answer.aiter_lines()), count))

        for _ in range(2):
            for citizen in world.people[:4]:
                await world.ask(citizen, holder="so-viet")
            await listen(2)
            listening = asyncio.create_task(listen(100))
            await asyncio.sleep(0.3)
            consent.kill()
            with pytest.raises(httpx.TransportError):
                await listening
            consent.start()
        whole = await read_feed(world.consent, own)
        await listen(len(whole) - len(heard))
        assert heard == whole
        listening = asyncio.create_task(listen(1))
        await asyncio.sleep(0.3)
        begun = time.monotonic()
        await asyncio.to_thread(consent.stop)
        await listening
        assert time.monotonic() - begun < 3
