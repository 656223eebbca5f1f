"""A citizen without a phone decides before two witnesses, with real devices, in both logs."""

import html
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.cast import ACCOUNT, CLERKS, OFFICE, Citizen
from services.consent.pages.rendering import told
from services.consent.pages.words import VIETNAMESE
from services.consent.policy import Policy
from services.consent.sms import NotSent
from services.consent.views import read_witnesses
from services.consent.witnesses import Witness
from shared.contracts.evidence import passkey_id
from shared.contracts.reasons import sentence
from tests.support.authenticator import ED25519, ES256, Authenticator, Lies
from tests.support.evidence import unproved
from tests.support.faults import break_once
from tests.support.laws import PARTY, violations
from tests.support.world import World
from tests.system.test_passkeys import play
from tests.system.test_phones import out_of_reach

LAN = Citizen("c-without-a-phone", "Hồ Thị Lan", "")
SCAN = "5d" * 32
HONEST = Lies()


@dataclass
class Person:
    """Somebody who is to be a witness: whom they stand for, their phone and their device."""

    id: str
    organisation: str
    phone: str
    device: Authenticator = field(default_factory=Authenticator)
    link: str = ""

    async def invited(self, world: World) -> httpx.Response:
        """Let the operator invite them; remembers the link that came."""
        body = {"organisation_id": self.organisation, "phone": self.phone}
        answer: httpx.Response = await world.consent.put(
            f"/witnesses/{self.id}", json=body, headers=world.tokens.header("operator")
        )
        if answer.is_success:
            sent = await world.consent.get("/sandbox/outbox", params={"phone": self.phone})
            self.link = re.findall(r"http://consent(/w/\S+)", sent.json()[-1]["text"])[-1]
        return answer

    async def accept(self, world: World, lies: Lies = HONEST) -> httpx.Response:
        """Enrol the device on the page of the link."""
        page = await world.consent.get(self.link)
        found = re.search(r'data-enrol="([^"]*)"', page.text)
        assert found, page.text
        options = json.loads(html.unescape(found[1]))
        data = {"answer": json.dumps(self.device.create(options, lies))}
        answer: httpx.Response = await world.consent.post(self.link, data=data)
        return answer

    async def read(self, world: World, consent_id: str) -> httpx.Response:
        """Open a question; its notice was served from then on."""
        answer: httpx.Response = await world.consent.get(f"{self.link}/{consent_id}")
        return answer

    async def press(self, world: World, consent_id: str, **press: Any) -> httpx.Response:
        """Press what the citizen said, or take up what the other pressed."""
        page = await self.read(world, consent_id)
        found = re.search(r'name="challenge" value="([^"]*)"', page.text)
        fields = {"challenge": found[1] if found else "", "lang": "vi", **press}
        answer: httpx.Response = await world.consent.post(
            f"{self.link}/{consent_id}/options", data=fields
        )
        return answer

    async def answers(
        self, world: World, consent_id: str, lies: Lies = HONEST, **press: Any
    ) -> tuple[str, dict[str, str]]:
        """Return where the device's answer to what was pressed is sent, and the answer."""
        document = (await self.press(world, consent_id, **press)).raise_for_status().json()
        place = f"{self.link}/{consent_id}/sign/{document['challenge_id']}/passkey"
        return place, {"answer": json.dumps(self.device.get(document["options"], lies))}

    async def sign(self, world: World, consent_id: str, **press: Any) -> httpx.Response:
        """Press, or take up what the other pressed, and sign; returns the last answer."""
        try:
            place, data = await self.answers(world, consent_id, **press)
        except httpx.HTTPStatusError as no:
            return no.response
        answer: httpx.Response = await world.consent.post(place, data=data)
        return answer


def two() -> tuple[Person, Person]:
    """Return a teacher and a head of a hamlet, one with each kind of key."""
    return (
        Person("nc-01", "truong-th-lao-bao", "+84930000001", Authenticator(ES256)),
        Person("nc-02", "thon-ka-tang", "+84930000002", Authenticator(ED25519)),
    )


async def named(
    world: World, pair: tuple[Person, ...], consent_id: str, holder: str = "gdv-01"
) -> httpx.Response:
    """Let the clerk name two witnesses."""
    answer: httpx.Response = await world.consent.put(
        f"/consents/{consent_id}/witnesses",
        json={"witness_ids": [one.id for one in pair]},
        headers=world.tokens.header(holder),
    )
    return answer


async def ready(world: World) -> tuple[str, Person, Person]:
    """Register a citizen without a phone, ask her, and have two witnesses for it."""
    body = {"phone": None}
    headers = world.tokens.header("operator")
    (await world.consent.put(f"/citizens/{LAN.id}", json=body, headers=headers)).raise_for_status()
    consent_id, answer = await world.ask(LAN)
    assert answer.status_code == 201, answer.text
    pair = two()
    for one in pair:
        assert (await one.invited(world)).status_code == 200
        assert (await one.accept(world)).status_code == 200
    assert (await named(world, pair, consent_id)).status_code == 204
    return consent_id, *pair


async def standing(world: World, consent_id: str) -> str:
    """Return where a consent stands."""
    answer = await world.consent.get(
        f"/consents/{consent_id}", headers=world.tokens.header("regulator")
    )
    return str(answer.json()["standing"])


def code_of(answer: httpx.Response) -> str:
    """Return the reason of an answer to a page's script."""
    return str(answer.json()["code"])


def test_two_witnesses_bear_out_an_agreement(tmp_path: Path) -> None:
    """It waits three days; then it opens one account, and both logs are sound under every law."""

    async def scenario(world: World) -> None:
        consent_id, first, second = await ready(world)
        page = await first.read(world, consent_id)
        assert "Tài khoản thanh toán" in page.text
        signed = await first.sign(world, consent_id, decision="given", scan_hash=SCAN)
        assert signed.status_code == 200, signed.text
        assert await standing(world, consent_id) == "requested"
        shown = await second.read(world, consent_id)
        assert SCAN in shown.text
        assert 'id="scan"' not in shown.text
        assert (await second.sign(world, consent_id)).status_code == 200
        assert await standing(world, consent_id) == "waiting"
        await world.hand_in(consent_id)
        event = await world.event(consent_id)
        early = await world.open(LAN, event)
        assert early.status_code == 403
        world.clock.move_to(world.clock() + Policy().cooling_off)
        assert (await world.open(LAN, event)).status_code == 201

    play(tmp_path, scenario)


@pytest.mark.parametrize("decision", ["refused", "given"])
def test_what_they_bear_out_is_taken_back_as_easily(tmp_path: Path, decision: str) -> None:
    """By the same two, on the same page; a refusal names nobody, and sticks until then."""

    async def scenario(world: World) -> None:
        consent_id, first, second = await ready(world)
        await first.sign(world, consent_id, decision=decision)
        await second.sign(world, consent_id)
        after = {"refused": "refused", "given": "waiting"}[decision]
        assert await standing(world, consent_id) == after
        assert (await first.sign(world, consent_id, decision="withdrawn")).status_code == 200
        assert await standing(world, consent_id) == after
        assert (await second.sign(world, consent_id)).status_code == 200
        taken = {"refused": "refusal_withdrawn", "given": "withdrawn"}[decision]
        assert await standing(world, consent_id) == taken

    play(tmp_path, scenario)


def test_the_citizens_own_page_says_who_signs(tmp_path: Path) -> None:
    """It shows the text, offers no button that would need a phone, and still stops everything."""

    async def scenario(world: World) -> None:
        consent_id, _, _ = await ready(world)
        link = (await world.ask(LAN, consent_id=consent_id))[1].json()["link"]
        page = await world.consent.get(link)
        assert 'id="phoneless"' in page.text
        assert 'name="decision"' not in page.text
        assert "/passkey?" not in page.text
        pressed = await world.consent.post(f"{link}/code", data={"decision": "given"})
        assert pressed.status_code == 409
        assert "làm chứng" in pressed.text
        assert (await world.consent.post(f"{link}/not-me")).status_code == 303
        assert await standing(world, consent_id) == "disputed"

    play(tmp_path, scenario)


def test_the_other_one_heard_something_else(tmp_path: Path) -> None:
    """Then nothing is decided, and it begins anew with what the citizen really said."""

    async def scenario(world: World) -> None:
        consent_id, first, second = await ready(world)
        await first.sign(world, consent_id, decision="given")
        page = await second.read(world, consent_id)
        address = re.findall(r'action="([^"]+/dissent)"', page.text)[0]
        assert (await world.consent.post(address)).status_code == 303
        assert await standing(world, consent_id) == "requested"
        assert (await second.sign(world, consent_id, decision="refused")).status_code == 200
        assert (await first.sign(world, consent_id)).status_code == 200
        assert await standing(world, consent_id) == "refused"

    play(tmp_path, scenario)


def test_a_witness_is_told_what_it_is(tmp_path: Path) -> None:
    """A store out of reach, or what was decided meanwhile, is not said to be a wrong link."""

    async def scenario(world: World) -> None:
        consent_id, first, second = await ready(world)
        await first.sign(world, consent_id, decision="given")
        page = await second.read(world, consent_id)
        address = re.findall(r'action="([^"]+/dissent)"', page.text)[0]
        log = type(world.consent_app.state.parts.log)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(log, "read", out_of_reach)
            answers = [await world.consent.get(second.link), await world.consent.post(address)]
        for answer in answers:
            assert answer.status_code == 503
            assert sentence("store_unavailable", "vi") in answer.text
        assert (await second.sign(world, consent_id)).status_code == 200
        late = await world.consent.post(address)
        assert late.status_code == 409
        assert told("already_decided", "vi") in late.text
        assert VIETNAMESE["no_not_found"] not in late.text

    play(tmp_path, scenario)


def test_no_clerk_is_a_witness_and_no_one_twice(tmp_path: Path) -> None:
    """Each way round it is refused with its own code, and is a fact."""

    async def scenario(world: World) -> None:
        consent_id, first, second = await ready(world)
        headers = world.tokens.header("operator")

        async def why(pair: tuple[Person, ...], holder: str = "gdv-01") -> list[str]:
            answer = await named(world, pair, consent_id, holder)
            return [one["code"] for one in answer.json()["reasons"]]

        clerk = Person("nc-03", "thon-ta-rut", CLERKS["gdv-02"])
        assert (await clerk.invited(world)).json()["code"] == "witness_of_staff"
        office = Person("nc-04", OFFICE[0], "+84930000004")
        bank = Person("nc-05", ACCOUNT.bank_id, "+84930000005")
        same = Person("nc-06", first.organisation, "+84930000006")
        shared = Person("nc-07", "thon-khe-sanh", first.phone)
        for one in (office, bank, same, shared):
            await one.invited(world)
            assert (await one.accept(world)).status_code == 200
        assert await why((first, office)) == ["witness_of_asker"]
        assert await why((first, bank)) == ["witness_of_asker"]
        assert await why((first, same)) == ["witnesses_alike"]
        assert await why((first, shared)) == ["witnesses_alike"]
        assert await why((first, first)) == ["witnesses_alike"]
        assert await why((first, Person("nc-99", "x", "+84930000099"))) == ["witness_unknown"]
        assert await why((first, second), "gdv-02") == ["consent_unknown"]
        marked = passkey_id(next(iter(second.device.held)))
        await world.consent.put(f"/clerks/gdv-02/passkeys/{marked}", headers=headers)
        assert (await first.sign(world, consent_id, decision="given")).status_code == 409
        rejected = [one for one in await world.log(world.consent) if "rejected" in one["kind"]]
        assert {one["kind"] for one in rejected} == {"witness.rejected.1", "decision.rejected.1"}
        assert len(rejected) == 8

    play(tmp_path, scenario)


def test_only_the_right_device_signs_and_only_once(tmp_path: Path) -> None:
    """Not another's, not without its person, not an old answer, not for another witness's page."""

    async def scenario(world: World) -> None:
        consent_id, first, second = await ready(world)
        for lies, code in (
            (Lies(unverified=True), "passkey_unverified_user"),
            (Lies(origin="https://evil.example"), "passkey_origin"),
            (Lies(challenge=bytes(32)), "passkey_challenge"),
        ):
            refused = await first.sign(world, consent_id, decision="given", lies=lies)
            assert code_of(refused) == code
        assert (await first.sign(world, consent_id, decision="given")).status_code == 200
        stranger = Person("nc-08", "thon-huc", "+84930000008")
        await stranger.invited(world)
        await stranger.accept(world)
        assert (await stranger.read(world, consent_id)).status_code == 404
        clone = second.device.held
        count = next(iter(clone.values())).counter
        assert (await second.sign(world, consent_id)).status_code == 200
        witness: Witness = (await read_witnesses(world.consent_app.state.parts.log, second.id)).of(
            second.id
        )
        assert witness.sign_count == count + 1
        next(iter(clone.values())).counter = count
        copied = await second.sign(world, consent_id, decision="withdrawn")
        assert code_of(copied) == "passkey_counter"

    play(tmp_path, scenario)


def test_an_answer_that_was_lost_is_sent_again(tmp_path: Path) -> None:
    """The same signature twice has the effect of once; a late one has none."""

    async def scenario(world: World) -> None:
        consent_id, first, second = await ready(world)
        place, data = await first.answers(world, consent_id, decision="given")
        for _ in range(2):
            assert (await world.consent.post(place, data=data)).status_code == 200
        signed = [
            one for one in await world.log(world.consent) if one["kind"] == "witness.signed.1"
        ]
        assert len(signed) == 1
        page = await second.read(world, consent_id)
        world.clock.move_to(world.clock() + Policy().witnesses_sign_within + timedelta(seconds=1))
        found = re.search(r'name="challenge" value="([^"]+)"', page.text)
        assert found
        late = await second.sign(world, consent_id, challenge=found[1])
        assert code_of(late) == "witnessing_over"

    play(tmp_path, scenario)


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_signature_that_the_store_lost_is_sent_again(tmp_path: Path, fault: str) -> None:
    """Lost before it was durable or after, each signature is one, and both decide once."""

    async def scenario(world: World) -> None:
        consent_id, first, second = await ready(world)
        recorder = world.consent_app.state.log.recorder
        for person, decision in ((first, "given"), (second, "")):
            place, data = await person.answers(world, consent_id, decision=decision)
            break_once(recorder, fault)
            assert (await world.consent.post(place, data=data)).status_code == 503
            assert (await world.consent.post(place, data=data)).status_code == 200
        kinds = Counter(one["kind"] for one in await world.log(world.consent))
        assert (kinds["witness.signed.1"], kinds["consent.given.1"]) == (2, 1)
        assert await standing(world, consent_id) == "waiting"

    play(tmp_path, scenario)


def test_an_invitation_that_was_not_sent_is_sent_again(tmp_path: Path) -> None:
    """It is a fact by then, and stays one; the second time brings its link."""

    async def scenario(world: World) -> None:
        first, _ = two()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(world.consent_app.state.parts.sms, "send", unsent)
            answer = await first.invited(world)
        assert (answer.status_code, answer.json()["code"]) == (503, "invitation_not_sent")
        assert (await first.invited(world)).status_code == 200
        assert (await first.accept(world)).status_code == 200
        kinds = Counter(one["kind"] for one in await world.log(world.consent))
        assert (kinds["witness.invited.1"], kinds["witness.enrolled.1"]) == (1, 1)

    play(tmp_path, scenario)


async def unsent(*_: Any) -> None:
    """Raise what a gateway does that takes no message."""
    raise NotSent("out of reach")


def test_an_invitation_makes_one_witness(tmp_path: Path) -> None:
    """Repeated, it brings the same link; a newer one takes its place; what ends is over."""

    async def scenario(world: World) -> None:
        first, _ = two()
        await first.invited(world)
        link = first.link
        await first.invited(world)
        assert first.link == link
        assert (await first.accept(world, Lies(unverified=True))).status_code == 403
        assert (await first.accept(world)).status_code == 200
        assert "Chưa có việc nào" in (await world.consent.get(link)).text
        first.phone = "+84930000009"
        await first.invited(world)
        assert first.link != link
        assert (await world.consent.get(link)).status_code == 200  # until the new one is taken
        first.device = Authenticator()
        assert (await first.accept(world)).status_code == 200
        assert (await world.consent.get(link)).status_code == 404
        headers = world.tokens.header("operator")
        for _ in range(2):
            gone = await world.consent.delete(f"/witnesses/{first.id}", headers=headers)
            assert gone.status_code == 204
        assert (await world.consent.get(first.link)).status_code == 404
        assert (await world.consent.get("/w/nonsense")).status_code == 404

    play(tmp_path, scenario)


def test_the_law_finds_a_witness_who_was_none(tmp_path: Path) -> None:
    """Take away what made one a witness, or turn a byte of what was signed: law 20 tells."""

    async def scenario(world: World) -> None:
        consent_id, first, second = await ready(world)
        await first.sign(world, consent_id, decision="given")
        await second.sign(world, consent_id)
        log = await world.log(world.consent)
        keys: dict[str, Any] = {"keys": []}

        def broken(changed: list[Any]) -> bool:
            lawless = any("law 20" in one for one in violations(changed, [], keys, []))
            return lawless and bool(list(unproved(changed, PARTY)))

        assert not any("law 20" in one for one in violations(log, [], keys, []))
        assert list(unproved(log, PARTY)) == []
        enrolled = [one for one in log if one["kind"] == "witness.enrolled.1"]
        assert broken([one for one in log if one not in enrolled[:1]])
        text = json.dumps(log)
        (given,) = (one for one in log if one["kind"] == "consent.given.1")
        for one in given["data"]["evidence"]["witnesses"]:
            signature = one["signature"]["signature"]
            other = signature[:-6] + ("A" if signature[-6] != "A" else "B") + signature[-5:]
            assert broken(json.loads(text.replace(signature, other)))
        for other in (first.organisation, OFFICE[0]):
            changed = json.loads(text.replace(second.organisation, other))
            assert any("law 20" in one for one in violations(changed, [], keys, []))

    play(tmp_path, scenario)
