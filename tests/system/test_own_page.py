"""Everything in a citizen's name: who gets the link, how long it opens, and what it shows."""

import asyncio
import re
from contextvars import ContextVar
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.cast import OFFICE, OTHER, Citizen
from services.consent.accounts import HttpAccounts, NotAnswered
from services.consent.codes import Codes
from services.consent.own_pages import COUNTED_FOR, NEVER, AskPage, decide
from services.consent.pages.words import ENGLISH, VIETNAMESE
from services.consent.policy import Policy
from shared.contracts.reasons import sentence
from shared.errors import Rejection
from shared.service_tokens import Bearer
from tests.support.world import MORNING, World
from tests.system.test_api import play
from tests.system.test_erasure import erase
from tests.system.test_phones import NUMBER, enrol, messages, newcomer

LIFE = Policy().page_lives_for
MAX = Policy().codes_per_hour_max


async def ask(world: World, number: str, **more: str) -> httpx.Response:
    """Type a number into the form."""
    answer: httpx.Response = await world.consent.post("/me", data={"phone": number, **more})
    return answer


async def links(world: World, number: str) -> list[str]:
    """Return the links to own pages that a phone got."""
    found = re.findall(r"http://consent(/me/\S+)", "\n".join(await messages(world, number)))
    return [str(one) for one in found]


async def a_link(world: World, person: Citizen) -> str:
    """Ask for a link and return it."""
    await ask(world, person.phone)
    return (await links(world, person.phone))[-1]


async def asked_facts(world: World) -> list[str]:
    """Return the citizens who were sent a link, in order."""
    facts = await world.log(world.consent)
    return [one["data"]["citizen_id"] for one in facts if one["kind"] == "page.asked.1"]


# -- the link -----------------------------------------------------------------------------------


@given(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z"), st.integers(1, 2**40))
def test_a_link_opens_until_its_second_and_for_nobody_else(citizen_id: str, until: int) -> None:
    """The last second before is good, the second itself is not; no other kind of link passes."""
    codes = Codes(b"k" * 32)
    link = codes.page_link(citizen_id, until)
    assert codes.citizen_id(link, until - 1) == citizen_id
    assert codes.citizen_id(link, until) is None
    mac = link.rpartition(".")[2]
    for other in (f"x{link}", f"{citizen_id}.{until + 1}.{mac}", f"{citizen_id}.{mac}", link[:-1]):
        assert codes.citizen_id(other, 0) is None
    assert codes.consent_id(link) is None
    assert codes.citizen_id(codes.link(citizen_id), 0) is None
    assert Codes(b"o" * 32).citizen_id(link, 0) is None


@given(st.lists(st.integers(0, 7200), max_size=12))
def test_never_more_than_the_policy_within_an_hour(seconds: list[int]) -> None:
    """However the asking is spread, no hour holds more than its share, and none is kept back."""
    sent: tuple[datetime, ...] = NEVER
    for at in (MORNING + timedelta(seconds=one) for one in sorted(seconds)):
        recent = [one for one in sent if one > at - COUNTED_FOR]
        asked = AskPage(citizen_id="c-1", at=at, policy=Policy())
        if len(recent) < MAX:
            (fact,) = decide(sent, asked)
            sent = (*sent, fact.asked_at)
        else:
            with pytest.raises(Rejection):
                decide(sent, asked)


def test_the_answer_tells_nobody_whether_a_number_is_known(tmp_path: Path) -> None:
    """Known, unknown, used up or unsendable: one answer, bytes and headers alike."""

    async def scenario(world: World) -> None:
        known, erased = world.people[0], world.people[1]
        await erase(world, erased)
        answers = [await ask(world, one) for one in [known.phone] * (MAX + 1)]
        answers += [await ask(world, one) for one in (NUMBER, erased.phone)]
        world.consent_app.state.log.recorder.page = None  # the store answers no more
        answers.append(await ask(world, known.phone))
        del world.consent_app.state.log.recorder.page
        said = {(one.status_code, one.content, str(one.headers)) for one in answers}
        assert len(said) == 1
        (status, _, _), shown = said.pop(), answers[0].headers["location"]
        assert (status, shown) == (303, "/me?sent=1&lang=vi")
        assert VIETNAMESE["own_sent_what"] in (await world.consent.get(shown)).text
        assert len(await links(world, known.phone)) == MAX
        assert await asked_facts(world) == [known.id] * MAX
        assert await messages(world, NUMBER) == await messages(world, erased.phone) == []

    play(tmp_path, scenario)


def test_the_answer_is_there_before_anything_is_looked_up(tmp_path: Path) -> None:
    """When the answer's last byte goes out, nothing has been read and nothing was sent."""

    async def scenario(world: World) -> None:
        person, order = world.people[0], list[str]()
        asking = ContextVar("asking", default=False)  # the service's own tasks read as well
        parts = world.consent_app.state.parts
        send, page = parts.sms.send, parts.log.recorder.page

        async def sending(phone: str, text: str) -> None:
            order.append("sms")
            await send(phone, text)

        def reading(*args: Any, **more: Any) -> Any:
            if asking.get():
                order.append("read")
            return page(*args, **more)

        async def app(scope: Any, receive: Any, reply: Any) -> None:
            async def replying(message: Any) -> None:
                order.append(message["type"])
                await reply(message)

            await world.consent_app(scope, receive, replying)

        parts.sms.send, parts.log.recorder.page = sending, reading
        asking.set(True)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://consent") as client:
            await client.post("/me", data={"phone": person.phone})
        assert order[:3] == ["http.response.start", "http.response.body", "read"]
        assert order[-1] == "sms"

    play(tmp_path, scenario)


def test_the_number_is_read_as_people_write_it(tmp_path: Path) -> None:
    """With 0, with 84, with blanks and dots; what is no number is asked for again."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        digits = person.phone.removeprefix("+84")
        for typed in (f"0{digits}", f"84 {digits}", f"+84 {digits[:3]}.{digits[3:]}"):
            assert (await ask(world, typed)).status_code == 303
        assert len(await links(world, person.phone)) == 3
        for typed in ("", "12", "mai", "+84", "1" * 24, f"{person.phone}x"):
            answer = await ask(world, typed, lang="en")
            assert answer.status_code == 422
            assert ENGLISH["own_wrong"] in answer.text
        await violate_nothing(world)

    play(tmp_path, scenario)


def test_a_phone_that_does_not_count_gets_no_link(tmp_path: Path) -> None:
    """What a clerk typed gets one only once it counts; from then on the old one gets none."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        await enrol(world, person, NUMBER)
        await ask(world, NUMBER)
        assert await links(world, NUMBER) == []
        world.clock.move_to(world.clock() + Policy().phone_change_waits_for)
        await ask(world, NUMBER)
        await ask(world, person.phone)
        assert len(await links(world, NUMBER)) == 1
        assert await links(world, person.phone) == []

    play(tmp_path, scenario)


def test_a_family_phone_gets_a_link_for_each(tmp_path: Path) -> None:
    """They are told apart by number, not by name, and each opens one citizen's page."""

    async def scenario(world: World) -> None:
        first = world.people[0]
        second = await newcomer(world, first.phone)
        consent_id, _ = await world.ask(first)
        await ask(world, first.phone)
        both = await links(world, first.phone)
        assert len(both) == 2
        told = "\n".join(await messages(world, first.phone))
        assert "trang thứ 1/2" in told
        assert "trang thứ 2/2" in told
        assert first.name not in told
        pages = [(await world.consent.get(one)).text for one in both]
        code = consent_id[:8].upper()
        assert [code in one for one in pages] == [True, False]
        assert await asked_facts(world) == [first.id, second.id]

    play(tmp_path, scenario)


def test_a_link_is_over_after_a_quarter_of_an_hour_or_an_erasure(tmp_path: Path) -> None:
    """At its edge, forged, or of an erased citizen: the same page, which leads to a new one."""

    async def scenario(world: World) -> None:
        person, other = world.people[:2]
        link = await a_link(world, person)
        until = int(link.split(".")[1])
        others = link.replace(person.id, other.id)
        longer = link.replace(str(until), str(until + 1))
        world.clock.move_to(world.clock() + LIFE - timedelta(seconds=2))
        assert (await world.consent.get(link)).status_code == 200
        shut = [await world.consent.get(one) for one in (others, longer, "/me/x", "/me/..x")]
        world.clock.move_to(world.clock() + timedelta(seconds=3))
        shut.append(await world.consent.get(link))
        fresh = await a_link(world, person)
        await erase(world, person)
        shut.append(await world.consent.get(fresh))
        assert {(one.status_code, one.text) for one in shut} == {(404, shut[0].text)}
        assert VIETNAMESE["own_over"] in shut[0].text
        await violate_nothing(world)

    play(tmp_path, scenario)


# -- the page -----------------------------------------------------------------------------------


def test_everything_is_there_newest_first_also_what_was_refused(tmp_path: Path) -> None:
    """Each question with its link, each account with standing and last digits; nobody else's."""

    async def scenario(world: World) -> None:
        person, other = world.people[:2]
        used, _, event = await world.given(person)
        opened = (await world.open(person, event)).json()
        await world.accounts.put(
            f"/openings/{opened['opening_id']}/confirmation",
            json={"account_number": "100200300400"},
            headers=world.tokens.header("so-viet"),
        )
        refused, asked = await world.ask(person)
        await world.phone(person).decide(asked.json()["link"], "refused")
        theirs, _ = await world.ask(other)
        link = await a_link(world, person)
        page = (await world.consent.get(link)).text
        asked_of, _, _ = page.partition(f"<h2>{VIETNAMESE['own_accounts']}</h2>")
        files = re.findall(r"<dt>Hồ sơ</dt><dd>([0-9A-F]{8})", asked_of)
        assert files == [refused[:8].upper(), used[:8].upper()]
        assert VIETNAMESE["standing_refused"] in page
        assert VIETNAMESE["standing_redeemed"] in page
        assert asked.json()["link"].removeprefix("http://consent") in page
        assert theirs[:8].upper() not in page
        assert VIETNAMESE["account_confirmed"] in page
        assert re.search(r"… 0?400<", page)
        assert "100200300400" not in page
        english = (await world.consent.get(f"{link}?lang=en")).text
        assert ENGLISH["own_accounts"] in english
        await world.consent.post(f"{used_link(page, used)}/not-me")
        assert VIETNAMESE["account_frozen"] in (await world.consent.get(link)).text
        await violate_nothing(world)

    play(tmp_path, scenario)


def test_what_was_stopped_is_told_with_its_reasons(tmp_path: Path) -> None:
    """Who tried what in the citizen's name, at both services, the newest first."""

    async def scenario(world: World) -> None:
        person, other = world.people[:2]
        link = await a_link(world, person)
        assert VIETNAMESE["own_no_attempts"] in (await world.consent.get(link)).text
        consent_id, _ = await world.ask(person)
        await world.ask(person, OTHER, site_id=None)
        await world.capture(consent_id)
        await world.submit(consent_id)
        await world.open(person, None, holder="gdv-02")
        await world.open(other, None)
        page = (await world.consent.get(link)).text
        _, _, stopped = page.partition(f"<h2>{VIETNAMESE['own_attempts']}</h2>")
        tried = re.findall(rf"<dt>{VIETNAMESE['tried']}</dt><dd>([^<]*)<", stopped)
        names = ("tried_opening", "tried_submission", "tried_capture", "tried_asking")
        assert tried == [VIETNAMESE[one] for one in names]
        codes = ("consent_missing", "bank_decides", "capture_before_consent", "place_missing")
        assert all(sentence(code, "vi") in stopped for code in codes)
        assert f'Nhân viên gdv-02, <span lang="vi">{OFFICE[1]}' in stopped
        english = (await world.consent.get(f"{link}?lang=en")).text
        assert sentence("bank_decides", "en") in english
        for number in range(20):
            await world.open(person, None, opening_id=f"again-{number}")
        page = (await world.consent.get(link)).text
        assert f"{VIETNAMESE['own_attempts_more']} 4<" in page
        regulator = world.tokens.header("regulator")
        others = await world.accounts.get(f"/citizens/{person.id}/openings", headers=regulator)
        assert others.json()["attempts"] == [], "for the citizen's own page alone"
        await violate_nothing(world)

    play(tmp_path, scenario)


def test_a_bank_that_declines_is_told_with_its_reason(tmp_path: Path) -> None:
    """The citizen hears why, in the bank's own word."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        _, _, event = await world.given(person)
        opened = (await world.open(person, event)).json()
        answer = await world.accounts.put(
            f"/openings/{opened['opening_id']}/declination",
            json={"reason": "has_an_account_already"},
            headers=world.tokens.header("so-viet"),
        )
        assert answer.json()["declined_for"] == "has_an_account_already"
        page = (await world.consent.get(await a_link(world, person))).text
        assert f"{VIETNAMESE['own_declined_for']} <span" in page
        assert "has_an_account_already" in page

    play(tmp_path, scenario)


def used_link(page: str, consent_id: str) -> str:
    """Return the link of one question on the page."""
    (link,) = set(re.findall(rf'href="(/c/{consent_id}\.[0-9a-f]+)\?', page))
    return str(link)


def test_without_accounts_the_page_says_so_and_shows_the_rest(tmp_path: Path) -> None:
    """Out of reach, the questions are still there, and no one is told that there is no account."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        consent_id, _ = await world.ask(person)
        link = await a_link(world, person)
        assert VIETNAMESE["own_no_accounts"] in (await world.consent.get(link)).text
        world.back.app = None
        page = await world.consent.get(link)
        assert page.status_code == 200
        assert consent_id[:8].upper() in page.text
        assert VIETNAMESE["own_accounts_unknown"] in page.text
        assert VIETNAMESE["own_no_accounts"] not in page.text

    play(tmp_path, scenario)


def test_whatever_accounts_answers_it_is_accounts_or_none() -> None:
    """An error, no JSON, another shape, no token: `NotAnswered`; many pages: all of them."""
    one = {"consent_id": "k", "standing": "opened", "account_end": None}

    def openings(
        answer: httpx.Response | None, url: str = "http://accounts", own: str = "t"
    ) -> int:
        def answering(request: httpx.Request) -> httpx.Response:
            listed = [one] * (100 if request.url.params["after"] == "0" else 3)
            page = {"openings": listed, "next": 100, "looks": []}
            return answer or httpx.Response(200, json=page)

        client = httpx.AsyncClient(transport=httpx.MockTransport(answering))
        return len(
            asyncio.run(
                HttpAccounts(url, client, Bearer(own) if own else None).of_citizen("c-1")
            ).opened
        )

    assert openings(None) == 103
    for bad in (
        httpx.Response(503),
        httpx.Response(200, text="no"),
        httpx.Response(200, json={"openings": [{}], "next": 0, "looks": []}),
        httpx.Response(200, json={"openings": [], "next": 0}),
        httpx.Response(200, json={"openings": [], "next": 0, "looks": [{"read_by": "x"}]}),
        httpx.Response(200, json=[]),
    ):
        with pytest.raises(NotAnswered):
            openings(bad)
    for url, own in (("", "t"), ("http://accounts", "")):
        with pytest.raises(NotAnswered):
            openings(None, url, own)


async def violate_nothing(world: World) -> None:
    """See that the laws hold, and that no number is in a log."""
    assert await world.broken() == []
