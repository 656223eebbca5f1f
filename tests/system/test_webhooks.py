"""Banks register webhooks by their routes; two never see each other's; none is lost to kill -9."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, permutations
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo.cast import ACCOUNT, OTHER
from demo.services import Service
from shared.clock import system_clock
from shared.hearing import signatures
from tests.support.consumer import DROP, Consumer, Got
from tests.support.hearing import read_feed
from tests.support.processes import Running as Processes
from tests.support.processes import Stand, a_client, a_stand
from tests.support.processes import running as processes
from tests.support.world import Running, World, a_running_world, new_id
from tests.system.test_api import codes

PRODUCTS = {"so-viet": ACCOUNT, "truong-son": OTHER}

NUMBERS = count(2_000_000)
"""Phones of whoever is registered here."""

DOCUMENT = Path(__file__).parents[2] / "docs" / "bank-api.md"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world of two banks."""
    with a_running_world(tmp_path_factory.mktemp("webhooks")) as running:
        yield running


@asynccontextmanager
async def sending(world: World) -> AsyncIterator[None]:
    """Have both services send their webhooks, as they do while they serve."""
    apps = (world.consent_app, world.accounts_app)
    tasks = [asyncio.create_task(app.state.hearing.run()) for app in apps]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@dataclass
class Eyes:
    """All that one bank ever saw: every answer, and every webhook."""

    world: World
    bank_id: str
    consumer: Consumer
    said: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    """Ids of its own: the other must never see one."""

    async def call(self, client: Any, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request, a `POST` under a key of its own unless one is given."""
        headers = self.world.tokens.header(self.bank_id)
        if method == "POST":
            headers["Idempotency-Key"] = more.pop("key", "") or new_id()
        answer: httpx.Response = await client.request(method, path, headers=headers, **more)
        self.said.append(answer.text)
        return answer

    def saw(self) -> str:
        """Return all of it as one text."""
        return "\n".join([*self.said, *(one.body.decode() for one in self.consumer.got)])


# -- routes -------------------------------------------------------------------------------------


def test_a_webhook_by_its_routes(running: Running) -> None:
    """Registered once, read, listed, tested, renewed, removed; what changes it is a fact."""

    async def scenario(world: World) -> None:
        async with Consumer() as consumer:
            bank = Eyes(world, "so-viet", consumer)
            body = {"url": consumer.url}
            first = await bank.call(world.consent, "PUT", "/webhooks/main", json=body)
            assert first.status_code == 200, first.text
            view = first.json()
            again = await bank.call(world.consent, "PUT", "/webhooks/main", json=body)
            assert again.json() == view
            assert (view["url"], view["kinds"], view["state"]) == (consumer.url, None, "active")
            assert (await world.newest(world.consent))["kind"] == "webhook.registered.1"
            listed = await bank.call(world.consent, "GET", "/webhooks")
            assert listed.json()["webhooks"] == [view]
            test = await bank.call(world.consent, "POST", "/webhooks/main/test")
            assert test.json()["delivered"]
            for client in (world.consent, world.accounts):
                await bank.call(client, "PUT", "/webhooks/main", json=body)
                once, twice = [
                    await bank.call(client, "POST", "/webhooks/main/key", key="r-1") for _ in "12"
                ]
                assert once.json() == twice.json()
                assert len(once.json()["keys"]) == 2
                assert twice.headers["idempotency-replayed"] == "true"
            for _ in range(2):
                gone = await bank.call(world.consent, "DELETE", "/webhooks/main")
                assert gone.status_code == 204
            assert (await bank.call(world.consent, "GET", "/webhooks/main")).status_code == 404

    running.play(scenario)


def test_what_was_sent_is_listed_and_sent_again(running: Running) -> None:
    """By the service as it runs: a citizen is asked, the bank is told, and asks for it anew."""

    async def scenario(world: World) -> None:
        async with Consumer() as consumer, sending(world):
            bank, hook = Eyes(world, "so-viet", consumer), "/webhooks/again"
            await bank.call(world.consent, "PUT", hook, json={"url": consumer.url})
            consent_id, _ = await world.ask(await world.newcomer(), holder="so-viet")
            (got,) = await consumer.have(1)
            assert got.event["data"]["consent_id"] == consent_id
            await asyncio.sleep(0.1)
            page = await bank.call(world.consent, "GET", f"{hook}/deliveries")
            (line,) = page.json()["deliveries"]
            assert (line["position"], line["state"]) == (got.position, "delivered")
            again = f"{hook}/deliveries/{got.position}/redelivery"
            assert (await bank.call(world.consent, "POST", again)).status_code == 202
            await consumer.until(lambda: consumer.got[-1].number == 2)
            await bank.call(world.consent, "DELETE", hook)

    running.play(scenario)


def test_an_account_that_nobody_consented_to_is_told_at_once(running: Running) -> None:
    """From the bank's list by a webhook of that kind alone: the line, why, and the clerk."""

    async def scenario(world: World) -> None:
        async with Consumer() as consumer, sending(world):
            bank, hook = Eyes(world, "so-viet", consumer), "/webhooks/orphans"
            body = {"url": consumer.url, "kinds": ["account.unconsented.1"]}
            await bank.call(world.accounts, "PUT", hook, json=body)
            answer = await world.accounts.put(
                "/reconciliations/told",
                params={"day": "2023-08-09"},
                content=b"account_number,opened_at,clerk_id\n7000111222,2023-08-09T09:00:00Z,gdv-02",
                headers={**world.tokens.header("so-viet"), "Content-Type": "text/csv"},
            )
            assert answer.json()["counts"]["without_consent"] == 1
            (got,) = await consumer.have(1)
            assert (got.event["type"], got.event["subject"]) == (*body["kinds"], TOLD)
            said = {"reconciliation_id": "told", "line": 2, "clerk_id": "gdv-02"}
            assert said.items() <= got.event["data"].items()
            await bank.call(world.accounts, "DELETE", hook)

    running.play(scenario)


TOLD = "reconciliations/told"


def test_a_bad_webhook_gets_a_clear_no(running: Running) -> None:
    """Each with its code; what the rules rejected is a fact."""

    async def scenario(world: World) -> None:
        async with Consumer() as consumer:
            bank = Eyes(world, "so-viet", consumer)
            for body, status, code in (
                ({"url": "ftp://bank.example/"}, 403, "address_not_allowed"),
                ({"url": consumer.url, "kinds": ["x.1"]}, 403, "event_kind_unknown"),
                ({"url": consumer.url, "kinds": []}, 422, "malformed"),
                ({"url": "https://bank.example/" + "x" * 999}, 422, "malformed"),
                ({}, 422, "malformed"),
            ):
                answer = await bank.call(world.accounts, "PUT", "/webhooks/bad", json=body)
                assert (answer.status_code, codes(answer)) == (status, [code])
            assert (await world.newest(world.accounts))["kind"] == "webhook.rejected.1"
            for holder in ("gdv-01", "regulator", "operator"):
                headers = world.tokens.header(holder)
                answer = await world.accounts.get("/webhooks", headers=headers)
                assert answer.status_code == 403

    running.play(scenario)


def test_anothers_webhook_is_answered_as_one_that_is_not(running: Running) -> None:
    """Each route says the same of both, word for word; and each may use the same id."""

    async def scenario(world: World) -> None:
        async with Consumer() as mine, Consumer() as yours:
            own, other = Eyes(world, "so-viet", mine), Eyes(world, "truong-son", yours)
            hook, none = "/webhooks/theirs", "/webhooks/nobodys"
            await other.call(world.consent, "PUT", hook, json={"url": yours.url})
            for method, rest in (
                ("GET", ""),
                ("DELETE", ""),
                ("POST", "/key"),
                ("POST", "/test"),
                ("GET", "/deliveries"),
                ("POST", "/deliveries/1/redelivery"),
            ):
                answers = [
                    await own.call(world.consent, method, path + rest) for path in (hook, none)
                ]
                assert answers[0].status_code == 404
                assert answers[0].text == answers[1].text
            made = await own.call(world.consent, "PUT", hook, json={"url": mine.url})
            assert made.status_code == 200
            read = await other.call(world.consent, "GET", hook)
            assert read.json()["url"] == yours.url
            for one in (own, other):
                await one.call(world.consent, "DELETE", hook)

    running.play(scenario)


# -- two banks ----------------------------------------------------------------------------------

ACTS = st.lists(
    st.tuples(
        st.sampled_from(sorted(PRODUCTS)),
        st.sampled_from(["live", "open", "register", "renew", "remove", "again", "pry", "read"]),
        st.integers(1, 200),
    ),
    min_size=4,
    max_size=14,
)


@given(acts=ACTS)
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
def test_no_bank_sees_anything_of_another(
    running: Running, acts: list[tuple[str, str, int]]
) -> None:
    """Whatever two banks do: in no answer, feed, webhook or error of one is an id of the other."""

    async def scenario(world: World) -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(sending(world))
            eyes = {
                bank: Eyes(world, bank, await stack.enter_async_context(Consumer()))
                for bank in PRODUCTS
            }
            begin = [(await one.get("/readyz")).json()["head"] for one in services(world)]
            for bank, what, number in acts:
                await act(eyes[bank], eyes, what, number)
            for one in eyes.values():
                for client, after in zip(services(world), begin, strict=True):
                    await one.call(client, "GET", f"/events?after={after}&limit=500")
                    await one.call(client, "GET", "/webhooks")
            await asyncio.sleep(0.15)
            for one, other in permutations(eyes.values()):
                seen = one.saw()
                assert other.bank_id not in seen
                assert [own for own in other.ids if own in seen] == []
            for one in eyes.values():
                for client in services(world):
                    await one.call(client, "DELETE", "/webhooks/main")

    running.play(scenario)


def services(world: World) -> list[Any]:
    """Return the clients of both services."""
    return [world.consent, world.accounts]


async def act(one: Eyes, all_eyes: dict[str, Eyes], what: str, number: int) -> None:
    """Have a bank do something; `pry` asks for what is the other's."""
    client = services(one.world)[number % 2]
    again = f"/webhooks/main/deliveries/{number}/redelivery"
    match what:
        case "live" | "open":
            await live(one, opens=what == "open")
        case "register":
            body = {"url": f"{one.consumer.url}/{one.bank_id}"}
            view = (await one.call(client, "PUT", "/webhooks/main", json=body)).json()
            one.ids |= {key["key"] for key in view["keys"]}
        case "renew":
            view = (await one.call(client, "POST", "/webhooks/main/key")).json()
            one.ids |= {key["key"] for key in view.get("keys", ())}
        case "pry":
            (other,) = (eyes for bank, eyes in all_eyes.items() if bank != one.bank_id)
            for theirs in [own for own in sorted(other.ids) if own.isalnum()][-3:]:
                await pry(one, theirs)
        case _:
            method, path = {
                "remove": ("DELETE", "/webhooks/main"),
                "again": ("POST", again),
                "read": ("GET", "/webhooks/main/deliveries"),
            }[what]
            await one.call(client, method, path)


async def live(one: Eyes, *, opens: bool) -> None:
    """Have a citizen agree with a bank, and an account opened."""
    world, product = one.world, PRODUCTS[one.bank_id]
    citizen, opening_id = await world.newcomer(), new_id()
    consent_id, _, event = await world.given(citizen, product, holder=one.bank_id)
    one.ids |= {consent_id, opening_id}
    if opens:
        answer = await world.open(
            citizen, event, product, opening_id=opening_id, holder=one.bank_id
        )
        one.said.append(answer.text)


async def pry(one: Eyes, theirs: str) -> None:
    """Ask for something of another bank's; an answer may say its id again, but nothing else."""
    world = one.world
    for client, path in ((world.consent, "consents"), (world.accounts, "openings")):
        answer = await one.call(client, "GET", f"/{path}/{theirs}")
        assert answer.status_code == 404
        unknown = await one.call(client, "GET", f"/{path}/{new_id()}")
        assert answer.text == unknown.text


# -- ours that die ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Give two processes of each service on one folder each."""
    with processes(tmp_path_factory.mktemp("both"), processes=2) as both:
        yield both


@dataclass
class Told:
    """A bank that is told by processes which are killed."""

    stand: Stand
    consumer: Consumer
    since: int = 0

    async def register(self) -> None:
        """Register the webhook; a new one each time, so that it begins here."""
        body, hook = {"url": self.consumer.url}, f"/webhooks/{new_id()}"
        consent, headers = self.stand.world.consent, self.stand.world.tokens.header("so-viet")
        for own in (await consent.get("/webhooks", headers=headers)).json()["webhooks"]:
            await consent.delete(f"/webhooks/{own['webhook_id']}", headers=headers)
        answer = await consent.put(hook, json=body, headers=headers)
        self.since = answer.json()["since"]

    async def happen(self, people: int = 1) -> None:
        """Have people be asked and agree, whatever dies meanwhile."""
        world = self.stand.world
        for _ in range(people):
            with suppress(httpx.TransportError, json.JSONDecodeError):
                citizen = await world.newcomer(f"+8490{next(NUMBERS):07d}")
                _, answer = await world.ask(citizen, holder="so-viet")
                await world.phone(citizen).decide(answer.json()["link"], "given")

    async def hears_everything(self) -> None:
        """Fail unless all that the feed has arrives, each citizen's in order."""
        world = self.stand.world
        headers = world.tokens.header("so-viet")
        whole = await read_feed(world.consent, headers, after=self.since)
        assert whole
        taken = await self.consumer.have(len(whole), 15)
        assert sorted(one.position for one in taken) == [int(one["sequence"]) for one in whole]
        log = {one["position"]: one for one in await world.log(world.consent)}
        assert no_citizen_out_of_order(taken, log)


def play(both: Processes, scenario: Callable[[Told], Awaitable[None]]) -> None:
    """Run a scenario; the first process sends, until it is killed."""

    async def run() -> None:
        async with a_stand(both) as stand, Consumer() as consumer:
            both.pairs[1][0].kill()
            told = Told(stand, consumer)
            await told.register()
            await scenario(told)
            await told.hears_everything()

    asyncio.run(run())


async def start_again(service: Service) -> None:
    """Start a service again once it is dead."""
    async with asyncio.timeout(10):
        while service.process and service.process.poll() is None:  # noqa: ASYNC110 - it is a process
            await asyncio.sleep(0.01)
    await asyncio.to_thread(service.start)


@pytest.mark.parametrize("answered", [False, True])
def test_killed_around_the_answer(both: Processes, *, answered: bool) -> None:
    """Sent and not answered; or answered and not noted: it is sent again, and then the rest."""

    async def scenario(told: Told) -> None:
        consent, killed = told.stand.services.consent, list[bool]()

        def dies(got: Got) -> int:
            if killed:
                return 204
            killed.append(True)
            if answered:
                asyncio.get_running_loop().call_later(0.0005, consent.kill)
                return 204
            consent.kill()
            return DROP

        told.consumer.answers = dies
        await told.happen(2)
        await start_again(consent)
        await told.happen()

    play(both, scenario)


def test_killed_before_it_is_sent(both: Processes) -> None:
    """What was recorded while nobody listened is sent once both are back."""

    async def scenario(told: Told) -> None:
        await told.consumer.stop()
        await told.happen(2)
        told.stand.services.consent.kill()
        await start_again(told.stand.services.consent)
        await told.consumer.start()
        clock = told.stand.world.clock
        clock.move_to(clock() + timedelta(minutes=1))  # what was tried in vain waits for seconds

    play(both, scenario)


def test_killed_again_and_again_in_a_burst(both: Processes) -> None:
    """Whenever it dies while it sends: all of it arrives in the end."""

    async def scenario(told: Told) -> None:
        for number in range(3):
            await asyncio.gather(*(told.happen() for _ in range(4)))
            await asyncio.sleep(number * 0.03)
            told.stand.services.consent.kill()
            await start_again(told.stand.services.consent)

    play(both, scenario)


def test_another_process_takes_over(both: Processes) -> None:
    """The one that sends is killed and stays dead: the other sends the rest, and is enough."""

    async def scenario(told: Told) -> None:
        second, world = both.pairs[1][0], told.stand.world
        await asyncio.to_thread(second.start)
        await told.happen(3)
        told.stand.services.consent.kill()
        first = world.consent
        async with a_client(second.port, 20, httpx.Limits()) as world.consent:
            await told.happen(2)
            await told.hears_everything()
        world.consent = first
        await start_again(told.stand.services.consent)

    play(both, scenario)


def no_citizen_out_of_order(taken: list[Got], log: dict[int, dict[str, Any]]) -> bool:
    """Tell whether what shares a citizen or a consent came in the log's order."""
    by_tag = dict[str, list[int]]()
    for one in taken:
        for tag in log[one.position]["tags"]:
            if tag.startswith(("citizen:", "consent:")):
                by_tag.setdefault(tag, []).append(one.position)
    return all(positions == sorted(positions) for positions in by_tag.values())


# -- what is documented -------------------------------------------------------------------------


def test_the_documented_check_takes_what_we_sign_and_nothing_else() -> None:
    """As it stands in docs/bank-api.md: good; changed, too old, and signed by another: not."""
    found = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (source,) = [one for one in found if "webhook-signature" in one]
    told: dict[str, Any] = {}
    exec(source, told)
    check, key, body = told["is_genuine"], Ed25519PrivateKey.generate(), b'{"id":"consent/7"}'
    keys = [signatures.public(Ed25519PrivateKey.generate()), signatures.public(key)]
    sent = signatures.headers("consent/7", body, system_clock(), [key])
    assert check(sent, body, keys)
    assert not check(sent, body + b" ", keys)
    assert not check(sent, body, keys[:1])
    assert not check({**sent, "webhook-id": "consent/8"}, body, keys)
    stale = signatures.headers("consent/7", body, system_clock().replace(year=2020), [key])
    assert not check(stale, body, keys)
    for bad in ({**sent, "webhook-signature": "v1a,AAAA v1,x"}, {**sent, "webhook-timestamp": "x"}):
        assert not check(bad, body, keys)
