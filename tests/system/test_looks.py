"""Whoever is shown a citizen's data is in the log first, and on the citizen's own page."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest

from demo.cast import ACCOUNT, BANKS, OFFICE, Citizen
from services.consent.pages.own import SAW, SAW_OF_ACCOUNT
from services.consent.pages.words import ENGLISH, VIETNAMESE
from shared.canonical import text_digest
from shared.looks import ONCE_IN, PURPOSES, LookGround, ReadFor
from shared.web import Role
from tests.support.faults import break_once
from tests.support.world import World, a_world, new_id
from tests.system.test_api import Scenario
from tests.system.test_own_page import a_link, violate_nothing
from tests.system.test_two_witnesses import LAN, ready

READERS = {"so-viet": "bank:so-viet", "gdv-01": "clerk:gdv-01", "regulator": "regulator:nhnn"}
LOOKS = ("data.read.1", "account.read.1")


@dataclass
class Stage:
    """One world for all that is played here; nobody is on stage twice."""

    world: World
    runner: asyncio.Runner

    def play(self, scenario: Scenario, people: int = 1) -> None:
        """Play a scenario with the first people, who were in no other."""
        try:
            self.runner.run(scenario(self.world))
        finally:
            del self.world.people[:people]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a world with everyone registered."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        world = a_world(tmp_path_factory.mktemp("looks"))
        yield Stage(runner.run(stack.enter_async_context(world)), runner)
        runner.run(stack.aclose())


# -- which routes show something of somebody ----------------------------------------------------

SHOWING = {
    "GET /consents/{consent_id}",
    "GET /consents/{consent_id}/receipt",
    "POST /consents/{consent_id}/invalidation",
    "POST /consents/{consent_id}/validate",
    "POST /standings",
    "POST /looks",
    "GET /openings",
    "GET /openings/{opening_id}",
    "GET /citizens/{citizen_id}/openings",
}
"""They show data of a citizen: each look is a fact."""

ACTS = {
    "PUT /consents/{consent_id}",
    "POST /consents/{consent_id}/redemptions",
    "POST /redemptions",
    "PUT /openings/{opening_id}",
    "PUT /openings/{opening_id}/confirmation",
    "PUT /openings/{opening_id}/declination",
    "PUT /openings/{opening_id}/freezing",
    "PUT /openings/{opening_id}/closure",
    "POST /stops",
    "PUT /banks/{bank_id}",
    "PUT /products/{product_id}",
    "PUT /offices/{office_id}",
    "PUT /clerks/{clerk_id}",
    "PUT /clerks/{clerk_id}/passkeys/{passkey_id}",
    "PUT /sites/{site_id}",
    "PUT /citizens/{citizen_id}",
    "POST /citizens/{citizen_id}/erasure",
    "PUT /citizens/{citizen_id}/phone",
    "PUT /citizens/{citizen_id}/representatives/{representative_id}",
    "DELETE /citizens/{citizen_id}/representatives/{representative_id}",
    "PUT /phones/{citizen_id}/sharing",
    "PUT /consents/{consent_id}/witnesses",
    "PUT /witnesses/{witness_id}",
    "DELETE /witnesses/{witness_id}",
    "PUT /offices/{office_id}/registration",
    "PUT /offices/{office_id}/contracts/{bank_id}",
    "PUT /offices/{office_id}/trainings/{clerk_id}",
    "PUT /offices/{office_id}/permissions/{site_id}",
    "PUT /offices/{office_id}/devices/{device_id}",
    "PUT /consents/{consent_id}/captures/{capture_id}",
    "PUT /consents/{consent_id}/submission",
    "PUT /suspensions/{suspension_id}",
    "POST /suspensions/{suspension_id}/lifting",
    "PUT /policies/{version}",
    "POST /policies/{version}/approval",
    "POST /log/index",
    "PUT /reconciliations/{reconciliation_id}",
    "PUT /webhooks/{webhook_id}",
    "DELETE /webhooks/{webhook_id}",
    "POST /webhooks/{webhook_id}/key",
    "POST /webhooks/{webhook_id}/test",
    "POST /webhooks/{webhook_id}/deliveries/{position}/redelivery",
}
"""They are facts themselves, and answer with what the caller has just done."""

OF_NOBODY = {
    "GET /log",
    "GET /log/state",
    "GET /log/{position}/proof",
    "GET /tlog/{path}",
    "GET /status-lists/{number}",
    "GET /.well-known/jwks.json",
    "GET /.well-known/oauth-authorization-server",
    "POST /oauth/introspection",
    "POST /oauth/token",
    "GET /livez",
    "GET /problems/{code}",
    "GET /readyz",
    "GET /metrics",
    "GET /sandbox/outbox",
    "GET /sandbox/clock",
    "PUT /sandbox/clock",
    "GET /suspensions/{suspension_id}",
    "GET /submissions",
    "GET /policies",
    "GET /notices/{notice_id}",
    "GET /rejections",
    "GET /rejections/counts",
    "GET /reconciliations",
    "GET /reconciliations/{reconciliation_id}",
    "GET /reconciliations/{reconciliation_id}/lines",
    "GET /reconciliations/{reconciliation_id}/lines.csv",
    "GET /events",
    "GET /events/stream",
    "GET /webhooks",
    "GET /webhooks/{webhook_id}",
    "GET /webhooks/{webhook_id}/deliveries",
}
"""They show keys, figures and hashes; or the log, in which everybody is a random id; or a sandbox;
or what is suspended, and what was handed in where, but not in whose name; or who tried what, and
not of whom; or what is policy, and what notices say; or which accounts a bank opened where without
a consent, and not in whose name; or that something happened, by ids to ask with.

Pages are not among the documented routes: they are the citizen's own.
"""


def test_every_route_is_known_to_show_somebody_or_nobody(stage: Stage) -> None:
    """A new route is decided upon: it records looks, is an act, or shows nothing of anybody."""
    found = {
        f"{method.upper()} {path}"
        for app in (stage.world.consent_app, stage.world.accounts_app)
        for path, item in app.openapi()["paths"].items()
        for method in item
    }
    assert found == SHOWING | ACTS | OF_NOBODY


# -- the facts ----------------------------------------------------------------------------------


@dataclass
class Opened:
    """A consent that was used, the account that came of it, and who looks how."""

    world: World
    citizen: Citizen
    consent_id: str
    opening_id: str
    position: int = 0
    others: Sequence[Citizen] = ()
    """Who is watched besides."""

    read: list[dict[str, Any]] = field(default_factory=list)

    @property
    def addresses(self) -> list[tuple[str, str, str]]:
        """Return each way to be shown something: service, method and address."""
        consent, opening = f"/consents/{self.consent_id}", f"/openings/{self.opening_id}"
        return [
            ("consent", "GET", consent),
            ("consent", "GET", f"{consent}/receipt"),
            ("accounts", "GET", opening),
            ("accounts", "GET", "/openings"),
        ]

    async def call(
        self, service: str, method: str, address: str, holder: str, **more: Any
    ) -> httpx.Response:
        """Send a request as a holder of a token."""
        client: httpx.AsyncClient = getattr(self.world, service)
        headers = self.world.tokens.header(holder)
        if method == "POST":  # the same key for the same request: it is claimed once
            headers["Idempotency-Key"] = text_digest(f"{address} {more.get('json')}")
        return await client.request(method, address, headers=headers, **more)

    async def new(self) -> list[dict[str, Any]]:
        """Return what was recorded of looks in either log since this was asked last."""
        logs = [await self.world.log(one) for one in (self.world.consent, self.world.accounts)]
        looks = [one["data"] for log in logs for one in log if self._is_own_look(one)]
        fresh = [one for one in looks if one not in self.read]
        self.read = looks
        return fresh

    def _is_own_look(self, fact: Mapping[str, Any]) -> bool:
        people = {self.citizen.id, *(one.id for one in self.others)}
        return fact["kind"] in LOOKS and fact["data"]["citizen_id"] in people


async def an_account(world: World) -> Opened:
    """Have somebody agree, open, and the bank confirm; looks until then are not counted."""
    citizen = world.people[0]
    consent_id, _, event = await world.given(citizen)
    opening_id = new_id()
    answer = await world.open(citizen, event, opening_id=opening_id)
    opened = Opened(world, citizen, consent_id, opening_id, answer.json()["position"])
    address, body = f"/openings/{opening_id}/confirmation", {"account_number": consent_id}
    (await opened.call("accounts", "PUT", address, "so-viet", json=body)).raise_for_status()
    await opened.new()
    world.clock.move_to(world.clock().replace(minute=0, second=0) + ONCE_IN)
    return opened


def fields_of(answer: httpx.Response) -> list[str]:
    """Return the names of what an answer shows, of its last opening if it is a list."""
    document = answer.json()
    last = document["openings"][-1] if "openings" in document else document
    return [name for name, value in last.items() if value is not None]


def test_each_look_is_a_fact_with_names_and_no_values(stage: Stage) -> None:
    """Who, which fields, for which question and case; the same within the hour is one."""

    async def scenario(world: World) -> None:
        opened = await an_account(world)
        for service, method, address in opened.addresses:
            for holder, reader in READERS.items():
                for case_id in (None, "case-7"):
                    query = {"case_id": case_id} if case_id else {}
                    answer = await opened.call(service, method, address, holder, params=query)
                    for _ in range(2):
                        await opened.call(service, method, address, holder, params=query)
                    assert answer.status_code == 200
                    (look,) = await opened.new()
                    assert look["read_by"] == reader
                    assert look["fields"] == fields_of(answer)
                    assert (look["citizen_id"], look["consent_id"], look["case_id"]) == (
                        opened.citizen.id,
                        opened.consent_id,
                        case_id,
                    )
            for stranger in ("truong-son", "gdv-02"):
                await opened.call(service, method, address, stranger)
                assert await opened.new() == []
        world.clock.move_to(world.clock() + ONCE_IN)
        service, method, address = opened.addresses[0]
        await opened.call(service, method, address, "so-viet")
        assert len(await opened.new()) == 1
        bad = await opened.call(service, method, address, "so-viet", params={"case_id": "Ông A"})
        assert bad.status_code == 422
        await violate_nothing(world)

    stage.play(scenario)


def test_a_list_is_a_look_at_each_and_one_that_names_nobody_at_none(stage: Stage) -> None:
    """Only what is new on a page adds a fact; an unreadable command shows nothing of anybody."""

    async def scenario(world: World) -> None:
        opened = await an_account(world)
        other = world.people[1]
        opened.others = [other]
        _, _, event = await world.given(other)
        await opened.new()
        query = {"after": opened.position - 1}
        await opened.call("accounts", "GET", "/openings", "so-viet", params=query)
        (first,) = await opened.new()
        (await world.open(other, event)).raise_for_status()
        listed = await opened.call("accounts", "GET", "/openings", "so-viet", params=query)
        assert len(listed.json()["openings"]) == 2
        (second,) = await opened.new()
        assert [one["citizen_id"] for one in (first, second)] == [opened.citizen.id, other.id]
        await opened.call("accounts", "GET", "/openings", "truong-son")
        unread, rejected = new_id(), new_id()
        await opened.call("accounts", "PUT", f"/openings/{unread}", "gdv-01", json={"x": 1})
        (await world.open(other, None, opening_id=rejected)).json()
        for opening_id in (unread, rejected):
            shown = await opened.call("accounts", "GET", f"/openings/{opening_id}", "regulator")
            assert shown.status_code == 200
        (third,) = await opened.new()
        assert (third["opening_id"], third["consent_id"]) == (rejected, None)

    stage.play(scenario, people=2)


def test_what_cannot_be_recorded_is_not_shown(stage: Stage) -> None:
    """A look lost before or after its commit: 503, no data; then shown, and recorded once."""

    async def scenario(world: World) -> None:
        opened = await an_account(world)
        body = {"case_id": "case-1", "why": "forced"}
        address = f"/consents/{opened.consent_id}/invalidation"
        (await opened.call("consent", "POST", address, "so-viet", json=body)).raise_for_status()
        (await opened.call("consent", "POST", address, "regulator", json=body)).raise_for_status()
        looks = await opened.new()
        assert {(one["purpose"], one["case_id"]) for one in looks} == {("invalidation", "case-1")}
        path = f"/citizens/{opened.citizen.id}/openings?case_id=case-2"
        of_citizen = ("accounts", "GET", path)
        ways = [(*one, None) for one in (*opened.addresses, of_citizen)]
        for fault in ("before", "after"):
            world.clock.move_to(world.clock() + ONCE_IN)
            for service, method, path, json in [*ways, ("consent", "POST", address, body)]:
                break_once(getattr(world, f"{service}_app").state.log.recorder, fault)
                lost = await opened.call(service, method, path, "regulator", json=json)
                assert (lost.status_code, lost.json()["code"]) == (503, "store_unavailable")
                assert opened.citizen.id not in lost.text
                assert len(await opened.new()) == (fault == "after")
                shown = await opened.call(service, method, path, "regulator", json=json)
                assert shown.status_code == 200
                assert len(await opened.new()) == (fault == "before")
        await violate_nothing(world)

    stage.play(scenario)


def test_a_verdict_is_a_look_unless_a_service_asks(stage: Stage) -> None:
    """Whether a consent could be used says what was decided; for an opening it is no look."""

    async def scenario(world: World) -> None:
        opened = await an_account(world)
        body = {"redemption_id": "x", "statement_hash": "0" * 64, "command_hash": "0" * 64}
        address = f"/consents/{opened.consent_id}/validate"
        for holder, added in (("accounts", 0), ("so-viet", 1), ("truong-son", 0)):
            await opened.call("consent", "POST", address, holder, json=body)
            assert len(await opened.new()) == added

    stage.play(scenario)


def test_a_witness_looks_too(stage: Stage) -> None:
    """At the list of what they were named for, and at each question; the other witness did not."""

    async def scenario(world: World) -> None:
        consent_id, first, _ = await ready(world)
        opened = Opened(world, LAN, consent_id, "")
        await opened.new()
        for address in (first.link, f"{first.link}/{consent_id}"):
            break_once(world.consent_app.state.log.recorder, "before")
            lost = await world.consent.get(address)
            assert lost.status_code == 503
            assert consent_id not in lost.text
        await world.consent.get(first.link)
        await first.read(world, consent_id)
        await first.read(world, consent_id)
        listed, read_out = await opened.new()
        assert {one["read_by"] for one in (listed, read_out)} == {f"witness:{first.id}"}
        assert listed["fields"] == ["product", "bank"]
        assert "notice" in read_out["fields"]
        await violate_nothing(world)

    stage.play(scenario, people=0)


@pytest.mark.parametrize("words", [VIETNAMESE, ENGLISH], ids=["vi", "en"])
def test_every_reader_and_purpose_has_words(words: dict[str, str]) -> None:
    """Banks go by their name; whoever else there is, the page can say who and what for."""
    readers = {*PURPOSES, Role.OPERATOR, "witness"} - {Role.BANK}
    assert all(words[f"reader_{one}"] for one in readers)
    assert all(words[f"why_{one}"] for one in ReadFor)
    assert all(words[f"ground_{one}"] for one in LookGround)
    assert {*SAW.values(), *SAW_OF_ACCOUNT.values()} <= set(words)


def test_many_who_look_at_once_are_recorded_once_each(stage: Stage) -> None:
    """However their requests meet, one fact a reader, and everybody is answered."""

    async def scenario(world: World) -> None:
        opened = await an_account(world)
        service, method, address = opened.addresses[0]
        answers = await asyncio.gather(
            *(opened.call(service, method, address, one) for one in [*READERS] * 8)
        )
        assert {one.status_code for one in answers} == {200}
        looks = await opened.new()
        assert sorted(one["read_by"] for one in looks) == sorted(READERS.values())

    stage.play(scenario)


# -- an inspector's own pages -------------------------------------------------------------------


def inspection(opened: Opened, **changes: Any) -> dict[str, dict[str, Any]]:
    """Return what an inspector's pages say at each service before they show something."""
    said = {"fields": ["history"], "ground": "complaint", "case_id": "tt-7", **changes}
    whose = {"citizen_id": opened.citizen.id, **said}
    return {
        "consent": {"consent_ids": [opened.consent_id], **whose},
        "accounts": {"opening_ids": [opened.opening_id], **whose},
    }


def test_an_inspectors_ground_is_recorded_and_told(stage: Stage) -> None:
    """Once an hour at each service, with ground and case; the citizen reads both."""

    async def scenario(world: World) -> None:
        await world.newcomer("+84900020001")
        opened = await an_account(world)
        for _ in range(2):
            for service, body in inspection(opened).items():
                answer = await opened.call(service, "POST", "/looks", "regulator", json=body)
                assert answer.status_code == 204
        looks = await opened.new()
        assert [(one["ground"], one["case_id"], one["fields"]) for one in looks] == [
            ("complaint", "tt-7", ["history"])
        ] * 2
        assert {one["purpose"] for one in looks} == {"supervision"}
        assert {one["consent_id"] for one in looks} == {opened.consent_id}
        page = (await world.consent.get(await a_link(world, opened.citizen))).text
        said = VIETNAMESE["ground_complaint"]
        assert page.count(f"<dd>{VIETNAMESE['why_supervision']}: {said}, hồ sơ tt-7</dd>") == 2
        await violate_nothing(world)

    stage.play(scenario)


def test_an_inspection_of_what_is_not_that_citizens_is_no_look(stage: Stage) -> None:
    """Nor one by anybody else, without ground or case, or that the log did not take."""

    async def scenario(world: World) -> None:
        await world.newcomer("+84900020002")
        opened = await an_account(world)
        opened.others = [world.people[1]]
        strangers = inspection(opened, citizen_id=world.people[1].id)
        missing = inspection(opened, ground=None), inspection(opened, case_id="")
        for service in ("consent", "accounts"):
            for holder, body, status in (
                ("regulator", strangers[service], 404),
                ("so-viet", inspection(opened)[service], 403),
                *(("regulator", one[service], 422) for one in missing),
            ):
                answer = await opened.call(service, "POST", "/looks", holder, json=body)
                assert answer.status_code == status
            break_once(getattr(world, f"{service}_app").state.log.recorder, "before")
            body = inspection(opened)[service]
            lost = await opened.call(service, "POST", "/looks", "regulator", json=body)
            assert lost.status_code == 503
        assert await opened.new() == []

    stage.play(scenario)


def test_an_opening_and_the_citizens_own_page_are_nobodys_look(stage: Stage) -> None:
    """A use adds no look; the citizen's page is a look of its own in accounts, and is not told."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        _, _, event = await world.given(citizen)
        opened = Opened(world, citizen, "", "")
        await opened.new()
        (await world.open(citizen, event)).raise_for_status()
        assert await opened.new() == []
        link = await a_link(world, citizen)
        page = (await world.consent.get(link)).text
        (look,) = await opened.new()
        assert (look["read_by"], look["purpose"]) == ("service:consent", "own_page")
        assert told(page) == [VIETNAMESE["reader_regulator"]]
        await violate_nothing(world)

    stage.play(scenario)


# -- the page -----------------------------------------------------------------------------------


def told(page: str) -> list[str]:
    """Return who looked, as the page says it."""
    (_, _, looks) = page.partition(f"<h2>{VIETNAMESE['own_looks']}</h2>")
    if not looks:
        (_, _, looks) = page.partition(f"<h2>{ENGLISH['own_looks']}</h2>")
    return [re.sub(r"<[^>]+>", "", one) for one in re.findall(r"<h3>(.*?)</h3>", looks)]


def lines(page: str, number: int) -> dict[str, str]:
    """Return what the page says of one look."""
    _, _, looks_at = page.partition('<section class="choice" id="stop">')
    sections = looks_at.split('<section class="matter">')
    looks = [one for one in sections if "<h3>" in one and 'class="standing"' not in one]
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", looks[number])
    return {name: re.sub(r"<[^>]+>", "", value) for name, value in pairs}


async def asked_and_refused(world: World) -> Opened:
    """Have somebody be asked, refuse, and be the target of an attempt to open all the same."""
    citizen, rejected = world.people[0], new_id()
    consent_id, asked = await world.ask(citizen, holder="gdv-01")
    await world.phone(citizen).decide(asked.json()["link"], "refused")
    await world.open(citizen, None, opening_id=rejected)
    return Opened(world, citizen, consent_id, rejected)


def test_the_page_tells_who_saw_what_when_and_why(stage: Stage) -> None:
    """Bank, clerk and inspector in words, newest first, of both services; nobody where nobody."""

    async def scenario(world: World) -> None:
        opened = await asked_and_refused(world)
        link = await a_link(world, opened.citizen)
        page = (await world.consent.get(link)).text
        assert VIETNAMESE["own_no_looks"] in page
        assert told(page) == []
        ((service, method, consent), (_, _, receipt), (_, _, opening), _) = opened.addresses
        for holder, where, address, query in [
            ("so-viet", service, consent, {}),
            ("gdv-01", service, receipt, {}),
            ("regulator", "accounts", opening, {"case_id": "ho-so-9"}),
        ]:
            world.clock.move_to(world.clock() + timedelta(minutes=3))
            answer = await opened.call(where, method, address, holder, params=query)
            assert answer.status_code == 200
        page = (await world.consent.get(link)).text
        assert VIETNAMESE["own_no_looks"] not in page
        assert told(page) == [
            "Thanh tra Ngân hàng Nhà nước",
            f"Nhân viên gdv-01, {OFFICE[1]}",
            BANKS["so-viet"],
        ]
        inspector, clerk, bank = (lines(page, number) for number in range(3))
        assert inspector["Đã xem"] == VIETNAMESE["saw_attempt"]
        assert inspector["Để làm gì"] == f"{VIETNAMESE['why_supervision']}, hồ sơ ho-so-9"
        assert "Hồ sơ" not in inspector
        assert clerk["Đã xem"] == VIETNAMESE["saw_receipt"]
        assert bank["Đã xem"] == VIETNAMESE["saw_answer"]
        assert bank["Việc"] == f"{ACCOUNT.name}, {BANKS['so-viet']}"
        assert bank["Hồ sơ"] == opened.consent_id[:8].upper()
        assert bank["Lần cuối"].endswith("ngày 09/08/2023")
        await violate_nothing(world)

    stage.play(scenario)


def test_several_looks_of_one_reader_are_told_together(stage: Stage) -> None:
    """All that was seen, the first time and the last; in English too."""

    async def scenario(world: World) -> None:
        opened = await asked_and_refused(world)
        for _, method, address in opened.addresses[:2]:
            await opened.call("consent", method, address, "so-viet")
            world.clock.move_to(world.clock() + timedelta(minutes=2))
        link = await a_link(world, opened.citizen)
        page = (await world.consent.get(f"{link}?lang=en")).text
        assert told(page) == [BANKS["so-viet"]]
        said = lines(page, 0)
        assert said["Saw"] == f"{ENGLISH['saw_answer']}; {ENGLISH['saw_receipt']}"
        assert said["First"] < said["Last"]

    stage.play(scenario)


def test_of_anothers_matters_the_page_tells_nothing(stage: Stage) -> None:
    """A look at one citizen's data is on that citizen's page alone; without accounts it says so."""

    async def scenario(world: World) -> None:
        opened = await an_account(world)
        for service, method, address in opened.addresses:
            await opened.call(service, method, address, "so-viet")
        own, other = [await a_link(world, one) for one in world.people[:2]]
        page = (await world.consent.get(own)).text
        assert told(page)[:2] == [BANKS["so-viet"]] * 2
        saw = {lines(page, number)["Đã xem"] for number in range(2)}
        assert any(VIETNAMESE["saw_account_end"] in one for one in saw)
        assert opened.consent_id[-4:] not in str(saw)
        assert told((await world.consent.get(other)).text) == []
        world.back.app = None
        page = (await world.consent.get(own)).text
        assert VIETNAMESE["own_looks_unknown"] in page
        assert told(page)[0] == BANKS["so-viet"]
        page = (await world.consent.get(other)).text
        assert VIETNAMESE["own_looks_unknown"] in page
        assert VIETNAMESE["own_no_looks"] not in page

    stage.play(scenario, people=2)
