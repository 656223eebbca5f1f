"""The story of one account: as the README tells it, and as two logs keep it.

Four curl calls and a phone, run as they stand there; then the logs of such stories, tampered with
in every way that a law forbids.
"""

import asyncio
import base64
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from demo.cast import ACCOUNT, Citizen, citizens, make_tokens, seed
from demo.integrity import instant, stored
from demo.phone import Phone
from demo.services import Services
from services.accounts.facts import AccountRead, AccountStillOpen
from services.audit.laws import Judging
from services.consent.facts import DataRead
from shared.looks import named
from tests.support.breaks import (
    GOVERNED,
    Break,
    Facts,
    add,
    ask_the_refuser,
    change,
    close,
    drop,
    first,
    move,
    renumber,
    sign_with,
)
from tests.support.breaks import tell as tell_of
from tests.support.laws import LAWS, PARTY, payload, personal_data, violations
from tests.support.sides import FEES, PLUS, offer
from tests.support.world import World, a_world, new_id
from tests.system.test_bank_tokens import run_as_bank, snippets
from tests.system.test_passkeys import settled, sign

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def calls() -> list[str]:
    """Return the story's calls: a block of shell, with a blank line between each two."""
    story = README.partition("## The story of one account")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", story, re.DOTALL)
    return [*block.split("\n\n")]


def run(call: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """Run a block in a shell and return the JSON that it prints."""
    done = subprocess.run(
        ["sh", "-euc", call],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_story_of_one_account(tmp_path: Path) -> None:
    """Ask, fetch, open, confirm: each call works as printed, with the phone in between."""
    ask, fetch, open_account, confirm = calls()
    tokens, people = make_tokens(tmp_path), citizens()
    with Services(tmp_path, tokens, ports=(0, 0, 0)) as services:

        async def seeded() -> None:
            async with httpx.AsyncClient(base_url=services.consent.url) as client:
                await seed(client, tokens, people)

        async def agree(link: str) -> None:
            async with httpx.AsyncClient(base_url=services.consent.url) as client:
                answer = await Phone(client, people[0].phone).decide(link, "given")
                assert answer.status_code == 200

        asyncio.run(seeded())
        variables = {
            "CONSENT": services.consent.url,
            "ACCOUNTS": services.accounts.url,
            "BANK_TOKEN": tokens.by_holder["so-viet"],
            "CITIZEN": people[0].id,
            "TERMS_HASH": ACCOUNT.terms_hash,
            "CONSENT_ID": new_id(),
            "OPENING_ID": new_id(),
        }
        asyncio.run(agree(run(ask, variables)["link"]))
        consent = run(fetch, variables)
        assert consent["standing"] == "given"
        variables["EVENT"] = consent["event"]
        assert run(open_account, variables)["standing"] == "opened"
        assert run(confirm, variables)["standing"] == "confirmed"
        assert run(open_account, variables)["standing"] == "confirmed"
        # The program of docs/bank-api.md finds the sandbox's key, and its client registered.
        listed = json.loads(run_as_bank(snippets()[1], tmp_path, services.accounts.url))
        assert [one["opening_id"] for one in listed["openings"]] == [variables["OPENING_ID"]]
        for service in (services.consent, services.accounts):
            check_over_the_wire(service.url, tmp_path / "token", tokens.by_holder["regulator"])


def check_over_the_wire(url: str, token_file: Path, token: str) -> None:
    """Hold that a stranger, and then the regulator, finds a served log right."""
    token_file.write_text(token, encoding="ascii")
    deadline = time.monotonic() + 5
    while not json.loads(httpx.get(f"{url}/readyz").text)["sealed"]:
        assert time.monotonic() < deadline
    command = [sys.executable, "-m", "shared.ledger", url, "--json"]
    for options, facts in (([], False), (["--token-file", str(token_file)], True)):
        done = subprocess.run([*command, *options], capture_output=True, check=True, timeout=30)
        found = json.loads(done.stdout)
        assert found["right"]
        assert found["entries"] > 0
        assert found["facts"] == (found["entries"] if facts else 0)


# -- as two logs keep it ------------------------------------------------------------------------

NUMBER = "0123456789"


@dataclass(frozen=True)
class Told:
    """Two logs in which everything happened at least once, the keys, and what is personal."""

    consent: Facts
    accounts: Facts
    keys: dict[str, Any]
    personal: list[str]

    def broken(self, change: Break) -> list[str]:
        """Return what is found once a change was made to copies of the logs."""
        consent, accounts = copy.deepcopy((self.consent, self.accounts))
        change(consent, accounts)
        return violations(consent, accounts, self.keys, self.personal)


async def choose(world: World, citizen: Citizen) -> None:
    """Have somebody agree to two side purposes too, take one back, and open under named fees."""
    (await offer(world)).raise_for_status()
    consent_id, asked = await world.ask(citizen, PLUS, holder="so-viet")
    link, phone = asked.json()["link"], world.phone(citizen)
    await phone.decide(link, "given", yes=["marketing", "credit-scoring"])
    await phone.decide(link, "withdrawn", purpose="marketing")
    event = await world.event(consent_id)
    answer = await world.open(citizen, event, PLUS, holder="so-viet", fee_hash=FEES)
    answer.raise_for_status()


async def look(world: World, citizen: Citizen, opening_id: str) -> None:
    """Have the bank read an opening, and the citizen everything in their name."""
    header = world.tokens.header(ACCOUNT.bank_id)
    (await world.accounts.get(f"/openings/{opening_id}", headers=header)).raise_for_status()
    await world.consent.post("/me", data={"phone": citizen.phone})
    told = (await world.consent.get("/sandbox/outbox", params={"phone": citizen.phone})).json()
    (page,) = (found for one in told for found in re.findall(r"http://consent/me/\S+", one["text"]))
    (await world.consent.get(page)).raise_for_status()


async def reconcile(world: World) -> None:
    """Have the bank list the account that it confirmed, and one that it opened by its own app."""
    lines = "".join(f"{one},2023-08-09T09:00:00+07:00\n" for one in (NUMBER, "880000000001", "1"))
    answer = await world.accounts.put(
        "/reconciliations/r1",
        params={"day": "2023-08-09"},
        content=f"account_number,opened_at\n{lines}".encode(),
        headers={**world.tokens.header(ACCOUNT.bank_id), "Content-Type": "text/csv"},
    )
    assert answer.raise_for_status().json()["counts"]["matched"] == 1


async def tell(folder: Path) -> Told:
    """Open three accounts, one of them confirmed; refuse, choose, withdraw, and be rejected."""
    async with a_world(folder) as world:
        mai, hieu, tam, lan = world.people[:4]
        _, _, event = await world.given(mai)
        opening_id = new_id()
        (await world.open(mai, event, opening_id=opening_id)).raise_for_status()
        bank = world.tokens.header(ACCOUNT.bank_id)
        address = f"/openings/{opening_id}/confirmation"
        answer = await world.accounts.put(address, json={"account_number": NUMBER}, headers=bank)
        assert answer.status_code == 200
        _, asked = await world.ask(hieu)
        await world.phone(hieu).decide(asked.json()["link"], "refused")
        _, link, event = await world.given(tam)
        await world.phone(tam).decide(link, "withdrawn")
        assert (await world.open(tam, event)).status_code == 403
        assert (await world.open(lan, None)).status_code == 403
        _, _, event = await world.given(lan)
        (await world.open(lan, event)).raise_for_status()
        await choose(world, world.people[4])
        device = await settled(world, world.people[5])
        _, asked = await world.ask(world.people[5])
        (await sign(world, asked.json()["link"], device)).raise_for_status()
        await look(world, mai, opening_id)
        await reconcile(world)
        return Told(
            await world.log(world.consent),
            await world.log(world.accounts),
            (await world.consent.get("/.well-known/jwks.json")).json(),
            personal_data(world.people, NUMBER),
        )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Give two sound logs."""
    return asyncio.run(tell(tmp_path_factory.mktemp("told")))


def change_statement(kind: str, **changed: Any) -> Break:
    """Return a change of what a citizen signed."""
    return lambda consent, _: first(consent, kind)["data"]["statement"].update(changed)


def confirm_within(**times: str) -> Break:
    """Return a change of the time in which an agreement was to be confirmed."""

    def way(consent: Facts, _: Facts) -> None:
        confirmed = first(consent, "consent.confirmed")["data"]["consent_id"]
        given = (one["data"] for one in consent if one["kind"] == "consent.given.1")
        next(one for one in given if one["consent_id"] == confirmed)["statement"].update(times)

    return way


def forge(_: Facts, accounts: Facts) -> None:
    """Put another citizen into an account's event, and leave the signature."""
    data = first(accounts, "account.opened")["data"]
    head, _, signature = data["consent_event"].split(".")
    body = json.dumps({**payload(data["consent_event"]), "sub": "c-other"}).encode()
    data["consent_event"] = f"{head}.{base64.urlsafe_b64encode(body).decode().rstrip('=')}." + (
        signature
    )


def exchange_receipts(_: Facts, accounts: Facts) -> None:
    """Give the first account the second one's receipt."""
    receipt = first(accounts, "account.opened", 1)["data"]["redemption_receipt"]
    first(accounts, "account.opened")["data"]["redemption_receipt"] = receipt


def exchange_events(consent: Facts, _: Facts) -> None:
    """Give the first citizen the second one's signed event."""
    event = first(consent, "consent.confirmed", 1)["data"]["event"]
    first(consent, "consent.confirmed")["data"]["event"] = event


def withdraw_before(consent: Facts, _: Facts) -> None:
    """Have a used consent withdrawn before its use."""
    used = first(consent, "consent.redeemed")
    add(consent, first(consent, "consent.withdrawn"), consent_id=used["data"]["consent_id"])
    move(consent, consent[-1], consent.index(used))


def stop_before(kind: str, **said: object) -> Break:
    """Return a way to have a used consent stopped before its use."""

    def stop(consent: Facts, _: Facts) -> None:
        used = first(consent, "consent.redeemed")
        add(consent, first(consent, "consent.given"), consent_id=used["data"]["consent_id"])
        names = ("consent_id", "citizen_id", "bank_id", "office_id", "clerk_id")
        given = consent[-1]["data"]
        consent[-1] |= {"kind": kind, "data": {**{name: given[name] for name in names}, **said}}
        move(consent, consent[-1], consent.index(used))

    return stop


def refuse_too(consent: Facts, _: Facts) -> None:
    """Have a given consent refused as well."""
    consent_id = first(consent, "consent.given")["data"]["consent_id"]
    add(consent, first(consent, "consent.refused"), consent_id=consent_id)


def change_signature(consent: Facts, _: Facts) -> None:
    """Change what a passkey signed with."""
    given = [one["data"] for one in consent if one["kind"] == "consent.given.1"]
    (passkey,) = (one["evidence"]["passkey"] for one in given if one["evidence"]["passkey"])
    other = "A" if passkey["signature"][0] != "A" else "B"
    passkey["signature"] = other + passkey["signature"][1:]


def take_the_passkey_away(consent: Facts, _: Facts) -> None:
    """Have a passkey revoked before it signs."""
    enrolled = first(consent, "passkey.enrolled")
    said = {name: enrolled["data"][name] for name in ("citizen_id", "passkey_id")}
    tags = [one for one in enrolled["tags"] if not one.startswith("enrolment:")]
    gone = {**enrolled, "kind": "passkey.revoked.1", "data": said, "tags": tags}
    consent.insert(consent.index(enrolled) + 1, gone)
    renumber(consent)


def ask_just_after_enrolling(consent: Facts, _: Facts) -> None:
    """Have the question that a passkey answered come an hour after the passkey."""
    given = [one for one in consent if one["kind"] == "consent.given.1"]
    (by_passkey,) = (one["data"] for one in given if one["data"]["evidence"]["passkey"])
    (question,) = (
        one["data"]
        for one in consent
        if one["kind"] == "consent.requested.1"
        and one["data"]["consent_id"] == by_passkey["consent_id"]
    )
    since = instant(first(consent, "passkey.enrolled")["recorded_at"])
    question["asked_at"] = (since + timedelta(hours=1)).isoformat().replace("+00:00", "Z")


def enrol_with_a_clerks_phone(consent: Facts, _: Facts) -> None:
    """Have the phone whose code enrolled a passkey be a clerk's."""
    phone_id = first(consent, "passkey.asked")["data"]["phone_id"]
    first(consent, "staff.phone.marked")["data"]["phone_id"] = phone_id


def look_as_a_witness(consent: Facts, _: Facts) -> None:
    """Have a question shown to a witness whom nobody named."""
    fact = first(consent, "data.read")
    changed = {"read_by": "witness:another", "purpose": "witnessing"}
    read = msgspec.convert({**fact["data"], **changed}, DataRead)
    fact["data"] = msgspec.to_builtins(named(read))


def look_as_another(_: Facts, accounts: Facts) -> None:
    """Have another bank than the account's be shown it."""
    fact = first(accounts, "account.read")
    read = msgspec.convert({**fact["data"], "read_by": "bank:truong-son"}, AccountRead)
    fact["data"] = msgspec.to_builtins(named(read))


def name_the_refuser(consent: Facts, _: Facts) -> None:
    """Have a refusal say whose it is."""
    known = first(consent, "citizen.registered")["data"]["citizen_id"]
    fact = first(consent, "consent.refused")
    fact["data"]["citizen_id"] = known
    fact["tags"] = [
        f"citizen:{known}" if one.startswith("citizen:") else one for one in fact["tags"]
    ]


def name_the_refusers_phone(consent: Facts, _: Facts) -> None:
    """Have what asked for a refusal's signature say to which phone the code went."""
    refused = first(consent, "consent.refused")["data"]["challenge_id"]
    (asked,) = (
        one
        for one in consent
        if one["data"].get("challenge_id") == refused and one["kind"] == "signature.asked.1"
    )
    asked["data"]["phone_id"] = first(consent, "citizen.registered")["data"]["phone_id"]


def sign_with_a_clerks_phone(consent: Facts, _: Facts) -> None:
    """Have the phone that signed first be a clerk's."""
    phone_id = first(consent, "signature.asked")["data"]["phone_id"]
    first(consent, "staff.phone.marked")["data"]["phone_id"] = phone_id


def witness_by_nobody(consent: Facts, _: Facts) -> None:
    """Have what a code signed be borne out by witnesses of whom there are none."""
    given = first(consent, "consent.given")["data"]
    given["statement"]["grade"] = "witnessed"
    given["evidence"] = {"grade": "witnessed", "witnesses": []}


def use_before(consent: Facts, _: Facts) -> None:
    """Have a consent used before it was given."""
    given = first(consent, "consent.given")
    move(consent, first(consent, "consent.redeemed"), consent.index(given))


def report_what_was_confirmed(_: Facts, accounts: Facts) -> None:
    """Have the orphan be the account that was confirmed."""
    mark = first(accounts, "account.confirmed")["data"]["account_id"]
    orphan = first(accounts, ORPHAN)
    orphan["tags"][0] = f"account:{mark}"
    orphan["data"]["account_id"] = first(accounts, LINES)["data"]["noted"][0]["account_id"] = mark


def say_it_is_open_still(_: Facts, accounts: Facts) -> None:
    """Have an account that nothing stopped be said to be open still."""
    said = first(accounts, ORPHAN)["data"]
    opening_id = first(accounts, OPENED)["data"]["opening_id"]
    fact = msgspec.convert({**said, "opening_id": opening_id}, AccountStillOpen)
    tell_of(accounts, fact, accounts.index(first(accounts, LINES)))


OPENED = "account.opened"
ORPHAN, LINES, DONE = "account.unconsented", "lines.reconciled", "reconciliation.done"
GIVEN = "consent.given"
USED = "consent.redeemed"
SIDE = "purpose.given"
LOOK = "data.read"
OTHER, LONG_AGO, FAR_OFF = "0" * 64, "2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"
LATER = "2024-01-01T00:00:00Z"
DISPUTED = {
    "channel": "link", "used_at": None, "asking_again_from": LATER, "authority_told_by": LATER,
}  # fmt: skip
VOID = {
    "case_id": "case", "why": "staff_misconduct", "proposed_by": "bank:so-viet",
    "approved_by": "regulator:nhnn", "used_at": None,
}  # fmt: skip


def hand_in_late(consent: Facts, _: Facts) -> None:
    """Put the first submission behind the confirmation of the same consent."""
    handed = first(consent, "opening.submitted")
    own = handed["data"]["consent_id"]
    at = next(
        place
        for place, one in enumerate(consent)
        if one["kind"] == "consent.confirmed.1" and one["data"]["consent_id"] == own
    )
    move(consent, handed, at)


def use_a_picture_again(consent: Facts, _: Facts) -> None:
    """Give a capture the portrait of another citizen's."""
    portrait = first(consent, "identity.captured", 1)["data"]["portrait_image_id"]
    first(consent, "identity.captured")["data"]["document_image_id"] = portrait


BROKEN: dict[str, tuple[int, Break]] = {
    "a gap": (1, lambda c, a: c.pop(5)),
    "a gap at the start": (1, lambda c, a: a.pop(0)),
    "time going back": (1, lambda c, a: a[-1].update(recorded_at="2001-01-01T00:00:00Z")),
    "no redemption": (2, lambda c, a: drop(c, first(c, USED))),
    "a redemption for another command": (2, change(0, USED, command_hash=OTHER)),
    "another's redemption": (2, change(0, USED, redemption_id="another")),
    "another consent's redemption": (2, change(0, USED, consent_id="another")),
    "two redemptions": (3, lambda c, a: add(c, first(c, USED), redemption_id="another")),
    "two accounts": (3, lambda c, a: add(a, first(a, OPENED), opening_id="another")),
    "used after a withdrawal": (4, withdraw_before),
    "used after a dispute": (4, stop_before("consent.disputed.1", **DISPUTED)),
    "used after it was void": (4, stop_before("consent.invalidated.1", **VOID)),
    "used too early": (4, change(0, USED, redeemed_at="2001-01-01T00:00:00Z")),
    "used too late": (4, change(0, USED, redeemed_at="2101-01-01T00:00:00Z")),
    "used before given": (4, use_before),
    "used before confirmed": (4, lambda c, a: drop(c, first(c, "consent.confirmed"))),
    "never given": (5, lambda c, a: drop(c, first(c, GIVEN))),
    "another citizen": (5, change(1, OPENED, citizen_id="another")),
    "another bank": (5, change(1, OPENED, bank_id="another")),
    "another product": (5, change(1, OPENED, product_id="another")),
    "other terms": (5, change(1, OPENED, terms_hash=OTHER)),
    "another purpose": (5, change(1, OPENED, purpose="another")),
    "another office": (5, change(1, OPENED, office_id="another")),
    "another clerk": (5, change(1, OPENED, clerk_id="another")),
    "another site": (5, change(1, OPENED, site_id=None)),
    "other fees": (5, change(1, OPENED, fee_hash=OTHER)),
    "another event": (5, exchange_events),
    "a forged event": (6, forge),
    "another's receipt": (6, exchange_receipts),
    "a text never shown": (7, lambda c, a: drop(c, first(c, "notice.served"))),
    "a code never asked for": (7, lambda c, a: drop(c, first(c, "signature.asked"))),
    "given twice": (8, lambda c, a: add(c, first(c, GIVEN))),
    "given and refused": (8, refuse_too),
    "a changed statement": (9, change_statement(GIVEN, product_id="another")),
    "a changed confirmation": (9, change_statement("consent.confirmed", nonce="another")),
    "a use of another statement": (9, change(0, USED, statement_hash=OTHER)),
    "a purpose nobody chose": (9, lambda c, a: add(c, first(c, SIDE), purpose="partner-sharing")),
    "a chosen purpose left out": (9, lambda c, a: drop(c, first(c, SIDE))),
    "a purpose of another statement": (9, change(0, SIDE, statement_hash=OTHER)),
    "a purpose taken back unsigned": (10, change(0, "purpose.withdrawn", challenge_id="another")),
    "another text shown": (10, change(0, "notice.served", notice_hash=OTHER)),
    "a code for something else": (10, change(0, "signature.asked", statement_hash=OTHER)),
    "a withdrawal that agrees": (10, change_statement("consent.withdrawn", decision="given")),
    "a receipt for another place": (11, lambda c, a: move(c, c[0], len(c))),
    "confirmed twice": (12, lambda c, a: add(a, first(a, "account.confirmed"), account_id="b")),
    "a number twice": (12, lambda c, a: add(a, first(a, "account.confirmed"), opening_id="b")),
    "no reason": (13, change(1, "opening.rejected", reasons=[])),
    "an unknown reason": (13, change(0, "redemption.rejected", reasons=["why_not"])),
    "a missing tag": (14, lambda c, a: first(c, "consent.withdrawn")["tags"].pop(0)),
    "a name": (15, change(0, "site.registered", host="Hồ Thị Mai")),
    "a phone": (15, change(1, OPENED, product_id="0900000001")),
    "an account number": (15, change(1, "account.confirmed", account_end=NUMBER)),
    "a named refusal": (16, name_the_refuser),
    "a passkey of nobody": (18, lambda c, a: drop(c, first(c, "passkey.enrolled"))),
    "another's passkey": (18, change(0, "passkey.enrolled", citizen_id="another")),
    "another signature": (18, change_signature),
    "a passkey that was gone": (18, take_the_passkey_away),
    "a passkey that was new": (19, ask_just_after_enrolling),
    "a clerk's phone that enrols": (17, enrol_with_a_clerks_phone),
    "a refuser's phone": (16, name_the_refusers_phone),
    "a clerk's phone": (17, sign_with_a_clerks_phone),
    "a look without its id": (21, change(0, LOOK, look_id=OTHER)),
    "a look twice": (21, lambda c, a: add(c, first(c, LOOK))),
    "a bank's look at another's question": (21, look_as_another),
    "a witness who was not named": (21, look_as_a_witness),
    "a page that nobody asked for": (21, lambda c, a: drop(c, first(c, "page.asked"))),
    "a look for a page that is over": (21, change(0, "page.asked", asked_at=LONG_AGO)),
    "agreed for by nobody": (22, change_statement(GIVEN, expressed_by="c-2", authority_id="a")),
    "another's phone": (17, change(0, "signature.asked", phone_id=OTHER)),
    "never photographed": (23, lambda c, a: drop(c, first(c, "identity.captured"))),
    "photographed first": (23, lambda c, a: move(c, first(c, "identity.captured"), 0)),
    "never handed in": (23, lambda c, a: drop(c, first(c, "opening.submitted"))),
    "handed in after the use": (23, lambda c, a: move(c, first(c, "opening.submitted"), len(c))),
    "confirmed before it was handed in": (23, hand_in_late),
    "another's picture": (24, use_a_picture_again),
    "opened by a clerk": (24, change(1, OPENED, commanded_by="clerk:gdv-01")),
    "decided by a clerk": (24, change(1, OPENED, officer_id="gdv-01")),
    "witnesses that were none": (20, witness_by_nobody),
    "decided when time was over": (41, change(0, "consent.requested", decide_by=LONG_AGO)),
    "signed by what had run out": (41, change(0, "signature.asked", expires_at=LONG_AGO)),
    "confirmed too early": (41, confirm_within(not_before=FAR_OFF)),
    "confirmed too late": (41, confirm_within(expires_at=LONG_AGO)),
    "judged by a policy of nobody": (25, change(0, GIVEN, policy_version=1)),
    "an orphan that was confirmed": (44, report_what_was_confirmed),
    "an orphan twice": (44, lambda c, a: add(a, first(a, ORPHAN), line=9)),
    "an orphan of no list": (44, change(1, ORPHAN, reconciliation_id="so-viet.other")),
    "an orphan of another line": (44, change(1, ORPHAN, line=9)),
    "an orphan left out": (44, lambda c, a: drop(a, first(a, ORPHAN))),
    "a line left out": (44, lambda c, a: first(a, LINES)["data"]["noted"].pop()),
    "lines counted otherwise": (44, lambda c, a: first(a, LINES)["data"]["counts"].update(lines=9)),
    "lines twice": (44, lambda c, a: add(a, first(a, LINES))),
    "a list counted otherwise": (44, lambda c, a: first(a, DONE)["data"]["counts"].update(bad=9)),
    "a list without its lines": (44, lambda c, a: drop(a, first(a, LINES))),
    "a list that ends twice": (44, lambda c, a: add(a, first(a, DONE))),
    "a list that begins twice": (44, lambda c, a: add(a, first(a, "reconciliation.started"))),
    "open still, and never stopped": (44, say_it_is_open_still),
    **GOVERNED,
}
"""Each way to break a law, and the law that must be found broken."""


def test_a_sound_pair_of_logs_breaks_no_law(told: Told) -> None:
    """What the services wrote is found sound, so that a violation means something."""
    assert told.broken(lambda consent, accounts: None) == []


def test_a_signed_command_that_is_what_came_of_it_breaks_no_law(told: Told) -> None:
    """So that a violation of law 44 means something."""
    assert told.broken(sign_with()) == []


def test_an_account_that_its_bank_closes_breaks_no_law(told: Told) -> None:
    """So that a violation of law 43 means something."""
    assert told.broken(close()) == []


@pytest.mark.parametrize("name", BROKEN)
def test_each_way_to_break_a_law_is_found(name: str, told: Told) -> None:
    """A log that was tampered with, or written under wrong rules, breaks the law that says so."""
    law, way = BROKEN[name]
    found = told.broken(way)
    assert any(sentence.startswith(f"law {law}:") for sentence in found), found


def test_every_law_can_be_broken() -> None:
    """No law is only a sentence."""
    assert {law for law, _ in BROKEN.values()} == set(LAWS)


def test_a_use_without_an_account_is_pending_and_an_account_of_a_later_day_waits(
    told: Told,
) -> None:
    """Neither breaks a law: the same command finishes the first, a later export the second.

    The consents are cut just before the last use: what rests on it cannot be judged yet.
    """
    used = [one["position"] for one in told.consent if one["kind"] == "consent.redeemed.1"]
    last = first(told.accounts, OPENED, -1)
    without = [one for one in told.accounts if one["kind"] != "account.opened.1"]
    judging = Judging(told.keys, PARTY)
    laws = {one.law for one in judging.run(stored(told.consent), stored(without))}
    assert judging.pending() == used
    assert laws <= {1, 12, 21}, "gaps, and answers to what is not there"
    judging = Judging(told.keys, PARTY)
    found = list(judging.run(stored(told.consent[: used[-1] - 1]), stored(told.accounts)))
    assert judging.ahead() == [last["position"]]
    assert not [one for one in found if one.law in {2, 5, 6, 11}]


def test_whoever_refused_may_be_asked_when_the_time_is_over(told: Told) -> None:
    """The day before, law 30 is broken; the day after, it is not."""
    for days, broken in ((89, True), (91, False)):
        found = told.broken(ask_the_refuser(days))
        assert any(sentence.startswith("law 30:") for sentence in found) is broken
