"""Defects that consent services elsewhere had, T1 to T25, and what holds here, one test for each.

Each test plays through both services in one running world, with people of its own. What is not here
yet is not tested as if it were: T13 and T25 are shown where two must agree today, which is when a
consent is found void, as no second person approves an account for its bank yet; and T18 is shown of
accounts, which acts on consents, as banks read where things stand and are not called back yet.
"""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from joserfc import jws
from joserfc.jwk import OKPKey
from starlette.routing import BaseRoute, Mount, Route

from demo.cast import OTHER, SAVINGS, Citizen
from demo.commands import command, question
from demo.integrity import Fact, of_kind
from services.accounts import main as accounts_main
from services.accounts.consents import TIMEOUT
from services.accounts.facts import VOCABULARY as ACCOUNTS_FACTS
from services.accounts.settings import Settings as AccountsSettings
from services.accounts.views import read_opening
from services.consent.application.stopping import Stopping
from services.consent.facts import VOCABULARY as CONSENT_FACTS
from services.consent.pages.rendering import told
from services.consent.pages.words import VIETNAMESE
from services.consent.policy import Policy
from services.consent.views import read_consent
from shared.contracts.reasons import REASONS
from shared.contracts.status_list import STATUS_LIST, Place, Status, read_status_list
from shared.signing import TrustedKeys, token_header
from shared.web import Tokens
from tests.consent.test_pages import other_than
from tests.support.authenticator import ES256, Authenticator, Lies, cose_key, new_key, text
from tests.support.laws import payload
from tests.support.world import Running, World, a_running_world, new_id
from tests.system.test_api import codes
from tests.system.test_attacks import press_unlike
from tests.system.test_disputes import not_me
from tests.system.test_disputes import standing as opening_standing
from tests.system.test_histories import replayed
from tests.system.test_passkeys import begin, code_of, enrol, options_of, settled, sign, standing
from tests.system.test_phones import messages

UNOPENED, REJECTED = "opening.rejected.1", "decision.rejected.1"

Course = Callable[[World, Citizen, str], Awaitable[None]]
"""What becomes of a question that a citizen was asked, by its link."""

DECIDED = {
    *("consent.given.1", "consent.confirmed.1", "consent.refused.1", "consent.withdrawn.1"),
    *("refusal.withdrawn.1", "purpose.given.1", "purpose.withdrawn.1"),
}
"""The facts that say that a citizen decided something."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world, whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("defects")) as running:
        yield running


async def asked(
    world: World, citizen: Citizen, *args: Any, holder: str = "so-viet"
) -> tuple[str, str]:
    """Ask a citizen, online unless a clerk asks; returns the consent's id and its link."""
    consent_id, answer = await world.ask(citizen, *args, holder=holder)
    return consent_id, answer.raise_for_status().json()["link"]


async def agreed(world: World, citizen: Citizen, *args: Any) -> tuple[str, str, str]:
    """Ask online and agree; returns the consent's id, its link and the signed event."""
    return await world.given(citizen, *args, holder="so-viet")


async def opened(world: World, citizen: Citizen, event: str, **more: Any) -> httpx.Response:
    """Open as the bank that asked online."""
    return await world.open(citizen, event, holder="so-viet", **more)


async def redeem(world: World, consent_id: str, statement_hash: str = "0" * 64) -> httpx.Response:
    """Use a consent as accounts would, without anything that accounts looks at before."""
    body = {
        "redemption_id": new_id(),
        "statement_hash": statement_hash,
        "command_hash": "0" * 64,
    }
    address, headers = f"/consents/{consent_id}/redemptions", world.tokens.header("accounts")
    answer: httpx.Response = await world.consent.post(address, json=body, headers=headers)
    return answer


# -- the signature ------------------------------------------------------------------------------


def resigned(event: str, key: OKPKey, **header: Any) -> str:
    """Return what an event says, signed by somebody else under other names."""
    whole = {**token_header(event), **header}
    said = json.dumps(payload(event)).encode()
    return jws.serialize_compact(whole, said, key, algorithms=["Ed25519"])


def test_t01_a_key_that_comes_with_the_request_proves_nothing(running: Running) -> None:
    """Elsewhere a signature was checked with a key out of the same request, whatever it signed.

    Here only enrolled and published keys count, and for the very statement alone.
    """

    async def scenario(world: World) -> None:
        citizen, own = await world.newcomer(), new_key(ES256)
        device = await settled(world, citizen)
        consent_id, link = await asked(world, citizen)
        document = await options_of(world, link)
        said = device.get(document["options"], Lies(key=own))
        said["publicKey"] = said["response"]["publicKey"] = text(cose_key(own))
        address = f"{link}/sign/{document['challenge_id']}/passkey"
        refused = await world.consent.post(address, data={"answer": json.dumps(said)})
        assert code_of(refused) == "passkey_signature"
        (await sign(world, link, device)).raise_for_status()
        event, key = await world.event(consent_id), OKPKey.generate_key("Ed25519")
        head, _, signature = event.split(".")
        other = text(json.dumps({**payload(event), "sub": "c-other"}).encode())
        inside = {"jwk": key.as_dict(private=False)}
        for forged, code in (
            (resigned(event, key, **inside), "signature_invalid"),
            (resigned(event, key, **inside, kid=key.thumbprint()), "key_unknown"),
            (f"{head}.{other}.{signature}", "signature_invalid"),
        ):
            assert codes(await opened(world, citizen, forged)) == [code]
        assert codes(await redeem(world, consent_id)) == ["statement_differs"]
        assert (await opened(world, citizen, event)).status_code == 201

    running.play(scenario)


def test_t02_a_challenge_signs_its_own_consent_in_its_own_way(running: Running) -> None:
    """Elsewhere a challenge for one consent authorised another, and its kind was not looked at.

    Here it is bound to one statement: one consent, one decision, one way of signing it.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        device, phone = await settled(world, citizen), world.phone(citizen)
        consent_id, link = await asked(world, citizen)
        _, other = await asked(world, citizen, SAVINGS)
        no, yes = [await options_of(world, link, one) for one in ("refused", "given")]
        answer, challenge_id = json.dumps(device.get(no["options"])), yes["challenge_id"]
        for end, way, data, code in (
            (link, "/passkey", {"answer": answer}, "passkey_challenge"),
            (other, "/passkey", {"answer": answer}, "challenge_unknown"),
            (link, "", {"code": await code_for(world, challenge_id)}, "grade_differs"),
            (other, "", {"code": await code_for(world, challenge_id)}, "challenge_unknown"),
        ):
            refused = await world.consent.post(f"{end}/sign/{challenge_id}{way}", data=data)
            assert refused.status_code in {403, 404, 409}
            assert told(code, "vi") in refused.text
        page, code = await phone.press(link, "refused"), await phone.last_code()
        agreeing = await press_unlike(phone, link, code)
        assert (await phone.type_code(agreeing, code)).status_code == 403
        assert await standing(world, consent_id) == "requested"
        assert (await phone.type_code(page, code)).status_code == 200
        assert await standing(world, consent_id) == "refused"

    running.play(scenario)


async def code_for(world: World, challenge_id: str) -> str:
    """Return the code that stands for a challenge's statement, though none was sent for it."""
    (challenge,) = (
        one["data"]
        for one in of_kind(await world.log(world.consent), "signature.asked.1")
        if one["data"]["challenge_id"] == challenge_id
    )
    return str(world.consent_app.state.parts.codes.code(challenge["statement_hash"]))


# -- the gate -----------------------------------------------------------------------------------


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """Give the address of something that takes every request and never answers."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def yes_man(world: World) -> FastAPI:
    """Return a consent service that has the true keys and says yes to everything."""
    app = FastAPI()

    @app.get("/.well-known/jwks.json")
    async def keys() -> Any:
        return (await world.consent.get("/.well-known/jwks.json")).json()

    @app.post("/consents/{consent_id}/redemptions", status_code=201)
    async def redeem(consent_id: str) -> dict[str, Any]:
        return {"valid": True, "receipt": (await world.event(consent_id))}

    return app


def test_t03_the_gate_is_shut_without_a_true_yes(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere the check was a stub that always said yes, in production.

    Here a consent service that is down, slow, or says yes without its signature opens nothing, and
    the try is in the log.
    """

    async def unheard(world: World, client: httpx.AsyncClient, **command: Any) -> None:
        headers = world.tokens.header("so-viet")
        address = f"/openings/{new_id()}"
        refused = await client.put(address, json=command, headers=headers)
        assert (refused.status_code, codes(refused)) == (503, ["consent_unreachable"])
        fact = await world.newest(client)
        assert (fact["kind"], fact["data"]["reasons"]) == (UNOPENED, ["consent_unreachable"])

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        _, _, event = await agreed(world, citizen)
        body = command(citizen, event, clerk=None)
        world.wire.faults = ["before"]
        await unheard(world, world.accounts, **body)
        world.wire.app = yes_man(world)
        await unheard(world, world.accounts, **body)
        world.wire.app = world.consent_app
        monkeypatch.setattr(accounts_main, "TIMEOUT", httpx.Timeout(0.1))
        async with silent() as address, accounts_of(world, tmp_path, address) as slow:
            await unheard(world, slow, **body)
        assert (await opened(world, citizen, event)).status_code == 201

    assert None not in TIMEOUT.as_dict().values(), "what is shortened here is bounded as it is"
    running.play(scenario)


@asynccontextmanager
async def accounts_of(world: World, folder: Path, url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of one more accounts service, which has its consent service elsewhere."""
    settings = AccountsSettings(
        folder=folder / "accounts",
        tokens=world.tokens.file,
        consent_url=url,
        sandbox=True,
        clock_file=world.folder / "clock",
    )
    accounts_main.init(settings)
    app = accounts_main.create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://slow") as client,
    ):
        yield client


def test_t04_no_machine_decides_for_a_citizen(running: Running) -> None:
    """Elsewhere a service account could grant consents.

    Here no token at any route, not even with the citizen's link in hand, makes a decision, a use or
    an account.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        consent_id, link = await asked(world, citizen, holder="gdv-01")
        await world.phone(citizen).read(link)
        ids = {"consent_id": consent_id, "citizen_id": citizen.id, "link": link.rpartition("/")[2]}
        body = {
            **command(citizen, "a.b.c"),
            "decision": "given",
            "code": "000000",
            "answer": "{}",
            "phone": citizen.phone,
            "ground": "request",
            "name": "N",
            "account_number": "1",
        }
        heads = [(await client.get("/readyz")).json()["head"] for client in clients(world)]
        apps = (world.consent_app, world.accounts_app)
        for client, app in zip(clients(world), apps, strict=True):
            for method, path in changing(app.routes):
                address = "/".join(ids.get(one[1:-1], "x") if "{" in one else one for one in path)
                form: dict[str, Any] = (
                    {"data": body} if path[1] in {"c", "me", "not-me"} else {"json": body}
                )
                for holder in ("operator", "regulator", "accounts", "so-viet", "gdv-01"):
                    headers = world.tokens.header(holder)
                    answer = await client.request(method, address, headers=headers, **form)
                    assert answer.status_code < 500, (address, answer.text)
        facts = [
            fact["kind"]
            for client, head in zip(clients(world), heads, strict=True)
            for fact in await world.log(client, head)
        ]
        assert "signature.asked.1" in facts, "who has the link may press; the phone is asked"
        assert not set(facts) & {*DECIDED, "consent.redeemed.1", "account.opened.1"}

    running.play(scenario)


def clients(world: World) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    """Return the clients of both services."""
    return world.consent, world.accounts


def changing(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, list[str]]]:
    """Yield every route that may change something: its method, and its path in parts."""
    for route in routes:
        assert isinstance(route, Route | Mount), "a router that was included hides its routes"
        if isinstance(route, APIRoute):
            for method in sorted((route.methods or set()) - {"GET", "HEAD"}):
                yield method, route.path.split("/")


# -- one consent, in its time, by its own citizen -----------------------------------------------


def test_t05_there_is_never_a_second_agreement_to_withdraw(running: Running) -> None:
    """Elsewhere a duplicate stayed active after a withdrawal.

    Here one question and one agreement stand at a time, however many ask at once, so that
    withdrawing one withdraws all.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        asks = [world.ask(citizen, holder="so-viet") for _ in range(5)]
        answers = [answer for _, answer in await asyncio.gather(*asks)]
        (link,) = [one.json()["link"] for one in answers if one.is_success]
        assert [codes(one) for one in answers if one.is_error] == [["request_pending"]] * 4
        (await world.phone(citizen).decide(link, "given")).raise_for_status()
        _, second = await world.ask(citizen, holder="so-viet")
        assert codes(second) == ["agreement_stands"]
        event = await world.event(consent_of(link))
        (await world.phone(citizen).decide(link, "withdrawn")).raise_for_status()
        assert codes(await opened(world, citizen, event)) == ["consent_withdrawn"]

    running.play(scenario)


def consent_of(link: str) -> str:
    """Return the consent that a link is for."""
    return link.rpartition("/")[2].partition(".")[0]


def test_t06_what_has_expired_is_expired_for_everyone(running: Running) -> None:
    """Elsewhere an expired consent was valid until a job had run.

    Here each service looks at its own clock at the moment of use, so that neither a list, nor the
    other's slow clock, revives it.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        consent_id, _, event = await agreed(world, citizen)
        statement_hash = payload(event)["statement_hash"]
        until = datetime.fromtimestamp(payload(event)["exp"], UTC)
        world.clock.move_to(until - timedelta(seconds=30))
        assert await standing(world, consent_id) == "given"
        world.clock.move_to(until + timedelta(seconds=1))
        assert await standing(world, consent_id) == "expired"
        assert codes(await opened(world, citizen, event)) == ["consent_expired"]
        assert await about(world, consent_id, "redemption.rejected.1") == [], "accounts sees it"
        late = await redeem(world, consent_id, statement_hash)
        assert codes(late) == ["consent_expired"], "nor need accounts have the right time"
        assert (await world.newest(world.consent))["kind"] == "redemption.rejected.1"

    running.play(scenario)


def test_t07_only_who_agreed_withdraws(running: Running) -> None:
    """Elsewhere a withdrawal was let through for some user id out of the consent.

    Here it takes the phone or the passkey of its own citizen, whoever else holds the link.
    """

    async def scenario(world: World) -> None:
        one, other = await world.newcomer(), await world.newcomer()
        device = await settled(world, other)
        consent_id, link, _ = await agreed(world, one)
        _, own_link = await asked(world, other)
        got = await messages(world, other.phone)
        page = await world.phone(other).press(link, "withdrawn")
        assert await messages(world, other.phone) == got, "the code is not sent to who pressed"
        code = await world.phone(one).last_code()
        assert (await world.phone(other).type_code(page, other_than(code))).status_code == 403
        assert code_of(await sign(world, link, device, "withdrawn")) == "passkey_unknown"
        address = f"{own_link}/sign/{page.url.path.rpartition('/')[2]}"
        assert (await world.consent.post(address, data={"code": code})).status_code == 404
        assert await standing(world, consent_id) == "given"

    running.play(scenario)


def test_t08_a_link_is_for_its_own_citizen(running: Running) -> None:
    """Elsewhere somebody else agreed anew through the same link.

    Here a link asks one citizen, and another who opens it can neither sign, nor enrol a device, nor
    decide it again later.
    """

    async def scenario(world: World) -> None:
        one, other = await world.newcomer(), await world.newcomer()
        device = await settled(world, other)
        consent_id, link = await asked(world, one)
        got = await messages(world, other.phone)
        (await world.phone(other).press(link, "given")).raise_for_status()
        assert code_of(await sign(world, link, device)) == "passkey_unknown"
        address, options, code = await begin(world, one, link)
        data = {"answer": json.dumps(Authenticator().create(options)), "code": other_than(code)}
        assert code_of(await world.consent.post(address, data=data)) == "code_wrong"
        assert await messages(world, other.phone) == got, "every code went to whom the link asks"
        (await world.phone(one).decide(link, "given")).raise_for_status()
        again = await world.consent.post(f"{link}/code", data={"decision": "given"})
        assert again.status_code == 409
        (given,) = await about(world, consent_id, "consent.given.1")
        assert given["data"]["citizen_id"] == one.id

    running.play(scenario)


async def about(world: World, consent_id: str, *kinds: str) -> list[dict[str, Any]]:
    """Return the facts of one consent, in either log, of these kinds or all."""
    logs = [await world.log(client) for client in clients(world)]
    own = [one for log in logs for one in log if one["data"].get("consent_id") == consent_id]
    return [one for one in own if not kinds or one["kind"] in kinds]


def test_t09_what_nobody_knows_is_not_valid(running: Running) -> None:
    """Elsewhere a default answered “active” for any id.

    Here what was never asked is not found, wherever one looks for it, and is used for nothing.
    """

    async def scenario(world: World) -> None:
        unknown, headers = new_id(), world.tokens.header("regulator")
        for client, path, code in (
            (world.consent, f"/consents/{unknown}", "consent_unknown"),
            (world.consent, f"/consents/{unknown}/receipt", "consent_unknown"),
            (world.accounts, f"/openings/{unknown}", "opening_unknown"),
        ):
            answer = await client.get(path, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (404, code)
        used = await redeem(world, unknown)
        assert (used.status_code, codes(used)) == (404, ["consent_unknown"])
        fact = await world.newest(world.consent)
        assert (fact["kind"], fact["data"]["consent_id"]) == ("redemption.rejected.1", unknown)
        opened = await world.open(await world.newcomer(), unknown)
        assert codes(opened) == ["token_malformed"]
        assert (await world.consent.get(f"/c/{unknown}.{'0' * 32}")).status_code == 404

    running.play(scenario)


def test_t10_a_withdrawal_takes_what_is_under_way_with_it(running: Running) -> None:
    """Elsewhere what had been cleared on a consent's strength stood after its withdrawal.

    Here the signed event in a bank's hand, and a command that is only repeated, open nothing any
    more.
    """

    async def scenario(world: World) -> None:
        citizen, opening_id = await world.newcomer(), new_id()
        _, link, event = await agreed(world, citizen)
        world.wire.faults = ["before"]
        pending = await opened(world, citizen, event, opening_id=opening_id)
        assert codes(pending) == ["consent_unreachable"]
        (await world.phone(citizen).decide(link, "withdrawn")).raise_for_status()
        for repeated in (opening_id, new_id()):
            answer = await opened(world, citizen, event, opening_id=repeated)
            assert codes(answer) == ["consent_withdrawn"]

    running.play(scenario)


def test_t11_an_agreement_at_a_counter_is_for_that_day(running: Running) -> None:
    """Elsewhere what somebody agreed to in one session was used on another day.

    Here an agreement that is not confirmed dies with its time, and a later one must be asked for
    and signed anew.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        consent_id, link = await asked(world, citizen, holder="gdv-01")
        (await world.phone(citizen).decide(link, "given")).raise_for_status()
        first = await world.open(citizen, await world.event(consent_id) or None)
        assert codes(first) == ["token_malformed"], "there is no event to open with"
        world.clock.move_to(world.clock() + Policy().confirm_within)
        late = await world.consent.post(f"{link}/code", data={"decision": "confirmed"})
        assert late.status_code == 409
        fact = await world.newest(world.consent)
        assert (fact["kind"], fact["data"]["reasons"]) == (REJECTED, ["request_expired"])
        assert await standing(world, consent_id) == "lapsed"
        assert (await world.ask(citizen))[1].status_code == 201

    running.play(scenario)


def test_t12_a_change_of_mind_is_a_new_statement(running: Running) -> None:
    """Elsewhere a refusal was edited into a yes.

    Here it stays, what takes it back names it, and the later yes is another consent, so that all
    three are read as they were said.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        refused_id, link = await asked(world, citizen)
        (await world.phone(citizen).decide(link, "refused")).raise_for_status()
        yes = await world.consent.post(f"{link}/code", data={"decision": "given"})
        assert yes.status_code == 409
        (await world.phone(citizen).decide(link, "withdrawn")).raise_for_status()
        given_id, _, _ = await agreed(world, citizen)
        decided = [one for one in await about(world, refused_id) if one["kind"] in DECIDED]
        no, back = [one["data"]["statement"] for one in decided]
        assert (no["decision"], back["decision"]) == ("refused", "withdrawn")
        assert back["supersedes"] == no["statement_id"]
        (given,) = [one for one in await about(world, given_id) if one["kind"] in DECIDED]
        assert given["data"]["statement"]["supersedes"] is None
        assert await standing(world, refused_id) == "refusal_withdrawn"
        assert await standing(world, given_id) == "given"

    running.play(scenario)


def test_t13_nobody_alone_finds_a_consent_void(running: Running) -> None:
    """Elsewhere who made something also approved it, and a super-user needed nobody.

    Here it takes the bank and the regulator, no other role has a say, and no setting says
    otherwise.
    """

    async def scenario(world: World) -> None:
        citizen, opening_id = await world.newcomer(), new_id()
        consent_id, _, event = await world.given(citizen)
        (await world.open(citizen, event, opening_id=opening_id)).raise_for_status()
        holders = ("operator", "gdv-01", "truong-son", "so-viet", "so-viet", "regulator")
        answers = [await void(world, consent_id, holder) for holder in holders]
        assert [one.status_code for one in answers] == [403, 403, 404, 200, 409, 200]
        assert codes(answers[4]) == ["four_eyes_required"]
        assert answers[-1].json()["standing"] == "invalidated"
        headers = world.tokens.header("regulator")
        opening = await world.accounts.get(f"/openings/{opening_id}", headers=headers)
        assert opening.json()["standing"] == "frozen"

    running.play(scenario)


async def void(
    world: World, consent_id: str, holder: str = "", headers: dict[str, str] | None = None
) -> httpx.Response:
    """Say that a consent is void."""
    answer: httpx.Response = await world.consent.post(
        f"/consents/{consent_id}/invalidation",
        json={"case_id": "lao-bao-2023", "why": "staff_misconduct"},
        headers=headers or world.tokens.keyed(holder),
    )
    return answer


def test_t14_a_signature_for_one_bank_is_none_for_another(running: Running) -> None:
    """Elsewhere a signature covered what was agreed to and not with whom.

    Here it names the bank, so neither the device's answer nor the signed event is of use to another
    that asked as well.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        device = await settled(world, citizen)
        _, link = await asked(world, citizen)
        other_id, other_link = await asked(world, citizen, OTHER, holder="truong-son")
        first, second = [await options_of(world, one) for one in (link, other_link)]
        data = {"answer": json.dumps(device.get(first["options"]))}
        address = f"{other_link}/sign/{second['challenge_id']}/passkey"
        refused = await world.consent.post(address, data=data)
        assert code_of(refused) == "passkey_challenge"
        assert await standing(world, other_id) == "requested"
        (await sign(world, link, device)).raise_for_status()
        event = await world.event(consent_of(link))
        theirs = await world.open(citizen, event, OTHER, holder="truong-son")
        assert codes(theirs) == ["bank_differs", "product_differs", "terms_differ"]
        assert (await opened(world, citizen, event)).status_code == 201

    running.play(scenario)


def test_t15_a_device_is_held_to_everything_also_after_a_restart(running: Running) -> None:
    """Elsewhere the origin was the answer's own, no count was kept, and demo ids passed unchecked.

    Here none of it holds, in a sandbox too, and what was counted survives.
    """

    async def scenario(world: World) -> None:
        citizen, demo = await world.newcomer(), Authenticator(ES256)
        device = await settled(world, citizen)
        _, link = await asked(world, citizen)
        elsewhere = Lies(origin="https://thuan.example.evil.example")
        assert code_of(await enrol(world, citizen, link, demo, elsewhere)) == "passkey_origin"
        document = await options_of(world, link)
        own = [{"id": one} for one in demo.held]
        said = demo.get({**document["options"], "allowCredentials": own})
        address = f"{link}/sign/{document['challenge_id']}/passkey"
        refused = await world.consent.post(address, data={"answer": json.dumps(said)})
        assert code_of(refused) == "passkey_unknown"
        (await sign(world, link, device)).raise_for_status()
        count = next(iter(device.held.values())).counter
        await world.restart_consent()
        clone = Lies(counter=count)
        assert code_of(await sign(world, link, device, "withdrawn", clone)) == "passkey_counter"
        assert (await sign(world, link, device, "withdrawn")).status_code == 200

    running.play(scenario)


# -- who is told, and what is kept --------------------------------------------------------------


def test_t16_every_reader_sees_the_same_at_once(running: Running) -> None:
    """Elsewhere a consent that its bank had ended was still shown as good.

    Here the next answer to everyone says so: bank, clerk, accounts, regulator, the citizen's page,
    the public list.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        consent_id, link, event = await world.given(citizen)
        readers = ("so-viet", "gdv-01", "accounts", "regulator")
        for holder in ("so-viet", "regulator"):
            (await void(world, consent_id, holder)).raise_for_status()
        seen = {
            (await world.consent.get(f"/consents/{consent_id}", headers=h)).json()["standing"]
            for h in map(world.tokens.header, readers)
        }
        assert seen == {"invalidated"}
        page = await world.consent.get(link)
        assert VIETNAMESE["standing_invalidated"] in page.text
        (given,) = await about(world, consent_id, "consent.given.1")
        assert await listed(world, given["position"]) is Status.INVALID
        assert codes(await world.open(citizen, event)) == ["consent_invalidated"]

    running.play(scenario)


async def listed(world: World, position: int) -> Status:
    """Return what the public list says of what was decided at a position."""
    keys = TrustedKeys.from_jwks((await world.consent.get("/.well-known/jwks.json")).json())
    place = Place.of(position)
    answer = (await world.consent.get(f"/status-lists/{place.number}")).raise_for_status()
    said = read_status_list(keys.verify(answer.text, STATUS_LIST))
    return Status(said.status_list.unpacked().get(place.index))


def test_t17_asked_for_one_citizen_nothing_of_another_comes(running: Running) -> None:
    """Elsewhere the list of what was verified ignored its filter.

    Here it gives that citizen's own, and nothing for part of an id, or for what other programs take
    for “all”.
    """

    async def scenario(world: World) -> None:
        one, other = await world.newcomer(), await world.newcomer()
        for citizen in (one, other):
            _, _, event = await agreed(world, citizen)
            (await opened(world, citizen, event)).raise_for_status()
        found = {
            wanted: await opened_for(world, wanted)
            for wanted in (one.id, other.id, one.id[:-1], f"{one.id}0", "c-", "all", "null", "0")
        }
        assert found.pop(one.id) == [one.id]
        assert found.pop(other.id) == [other.id]
        assert [had for had in found.values() if had] == []
        for odd in ("*", "%25", "%", "_", ".", "c-*"):
            assert not await opened_for(world, odd)

    running.play(scenario)


async def opened_for(world: World, citizen_id: str) -> list[str]:
    """Return whose openings a search for a citizen finds, or nobody's if it is refused."""
    headers = world.tokens.header("regulator")
    answer = await world.accounts.get(f"/citizens/{citizen_id}/openings", headers=headers)
    return [one["citizen_id"] for one in answer.json().get("openings", [])]


def test_t18_whoever_acts_is_told_until_it_has_heard(running: Running) -> None:
    """Elsewhere a partner went on acting since nobody had told it.

    Here a stop that is lost on the way, or whose answer is, is told again, after a restart too,
    until accounts has frozen what was opened, once.
    """

    async def scenario(world: World) -> None:
        disputes = dict[str, tuple[str, str]]()
        for fault in ("before", "after"):
            citizen, opening_id = await world.newcomer(), new_id()
            consent_id, link, event = await world.given(citizen)
            (await world.open(citizen, event, opening_id=opening_id)).raise_for_status()
            world.back.faults = [fault]
            assert (await not_me(world, link)).status_code == 200, "nobody is made to wait"
            disputes[fault] = consent_id, opening_id
        told = [await opening_standing(world, opening_id) for _, opening_id in disputes.values()]
        assert told == ["opened", "frozen"]
        await world.restart_consent()
        stopping = Stopping(world.consent_app.state.parts)
        assert await stopping.tell_what_is_left() == 0
        for consent_id, opening_id in disputes.values():
            assert await opening_standing(world, opening_id) == "frozen"
            assert len(await about(world, consent_id, "account.frozen.1")) == 1
            assert len(await about(world, consent_id, "stop.delivered.1")) == 1

    running.play(scenario)


def test_t19_no_answer_has_its_own_state(running: Running) -> None:
    """Elsewhere nobody knew who sets what when a customer cancels.

    Here closing the window, letting the code or the question run out, and going back to refuse each
    leave one known state.
    """

    async def scenario(world: World) -> None:
        citizens = [await world.newcomer() for _ in range(3)]
        asks = [await asked(world, one, holder="gdv-01") for one in citizens]
        for one, (_, link) in zip(citizens[1:], asks[1:], strict=True):
            (await world.phone(one).press(link, "given")).raise_for_status()
        assert await standings(world, asks) == ["requested"] * 3
        world.clock.move_to(world.clock() + Policy().code_lives_for)
        assert await standings(world, asks) == ["requested"] * 3
        (await world.phone(citizens[2]).decide(asks[2][1], "refused")).raise_for_status()
        world.clock.move_to(world.clock() + Policy().decide_within_counter)
        assert await standings(world, asks) == ["lapsed", "lapsed", "refused"]
        assert (await world.ask(citizens[0]))[1].status_code == 201, "silence blocks nothing"

    running.play(scenario)


async def standings(world: World, asks: list[tuple[str, str]]) -> list[str]:
    """Return where several consents stand."""
    return [await standing(world, consent_id) for consent_id, _ in asks]


def test_t20_what_was_not_shown_is_not_signed(running: Running) -> None:
    """Elsewhere people accepted documents that could not be opened.

    Here no decision is asked for under a text that was not served, in that language, to that link;
    and the try is in the log.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        _, link = await asked(world, citizen)
        press = {"decision": "given", "lang": "en"}
        for read in (None, "vi"):
            if read:
                await world.phone(citizen).read(link, read)
            answer = await world.consent.post(f"{link}/code", data=press)
            assert answer.status_code == 409
            fact = await world.newest(world.consent)
            assert (fact["kind"], fact["data"]["reasons"]) == (REJECTED, ["notice_not_served"])
        await world.phone(citizen).read(link, "en")
        assert (await world.consent.post(f"{link}/code", data=press)).status_code == 303

    running.play(scenario)


def test_t21_every_step_is_a_fact_that_says_whose_it_was(running: Running) -> None:
    """Elsewhere decisions kept no history.

    Here the logs alone tell the life of a consent: each step, whose it was, and why what was
    refused was refused.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        consent_id, link, event = await world.given(citizen)
        await world.open(citizen, event, site_id="elsewhere")
        (await world.open(citizen, event)).raise_for_status()
        await redeem(world, consent_id, payload(event)["statement_hash"])
        (await world.phone(citizen).decide(link, "withdrawn")).raise_for_status()
        told = [(one["kind"].rpartition(".")[0], by(one)) for one in await about(world, consent_id)]
        assert told == [
            ("consent.requested", "clerk:gdv-01"),
            ("notice.served", ""),
            ("signature.asked", citizen.id),
            ("consent.given", citizen.id),
            ("identity.captured", "clerk:gdv-01"),
            ("opening.submitted", "clerk:gdv-01"),
            ("signature.asked", citizen.id),
            ("consent.confirmed", citizen.id),
            ("data.read", "regulator:nhnn"),
            ("consent.redeemed", "service:accounts"),
            ("redemption.rejected", "service:accounts: consent_used"),
            ("signature.asked", citizen.id),
            ("consent.withdrawn", citizen.id),
            ("account.opened", "bank:so-viet"),
        ]
        tried = of_kind(await world.log(world.accounts), UNOPENED)[-1]
        assert by(tried) == "bank:so-viet: site_differs"

    running.play(scenario)


def by(fact: Fact) -> str:
    """Return whose doing a fact says it was, with the reasons if it was refused."""
    data = fact["data"]
    if fact["kind"] in {"identity.captured.1", "opening.submitted.1"}:
        return f"clerk:{data['clerk_id']}"
    names = ("asked_by", "redeemed_by", "commanded_by", "read_by", "citizen_id")
    who = next((data[name] for name in names if name in data), "")
    return ": ".join([who, *data.get("reasons", [])])


# -- asking again -------------------------------------------------------------------------------


async def unanswered(_: World, __: Citizen, ___: str) -> None:
    """Leave a question open."""


async def run_out(world: World, _: Citizen, __: str) -> None:
    """Let the time for an answer pass."""
    world.clock.move_to(world.clock() + Policy().decide_within_online)


def deciding(*decisions: str, then: timedelta = timedelta(0)) -> Course:
    """Return the course of a citizen who decides so, and waits."""

    async def course(world: World, citizen: Citizen, link: str) -> None:
        for one in decisions:
            (await world.phone(citizen).decide(link, one)).raise_for_status()
        world.clock.move_to(world.clock() + then)

    return course


async def used(world: World, citizen: Citizen, link: str) -> None:
    """Agree, and have the account opened."""
    (await world.phone(citizen).decide(link, "given")).raise_for_status()
    (await opened(world, citizen, await world.event(consent_of(link)))).raise_for_status()


async def disputed(world: World, _: Citizen, link: str) -> None:
    """Say that it was not me."""
    await not_me(world, link)


AGAIN: list[tuple[Course, list[str]]] = [
    (unanswered, ["request_pending"]),
    (run_out, []),
    (deciding("refused"), ["refused_before"]),
    (deciding("refused", then=Policy().refusal_holds_for - timedelta(hours=1)), ["refused_before"]),
    (deciding("refused", then=Policy().refusal_holds_for), []),
    (deciding("refused", "withdrawn"), []),
    (deciding("given"), ["agreement_stands"]),
    (deciding("given", then=Policy().usable_for), []),
    (deciding("given", "withdrawn"), []),
    (used, []),
    (disputed, ["disputed_before"]),
]
"""What became of a question, and why the same bank may not ask the same again; empty: it may."""


def test_t22_when_the_same_may_be_asked_again(running: Running) -> None:
    """Elsewhere people were asked at every login, or never again.

    Here each way in which a question can end has its own answer, and the rejected question is a
    fact.
    """

    async def scenario(world: World) -> None:
        for course, reasons in AGAIN:
            citizen = await world.newcomer()
            _, link = await asked(world, citizen)
            await course(world, citizen, link)
            _, again = await world.ask(citizen, holder="so-viet")
            assert (codes(again) if again.is_error else []) == reasons
            fact = await world.newest(world.consent)
            wanted = "request.rejected.1" if reasons else "consent.requested.1"
            assert (fact["kind"], fact["data"].get("reasons", [])) == (wanted, reasons)

    running.play(scenario)


# -- answers and records ------------------------------------------------------------------------


def test_t23_a_refusal_is_an_answer_and_no_failure(running: Running) -> None:
    """Elsewhere a business refusal came as HTTP 500.

    Here it is 4xx with a stable code, in a problem document (RFC 9457) that says it in both
    languages.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        consent_id, _ = await asked(world, citizen)
        bank, nobody = world.tokens.header("so-viet"), {"Authorization": "Bearer x"}
        address, number = f"/openings/{new_id()}/confirmation", {"account_number": "1020304050"}
        other = question(citizen, SAVINGS, clerk=None)
        refusals: list[tuple[Any, int, str]] = [
            (world.consent.get("/log", headers=nobody), 401, "unauthenticated"),
            (world.consent.get("/log", headers=bank), 403, "role_not_allowed"),
            (world.consent.get(f"/consents/{new_id()}", headers=bank), 404, "consent_unknown"),
            (world.consent.put(f"/consents/{consent_id}", json={}, headers=bank), 422, "malformed"),
            (
                world.consent.put(f"/consents/{consent_id}", json=other, headers=bank),
                409,
                "request_rejected",
            ),
            (redeem(world, consent_id), 409, "redemption_rejected"),
            (opened(world, citizen, ""), 403, "opening_rejected"),
            (world.accounts.put(address, json=number, headers=bank), 404, "answer_rejected"),
            (void(world, consent_id, "truong-son"), 404, "invalidation_rejected"),
        ]
        for asking, status, code in refusals:
            answer = await asking
            document = answer.json()
            assert (answer.status_code, document["status"]) == (status, status)
            assert document["code"] == code
            assert answer.headers["content-type"] == "application/problem+json"
            assert document["type"].endswith(f"/problems/{code}")
            assert (document["title"], document["title_vi"]) == (
                REASONS[code].en,
                REASONS[code].vi,
            )

    running.play(scenario)


def test_t24_nothing_is_replaced_and_the_facts_tell_all(running: Running, tmp_path: Path) -> None:
    """Elsewhere records were replaced and their history was optional.

    Here the store itself refuses to change or remove a fact, and the exported facts alone give
    every answer of the services.
    """

    async def scenario(world: World) -> None:
        citizen, opening_id = await world.newcomer(), new_id()
        consent_id, link, event = await world.given(citizen)
        (await world.open(citizen, event, opening_id=opening_id)).raise_for_status()
        (await world.phone(citizen).decide(link, "withdrawn")).raise_for_status()
        for name in ("consent", "accounts"):
            refuses_to_forget(world.folder / name / "ledger.db")
        headers = world.tokens.header("regulator")
        live = [
            (await world.consent.get(f"/consents/{consent_id}", headers=headers)).json(),
            (await world.accounts.get(f"/openings/{opening_id}", headers=headers)).json(),
        ]
        consent, accounts = [await world.log(client) for client in clients(world)]
        with (
            closing(replayed(consent, CONSENT_FACTS, tmp_path / "consent.db")) as first,
            closing(replayed(accounts, ACCOUNTS_FACTS, tmp_path / "accounts.db")) as second,
        ):
            view = await read_consent(first, consent_id, world.clock())
            again = [view.document(), await read_opening(second, opening_id)]
        assert json.loads(msgspec.json.encode(again)) == live

    running.play(scenario)


def refuses_to_forget(ledger: Path) -> None:
    """See that a running service's own file takes no change of a fact."""
    with closing(sqlite3.connect(ledger)) as store:
        for statement in ("UPDATE facts SET kind = 'x'", "DELETE FROM facts"):
            with pytest.raises(sqlite3.IntegrityError):
                store.execute(statement)


def test_t25_two_tokens_of_one_organisation_are_one(running: Running) -> None:
    """Elsewhere the officer's id was accepted as the supervisor's.

    Here the second who says so must be another organisation, however many tokens the first one has,
    and the try is in the log.
    """

    async def scenario(world: World) -> None:
        token = new_id()
        rows = json.loads(world.tokens.file.read_bytes())
        digest = hashlib.sha256(token.encode()).hexdigest()
        rows.append({"sha256": digest, "role": "bank", "id": "so-viet"})
        world.tokens.file.write_text(json.dumps(rows))
        world.consent_app.state.tokens = Tokens.from_file(world.tokens.file)
        consent_id, _, _ = await agreed(world, await world.newcomer())
        (await void(world, consent_id, "so-viet")).raise_for_status()
        second = await void(
            world, consent_id, headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
        )
        assert codes(second) == ["four_eyes_required"]
        fact = await world.newest(world.consent)
        assert (fact["kind"], fact["data"]["asked_by"]) == (
            "invalidation.rejected.1",
            "bank:so-viet",
        )
        assert await standing(world, consent_id) == "given"

    running.play(scenario)
