"""What a clerk could do with a phone of their own, tried through both services."""

import asyncio
import json
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typing_extensions import override

from demo.cast import CLERKS, OTHER, Citizen
from demo.commands import question
from demo.integrity import of_kind
from demo.phone import Phone
from services.consent.application.enrolling import Enrolling
from services.consent.pages.words import ENGLISH, VIETNAMESE
from services.consent.policy import Policy
from services.consent.sms import Outbox
from shared.contracts.reasons import sentence
from shared.errors import Unavailable
from tests.consent.test_pages import with_unsteady_messages
from tests.support.sealed import found
from tests.support.world import World, new_id
from tests.system.test_api import Scenario, codes, play
from tests.system.test_erasure import erase

NUMBER = "+84988000001"
"""A number that nobody has yet."""

CLERK = "203.0.113.7"
WAIT = Policy().phone_change_waits_for


async def enrol(
    world: World, person: Citizen, number: str, holder: str = "gdv-01"
) -> httpx.Response:
    """Ask for another phone of a citizen."""
    answer: httpx.Response = await world.consent.put(
        f"/citizens/{person.id}/phone", json={"phone": number}, headers=world.tokens.header(holder)
    )
    return answer


async def share(world: World, person: Citizen, holder: str, **body: Any) -> httpx.Response:
    """Let a household share a citizen's phone."""
    answer: httpx.Response = await world.consent.put(
        f"/phones/{person.id}/sharing",
        json={"citizens_max": 2, "ground": "household", **body},
        headers=world.tokens.header(holder),
    )
    return answer


async def newcomer(world: World, number: str, citizen_id: str = "c-new") -> Citizen:
    """Register one more citizen with a phone."""
    answer = await world.consent.put(
        f"/citizens/{citizen_id}",
        json={"phone": number, "known_since": "2021-03-01T00:00:00Z"},
        headers=world.tokens.header("operator"),
    )
    answer.raise_for_status()
    return Citizen(citizen_id, "Người Mới", number)


async def messages(world: World, number: str) -> list[str]:
    """Return what a phone got."""
    answer = await world.consent.get("/sandbox/outbox", params={"phone": number})
    return [one["text"] for one in answer.json()]


async def link_to_stop(world: World, person: Citizen) -> str:
    """Return the link of the newest warning."""
    text = (await messages(world, person.phone))[-1]
    (link,) = re.findall(r"http://consent/phone/\S+", text)
    return str(link)


async def asked(world: World, person: Citizen, *args: Any, holder: str = "gdv-01") -> str:
    """Ask a citizen; returns the link."""
    _, answer = await world.ask(person, *args, holder=holder)
    return str(answer.raise_for_status().json()["link"])


async def last(world: World) -> dict[str, Any]:
    """Return the newest fact of the consent log."""
    return (await world.log(world.consent))[-1]


async def lawful(world: World) -> None:
    """See that the laws hold, and that no number and no address is in a log."""
    assert await world.broken(NUMBER[3:], CLERK) == []


def attempt(folder: Path, scenario: Scenario) -> None:
    """Play a scenario; after it no number and no address is in a byte of any file."""
    play(folder, scenario)
    for one in (NUMBER[3:], CLERK, *(number[3:] for number in CLERKS.values())):
        assert found(folder, one.encode()) == set()


@asynccontextmanager
async def from_address(world: World, host: str) -> Any:
    """Give a client whose requests come from a network address."""
    transport = httpx.ASGITransport(world.consent_app, client=(host, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://consent") as client:
        yield client


# -- whose phone --------------------------------------------------------------------------------


def test_a_clerks_own_phone_gets_no_code_to_agree_with(tmp_path: Path) -> None:
    """Registered as a citizen's, it gets the question and signs a refusal, never an agreement."""

    async def scenario(world: World) -> None:
        victim = await newcomer(world, CLERKS["gdv-01"])
        link = await asked(world, victim)
        phone = Phone(world.consent, victim.phone)
        assert (await phone.press(link, "given")).status_code == 409
        assert not any("Mã" in text for text in await messages(world, victim.phone)), "no code"
        assert (await phone.decide(link, "refused")).is_success
        await lawful(world)

    attempt(tmp_path, scenario)


def test_a_phone_that_turns_out_to_be_staffs_signs_no_more(tmp_path: Path) -> None:
    """The code was out already, the agreement waits already: neither is signed any more."""

    async def scenario(world: World) -> None:
        person, operator = world.people[0], world.tokens.header("operator")
        body = {"office_id": "bd-huong-hoa", "phones": [CLERKS["gdv-02"], person.phone]}
        link, phone = await asked(world, person), world.phone(person)
        page = await phone.press(link, "given")
        code = await phone.last_code()
        put = await world.consent.put("/clerks/gdv-02", json=body, headers=operator)
        assert put.status_code == 204
        signed = await phone.type_code(page, code)
        assert signed.status_code == 409
        assert (await last(world))["data"]["reasons"] == ["phone_of_staff"]
        body["phones"] = [CLERKS["gdv-02"]]
        await world.consent.put("/clerks/gdv-02", json=body, headers=operator)
        assert (await phone.decide(link, "given")).is_success
        await world.hand_in()
        body["phones"] = [person.phone]
        await world.consent.put("/clerks/gdv-02", json=body, headers=operator)
        world.clock.move_to(world.clock() + Policy().confirm_after)
        assert (await phone.decide(link, "confirmed")).status_code == 409
        assert (await phone.decide(link, "withdrawn")).is_success
        await lawful(world)

    attempt(tmp_path, scenario)


def test_marking_and_signing_at_the_same_moment(tmp_path: Path) -> None:
    """Either is first; no agreement lies behind the fact that its phone is a clerk's."""

    async def scenario(world: World) -> None:
        operator, office = world.tokens.header("operator"), {"office_id": "bd-huong-hoa"}
        statuses = set[int]()
        for number, person in enumerate(world.people):
            link, phone = await asked(world, person), world.phone(person)
            page = await phone.press(link, "given")
            sign = phone.type_code(page, await phone.last_code())
            body = {**office, "phones": [person.phone]}
            mark = world.consent.put("/clerks/gdv-03", json=body, headers=operator)
            both = (sign, mark) if number % 2 else (mark, sign)
            answers = await asyncio.gather(*both)
            statuses.add(answers[1 - number % 2].status_code)
        assert statuses == {200, 409}
        await lawful(world)

    attempt(tmp_path, scenario)


def test_staffs_phones_are_said_in_whole(tmp_path: Path) -> None:
    """Left out they stay, listed they are replaced; only the operator says it."""

    async def scenario(world: World) -> None:
        before = len(await world.log(world.consent))
        office, operator = {"office_id": "bd-huong-hoa"}, world.tokens.header("operator")
        for body, added in (
            (office, 0),
            ({**office, "phones": [CLERKS["gdv-01"]]}, 0),
            ({**office, "phones": [NUMBER]}, 2),
            ({**office, "phones": []}, 1),
        ):
            answer = await world.consent.put("/clerks/gdv-01", json=body, headers=operator)
            assert answer.status_code == 204
            after = len(await world.log(world.consent))
            assert after - before == added
            before = after
        clerk = world.tokens.header("gdv-01")
        answer = await world.consent.put("/clerks/gdv-01", json=office, headers=clerk)
        assert answer.status_code == 403

    attempt(tmp_path, scenario)


def test_two_citizens_on_one_phone_agree_to_nothing(tmp_path: Path) -> None:
    """Not even who had it first, until a bank allows it: then for that bank alone."""

    async def scenario(world: World) -> None:
        first = world.people[0]
        second = await newcomer(world, first.phone)
        phone = world.phone(first)
        for person in (first, second):
            pressed = await phone.press(await asked(world, person), "given")
            assert VIETNAMESE["no_phone_shared"] in pressed.text
        assert (await share(world, second, "so-viet")).status_code == 204
        assert (await share(world, first, "so-viet")).status_code == 204
        kinds = [one["kind"] for one in await world.log(world.consent)]
        assert kinds.count("phone.sharing.allowed.1") == 1, "it is one phone"
        world.clock.move_to(world.clock() + timedelta(hours=25))
        for person in (first, second):
            assert (await phone.decide(await asked(world, person), "given")).is_success
        pressed = await phone.press(await asked(world, first, OTHER, holder="gdv-02"), "given")
        assert VIETNAMESE["no_phone_shared"] in pressed.text
        third = await newcomer(world, first.phone, "c-third")
        link = await asked(world, third)
        assert (await phone.press(link, "given")).status_code == 409
        assert (await share(world, third, "so-viet", citizens_max=3)).status_code == 204
        assert (await phone.decide(link, "given")).is_success
        await lawful(world)

    attempt(tmp_path, scenario)


def test_whoever_leaves_a_phone_sets_it_free(tmp_path: Path) -> None:
    """Once the second citizen's own phone counts, the first can agree again with the old one."""

    async def scenario(world: World) -> None:
        first = world.people[0]
        second = await newcomer(world, first.phone)
        await enrol(world, second, NUMBER, "operator")
        pressed = await world.phone(first).press(await asked(world, first), "given")
        assert VIETNAMESE["no_phone_shared"] in pressed.text
        world.clock.move_to(world.clock() + WAIT)
        signed = await world.phone(first).decide(await asked(world, first), "given")
        assert signed.is_success, signed.text
        await lawful(world)

    attempt(tmp_path, scenario)


def test_who_may_let_a_phone_be_shared(tmp_path: Path) -> None:
    """A bank for itself, the operator for a named bank; nobody above the cap; each no is a fact."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        for holder, body, status, why in (
            ("operator", {"bank_id": "so-viet"}, 204, []),
            ("operator", {}, 422, []),
            ("operator", {"bank_id": "none"}, 403, ["bank_unknown"]),
            ("so-viet", {"bank_id": "truong-son"}, 403, ["not_own_bank"]),
            ("so-viet", {"citizens_max": 6}, 403, ["sharing_above_cap"]),
            ("so-viet", {"citizens_max": 0}, 422, []),
            ("so-viet", {"ground": "sales"}, 422, []),
            ("gdv-01", {}, 403, []),
            ("regulator", {}, 403, []),
        ):
            answer = await share(world, person, holder, **body)
            assert answer.status_code == status, (holder, body, answer.text)
            if why:
                assert codes(answer) == why
                assert (await last(world))["data"]["reasons"] == why
        nobody = await share(world, replace(person, id="c-nobody"), "so-viet")
        assert (nobody.status_code, codes(nobody)) == (404, ["citizen_unknown"])

    attempt(tmp_path, scenario)


# -- another phone ------------------------------------------------------------------------------


def test_a_clerk_types_their_own_number(tmp_path: Path) -> None:
    """The citizen's phone is warned at once and goes on getting the codes; the other gets nothing.

    Once it counts, what is asked within a day waits three more days, and after that it signs as
    any phone does.
    """

    async def scenario(world: World) -> None:
        person = world.people[0]
        answer = await enrol(world, person, NUMBER)
        start = (world.clock() + WAIT).isoformat()[:16]
        assert answer.json()["effective_from"][:16] == start
        (warning,) = await messages(world, person.phone)
        assert "001" in warning
        assert "Bưu điện huyện Hướng Hoá" in warning
        assert NUMBER not in warning
        assert await messages(world, NUMBER) == []
        link = await asked(world, person)
        await world.phone(person).press(link, "given")
        assert await messages(world, NUMBER) == []
        world.clock.move_to(world.clock() + WAIT - timedelta(minutes=2))
        await asked(world, person, OTHER)
        assert await messages(world, NUMBER) == []
        world.clock.move_to(world.clock() + timedelta(minutes=3))
        link = await asked(world, person)
        (told,) = await messages(world, NUMBER)
        page = await Phone(world.consent, NUMBER).decide(link, "given")
        assert link in told
        assert "Chỉ dùng được từ" in page.text, "it was not known before"
        await lawful(world)

    attempt(tmp_path, scenario)


def test_a_new_phone_confirms_nothing_that_the_old_one_agreed_to(tmp_path: Path) -> None:
    """Agreed at a counter with the old one: the new one came too late to confirm it."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        await enrol(world, person, NUMBER)
        world.clock.move_to(world.clock() + WAIT - timedelta(minutes=20))
        link = await asked(world, person)
        assert (await world.phone(person).decide(link, "given")).is_success
        await world.hand_in()
        world.clock.move_to(world.clock() + timedelta(minutes=40))
        pressed = await Phone(world.consent, NUMBER).press(link, "confirmed")
        assert VIETNAMESE["no_phone_not_known"] in pressed.text
        assert (await last(world))["data"]["reasons"] == ["phone_not_known"]
        assert (await Phone(world.consent, NUMBER).decide(link, "withdrawn")).is_success
        await lawful(world)

    attempt(tmp_path, scenario)


def test_a_code_that_went_to_the_old_phone_signs_nothing_once_the_new_one_counts(
    tmp_path: Path,
) -> None:
    """Between the code and its coming back the phones changed: it is asked for again."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        await enrol(world, person, NUMBER)
        world.clock.move_to(world.clock() + WAIT - timedelta(minutes=1))
        link, phone = await asked(world, person), world.phone(person)
        page = await phone.press(link, "given")
        code = await phone.last_code()
        world.clock.move_to(world.clock() + timedelta(minutes=2))
        assert VIETNAMESE["no_phone_not_own"] in (await phone.type_code(page, code)).text
        assert (await last(world))["data"]["reasons"] == ["phone_not_own"]

    attempt(tmp_path, scenario)


def test_the_old_phone_stops_it(tmp_path: Path) -> None:
    """Looking changes nothing; the button does, for good, and without a code."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        await enrol(world, person, NUMBER)
        link = await link_to_stop(world, person)
        before = len(await world.log(world.consent))
        for lang, words in (("vi", VIETNAMESE), ("en", ENGLISH)):
            page = await world.consent.get(link, params={"lang": lang})
            for each in ("phone_coming", "phone_keep"):
                assert words[each] in page.text
            assert all(one in page.text for one in ("001", "gdv-01", "Bưu điện huyện Hướng Hoá"))
            assert NUMBER not in page.text
            assert "<script" not in page.text
            assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await world.consent.head(link)).status_code == 405
        assert len(await world.log(world.consent)) == before
        for _ in range(2):
            pressed = await world.consent.post(link, data={"lang": "en"}, follow_redirects=True)
            assert ENGLISH["phone_stopped"] in pressed.text
            assert "<form" not in pressed.text
        facts = (await world.log(world.consent))[before:]
        assert [one["kind"] for one in facts] == ["phone.enrolment.stopped.1"]
        assert facts[0]["data"]["ground"] == "old_phone"
        world.clock.move_to(world.clock() + WAIT)
        await asked(world, person)
        assert await messages(world, NUMBER) == []
        await lawful(world)

    attempt(tmp_path, scenario)


def test_once_it_counts_the_link_stops_nothing(tmp_path: Path) -> None:
    """The page says so, and what to do; the attempt is a fact."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        await enrol(world, person, NUMBER)
        link = await link_to_stop(world, person)
        world.clock.move_to(world.clock() + WAIT)
        pressed = await world.consent.post(link, follow_redirects=True)
        assert VIETNAMESE["phone_counts"] in pressed.text
        assert "<form" not in pressed.text
        fact = await last(world)
        assert (fact["kind"], fact["data"]["reasons"]) == ("phone.rejected.1", ["phone_counts"])

    attempt(tmp_path, scenario)


def test_only_a_link_that_was_sent_stops_anything(tmp_path: Path) -> None:
    """Another id, another ending, a consent's link: nothing is found, and nothing is said."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        consent_link = await asked(world, person)
        await enrol(world, person, NUMBER)
        link = await link_to_stop(world, person)
        own, _, mac = link.rpartition("/")[2].partition(".")
        wrong = [
            f"{own}.{'0' * 32}",
            f"{new_id()}.{mac}",
            own,
            "x",
            consent_link.rpartition("/")[2],
        ]
        for end in wrong:
            for answer in (
                await world.consent.get(f"/phone/{end}"),
                await world.consent.post(f"/phone/{end}"),
            ):
                assert answer.status_code == 404
                assert VIETNAMESE["no_not_found"] in answer.text
        as_consent = await world.consent.get(f"/c/{link.rpartition('/')[2]}")
        assert as_consent.status_code == 404
        kinds = [one["kind"] for one in await world.log(world.consent)]
        assert "phone.enrolment.stopped.1" not in kinds

    attempt(tmp_path, scenario)


def test_an_outage_is_not_said_to_be_a_wrong_link(tmp_path: Path) -> None:
    """The log is out of reach: 503 in its own words, for looking and stopping; then it goes on."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        await enrol(world, person, NUMBER)
        link = await link_to_stop(world, person)
        log = type(world.consent_app.state.parts.log)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(log, "read", out_of_reach)
            answers = [await world.consent.get(link), await world.consent.post(link)]
        for answer in answers:
            assert answer.status_code == 503
            for lang in ("vi", "en"):
                assert sentence("store_unavailable", lang) in answer.text
            assert VIETNAMESE["no_not_found"] not in answer.text
            assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert (await world.consent.get(link)).status_code == 200

    attempt(tmp_path, scenario)


async def out_of_reach(*_: Any, **__: Any) -> Any:
    """Raise what a log does whose store does not answer."""
    raise Unavailable("store_unavailable")


def test_who_may_ask_for_another_phone(tmp_path: Path) -> None:
    """The operator and a clerk, for who is registered; the same again warns, waits no longer."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        for holder in ("so-viet", "regulator", "accounts"):
            assert (await enrol(world, person, NUMBER, holder)).status_code == 403
        nobody = await enrol(world, replace(person, id="c-nobody"), NUMBER)
        assert (nobody.status_code, codes(nobody)) == (404, ["citizen_unknown"])
        assert (await last(world))["kind"] == "phone.rejected.1"
        same = await enrol(world, person, person.phone)
        assert same.json() == {"citizen_id": person.id, "effective_from": None}
        first = await enrol(world, person, NUMBER, "operator")
        again = await enrol(world, person, NUMBER, "gdv-02")
        assert again.json() == first.json()
        warning, once_more = await messages(world, person.phone)
        assert "Bưu điện" not in warning
        assert once_more == warning
        page = await world.consent.get(await link_to_stop(world, person))
        assert VIETNAMESE["phone_operator"] in page.text
        await world.restart()
        assert (await enrol(world, person, NUMBER)).json() == first.json()

    attempt(tmp_path, scenario)


def test_a_phone_that_could_not_be_warned_about_never_counts(tmp_path: Path) -> None:
    """503, and the fact that it was stopped; sent again later, it is warned and waits anew."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        sms = await with_unsteady_messages(world)
        sms.down = True
        answer = await enrol(world, person, NUMBER)
        assert (answer.status_code, codes(answer)) == (503, ["warning_not_sent"])
        fact = await last(world)
        assert fact["kind"] == "phone.enrolment.stopped.1"
        assert fact["data"]["ground"] == "unwarned"
        sms.down = False
        world.clock.move_to(world.clock() + WAIT)
        await asked(world, person)
        assert await messages(world, NUMBER) == []
        again = await enrol(world, person, NUMBER)
        assert again.json()["effective_from"] > fact["recorded_at"]
        assert len(await messages(world, person.phone)) == 2

    attempt(tmp_path, scenario)


class Dying(Outbox):
    """An outbox whose process ends, a number of times, before a message is handed over."""

    deaths = 1

    @override
    async def send(self, phone: str, text: str) -> None:
        if self.deaths:
            self.deaths -= 1
            raise SystemError("killed")
        await super().send(phone, text)


def test_a_warning_that_a_crash_swallowed_is_sent_when_it_is_asked_again(tmp_path: Path) -> None:
    """Killed between fact and warning, even twice: no answer until the old phone is warned."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        parts = world.consent_app.state.parts
        dying, steady = Dying(), parts.sms
        dying.deaths = 2
        enrolling = Enrolling(replace(parts, sms=dying))
        for _ in range(dying.deaths):
            with pytest.raises(SystemError):
                await enrolling.enrol(person.id, NUMBER, asked_by="operator:o", clerk_id=None)
        assert (await last(world))["kind"] == "phone.enrolled.1"
        assert not dying.messages
        assert await messages(world, person.phone) == []
        again = await enrol(world, person, NUMBER)
        assert again.status_code == 200
        (warning,) = steady.messages
        assert warning.phone == person.phone
        pressed = await world.consent.post(await link_to_stop(world, person), follow_redirects=True)
        assert VIETNAMESE["phone_stopped"] in pressed.text

    attempt(tmp_path, scenario)


def test_asked_again_while_nobody_can_be_warned_it_never_counts(tmp_path: Path) -> None:
    """After a crash the gateway is out of reach too: 503, and the phone that was coming is gone."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        sms = await with_unsteady_messages(world)
        enrolling = Enrolling(replace(world.consent_app.state.parts, sms=Dying()))
        with pytest.raises(SystemError):
            await enrolling.enrol(person.id, NUMBER, asked_by="operator:o", clerk_id=None)
        sms.down = True
        answer = await enrol(world, person, NUMBER)
        assert (answer.status_code, codes(answer)) == (503, ["warning_not_sent"])
        fact = await last(world)
        assert fact["kind"] == "phone.enrolment.stopped.1"
        assert fact["data"]["ground"] == "unwarned"
        world.clock.move_to(world.clock() + WAIT)
        await asked(world, person)
        assert await messages(world, NUMBER) == []

    attempt(tmp_path, scenario)


def test_two_requests_at_once_are_one(tmp_path: Path) -> None:
    """One fact, and the same warning for each that asks for the same number in the same moment."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        await asyncio.gather(*(enrol(world, person, NUMBER) for _ in range(5)))
        kinds = [one["kind"] for one in await world.log(world.consent)]
        assert kinds.count("phone.enrolled.1") == 1
        warnings = await messages(world, person.phone)
        assert len(warnings) == 5
        assert len({*warnings}) == 1

    attempt(tmp_path, scenario)


def test_erasing_takes_every_phone(tmp_path: Path) -> None:
    """The old and the new cannot be reached any more, and the same call has the same answer.

    A clerk cannot hand an erased citizen a phone, as nobody could be warned; the operator can.
    """

    async def scenario(world: World) -> None:
        person = world.people[0]
        await enrol(world, person, NUMBER)
        link = await link_to_stop(world, person)
        first = await erase(world, person)
        assert first.status_code == 200
        assert (await erase(world, person)).json() == first.json()
        assert VIETNAMESE["phone_stopped"] in (await world.consent.get(link)).text
        world.clock.move_to(world.clock() + WAIT)
        assert VIETNAMESE["phone_stopped"] in (await world.consent.get(link)).text
        refused = await enrol(world, person, NUMBER)
        assert (refused.status_code, codes(refused)) == (409, ["phone_unwarned"])
        assert (await enrol(world, person, NUMBER, "operator")).status_code == 200
        second = (await erase(world, person)).json()
        assert len(second["positions"]) == 2
        await world.restart()
        assert (await erase(world, person)).json() == second
        await lawful(world)

    attempt(tmp_path, scenario)


# -- from where ---------------------------------------------------------------------------------


async def ask_from(
    world: World, host: str, person: Citizen, holder: str = "gdv-01", **more: Any
) -> tuple[str, httpx.Response]:
    """Ask a citizen from a network address."""
    clerk = holder if holder.startswith("gdv") else None
    consent_id = more.pop("consent_id", None) or new_id()
    async with from_address(world, host) as client:
        answer = await client.put(
            f"/consents/{consent_id}",
            json=question(person, clerk=clerk, **more),
            headers=world.tokens.header(holder),
        )
    return consent_id, answer


def test_the_clerks_network_agrees_to_nothing(tmp_path: Path) -> None:
    """Neither is a code sent for it, nor does one that was sent sign there; a no is taken."""
    cases = [
        (CLERK, CLERK, True),
        (CLERK, "203.0.113.8", False),
        ("2001:db8:1:2::7", "2001:db8:1:2:ffff::1", True),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("::1", "::1", False),
    ]

    async def scenario(world: World) -> None:
        for person, (clerk, citizen, same) in zip(world.people, cases, strict=False):
            _, answer = await ask_from(world, clerk, person)
            link = answer.json()["link"]
            async with from_address(world, citizen) as client:
                there = Phone(client, person.phone)
                pressed = await there.press(link, "given")
                assert pressed.status_code == (409 if same else 200)
                assert (VIETNAMESE["no_clerk_address"] in pressed.text) is same
                elsewhere = await world.phone(person).press(link, "given")
                signed = await there.type_code(elsewhere, await there.last_code())
                assert signed.status_code == (409 if same else 200)
                if same:
                    assert (await last(world))["data"]["reasons"] == ["clerk_address"]
                    assert (await there.decide(link, "refused")).is_success
        log = json.dumps(await world.log(world.consent))
        assert "2001:db8" not in log
        await lawful(world)

    attempt(tmp_path, scenario)


def test_a_confirmation_from_the_clerks_network_is_none(tmp_path: Path) -> None:
    """What was agreed elsewhere is not confirmed there; taking it back is."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        _, answer = await ask_from(world, CLERK, person)
        link = answer.json()["link"]
        assert (await world.phone(person).decide(link, "given")).is_success
        await world.hand_in()
        world.clock.move_to(world.clock() + Policy().confirm_after)
        async with from_address(world, CLERK) as client:
            pressed = await Phone(client, person.phone).press(link, "confirmed")
            assert VIETNAMESE["no_clerk_address"] in pressed.text
            assert (await Phone(client, person.phone).decide(link, "withdrawn")).is_success

    attempt(tmp_path, scenario)


def test_the_address_is_looked_at_where_there_is_a_counter(tmp_path: Path) -> None:
    """A bank that asks online has none in the log; a clerk who repeats from elsewhere is the same.

    The marks of two questions from one place have nothing alike.
    """

    async def scenario(world: World) -> None:
        one, two, three = world.people[:3]
        first, asked_once = await ask_from(world, CLERK, one)
        _, again = await ask_from(world, "203.0.113.8", one, consent_id=first)
        assert again.json() == asked_once.json()
        await ask_from(world, CLERK, two)
        await ask_from(world, CLERK, three, "so-viet")
        questions = of_kind(await world.log(world.consent), "consent.requested.1")
        marks = [one["data"]["asked_from_id"] for one in questions]
        assert len(marks) == 3
        assert marks[2] is None
        assert len({*marks}) == 3

    attempt(tmp_path, scenario)
