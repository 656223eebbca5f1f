"""A bank with keys of its own signs its commands, and what it signed is kept with what followed."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey

from demo.cast import Citizen
from demo.commands import command
from services.accounts.facts import VOCABULARY
from services.consent.pages.words import WORDS
from shared.canonical import canonical
from shared.message_signatures.requests import check_kept
from tests.support.banks import SO_VIET, TRUONG_SON, Bank, a_world_of_clients, at_accounts
from tests.support.clients import COVERED, BankClient
from tests.support.world import Running, World, new_id

OPENED, CONFIRMED, DECLINED = "account.opened.1", "account.confirmed.1", "account.declined.1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world in which two banks have clients, whose logs are sound in the end."""
    with a_world_of_clients(tmp_path_factory.mktemp("signed")) as running:
        yield running


async def opened(world: World, citizen: Citizen) -> tuple[Bank, str, dict[str, Any]]:
    """Open an account as a bank with keys; returns the bank, the path and the command."""
    _, _, event = await world.given(citizen, holder="so-viet")
    bank, path = at_accounts(world), f"/openings/{new_id()}"
    body = command(citizen, event, clerk=None)
    answer = await bank.send("PUT", path, await bank.token(), json=body)
    assert answer.status_code == 201, answer.text
    return bank, path, body


async def kept(world: World, path: str, kind: str) -> list[Any]:
    """Return the facts of a kind of an opening, as a regulator reads them."""
    tag = f"opening:{path.rpartition('/')[2]}"
    return [
        VOCABULARY.decode(one["kind"], json.dumps(one["data"]).encode())
        for one in await world.log(world.accounts)
        if one["kind"] == kind and tag in one["tags"]
    ]


def test_what_a_bank_signed_lies_with_its_account(running: Running) -> None:
    """Anyone can check it from the log alone: body, digest, signature, key; and it is kept once."""

    async def scenario(world: World) -> None:
        bank, path, body = await opened(world, world.people[0])
        again = await bank.send("PUT", path, await bank.token(), json=body)
        assert again.status_code == 201
        (fact,) = await kept(world, path, OPENED)
        assert json.loads(fact.signed.body) == body
        assert fact.signed.target == f"http://accounts{path}"
        assert check_kept(fact.signed, world.clock()) == SO_VIET.key.thumbprint()
        assert "authorization" not in fact.signed.fields

    running.play(scenario)


def test_a_declination_is_kept_signed_and_a_confirmation_is_not(running: Running) -> None:
    """With a signature over it, a number could be found out; both must be signed all the same."""

    async def scenario(world: World) -> None:
        bank, path, _ = await opened(world, world.people[1])
        token, no = await bank.token(), {"reason": "duplicate"}
        unsigned = await bank.send("PUT", f"{path}/declination", token, json=no, sign=False)
        assert (unsigned.status_code, unsigned.json()["code"]) == (401, "signature_missing")
        for _ in range(2):
            assert (await bank.send("PUT", f"{path}/declination", token, json=no)).is_success
        (fact,) = await kept(world, path, DECLINED)
        assert check_kept(fact.signed, world.clock()) == SO_VIET.key.thumbprint()
        bank, path, _ = await opened(world, world.people[2])
        yes = {"account_number": "0123456789"}
        confirmed = await bank.send("PUT", f"{path}/confirmation", token, json=yes)
        assert confirmed.is_success
        assert "0123456789" not in json.dumps(await world.log(world.accounts))
        assert b"signed" not in canonical((await kept(world, path, CONFIRMED))[0])

    running.play(scenario)


def test_an_account_is_frozen_and_closed_by_its_bank_alone(running: Running) -> None:
    """Each is kept signed, and done once; the citizen's page has words for it."""

    async def scenario(world: World) -> None:
        citizen = world.people[6]
        bank, path, _ = await opened(world, citizen)
        stranger = at_accounts(world, TRUONG_SON)
        token, theirs = await bank.token(), await stranger.token()
        for word, standing, kind in (
            ("freezing", "frozen", "account.frozen_by_bank.1"),
            ("closure", "closed", "account.closed.1"),
        ):
            sent = ("PUT", f"{path}/{word}")
            other = await stranger.send(*sent, theirs, json={"reason": "at_request"})
            assert (other.status_code, other.json()["code"]) == (404, "answer_rejected")
            for _ in range(2):
                answer = await bank.send(*sent, token, json={"reason": "at_request"})
                assert answer.json()["standing"] == standing, answer.text
            (fact,) = await kept(world, path, kind)
            assert check_kept(fact.signed, world.clock()) == SO_VIET.key.thumbprint()
        late = await bank.send("PUT", f"{path}/freezing", token, json={"reason": "other"})
        assert (late.status_code, late.json()["reasons"][0]["code"]) == (409, "account_closed")
        listed = await bank.send("GET", "/openings", token)
        standings = {one["standing"] for one in listed.json()["openings"]}
        assert "closed" in standings
        assert all(f"account_{one}" in WORDS[lang] for one in standings for lang in ("vi", "en"))

    running.play(scenario)


def test_a_command_that_is_not_signed_as_it_must_be_does_nothing(running: Running) -> None:
    """Each fault has its code, says what is wanted, and leaves no fact."""

    async def scenario(world: World) -> None:
        bank, path, now = at_accounts(world), f"/openings/{new_id()}", world.clock()
        url, head = f"http://accounts{path}", len(await world.log(world.accounts))
        body = json.dumps(command(world.people[3], None, clerk=None)).encode()
        stranger = BankClient(key=ECKey.generate_key("P-256"))
        other = TRUONG_SON.sign("PUT", url, body, now)
        cases: list[tuple[dict[str, str], str]] = [
            ({"content-type": "application/json"}, "signature_missing"),
            (SO_VIET.sign("PUT", url, b"{}", now), "digest_differs"),
            (SO_VIET.sign("PUT", f"http://elsewhere{path}", body, now), "signature_wrong"),
            (SO_VIET.sign("PUT", f"{url}?x=1", body, now), "signature_wrong"),
            (SO_VIET.sign("PUT", url, body, now - timedelta(minutes=6)), "signature_stale"),
            (SO_VIET.sign("PUT", url, body, now, covered=COVERED[:3]), "signature_components"),
            (stranger.sign("PUT", url, body, now), "signature_key_unknown"),
            (other, "signature_key_unknown"),
        ]
        token = await bank.token()
        for fields, code in cases:
            headers = {
                **fields,
                "Authorization": f"DPoP {token}",
                "DPoP": bank.proof("PUT", path, token),
            }
            answer = await world.accounts.put(path, content=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, code)
            assert answer.headers["accept-signature"].startswith('thuan=("@method" "@target-uri"')
            assert "invalid_token" not in answer.headers["www-authenticate"]
        assert len(await world.log(world.accounts)) == head

    running.play(scenario)


def test_a_signed_body_says_nothing_beside_what_is_documented(running: Running) -> None:
    """It is kept for ever: no other member, none twice, no other letters."""

    async def scenario(world: World) -> None:
        bank, path, _ = await opened(world, world.people[4])
        token = await bank.token()
        for body in (
            b'{"reason": "duplicate", "name": "A"}',
            b'{"reason": "a_name", "reason": "duplicate"}',
            '{"reason": "duplicate", "tên": "A"}'.encode(),
        ):
            answer = await bank.send("PUT", f"{path}/declination", token, content=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
        assert not await kept(world, path, DECLINED)

    running.play(scenario)


def test_who_has_a_bearer_token_is_asked_for_no_signature(running: Running) -> None:
    """And what follows from their commands is stored as it always was."""

    async def scenario(world: World) -> None:
        citizen = world.people[5]
        _, _, event = await world.given(citizen, holder="so-viet")
        answer = await world.open(citizen, event, holder="so-viet", clerk=None)
        assert answer.status_code == 201, answer.text
        (fact,) = await kept(world, answer.json()["opening_id"], OPENED)
        assert b"signed" not in canonical(fact)

    running.play(scenario)
