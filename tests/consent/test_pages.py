"""The citizen's page as a phone without scripts meets it: what it shows, signs, and gives away.

Everything goes through the real HTTP layer; `Reading` sees of a page what a person would.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from typing_extensions import override

from demo.cast import POWER, Citizen
from services.consent import main as consent_main
from services.consent.consents import Standing
from services.consent.pages.words import ENGLISH, VIETNAMESE
from services.consent.settings import Settings
from services.consent.sms import NotSent, Outbox
from tests.support.world import MORNING, Running, World, a_running_world, a_world

MARKS = [{"h1": "# ", "h2": "## ", "p": ""}, {"h3": "# ", "h4": "## ", "p": ""}]
"""How the plain text marks what the page shows as headings: on the open page, and below others."""

VOID = {"meta", "link", "input", "br"}


class Reading(HTMLParser):
    """A page as it is read: its elements, its text, and the blocks of the notice."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.blocks: list[tuple[str, str]] = []
        self._path: list[str] = []
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._path.append(tag)
        if self._path[-2:-1] == ["article"]:
            self.blocks.append((tag, ""))

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self._path.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "article" in self._path[:-1]:
            tag, text = self.blocks[-1]
            self.blocks[-1] = (tag, text + data)

    @property
    def text(self) -> str:
        """Return the words, with single blanks."""
        return " ".join("".join(self.words).split())

    @property
    def notice(self) -> str:
        """Return the notice's plain text, put together again from what the page shows."""
        shown = [(tag, text) for tag, text in self.blocks if text.strip()]
        (marks,) = [one for one in MARKS if {tag for tag, _ in shown} <= set(one)]
        return "\n\n".join(marks[tag] + text for tag, text in shown)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a kind."""
        return [attrs for one, attrs in self.elements if one == tag]

    def choices(self) -> list[dict[str, str | None]]:
        """Return the buttons that lead to a signature."""
        return [one for one in self.all("button") if one.get("name") == "decision"]


class Unsteady(Outbox):
    """An outbox that is out of reach at times."""

    down = False

    @override
    async def send(self, phone: str, text: str) -> None:
        if self.down:
            raise NotSent("out of reach")
        await super().send(phone, text)


async def asked(world: World, person: int = 0, *args: Any) -> tuple[Citizen, str, str]:
    """Ask somebody; returns who, the consent's id, and the link."""
    citizen = world.people[person]
    consent_id, answer = await world.ask(citizen, *args)
    return citizen, consent_id, answer.raise_for_status().json()["link"]


async def asked_anew(world: World) -> tuple[Citizen, str, str]:
    """Ask somebody of whom nobody knew; returns the same."""
    await world.newcomer()
    return await asked(world, -1)


async def standing(world: World, consent_id: str) -> str:
    """Return where a consent stands."""
    answer = await world.consent.get(
        f"/consents/{consent_id}", headers=world.tokens.header("regulator")
    )
    return str(answer.json()["standing"])


async def kinds(world: World) -> list[str]:
    """Return the kinds of all facts, in order."""
    return [one["kind"] for one in await world.log(world.consent)]


async def served(world: World) -> list[tuple[str, str]]:
    """Return language and hash of every notice that was served."""
    facts = await world.log(world.consent)
    return [
        (one["data"]["notice_lang"], one["data"]["notice_hash"])
        for one in facts
        if one["kind"] == "notice.served.1"
    ]


def other_than(code: str) -> str:
    """Return a code that is not this one."""
    return f"{(int(code) + 1) % 10**6:06d}"


def sha256(text: str) -> str:
    """Return the SHA-256 of a text's bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_guarded(answer: httpx.Response) -> bool:
    """Tell whether an answer has every header that keeps the link to itself, and no cookie."""
    policy = answer.headers.get("content-security-policy", "")
    return (
        policy.startswith("default-src 'none'; style-src 'self'; img-src 'self'")
        and "frame-ancestors 'none'" in policy
        and "unsafe" not in policy
        and answer.headers["cache-control"] == "no-store"
        and answer.headers["referrer-policy"] == "no-referrer"
        and answer.headers["x-content-type-options"] == "nosniff"
        and "set-cookie" not in answer.headers
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world for what is tried in many ways, whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("pages")) as running:
        yield running


# -- the notice ---------------------------------------------------------------------------------


def test_the_served_fact_is_the_hash_of_the_text_on_the_page(tmp_path: Path) -> None:
    """A fact names exactly the text that was shown, once however often, for each language."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            vi = Reading((await phone.read(link)).text).notice
            assert await served(world) == [("vi", sha256(vi))]
            for _ in range(3):
                assert Reading((await phone.read(link)).text).notice == vi
            assert await served(world) == [("vi", sha256(vi))]
            en = Reading((await phone.read(link, "en")).text).notice
            await phone.read(link, "en")
            assert await served(world) == [("vi", sha256(vi)), ("en", sha256(en))]

    asyncio.run(scenario())


def test_a_text_is_served_only_where_it_is_shown(tmp_path: Path) -> None:
    """The page for the code shows no notice, so opening it in another language serves none."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            page = await phone.press(link, "given")
            english = await phone.read(str(page.url.copy_with(query=None)), "en")
            assert Reading(english.text).all("html")[0]["lang"] == "en"
            assert [lang for lang, _ in await served(world)] == ["vi"]

    asyncio.run(scenario())


def test_after_the_answer_the_same_text_can_be_read_again(tmp_path: Path) -> None:
    """A reprint after the decision has the hash that was signed, and shows it."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            answer = await world.phone(citizen).decide(link, "given")
            reading = Reading(answer.text)
            [(_, signed)] = await served(world)
            assert sha256(reading.notice) == signed
            assert signed in reading.text

    asyncio.run(scenario())


def test_two_buttons_are_alike_and_neither_is_chosen(tmp_path: Path) -> None:
    """Agreeing and refusing differ in value and words alone; nothing is preselected or focused."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            for lang in ("vi", "en"):
                page = Reading((await world.phone(citizen).read(link, lang)).text)
                agree, refuse = page.choices()
                assert [agree.pop("value"), refuse.pop("value")] == ["given", "refused"]
                assert agree == refuse == {"name": "decision"}
                assert {one["type"] for one in page.all("input")} == {"hidden"}
                names = {name for _, attrs in page.elements for name in attrs}
                assert not names & {"autofocus", "checked", "selected", "style", "onclick"}
                assert [one["src"] for one in page.all("script")] == ["/static/read.js"]

    asyncio.run(scenario())


def test_the_english_page_says_that_it_is_english(tmp_path: Path) -> None:
    """A screen reader is told the language of the page, and of the Vietnamese names in it."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            english = await world.phone(citizen).read(link, "en")
            assert Reading(english.text).all("html") == [{"lang": "en"}]
            assert '<span lang="vi">Ngân hàng số Sông Việt</span> is asking' in english.text
            vietnamese = await world.phone(citizen).read(link)
            assert Reading(vietnamese.text).all("html") == [{"lang": "vi"}]
            odd = await world.phone(citizen).read(link, "xx")
            assert odd.text == vietnamese.text

    asyncio.run(scenario())


# -- what leaves --------------------------------------------------------------------------------


def test_every_answer_keeps_the_link_to_itself(tmp_path: Path) -> None:
    """Every page and redirect forbids foreign resources, caches, referrers, and sets no cookie."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            answers = await everything(world)
            assert {one.status_code for one in answers} == {200, 303, 403, 404, 409, 422}
            bare = [(one.status_code, str(one.url)) for one in answers if not is_guarded(one)]
            assert not bare

    asyncio.run(scenario())


async def everything(world: World) -> list[httpx.Response]:
    """Return every kind of answer that the pages give."""
    citizen, _, link = await asked(world)
    phone, client = world.phone(citizen), world.consent
    first = await phone.read(link)
    pressed = await client.post(f"{link}/code", data={"decision": "given", "lang": "vi"})
    page = await client.get(pressed.headers["location"])
    code = await phone.last_code()
    answers = [
        first,
        pressed,
        page,
        await client.get(f"{link}/code"),
        await client.get(f"{link}x"),
        await client.get(f"{link}/sign/none"),
        await client.post(f"{link}x/code", data={"decision": "given"}),
        await client.post(f"{link}/code", data={"decision": "withdrawn"}),
        await client.post(f"{link}/code", data={"decision": "perhaps", "lang": "xx"}),
        await client.post(f"{link}/code"),
        await phone.type_code(page, "12345"),
        await phone.type_code(page, other_than(code)),
        await phone.type_code(page, code),
    ]
    return [hop for one in answers for hop in [*one.history, one]]


def test_a_link_that_is_not_ours_reveals_nothing(tmp_path: Path) -> None:
    """Changed by one letter, of another consent, of none: the same 404 page, naming nobody."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            _, other_id, other = await asked(world, 1)
            end = link.rpartition(".")[2]
            swapped = other.replace(other_id, consent_id)
            changed = link[:-1] + ("0" if end[-1] != "0" else "1")
            links = [changed, swapped, link[: -len(end)], "/c/x", "/c/%00.%0a", f"/c/{consent_id}"]
            answers = [await world.consent.get(one) for one in links]
            answers += [await world.consent.post(f"{changed}/code", data={"decision": "given"})]
            answers += [await world.consent.post(f"{changed}/sign/1", data={"code": "123456"})]
            assert {one.status_code for one in answers} == {404}
            assert len({one.text for one in answers}) == 1
            text = answers[0].text
            assert VIETNAMESE["no_not_found"] in text
            assert ENGLISH["no_not_found"] in text
            assert not [one for one in ("Sông Việt", citizen.phone[-3:], consent_id) if one in text]
            assert await served(world) == []

    asyncio.run(scenario())


def test_the_code_is_in_no_fact_and_no_line_of_output(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Right or wrong, a typed code is kept nowhere: not in the log, not in what is logged."""
    caplog.set_level(logging.DEBUG)

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            page = await phone.press(link, "given")
            code = await phone.last_code()
            wrong = other_than(code)
            await phone.type_code(page, wrong)
            await phone.type_code(page, code)
            facts = await world.consent.get(
                "/log", params={"limit": 1000}, headers=world.tokens.header("regulator")
            )
            outbox = (await world.consent.get("/sandbox/outbox")).text
            assert "consent.given.1" in facts.text
            whole = re.compile(rf"(?<!\w)({code}|{wrong})(?!\w)")
            assert whole.search(outbox)
            assert not whole.search(facts.text)
            assert caplog.records
            assert not whole.search(caplog.text)

    asyncio.run(scenario())


# -- deciding -----------------------------------------------------------------------------------


def test_agreeing_refusing_and_withdrawing_take_the_same_steps(tmp_path: Path) -> None:
    """Each is: open the page, press, type the code; the same requests in the same order."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            paths = list[str]()

            async def note(request: httpx.Request) -> None:
                if request.url.path.startswith("/c/"):
                    paths.append(f"{request.method} {len(request.url.path.split('/')) - 2}")

            world.consent.event_hooks = {"request": [note]}
            taken = list[list[str]]()
            agreeing, refusing = await asked(world), await asked(world, 1)
            for who, _, link in (agreeing, refusing, agreeing):
                decision = ["given", "refused", "withdrawn"][len(taken)]
                paths.clear()
                assert (await world.phone(who).decide(link, decision)).status_code == 200
                taken.append(paths.copy())
            assert taken[0] == taken[1] == taken[2]
            assert [one for one in taken[0] if one.startswith("POST")] == ["POST 2", "POST 3"]
            assert await standing(world, agreeing[1]) == Standing.WITHDRAWN
            assert await standing(world, refusing[1]) == Standing.REFUSED

    asyncio.run(scenario())


def test_the_result_says_what_it_means(tmp_path: Path) -> None:
    """After each answer the page says where things stand, until when, and who may not ask again."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            given = Reading((await world.phone(citizen).decide(link, "given")).text).text
            assert "Bạn đã ký đồng ý, chưa có hiệu lực" in given
            assert "bưu cục chưa gửi hồ sơ cho ngân hàng, nên chưa có gì để xác nhận" in given
            await world.hand_in(consent_id)
            given = Reading((await world.phone(citizen).read(link)).text).text
            assert "từ 07:30 ngày 09/08/2023 đến 07:00 ngày 12/08/2023" in given
            assert "Bưu cục gửi hồ sơ cho ngân hàng" in given
            world.clock.move_to(world.clock() + timedelta(minutes=31))
            given = Reading((await world.phone(citizen).decide(link, "confirmed")).text).text
            assert "Bạn đã đồng ý" in given
            assert "một lần, trước 08:31 ngày 09/08/2023" in given
            withdrawn = Reading((await world.phone(citizen).decide(link, "withdrawn")).text).text
            assert "Từ nay không ai dùng được sự đồng ý đó" in withdrawn
            citizen, _, link = await asked(world, 1)
            refused = Reading((await world.phone(citizen).decide(link, "refused")).text).text
            askers = "Ngân hàng số Sông Việt và Bưu điện huyện Hướng Hoá"
            assert f"{askers} không được hỏi lại bạn" in refused
            assert "trước 07:31 ngày 07/11/2023" in refused

    asyncio.run(scenario())


def test_a_use_of_the_consent_is_shown_and_can_still_be_answered(tmp_path: Path) -> None:
    """Who sees that an account was opened can withdraw, and is told to have it closed."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen = world.people[0]
            _, link, event = await world.given(citizen)
            assert (await world.open(citizen, event)).status_code == 201
            page = Reading((await world.phone(citizen).read(link)).text)
            assert "đã dùng một lần để mở tài khoản" in page.text
            assert [one["value"] for one in page.choices()] == ["withdrawn"]
            after = Reading((await world.phone(citizen).decide(link, "withdrawn")).text)
            assert "Hãy yêu cầu Ngân hàng số Sông Việt đóng tài khoản" in after.text
            assert not after.choices()

    asyncio.run(scenario())


def test_another_purpose_is_asked_for_itself(tmp_path: Path) -> None:
    """The page for an electricity contract names no bank account but to exclude it."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world, 0, POWER)
            page = await world.phone(citizen).read(link)
            assert "Không ai được mở tài khoản ngân hàng bằng chữ ký này" in page.text
            refused = await world.phone(citizen).decide(link, "refused")
            assert "Không có gì được làm bằng tên bạn" in refused.text

    asyncio.run(scenario())


# -- codes --------------------------------------------------------------------------------------


def test_a_wrong_code_tells_how_many_tries_are_left_and_five_end_it(tmp_path: Path) -> None:
    """Each wrong code is counted aloud; after the fifth, not even the right one signs."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            phone = world.phone(citizen)
            page = await phone.press(link, "given")
            code = await phone.last_code()
            for left in (4, 3, 2, 1):
                answer = await phone.type_code(page, other_than(code))
                assert answer.status_code == 403
                assert f"Mã không đúng. Số lần còn lại: {left}." in answer.text
            for typed in (other_than(code), code, code):
                answer = await phone.type_code(page, typed)
                assert answer.status_code == 403
                assert VIETNAMESE["no_code_tries_used"] in answer.text
                assert not [one for one in Reading(answer.text).all("input") if "id" in one]
            assert await standing(world, consent_id) == Standing.REQUESTED
            again = await phone.decide(link, "given")
            assert again.status_code == 200
            assert await standing(world, consent_id) == Standing.WAITING

    asyncio.run(scenario())


def test_a_code_too_old_signs_nothing(tmp_path: Path) -> None:
    """After five minutes the right code is no code; the page offers a new one."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            phone = world.phone(citizen)
            page = await phone.press(link, "given")
            code = await phone.last_code()
            world.clock.move_to(MORNING + timedelta(minutes=6))
            answer = await phone.type_code(page, code)
            assert answer.status_code == 403
            assert VIETNAMESE["no_code_expired"] in answer.text
            assert [one["value"] for one in Reading(answer.text).all("button")] == ["given"]
            assert await standing(world, consent_id) == Standing.REQUESTED

    asyncio.run(scenario())


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "sáu số", "9" * 300])
def test_what_cannot_be_a_code_costs_no_try(running: Running, typed: str) -> None:
    """A slip of the finger is asked for again and leaves no fact."""

    async def scenario(world: World) -> None:
        citizen, _, link = await asked_anew(world)
        phone = world.phone(citizen)
        page = await phone.press(link, "given")
        before = await kinds(world)
        answer = await phone.type_code(page, typed)
        assert answer.status_code == 422
        assert VIETNAMESE["no_code_shape"] in answer.text
        assert await kinds(world) == before
        (field,) = [one for one in Reading(answer.text).all("input") if "id" in one]
        assert field["aria-invalid"] == "true"

    running.play(scenario)


@pytest.mark.parametrize("spaced", ["{0} {1}", " {0}{1}\n", "{0}-{1}", "Mã {0}.{1}"])
def test_a_code_may_be_typed_as_it_is_read(running: Running, spaced: str) -> None:
    """Blanks, hyphens and dots between the digits do not matter."""

    async def scenario(world: World) -> None:
        citizen, consent_id, link = await asked_anew(world)
        phone = world.phone(citizen)
        page = await phone.press(link, "given")
        code = await phone.last_code()
        await phone.type_code(page, spaced.format(code[:3], code[3:]))
        assert await standing(world, consent_id) == Standing.WAITING

    running.play(scenario)


def test_signing_twice_is_one_decision(tmp_path: Path) -> None:
    """A double tap, one after the other or at once, makes one fact and shows one result."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            page = await phone.press(link, "given")
            code = await phone.last_code()
            answers = await asyncio.gather(*[phone.type_code(page, code) for _ in range(3)])
            answers.append(await phone.type_code(page, code))
            assert {one.status_code for one in answers} == {200}
            assert {Reading(one.text).all("html")[0]["lang"] for one in answers} == {"vi"}
            assert all("Bạn đã ký đồng ý" in one.text for one in answers)
            assert (await kinds(world)).count("consent.given.1") == 1

    asyncio.run(scenario())


def test_a_page_for_a_code_leads_on_once_it_is_answered(tmp_path: Path) -> None:
    """Going back to it, or reopening the address of a form, shows where things stand now."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            page = await phone.press(link, "refused")
            await phone.type_code(page, await phone.last_code())
            for address in (str(page.url), f"{link}/code"):
                again = await world.consent.get(address, follow_redirects=True)
                assert "Bạn đã từ chối" in again.text
            late = await world.consent.post(f"{link}/code", data={"decision": "given"})
            assert late.status_code == 409
            assert VIETNAMESE["no_already_decided"] in late.text

    asyncio.run(scenario())


def test_a_new_code_can_be_asked_for_from_the_same_page(tmp_path: Path) -> None:
    """The second button of the page sends a new code for the same decision."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            phone = world.phone(citizen)
            page = Reading((await phone.press(link, "refused")).text)
            sign, again = page.all("button")
            assert not sign.get("formaction")
            answer = await world.consent.post(
                str(again["formaction"]),
                data={"decision": again["value"], "lang": "vi", "code": ""},
                follow_redirects=True,
            )
            await phone.type_code(answer, await phone.last_code())
            assert await standing(world, consent_id) == Standing.REFUSED

    asyncio.run(scenario())


# -- time and trouble ---------------------------------------------------------------------------


def test_no_answer_in_time_is_a_no(tmp_path: Path) -> None:
    """After the time to decide the page says that silence is no, and offers no button."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            phone = world.phone(citizen)
            world.clock.move_to(MORNING + timedelta(hours=23, minutes=59))
            page = await phone.press(link, "given")
            code = await phone.last_code()
            world.clock.move_to(MORNING + timedelta(hours=24, minutes=1))
            late = await phone.type_code(page, code)
            assert late.status_code == 409
            assert "không trả lời là không đồng ý" in late.text
            lapsed = Reading((await phone.read(link)).text)
            assert "Đã hết hạn trả lời" in lapsed.text
            assert "Không trả lời là không đồng ý" in lapsed.text
            assert not lapsed.choices()
            assert await standing(world, consent_id) == Standing.LAPSED

    asyncio.run(scenario())


def test_a_lost_message_loses_nothing(tmp_path: Path) -> None:
    """When no code can be sent the page says to try again; then it works."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            sms = await with_unsteady_messages(world)
            citizen, consent_id, link = await asked(world)
            phone = world.phone(citizen)
            sms.down = True
            answer = await phone.press(link, "given")
            assert answer.status_code == 503
            assert VIETNAMESE["no_code_not_sent"] in answer.text
            assert link.removeprefix("http://consent") in answer.text
            assert is_guarded(answer)
            assert await standing(world, consent_id) == Standing.REQUESTED
            sms.down = False
            assert (await phone.decide(link, "given")).status_code == 200
            assert await standing(world, consent_id) == Standing.WAITING

    asyncio.run(scenario())


async def with_unsteady_messages(world: World) -> Unsteady:
    """Restart the consent service with a gateway that can be made to fail."""
    async with world.consent_app.router.lifespan_context(world.consent_app):
        pass
    settings = Settings(
        folder=world.folder / "consent",
        tokens=world.tokens.file,
        public_url="http://consent",
        passkey_origins=("https://localhost",),
        sandbox=True,
        clock_file=world.folder / "clock",
    )
    sms = Unsteady()
    parts = replace(consent_main.create_parts(settings), sms=sms)
    world.consent_app = consent_main._app(settings, parts)
    world.consent = httpx.AsyncClient(
        transport=httpx.ASGITransport(world.consent_app), base_url="http://consent"
    )
    return sms


def test_too_many_codes_are_said_in_words(tmp_path: Path) -> None:
    """A sixth code within the hour is not sent; the page says to wait."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            answers = [await phone.press(link, "given") for _ in range(6)]
            assert [one.status_code for one in answers] == [200] * 5 + [409]
            assert VIETNAMESE["no_too_many_codes"] in answers[-1].text

    asyncio.run(scenario())


# -- words --------------------------------------------------------------------------------------


def test_both_languages_say_the_same_things() -> None:
    """The tables have the same keys, no empty words, and the same blanks to fill."""
    assert list(VIETNAMESE) == list(ENGLISH)
    for key, vi in VIETNAMESE.items():
        assert vi.strip()
        assert ENGLISH[key].strip()
        assert set(blanks(vi)) == set(blanks(ENGLISH[key])), key


def blanks(words: str) -> Iterator[str]:
    """Yield the names in braces."""
    yield from re.findall(r"{(\w+)}", words)


def test_every_standing_has_words() -> None:
    """No consent can come to stand where the page has nothing to say."""
    for one in set(Standing) - {Standing.UNKNOWN}:
        assert VIETNAMESE[f"standing_{one}"]
        assert VIETNAMESE[f"meaning_{one}"]
