"""Side purposes through the real HTTP layer: cards, what is signed, and what the bank reads."""

import asyncio
import re
from pathlib import Path
from typing import Any

from demo.cast import ACCOUNT, OPEN_ACCOUNT, Citizen
from tests.consent.test_pages import Reading, kinds, standing
from tests.support.sides import FEES, PLUS, SIDES, offer
from tests.support.world import World, a_world


async def asked(world: World, person: int = 0, holder: str = "so-viet") -> tuple[Citizen, str, str]:
    """Ask somebody for PLUS, online; returns who, the consent's id, and the link."""
    (await offer(world)).raise_for_status()
    citizen = world.people[person]
    consent_id, answer = await world.ask(citizen, PLUS, holder=holder)
    return citizen, consent_id, answer.raise_for_status().json()["link"]


async def purposes(world: World, consent_id: str, holder: str = "so-viet") -> dict[str, str]:
    """Return where each side purpose stands, as the bank reads it."""
    answer = await world.consent.get(f"/consents/{consent_id}", headers=world.tokens.header(holder))
    found: dict[str, str] = answer.raise_for_status().json()["purposes"]
    return found


async def facts(world: World, kind: str) -> list[dict[str, Any]]:
    """Return what the facts of a kind say."""
    return [one["data"] for one in await world.log(world.consent) if one["kind"] == kind]


async def last_message(world: World, citizen: Citizen) -> str:
    """Return the newest message to somebody's phone."""
    answer = await world.consent.get("/sandbox/outbox", params={"phone": citizen.phone})
    return str(answer.json()[-1]["text"])


def stands(**said: str) -> dict[str, str]:
    """Return a standing for each side purpose, `not_given` where none is said."""
    return {one: said.get(one.replace("-", "_"), "not_given") for one in SIDES}


# -- the product --------------------------------------------------------------------------------


BAD_OFFERS: list[dict[str, Any]] = [
    {"side_purposes": ["resale"]},
    {"side_purposes": ["marketing", "marketing"]},
    {"side_purposes": []},
    {"side_purposes": "marketing"},
    {"purpose": "electricity-contract"},
    {"fee_hash": "fees"},
    {"lowest_grade": "verbal"},
]


def test_a_product_names_known_side_purposes_once(tmp_path: Path) -> None:
    """What is not in the vocabulary, or not explained by a notice, is 422 and no fact."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            before = await kinds(world)
            answers = [await offer(world, **bad) for bad in BAD_OFFERS]
            assert {one.status_code for one in answers} == {422}
            assert await kinds(world) == before
            assert (await offer(world, lowest_grade="key_uv")).status_code == 204
            assert (await offer(world, lowest_grade="key_uv")).status_code == 204
            assert (await offer(world, lowest_grade="otp")).status_code == 409
            (fact,) = (await facts(world, "product.offered.1"))[-1:]
            said = (fact["side_purposes"], fact["fee_hash"], fact["lowest_grade"])
            assert said == (SIDES, FEES, "key_uv")

    asyncio.run(scenario())


# -- the page -----------------------------------------------------------------------------------


def test_each_side_purpose_has_its_own_yes_and_no(tmp_path: Path) -> None:
    """Two radio buttons for each, neither checked nor required, and the text explains each."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            for lang, silence in (("vi", "Không chọn là không đồng ý"), ("en", "means no")):
                page = Reading((await world.phone(citizen).read(link, lang)).text)
                radios = [one for one in page.all("input") if one["type"] == "radio"]
                assert [(one["name"], one["value"]) for one in radios] == [
                    (f"side-{one}", value) for one in SIDES for value in ("yes", "no")
                ]
                assert all(set(one) == {"type", "name", "value"} for one in radios)
                assert [one["value"] for one in page.choices()] == ["given", "refused"]
                assert silence in page.text
                assert len(page.all("fieldset")) == len(page.all("legend")) == len(SIDES)
                assert [one["src"] for one in page.all("script")] == ["/static/read.js"]

    asyncio.run(scenario())


CHOSEN: list[tuple[list[str], str]] = [
    ([], "ĐỒNG Ý - Tài khoản có mục riêng"),
    (["marketing"], "ĐỒNG Ý + 1 mục đích khác - Tài khoản có mục riêng"),
    (SIDES, "ĐỒNG Ý + 3 mục đích khác - Tài khoản có mục riêng"),
]


async def chosen(world: World, person: int, yes: list[str], sms: str) -> None:
    """Have somebody choose and sign, and look at every place where that must stand."""
    citizen, consent_id, link = await asked(world, person)
    phone = world.phone(citizen)
    page = Reading((await phone.press(link, "given", yes=yes)).text)
    assert page.text.count("Đồng ý") == 1 + len(yes)
    assert page.text.count(": Không đồng ý") == len(SIDES) - len(yes)
    assert sms in await last_message(world, citizen)
    await phone.decide(link, "given", yes=yes)
    given = (await facts(world, "consent.given.1"))[-1]
    assert given["statement"]["choices"] == [
        {"purpose": one, "agreed": one in yes} for one in SIDES
    ]
    assert given["statement"]["fee_hash"] == FEES
    beside = await facts(world, "purpose.given.1")
    assert [one["purpose"] for one in beside if one["consent_id"] == consent_id] == yes
    assert await purposes(world, consent_id) == {
        one: "given" if one in yes else "not_given" for one in SIDES
    }


def test_what_is_chosen_is_shown_signed_and_told(tmp_path: Path) -> None:
    """The code's page and message say it, the statement holds it, one fact stands for each yes."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            for person, (yes, sms) in enumerate(CHOSEN):
                await chosen(world, person, yes, sms)

    asyncio.run(scenario())


UNCLEAR: list[dict[str, Any]] = [
    {"side-marketing": "no"},
    {"side-marketing": ["yes", "no"]},
    {"side-marketing": ["yes", "yes"]},
    {"side-marketing": ""},
    {"side-marketing": "on"},
    {"side-resale": "yes"},
    {"marketing": "yes"},
    {"purpose": "marketing"},
]


def test_what_is_not_one_clear_yes_is_no(tmp_path: Path) -> None:
    """A form that says it twice, otherwise, or of something else, agrees to nothing beside."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            for person, form in enumerate(UNCLEAR):
                citizen, _, link = await asked(world, person)
                await world.phone(citizen).read(link)
                data = {"decision": "given", "lang": "vi", **form}
                await world.consent.post(f"{link}/code", data=data)
                statement = (await facts(world, "signature.asked.1"))[-1]["statement"]
                assert (statement["citizen_id"], statement["purpose"]) == (citizen.id, OPEN_ACCOUNT)
                assert [one["purpose"] for one in statement["choices"]] == SIDES
                assert not [one for one in statement["choices"] if one["agreed"]], form

    asyncio.run(scenario())


def test_a_refusal_refuses_all(tmp_path: Path) -> None:
    """Whatever was chosen above the button, a refusal agrees to nothing, and names nobody."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            page = await world.phone(citizen).decide(link, "refused", yes=SIDES)
            assert "Bạn đã từ chối" in page.text
            assert "mục đích khác" not in await last_message(world, citizen)
            (refused,) = await facts(world, "consent.refused.1")
            assert not [one for one in refused["statement"]["choices"] if one["agreed"]]
            assert citizen.id not in str(refused)
            assert await facts(world, "purpose.given.1") == []
            assert await purposes(world, consent_id) == stands()

    asyncio.run(scenario())


def test_a_new_code_signs_the_same_choices(tmp_path: Path) -> None:
    """Asking for the code again loses no yes and adds none."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            page = await phone.press(link, "given", yes=["credit-scoring"])
            fields = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
            data = {**dict(fields), "decision": "given"}
            page = await world.consent.post(f"{link}/code", data=data, follow_redirects=True)
            await phone.type_code(page, await phone.last_code())
            first, second = await facts(world, "signature.asked.1")
            assert first["statement"]["choices"] == second["statement"]["choices"]
            assert [one["purpose"] for one in await facts(world, "purpose.given.1")] == [
                "credit-scoring"
            ]

    asyncio.run(scenario())


# -- taking back --------------------------------------------------------------------------------


def test_one_is_taken_back_alone_and_then_the_whole(tmp_path: Path) -> None:
    """A button, a code, one fact; the agreement stays, and takes the rest with it at its end."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            phone = world.phone(citizen)
            await phone.decide(link, "given", yes=["marketing", "credit-scoring"])
            page = await phone.press(link, "withdrawn", purpose="marketing")
            shown = Reading(page.text)
            assert "Rút lại riêng mục này" in shown.text
            assert "Nhận tin giới thiệu sản phẩm" in shown.text
            message = await last_message(world, citizen)
            assert "RÚT LẠI đồng ý riêng mục: Nhận tin giới thiệu sản phẩm - " in message
            after = await phone.type_code(page, await phone.last_code())
            assert "Bạn đã rút lại." in after.text
            assert await standing(world, consent_id) == "given"
            assert await purposes(world, consent_id) == stands(
                marketing="withdrawn", credit_scoring="given"
            )
            (taken,) = await facts(world, "purpose.withdrawn.1")
            (given,) = await facts(world, "consent.given.1")
            assert taken["statement"]["purpose"] == taken["purpose"] == "marketing"
            assert taken["statement"]["supersedes"] == given["statement"]["statement_id"]
            assert "choices" not in taken["statement"]
            back = await world.consent.get(str(page.url))
            assert back.status_code == 303, "a code that signed is not asked for again"
            await phone.decide(link, "withdrawn")
            assert await purposes(world, consent_id) == stands(
                marketing="withdrawn", credit_scoring="withdrawn"
            )
            _, rest = await facts(world, "purpose.withdrawn.1")
            assert (rest["purpose"], rest["statement"]["purpose"]) == (
                "credit-scoring",
                OPEN_ACCOUNT,
            )

    asyncio.run(scenario())


def test_taking_one_back_while_the_agreement_waits_is_said_as_what_it_is(tmp_path: Path) -> None:
    """The message is of what was signed, not of the agreement before it."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            await offer(world)
            citizen = world.people[0]
            _, question = await world.ask(citizen, PLUS)
            phone, link = world.phone(citizen), question.json()["link"]
            for pressed in ({"yes": ["marketing"]}, {"purpose": "marketing"}):
                decision = "withdrawn" if "purpose" in pressed else "given"
                page = await phone.press(link, decision, **pressed)
                await phone.type_code(page, await phone.last_code())
            message = await last_message(world, citizen)
            assert "riêng mục: Nhận tin giới thiệu sản phẩm" in message
            assert "ĐỒNG Ý" not in message

    asyncio.run(scenario())


def test_what_was_not_agreed_to_cannot_be_taken_back(tmp_path: Path) -> None:
    """The page has no button for it; a form that says so gets a sentence, and a fact says why."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            page = await world.phone(citizen).decide(link, "given", yes=["marketing"])
            buttons = Reading(page.text).choices()
            assert [one["value"] for one in buttons] == ["withdrawn", "withdrawn"]
            data = {"decision": "withdrawn", "purpose": "credit-scoring"}
            no = await world.consent.post(f"{link}/code", data=data)
            assert no.status_code == 409
            assert "Bạn chưa đồng ý mục này" in no.text
            (rejected,) = await facts(world, "decision.rejected.1")
            assert rejected["reasons"] == ["purpose_not_given"]

    asyncio.run(scenario())


def test_a_product_without_side_purposes_has_no_cards(tmp_path: Path) -> None:
    """Its statement holds no choice, its page no radio button, the bank reads none."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen = world.people[0]
            consent_id, answer = await world.ask(citizen, ACCOUNT, holder="so-viet")
            link = answer.json()["link"]
            assert 'type="radio"' not in (await world.phone(citizen).read(link)).text
            await world.phone(citizen).decide(link, "given")
            (given,) = await facts(world, "consent.given.1")
            assert not {"choices", "fee_hash"} & set(given["statement"])
            assert await purposes(world, consent_id) == {}

    asyncio.run(scenario())


# -- the account --------------------------------------------------------------------------------


async def opens(world: World, person: int, yes: list[str]) -> None:
    """Have somebody choose, and the bank open the account."""
    citizen, consent_id, link = await asked(world, person)
    await world.phone(citizen).decide(link, "given", yes=yes)
    token = await world.event(consent_id)
    for changes, codes in (
        ({"fee_hash": "f" * 64}, ["fees_differ"]),
        ({"purpose": "marketing"}, ["purpose_differs"]),
    ):
        no = await world.open(citizen, token, PLUS, holder="so-viet", **changes)
        assert [one["code"] for one in no.json()["reasons"]] == codes
    fees = {"fee_hash": FEES} if yes else {}
    opened = await world.open(citizen, token, PLUS, holder="so-viet", **fees)
    assert opened.status_code == 201
    for one in yes[:1]:
        page = await world.phone(citizen).decide(link, "withdrawn", purpose=one)
        assert "Sự đồng ý của bạn đã được dùng" in page.text
    left = {one: "given" if one in yes[1:] else "not_given" for one in SIDES}
    assert await purposes(world, consent_id) == left | dict.fromkeys(yes[:1], "withdrawn")


def test_an_account_opens_whatever_was_chosen(tmp_path: Path) -> None:
    """Only other fees, or another purpose, keep it from opening; the use leaves each as it was."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            for person, yes in enumerate([[], ["marketing"], SIDES]):
                await opens(world, person, yes)

    asyncio.run(scenario())


def test_at_a_counter_side_purposes_wait_with_the_agreement(tmp_path: Path) -> None:
    """They count once it is confirmed, and the confirmation repeats what still stands."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world, holder="gdv-01")
            phone = world.phone(citizen)
            page = await phone.decide(link, "given", yes=["marketing", "credit-scoring"])
            assert "Có hiệu lực khi sự đồng ý mở tài khoản có hiệu lực" in page.text
            assert await purposes(world, consent_id, "gdv-01") == stands()
            await phone.decide(link, "withdrawn", purpose="marketing")
            await world.hand_in(consent_id)
            await world.confirm(citizen, link)
            (confirmed,) = await facts(world, "consent.confirmed.1")
            agreed = [one for one in confirmed["statement"]["choices"] if one["agreed"]]
            assert [one["purpose"] for one in agreed] == ["credit-scoring"]
            assert await purposes(world, consent_id, "gdv-01") == stands(
                marketing="withdrawn", credit_scoring="given"
            )

    asyncio.run(scenario())
