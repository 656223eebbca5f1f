"""A bank that signs gets a signed answer, and whoever would wait for it a sealed one."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from http_message_signatures import (
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)
from http_message_signatures.algorithms import ED25519
from joserfc.jwk import OKPKey
from typing_extensions import override

from demo.commands import command
from shared.ledger.notes import VerifierKey
from shared.ledger.proofs import Proof
from shared.ledger.seal import Seal
from shared.signed_answers import KEYS
from shared.signing import create_key
from tests.support.banks import Bank, a_world_of_clients, at_accounts
from tests.support.world import Running, World, new_id

WAITS = {"Prefer": "respond-async, wait=8"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world in which two banks have clients, whose logs are sound in the end."""
    with a_world_of_clients(tmp_path_factory.mktemp("answers")) as running:
        yield running


@dataclass
class Received:
    """An answer as a bank keeps it, for the signature library."""

    status_code: int
    headers: dict[str, str]
    request: httpx.Request


class Published(HTTPSignatureKeyResolver):
    """The keys that the accounts service publishes for its answers."""

    def __init__(self, jwks: dict[str, Any]) -> None:
        self.by_kid = {one["kid"]: one for one in jwks["keys"]}

    @override
    def resolve_public_key(self, key_id: str) -> Any:
        jwk = {name: self.by_kid[key_id][name] for name in ("kty", "crv", "x")}
        return OKPKey.import_key(jwk).public_key

    @override
    def resolve_private_key(self, key_id: str) -> Any:
        raise NotImplementedError


class AtAnyTime(HTTPMessageVerifier):
    """The world's clock is not ours."""

    @override
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        assert isinstance(sig_input.params["created"], int)


async def proved(world: World, answer: httpx.Response, **changed: Any) -> list[str]:
    """Check an answer's signature and digest by the library; returns what it covers."""
    jwks = (await world.accounts.get("/.well-known/jwks.json")).json()
    verifier = AtAnyTime(signature_algorithm=ED25519, key_resolver=Published(jwks))
    body = changed.pop("body", answer.content)
    headers = {**answer.headers, **changed.pop("headers", {})}
    kept = Received(changed.pop("status_code", answer.status_code), headers, answer.request)
    (found,) = verifier.verify(kept, expect_tag="thuan", max_age=None, body=body)
    return [*found.covered_components]


async def asked(world: World, number: int) -> tuple[Bank, str, dict[str, Any]]:
    """Return a bank, a path and a command that opens an account."""
    citizen = world.people[number]
    _, _, event = await world.given(citizen, holder="so-viet")
    return at_accounts(world), f"/openings/{new_id()}", command(citizen, event, clerk=None)


def test_a_yes_and_a_no_are_signed_and_bound_to_what_was_asked(running: Running) -> None:
    """An account, and a rejection with its reasons; changed, or for another request, neither is."""

    async def scenario(world: World) -> None:
        bank, path, body = await asked(world, 0)
        token = await bank.token()
        yes = await bank.send("PUT", path, token, json=body)
        used = await bank.send("PUT", f"/openings/{new_id()}", token, json=body)
        unread = await bank.send("PUT", f"/openings/{new_id()}", token, content=b"{}")
        nothing = await bank.send(
            "PUT", f"/openings/{new_id()}/declination", token, json={"reason": "none"}
        )
        codes = [one.status_code for one in (yes, used, unread, nothing)]
        assert codes == [201, 403, 422, 404]
        for answer in (yes, used, unread, nothing):
            covered = await proved(world, answer)
            assert set(covered) >= {
                '"@status"', '"content-digest"', '"@method";req', '"@target-uri";req',
                '"signature";req',
            }  # fmt: skip
        yes.request = used.request
        for answer, changed in (
            (used, {"status_code": 201}),
            (used, {"body": used.content.replace(b"consent_used", b"consent_late")}),
            (yes, {}),
        ):
            with pytest.raises(InvalidSignature):
                await proved(world, answer, **changed)

    running.play(scenario)


def test_a_fault_of_the_signature_is_answered_signed_too(running: Running) -> None:
    """It says which."""

    async def scenario(world: World) -> None:
        bank = at_accounts(world)
        token, path = await bank.token(), f"/openings/{new_id()}"
        stale = bank.client.sign(
            "PUT", f"http://accounts{path}", b"{}", world.clock() - timedelta(hours=1)
        )
        headers = {
            "Authorization": f"DPoP {token}",
            "DPoP": bank.proof("PUT", path, token),
            **stale,
        }
        answer = await world.accounts.put(path, content=b"{}", headers=headers)
        assert answer.json()["code"] == "signature_stale"
        assert await proved(world, answer)

    running.play(scenario)


def test_who_signs_nothing_gets_a_signed_answer_if_they_ask(running: Running) -> None:
    """With a bearer token, by `Accept-Signature`; else there is none."""

    async def scenario(world: World) -> None:
        headers, path = world.tokens.header("so-viet"), f"/openings/{new_id()}"
        plain = await world.accounts.put(path, json={}, headers=headers)
        assert "signature" not in plain.headers
        asks = {"Accept-Signature": 'thuan=("@status" "content-digest")', **headers}
        answer = await world.accounts.put(path, json={}, headers=asks)
        assert '"signature";req' not in await proved(world, answer)

    running.play(scenario)


def test_a_key_is_followed_by_another_and_both_stay_published(running: Running) -> None:
    """The new one signs; and without any, what was done is told all the same."""

    async def scenario(world: World) -> None:
        folder = world.folder / "accounts" / KEYS
        bank, token = at_accounts(world), await at_accounts(world).token()
        path = f"/openings/{new_id()}"
        before = await bank.send("PUT", path, token, content=b"{}")
        create_key(folder, world.clock() - timedelta(seconds=1))
        after = await bank.send("PUT", path, token, content=b"{}")
        kids = [one.headers["signature-input"].split('keyid="')[1][:43] for one in (before, after)]
        assert kids[0] != kids[1]
        for answer in (before, after):
            assert await proved(world, answer)
        folder.rename(folder.with_name("away"))
        folder.mkdir()
        unsigned = await bank.send("PUT", path, token, content=b"{}")
        assert (unsigned.status_code, "signature" in unsigned.headers) == (422, False)
        folder.rmdir()
        folder.with_name("away").rename(folder)

    running.play(scenario)


def test_an_answer_can_be_waited_for_until_it_is_sealed(running: Running) -> None:
    """Its proof is that of its own fact, and is signed with it; the same again gives it anew."""

    async def scenario(world: World) -> None:
        bank, path, body = await asked(world, 1)
        token = await bank.token()
        opened = await bank.send("PUT", path, token, json=body, more_headers=WAITS)
        yes = {"account_number": "0123456789"}
        sent = ("PUT", f"{path}/confirmation", token)
        confirmed = await bank.send(*sent, json=yes, more_headers=WAITS)
        for answer, kind in ((opened, "account.opened.1"), (confirmed, "account.confirmed.1")):
            assert answer.headers["preference-applied"] == "wait"
            assert await proved(world, answer)
            check(world, answer.json(), kind)
        again = await bank.send("PUT", path, token, json=body)
        assert "proof" not in again.json()
        assert "preference-applied" not in again.headers

    running.play(scenario)


def check(world: World, answer: dict[str, Any], kind: str) -> None:
    """Check an answer's proof against the fact of a kind in its history."""
    (position,) = (line["position"] for line in answer["history"] if line["kind"] == kind)
    recorder = world.accounts_app.state.log.recorder
    (fact,) = recorder.with_parts(recorder.page(after=position - 1, limit=1).facts)
    seal: Seal = world.accounts_app.state.seal
    keys = [VerifierKey.parse(one) for one in seal.vkeys]
    proof = Proof.parse(answer["proof"])
    assert proof.index == position - 1
    assert proof.check(fact.entry(), seal.origin, keys).size >= position


@pytest.mark.parametrize(
    ("prefer", "least_s", "most_s"),
    [("wait=1", 0.9, 5), ("wait=0", 0, 0.9), ("wait=x", 0, 0.9), ("handling=strict", 0, 0.9)],
)
def test_when_the_time_is_over_the_answer_is_as_it_would_have_been(
    running: Running, monkeypatch: pytest.MonkeyPatch, prefer: str, least_s: float, most_s: float
) -> None:
    """Nothing is sealed, and nobody is told that anything went wrong: nothing did."""
    monkeypatch.setattr(Seal, "sealed", property(lambda _: 0))

    async def scenario(world: World) -> None:
        bank, path, body = await asked(world, 2)
        token, began = await bank.token(), time.monotonic()
        answer = await bank.send("PUT", path, token, json=body, more_headers={"Prefer": prefer})
        assert answer.status_code == 201, answer.text
        assert "proof" not in answer.json()
        assert "preference-applied" not in answer.headers
        assert least_s <= time.monotonic() - began < most_s

    running.play(scenario)


def test_many_wait_without_a_thread_for_each(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty that wait a second take about a second, and nothing is asked of a thread."""
    monkeypatch.setattr(Seal, "sealed", property(lambda _: 0))
    proofs = list[int]()
    monkeypatch.setattr(Seal, "proof", lambda _, position: proofs.append(position))

    async def scenario(world: World) -> None:
        _, path, body = await asked(world, 3)
        headers = world.tokens.header("so-viet") | {"Prefer": "wait=1"}
        began = time.monotonic()
        calls = [world.accounts.put(path, json=body, headers=headers) for _ in range(50)]
        answers = await asyncio.gather(*calls)
        assert {one.status_code for one in answers} == {201}
        assert time.monotonic() - began < 4
        assert proofs == []
        assert len({json.dumps(one.json()) for one in answers}) == 1

    running.play(scenario)
