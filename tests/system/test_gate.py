"""The gate through both services: what is stopped stays shut, and who may stop it and go on."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.cast import OFFICE, OTHER, SITE
from services.consent.pages.words import VIETNAMESE
from services.consent.policy import Policy
from shared.contracts.reasons import sentence
from tests.support.laws import payload
from tests.support.world import World
from tests.system.test_own_page import ask as ask_page
from tests.system.test_own_page import links
from tests.system.test_passkeys import play
from tests.system.test_phones import out_of_reach

WHY = {"why": "complaints"}
REMEDIED = {"why": "remedied"}


async def suspend(world: World, holder: str, own_id: str, **scope: str) -> httpx.Response:
    """Suspend as somebody."""
    answer: httpx.Response = await world.consent.put(
        f"/suspensions/{own_id}", json={**WHY, **scope}, headers=world.tokens.header(holder)
    )
    return answer


async def lift(world: World, holder: str, own_id: str) -> httpx.Response:
    """Propose as somebody that it ends, or agree to it."""
    answer: httpx.Response = await world.consent.post(
        f"/suspensions/{own_id}/lifting", json=REMEDIED, headers=world.tokens.keyed(holder)
    )
    return answer


def codes(answer: httpx.Response) -> list[str]:
    """Return the reasons of a no."""
    return [one["code"] for one in answer.json()["reasons"]]


def test_what_is_suspended_opens_nothing_until_two_lift_it(tmp_path: Path) -> None:
    """By everybody who answers for it; the log says who, and the verdict says why."""

    async def scenario(world: World) -> None:
        scopes = {
            "overseer": ("office_suspended", {"office_id": OFFICE[0]}),
            "manager": ("clerk_suspended", {"office_id": OFFICE[0], "clerk_id": "gdv-01"}),
            "host": ("site_suspended", {"site_id": SITE[0]}),
            "so-viet": ("bank_suspended", {"bank_id": "so-viet"}),
        }
        person, other = world.people[:2]
        _, _, event = await world.given(person)
        for holder, (code, scope) in scopes.items():
            ordered = await suspend(world, holder, f"s-{holder}", **scope)
            assert ordered.status_code == 200, ordered.text
            assert ordered.json()["holds"] is True
            headers = world.tokens.header("regulator")
            read = await world.consent.get(f"/suspensions/s-{holder}", headers=headers)
            assert read.json() == ordered.json()
            refused = await world.open(person, event)
            assert codes(refused) == [code]
            assert codes((await world.ask(other))[1]) == [code]
            first, second = ("so-viet", "overseer") if holder != "overseer" else (holder, "so-viet")
            assert (await lift(world, first, f"s-{holder}")).json()["holds"] is True
            assert (await lift(world, second, f"s-{holder}")).json()["holds"] is False
        assert (await world.open(person, event)).status_code == 201
        assert (await suspend(world, "gdv-01", "s-x", clerk_id="gdv-02")).status_code == 403
        not_own = await suspend(world, "truong-son", "s-y", bank_id="so-viet")
        assert codes(not_own) == ["not_entitled"]
        nothing = await suspend(world, "overseer", "s-z")
        assert codes(nothing) == ["scope_missing"]

    play(tmp_path, scenario)


def test_a_right_that_ended_opens_nothing(tmp_path: Path) -> None:
    """Training, contract, permission and registration, each by whoever answers for it."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        _, _, event = await world.given(person)
        office, start = f"/offices/{OFFICE[0]}", "2021-03-01T00:00:00Z"
        ended = {"valid_from": start, "valid_until": world.clock().isoformat()}
        for address, holder, code in (
            ("registration", "operator", "office_not_registered"),
            ("contracts/so-viet", "so-viet", "contract_missing"),
            ("trainings/gdv-01", "operator", "clerk_untrained"),
            (f"permissions/{SITE[0]}", "host", "permission_missing"),
        ):
            headers = world.tokens.header(holder)
            put = await world.consent.put(f"{office}/{address}", json=ended, headers=headers)
            assert put.status_code == 204, put.text
            assert codes(await world.open(person, event)) == [code]
            again = {"valid_from": start}
            await world.consent.put(f"{office}/{address}", json=again, headers=headers)
        other = await world.consent.put(
            f"{office}/contracts/so-viet", json=ended, headers=world.tokens.header("truong-son")
        )
        assert codes(other) == ["not_entitled"]
        assert (await world.open(person, event)).status_code == 201

    play(tmp_path, scenario)


def test_the_verdict_names_everything_and_uses_nothing(tmp_path: Path) -> None:
    """Always 200: the rules of a use, all that fails, and where the facts lie."""

    async def scenario(world: World) -> None:
        consent_id, _, event = await world.given(world.people[0])
        statement_hash = payload(event)["statement_hash"]
        body = {"redemption_id": "x", "statement_hash": statement_hash, "command_hash": "0" * 64}

        async def verdict(holder: str, **changes: Any) -> Any:
            answer = await world.consent.post(
                f"/consents/{consent_id}/validate",
                json={**body, **changes},
                headers=world.tokens.header(holder),
            )
            return answer.json() if answer.status_code == 200 else answer.status_code

        good = await verdict("so-viet")
        before = len(await world.log(world.consent))
        assert (good["valid"], good["reasons"]) == (True, [])
        assert good["as_of"] == before
        await suspend(world, "overseer", "s-1", office_id=OFFICE[0])
        await suspend(world, "host", "s-2", site_id=SITE[0])
        bad = await verdict("accounts", statement_hash="1" * 64)
        assert bad["valid"] is False
        found = {one["code"]: one["positions"] for one in bad["reasons"]}
        assert list(found) == ["statement_differs", "office_suspended", "site_suspended"]
        assert found["office_suspended"] == [before + 1]
        assert found["office_suspended"][0] in bad["positions"]
        assert all(one["vi"] and one["en"] for one in bad["reasons"])
        assert len(await world.log(world.consent)) == before + 2
        assert await verdict("truong-son") == 404
        assert await verdict("operator") == 403

    play(tmp_path, scenario)


async def own_page(world: World, phone: str) -> tuple[str, str]:
    """Open a citizen's own page on a new link; returns the link and what it shows."""
    await ask_page(world, phone)
    link = (await links(world, phone))[-1]
    return link, (await world.consent.get(link)).text


async def press(world: World, phone: str, act: str) -> None:
    """Press the one button that is there, twice: that is once."""
    link, text = await own_page(world, phone)
    assert re.findall(r'action="([^"]+)"', text)[-1] == f"{link}/{act}"
    for _ in range(2):
        assert (await world.consent.post(f"{link}/{act}")).status_code == 303


def test_open_nothing_in_my_name(tmp_path: Path) -> None:
    """What was signed before opens nothing, and nobody else lifts it; a day later it can again."""

    async def scenario(world: World) -> None:
        person = world.people[0]
        _, _, event = await world.given(person)
        await press(world, person.phone, "suspension")
        assert codes(await world.open(person, event)) == ["citizen_suspended"]
        ordered = [one for one in await world.log(world.consent) if "suspension" in one["kind"]]
        assert len(ordered) == 1
        own_id = ordered[0]["data"]["suspension_id"]
        headers = world.tokens.header("overseer")
        hidden = await world.consent.get(f"/suspensions/{own_id}", headers=headers)
        assert hidden.status_code == 404
        assert codes(await lift(world, "overseer", own_id)) == ["not_entitled"]
        await press(world, person.phone, "lifting")
        assert codes(await world.open(person, event)) == ["citizen_suspended"]
        for act in ("suspension", "lifting"):  # not after all, and then yes: the day begins anew
            world.clock.move_to(world.clock() + Policy().settles_after / 2)
            await press(world, person.phone, act)
        assert codes((await world.ask(person, OTHER))[1]) == ["citizen_suspended"]
        world.clock.move_to(world.clock() + Policy().settles_after)
        assert (await world.ask(person, OTHER))[1].status_code == 201

    play(tmp_path, scenario)


def test_an_own_page_that_cannot_be_looked_up_is_not_over(tmp_path: Path) -> None:
    """A link that is none is; a store out of reach says so, for looking and for pressing."""

    async def scenario(world: World) -> None:
        none = await world.consent.post("/me/nonsense/suspension")
        assert (none.status_code, VIETNAMESE["own_over"] in none.text) == (404, True)
        link, _ = await own_page(world, world.people[0].phone)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(type(world.consent_app.state.parts.log), "read", out_of_reach)
            press = world.consent.post(f"{link}/suspension")
            answers = [await world.consent.get(link), await press]
        for answer in answers:
            assert answer.status_code == 503
            assert sentence("store_unavailable", "vi") in answer.text
            assert VIETNAMESE["own_over"] not in answer.text

    play(tmp_path, scenario)


def test_a_suspension_and_an_opening_at_once(tmp_path: Path) -> None:
    """Whichever has the smaller position was first: no use lies behind a suspension that holds."""

    async def scenario(world: World) -> None:
        for number, person in enumerate(world.people):
            _, _, event = await world.given(person)
            stop = suspend(world, "overseer", f"r-{number}", clerk_id="gdv-01")
            opening, stopped = await asyncio.gather(world.open(person, event), stop)
            at = stopped.json()["position"]
            used = [
                one["position"]
                for one in await world.log(world.consent)
                if one["kind"] == "consent.redeemed.1" and one["data"]["citizen_id"] == person.id
            ]
            assert opening.status_code == (201 if used else 403)
            assert all(position < at for position in used)
            await lift(world, "overseer", f"r-{number}")
            await lift(world, "so-viet", f"r-{number}")

    play(tmp_path, scenario)
