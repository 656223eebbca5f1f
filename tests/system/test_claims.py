"""The same `POST` twice has the effect of once, also where its process dies in between."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from services.consent.application.suspending import Suspending
from shared.claimed import claimed
from shared.oauth.assertions import TOKEN_PATH
from tests.support.faults import break_once
from tests.support.processes import Running as Processes
from tests.support.processes import a_stand, running
from tests.support.world import Running, World, a_running_world, new_id

ALONE = {
    TOKEN_PATH,  # each assertion counts once by its own id
    "/consents/{consent_id}/redemptions",  # has an id of its own in its body, for one command
    "/redemptions",  # each has its own
    "/stops",  # a signed document: it says itself what it is
    "/consents/{consent_id}/validate",  # changes nothing
    "/standings",  # nor does that
    "/oauth/introspection",  # nor that
    "/looks",  # the same within the hour is one by its own id
    "/log/index",  # goes on where the last ended
}
"""`POST` of machines that need no key (docs/decisions/0031)."""


@pytest.fixture(scope="module")
def world_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("claims")) as world_of:
        yield world_of


async def suspended(world: World) -> str:
    """Suspend what is done at a place that nobody uses; returns where that is lifted."""
    own_id = new_id()
    body = {"site_id": f"site-{own_id}", "why": "complaints"}
    headers = world.tokens.header("overseer")
    answer = await world.consent.put(f"/suspensions/{own_id}", json=body, headers=headers)
    answer.raise_for_status()
    return f"/suspensions/{own_id}/lifting"


async def lift(
    world: World, path: str, key: str | None, why: str = "remedied", holder: str = "overseer"
) -> httpx.Response:
    """Propose that it ends, with a key."""
    headers = world.tokens.header(holder) | ({} if key is None else {"Idempotency-Key": key})
    answer: httpx.Response = await world.consent.post(path, json={"why": why}, headers=headers)
    return answer


async def kinds(world: World, after: int) -> list[str]:
    """Return the kinds of facts behind a position."""
    return [one["kind"] for one in await world.log(world.consent, after)]


async def head(world: World) -> int:
    """Return the last position."""
    return int((await world.consent.get("/readyz")).json()["head"])


def test_the_same_again_adds_nothing_and_says_so(world_of: Running) -> None:
    """The key, quoted or not; and what it answers holds now."""

    async def scenario(world: World) -> None:
        path, key = await suspended(world), new_id()
        at = await head(world)
        first = await lift(world, path, key)
        assert (first.status_code, "idempotency-replayed" in first.headers) == (200, False)
        again = await lift(world, path, f'"{key}"')
        assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
        assert again.json() == first.json()
        assert await kinds(world, at) == ["request.claimed.1", "lifting.proposed.1"]
        (claim, _) = await world.log(world.consent, at)
        assert key not in str(claim)
        assert claim["data"]["claimed_by"].startswith("overseer:")

    world_of.play(scenario)


def test_a_key_is_needed_and_is_for_one_request(world_of: Running) -> None:
    """400 without one, 422 for another body or address; nothing is done by any of them."""

    async def scenario(world: World) -> None:
        path, other, key = await suspended(world), await suspended(world), new_id()
        at = await head(world)
        for missing, code in ((None, "missing"), ("", "missing"), ("a b", "malformed")):
            answer = await lift(world, path, missing)
            assert (answer.status_code, answer.json()["code"]) == (400, f"idempotency_key_{code}")
        assert (await lift(world, path, key)).status_code == 200
        for one in (await lift(world, path, key, "mistaken"), await lift(world, other, key)):
            assert (one.status_code, one.json()["code"]) == (422, "idempotency_key_reused")
        theirs = await lift(world, path, key, holder="so-viet")
        assert "idempotency-replayed" not in theirs.headers, "another's key is another key"
        assert (await kinds(world, at)).count("request.claimed.1") == 2

    world_of.play(scenario)


def test_what_cannot_be_read_claims_no_key(world_of: Running) -> None:
    """Syntax, shape, role come first: the key is still good for the request that was meant."""

    async def scenario(world: World) -> None:
        path, key = await suspended(world), new_id()
        at = await head(world)
        headers = world.tokens.header("overseer") | {"Idempotency-Key": key}
        for body in (b"{", b"{}", b'{"why": "because"}'):
            answer = await world.consent.post(path, content=body, headers=headers)
            assert answer.status_code == 422
        assert (await lift(world, path, key, holder="gdv-01")).status_code == 403
        assert await head(world) == at
        assert (await lift(world, path, key)).status_code == 200

    world_of.play(scenario)


def test_a_rejection_that_is_repeated_says_so(world_of: Running) -> None:
    """It is decided anew, by what holds now."""

    async def scenario(world: World) -> None:
        path, key = f"/suspensions/{new_id()}/lifting", new_id()
        first, again = await lift(world, path, key), await lift(world, path, key)
        assert (first.status_code, first.json()["code"]) == (
            again.status_code,
            again.json()["code"],
        )
        assert first.status_code >= 400
        assert [one.headers.get("idempotency-replayed") for one in (first, again)] == [None, "true"]

    world_of.play(scenario)


def test_while_it_is_processed_the_same_waits_its_turn(
    world_of: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """409 with when to come again; another request does not wait."""
    began, go_on = asyncio.Event(), asyncio.Event()
    whole = Suspending.lift

    async def slow(*arguments: object) -> object:
        began.set()
        await go_on.wait()
        return await whole(*arguments)  # type: ignore[arg-type]

    async def scenario(world: World) -> None:
        path, other, key = await suspended(world), await suspended(world), new_id()
        monkeypatch.setattr(Suspending, "lift", slow)
        first = asyncio.create_task(lift(world, path, key))
        await began.wait()
        busy = await lift(world, path, key)
        assert (busy.status_code, busy.json()["code"]) == (409, "request_in_flight")
        assert busy.headers["retry-after"] == "1"
        monkeypatch.setattr(Suspending, "lift", whole)
        assert (await lift(world, other, new_id())).status_code == 200
        go_on.set()
        assert (await first).status_code == 200
        assert (await lift(world, path, key)).headers["idempotency-replayed"] == "true"

    world_of.play(scenario)


def test_many_at_once_come_to_one(world_of: Running) -> None:
    """Of the same request, and of two under one key: one claim, one effect, no other answer."""

    async def scenario(world: World) -> None:
        path, key = await suspended(world), new_id()
        at = await head(world)
        answers = await asyncio.gather(*(lift(world, path, key) for _ in range(20)))
        assert {one.status_code for one in answers} <= {200, 409}
        assert 200 in {one.status_code for one in answers}
        assert await kinds(world, at) == ["request.claimed.1", "lifting.proposed.1"]
        key, whys = new_id(), ["remedied", "mistaken"] * 10
        mixed = await asyncio.gather(*(lift(world, path, key, why) for why in whys))
        assert {one.status_code for one in mixed} <= {200, 409, 422}
        assert (await kinds(world, at)).count("request.claimed.1") == 2

    world_of.play(scenario)


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("which", ["claim", "effect"])
def test_lost_before_and_lost_after_a_commit(world_of: Running, which: str, fault: str) -> None:
    """Of the claim, or of what it is for: the same again ends in one of each."""

    async def scenario(world: World) -> None:
        path, key = await suspended(world), new_id()
        at, recorder = await head(world), world.consent_app.state.log.recorder
        if which == "effect":
            whole = recorder.append_batch

            def first(batch: object) -> object:
                del recorder.append_batch
                try:
                    return whole(batch)
                finally:
                    break_once(recorder, fault)

            recorder.append_batch = first
        else:
            break_once(recorder, fault)
        assert (await lift(world, path, key)).status_code == 503
        for _ in range(2):
            assert (await lift(world, path, key)).status_code == 200
        assert await kinds(world, at) == ["request.claimed.1", "lifting.proposed.1"]

    world_of.play(scenario)


def test_every_post_of_a_machine_needs_a_key_or_says_why_not(world_of: Running) -> None:
    """A new route is decided upon."""

    async def scenario(world: World) -> None:
        for app in (world.consent_app, world.accounts_app):
            for route in app.router.routes:
                documented = isinstance(route, APIRoute) and route.include_in_schema
                if documented and "POST" in route.methods:
                    asks = any(one.call is claimed for one in route.dependant.dependencies)
                    assert asks != (route.path in ALONE), route.path

    world_of.play(scenario)


def test_a_process_that_is_killed_leaves_nothing_in_flight(tmp_path: Path) -> None:
    """Before it acts, or before it answers: real processes, and one of each fact in the end."""
    with running(tmp_path) as both:
        for moment in ("on_request", "on_answer"):
            asyncio.run(killed(both, moment))


async def killed(both: Processes, moment: str) -> None:
    """Kill the consent service at a moment of a request, and repeat that."""
    async with a_stand(both) as stand:
        path, key = await suspended(stand.world), new_id()
        at, consent = await head(stand.world), stand.services.consent

        def kill(_: bytes) -> bool:
            consent.kill()
            return False

        setattr(stand.between, moment, kill)
        url = f"http://127.0.0.1:{both.between}{path}"
        headers = stand.world.tokens.header("overseer") | {"Idempotency-Key": key}
        async with httpx.AsyncClient(timeout=5) as client:
            with pytest.raises(httpx.TransportError):
                await client.post(url, json={"why": "remedied"}, headers=headers)
        consent.start()
        for _ in range(2):
            assert (await lift(stand.world, path, key)).status_code == 200
        assert await kinds(stand.world, at) == ["request.claimed.1", "lifting.proposed.1"]
