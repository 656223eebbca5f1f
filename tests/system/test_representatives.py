"""A mother answers for her child at the counter, through both services, with her own phone."""

import json
import re
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.cast import KNOWN_SINCE, Citizen
from demo.phone import NoSuchButton
from services.consent.policy import Policy
from tests.support.authenticator import Authenticator
from tests.support.laws import violations
from tests.support.world import World
from tests.system.test_passkeys import enrol, play, sign
from tests.system.test_two_witnesses import named, two

BORN = date(2014, 8, 10)
"""Eight years old on the morning; nine on the day after."""

CHILD = Citizen("c-child", "Hồ Văn Bin", "")
BIRTH_CERTIFICATE = "KS 12/2014 Lao Bảo"
VALID = {
    "ground": "parent",
    "valid_from": "2014-08-10T00:00:00Z",
    "document": BIRTH_CERTIFICATE,
}


TICK = '<input type="checkbox" name="subject_agrees" value="yes">'
"""The one box on the page; it is not ticked, and nothing but an agreement needs it."""


async def put(world: World, path: str, body: Any, holder: str = "operator") -> httpx.Response:
    """Put something as the operator."""
    headers = world.tokens.header(holder)
    answer: httpx.Response = await world.consent.put(path, json=body, headers=headers)
    return answer


def over(citizen: Citizen, representative: Citizen) -> str:
    """Return the path of one citizen's authority over another."""
    return f"/citizens/{citizen.id}/representatives/{representative.id}"


async def a_child(world: World, child: Citizen = CHILD, born: date = BORN) -> Citizen:
    """Register a child, and the first citizen on stage as the mother; returns her."""
    mother, body = world.people[0], {"phone": child.phone or None, "born_on": str(born)}
    assert (await put(world, f"/citizens/{child.id}", body)).status_code == 204
    assert (await put(world, over(child, mother), VALID)).status_code == 200
    return mother


async def asked(world: World, child: Citizen = CHILD) -> tuple[str, str]:
    """Ask the child at the counter; returns the consent's id and the link."""
    consent_id, answer = await world.ask(child)
    assert answer.status_code == 201, answer.text
    return consent_id, answer.json()["link"]


async def end(world: World, citizen: Citizen, representative: Citizen, **query: str) -> None:
    """End an authority."""
    headers, address = world.tokens.header("operator"), over(citizen, representative)
    gone = await world.consent.delete(address, headers=headers, params=query)
    assert gone.status_code == 204


async def sms(world: World, citizen: Citizen) -> list[str]:
    """Return what came to a phone."""
    answer = await world.consent.get("/sandbox/outbox", params={"phone": citizen.phone})
    return [one["text"] for one in answer.json()]


async def standing(world: World, consent_id: str) -> str:
    """Return where a consent stands."""
    headers = world.tokens.header("regulator")
    answer = await world.consent.get(f"/consents/{consent_id}", headers=headers)
    return str(answer.json()["standing"])


async def judged(world: World, born: dict[str, date]) -> list[str]:
    """Return what the laws say of both logs, with dates of birth that no log may hold."""
    return await world.broken(str(BORN), BIRTH_CERTIFICATE, born=born)


def codes(answer: httpx.Response) -> list[str]:
    """Return the reasons of a no."""
    return [one["code"] for one in answer.json()["reasons"]]


def test_a_mother_agrees_for_her_child(tmp_path: Path) -> None:
    """She reads for whom, ticks that the child agrees, signs, confirms; one account opens."""

    async def scenario(world: World) -> None:
        mother = await a_child(world)
        consent_id, link = await asked(world)
        phone = world.phone(mother)
        signing = await phone.press(link, "given", child_agrees=True)
        assert 'id="child"' in signing.text
        assert "ký thay người được đại diện: ĐỒNG Ý" in (await sms(world, mother))[-1]
        (await phone.type_code(signing, await phone.last_code())).raise_for_status()
        assert await standing(world, consent_id) == "waiting"
        assert "tên người được đại diện" in (await sms(world, mother))[-1]
        await world.hand_in(consent_id)
        assert "gửi hồ sơ" in (await sms(world, mother))[-1]
        world.clock.move_to(world.clock() + Policy().confirm_after)
        assert (await phone.decide(link, "confirmed")).status_code == 409
        (await phone.decide(link, "confirmed", child_agrees=True)).raise_for_status()
        assert "Người đại diện" in (await world.consent.get(f"{link}/receipt")).text
        opened = await world.open(CHILD, await world.event(consent_id))
        assert opened.status_code == 201, opened.text
        facts = [one["data"] for one in await world.log(world.consent)]
        agreed = [one["statement"] for one in facts if one.get("event")]
        assert [one["expressed_by"] for one in agreed] == [mother.id]
        assert [one["subject_agrees"] for one in agreed] == [True]
        (await phone.decide(link, "withdrawn")).raise_for_status()
        assert await standing(world, consent_id) == "withdrawn_after_use"
        assert await judged(world, {CHILD.id: BORN}) == []

    play(tmp_path, scenario)


async def told_for_whom(world: World, mother: Citizen, consent_id: str, link: str) -> None:
    """See that message and page say for whom one answers, and that an agreement needs the tick."""
    assert "thay người được đại diện" in (await sms(world, mother))[-1]
    for lang, words in (("vi", "Bạn trả lời thay"), ("en", "You answer for the person")):
        page = await world.phone(mother).read(link, lang)
        assert words in page.text
        assert consent_id[:8].upper() in page.text
        assert mother.id not in page.text
        assert re.findall(r"<input type=.checkbox.[^>]*>", page.text) == [TICK]
    unasked = await world.phone(mother).press(link, "given")
    assert unasked.status_code == 409
    assert "Từ 7 tuổi" in unasked.text


def test_a_mother_says_no_as_easily(tmp_path: Path) -> None:
    """Told for whom, never by a name; no tick, no name in any fact; taken back the same way."""

    async def scenario(world: World) -> None:
        mother = await a_child(world)
        consent_id, link = await asked(world)
        await told_for_whom(world, mother, consent_id, link)
        (await world.phone(mother).decide(link, "refused")).raise_for_status()
        assert await standing(world, consent_id) == "refused"
        log = await world.log(world.consent)
        (refused,) = [one for one in log if one["kind"] == "consent.refused.1"]
        (authority,) = [one for one in log if one["kind"] == "representative.authorised.1"]
        told = json.dumps(refused)
        for name in (mother.id, CHILD.id, authority["data"]["authority_id"], "expressed_by"):
            assert name not in told
        _, again = await world.ask(CHILD)
        assert codes(again) == ["refused_before"]
        (await world.phone(mother).decide(link, "withdrawn")).raise_for_status()
        assert await standing(world, consent_id) == "refusal_withdrawn"
        assert await judged(world, {CHILD.id: BORN}) == []

    play(tmp_path, scenario)


def test_who_does_not_decide_alone_is_not_asked_anyhow(tmp_path: Path) -> None:
    """Not online, not without anybody to speak; at 15 the citizen answers, online too."""

    async def scenario(world: World) -> None:
        mother = await a_child(world)
        _, online = await world.ask(CHILD, holder="so-viet")
        assert codes(online) == ["representative_not_online"]
        consent_id, link = await asked(world)
        await end(world, CHILD, mother)
        await end(world, CHILD, mother)
        page = await world.consent.get(link)
        assert 'id="unspoken"' in page.text
        assert 'name="decision"' not in page.text
        for path in ("code", "passkey"):
            pressed = await world.consent.post(f"{link}/{path}", data={"decision": "given"})
            assert pressed.status_code == 409, path
        _, other = await world.ask(CHILD)
        assert "representative_missing" in codes(other)
        assert (await world.consent.post(f"{link}/not-me")).status_code == 303
        assert await standing(world, consent_id) == "disputed"
        grown = Citizen("c-grown", "Hồ Thị Sương", "+84900000099")
        body = {"phone": grown.phone, "known_since": KNOWN_SINCE, "born_on": "2008-08-09"}
        assert (await put(world, f"/citizens/{grown.id}", body)).status_code == 204
        assert (await put(world, over(grown, mother), VALID)).json()["reasons"][0]["code"] == (
            "citizen_of_age"
        )
        _, _, event = await world.given(grown, holder="so-viet")
        assert (await world.open(grown, event, holder="so-viet")).status_code == 201

    play(tmp_path, scenario)


def test_whoever_speaks_at_the_moment_signs(tmp_path: Path) -> None:
    """A code that is out when the authority ends signs nothing; the next one's does, or 15's."""

    async def scenario(world: World) -> None:
        mother, aunt = await a_child(world), world.people[2]
        consent_id, link = await asked(world)
        phone = world.phone(mother)
        signing = await phone.press(link, "given", child_agrees=True)
        taken = await put(world, over(CHILD, aunt), {**VALID, "ground": "guardian"})
        assert codes(taken) == ["authority_stands"]
        await end(world, CHILD, mother)
        guardian = {**VALID, "ground": "guardian"}
        assert (await put(world, over(CHILD, aunt), guardian)).status_code == 200
        late = await phone.type_code(signing, await phone.last_code())
        assert late.status_code == 409
        assert "đã thay đổi" in late.text
        hers = world.phone(aunt)
        (await hers.decide(link, "given", child_agrees=True)).raise_for_status()
        assert await standing(world, consent_id) == "waiting"
        erased = await world.consent.post(
            f"/citizens/{aunt.id}/erasure",
            json={"ground": "request"},
            headers=world.tokens.keyed("operator"),
        )
        assert codes(erased) == ["consent_open"]
        (await hers.decide(link, "withdrawn")).raise_for_status()
        erased = await world.consent.post(
            f"/citizens/{aunt.id}/erasure",
            json={"ground": "request"},
            headers=world.tokens.keyed("operator"),
        )
        assert erased.status_code == 200, erased.text
        kinds = [one["kind"] for one in await world.log(world.consent)]
        assert kinds.count("representative.ended.1") == 2
        assert await judged(world, {CHILD.id: BORN}) == []

    play(tmp_path, scenario)


def test_a_passkey_and_two_witnesses_speak_for_her(tmp_path: Path) -> None:
    """Her passkey signs for the child; or two witnesses bear out what she, and the child, say."""

    async def scenario(world: World) -> None:
        mother = await a_child(world)
        device = Authenticator()
        first, link = await asked(world)
        assert (await enrol(world, mother, link, device)).status_code == 200
        unasked = await sign(world, link, device)
        assert unasked.json()["code"] == "child_not_asked"
        assert (await sign(world, link, device, "refused")).status_code == 200
        assert await standing(world, first) == "refused"
        assert (await sign(world, link, device, "withdrawn")).status_code == 200
        second, _ = await asked(world)
        pair = two()
        for one in pair:
            await one.invited(world)
            assert (await one.accept(world)).status_code == 200
        assert (await named(world, pair, second)).status_code == 204
        assert "Người đại diện theo pháp luật nói thay" in (await pair[0].read(world, second)).text
        unheard = await pair[0].sign(world, second, decision="given")
        assert unheard.json()["code"] == "child_not_asked"
        agreed = await pair[0].sign(world, second, decision="given", subject_agrees="yes")
        assert agreed.status_code == 200
        assert "Em cũng nói đồng ý" in (await pair[1].read(world, second)).text
        assert (await pair[1].sign(world, second)).status_code == 200
        assert await standing(world, second) == "waiting"
        assert await judged(world, {CHILD.id: BORN}) == []

    play(tmp_path, scenario)


def test_her_own_page_has_what_waits_for_whom_she_speaks(tmp_path: Path) -> None:
    """Until she speaks for them no more; and whoever is spoken for hears of it on their phone."""

    async def scenario(world: World) -> None:
        court = {**VALID, "ground": "limited_capacity"}
        mother, ward = world.people[0], world.people[3]
        assert (await put(world, over(ward, mother), court)).status_code == 200
        assert (await put(world, over(ward, mother), court)).status_code == 200
        (told,) = await sms(world, ward)
        assert "đại diện theo pháp luật của bạn" in told
        consent_id, link = await asked(world, ward)
        (await world.phone(mother).decide(link, "given")).raise_for_status()
        assert "tên người được đại diện" in (await sms(world, ward))[-1]

        async def own_page() -> str:
            await world.consent.post("/me", data={"phone": mother.phone})
            address = (await sms(world, mother))[-1].split("http://consent")[1].split()[0]
            return str((await world.consent.get(address)).text)

        page = await own_page()
        assert consent_id[:8].upper() in page
        assert "Bạn trả lời thay" in page
        await end(world, ward, mother)
        assert consent_id[:8].upper() not in await own_page()
        with pytest.raises(NoSuchButton):
            await world.phone(ward).press(link, "withdrawn")
        await end(world, ward, mother, restored="true")
        assert (await world.phone(ward).decide(link, "withdrawn")).status_code == 200

    play(tmp_path, scenario)


def test_the_law_finds_who_might_not(tmp_path: Path) -> None:
    """Take the authority away, end it before, change its name, or untick: law 22 tells."""

    async def scenario(world: World) -> None:
        mother = await a_child(world)
        _, link = await asked(world)
        (await world.phone(mother).decide(link, "given", child_agrees=True)).raise_for_status()
        log = await world.log(world.consent)
        keys: dict[str, Any] = {"keys": []}

        def broken(changed: Any, born: date = BORN) -> bool:
            found = violations(changed, [], keys, [], {CHILD.id: born})
            return any("law 22" in one for one in found)

        assert not broken(log)
        (authorised,) = (one for one in log if one["kind"] == "representative.authorised.1")
        assert broken([one for one in log if one is not authorised])
        pair = ("authority_id", "citizen_id", "representative_id")
        over = {name: authorised["data"][name] for name in pair} | {"ended_by": "operator:o"}
        ended = {**authorised, "kind": "representative.ended.1", "data": over}
        at = log.index(authorised) + 1
        assert broken([*log[:at], ended, *log[at:]])
        for member, other in (
            ("expressed_by", "c-nobody"),
            ("authority_id", "a-none"),
            ("subject_agrees", False),
            ("channel", "online"),
        ):
            changed = deepcopy(log)
            (given,) = (one for one in changed if one["kind"] == "consent.given.1")
            given["data"]["statement"][member] = other
            assert broken(changed), member
        alone = deepcopy(log)
        (given,) = (one for one in alone if one["kind"] == "consent.given.1")
        for member in ("expressed_by", "authority_id"):
            del given["data"]["statement"][member]
        assert broken(alone)
        assert not broken(alone, date(2000, 1, 1))

    play(tmp_path, scenario)
