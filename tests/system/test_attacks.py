"""Attacks on a citizen's decision, in one running world: refused, each for a reason of its own.

Each does what a clerk, a thief or a careless bank could do with what they hold. Its refusal is the
newest fact of the log and names the reason; so nothing came of it, and anyone can see that it was
tried. Then what citizens signed is changed, byte by byte, and is found to be changed by whoever has
the exported facts and the published keys, and nothing else.
"""

import copy
import hashlib
import html
import json
import subprocess
import sys
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.cast import ACCOUNT, BANKS, CLERKS, OFFICE, OTHER, POWER, SAVINGS, Citizen, Product
from demo.phone import Phone
from services.consent.pages.rendering import told
from services.consent.policy import Policy
from shared.canonical import text_digest
from shared.contracts.evidence import passkey_id
from shared.passkeys import RelyingParty
from tests.support.authenticator import (
    ED25519,
    ES256,
    ORIGIN,
    RP_ID,
    Authenticator,
    Lies,
    new_key,
    text,
)
from tests.support.evidence import unproved
from tests.support.world import Running, World, a_running_world, new_id
from tests.system.test_api import codes
from tests.system.test_passkeys import begin, options_of, settled, sign

ROOT = Path(__file__).parents[2]

Attack = Callable[[World], Awaitable[httpx.Response]]

FAILED, REJECTED = "signature.failed.1", "decision.rejected.1"
UNENROLLED, UNOPENED = "passkey.failed.1", "opening.rejected.1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world to attack, whose logs are sound in the end."""
    with a_running_world(tmp_path_factory.mktemp("attacked")) as running:
        yield running


# -- with a device ------------------------------------------------------------------------------


@dataclass
class Victim:
    """A citizen with a passkey of long ago, asked at a counter just now."""

    citizen: Citizen
    device: Authenticator
    consent_id: str
    link: str


async def a_victim(world: World, algorithm: int = ES256) -> Victim:
    """Return one more citizen to attack."""
    citizen = await world.newcomer()
    device = await settled(world, citizen, algorithm)
    consent_id, asked = await world.ask(citizen)
    return Victim(citizen, device, consent_id, asked.json()["link"])


async def answer(
    world: World, link: str, document: dict[str, Any], device: Authenticator, lies: Lies
) -> httpx.Response:
    """Have a device answer a challenge with its own passkey, whosever was asked for."""
    own = {**document["options"], "allowCredentials": [{"id": one} for one in device.held]}
    address = f"{link}/sign/{document['challenge_id']}/passkey"
    data = {"answer": json.dumps(device.get(own, lies))}
    got: httpx.Response = await world.consent.post(address, data=data)
    return got


async def a_strangers(world: World, algorithm: int = ES256) -> Authenticator:
    """Return a device that made a passkey for us which nobody enrolled."""
    device = Authenticator(algorithm)
    party = RelyingParty(RP_ID, "Thuận", [ORIGIN])
    device.create(party.enrolment_options(b"h", "l", bytes(32), []))
    return device


def lying(algorithm: int, lies: Lies) -> Attack:
    """Return the attack of a device or browser that lies."""

    async def attack(world: World) -> httpx.Response:
        one = await a_victim(world, algorithm)
        return await sign(world, one.link, one.device, lies=lies)

    return attack


async def with_another_key(world: World) -> httpx.Response:
    """Sign with an own key, under the id of the citizen's passkey."""
    one = await a_victim(world)
    return await sign(world, one.link, one.device, lies=Lies(key=new_key(ES256)))


async def by_a_clone(world: World) -> httpx.Response:
    """Sign with a copy of the device's key, which has not counted what the citizen signed."""
    one = await a_victim(world)
    for decision in ("given", "withdrawn"):
        (await sign(world, one.link, one.device, decision)).raise_for_status()
    _, asked = await world.ask(one.citizen)
    return await sign(world, asked.json()["link"], one.device, lies=Lies(counter=2))


async def by_a_strangers_device(world: World) -> httpx.Response:
    """Sign with a clerk's own device, of which nobody knows that it is a clerk's."""
    one = await a_victim(world)
    document = await options_of(world, one.link)
    return await answer(world, one.link, document, await a_strangers(world), Lies())


async def by_another_citizens_device(world: World) -> httpx.Response:
    """Sign with what another citizen enrolled."""
    other, one = await a_victim(world), await a_victim(world)
    document = await options_of(world, one.link)
    return await answer(world, one.link, document, other.device, Lies())


async def by_staff(world: World) -> httpx.Response:
    """Sign with what a citizen enrolled, and what turned out to be a clerk's."""
    one = await a_victim(world)
    (held,) = one.device.held
    await mark(world, held)
    return await sign(world, one.link, one.device)


async def by_a_device_that_was_taken_away(world: World) -> httpx.Response:
    """Answer a challenge that was given while the device still counted."""
    one = await a_victim(world)
    document = await options_of(world, one.link)
    (held,) = one.device.held
    await world.consent.post(f"{one.link}/passkey/{passkey_id(held)}/revocation")
    return await answer(world, one.link, document, one.device, Lies())


async def enrolled_by_staff(world: World) -> httpx.Response:
    """Enrol a clerk's own passkey as the citizen's, with the citizen's phone in hand."""
    citizen, device = await world.newcomer(), Authenticator(ES256)
    _, asked = await world.ask(citizen)
    lies = Lies(credential_id=new_id().encode())
    await mark(world, text(lies.credential_id or b""))
    address, options, code = await begin(world, citizen, asked.json()["link"])
    data = {"code": code, "answer": json.dumps(device.create(options, lies))}
    got: httpx.Response = await world.consent.post(address, data=data)
    return got


async def mark(world: World, credential_id: str) -> None:
    """Have the operator know a passkey as a clerk's."""
    address = f"/clerks/gdv-01/passkeys/{passkey_id(credential_id)}"
    marked = await world.consent.put(address, headers=world.tokens.header("operator"))
    marked.raise_for_status()


async def too_late(world: World) -> httpx.Response:
    """Answer a challenge once its time is over."""
    one = await a_victim(world)
    document = await options_of(world, one.link)
    world.clock.move_to(world.clock() + Policy().code_lives_for)
    return await answer(world, one.link, document, one.device, Lies())


async def a_challenge_again(world: World) -> httpx.Response:
    """Answer, with another device, a challenge that the citizen answered already."""
    one = await a_victim(world)
    document = await options_of(world, one.link)
    (await answer(world, one.link, document, one.device, Lies())).raise_for_status()
    return await answer(world, one.link, document, await a_strangers(world), Lies())


async def unread(world: World) -> httpx.Response:
    """Ask for a signature under a text that was never shown."""
    one = await a_victim(world)
    press = {"decision": "given"}
    got: httpx.Response = await world.consent.post(f"{one.link}/passkey-options", data=press)
    return got


# -- with a code --------------------------------------------------------------------------------


async def asked_for_a_code(world: World) -> tuple[Phone, str, httpx.Response, str]:
    """Have a citizen press yes; returns the phone, the link, the page, and the code."""
    citizen = await world.newcomer()
    _, asked = await world.ask(citizen)
    link, phone = asked.json()["link"], world.phone(citizen)
    return phone, link, await phone.press(link, "given"), await phone.last_code()


async def press_unlike(phone: Phone, link: str, code: str) -> httpx.Response:
    """Press yes until another code is sent: one in a million is the same."""
    page = await phone.press(link, "given")
    return page if await phone.last_code() != code else await press_unlike(phone, link, code)


async def to_a_clerks_phone(world: World) -> httpx.Response:
    """Ask for the code of a citizen who was registered with the clerk's own phone."""
    citizen = await world.newcomer(CLERKS["gdv-01"])
    _, asked = await world.ask(citizen)
    return await world.phone(citizen).press(asked.json()["link"], "given")


async def guessed(world: World) -> httpx.Response:
    """Guess until no try is left; then even the right code signs nothing."""
    phone, _, page, code = await asked_for_a_code(world)
    for number in range(1, Policy().code_tries_max + 1):
        wrong = await phone.type_code(page, f"{(int(code) + number) % 10**6:06}")
        assert told("code_wrong" if number < 5 else "code_tries_used", "vi") in wrong.text
    return await phone.type_code(page, code)


async def replayed(world: World) -> httpx.Response:
    """Type a code that signed before, where the citizen took that back and is asked anew."""
    phone, link, page, code = await asked_for_a_code(world)
    (await phone.type_code(page, code)).raise_for_status()
    (await phone.decide(link, "withdrawn")).raise_for_status()
    _, asked = await world.ask(world.people[-1])
    return await phone.type_code(await press_unlike(phone, asked.json()["link"], code), code)


async def of_another_statement(world: World) -> httpx.Response:
    """Type the code that was sent for one bank where another asks."""
    phone, _, _, code = await asked_for_a_code(world)
    _, asked = await world.ask(world.people[-1], OTHER, holder="gdv-02")
    return await phone.type_code(await press_unlike(phone, asked.json()["link"], code), code)


async def too_old(world: World) -> httpx.Response:
    """Type the right code once its time is over."""
    phone, _, page, code = await asked_for_a_code(world)
    world.clock.move_to(world.clock() + Policy().code_lives_for)
    return await phone.type_code(page, code)


# -- with a signed consent ----------------------------------------------------------------------


def decomposed(words: str) -> str:
    """Return a text that looks the same, in other bytes."""
    other = unicodedata.normalize("NFD", words)
    assert other != words
    return other


async def register(world: World, product: Product, bank: str = "") -> None:
    """Have the operator register a product, and its bank if it is named."""
    body = {"bank_id": product.bank_id, "name": product.name, "purpose": product.purpose}
    lines: list[tuple[str, dict[str, str]]] = [
        (f"/banks/{product.bank_id}", {"name": bank}),
        (f"/products/{product.id}", {**body, "terms_hash": product.terms_hash}),
    ]
    if bank:
        term = {"valid_from": "2021-01-01T00:00:00Z"}
        lines.append((f"/offices/{OFFICE[0]}/contracts/{product.bank_id}", term))
    for address, line in lines if bank else lines[1:]:
        headers = world.tokens.header("operator")
        (await world.consent.put(address, json=line, headers=headers)).raise_for_status()


async def by_its_look_alike(world: World) -> httpx.Response:
    """Let the citizen agree with a bank that only looks like the one that opens the account."""
    like = replace(ACCOUNT, id="look-alike", bank_id="so-viet-2")
    await register(world, like, decomposed(BANKS[ACCOUNT.bank_id]))
    citizen = await world.newcomer()
    _, _, event = await world.given(citizen, like)
    own = ACCOUNT.bank_id
    return await world.open(citizen, event, like, bank_id=own, holder=own, clerk="gdv-01")


async def in_other_letters(world: World) -> httpx.Response:
    """Open under terms that look the same as those that were read, and are other bytes."""
    read = replace(ACCOUNT, id="in-letters", terms="Điều khoản mở tài khoản")
    await register(world, read)
    citizen = await world.newcomer()
    _, _, event = await world.given(citizen, read)
    other = hashlib.sha256(decomposed(read.terms).encode()).hexdigest()
    assert text_digest(decomposed(read.terms)) == read.terms_hash, "our own digest sees through it"
    return await world.open(citizen, event, read, terms_hash=other)


ATTACKS: dict[str, tuple[str, str, Attack]] = {
    "a key that was never enrolled": (FAILED, "passkey_signature", with_another_key),
    "a copied device": (FAILED, "passkey_counter", by_a_clone),
    "the clerk's device": (FAILED, "passkey_unknown", by_a_strangers_device),
    "another citizen's device": (FAILED, "passkey_unknown", by_another_citizens_device),
    "a device that was taken away": (FAILED, "passkey_unknown", by_a_device_that_was_taken_away),
    "a device that is staff's": (REJECTED, "passkey_of_staff", by_staff),
    "a clerk's passkey, enrolled": (UNENROLLED, "passkey_of_staff", enrolled_by_staff),
    "a challenge too late": (FAILED, "code_expired", too_late),
    "a challenge again": (REJECTED, "already_decided", a_challenge_again),
    "a text that was not shown": (REJECTED, "notice_not_served", unread),
    "a code to the clerk's phone": (REJECTED, "phone_of_staff", to_a_clerks_phone),
    "a code that is guessed": (FAILED, "code_tries_used", guessed),
    "a code again": (FAILED, "code_wrong", replayed),
    "a code of another statement": (FAILED, "code_wrong", of_another_statement),
    "a code too late": (FAILED, "code_expired", too_old),
    "for a bank that looks alike": (UNOPENED, "bank_differs", by_its_look_alike),
    "under terms in other letters": (UNOPENED, "terms_differ", in_other_letters),
}
"""Who or what attacks; the fact that remains, and its reason."""

LIES = {
    "a page of somebody else": ("passkey_origin", Lies(origin=f"{ORIGIN}.evil.example")),
    "a page that looks alike": ("passkey_origin", Lies(origin="https://\uff54huan.example")),
    "a passkey for somebody else": ("passkey_rp", Lies(rp_id="evil.example")),
    "touched, not recognised": ("passkey_unverified_user", Lies(unverified=True)),
    "another challenge": ("passkey_challenge", Lies(challenge=bytes(32))),
    "an enrolment": ("passkey_type", Lies(type="webauthn.create")),
}

ATTACKS |= {
    f"{name}, {kind}": (FAILED, code, lying(algorithm, lies))
    for name, (code, lies) in LIES.items()
    for kind, algorithm in (("ES256", ES256), ("Ed25519", ED25519))
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_and_written_down(name: str, running: Running) -> None:
    """The answer says why not, and so does the log's newest fact, for that reason alone."""
    kind, code, attack = ATTACKS[name]

    async def scenario(world: World) -> None:
        refusal = await attack(world)
        assert refusal.status_code in {403, 409}
        assert code in said(refusal)
        client = world.accounts if kind == UNOPENED else world.consent
        fact = await world.newest(client)
        reasons = fact["data"].get("reasons") or [fact["data"]["reason"]]
        assert (fact["kind"], reasons) == (kind, [code])

    running.play(scenario)


USES: dict[str, dict[str, Any]] = {
    "subject_differs": {"citizen_id": "c-somebody"},
    "bank_differs": {"bank_id": OTHER.bank_id, "holder": OTHER.bank_id, "clerk": "gdv-01"},
    "product_differs": {"product_id": SAVINGS.id},
    "terms_differ": {"terms_hash": OTHER.terms_hash},
    "purpose_differs": {"purpose": POWER.purpose},
    "office_differs": {"office_id": "elsewhere"},
    "site_differs": {"site_id": "elsewhere"},
    "clerk_differs": {"clerk": "gdv-02"},
    "bank_decides": {"holder": "gdv-01"},
    "officer_is_clerk": {"officer_id": "gdv-01"},
}
"""What a consent was not given for, by the reason against it."""


def test_a_consent_is_used_for_nothing_else(running: Running) -> None:
    """Whoever holds the signed consent opens with it what was signed, there and then, and no more.

    Each try is in the log, and costs the citizen nothing.
    """

    async def scenario(world: World) -> None:
        citizen = await world.newcomer()
        _, _, event = await world.given(citizen)
        for code, otherwise in USES.items():
            refusal = await world.open(citizen, event, **otherwise)
            assert (refusal.status_code, codes(refusal)) == (403, [code])
            fact = await world.newest(world.accounts)
            assert (fact["kind"], fact["data"]["reasons"]) == (UNOPENED, [code])
        assert (await world.open(citizen, event)).status_code == 201

    running.play(scenario)


def said(refusal: httpx.Response) -> list[str]:
    """Return the codes that a refusal names: those of a document, or whose words a page has."""
    if "json" in refusal.headers["content-type"]:
        document = refusal.json()
        return [document["code"], *(one["code"] for one in document.get("reasons", []))]
    page = html.unescape(refusal.text)
    return [code for _, code, _ in ATTACKS.values() if told(code, "vi") in page]


# -- what was signed, changed -------------------------------------------------------------------

PARTY = RelyingParty(RP_ID, "Thuận", (ORIGIN,))

SIGNED = {
    "passkey.asked.1": ("request", "request_hash"),
    "passkey.enrolled.1": ("passkey", "passkey_id", "citizen_id"),
    "signature.asked.1": ("statement", "statement_hash"),
    **dict.fromkeys(
        ("consent.given.1", "consent.confirmed.1", "consent.withdrawn.1"),
        ("evidence", "statement", "statement_hash", "challenge_id"),
    ),
}
"""The members of facts that prove what citizens signed, by the kind of fact."""

Facts = list[dict[str, Any]]
Place = tuple[int, tuple[str | int, ...]]


@dataclass
class Exported:
    """Both logs and the published keys, as anyone may have them; and which facts are of whom."""

    consent: Facts
    accounts: Facts
    keys: dict[str, Any]
    own: Facts

    @cached_property
    def places(self) -> list[Place]:
        """Return every text, number and truth that is part of a proof, by fact and path."""
        return [
            (index, path)
            for index, fact in enumerate(self.own)
            for member in SIGNED.get(fact["kind"], ())
            for path in leaves(fact["data"][member], (member,))
        ]


def leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of everything in a document that is neither a container nor null."""
    match value:
        case dict() | list():
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for name, inner in pairs:
                yield from leaves(inner, (*path, name))
        case None:
            return
        case _:
            yield path


def changed(facts: Facts, place: Place, at: int, bits: int) -> Facts:
    """Return the facts with some bits of one letter, number or truth turned over."""
    index, (*path, last) = place
    fact = copy.deepcopy(facts[index])
    inner = fact["data"]
    for name in path:
        inner = inner[name]
    inner[last] = turned(inner[last], at, bits)
    return [*facts[:index], fact, *facts[index + 1 :]]


def turned(value: Any, at: int, bits: int) -> Any:
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ bits
    at %= len(value)
    return value[:at] + chr(ord(value[at]) ^ bits) + value[at + 1 :]


@pytest.fixture(scope="module")
def exported(running: Running) -> Exported:
    """Give the logs, in which citizens signed with each kind of key, and with codes."""

    async def scenario(world: World) -> Exported:
        before = (await world.consent.get("/readyz")).json()["head"]
        for algorithm in (ES256, ED25519):
            one = await a_victim(world, algorithm)
            (await sign(world, one.link, one.device)).raise_for_status()
            await world.hand_in(one.consent_id)
            (await world.open(one.citizen, await world.event(one.consent_id))).raise_for_status()
            (await sign(world, one.link, one.device, "withdrawn")).raise_for_status()
        citizen = await world.newcomer()
        _, _, event = await world.given(citizen)
        (await world.open(citizen, event)).raise_for_status()
        return Exported(
            await world.log(world.consent),
            await world.log(world.accounts),
            (await world.consent.get("/.well-known/jwks.json")).json(),
            await world.log(world.consent, before),
        )

    return running.play(scenario)


@given(st.data())
def test_a_changed_byte_of_what_was_signed_is_found(
    exported: Exported, data: st.DataObject
) -> None:
    """Whichever byte of a statement, a passkey, a signature, or of what says which code it was."""
    place = data.draw(st.sampled_from(exported.places))
    at, bits = data.draw(st.integers(0, 2_000)), data.draw(st.integers(1, 127))
    assert not list(unproved(exported.own, PARTY))
    assert list(unproved(changed(exported.own, place, at, bits), PARTY))


def test_each_member_of_the_evidence_counts(exported: Exported) -> None:
    """Of every one the first byte, wherever it first stands: so none is left to chance."""
    members = {(exported.own[place[0]]["kind"], place[1]): place for place in exported.places}
    assert {(kind, path[0]) for kind, path in members} == {
        (kind, member) for kind, row in SIGNED.items() for member in row
    }
    for member, place in members.items():
        assert list(unproved(changed(exported.own, place, 0, 1), PARTY)), member


def test_a_sound_signature_by_another_key_is_found(exported: Exported) -> None:
    """Whoever can write into the export still cannot sign the statement with an own passkey."""
    device = Authenticator(ES256)
    own = PARTY.enrol(device.create(PARTY.enrolment_options(b"h", "l", bytes(32), [])), bytes(32))
    forged = copy.deepcopy(exported.own)
    data = next(one["data"] for one in forged if one["kind"] == "consent.given.1")
    digest = bytes.fromhex(data["statement_hash"])
    signature = PARTY.sign(device.get(PARTY.signing_options(digest, [own])), digest, [own])
    PARTY.check(signature, digest, own)
    credential_id = data["evidence"]["passkey"]["credential_id"]
    as_theirs = replace(signature, credential_id=credential_id)
    data["evidence"]["passkey"] = msgspec.to_builtins(as_theirs)
    assert [one.split(": ")[1] for one in unproved(forged, PARTY)] == ["passkey_unknown"]


ALONE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from demo.integrity import violations
from shared.passkeys import RelyingParty
from tests.support.evidence import unproved

def refuse(event, arguments):
    code = event == "open" and str(arguments[0]).endswith((".py", ".pyc"))
    if event.startswith("socket.") or event == "open" and not code:
        raise SystemExit(f"more was asked for: {event} {arguments}")

exports = json.load(sys.stdin)
sys.addaudithook(refuse)
party = RelyingParty(sys.argv[2], "x", [sys.argv[3]])
found = [
    [*unproved(consent, party), *violations(consent, accounts, keys)]
    for consent, accounts, keys in exports
]
services = sorted(name for name in sys.modules if name.startswith("services"))
json.dump({"found": found, "services": services}, sys.stdout)
"""


RUNNING = {"main", "api", "pages", "application", "settings"}
"""What a service runs with: judging takes its facts and its rules, and none of these."""


def test_the_facts_and_the_published_keys_are_enough(exported: Exported, tmp_path: Path) -> None:
    """In a new process, in an empty folder, without a service, that opens nothing but code.

    The logs prove what citizens signed and what was opened with it; with one letter of a signature
    changed, or under another's keys, the same process says where they do not.
    """
    whole = exported.consent, exported.accounts, exported.keys
    (index, path) = next(one for one in exported.places if one[1][-1] == "signature")
    behind = len(exported.consent) - len(exported.own)
    otherwise = changed(exported.consent, (behind + index, path), 9, 1)
    others = {"keys": [{**one, "x": text(bytes(32))} for one in exported.keys["keys"]]}
    exports = [whole, (otherwise, *whole[1:]), (*whole[:2], others)]
    done = subprocess.run(
        [sys.executable, "-IB", "-c", ALONE, str(ROOT), RP_ID, ORIGIN],
        input=json.dumps(exports),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert not [name for name in said["services"] if RUNNING & set(name.split("."))]
    right, of_signature, of_keys = said["found"]
    assert right == []
    proof, law = of_signature
    assert law.startswith("law 18:")
    assert proof.split(": ")[1] in {"passkey_signature", "passkey_malformed"}, (
        "what a letter becomes is chance"
    )
    assert {one.split(":")[0] for one in of_keys} == {"law 6"}
