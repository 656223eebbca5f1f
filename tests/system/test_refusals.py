"""A refusal through both services: it sticks, it names nobody, and only the refuser undoes it."""

import asyncio
from pathlib import Path

from demo.cast import OTHER
from tests.support.world import a_world


def test_a_refusal_sticks_until_its_own_person_takes_it_back(tmp_path: Path) -> None:
    """Neither the bank nor the office may ask again; after the refuser's own word they may."""

    async def play() -> None:
        async with a_world(tmp_path) as world:
            hieu, lan = world.people[1], world.people[3]
            _, asked = await world.ask(hieu)
            link = asked.json()["link"]
            page = await world.phone(hieu).decide(link, "refused")
            assert "Cho phép hỏi lại tôi" in page.text
            for product, holder in (((), "gdv-02"), ((OTHER,), "gdv-03"), ((), "so-viet")):
                _, again = await world.ask(hieu, *product, holder=holder)
                assert [one["code"] for one in again.json()["reasons"]] == ["refused_before"]
            _, other = await world.ask(hieu, OTHER, holder="truong-son")
            assert other.status_code == 201, "another bank, online: neither was refused"
            assert (await world.ask(lan))[1].status_code == 201, "another person"
            page = await world.phone(hieu).decide(link, "withdrawn")
            assert "Bạn cho phép hỏi lại" in page.text
            assert (await world.ask(hieu))[1].status_code == 201

    asyncio.run(play())


def test_a_refusal_names_nobody(tmp_path: Path) -> None:
    """Neither the fact nor what led to it has the citizen's id; two have nothing alike."""

    async def play() -> None:
        async with a_world(tmp_path) as world:
            hieu = world.people[1]
            for product, holder in (((), "so-viet"), ((OTHER,), "truong-son")):
                _, asked = await world.ask(hieu, *product, holder=holder)
                await world.phone(hieu).decide(asked.json()["link"], "refused")
            log = await world.log(world.consent)
            refusals = [one for one in log if one["kind"] == "consent.refused.1"]
            signing = [one for one in log if one["kind"] == "signature.asked.1"]
            assert len(refusals) == len(signing) == 2
            assert not any(hieu.id in str(one) for one in refusals + signing)
            names = ("citizen_id", "bank_refusal_id")
            first, second = ([one["data"][name] for name in names] for one in refusals)
            assert not set(first) & set(second)

    asyncio.run(play())
