"""“Not me” through both services: it stops, freezes, and is told until it is heard."""

import re
from pathlib import Path

import httpx

from services.consent.codes import Codes
from tests.support.world import World, new_id
from tests.system.test_passkeys import play


async def not_me(world: World, link: str) -> httpx.Response:
    """Press the button."""
    answer: httpx.Response = await world.consent.post(f"{link}/not-me", follow_redirects=True)
    return answer


async def standing(world: World, opening_id: str) -> str:
    """Return where an opening stands, as the regulator reads it."""
    headers = world.tokens.header("regulator")
    answer = await world.accounts.get(f"/openings/{opening_id}", headers=headers)
    return str(answer.json()["standing"])


async def kinds(world: World, client: httpx.AsyncClient) -> list[str]:
    """Return the kinds of one service's facts."""
    return [one["kind"] for one in await world.log(client)]


def test_one_press_stops_a_consent_that_could_be_used(tmp_path: Path) -> None:
    """No code, no login: what could have opened an account opens nothing from then on."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        _, link, event = await world.given(citizen)
        page = await not_me(world, link)
        assert "Bạn đã báo: không phải tôi" in page.text
        assert 'name="decision"' not in page.text
        answer = await world.open(citizen, event)
        assert answer.status_code == 403
        assert [one["code"] for one in answer.json()["reasons"]] == ["consent_disputed"]
        before = await kinds(world, world.consent)
        await not_me(world, link)
        assert await kinds(world, world.consent) == before, "the same again adds nothing"
        _, again = await world.ask(citizen)
        assert [one["code"] for one in again.json()["reasons"]] == ["disputed_before"]
        outbox = await world.consent.get("/sandbox/outbox", params={"phone": citizen.phone})
        assert "KHÔNG PHẢI TÔI" in outbox.json()[-1]["text"]

    play(tmp_path, scenario)


def test_one_press_freezes_what_was_opened(tmp_path: Path) -> None:
    """The account is frozen before the page is there, and the bank cannot confirm it."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        _, link, event = await world.given(citizen)
        opening_id = new_id()
        (await world.open(citizen, event, opening_id=opening_id)).raise_for_status()
        await not_me(world, link)
        assert await standing(world, opening_id) == "frozen"
        confirmed = await world.accounts.put(
            f"/openings/{opening_id}/confirmation",
            json={"account_number": "1020304050"},
            headers=world.tokens.header("so-viet"),
        )
        assert [one["code"] for one in confirmed.json()["reasons"]] == ["account_frozen"]

    play(tmp_path, scenario)


def test_a_dispute_between_redemption_and_record_leaves_no_account(tmp_path: Path) -> None:
    """The answer to the redemption is lost; the citizen disputes; the repeated command is told."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        _, link, event = await world.given(citizen)
        opening_id = new_id()
        world.wire.faults, world.wire.only = ["after"], "/redemptions"
        assert (await world.open(citizen, event, opening_id=opening_id)).status_code == 503
        await not_me(world, link)
        answer = await world.open(citizen, event, opening_id=opening_id)
        assert [one["code"] for one in answer.json()["reasons"]] == ["consent_disputed"]
        assert "account.opened.1" not in await kinds(world, world.accounts)

    play(tmp_path, scenario)


def test_the_code_on_paper_is_enough(tmp_path: Path) -> None:
    """Whoever has only the receipt types its code, however spaced; a wrong one does nothing."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        consent_id, link, event = await world.given(citizen)
        page = await world.consent.get("/not-me")
        assert "Tôi không mở tài khoản này" in page.text
        key = (world.folder / "consent" / "codes.key").read_bytes()
        code = Codes(key).dispute(consent_id)
        assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{12}", code)
        wrong = ("0" if code[0] != "0" else "1") + code[1:]
        refused = await world.consent.post("/not-me", data={"code": wrong})
        assert refused.status_code == 404
        assert "Không có mã này" in refused.text
        typed = f" {code[:4].lower()}-{code[4:8]} {code[8:]} ".replace("0", "o")
        done = await world.consent.post("/not-me", data={"code": typed})
        assert done.status_code == 200
        assert "Bạn đã báo: không phải tôi" in done.text
        assert (await world.open(citizen, event)).status_code == 403
        assert "Bạn đã báo: không phải tôi" in (await world.phone(citizen).read(link)).text

    play(tmp_path, scenario)


def test_a_code_that_was_found_stops_and_reads_nothing(tmp_path: Path) -> None:
    """A receipt that was lost gives no link, no name and no number; again, it is as before."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        consent_id, link, _ = await world.given(citizen)
        key = (world.folder / "consent" / "codes.key").read_bytes()
        body = {"code": Codes(key).dispute(consent_id), "lang": "en"}
        done = await world.consent.post("/not-me", data=body)
        told = str(done.headers) + done.text
        secrets = [consent_id, link.rpartition(".")[2], "/c/", citizen.phone[-3:], "Sông Việt"]
        assert not [one for one in secrets if one in told]
        assert "Everything is stopped" in done.text
        before = await kinds(world, world.consent)
        again = await world.consent.post("/not-me", data=body)
        assert (again.status_code, again.text) == (200, done.text)
        assert await kinds(world, world.consent) == before

    play(tmp_path, scenario)


def test_a_stop_that_nobody_signed_stops_nothing(tmp_path: Path) -> None:
    """Accounts believes the consent service's signature alone: no type, key or byte but its own."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        _, _, event = await world.given(citizen)
        opening_id = new_id()
        (await world.open(citizen, event, opening_id=opening_id)).raise_for_status()
        for stop, code in ((event, "token_type"), ("a.b.c", "token_malformed")):
            answer = await world.accounts.post("/stops", json={"stop": stop})
            assert answer.status_code == 403
            assert answer.json()["code"] == code
        assert await standing(world, opening_id) == "opened"

    play(tmp_path, scenario)
