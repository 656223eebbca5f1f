"""Policy over HTTP: two set it, all may read it, and what is judged from then on names it."""

import asyncio
import json
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from demo.cast import ROLES, Citizen
from services.consent.facts import VOCABULARY
from services.consent.policies import NOTICE
from services.consent.policy import Policy
from tests.support.authenticator import Authenticator
from tests.support.world import World
from tests.system.test_gate import codes, press
from tests.system.test_passkeys import begin, enrol, play
from tests.system.test_two_witnesses import ready

BUILT_IN = Policy().values()

JUDGED = {
    name
    for name, kind in VOCABULARY.facts.items()
    if "policy_version" in {one.name for one in fields(kind)}
}
"""The kinds of facts that name a policy."""

FURTHER = {
    "consent.withdrawn.1",
    "refusal.withdrawn.1",
    "purpose.given.1",
    "purpose.withdrawn.1",
    "request.rejected.1",
    "phone.rejected.1",
    "capture.rejected.1",
    "consent.refused.1",
}
"""Kinds that are judged like those that are played here, by the same lines."""


async def propose(
    world: World, version: int, start: datetime, holder: str = "operator", **changes: int
) -> httpx.Response:
    """Propose a version, with these values changed."""
    body = {"values": {**BUILT_IN, **changes}, "valid_from": start.isoformat(), "why": "misuse"}
    answer: httpx.Response = await world.consent.put(
        f"/policies/{version}", json=body, headers=world.tokens.header(holder)
    )
    return answer


async def approve(
    world: World, version: int, proposal: int, holder: str = "overseer"
) -> httpx.Response:
    """Approve what was proposed at a position."""
    answer: httpx.Response = await world.consent.post(
        f"/policies/{version}/approval",
        json={"proposal": proposal},
        headers=world.tokens.keyed(holder),
    )
    return answer


async def read(world: World, holder: str = "gdv-01") -> dict[str, Any]:
    """Return what anybody with a token reads."""
    answer = await world.consent.get("/policies", headers=world.tokens.header(holder))
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


async def set_policy(world: World, version: int = 1, **changes: int) -> None:
    """Set a version, and wait until it holds."""
    start = world.clock() + NOTICE + timedelta(minutes=1)
    proposed = (
        (await propose(world, version, start, "operator", **changes)).raise_for_status().json()
    )
    (await approve(world, version, proposed["proposal"])).raise_for_status()
    world.clock.move_to(start)


async def malformed(world: World) -> None:
    """Send what is not a number, not whole, far too much, or no time."""
    start = (world.clock() + 2 * NOTICE).isoformat()
    whole = {"values": BUILT_IN, "valid_from": start, "why": "law"}
    values = [{**BUILT_IN, "code_tries_max": one} for one in ("5", 2.5, True, -1, 10**10)]
    broken: list[dict[str, Any]] = [{**whole, "values": one} for one in values]
    broken += [{**whole, "values": {f"v{'a' * n}": 1 for n in range(201)}}]
    broken += [{**whole, "values": {**BUILT_IN, "Z": 1}}, {**whole, "why": "for fun"}, {}]
    broken += [{**whole, "valid_from": one} for one in (start[:19], "0001-01-01T00:00:00+14:00")]
    headers = world.tokens.header("operator")
    puts = [("1", body) for body in broken]
    puts += [(version, whole) for version in ("0", "-1", "x", str(10**7))]
    for version, body in puts:
        answer = await world.consent.put(f"/policies/{version}", json=body, headers=headers)
        assert answer.status_code == 422, (version, body)


async def rejected(world: World, start: datetime) -> None:
    """Propose what goes too far, and what holds too soon: each no is a fact with its reasons."""
    wrong = await propose(world, 1, start, confirm_after=0, family_phone_max=0)
    assert codes(wrong) == ["policy_out_of_bounds"] * 3
    newest = await world.newest(world.consent)
    assert newest["kind"] == "policy.rejected.1"
    assert newest["data"]["out_of_bounds"][1] == "confirm_after: 900 to 43200"
    assert codes(await propose(world, 1, world.clock())) == ["policy_notice"]


def test_two_set_policy_and_all_read_it(tmp_path: Path) -> None:
    """Proposed, approved, in force an hour later; each no has its reasons, and is a fact."""

    async def scenario(world: World) -> None:
        start = world.clock() + NOTICE + timedelta(minutes=1)
        assert (await world.consent.get("/policies")).status_code == 401
        for holder in ROLES:
            document = await read(world, holder)
            assert (document["in_force"], document["proposals"]) == (0, [])
            assert document["policies"][0]["values"] == BUILT_IN
        await malformed(world)
        await rejected(world, start)
        for holder in set(ROLES) - {"operator"}:
            assert (await propose(world, 1, start, holder)).status_code == 403
        first = (await propose(world, 1, start, code_tries_max=4)).json()
        second = (await propose(world, 1, start, code_tries_max=3)).json()
        assert (await propose(world, 1, start, code_tries_max=3)).json() == second
        assert (await read(world))["proposals"] == [second]
        assert codes(await approve(world, 1, first["proposal"])) == ["proposal_replaced"]
        assert codes(await approve(world, 1, 1)) == ["proposal_unknown"]
        for holder in set(ROLES) - {"overseer"}:
            assert (await approve(world, 1, second["proposal"], holder)).status_code == 403
        several = await asyncio.gather(*(approve(world, 1, second["proposal"]) for _ in range(4)))
        (approved,) = {one.text: one for one in several}.values()
        assert approved.status_code == 200
        assert codes(await propose(world, 1, start)) == ["policy_version_taken"]
        document = await read(world)
        assert (document["in_force"], document["proposals"]) == (0, [])
        assert document["policies"][1] == approved.json()
        world.clock.move_to(start)
        assert (await read(world))["in_force"] == 1

    play(tmp_path, scenario)


async def decide_and_dispute(world: World, person: Citizen) -> None:
    """Agree with a code, a wrong one first, wait, confirm, and say that it was somebody else."""
    _, asked = await world.ask(person)
    link, start, phone = asked.json()["link"], world.clock(), world.phone(person)
    assert (await enrol(world, person, link, Authenticator())).status_code == 200
    address, options, _ = await begin(world, person, link)
    data = {"code": "000000", "answer": json.dumps(Authenticator().create(options))}
    await world.consent.post(address, data=data)
    assert "Mã không đúng" in (await phone.decide(link, "given", code="000000")).text
    (await phone.decide(link, "given")).raise_for_status()
    await world.hand_in()
    world.clock.move_to(start + timedelta(minutes=45))
    early = (await phone.read(link)).text
    assert 'value="confirmed"' not in early, "half an hour was enough before"
    world.clock.move_to(start + timedelta(minutes=61))
    (await phone.decide(link, "confirmed")).raise_for_status()
    no = await world.consent.post(f"{link}/passkey-options", data={"decision": "given"})
    assert no.status_code == 409
    assert (await world.consent.post(f"{link}/not-me")).status_code == 303


async def another_phone(world: World, person: Citizen) -> None:
    """Let others use a citizen's phone, and ask for another for that citizen."""
    headers = world.tokens.header("operator")
    allowed = {"citizens_max": 2, "ground": "care", "bank_id": "so-viet"}
    for path, body in [
        (f"/phones/{person.id}/sharing", allowed),
        (f"/citizens/{person.id}/phone", {"phone": "+84931112222"}),
    ]:
        (await world.consent.put(path, json=body, headers=headers)).raise_for_status()


async def witnessed(world: World) -> None:
    """Have two people sign what a citizen without a phone says."""
    consent_id, *both = await ready(world)
    for one in both:
        assert (await one.sign(world, consent_id, decision="given")).status_code == 200


def test_what_is_done_names_the_policy_of_then(tmp_path: Path) -> None:
    """Whatever kind of fact it is; and a call repeated across the change is still the same."""

    async def scenario(world: World) -> None:
        person, other, third = world.people[:3]
        before, first = await world.ask(person, holder="so-viet")
        await set_policy(world, confirm_after=3_600, decide_within_online=600)
        _, again = await world.ask(person, holder="so-viet", consent_id=before)
        assert again.json() == first.json()
        head = (await world.newest(world.consent))["position"]
        await decide_and_dispute(world, other)
        await another_phone(world, third)
        await press(world, third.phone, "suspension")
        await press(world, third.phone, "lifting")
        await witnessed(world)
        log = await world.log(world.consent, head)
        named = {one["kind"]: one["data"].get("policy_version", 1) for one in log}
        assert set(named.values()) == {1}
        assert JUDGED - named.keys() == FURTHER

    play(tmp_path, scenario)
