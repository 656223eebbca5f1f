"""The bank's list over HTTP: who may hand in and read what, and what is too much, or too slow."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from demo.cast import ACCOUNT, OFFICE
from services.accounts import main as accounts_main
from services.accounts.lines import COLUMNS
from services.accounts.reconciling import Bounds, Reconciling
from shared import limits
from shared.contracts.reasons import sentence
from tests.support.lists import as_csv, as_ndjson, line
from tests.support.world import Running, World, a_running_world, new_id
from tests.system.test_api import codes

BANK, OTHER = ACCOUNT.bank_id, "truong-son"
DAY = "2023-08-09"
CSV = {"Content-Type": "text/csv"}
BOUNDS = Bounds(file_bytes=20_000, lines=100, block_s=2.0, whole_s=30.0, at_once=2, batch_lines=10)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world whose bounds for a list are narrow; its logs are sound in the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts_main, "Reconciling", partial(Reconciling, bounds=BOUNDS))
        with a_running_world(tmp_path_factory.mktemp("lists")) as running:
            yield running


async def hand_in(
    world: World, own_id: str, body: Any, holder: str = BANK, **more: Any
) -> httpx.Response:
    """Hand in a list as somebody."""
    headers = {**CSV, **world.tokens.header(holder), **more.pop("headers", {})}
    query = {"day": DAY, **more}
    answer: httpx.Response = await world.accounts.put(
        f"/reconciliations/{own_id}", params=query, content=body, headers=headers
    )
    return answer


async def get(world: World, path: str, holder: str, **query: Any) -> httpx.Response:
    """Read something as somebody."""
    answer: httpx.Response = await world.accounts.get(
        path, params=query, headers=world.tokens.header(holder)
    )
    return answer


async def confirmed(world: World, number: str) -> str:
    """Have an account opened and confirmed; return its opening."""
    person, opening_id = await world.newcomer(), new_id()
    _, _, event = await world.given(person)
    (await world.open(person, event, opening_id=opening_id)).raise_for_status()
    answer = await world.accounts.put(
        f"/openings/{opening_id}/confirmation",
        json={"account_number": number},
        headers=world.tokens.header(BANK),
    )
    answer.raise_for_status()
    return opening_id


def test_the_clerk_who_used_the_banks_own_app_is_found(running: Running) -> None:
    """Among confirmed accounts, the one that no consent opened is told, with clerk and office."""

    async def scenario(world: World) -> None:
        opening_id = await confirmed(world, "660000000001")
        by_app = line("660000000002", office_id=OFFICE[0], clerk_id="gdv-02")
        lines = [line("660000000001", opening_id=opening_id), by_app, line("66")]
        answer = await hand_in(world, "found", as_csv(lines))
        whole = answer.raise_for_status().json()
        assert whole["standing"] == "done"
        counts = {name: count for name, count in whole["counts"].items() if count}
        assert counts == {"lines": 3, "matched": 1, "without_consent": 1, "bad": 1}
        told = (await get(world, "/reconciliations/found/lines", BANK)).json()["lines"]
        assert [(one["line"], one["came"], one["reason"]["code"]) for one in told] == [
            (3, "without_consent", "opening_not_named"),
            (4, "bad", "cell_malformed"),
        ]
        assert (told[0]["office_id"], told[0]["clerk_id"]) == (OFFICE[0], "gdv-02")
        assert told[1]["column"] == "account_number"
        assert told[1]["reason"]["vi"] == sentence("cell_malformed", "vi")
        table = await get(world, "/reconciliations/found/lines.csv", BANK)
        head, orphan, bad, end = table.content.decode("utf-8-sig").split("\r\n")
        assert head.startswith("line,came,code,column,account_end")
        assert orphan.startswith("3,without_consent,opening_not_named,,0002,2023-08-09T02:00:00Z,")
        assert (bad.split(",")[:2], end) == (["4", "bad"], "")
        again = await hand_in(world, "found", as_csv(lines))
        assert again.json() == whole

    running.play(scenario)


def test_a_list_of_another_bank_is_as_one_that_is_not_there(running: Running) -> None:
    """Under the same id each has its own; an authority names the bank, and sees all of a day."""

    async def scenario(world: World) -> None:
        (await hand_in(world, "same", as_csv([line("770000000001")]))).raise_for_status()
        for path in ("", "/lines", "/lines.csv"):
            theirs = await get(world, f"/reconciliations/same{path}", OTHER)
            nothing = await get(world, f"/reconciliations/none{path}", OTHER)
            assert (theirs.status_code, codes(theirs)) == (404, ["reconciliation_unknown"])
            assert theirs.content == nothing.content
            asked = await get(world, f"/reconciliations/same{path}", OTHER, bank_id=BANK)
            assert (asked.status_code, codes(asked)) == (403, ["not_own_bank"])
            for authority in ("overseer", "regulator"):
                seen = await get(world, f"/reconciliations/same{path}", authority, bank_id=BANK)
                assert seen.status_code == 200
                unnamed = await get(world, f"/reconciliations/same{path}", authority)
                assert (unnamed.status_code, codes(unnamed)) == (422, ["malformed"])
            for nobody in ("gdv-01", "operator", "host"):
                kept = await get(world, f"/reconciliations/same{path}", nobody, bank_id=BANK)
                assert codes(kept) == ["role_not_allowed"]
        (await hand_in(world, "same", as_csv([]), OTHER)).raise_for_status()
        query = {"day": DAY}
        of_other = (await get(world, "/reconciliations", OTHER, **query)).json()["reconciliations"]
        assert {one["bank_id"] for one in of_other} == {OTHER}
        of_all = (await get(world, "/reconciliations", "overseer", **query)).json()[
            "reconciliations"
        ]
        assert {one["bank_id"] for one in of_all} == {OTHER, BANK}
        of_one = await get(world, "/reconciliations", "regulator", **query, bank_id=OTHER)
        assert of_one.json()["reconciliations"] == of_other
        named = await get(world, "/reconciliations", OTHER, **query, bank_id=BANK)
        assert codes(named) == ["not_own_bank"]
        orphans = [one for one in await world.log(world.accounts) if f"bank:{OTHER}" in one["tags"]]
        assert "account.unconsented.1" not in {one["kind"] for one in orphans}

    running.play(scenario)


def test_a_number_of_another_bank_is_no_account_of_this_one(running: Running) -> None:
    """What one bank confirmed covers no account of another; nor does an opening of that bank."""

    async def scenario(world: World) -> None:
        opening_id = await confirmed(world, "880000000001")
        lines = [line("880000000001", opening_id=opening_id)]
        (await hand_in(world, "theirs", as_csv(lines), OTHER)).raise_for_status()
        told = (await get(world, "/reconciliations/theirs/lines", OTHER)).json()["lines"]
        assert [one["reason"]["code"] for one in told] == ["opening_unknown"]

    running.play(scenario)


def test_what_is_no_list_is_not_taken(running: Running) -> None:
    """Another media type or role, no day, an id that is none, no header: a clear no."""

    async def scenario(world: World) -> None:
        body = as_csv([])
        for media in ("application/json", "", "text/csv; charset=utf-16", "text/html"):
            no = await hand_in(world, "no", body, headers={"Content-Type": media})
            assert (no.status_code, codes(no)) == (422, ["media_type_unknown"])
        good = {"Content-Type": 'Text/CSV; charset="UTF-8"'}
        assert (await hand_in(world, "good", body, headers=good)).status_code == 200
        no = await hand_in(world, "no", body, "gdv-01")
        assert (no.status_code, codes(no)) == (403, ["role_not_allowed"])
        for day in ("", "2023-02-29", "1999-12-31", "yesterday"):
            assert (await hand_in(world, "no", body, day=day)).status_code == 422
        assert (await hand_in(world, "a.b", body)).status_code == 422
        assert codes(await hand_in(world, "no", b"a,b\n")) == ["header_malformed"]
        objects = {"Content-Type": "application/x-ndjson"}
        many = await hand_in(world, "objects", as_ndjson([line("100001")]), headers=objects)
        assert many.json()["counts"]["without_consent"] == 1

    running.play(scenario)


async def slowly(*blocks: bytes, until: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    """Yield the blocks, then nothing for as long as it is waited for."""
    for block in blocks:
        yield block
    await (until or asyncio.Event()).wait()


LONG = as_csv([line(f"{at:012d}") for at in range(99)])


async def many() -> AsyncIterator[bytes]:
    """Yield a list whose length is not said."""
    for at in range(0, len(LONG), 1000):
        yield LONG[at : at + 1000]
    yield b"\n" * 30_000


def test_too_much_and_too_slow_lose_nothing_of_what_was_taken(running: Running) -> None:
    """413 or 408 in problem documents; what was read stays, and the whole list finishes it."""

    async def scenario(world: World) -> None:
        said = await hand_in(world, "said", b"x" * 20_001)
        assert (said.status_code, codes(said)) == (413, ["file_too_large"])
        assert (await get(world, "/reconciliations/said", BANK)).status_code == 404
        for body, status, code in (
            (many(), 413, "file_too_large"),
            (slowly(LONG[:4000]), 408, "file_cut_off"),
        ):
            no = await hand_in(world, f"l-{status}", body)
            assert (no.status_code, codes(no)) == (status, [code])
            part = (await get(world, f"/reconciliations/l-{status}", BANK)).json()
            assert part["standing"] == "reading"
            assert part["counts"]["lines"] in range(9, 100)
            whole = await hand_in(world, f"l-{status}", LONG)
            assert whole.json()["counts"]["without_consent"] == 99
        orphans = [
            one["data"]["account_end"]
            for one in await world.log(world.accounts)
            if one["kind"] == "account.unconsented.1" and one["data"]["account_end"] < "0099"
        ]
        assert {f"{at:04d}" for at in range(3, 99)} <= set(orphans)

    running.play(scenario)


def test_a_list_that_comes_slower_than_any_body_is_cut_off_too(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever bound is first: the same no, which is a fact, and ends the connection."""
    monkeypatch.setattr(limits, "BODY_STARTS_WITHIN_S", 0.2)
    monkeypatch.setattr(limits, "BODY_BYTES_PER_S", 1_000_000)

    async def scenario(world: World) -> None:
        for blocks in ([], [LONG[:4000]]):
            no = await hand_in(world, f"slow-{len(blocks)}", slowly(*blocks))
            assert (no.status_code, codes(no)) == (408, ["file_cut_off"])
            assert no.headers["connection"] == "close"
            assert (await world.newest(world.accounts))["kind"] == "reconciliation.rejected.1"
        whole = await hand_in(world, "slow-1", LONG)
        assert whole.json()["counts"]["lines"] == 99

    running.play(scenario)


def test_a_bank_has_one_place_and_leaves_one_for_another(running: Running) -> None:
    """A second list of the same bank waits; another bank's is taken, and anybody is answered."""

    async def scenario(world: World) -> None:
        until = asyncio.Event()
        first = asyncio.create_task(hand_in(world, "b-1", slowly(LONG[:500], until=until)))
        await asyncio.sleep(0.05)
        second = await hand_in(world, "b-2", LONG)
        assert (second.status_code, codes(second)) == (503, ["reconciling_already"])
        assert int(second.headers["retry-after"]) > 0
        assert (await hand_in(world, "b-1", LONG, OTHER)).status_code == 200
        assert (await get(world, "/openings/none", BANK)).status_code == 404
        until.set()
        assert (await first).status_code == 200
        assert (await hand_in(world, "b-2", LONG)).status_code == 200

    running.play(scenario)


def test_the_description_says_what_a_list_is(running: Running) -> None:
    """The one document that a bank integrates by names both forms, and the columns."""
    document = running.world.accounts_app.openapi()
    said = document["paths"]["/reconciliations/{reconciliation_id}"]["put"]
    assert set(said["requestBody"]["content"]) == {"text/csv", "application/x-ndjson"}
    assert all(f"`{name}`" in said["description"] for name in COLUMNS)
