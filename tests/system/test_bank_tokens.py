"""A bank calls with its own keys, as documented, and nobody else can with what it sent."""

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from demo.cast import make_tokens
from demo.commands import command
from demo.services import Service, a_port
from services.accounts import main as accounts_main
from services.accounts.settings import Settings as AccountsSettings
from shared.authority import KEYS
from shared.clock import system_clock
from shared.oauth.scopes import Scope
from shared.rates import Rates
from shared.seen_once import FILE
from shared.signing import create_key
from tests.support.banks import (
    SO_VIET,
    TRUONG_SON,
    a_world_of_clients,
    at_accounts,
    at_consent,
)
from tests.support.clients import BankClient, register
from tests.support.processes import a_client
from tests.support.world import Running, World, new_id

DOCUMENT = Path(__file__).parents[2] / "docs" / "bank-api.md"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world in which two banks have clients, whose logs are sound in the end."""
    with a_world_of_clients(tmp_path_factory.mktemp("clients")) as running:
        yield running


def refused(answer: httpx.Response, code: str) -> None:
    """Check that a call is refused with a code, and says in which of the two it is at fault."""
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    word = "invalid_dpop_proof" if code.startswith("proof_") else "invalid_token"
    assert answer.headers["www-authenticate"].startswith(f'DPoP error="{word}", algs="')


def test_a_bank_asks_opens_and_reads_with_its_own_keys(running: Running) -> None:
    """A question, an account, and its opening, each in the bank's name; another bank sees none."""

    async def scenario(world: World) -> None:
        citizen = world.people[0]
        _, _, event = await world.given(citizen, holder="so-viet")
        bank, path = at_accounts(world), f"/openings/{new_id()}"
        token = await bank.token()
        body = command(citizen, event, clerk=None)
        answer = await bank.send("PUT", path, token, json=body)
        assert answer.status_code == 201, answer.text
        assert (await bank.send("GET", path, token, params={"case_id": "x"})).status_code == 200
        (fact,) = [f for f in await world.log(world.accounts) if f["kind"] == "account.opened.1"]
        assert "bank:so-viet" in fact["tags"]
        other = at_accounts(world, TRUONG_SON)
        assert (await other.send("GET", path, await other.token())).status_code == 404
        policies = at_consent(world)
        assert (await policies.send("GET", "/policies", await policies.token())).status_code == 200
        assert (await bank.send("GET", "/log", token)).json()["code"] == "role_not_allowed"

    running.play(scenario)


def test_a_command_that_cannot_be_read_is_recorded_as_the_banks(running: Running) -> None:
    """Who sent it is asked twice within that request, and the one proof is enough."""

    async def scenario(world: World) -> None:
        bank, opening_id = at_accounts(world), new_id()
        token = await bank.token()
        for body in (b"{}", b"{"):
            answer = await bank.send(
                "PUT",
                f"/openings/{opening_id}",
                token,
                content=body,
            )
            assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
        facts = await world.log(world.accounts)
        tried = [fact for fact in facts if f"opening:{opening_id}" in fact["tags"]]
        assert {fact["data"]["commanded_by"] for fact in tried} == {"bank:so-viet"}

    running.play(scenario)


def test_a_token_is_as_it_should_be(running: Running) -> None:
    """Short, of its type, not to be kept by anybody between; the metadata says how to get one."""

    async def scenario(world: World) -> None:
        for bank in (at_accounts(world), at_consent(world, TRUONG_SON)):
            answer = await bank.ask(client_id=bank.client.client_id)
            body = answer.json()
            assert (body["token_type"], body["expires_in"]) == ("DPoP", 600)
            assert body["scope"].split() == sorted(Scope)
            assert answer.headers["cache-control"] == "no-store"
            where = await bank.http.get("/.well-known/oauth-authorization-server")
            assert where.json()["issuer"] == bank.issuer
            assert where.json()["token_endpoint"] == f"{bank.issuer}/oauth/token"
            assert where.json()["introspection_endpoint"] == f"{bank.issuer}/oauth/introspection"
            assert where.json()["response_types_supported"] == []
            assert where.json()["scopes_supported"] == [*Scope]

    running.play(scenario)


def lacking(answer: httpx.Response, scope: str) -> None:
    """Check that a call is refused for want of a scope, and says which (RFC 6750 section 3.1)."""
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_insufficient")
    assert answer.json()["reasons"][0]["detail"] == scope
    said = answer.headers["www-authenticate"]
    assert said.startswith(f'DPoP error="insufficient_scope", scope="{scope}", algs="')


def test_a_token_is_good_for_what_was_asked_and_no_more(running: Running) -> None:
    """A subset by the request, or by the client's row; a row that shrinks counts at once."""

    async def scenario(world: World) -> None:
        assert world.clients
        bank, asking = at_accounts(world), at_consent(world)
        answer = await bank.ask(scope="rejections")
        assert answer.json()["scope"] == "rejections"
        token, path = answer.json()["access_token"], f"/openings/{new_id()}"
        assert (await bank.send("GET", "/rejections", token)).status_code == 200
        for method, where in (("GET", path), ("GET", "/openings"), ("PUT", path)):
            lacking(await bank.send(method, where, token, json={}), "openings")
        more = {"Content-Type": "application/json"}
        answer = await bank.send("PUT", path, token, content=b"{", more_headers=more)
        lacking(answer, "openings")
        assert path not in json.dumps(await world.log(world.accounts))
        limited = (await asking.ask(scope="openings")).json()["access_token"]
        lacking(await asking.send("GET", f"/consents/{new_id()}", limited), "consents")
        lacking(await asking.send("PUT", f"/suspensions/{new_id()}", limited), "suspensions")
        assert (await asking.send("GET", "/policies", limited)).status_code == 200
        whole = await bank.token()
        register(world.clients, SO_VIET.row() | {"scopes": ["openings"]}, TRUONG_SON.row())
        assert (await bank.send("GET", "/openings", whole)).status_code == 200
        lacking(await bank.send("GET", "/rejections", whole), "rejections")
        assert (await bank.ask()).json()["scope"] == "openings"
        assert (await bank.ask(scope="openings rejections")).json()["error"] == "invalid_scope"
        register(world.clients, SO_VIET.row(), TRUONG_SON.row())
        assert (await bank.send("GET", "/rejections", token)).status_code == 200

    running.play(scenario)


def test_a_request_for_a_token_that_is_wrong_is_refused(running: Running) -> None:
    """In the words of RFC 6749, with our code: form, scope, assertion, proof."""

    async def scenario(world: World) -> None:
        bank, now = at_accounts(world), world.clock()
        wrong: list[tuple[dict[str, Any], str, str]] = [
            ({"grant_type": "password"}, "unsupported_grant_type", "grant_unsupported"),
            ({"client_assertion_type": "x"}, "invalid_request", "malformed"),
            ({"scope": "regulator"}, "invalid_scope", "scope_unknown"),
            ({"scope": "openings bank"}, "invalid_scope", "scope_unknown"),
            ({"scope": ["openings", "openings"]}, "invalid_request", "malformed"),
            ({"client_id": "truong-son-1"}, "invalid_client", "client_differs"),
            ({"client_assertion": ""}, "invalid_client", "assertion_malformed"),
            (
                {"client_assertion": SO_VIET.assertion("http://consent", now)},
                "invalid_client",
                "assertion_audience",
            ),
            ({"proofs": []}, "invalid_dpop_proof", "proof_missing"),
            (
                {"proofs": [SO_VIET.proof("POST", "http://consent/oauth/token", now)]},
                "invalid_dpop_proof",
                "proof_address",
            ),
        ]
        for changes, error, code in wrong:
            answer = await bank.ask(**changes)
            assert answer.status_code == 400, changes
            assert (answer.json()["error"], answer.json()["code"]) == (error, code)
            assert answer.headers["cache-control"] == "no-store"

    running.play(scenario)


def test_an_assertion_and_a_proof_count_once(running: Running) -> None:
    """The same again is refused: at once, and after a restart; a fresh one is not."""

    async def scenario(world: World) -> None:
        bank, now = at_accounts(world), world.clock()
        assertion = SO_VIET.assertion(bank.issuer, now)
        proofs = [SO_VIET.proof("POST", f"{bank.issuer}/oauth/token", now)]
        assert (await bank.ask(client_assertion=assertion)).status_code == 200
        assert (await bank.ask(proofs=proofs)).status_code == 200
        again = (await bank.ask(client_assertion=assertion)).json()
        assert (again["error"], again["code"]) == ("invalid_client", "assertion_replayed")
        assert (await bank.ask(proofs=proofs)).json()["code"] == "proof_replayed"
        token = await bank.token()
        proof = bank.proof("GET", "/openings", token)
        assert (await bank.send("GET", "/openings", token, proof)).status_code == 200
        refused(await bank.send("GET", "/openings", token, proof), "proof_replayed")
        await world.restart_accounts()
        bank = at_accounts(world)
        refused(await bank.send("GET", "/openings", token, proof), "proof_replayed")
        assert (await bank.ask(client_assertion=assertion)).json()["code"] == "assertion_replayed"
        assert (await bank.send("GET", "/openings", token)).status_code == 200

    running.play(scenario)


def test_a_client_that_asks_for_tokens_without_end_waits_and_no_other_does(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits for the disk, and what others show waits behind it."""

    async def scenario(world: World) -> None:
        monkeypatch.setattr(world.accounts_app.state.prover, "_rates", Rates(3))
        bank, other = at_accounts(world), at_accounts(world, TRUONG_SON)
        forged = BankClient(key=ECKey.generate_key("P-256"))
        for _ in range(4):
            assert (await at_accounts(world, forged).ask()).status_code == 400
        assert [(await bank.ask()).status_code for _ in range(4)] == [200, 200, 200, 429]
        no = await bank.ask()
        assert (no.json()["code"], no.headers["retry-after"]) == ("rate_limited", "20")
        assert (await other.ask()).status_code == 200

    running.play(scenario)


def test_a_stolen_token_or_proof_is_worth_nothing(running: Running) -> None:
    """Without the key, with another's, as a bearer token, for another request or time."""

    async def scenario(world: World) -> None:
        bank, thief = at_accounts(world), at_accounts(world, TRUONG_SON)
        token, theirs = await bank.token(), await thief.token()
        get, now = ("GET", "/openings"), world.clock().timestamp()
        refused(await thief.send(*get, token), "access_key_differs")
        refused(await bank.send(*get, theirs), "access_key_differs")
        refused(await bank.send(*get, token, bank.proof(*get, theirs)), "proof_token")
        refused(await bank.send(*get, token, bank.proof("PUT", get[1], token)), "proof_method")
        refused(await bank.send(*get, token, bank.proof("GET", "/log", token)), "proof_address")
        for iat in (now - 120, now + 120):
            refused(await bank.send(*get, token, bank.proof(*get, token, iat=iat)), "proof_time")
        twice = [bank.proof(*get, token) for _ in range(2)]
        refused(await bank.send(*get, token, *twice), "proof_missing")
        alone = {"Authorization": f"DPoP {token}"}
        refused(await world.accounts.get("/openings", headers=alone), "proof_missing")
        bearer = {"Authorization": f"Bearer {token}", "DPoP": bank.proof(*get, token)}
        answer = await world.accounts.get("/openings", headers=bearer)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        refused(await bank.send(*get, "x.y.z"), "access_invalid")
        elsewhere = await at_consent(world).token()
        refused(await bank.send(*get, elsewhere), "access_invalid")

    running.play(scenario)


def test_an_operator_is_told_what_a_token_is_good_for(running: Running) -> None:
    """Whose it is, for what, until when, by which key; of any other nothing but that it is not."""

    async def scenario(world: World) -> None:
        assert world.clients
        bank = at_accounts(world)
        token = (await bank.ask(scope="openings")).json()["access_token"]
        operator = world.tokens.header("operator")

        async def told(token: str, **headers: str) -> httpx.Response:
            form = {"token": token, "token_type_hint": "access_token"}
            answer: httpx.Response = await world.accounts.post(
                "/oauth/introspection", data=form, headers=headers or operator
            )
            return answer

        answer = await told(token)
        assert answer.headers["cache-control"] == "no-store"
        said = answer.json()
        assert said.pop("exp") - said.pop("iat") == 600
        assert said == {
            "active": True,
            "token_type": "DPoP",
            "scope": "openings",
            "client_id": "so-viet-1",
            "sub": "so-viet-1",
            "iss": "http://accounts",
            "aud": "http://accounts",
            "cnf": {"jkt": SO_VIET.bound.thumbprint()},
        }
        elsewhere = await at_consent(world).token()
        theirs = await at_accounts(world, TRUONG_SON).token()
        register(world.clients, SO_VIET.row())
        bearer = world.tokens.by_holder["so-viet"]
        for other in (elsewhere, theirs, bearer, f"{token}x", "x", "x.y.z"):
            assert (await told(other)).json() == {"active": False}, other
        register(world.clients, SO_VIET.row(), TRUONG_SON.row())
        for holder, code in (("so-viet", "role_not_allowed"), ("regulator", "role_not_allowed")):
            assert (await told(token, **world.tokens.header(holder))).json()["code"] == code
        assert (await told(token, Authorization="Bearer x")).status_code == 401
        world.clock.move_to(world.clock() + timedelta(minutes=10))
        assert (await told(token)).json() == {"active": False}

    running.play(scenario)


def test_keys_and_clients_change_while_the_service_runs(running: Running) -> None:
    """Two keys at once, then the new one alone; a client struck off is out with its tokens."""

    async def scenario(world: World) -> None:
        assert world.clients is not None
        newer = replace(SO_VIET, key=ECKey.generate_key("P-256"))
        register(world.clients, SO_VIET.row(newer.key))
        tokens = [await at_accounts(world, one).token() for one in (SO_VIET, newer)]
        register(world.clients, newer.row())
        answer = await at_accounts(world).ask()
        assert answer.json()["code"] == "assertion_key_unknown"
        bank = at_accounts(world, newer)
        for unreadable in ("[{", json.dumps([newer.row() | {"role": "king"}])):
            world.clients.write_text(unreadable)
            for token in (*tokens, await bank.token()):
                assert (await bank.send("GET", "/openings", token)).status_code == 200
        register(world.clients, newer.row() | {"id": "truong-son"})
        refused(await bank.send("GET", "/openings", tokens[0]), "client_unknown")
        register(world.clients, TRUONG_SON.row())
        refused(await bank.send("GET", "/openings", tokens[0]), "client_unknown")
        register(world.clients, SO_VIET.row(), TRUONG_SON.row())

    running.play(scenario)


def test_the_services_own_key_is_renewed_while_it_runs(running: Running) -> None:
    """Tokens of the old key and of the new one are good; the new one signs."""

    async def scenario(world: World) -> None:
        bank, folder = at_accounts(world), world.folder / "accounts" / KEYS
        old = await bank.token()
        create_key(folder, world.clock() - timedelta(seconds=1))
        new = await bank.token()
        assert old.split(".")[0] != new.split(".")[0]
        for token in (old, new):
            assert (await bank.send("GET", "/openings", token)).status_code == 200

    running.play(scenario)


def rename(file: Path, table: str, other: str) -> None:
    """Give a table of a database another name."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO {other}")


def test_without_a_key_or_a_memory_nobody_gets_in(running: Running) -> None:
    """Nothing was decided, so it is 503 and may be sent again, with fresh signatures."""

    async def scenario(world: World) -> None:
        bank, folder = at_accounts(world), world.folder / "accounts"
        token = await bank.token()
        (folder / KEYS).rename(folder / "away")
        (folder / KEYS).mkdir()
        answer = await bank.ask()
        assert (answer.status_code, answer.json()["code"]) == (503, "no_key")
        (folder / KEYS).rmdir()
        (folder / "away").rename(folder / KEYS)
        rename(folder / FILE, "seen", "away")
        for answer in (await bank.ask(), await bank.send("GET", "/openings", token)):
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
            assert answer.headers["retry-after"]
        rename(folder / FILE, "away", "seen")
        assert (await bank.send("GET", "/openings", token)).status_code == 200

    running.play(scenario)


def test_a_token_ends(running: Running) -> None:
    """After ten minutes it is refused, and another is to be had."""

    async def scenario(world: World) -> None:
        bank = at_accounts(world)
        token = await bank.token()
        world.clock.move_to(world.clock() + timedelta(minutes=10))
        refused(await bank.send("GET", "/openings", token), "access_expired")
        assert (await bank.send("GET", "/openings", await bank.token())).status_code == 200

    running.play(scenario)


# -- as processes -------------------------------------------------------------------------------


def snippets() -> list[str]:
    """Return the programs of docs/bank-api.md."""
    return re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)


def run_as_bank(program: str, folder: Path, service: str) -> str:
    """Run a program of the document where a bank would, and return what it prints."""
    env = {**os.environ, "SERVICE": service, "CLIENT_ID": "so-viet-1"}
    command_line = [sys.executable, "-c", program]
    done = subprocess.run(
        command_line, check=False, cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_documented_way_works_at_real_processes(tmp_path: Path) -> None:
    """The document's own programs; and a proof that one process took, another refuses."""
    make_key, call, *_ = snippets()
    public = json.loads(run_as_bank(make_key, tmp_path, ""))
    client = BankClient(key=ECKey.import_key(json.loads((tmp_path / "bank-key.json").read_text())))
    assert client.key.as_dict(private=False)["x"] == public["x"]
    register(tmp_path / "clients.json", client.row())
    port, other = a_port(0), a_port(0)
    url = f"http://localhost:{port}"
    env = {
        "ACCOUNTS_FOLDER": str(tmp_path / "accounts"),
        "ACCOUNTS_TOKENS": str(make_tokens(tmp_path).file),
        "ACCOUNTS_CLIENTS": str(tmp_path / "clients.json"),
        "ACCOUNTS_PUBLIC_URL": url,
    }
    first, second = (Service("accounts", one, env, tmp_path) for one in (port, other))
    accounts_main.init(AccountsSettings(folder=tmp_path / "accounts"))
    try:
        for one in (first, second):
            one.launch()
        for one in (first, second):
            one.wait()
        assert json.loads(run_as_bank(call, tmp_path, url))["openings"] == []
        command = 'print(call("PUT", "/openings/o1", token(), json={}).json()["code"])'
        told = run_as_bank(f"{call}\n{command}", tmp_path, url).splitlines()
        hook = 'call("PUT", "/webhooks/w", token(), {"Prefer": "wait=1"}, json={"url": "x"})'
        program = f"{call}\nprint({hook}.json()['code'])"
        assert run_as_bank(program, tmp_path, url).splitlines()[-1] == "webhook_rejected"
        assert told[1] == "malformed", "past the signature, which is good"
        assert asyncio.run(_replayed(client, url, port, other)) == [200, 401, 401]
    finally:
        for one in (first, second):
            one.stop()


async def _replayed(client: BankClient, url: str, *ports: int) -> list[int]:
    """Show one proof at both processes, and at the first again; returns what they answer."""
    now, address = system_clock(), f"{url}/oauth/token"
    answers = list[int]()
    async with (
        a_client(ports[0], 10, httpx.Limits()) as first,
        a_client(ports[1], 10, httpx.Limits()) as second,
    ):
        proof = {"DPoP": client.proof("POST", address, now)}
        got = await second.post("/oauth/token", data=client.form(url, now), headers=proof)
        token = got.json()["access_token"]
        shown = client.proof("GET", f"{url}/openings", now, token)
        headers = {"Authorization": f"DPoP {token}", "DPoP": shown}
        for one in (first, second, first):
            answers.append((await one.get("/openings", headers=headers)).status_code)
    return answers
