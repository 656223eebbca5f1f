"""Every guard that rejects leaves a fact, which is found, counted and proved by whoever may."""

import base64
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.cast import DEVICE, OFFICE, SITE, Citizen
from services.consent.facts import Right
from services.consent.gate import RIGHTS, SUSPENDED
from shared.canonical import canonical
from shared.clock import VIETNAM
from shared.ledger.entries import encode
from shared.ledger.merkle import BadProof
from shared.ledger.notes import VerifierKey
from shared.ledger.proofs import Proof
from tests.support.world import Running, World, a_running_world, new_id
from tests.system.test_api import codes, sealed
from tests.system.test_gate import lift, suspend

ROOT = Path(__file__).parents[2]
START = "2021-03-01T00:00:00Z"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world in which much is tried, whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("rejected")) as running:
        yield running


# -- every guard --------------------------------------------------------------------------------

DEVICE_GUARD = RIGHTS[Right.DEVICE].code

PLACES = {
    "office_not_registered": ("registration", "operator"),
    "contract_missing": ("contracts/so-viet", "so-viet"),
    "clerk_untrained": ("trainings/gdv-01", "operator"),
    "permission_missing": (f"permissions/{SITE[0]}", "host"),
    DEVICE_GUARD: (f"devices/{DEVICE}", "operator"),
}
"""By which line of the directory each right is ended, and by whom."""


async def end_right(world: World, code: str, *, restore: bool = False) -> None:
    """End a right at this moment, or put it again without an end."""
    address, holder = PLACES[code]
    until = None if restore else world.clock().isoformat()
    body = {"valid_from": START, "valid_until": until}
    path, headers = f"/offices/{OFFICE[0]}/{address}", world.tokens.header(holder)
    (await world.consent.put(path, json=body, headers=headers)).raise_for_status()


def scope_of(noun: str, citizen: Citizen) -> dict[str, str]:
    """Return what a suspension of this noun names."""
    ids = {"bank": "so-viet", "office": OFFICE[0], "clerk": "gdv-01", "site": SITE[0]}
    return {f"{noun}_id": {**ids, "citizen": citizen.id}[noun]}


async def asking(world: World, citizen: Citizen, **changes: Any) -> httpx.Response:
    """Ask somebody; returns the answer."""
    return (await world.ask(citizen, **changes))[1]


async def new_facts(world: World, tried: Callable[[], Awaitable[httpx.Response]]) -> dict[str, Any]:
    """Do something that is rejected; return the reasons of each new fact, by its kind."""
    heads = [(one, (await one.get("/readyz")).json()["head"]) for one in clients(world)]
    answer = await tried()
    assert answer.status_code >= 400, answer.text
    added = [fact for client, head in heads for fact in await world.log(client, head)]
    found = {one["kind"]: one["data"]["reasons"] for one in added if ".rejected." in one["kind"]}
    assert found, answer.text
    assert {one["code"] for one in answer.json()["reasons"]} in [set(one) for one in found.values()]
    return found


def clients(world: World) -> list[httpx.AsyncClient]:
    """Return both services."""
    return [world.consent, world.accounts]


@asynccontextmanager
async def shut(world: World, code: str, citizen: Citizen) -> AsyncIterator[None]:
    """Shut one guard of the gate: end the right, or suspend; then open it again."""
    guards = {one.code: noun for noun, one in SUSPENDED.items()}
    if code not in guards:
        await end_right(world, code)
        yield
        await end_right(world, code, restore=True)
        return
    await suspend(world, "overseer", f"s-{code}", **scope_of(guards[code], citizen))
    yield
    await lift(world, "overseer", f"s-{code}")
    await lift(world, "so-viet", f"s-{code}")


def test_each_guard_of_the_gate_leaves_facts_at_each_step(running: Running) -> None:
    """Of the question, the capture, the handing in, the use and the opening: with its code."""

    async def scenario(world: World) -> None:
        person, agreed, other = [await world.newcomer() for _ in range(3)]
        consent_id, _, event = await world.given(person)
        waiting, asked = await world.ask(agreed)
        (await world.phone(agreed).decide(asked.json()["link"], "given")).raise_for_status()
        for code in (*(one.code for one in RIGHTS.values()), *(g.code for g in SUSPENDED.values())):
            of_one = code == SUSPENDED["citizen"].code
            photographed, questioned = (consent_id, person) if of_one else (waiting, other)
            async with shut(world, code, person):
                found = await new_facts(world, partial(world.capture, photographed))
                assert code in found["capture.rejected.1"]
                if code == DEVICE_GUARD:
                    continue
                found = await new_facts(world, partial(world.submit, waiting))
                assert of_one or code in found["submission.rejected.1"]
                found = await new_facts(world, partial(asking, world, questioned))
                assert code in found["request.rejected.1"]
                used = await new_facts(world, partial(world.open, person, event))
                assert used == {"redemption.rejected.1": [code], "opening.rejected.1": [code]}
        (await world.open(person, event)).raise_for_status()

    running.play(scenario)


def forged(event: str) -> str:
    """Return a consent whose signature is another."""
    return f"{event[:-10]}{'B' if event[-10] == 'A' else 'A'}{event[-9:]}"


def under_another_key(event: str) -> str:
    """Return a consent that says that it was signed with a key that nobody has published."""
    head, _, rest = event.partition(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    named = json.dumps({**header, "kid": "nobodys"}).encode()
    return f"{base64.urlsafe_b64encode(named).decode().rstrip('=')}.{rest}"


OTHERWISE: dict[str, dict[str, Any]] = {
    "bank_differs": {"bank_id": "truong-son", "holder": "truong-son", "clerk": "gdv-01"},
    "not_own_bank": {"holder": "truong-son", "clerk": "gdv-01"},
    "bank_decides": {"holder": "gdv-01"},
    "product_differs": {"product_id": "x"},
    "terms_differ": {"terms_hash": "0" * 64},
    "fees_differ": {"fee_hash": "0" * 64},
    "purpose_differs": {"purpose": "electricity-contract"},
    "office_differs": {"office_id": "x"},
    "site_differs": {"site_id": "x"},
    "clerk_differs": {"clerk": "gdv-02"},
    "officer_is_clerk": {"officer_id": "gdv-01"},
}
"""What a consent is not for, by the reason."""


@dataclass
class Openings:
    """Tries to open, and the reasons that were left in the log."""

    world: World
    tried: set[str] = field(default_factory=set)

    async def rejected(self, code: str, *args: Any, **changes: Any) -> None:
        """Try to open what is rejected for this reason."""
        found = await new_facts(self.world, lambda: self.world.open(*args, **changes))
        assert code in found["opening.rejected.1"]
        self.tried.add(code)

    async def malformed(self) -> None:
        """Send what cannot be read."""
        headers = self.world.tokens.header("gdv-01")
        accounts: httpx.AsyncClient = self.world.accounts
        address = f"/openings/{new_id()}"
        found = await new_facts(self.world, lambda: accounts.put(address, json={}, headers=headers))
        assert found == {"opening.rejected.1": ["malformed"]}
        self.tried.add("malformed")

    async def unproved(self, person: Citizen, event: str) -> None:
        """Bring what proves nothing."""
        receipt = (await self.world.newest(self.world.accounts))["data"]["redemption_receipt"]
        await self.malformed()
        await self.rejected("consent_missing", person, None)
        await self.rejected("token_malformed", person, "x.y.z")
        await self.rejected("key_unknown", person, under_another_key(event))
        await self.rejected("signature_invalid", person, forged(event))
        await self.rejected("token_type", person, receipt)

    async def unusable(self, person: Citizen, link: str, event: str) -> None:
        """Bring what cannot be used: nobody can say so, it was taken back, it is too old."""
        app, self.world.wire.app = self.world.wire.app, None
        await self.rejected("consent_unreachable", person, event)
        self.world.wire.app = app
        (await self.world.phone(person).decide(link, "withdrawn")).raise_for_status()
        await self.rejected("consent_withdrawn", person, event)
        self.world.clock.move_to(self.world.clock() + timedelta(days=40))
        await self.rejected("consent_expired", person, event)


def test_each_check_of_an_opening_leaves_a_fact(running: Running) -> None:
    """Of every number in docs/checks.md at least one reason is tried, and is in the log."""

    async def scenario(world: World) -> set[str]:
        person, other, used = await world.newcomer(), await world.newcomer(), new_id()
        _, link, event = await world.given(person)
        _, _, spent = await world.given(other)
        (await world.open(other, spent, opening_id=used)).raise_for_status()
        openings = Openings(world)
        await openings.unproved(person, event)
        await openings.rejected("subject_differs", other, event)
        for code, changes in OTHERWISE.items():
            await openings.rejected(code, person, event, **changes)
        await openings.rejected("consent_used", other, spent)
        await openings.rejected("opening_id_reused", person, event, opening_id=used)
        await openings.unusable(person, link, event)
        return openings.tried

    tried = running.play(scenario)
    checks = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    numbered = dict(re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", checks, re.MULTILINE))
    assert set(numbered) == {str(number) for number in range(1, 13)}
    missed = [one for one, said in numbered.items() if not tried & set(re.findall("`(.*?)`", said))]
    assert missed == []


def test_each_rule_of_asking_leaves_a_fact(running: Running) -> None:
    """Whoever asks whom they may not: in another's name, elsewhere, again; or photographs them."""

    async def scenario(world: World) -> None:
        person, refuser, agreed = [await world.newcomer() for _ in range(3)]
        _, asked = await world.ask(refuser)
        (await world.phone(refuser).decide(asked.json()["link"], "refused")).raise_for_status()
        consent_id, _, _ = await world.given(agreed)
        others = await new_facts(world, partial(world.capture, consent_id, "gdv-02"))
        assert "not_own_clerk" in others["capture.rejected.1"]
        await world.ask(person)
        rejected: list[tuple[str, Citizen, dict[str, Any]]] = [
            ("request_pending", person, {}),
            ("refused_before", refuser, {}),
            ("agreement_stands", agreed, {}),
            ("not_own_clerk", refuser, {"holder": "gdv-02", "clerk": "gdv-01"}),
            ("not_own_bank", refuser, {"holder": "truong-son"}),
            ("clerk_unknown", refuser, {"office_id": "x"}),
            ("site_unknown", refuser, {"site_id": "x"}),
            ("place_missing", refuser, {"site_id": None}),
            ("terms_differ", refuser, {"terms_hash": "0" * 64}),
            ("decide_by_out_of_range", refuser, {"decide_within_s": 10**7}),
        ]
        for code, citizen, changes in rejected:
            ask = partial(asking, world, citizen, **changes)
            assert code in (await new_facts(world, ask))["request.rejected.1"]

    running.play(scenario)


# -- found, counted, proved ---------------------------------------------------------------------


async def get(world: World, service: str, path: str, holder: str, **query: Any) -> httpx.Response:
    """Ask a service for what was rejected."""
    client: httpx.AsyncClient = getattr(world, service)
    return await client.get(path, params=query, headers=world.tokens.header(holder))


async def listed(world: World, service: str, holder: str, **query: Any) -> list[dict[str, Any]]:
    """Return all that a reader is shown, page after page."""
    lines, after = list[dict[str, Any]](), 0
    while True:
        answer = await get(world, service, "/rejections", holder, **query, after=after, limit=7)
        page = answer.raise_for_status().json()
        if not page["rejections"]:
            return lines
        lines, after = lines + page["rejections"], page["next"]


ROLES = {"clerk": "clerk", "office": "manager", "bank": "bank", "site": "host"}


def sought(log: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    """Return what was rejected, from a whole log: who is named, or tried it, or answers for it."""
    found = [one for one in log if ".rejected." in one["kind"]]
    for name, own_id in query.items():
        caller = f"{ROLES[name.removesuffix('_id')]}:{own_id}"
        callers = ("asked_by", "commanded_by")
        found = [
            one
            for one in found
            if one["data"].get(name) == own_id or caller in [one["data"].get(by) for by in callers]
        ]
    return found


def day_of(fact: dict[str, Any]) -> str:
    """Return the day in Vietnam on which a fact was recorded."""
    return datetime.fromisoformat(fact["recorded_at"]).astimezone(VIETNAM).date().isoformat()


QUERIES: list[dict[str, str]] = [
    {},
    {"clerk_id": "gdv-01"},
    {"clerk_id": "gdv-02"},
    {"office_id": OFFICE[0]},
    {"office_id": "x"},
    {"site_id": SITE[0]},
    {"bank_id": "so-viet", "clerk_id": "gdv-02"},
    {"bank_id": "truong-son"},
]


@pytest.mark.parametrize("service", ["consent", "accounts"])
def test_lists_and_counts_are_those_of_the_whole_log(running: Running, service: str) -> None:
    """By clerk, office, site, bank and day, told a second time from all that was exported."""

    async def scenario(world: World) -> None:
        await world.open(await world.newcomer(), None)
        await world.ask(await world.newcomer(), site_id="x")
        log = await world.log(getattr(world, service))
        days = sorted({day_of(one) for one in log})
        end = (datetime.fromisoformat(days[-1]) + timedelta(days=1)).date().isoformat()
        for query in QUERIES:
            wanted = sought(log, query)
            lines = await listed(world, service, "overseer", **query)
            assert [one["position"] for one in lines] == [one["position"] for one in wanted]
            for day in days:
                on_day = [one["position"] for one in wanted if day_of(one) == day]
                lines = await listed(world, service, "regulator", **query, day=day)
                assert [one["position"] for one in lines] == on_day
            period = {"from": days[0], "until": end}
            answer = await get(world, service, "/rejections/counts", "regulator", **query, **period)
            counted = answer.raise_for_status().json()
            told = {one["day"]: one for one in counted["days"]}
            attempts = Counter(day_of(one) for one in wanted)
            assert {day: one["attempts"] for day, one in told.items()} == attempts
            for day, one in told.items():
                again = [fact["data"]["reasons"] for fact in wanted if day_of(fact) == day]
                assert one["reasons"] == Counter(code for said in again for code in set(said))
            assert counted["attempts"] == len(wanted)
            assert counted["as_of"] == len(log)
        assert sought(log, {"clerk_id": "gdv-01"})

    running.play(scenario)


@pytest.mark.parametrize("service", ["consent", "accounts"])
def test_each_attempt_is_proved(running: Running, service: str) -> None:
    """Under the log's own signed checkpoint, from its public files; a changed one is not."""

    async def scenario(world: World) -> None:
        await world.open(await world.newcomer(), None)
        await world.ask(await world.newcomer(), site_id="x")
        client: httpx.AsyncClient = getattr(world, service)
        await sealed(client)
        vkeys = (await client.get("/tlog/vkeys")).text.splitlines()
        keys = [VerifierKey.parse(line) for line in vkeys]
        facts = {one["position"]: one for one in await world.log(client)}
        for line in (await listed(world, service, "overseer"))[-5:]:
            fact = facts[line["position"]]
            assert (line["kind"], line["recorded_at"]) == (fact["kind"], fact["recorded_at"])
            assert [one["code"] for one in line["reasons"]] == fact["data"]["reasons"]
            text = (await client.get(f"/log/{line['position']}/proof")).text
            proof, origin = Proof.parse(text), f"localhost/{service}"
            assert proof.check(entry(fact), origin, keys).size >= line["position"]
            changed = {**fact, "data": {**fact["data"], "reasons": ["malformed_not"]}}
            with pytest.raises(BadProof):
                proof.check(entry(changed), origin, keys)

    running.play(scenario)


def entry(fact: dict[str, Any]) -> bytes:
    """Return the entry of a fact as the log exports it."""
    at = datetime.fromisoformat(fact["recorded_at"])
    return encode(fact["position"], at, fact["kind"], fact["tags"], canonical(fact["data"]))


# -- who may ------------------------------------------------------------------------------------


def test_everyone_sees_what_is_theirs_and_no_citizen(running: Running) -> None:
    """A bank its own, a manager the own office, a host numbers of its own place; others nothing."""

    async def scenario(world: World) -> None:
        day = world.clock().astimezone(VIETNAM).date()
        period = {"from": str(day), "until": str(day + timedelta(days=1))}
        person = await world.newcomer()
        await world.open(person, None)
        await world.ask(person, site_id="x", clerk="gdv-01")
        counts, own = "/rejections/counts", OFFICE[0]
        for service in ("consent", "accounts"):
            for holder, ours in (
                ("so-viet", {"bank_id": "so-viet"}),
                ("manager", {"office_id": own}),
            ):
                lines = await listed(world, service, holder)
                positions = [one["position"] for one in lines]
                log = await world.log(getattr(world, service))
                assert positions == [one["position"] for one in sought(log, ours)]
                assert positions
                assert not any(one.id in str(lines) for one in world.people)
                assert "c-" not in str(lines)
            for holder, path, query, code in (
                ("so-viet", "/rejections", {"bank_id": "truong-son"}, "not_own_bank"),
                ("so-viet", counts, {"bank_id": "truong-son", **period}, "not_own_bank"),
                ("manager", "/rejections", {"office_id": "x"}, "not_entitled"),
                ("manager", counts, {"clerk_id": "gdv-01", **period}, "not_entitled"),
                ("host", "/rejections", {"site_id": SITE[0]}, "role_not_allowed"),
                ("host", counts, period, "not_entitled"),
                ("host", counts, {"site_id": "x", **period}, "not_entitled"),
                ("host", counts, {"site_id": SITE[0], "office_id": own, **period}, "not_entitled"),
                *((one, "/rejections", {}, "role_not_allowed") for one in ("gdv-01", "operator")),
                *((one, counts, period, "role_not_allowed") for one in ("gdv-01", "accounts")),
            ):
                answer = await get(world, service, path, holder, **query)
                assert (answer.status_code, codes(answer)) == (403, [code])
            counted = await get(world, service, counts, "manager", **period)
            assert counted.json()["attempts"] > 0
        hosted = await get(world, "consent", counts, "host", site_id=SITE[0], **period)
        assert set(hosted.json()) == {"from", "until", "as_of", "attempts", "reasons", "days"}
        unknown = await get(world, "accounts", counts, "host", site_id=SITE[0], **period)
        assert codes(unknown) == ["not_entitled"], "accounts knows no places"

    running.play(scenario)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/rejections", {"limit": "101"}),
        ("/rejections", {"limit": "0"}),
        ("/rejections", {"clerk_id": "gdv 01"}),
        ("/rejections", {"day": "2023-08-32"}),
        ("/rejections", {"day": "0001-01-01"}),
        ("/rejections/counts", {}),
        ("/rejections/counts", {"from": "2023-08-09", "until": "2023-08-09"}),
        ("/rejections/counts", {"from": "2023-08-09", "until": "2023-11-10"}),
        ("/rejections/counts", {"from": "2023-08-09", "until": "9999-12-31"}),
    ],
)
def test_what_is_asked_is_bounded(running: Running, path: str, query: dict[str, str]) -> None:
    """Pages, periods and days have limits, and a bad one is said to be."""

    async def scenario(world: World) -> None:
        answer = await get(world, "consent", path, "overseer", **query)
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed")

    running.play(scenario)


def test_the_longest_period_is_a_quarter(running: Running) -> None:
    """Ninety-two days are counted."""

    async def scenario(world: World) -> None:
        query = {"from": "2023-08-09", "until": "2023-11-09"}
        answer = await get(world, "consent", "/rejections/counts", "overseer", **query)
        assert answer.status_code == 200

    running.play(scenario)
