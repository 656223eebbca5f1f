"""Every decision has a receipt: on the citizen's page, as a file that proves itself, for who asked.

Everything goes through the real HTTP layer; what is taken home is checked by the command line in a
process of its own.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from demo.cast import Citizen
from services.consent.pages.words import ENGLISH, VIETNAMESE
from shared.contracts.receipts import DECISION_RECEIPT, DecisionReceipt, read_decision_receipt
from shared.contracts.status_list import STATUS_LIST, Status, read_status_list
from shared.ledger.verify import trusted_keys
from shared.receipts.kept import read_kept_receipt
from shared.receipts.verify import NOT_IN_FILE, Checked, verify_receipt
from shared.signing import TrustedKeys, create_key
from tests.consent.test_pages import Reading, asked, is_guarded, with_unsteady_messages
from tests.support.world import MORNING, World, a_world

ROOT = Path(__file__).parents[2]


async def trusted(world: World) -> TrustedKeys:
    """Return the service's keys, as it publishes them."""
    return TrustedKeys.from_jwks((await world.consent.get("/.well-known/jwks.json")).json())


async def read_token(world: World, token: str) -> DecisionReceipt:
    """Return what a receipt says, if the service signed it."""
    return read_decision_receipt((await trusted(world)).verify(token, DECISION_RECEIPT))


async def token_of(world: World, link: str, **params: str) -> str:
    """Return the newest receipt of a link."""
    answer = await world.consent.get(f"{link}/receipt.jwt", params=params)
    assert answer.headers["content-type"] == "application/consent-receipt+jwt"
    assert is_guarded(answer)
    return str(answer.raise_for_status().text)


async def sealed_file(world: World, link: str) -> bytes:
    """Return what a citizen keeps, once the log is sealed."""
    position = (await read_token(world, await token_of(world, link))).log.position
    proof = await world.consent.get(f"/log/{position}/proof", params={"wait": "sealed"})
    assert proof.status_code == 200
    return bytes((await world.consent.get(f"{link}/receipt.json")).content)


async def status_list(world: World, number: int = 0) -> str:
    """Return a status list."""
    return str((await world.consent.get(f"/status-lists/{number}")).raise_for_status().text)


async def check(world: World, content: bytes) -> Checked:
    """Check a file with everything that the service publishes."""
    vkeys = trusted_keys((await world.consent.get("/tlog/vkeys")).text.splitlines())
    return verify_receipt(
        read_kept_receipt(content),
        await trusted(world),
        vkeys,
        await status_list(world),
        at=world.clock(),
    )


async def messages(world: World, citizen: Citizen) -> list[str]:
    """Return what came to a phone."""
    answer = await world.consent.get("/sandbox/outbox", params={"phone": citizen.phone})
    return [one["text"] for one in answer.json()]


# -- every decision -----------------------------------------------------------------------------


def test_every_decision_has_a_receipt_that_holds(tmp_path: Path) -> None:
    """From the page to the file, under the published keys, with the status that it has then."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            phone = world.phone(citizen)
            seen = list[tuple[str, str, Status]]()

            async def look() -> None:
                checked = await check(world, await sealed_file(world, link))
                assert checked.caveats == []
                assert checked.standing
                receipt = checked.receipt
                seen.append((receipt.decision, receipt.event_state, checked.standing.status))

            for decision in ("given", "confirmed", "withdrawn"):
                if decision == "confirmed":
                    await world.hand_in(consent_id)
                    world.clock.move_to(MORNING + timedelta(minutes=31))
                await phone.decide(link, decision)
                await look()
            citizen, _, link = await asked(world, 1)
            for decision in ("refused", "withdrawn"):
                await world.phone(citizen).decide(link, decision)
                await look()
            assert seen == [
                ("given", "Given", Status.SUSPENDED),
                ("confirmed", "Given", Status.VALID),
                ("withdrawn", "Withdrawn", Status.VALID),
                ("refused", "Refused", Status.VALID),
                ("withdrawn", "RefusalWithdrawn", Status.VALID),
            ]

    asyncio.run(scenario())


def test_an_agreement_online_stands_until_it_is_used(tmp_path: Path) -> None:
    """Its receipt says so from the first moment, and that it was used once it was."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            world.holder = "so-viet"
            citizen = world.people[0]
            _, link, event = await world.given(citizen)
            before = await check(world, await sealed_file(world, link))
            assert before.standing
            assert before.standing.status is Status.VALID
            (await world.open(citizen, event)).raise_for_status()
            after = await check(world, await sealed_file(world, link))
            assert after.standing
            assert after.standing.status is Status.USED
            assert [one.on_behalf for one in after.receipt.pii_controllers] == [False]
            (purpose,) = after.receipt.services[0].purposes
            assert "Biometric" in purpose.pii_category

    asyncio.run(scenario())


def test_the_first_agreement_keeps_its_receipt(tmp_path: Path) -> None:
    """Each decision's receipt can be had again by its statement, and says what became of it."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            await world.phone(citizen).decide(link, "given")
            first = await token_of(world, link)
            await world.phone(citizen).decide(link, "withdrawn")
            given = await read_token(world, first)
            withdrawn = await read_token(world, await token_of(world, link))
            assert (given.decision, withdrawn.decision) == ("given", "withdrawn")
            assert withdrawn.statement.supersedes == given.consent_receipt_id
            assert await token_of(world, link, statement=given.consent_receipt_id) == first
            page = Reading((await world.consent.get(f"{link}/receipt")).text)
            (other,) = [one for one in page.all("a") if given.consent_receipt_id in str(one)]
            again = Reading((await world.consent.get(str(other["href"]))).text)
            assert "Biên nhận Đồng ý" in again.text
            listed = read_status_list(
                (await trusted(world)).verify(await status_list(world), STATUS_LIST)
            ).status_list.unpacked()
            assert listed.get(given.status.status_list.idx) == Status.INVALID
            unknown = await world.consent.get(f"{link}/receipt", params={"statement": "none"})
            assert unknown.status_code == 404
            assert is_guarded(unknown)

    asyncio.run(scenario())


def test_a_reprint_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """Later, after a restart, and with a newer key: the receipt is that of its day."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            await world.phone(citizen).decide(link, "refused")
            first = await token_of(world, link)
            receipt = await read_token(world, first)
            assert receipt.iat == int(receipt.log.recorded_at.timestamp())
            assert await token_of(world, link) == first
            world.clock.move_to(MORNING + timedelta(days=300))
            newer = create_key(tmp_path / "consent" / "keys", world.clock())
            await world.restart_consent()
            assert await token_of(world, link) == first
            assert receipt.public_key != newer.kid

    asyncio.run(scenario())


def test_who_was_erased_keeps_the_receipt(tmp_path: Path) -> None:
    """It holds nothing that goes: the same bytes, and the log still proves them."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            await world.phone(citizen).decide(link, "refused")
            first = await token_of(world, link)
            erased = await world.consent.post(
                f"/citizens/{citizen.id}/erasure",
                json={"ground": "request"},
                headers=world.tokens.keyed("operator"),
            )
            assert erased.status_code == 200
            assert await token_of(world, link) == first
            assert (await check(world, await sealed_file(world, link))).caveats == []

    asyncio.run(scenario())


def test_without_the_key_of_its_day_there_is_no_receipt(tmp_path: Path) -> None:
    """A key that is gone signs nothing for its days, and no other signs in its place."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            await world.phone(citizen).decide(link, "refused")
            (old,) = (tmp_path / "consent" / "keys").iterdir()
            old.unlink()
            world.clock.move_to(MORNING + timedelta(days=1))
            await world.restart_consent()
            for name in ("receipt", "receipt.jwt", "receipt.json"):
                answer = await world.consent.get(f"{link}/{name}")
                assert answer.status_code == 503
                assert is_guarded(answer)

    asyncio.run(scenario())


# -- the file -----------------------------------------------------------------------------------


def verify(file: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command line in a process of its own; returns its exit code and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "shared.receipts", "verify", str(file), "--json", *arguments],
        cwd=file.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_the_file_is_checked_by_the_command_line_before_and_after_sealing(tmp_path: Path) -> None:
    """At once it holds without the log; a second later with it; and never when it was changed."""

    async def files(world: World) -> None:
        citizen, _, link = await asked(world)
        world.consent_app.state.seal._sealing.close()  # from now on nothing is sealed
        await world.phone(citizen).decide(link, "given")
        early = await world.consent.get(f"{link}/receipt.json")
        assert early.headers["content-disposition"] == 'attachment; filename="receipt.json"'
        assert is_guarded(early)
        (tmp_path / "early.json").write_bytes(early.content)
        await world.restart_consent()
        (tmp_path / "receipt.json").write_bytes(await sealed_file(world, link))
        (tmp_path / "list").write_text(await status_list(world), "ascii")
        jwks = await world.consent.get("/.well-known/jwks.json")
        (tmp_path / "jwks").write_bytes(jwks.content)
        (tmp_path / "vkeys").write_bytes((await world.consent.get("/tlog/vkeys")).content)

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            await files(world)

    asyncio.run(scenario())
    code, early = verify(tmp_path / "early.json")
    assert (code, early["log"], NOT_IN_FILE in early["caveats"]) == (0, None, True)
    trust = ["--keys", "jwks", "--vkeys", "vkeys", "--status", "list", "--at", MORNING.isoformat()]
    code, whole = verify(tmp_path / "receipt.json", *trust)
    assert (code, whole["caveats"]) == (0, [])
    assert whole["status"]["status"] == "suspended"
    content = (tmp_path / "receipt.json").read_text("utf-8")
    (tmp_path / "changed.json").write_text(content.replace('"given"', '"refused"'), "utf-8")
    code, wrong = verify(tmp_path / "changed.json", *trust)
    assert (code, wrong["right"]) == (1, False)


# -- the page -----------------------------------------------------------------------------------


def test_the_page_says_all_that_a_person_compares(tmp_path: Path) -> None:
    """What, for whom, when, where, by which clerk, which file, the log's number, the statement."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            await world.phone(citizen).decide(link, "refused")
            receipt = await read_token(world, await token_of(world, link))
            for lang, words in (("vi", VIETNAMESE), ("en", ENGLISH)):
                answer = await world.consent.get(f"{link}/receipt", params={"lang": lang})
                page = Reading(answer.text)
                assert is_guarded(answer)
                assert page.all("html") == [{"lang": lang}]
                for said in [
                    f"{words['receipt']} {words['refused']}",
                    words["receipt_refused"],
                    "Tài khoản thanh toán",
                    "Ngân hàng số Sông Việt",
                    "Bưu điện huyện Hướng Hoá, Đội quản lý điện Lao Bảo",
                    "gdv-01",
                    consent_id[:8].upper(),
                    words["log_number"],
                    re.sub(r"(....)(?=.)", r"\1 ", receipt.statement_hash[:16]),
                    "http://consent/not-me",
                    "./run receipt verify receipt.json",
                ]:
                    assert said in page.text
                assert str(receipt.log.position) in page.text
            assert "07:00 ngày 09/08/2023 (giờ Việt Nam)" in (await vietnamese(world, link)).text

    asyncio.run(scenario())


async def vietnamese(world: World, link: str) -> Reading:
    """Return the page of a receipt."""
    return Reading((await world.consent.get(f"{link}/receipt")).text)


def test_the_page_keeps_to_its_strict_policy(tmp_path: Path) -> None:
    """No script, no inline style, nothing from elsewhere; the QR code is lines in the page."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            await world.phone(citizen).decide(link, "given")
            page = await vietnamese(world, link)
            names = {name for _, attrs in page.elements for name in attrs}
            assert not names & {"style", "onclick", "onload", "src"}
            assert not [tag for tag, _ in page.elements if tag in {"script", "style", "img"}]
            assert len(page.all("svg")) == 1
            sheets = [str(one["href"]) for one in page.all("link")]
            assert all(one.startswith("/static/") for one in sheets)
            for one in sheets:
                assert (await world.consent.get(one)).status_code == 200

    asyncio.run(scenario())


def test_the_page_of_a_decision_leads_to_its_receipt(tmp_path: Path) -> None:
    """Before there is one, neither the page nor an address has it."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            assert "/receipt" not in (await phone.read(link)).text
            early = await world.consent.get(f"{link}/receipt")
            assert early.status_code == 404
            assert VIETNAMESE["no_not_decided"] in early.text
            page = Reading((await phone.decide(link, "given")).text)
            (there,) = [one for one in page.all("a") if "/receipt" in str(one["href"])]
            answer = await world.consent.get(str(there["href"]))
            assert VIETNAMESE["receipt_unconfirmed"].partition("{")[0] in Reading(answer.text).text

    asyncio.run(scenario())


def test_what_was_taken_back_is_not_offered_to_be_taken_back(tmp_path: Path) -> None:
    """An agreement and a refusal can be; what took them back is what it is."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            for decision, changeable in (("refused", True), ("withdrawn", False)):
                await phone.decide(link, decision)
                text = (await vietnamese(world, link)).text
                assert (VIETNAMESE["change_how"] in text) is changeable
                assert ("Biên nhận Cho phép hỏi lại tôi" in text) is not changeable

    asyncio.run(scenario())


def test_a_link_that_is_not_ours_has_no_receipt(tmp_path: Path) -> None:
    """Changed by one letter, or another's: the same 404 page as everywhere."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            await world.phone(citizen).decide(link, "given")
            _, other_id, other = await asked(world, 1)
            changed = link[:-1] + ("0" if link[-1] != "0" else "1")
            for bad in (changed, other.replace(other_id, consent_id), f"/c/{consent_id}"):
                for name in ("receipt", "receipt.jwt", "receipt.json"):
                    answer = await world.consent.get(f"{bad}/{name}")
                    assert answer.status_code == 404
                    assert is_guarded(answer)
                    assert VIETNAMESE["no_not_found"] in answer.text

    asyncio.run(scenario())


# -- for machines -------------------------------------------------------------------------------


async def receipts_for(world: World, consent_id: str, holders: Sequence[str]) -> dict[str, Any]:
    """Return what each holder of a token gets."""
    answers = [
        await world.consent.get(
            f"/consents/{consent_id}/receipt",
            headers=world.tokens.header(holder) if holder else {},
        )
        for holder in holders
    ]
    return dict(zip(holders, answers, strict=True))


def test_who_asked_and_the_regulator_get_the_receipt_and_nobody_else(tmp_path: Path) -> None:
    """Another bank, another clerk and a stranger learn not even that there is one."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            may, may_not = ["so-viet", "gdv-01", "regulator"], ["truong-son", "gdv-02"]
            undecided = await receipts_for(world, consent_id, may)
            assert {one.json()["code"] for one in undecided.values()} == {"not_decided"}
            await world.phone(citizen).decide(link, "refused")
            given = await receipts_for(world, consent_id, [*may, *may_not, "operator", ""])
            codes = [one.status_code for one in given.values()]
            assert codes == [200, 200, 200, 404, 404, 403, 401]
            assert given["truong-son"].json()["code"] == "consent_unknown"
            tokens = {given[one].json()["receipt"] for one in may}
            assert len(tokens) == 1
            receipt = await read_token(world, tokens.pop())
            assert receipt.decision == "refused"
            assert receipt.pii_principal_id != citizen.id

    asyncio.run(scenario())


def test_what_others_get_does_not_open_the_citizens_page(tmp_path: Path) -> None:
    """The link is the citizen's; a bank's copy says the same decision without it."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            await world.phone(citizen).decide(link, "given")
            own = await read_token(world, await token_of(world, link))
            answers = await receipts_for(world, consent_id, ["regulator"])
            copy = await read_token(world, answers["regulator"].json()["receipt"])
            assert own.withdraw_url == link
            assert copy.withdraw_url == "http://consent"
            assert (copy.statement, copy.log, copy.status) == (own.statement, own.log, own.status)

    asyncio.run(scenario())


def test_the_status_list_is_public_and_says_how_long_it_lasts(tmp_path: Path) -> None:
    """Anyone may fetch it, from any page, and keep it for a minute; there is none ahead of time."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            answer = await world.consent.get("/status-lists/0")
            assert answer.headers["content-type"] == "application/statuslist+jwt"
            assert answer.headers["cache-control"] == "public, max-age=60"
            assert answer.headers["access-control-allow-origin"] == "*"
            payload = (await trusted(world)).verify(answer.text, STATUS_LIST)
            said = read_status_list(payload)
            assert (said.iss, said.sub) == ("consent", "http://consent/status-lists/0")
            assert (said.ttl, said.exp - said.iat) == (60, 3600)
            assert 0 <= said.iat - int(MORNING.timestamp()) < 60
            codes = {"1": 404, "999999": 404, "-1": 422, "x": 422, "9" * 30: 422}
            for number, code in codes.items():
                assert (await world.consent.get(f"/status-lists/{number}")).status_code == code

    asyncio.run(scenario())


# -- messages -----------------------------------------------------------------------------------


def test_after_every_decision_one_message_with_the_receipt(tmp_path: Path) -> None:
    """What was decided, the file's code and the link; an agreement that waits says that instead."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, consent_id, link = await asked(world)
            phone = world.phone(citizen)
            told = list[str]()
            for decision in ("given", "confirmed", "withdrawn"):
                if decision == "confirmed":
                    await world.hand_in(consent_id)
                    world.clock.move_to(MORNING + timedelta(minutes=31))
                before = len(await messages(world, citizen))
                await phone.decide(link, decision)
                code, after = (await messages(world, citizen))[before:]
                assert code.startswith("Mã ")
                told.append(after)
            assert all(f"hồ sơ {consent_id[:8].upper()}" in one for one in told)
            assert "Chưa mở gì" in told[0]
            assert told[1].startswith("Đã ký: XÁC NHẬN đồng ý - Tài khoản thanh toán, ")
            assert told[2].startswith("Đã ký: RÚT LẠI đồng ý - ")
            assert all(one.endswith(f"không phải bạn: {link}/receipt") for one in told[1:])

    asyncio.run(scenario())


def test_a_refusal_and_its_withdrawal_are_told_too(tmp_path: Path) -> None:
    """Both name what was signed; the second is that one may be asked again."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            for decision, words in (("refused", "KHÔNG ĐỒNG Ý"), ("withdrawn", "CHO PHÉP hỏi lại")):
                await world.phone(citizen).decide(link, decision)
                assert (await messages(world, citizen))[-1].startswith(f"Đã ký: {words} - ")

    asyncio.run(scenario())


def test_signing_twice_tells_once(tmp_path: Path) -> None:
    """A double tap is one decision and one message."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            page = await phone.press(link, "refused")
            code = await phone.last_code()
            for _ in range(3):
                assert (await phone.type_code(page, code)).status_code == 200
            told = [one for one in await messages(world, citizen) if one.startswith("Đã ký")]
            assert len(told) == 1

    asyncio.run(scenario())


def test_a_lost_message_undoes_no_decision(tmp_path: Path) -> None:
    """The decision stands and the receipt is there; that no message went is only noted."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            sms = await with_unsteady_messages(world)
            citizen, _, link = await asked(world)
            phone = world.phone(citizen)
            page = await phone.press(link, "refused")
            code = await phone.last_code()
            sms.down = True
            assert (await phone.type_code(page, code)).status_code == 200
            assert (await read_token(world, await token_of(world, link))).decision == "refused"

    asyncio.run(scenario())
