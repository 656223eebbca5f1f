"""What a bank's server gets, whatever it does, and whatever happens to us: everything, in order."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Rejection, Unavailable
from shared.hearing import courier, delivering, queue
from shared.hearing.assembly import create_hearing
from shared.hearing.deliveries import Hook, State
from shared.hearing.queue import Queue
from shared.hearing.registering import TESTS_AT_ONCE
from shared.hearing.schedule import GIVEN_UP_AFTER_S
from shared.hearing.webhooks import SIGNS_ON
from tests.support.consumer import DROP, HANG, Consumer
from tests.support.post import HOOK, Post, a_post, in_order, play, tick
from tests.support.postgres import in_a_schema
from tests.support.world import new_id

pytestmark = pytest.mark.usefixtures("in_a_hurry")


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as little as can be, where only real seconds pass."""
    monkeypatch.setattr(courier, "DUE_LOOK_S", 0.01)
    monkeypatch.setattr(courier, "AFTER_TROUBLE_S", 0.05)
    monkeypatch.setattr(delivering, "TAKE_OVER_EVERY_S", 0.02)
    monkeypatch.setattr(delivering, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("shared.hearing.following.LOOK_EVERY_S", 0.01)
    monkeypatch.setattr("shared.hearing.sending.Sender.__init__.__kwdefaults__", {"whole_s": 0.3})


def test_an_event_arrives_as_the_feed_has_it(tmp_path: Path) -> None:
    """Signed with the key that the bank was told, under an id of its own, within a second."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            post.happen()  # before there was a webhook: the feed has it
            view = await post.register(consumer.url)
            (position,) = post.happen()
            (got,) = await consumer.have(1)
            heard = await post.hearing.feed.read("b1", after=position - 1, limit=1)
            assert got.body == heard.events[0].body
            assert got.id == f"accounts/{position}" == got.event["id"]
            assert got.signed_by(view["keys"][0]["key"])
            assert got.headers["content-type"] == "application/cloudevents+json"
            assert got.path == "/hook"
            assert abs(int(got.headers["webhook-timestamp"]) - post.clock().timestamp()) < 3
            await post.settled(lambda one: one["delivered"] == 1)
            (line,) = await post.lines()
            assert (line["position"], line["state"], line["attempts"]) == (position, "delivered", 1)
            assert line["tries"][0]["status"] == 204

    play(scenario)


WAYS = {
    "fails": lambda got: 500 if got.number < 3 else 200,
    "hangs": lambda got: HANG if got.number == 1 else 200,
    "drops": lambda got: DROP if got.number < 3 else 200,
    "redirects": lambda got: 307 if got.number == 1 else 202,
    "each-other-way": lambda got: (
        [503, HANG, 404, DROP, 301][(got.position + got.number) % 5] if got.number < 4 else 204
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_whatever_a_consumer_does_it_gets_everything_in_order(tmp_path: Path, way: str) -> None:
    """Each citizen's events in order, none lost, and nobody is sent where a redirect points to."""

    async def scenario() -> None:
        async with Consumer() as elsewhere, Consumer() as consumer, a_post(tmp_path) as post:
            consumer.more = {"Location": elsewhere.url}
            await post.register(consumer.url)
            for number in range(12):
                post.happen(f"c{number % 4}")
            consumer.answers = WAYS[way]
            ticking = asyncio.create_task(tick(post))
            taken = await consumer.have(12)
            ticking.cancel()
            assert in_order(taken, post.positions)
            assert elsewhere.got == []

    play(scenario)


def test_a_consumer_that_fails_for_an_hour(tmp_path: Path) -> None:
    """It is not flooded meanwhile; once it answers, all that waited is there within minutes."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            await post.register(consumer.url)
            consumer.answers = lambda _: 500
            begin = post.clock()
            for minute in range(60):
                post.happen(f"c{minute % 7}")
                post.clock.move(minutes=1)
                await asyncio.sleep(0.03)
            failing = len(consumer.got)
            assert failing < 60
            assert (await post.state())["state"] == "failing"
            consumer.answers = lambda _: 200
            back = post.clock()
            assert back - begin > timedelta(hours=1)
            ticking = asyncio.create_task(tick(post, seconds=5))
            taken = await consumer.have(60)
            ticking.cancel()
            assert in_order(taken, post.positions)
            assert post.clock() - back < timedelta(minutes=10)
            await post.settled(lambda one: one["state"] == "active")

    play(scenario)


def test_an_event_that_is_never_taken_is_given_up_and_can_be_had(tmp_path: Path) -> None:
    """After 72 hours it is dead and holds up its citizen no more; sent again, it arrives."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            await post.register(consumer.url)
            bad, after = post.happen("c1") + post.happen("c1")
            other = post.happen("c2")
            consumer.answers = lambda got: 422 if got.position == bad else 200
            begin = post.clock()
            assert [one.position for one in await consumer.have(1)] == other
            ticking = asyncio.create_task(tick(post))
            taken = await consumer.have(2, 30)
            ticking.cancel()
            assert [one.position for one in taken] == [*other, after]
            assert post.clock() - begin >= timedelta(seconds=GIVEN_UP_AFTER_S)
            await post.settled(lambda one: one["dead"] == 1)
            (dead,) = await post.lines(State.DEAD)
            assert dead["position"] == bad
            assert dead["attempts"] == len(dead["tries"]) == 10
            assert {one["status"] for one in dead["tries"]} == {422}
            consumer.answers = lambda _: 200
            await post.hearing.registering.again(HOOK, bad, new_id())
            assert (await consumer.have(3))[-1].position == bad
            await post.settled(lambda one: (one["dead"], one["delivered"]) == (0, 3))

    play(scenario)


def test_what_came_before_a_webhook_can_be_had_and_nothing_of_others(tmp_path: Path) -> None:
    """Any event of the bank, and of the kinds that it wants, is sent again; no other is known."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            (before,) = post.happen()
            (others,) = post.happen(bank="b2")
            await post.register(consumer.url)
            await post.hearing.registering.again(HOOK, before, new_id())
            assert [one.position for one in await consumer.have(1)] == [before]
            for position in (others, 10_000):
                with pytest.raises(Rejection, match="event_unknown"):
                    await post.hearing.registering.again(HOOK, position, new_id())

    play(scenario)


def test_what_is_asked_for_again_is_sent_once_for_each_request(tmp_path: Path) -> None:
    """The same request adds nothing, also long after; another is another sending."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            await post.register(consumer.url)
            (position,) = post.happen()
            again = post.hearing.registering.again
            for sendings, request_id in enumerate(("r1", "r2", "r1", "r2"), start=2):
                await post.settled(lambda one: (one["waiting"], one["delivered"]) == (0, 1))
                await again(HOOK, position, request_id)
                await asyncio.sleep(0.2)
                assert len(consumer.got) == min(sendings, 3)

    play(scenario)


def test_not_more_than_so_many_events_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bank that asks for all again while it takes nothing is asked to come again itself."""
    monkeypatch.setattr(queue, "WAITING_MAX", 3)

    async def scenario() -> None:
        async with Consumer(answers=lambda _: 500) as consumer, a_post(tmp_path) as post:
            positions = post.happen(count=4)
            await post.register(consumer.url)
            for position in positions[:3]:
                await post.hearing.registering.again(HOOK, position, new_id())
            with pytest.raises(Unavailable, match="overloaded"):
                await post.hearing.registering.again(HOOK, positions[3], "r")
            await post.hearing.registering.again(HOOK, positions[2], new_id())
            consumer.answers = lambda _: 200
            await post.hearing.registering.again(HOOK, positions[1], new_id())
            await post.settled(lambda one: one["delivered"] == 3)
            await post.hearing.registering.again(HOOK, positions[3], "r")
            await post.settled(lambda one: one["delivered"] == 4)

    play(scenario)


def test_a_consumer_that_is_gone_is_left_alone_until_it_is_registered_again(tmp_path: Path) -> None:
    """410 disables; what happens meanwhile is kept, and comes when it is asked for."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            await post.register(consumer.url)
            consumer.answers = lambda _: 410
            post.happen()
            await post.settled(lambda one: one["state"] == "disabled")
            post.happen(count=3)
            post.clock.move(hours=100)
            await asyncio.sleep(0.1)
            assert len(consumer.got) == 1
            consumer.answers = lambda _: 200
            assert (await post.register(consumer.url))["state"] == "active"
            assert in_order(await consumer.have(4), post.positions)

    play(scenario)


def test_a_consumer_may_ask_for_a_rest(tmp_path: Path) -> None:
    """`Retry-After` holds for all of it, up to an hour, however long it asks for."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            await post.register(consumer.url)
            consumer.answers, consumer.more = lambda _: 429, {"Retry-After": "99999"}
            post.happen("c1")
            await post.settled(lambda one: one["state"] == "failing")
            consumer.answers = lambda _: 200
            post.happen("c2")
            post.clock.move(minutes=58)
            await asyncio.sleep(0.1)
            assert len(consumer.got) == 1
            post.clock.move(minutes=3)
            assert in_order(await consumer.have(2), post.positions)

    play(scenario)


def test_a_webhook_that_is_wanted_again_is_not_switched_off_by_what_was_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt from before 410 ends behind the new registration: that says nothing of it."""
    monkeypatch.setattr(delivering, "LOOK_EVERY_S", 0.6)

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            await post.register(consumer.url)
            consumer.answers = lambda got: HANG if got.position == slow else 410
            (slow,) = post.happen("c1")
            await consumer.until(lambda: len(consumer.got) == 1)
            (last,) = post.happen("c2")
            await consumer.until(lambda: len(consumer.got) == 2)
            await post.settled(lambda one: one["state"] == "disabled")
            consumer.answers = lambda _: 200
            await post.register(consumer.url)
            assert [one.position for one in await consumer.have(1, 3)] == [last]
            post.clock.move(minutes=10)
            assert [one.position for one in await consumer.have(2, 3)] == [last, slow]

    play(scenario)


def test_what_fails_while_the_queue_is_read_anew_waits_its_time(tmp_path: Path) -> None:
    """Somebody changes the queue while an attempt is under way: it is not tried at once again."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            (before,) = post.happen("c2")
            consumer.answers = lambda got: HANG if got.position != before else 200
            await post.register(consumer.url)
            (position,) = post.happen("c1")
            await consumer.until(lambda: len(consumer.got) == 1)
            await post.hearing.registering.again(HOOK, before, new_id())
            await consumer.have(1)
            await post.settled(lambda one: one["delivered"] == 1)
            await asyncio.sleep(0.6)
            assert [one.number for one in consumer.got if one.position == position] == [1]

    play(scenario)


def test_a_log_on_postgresql_is_heard_too(tmp_path: Path, postgres_url: str) -> None:
    """By the same rules: a consumer that fails gets everything in order."""

    async def scenario() -> None:
        ledger = in_a_schema(postgres_url)
        async with Consumer() as consumer, a_post(tmp_path, ledger=ledger) as post:
            consumer.answers = lambda got: 500 if got.number == 1 else 200
            await post.register(consumer.url)
            ticking = asyncio.create_task(tick(post))
            for number in range(20):
                await asyncio.to_thread(post.happen, f"c{number % 4}")
            assert in_order(await consumer.have(20), post.positions)
            ticking.cancel()
            assert len(await post.lines()) == 20

    play(scenario)


def test_one_bank_never_waits_for_another(tmp_path: Path) -> None:
    """A consumer that hangs holds up its own events alone."""

    async def scenario() -> None:
        async with Consumer() as slow, Consumer() as quick, a_post(tmp_path) as post:
            slow.answers = lambda _: HANG
            await post.register(slow.url)
            await post.register(quick.url, Hook("b2", "main"))
            post.happen(count=50)
            wanted = post.happen(bank="b2", count=50)
            begun = asyncio.get_running_loop().time()
            assert in_order(await quick.have(50), wanted)
            assert asyncio.get_running_loop().time() - begun < 2
            assert slow.taken == []

    play(scenario)


def test_only_the_kinds_that_a_bank_wants(tmp_path: Path) -> None:
    """Of others nothing is sent, nor kept; a kind that there is not is refused."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            await post.register(consumer.url, kinds=["webhook.key.renewed.1"])
            post.happen(count=5)
            await post.hearing.registering.renew(HOOK, "bank:b1", new_id())
            (got,) = await consumer.have(1)
            assert got.event["type"] == "webhook.key.renewed.1"
            assert len(await post.lines()) == 1
            with pytest.raises(Rejection, match="webhook_rejected"):
                await post.register(consumer.url, kinds=["account.exploded.1"])

    play(scenario)


def test_a_key_is_renewed_without_a_gap(tmp_path: Path) -> None:
    """For a day both sign, so that whoever knows only one of them can check; then the new alone."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            old = (await post.register(consumer.url))["keys"][0]["key"]
            view = await post.hearing.registering.renew(HOOK, "bank:b1", new_id())
            new, _ = [one["key"] for one in view["keys"]]
            post.happen()
            got = (await consumer.have(2))[1]
            assert got.signed_by(old)
            assert got.signed_by(new)
            assert len(got.headers["webhook-signature"].split(" ")) == 2
            post.clock.move(seconds=SIGNS_ON.total_seconds())
            post.happen()
            got = (await consumer.have(3))[2]
            assert got.signed_by(new)
            assert not got.signed_by(old)
            assert [one["key"] for one in (await post.state())["keys"]] == [new]

    play(scenario)


def test_a_lost_secret_signs_nothing_until_keys_are_renewed(tmp_path: Path) -> None:
    """With another secret nothing is sent under a key that the bank does not know."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            await post.register(consumer.url)
            await post.die()
            (tmp_path / "webhooks.key").unlink()
            create_hearing(tmp_path)
            post.start()
            post.happen()
            await post.settled(lambda one: one["state"] == "failing")
            assert (await post.lines())[0]["tries"][0]["error"] == "key_lost"
            view = await post.hearing.registering.renew(HOOK, "bank:b1", new_id())
            ticking = asyncio.create_task(tick(post))
            got = (await consumer.have(2))[0]
            ticking.cancel()
            assert got.signed_by(view["keys"][0]["key"])

    play(scenario)


def test_a_removed_webhook_is_sent_nothing_and_a_new_one_begins_anew(tmp_path: Path) -> None:
    """Under the same id, too: what was for the first is not for the second."""

    async def scenario() -> None:
        async with Consumer() as first, Consumer() as second, a_post(tmp_path) as post:
            await post.register(first.url)
            post.happen()
            await first.have(1)
            first.answers = lambda _: 500
            post.happen(count=3)
            await first.until(lambda: len(first.got) > 1)
            await post.hearing.registering.remove(HOOK, "bank:b1")
            await post.register(second.url)
            wanted = post.happen(count=2)
            assert in_order(await second.have(2), wanted)
            assert len(await post.lines()) == 2

    play(scenario)


def test_a_test_is_sent_at_once_and_says_what_came_of_it(tmp_path: Path) -> None:
    """Whatever the answer is; it is signed as the rest, and is no event of the log."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            view = await post.register(consumer.url)
            told = await post.hearing.registering.test(HOOK, new_id())
            assert (told["delivered"], told["status"], told["error"]) == (True, 204, None)
            assert consumer.got[0].signed_by(view["keys"][0]["key"])
            assert consumer.got[0].event["type"] == "webhook.tested"
            consumer.answers = lambda _: HANG
            told = await post.hearing.registering.test(HOOK, new_id())
            assert (told["delivered"], told["status"], told["error"]) == (False, None, "timeout")
            await consumer.stop()
            told = await post.hearing.registering.test(HOOK, new_id())
            assert told["error"] == "unreachable"
            assert await post.lines() == []

    play(scenario)


def test_one_banks_tests_keep_no_other_waiting(tmp_path: Path) -> None:
    """Each has so many at once; the same request again sends the same event."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            registering, other = post.hearing.registering, Hook("b2", "h")
            await post.register(consumer.url)
            await registering.register(other, consumer.url, None, "bank:b2")
            consumer.answers = lambda _: HANG
            hanging = [
                asyncio.create_task(registering.test(HOOK, new_id())) for _ in range(TESTS_AT_ONCE)
            ]
            await consumer.until(lambda: len(consumer.got) == TESTS_AT_ONCE)
            with pytest.raises(Unavailable, match="overloaded"):
                await registering.test(HOOK, new_id())
            consumer.answers = lambda _: 200
            for _ in range(2):
                assert (await registering.test(other, "one-request-of-theirs"))["delivered"]
            assert len({got.id for got in consumer.got[-2:]}) == 1
            await asyncio.gather(*hanging)
            assert (await registering.test(HOOK, new_id()))["delivered"]

    play(scenario)


# -- ours that die ------------------------------------------------------------------------------

STEPS = [(name, when) for name in ("keep", "take_in", "tried") for when in ("before", "after")]


@pytest.mark.parametrize(("name", "when"), STEPS)
def test_a_process_dies_at_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, when: str
) -> None:
    """Before it writes, or behind it: whoever comes next sends all, each citizen's in order."""
    died, whole = list[int](), getattr(Queue, name)

    def dying(self: Queue, *args: Any, **more: Any) -> Any:
        if len(died) < 3 and when == "before":
            died.append(1)
            raise Unavailable("store_unavailable")
        done = whole(self, *args, **more)
        if len(died) < 3:
            died.append(1)
            raise Unavailable("store_unavailable")
        return done

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            await post.register(consumer.url)
            consumer.answers = lambda got: 500 if got.number < 3 else 200
            monkeypatch.setattr(Queue, name, dying)
            ticking = asyncio.create_task(tick(post))
            for number in range(30):
                post.happen(f"c{number % 3}")
                if number % 10 == 9:
                    await asyncio.sleep(0.05)
                    await post.die()
                    post.start()
            taken = await consumer.have(30)
            ticking.cancel()
            assert in_order(taken, post.positions)
            assert died
            for citizen in range(3):  # what came twice came in order, too
                own = [one for one in consumer.got if f"o-c{citizen}" in one.body.decode()]
                assert [one.position for one in own if one.number == 1] == sorted(
                    {one.position for one in own}
                )

    play(scenario)


def test_more_waits_than_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is no room for waits in the log, and comes in its turn."""
    monkeypatch.setattr(courier, "WAITING_MAX", 20)

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            consumer.answers = lambda got: 500 if got.number == 1 and got.position % 9 == 0 else 200
            await post.register(consumer.url)
            for number in range(100):
                post.happen(f"c{number % 11}")
            ticking = asyncio.create_task(tick(post))
            assert in_order(await consumer.have(100), post.positions)
            ticking.cancel()

    play(scenario)


def test_one_process_sends_and_another_takes_over(tmp_path: Path) -> None:
    """Two on one folder: what a consumer gets, it gets once, and when one ends another goes on."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            other = Post(tmp_path, clock=post.clock)
            other.start()
            await other.register(consumer.url)
            first = post.happen(count=20)
            assert in_order(await consumer.have(20), first)
            assert len(consumer.got) == 20
            await post.settled(lambda one: one["delivered"] == 20)
            await post.die()
            then = other.happen(count=20)
            assert in_order(await consumer.have(40), first + then)
            assert len(consumer.got) == 40
            post.start()
            await other.die()

    play(scenario)


def test_an_address_that_is_no_longer_allowed_is_not_called(tmp_path: Path) -> None:
    """Registered in a sandbox, sent by a service that is none: refused, and said so."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            await post.register(consumer.url)
            await post.die()
            post.private = False
            post.start()
            post.happen()
            await post.settled(lambda one: one["state"] == "failing")
            assert (await post.lines())[0]["tries"][0]["error"] == "address_not_allowed"
            assert consumer.got == []

    play(scenario)


def test_little_of_an_answer_is_read(tmp_path: Path) -> None:
    """A status is enough, whatever follows: a flood, or a body that never ends."""

    async def scenario() -> None:
        async with Consumer() as consumer, a_post(tmp_path) as post:
            consumer.answer_body = b"x" * 5_000_000
            await post.register(consumer.url)
            post.happen()
            await post.settled(lambda one: one["delivered"] == 1)
            consumer.answer_body, consumer.more = b"", {"Content-Length": "1000000"}
            post.happen()
            await post.settled(lambda one: one["delivered"] == 2)
            assert (await post.lines())[1]["tries"][0]["status"] == 204

    play(scenario)
