"""From an agreement at a counter to the bank's desk, through both services."""

import asyncio
import secrets
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.cast import DEVICE, OFFICE, Citizen
from demo.commands import sitting
from services.consent.sms import NotSent
from shared.contracts.reasons import sentence
from tests.support.faults import break_once
from tests.support.world import World, a_world
from tests.system.test_gate import codes
from tests.system.test_passkeys import play

NETWORK = "203.0.113.7"
"""Where the clerk's counter is (RFC 5737)."""


async def agreed(world: World, citizen: Citizen) -> tuple[str, str]:
    """Have a clerk ask, and the citizen agree at the counter; returns the consent and its link."""
    consent_id, answer = await world.ask(citizen)
    link = answer.json()["link"]
    (await world.phone(citizen).decide(link, "given")).raise_for_status()
    return consent_id, link


async def messages(world: World, citizen: Citizen) -> list[str]:
    """Return what was sent to a citizen's phone."""
    found = await world.consent.get("/sandbox/outbox", params={"phone": citizen.phone})
    return [one["text"] for one in found.json()]


async def facts(world: World, kind: str) -> list[dict[str, Any]]:
    """Return what the facts of a kind say."""
    log = await world.log(world.consent)
    return [one["data"] for one in log if one["kind"] == kind]


def test_each_step_waits_for_the_one_before(tmp_path: Path) -> None:
    """Nobody is photographed early, nothing handed in, confirmed or opened out of turn."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        consent_id, answer = await world.ask(citizen)
        link = answer.json()["link"]
        assert codes(await world.capture(consent_id)) == ["capture_before_consent"]
        assert codes(await world.submit(consent_id)) == ["consent_not_given", "capture_missing"]
        await world.phone(citizen).decide(link, "given")
        assert codes(await world.submit(consent_id)) == ["capture_missing"]
        world.clock.move_to(world.clock() + timedelta(minutes=40))
        assert "chưa có gì để xác nhận" in (await world.phone(citizen).read(link)).text
        assert (await world.capture(consent_id)).status_code == 204
        assert (await world.submit(consent_id)).status_code == 204
        await world.confirm(citizen, link)
        event = await world.event(consent_id)
        by_clerk = await world.open(citizen, event, holder="gdv-01")
        assert codes(by_clerk) == ["bank_decides"]
        assert by_clerk.status_code == 403
        assert (await world.open(citizen, event, officer_id="nv-07")).status_code == 201
        (used,) = await facts(world, "consent.redeemed.1")
        assert used["officer_id"] == "nv-07"
        assert await world.broken() == []

    play(tmp_path, scenario)


def test_the_same_again_is_once_and_loses_nothing(tmp_path: Path) -> None:
    """A capture, a submission: sent twice, each is one fact and one message."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        consent_id, _ = await agreed(world, citizen)
        body = sitting(world.clock())
        for _ in range(2):
            answer = await world.capture(consent_id, capture_id="one", **body)
            assert answer.status_code == 204
        other = await world.capture(consent_id, capture_id="one")
        assert (other.status_code, codes(other)) == (409, ["capture_id_reused"])
        before = len(await messages(world, citizen))
        for _ in range(2):
            assert (await world.submit(consent_id)).status_code == 204
        assert len(await facts(world, "identity.captured.1")) == 1
        assert len(await facts(world, "opening.submitted.1")) == 1
        (told,) = (await messages(world, citizen))[before:]
        assert f"{OFFICE[1]} đã chụp giấy tờ" in told
        assert "chờ bạn xác nhận" in told

    play(tmp_path, scenario)


@pytest.mark.parametrize("fault", ["before", "after"])
def test_what_the_store_lost_is_sent_again(tmp_path: Path, fault: str) -> None:
    """A commit that fails, durable or not: told so, repeated, once in the log."""

    async def scenario(world: World) -> None:
        consent_id, _ = await agreed(world, world.people[0])
        recorder = world.consent_app.state.log.recorder
        body = sitting(world.clock())
        for kind, send in (
            ("identity.captured.1", partial(world.capture, consent_id, capture_id="one", **body)),
            ("opening.submitted.1", partial(world.submit, consent_id)),
        ):
            break_once(recorder, fault)
            assert (await send()).status_code == 503
            assert len(await facts(world, kind)) == (fault == "after")
            assert (await send()).status_code == 204
            assert len(await facts(world, kind)) == 1

    play(tmp_path, scenario)


def test_a_message_that_is_not_sent_loses_no_submission(tmp_path: Path) -> None:
    """What a clerk handed in stands; the page says so, and so does the bank's list."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        consent_id, link = await agreed(world, citizen)
        world.consent_app.state.parts.sms.send = not_sent
        await world.hand_in(consent_id)
        del world.consent_app.state.parts.sms.send
        assert "Bưu cục gửi hồ sơ cho ngân hàng" in (await world.phone(citizen).read(link)).text
        assert len((await submissions(world, "so-viet"))["submissions"]) == 1

    play(tmp_path, scenario)


async def not_sent(*_: str) -> None:
    """Raise what a gateway does that is out of reach."""
    raise NotSent


def test_pictures_are_in_no_log_and_serve_one_case(tmp_path: Path) -> None:
    """The hash of a picture is nowhere; its mark finds it again in another's case."""

    async def scenario(world: World) -> None:
        one, two = world.people[:2]
        (first, _), (second, _) = await agreed(world, one), await agreed(world, two)
        face = secrets.token_hex(32)
        (await world.capture(first, portrait_hash=face)).raise_for_status()
        again = await world.capture(second, document_hash=face)
        assert codes(again) == ["image_used"]
        assert again.json()["reasons"][0]["vi"] == sentence("image_used", "vi")
        (rejected,) = await facts(world, "capture.rejected.1")
        assert (rejected["clerk_id"], rejected["device_id"]) == ("gdv-01", DEVICE)
        assert await world.broken(face) == []

    play(tmp_path, scenario)


def test_a_device_is_the_offices_own_while_it_is(tmp_path: Path) -> None:
    """An unknown one, another office's, one that ended: none photographs anybody."""

    async def scenario(world: World) -> None:
        consent_id, _ = await agreed(world, world.people[0])
        operator = world.tokens.header("operator")
        term = {"valid_from": "2021-03-01T00:00:00Z"}
        other = "/offices/bd-dong-ha"
        named = {"name": "Bưu điện Đông Hà"}
        await world.consent.put(other, json=named, headers=operator)
        await world.consent.put(f"{other}/devices/theirs", json=term, headers=operator)
        for device in ("own-phone", "theirs"):
            answer = await world.capture(consent_id, device_id=device)
            assert codes(answer) == ["device_not_registered"]
        ended = {**term, "valid_until": world.clock().isoformat()}
        own = f"/offices/{OFFICE[0]}/devices/{DEVICE}"
        assert (await world.consent.put(own, json=ended, headers=operator)).status_code == 204
        assert codes(await world.capture(consent_id)) == ["device_not_registered"]
        await world.consent.put(own, json=term, headers=operator)
        assert (await world.capture(consent_id)).status_code == 204

    play(tmp_path, scenario)


def test_a_devices_clock_makes_nothing_earlier(tmp_path: Path) -> None:
    """Set back, it says that somebody was photographed before they agreed; ahead, it is told."""

    async def scenario(world: World) -> None:
        consent_id, _ = await agreed(world, world.people[0])
        now = world.clock()
        for hours, code in ((-24, "capture_before_consent"), (24, "device_clock_ahead")):
            said = (now + timedelta(hours=hours)).isoformat()
            assert codes(await world.capture(consent_id, taken_at=said)) == [code]
        told = [one["taken_at"][:10] for one in await facts(world, "capture.rejected.1")]
        assert told == ["2023-08-08", "2023-08-10"]
        for never in ("2023-08-09T07:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"):
            assert (await world.capture(consent_id, taken_at=never)).status_code == 422

    play(tmp_path, scenario)


def test_what_is_suspended_photographs_and_hands_in_nothing(tmp_path: Path) -> None:
    """A stop that was acknowledged holds for every step behind it."""

    async def scenario(world: World) -> None:
        consent_id, _ = await agreed(world, world.people[0])
        headers = world.tokens.header("overseer")
        body = {"why": "complaints", "clerk_id": "gdv-01"}
        await world.consent.put("/suspensions/s", json=body, headers=headers)
        for answer in (await world.capture(consent_id), await world.submit(consent_id)):
            assert codes(answer)[-1] == "clerk_suspended"

    play(tmp_path, scenario)


def test_who_sees_what_was_handed_in(tmp_path: Path) -> None:
    """Its bank and its clerk, with nobody's name; page by page, the regulator all of it."""

    async def scenario(world: World) -> None:
        consent_id = ""
        for citizen in world.people[:3]:
            consent_id, _ = await agreed(world, citizen)
            await world.hand_in(consent_id)
        for holder, count in (("so-viet", 3), ("truong-son", 0), ("gdv-02", 0), ("regulator", 3)):
            listed = await submissions(world, holder)
            assert len(listed["submissions"]) == count
            assert not any(one.id in str(listed) for one in world.people)
        first = await submissions(world, "gdv-01", limit=2)
        rest = await submissions(world, "gdv-01", after=first["next"])
        assert [len(one["submissions"]) for one in (first, rest)] == [2, 1]
        for holder in ("gdv-02", "so-viet"):
            answers = [await world.submit(consent_id, holder)]
            answers.append(await world.capture(consent_id, holder))
            assert {one.status_code for one in answers} == {403}

    play(tmp_path, scenario)


async def submissions(world: World, holder: str, **query: int) -> dict[str, Any]:
    """Return what somebody is shown of what was handed in."""
    headers = world.tokens.header(holder)
    answer = await world.consent.get("/submissions", params=query, headers=headers)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def test_nobody_approves_from_the_counter(tmp_path: Path) -> None:
    """The bank's command from the clerk's own network opens nothing; nor with a clerk's name."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen = world.people[0]
            async with _at(world.consent_app, NETWORK) as counter:
                there, world.consent = world.consent, counter
                consent_id, answer = await world.ask(citizen)
                world.consent = there
            link = answer.json()["link"]
            await world.phone(citizen).decide(link, "given")
            await world.hand_in(consent_id)
            await world.confirm(citizen, link)
            event = await world.event(consent_id)
            async with _at(world.accounts_app, NETWORK) as counter:
                away, world.accounts = world.accounts, counter
                assert codes(await world.open(citizen, event)) == ["approved_from_counter"]
                world.accounts = away
            for clerk in ("gdv-01", "gdv-02"):
                answer = await world.open(citizen, event, officer_id=clerk)
                assert codes(answer) == ["officer_is_clerk"]
            async with _at(world.accounts_app, "198.51.100.9") as bank:
                world.accounts = bank
                assert (await world.open(citizen, event)).status_code == 201
                world.accounts = away
            assert await world.broken(NETWORK) == []

    asyncio.run(scenario())


def _at(app: Any, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 40_000))
    return httpx.AsyncClient(transport=transport, base_url="http://service")


def test_a_command_that_fails_here_hears_of_the_gate_too(tmp_path: Path) -> None:
    """Every guard that fails is named, in whichever service it is; an outage hides none of ours."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        _, _, event = await world.given(citizen)
        headers = world.tokens.header("overseer")
        body = {"why": "complaints", "office_id": OFFICE[0]}
        await world.consent.put("/suspensions/s", json=body, headers=headers)
        answer = await world.open(citizen, event, terms_hash="f" * 64)
        assert codes(answer) == ["terms_differ", "office_suspended"]
        (used,) = [one for one in await world.log(world.accounts) if "rejected" in one["kind"]]
        assert used["data"]["reasons"] == ["terms_differ", "office_suspended"]
        for lost in ("before", "after"):
            world.wire.faults = [lost]
            answer = await world.open(citizen, event, terms_hash="f" * 64)
            assert codes(answer) == ["terms_differ"]

    play(tmp_path, scenario)
