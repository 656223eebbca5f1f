"""A product that takes no code by SMS, over HTTP: the page says so and leads to a passkey."""

import asyncio
from pathlib import Path

from tests.consent.test_pages import Reading
from tests.consent.test_sides import facts
from tests.support.authenticator import ES256, Authenticator
from tests.support.sides import PLUS, offer
from tests.support.world import a_world
from tests.system.test_passkeys import enrol, sign, standing


def test_where_a_code_is_too_weak_a_passkey_agrees(tmp_path: Path) -> None:
    """No code goes out to agree with, one does to refuse; after enrolling, the device agrees."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            (await offer(world, lowest_grade="key_uv")).raise_for_status()
            citizen, device = world.people[0], Authenticator(ES256)
            consent_id, asked = await world.ask(citizen, PLUS, holder="so-viet")
            link = asked.json()["link"]
            (question,) = await facts(world, "consent.requested.1")
            assert question["lowest_grade"] == "key_uv"
            page = await world.phone(citizen).read(link)
            assert "không nhận mã SMS" in Reading(page.text).text
            assert "nhận một mã trên điện thoại để ký" not in page.text
            no = await world.consent.post(f"{link}/code", data={"decision": "given"})
            assert no.status_code == 409
            for shown in (page, no):
                addresses = [one.get("href") or "" for one in Reading(shown.text).all("a")]
                assert any("/passkey" in one for one in addresses)
            assert await facts(world, "signature.asked.1") == []
            (rejected,) = await facts(world, "decision.rejected.1")
            assert rejected["reasons"] == ["grade_too_low"]
            assert (await enrol(world, citizen, link, device)).status_code == 200
            assert "data-ways" in (await world.phone(citizen).read(link)).text
            assert (await sign(world, link, device)).status_code == 200
            assert await standing(world, consent_id) == "waiting"
            await world.phone(citizen).decide(link, "withdrawn")
            assert await standing(world, consent_id) == "withdrawn"
            other = world.people[1]
            other_id, asked = await world.ask(other, PLUS, holder="so-viet")
            await world.phone(other).decide(asked.json()["link"], "refused")
            assert await standing(world, other_id) == "refused"

    asyncio.run(scenario())
