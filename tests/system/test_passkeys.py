"""A citizen's passkey through both services: what it signs counts; what is not it, never does."""

import asyncio
import html
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.cast import OFFICE, OTHER, Citizen
from shared.contracts.evidence import passkey_id
from tests.support.authenticator import ED25519, ES256, Authenticator, Lies
from tests.support.world import World, a_world

HONEST = Lies()
NEW_ID = "7d8b7c0e-4b0e-4bb5-9f0c-0a4f5f7e2a11"
"""A citizen whom nobody knew before."""

Scenario = Callable[[World], Awaitable[None]]


def play(folder: Path, scenario: Scenario) -> None:
    """Play a scenario in a started world, whose logs are sound in the end."""

    async def run() -> None:
        async with a_world(folder) as world:
            await scenario(world)
            assert await world.broken() == []

    asyncio.run(run())


async def begin(world: World, citizen: Citizen, link: str) -> tuple[str, dict[str, Any], str]:
    """Ask for an enrolment; returns its address, what the device is asked, and the code."""
    page: httpx.Response = await world.consent.post(f"{link}/passkey", follow_redirects=True)
    assert page.status_code == 200, page.text
    found = re.search(r'data-enrol="([^"]*)"', page.text)
    assert found
    code = await world.phone(citizen).last_code()
    return page.url.path, json.loads(html.unescape(found[1])), code


async def enrol(
    world: World, citizen: Citizen, link: str, device: Authenticator, lies: Lies = HONEST
) -> httpx.Response:
    """Enrol a device with the code that came to the citizen's phone."""
    address, options, code = await begin(world, citizen, link)
    data = {"code": code, "answer": json.dumps(device.create(options, lies))}
    answer: httpx.Response = await world.consent.post(address, data=data)
    return answer


async def sign(
    world: World, link: str, device: Authenticator, decision: str = "given", lies: Lies = HONEST
) -> httpx.Response:
    """Read, press a button and sign with the device."""
    await world.consent.get(link)
    asked = await world.consent.post(f"{link}/passkey-options", data={"decision": decision})
    if asked.is_error:
        return httpx.Response(asked.status_code, json=asked.json())
    document = asked.json()
    data = {"answer": json.dumps(device.get(document["options"], lies))}
    address = f"{link}/sign/{document['challenge_id']}/passkey"
    answer: httpx.Response = await world.consent.post(address, data=data)
    return answer


async def options_of(world: World, link: str, decision: str = "given") -> dict[str, Any]:
    """Read, press a button; returns the challenge's id and what the device is asked."""
    await world.consent.get(link)
    asked = await world.consent.post(f"{link}/passkey-options", data={"decision": decision})
    document: dict[str, Any] = asked.json()
    return document


async def settled(world: World, citizen: Citizen, algorithm: int = ES256) -> Authenticator:
    """Return a device that was the citizen's for long enough; the question it came with is over."""
    device = Authenticator(algorithm)
    _, asked = await world.ask(citizen, holder="so-viet")
    assert (await enrol(world, citizen, asked.json()["link"], device)).status_code == 200
    world.clock.move_to(world.clock() + timedelta(hours=25))
    return device


async def standing(world: World, consent_id: str) -> str:
    """Return where a consent stands."""
    headers = world.tokens.header("regulator")
    answer = await world.consent.get(f"/consents/{consent_id}", headers=headers)
    return str(answer.json()["standing"])


def code_of(answer: httpx.Response) -> str:
    """Return the code of the reason why not."""
    return str(answer.json()["code"])


@pytest.mark.parametrize("algorithm", [ES256, ED25519])
def test_what_a_passkey_signs_at_a_counter_counts_at_once(tmp_path: Path, algorithm: int) -> None:
    """Agree and open without waiting; withdraw, and refuse another, with the same finger."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        device = await settled(world, citizen, algorithm)
        consent_id, asked = await world.ask(citizen)
        link = asked.json()["link"]
        page = await world.phone(citizen).read(link)
        assert "data-sign" in page.text, "the page offers it"
        assert (await sign(world, link, device)).status_code == 200
        await world.hand_in(consent_id)
        event = await world.event(consent_id)
        assert (await world.open(citizen, event)).status_code == 201
        assert (await sign(world, link, device, "withdrawn")).status_code == 200
        assert await standing(world, consent_id) == "withdrawn_after_use"
        log = await world.log(world.consent)
        (given,) = (one for one in log if one["kind"] == "consent.given.1")
        assert given["data"]["statement"]["grade"] == "key_uv"
        assert given["data"]["evidence"]["passkey"]["origin"] == "https://thuan.example"
        used = [one["data"]["sign_count"] for one in log if one["kind"] == "passkey.used.1"]
        assert used == sorted(used)
        assert len(used) == 2

    play(tmp_path, scenario)


def test_a_refusal_by_passkey_leads_to_nobody(tmp_path: Path) -> None:
    """No fact of it has the device's id or key; what proves it lies beside, encrypted."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        device = await settled(world, citizen)
        consent_id, asked = await world.ask(citizen)
        assert (await sign(world, asked.json()["link"], device, "refused")).status_code == 200
        assert await standing(world, consent_id) == "refused"
        refused = [one for one in await world.log(world.consent) if "refused" in one["kind"]][-1]
        assert refused["data"]["statement"]["grade"] == "key_uv"
        assert refused["parts"], "its evidence lies beside the fact"
        assert "credential_id" not in str(refused)
        assert citizen.id not in str(refused)

    play(tmp_path, scenario)


def test_what_a_new_passkey_signs_waits(tmp_path: Path) -> None:
    """Where nothing was known before, there are three days in which it can be disputed."""

    async def scenario(world: World) -> None:
        citizen, device = replace(world.people[0], id=NEW_ID, phone="+84911111111"), Authenticator()
        await world.consent.put(
            f"/citizens/{citizen.id}",
            json={"phone": citizen.phone},
            headers=world.tokens.header("operator"),
        )
        consent_id, asked = await world.ask(citizen)
        link = asked.json()["link"]
        assert (await enrol(world, citizen, link, device)).status_code == 200
        outbox = await world.consent.get("/sandbox/outbox", params={"phone": citizen.phone})
        assert "Đã thêm khóa" in outbox.json()[-1]["text"], "the phone is told"
        assert (await sign(world, link, device)).status_code == 200
        assert await standing(world, consent_id) == "waiting"
        await world.hand_in(consent_id)
        event = await world.event(consent_id)
        answer = await world.open(citizen, event)
        assert [one["code"] for one in answer.json()["reasons"]] == ["consent_not_yet"]
        world.clock.move_to(world.clock() + timedelta(hours=72))
        assert (await world.open(citizen, event)).status_code == 201

    play(tmp_path, scenario)


async def asked_of_one_known(world: World, citizen: Citizen) -> tuple[str, str]:
    """Ask a citizen whose phone is known; returns the consent's id and its link."""
    world.clock.move_to(world.clock() + timedelta(hours=25))
    consent_id, asked = await world.ask(citizen)
    return consent_id, asked.json()["link"]


def test_a_passkey_from_after_the_agreement_confirms_nothing(tmp_path: Path) -> None:
    """A clerk with the phone for two minutes enrols a device; the second word is not the device's.

    The citizen's own phone still says it.
    """

    async def scenario(world: World) -> None:
        citizen, device = world.people[0], Authenticator(ES256)
        consent_id, link = await asked_of_one_known(world, citizen)
        await world.phone(citizen).decide(link, "given")
        await world.hand_in(consent_id)
        assert (await enrol(world, citizen, link, device)).status_code == 200
        world.clock.move_to(world.clock() + timedelta(minutes=31))
        assert code_of(await sign(world, link, device, "confirmed")) == "passkey_too_new"
        assert await standing(world, consent_id) == "waiting"
        await world.phone(citizen).decide(link, "confirmed")
        assert await standing(world, consent_id) == "given"

    play(tmp_path, scenario)


def test_a_new_passkey_is_no_weaker_path_than_the_code_that_enrolled_it(tmp_path: Path) -> None:
    """Where a phone was known, it confirms; silence makes no agreement."""

    async def scenario(world: World) -> None:
        citizen, device = world.people[0], Authenticator(ES256)
        consent_id, link = await asked_of_one_known(world, citizen)
        assert (await enrol(world, citizen, link, device)).status_code == 200
        assert (await sign(world, link, device)).status_code == 200
        await world.hand_in(consent_id)
        world.clock.move_to(world.clock() + timedelta(minutes=31))
        assert code_of(await sign(world, link, device, "confirmed")) == "passkey_too_new"
        world.clock.move_to(world.clock() + timedelta(hours=73))
        assert await standing(world, consent_id) == "lapsed"

    play(tmp_path, scenario)


def test_a_clerks_phone_enrols_no_passkey(tmp_path: Path) -> None:
    """Neither before it was marked, if the code comes back after, nor once it is."""

    async def scenario(world: World) -> None:
        citizen, device = world.people[0], Authenticator(ES256)
        _, link = await asked_of_one_known(world, citizen)
        address, options, code = await begin(world, citizen, link)
        marked = await world.consent.put(
            "/clerks/gdv-01",
            json={"office_id": OFFICE[0], "phones": [citizen.phone]},
            headers=world.tokens.header("operator"),
        )
        assert marked.status_code < 300, marked.text
        data = {"code": code, "answer": json.dumps(device.create(options))}
        answer = await world.consent.post(address, data=data)
        assert code_of(answer) == "phone_of_staff"
        assert (await world.consent.post(f"{link}/passkey")).status_code == 403

    play(tmp_path, scenario)


def test_one_phone_enrols_no_passkeys_for_many(tmp_path: Path) -> None:
    """A passkey is held to no phone when it signs, so whose the phone is counts before."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        for one in world.people[1:3]:
            registered = await world.consent.put(
                f"/citizens/{uuid.uuid5(uuid.NAMESPACE_OID, one.id)}",
                json={"phone": citizen.phone},
                headers=world.tokens.header("operator"),
            )
            assert registered.status_code < 300, registered.text
        _, link = await asked_of_one_known(world, citizen)
        assert (await world.consent.post(f"{link}/passkey")).status_code == 403
        kinds = [one["kind"] for one in await world.log(world.consent)]
        assert "passkey.asked.1" not in kinds

    play(tmp_path, scenario)


def test_the_phone_hears_of_a_passkey_that_was_removed(tmp_path: Path) -> None:
    """Any link removes one, so whoever did not do it must hear of it; once."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        device = await settled(world, citizen)
        _, asked = await world.ask(citizen)
        link = asked.json()["link"]
        held = passkey_id(next(iter(device.held)))
        for _ in range(2):
            answer = await world.consent.post(f"{link}/passkey/{held}/revocation")
            assert answer.status_code == 303
        outbox = await world.consent.get("/sandbox/outbox", params={"phone": citizen.phone})
        assert sum("Đã gỡ khóa" in one["text"] for one in outbox.json()) == 1
        assert "data-sign" not in (await world.phone(citizen).read(link)).text

    play(tmp_path, scenario)


def test_erasing_leaves_nothing_to_sign_or_to_enrol(tmp_path: Path) -> None:
    """Neither a passkey from before, nor what was begun before, even if the id comes back."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        device = await settled(world, citizen)
        _, asked = await world.ask(citizen)
        link = asked.json()["link"]
        assert (await sign(world, link, device, "refused")).status_code == 200
        address, options, code = await begin(world, citizen, link)
        taking_back = await options_of(world, link, "withdrawn")
        erased = await world.consent.post(
            f"/citizens/{citizen.id}/erasure",
            json={"ground": "request"},
            headers=world.tokens.keyed("operator"),
        )
        assert erased.status_code < 300, erased.text
        data = {"code": code, "answer": json.dumps(Authenticator().create(options))}
        assert code_of(await world.consent.post(address, data=data)) == "citizen_erased"
        signed = {"answer": json.dumps(device.get(taking_back["options"]))}
        to_sign = f"{link}/sign/{taking_back['challenge_id']}/passkey"
        assert code_of(await world.consent.post(to_sign, data=signed)) == "passkey_unknown"
        assert code_of(await sign(world, link, device, "withdrawn")) == "citizen_erased"
        kinds = [one["kind"] for one in await world.log(world.consent)]
        after = kinds[kinds.index("citizen.erased.1") :]
        assert after.count("passkey.revoked.1") == 1
        assert not {"passkey.enrolled.1", "refusal.withdrawn.1"} & set(after)
        again = await world.consent.put(
            f"/citizens/{citizen.id}",
            json={"phone": "+84911111111"},
            headers=world.tokens.header("operator"),
        )
        assert again.status_code < 300, again.text
        _, asked = await world.ask(citizen, OTHER, holder="truong-son")
        assert code_of(await sign(world, asked.json()["link"], device)) == "passkey_unknown"

    play(tmp_path, scenario)


def test_enrolling_needs_the_code_and_a_device_that_was_asked(tmp_path: Path) -> None:
    """A wrong code, an old one, a device that lies, a second use: nothing is enrolled."""

    async def scenario(world: World) -> None:
        citizen, device = world.people[0], Authenticator(ES256)
        _, asked = await world.ask(citizen)
        link = asked.json()["link"]
        address, options, code = await begin(world, citizen, link)
        wrong = f"{(int(code) + 1) % 10**6:06}"
        good = json.dumps(device.create(options))
        answer = await world.consent.post(address, data={"code": wrong, "answer": good})
        assert code_of(answer) == "code_wrong"
        answer = await enrol(world, citizen, link, device, Lies(unverified=True))
        assert code_of(answer) == "passkey_unverified_user"
        answer = await world.consent.post(address, data={"code": code, "answer": "{"})
        assert code_of(answer) == "passkey_malformed"
        world.clock.move_to(world.clock() + timedelta(minutes=5))
        answer = await world.consent.post(address, data={"code": code, "answer": good})
        assert code_of(answer) == "code_expired"
        kinds = [one["kind"] for one in await world.log(world.consent)]
        assert "passkey.enrolled.1" not in kinds
        assert kinds.count("passkey.failed.1") == 4

    play(tmp_path, scenario)


def test_a_link_enrols_for_its_own_citizen_alone(tmp_path: Path) -> None:
    """An enrolment that was begun from one link is unknown at another's."""

    async def scenario(world: World) -> None:
        mai, lan = world.people[0], world.people[3]
        _, of_mai = await world.ask(mai)
        _, of_lan = await world.ask(lan)
        address, _, code = await begin(world, mai, of_mai.json()["link"])
        elsewhere = f"{of_lan.json()['link']}/passkey/{address.rsplit('/', 1)[1]}"
        answer = await world.consent.post(elsewhere, data={"code": code, "answer": "{}"})
        assert code_of(answer) == "enrolment_unknown"

    play(tmp_path, scenario)


def test_the_same_answer_twice_is_one_decision(tmp_path: Path) -> None:
    """A repeated press of the browser adds nothing."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        device = await settled(world, citizen)
        _, asked = await world.ask(citizen)
        link = asked.json()["link"]
        document = await options_of(world, link)
        data = {"answer": json.dumps(device.get(document["options"]))}
        address = f"{link}/sign/{document['challenge_id']}/passkey"
        statuses = [(await world.consent.post(address, data=data)).status_code for _ in range(2)]
        kinds = [one["kind"] for one in await world.log(world.consent)]
        assert kinds.count("consent.given.1") == 1
        assert statuses == [200, 200]

    play(tmp_path, scenario)
