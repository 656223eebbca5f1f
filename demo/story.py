"""The morning of 9 August 2023 at Lao Bảo, as it should have gone: the acts, in order.

Every act says what must come of it; one that comes out otherwise makes the demo fail.
"""

import asyncio
import base64

from demo.cast import ACCOUNT, OTHER, POWER, SAVINGS
from demo.phone import Phone
from demo.stage import Stage, new_id
from shared.contracts.consent import CONSENT_EVENT
from shared.signing import KEY_VALIDITY, Key, Signer

INTRODUCTION = (
    "People of Lao Bảo have come to sign their electricity contract. Post-office clerks are there"
    " too, and want to open bank accounts. In 2023 a card and a face were enough. Here are two real"
    " services, on files in one folder, and the same morning again."
)

WRONG_CODES = ("000000", "111111", "222222", "333333", "444444", "555555")
"""Codes that somebody guesses; the right one is skipped, should it be among them."""


async def play(stage: Stage) -> None:
    """Play every act."""
    stage.show.say(INTRODUCTION)
    await without_her_consent(stage)
    agreed = await with_his_consent(stage)
    await forged(stage, agreed)
    await something_else(stage)
    late = await a_signature_to_be_used_too_late(stage)
    await guessed(stage)
    pa, yen, son = await a_quiet_hour(stage)
    await withdrawn(stage, *pa)
    await service_gone(stage, yen)
    await too_late(stage, late)
    await at_the_same_moment(stage, *son)
    await quarter_past_eleven(stage)
    await no_answer(stage)


async def without_her_consent(stage: Stage) -> None:
    """Show that a card and a face are not a will, and a signature for electricity neither."""
    stage.show.say("A card and a face are there. Her will is not.")
    mai = stage.people[0]
    stage.at(7, 5)
    await stage.open(
        mai, None, tried=f"wants an account for {mai.name}, who was not asked",
        by="gdv-01", must="rejected", must_say="consent_missing",
    )  # fmt: skip
    stage.at(7, 6)
    await stage.open(
        mai, None, tried="gets the same command, out of its own app in the clerk's hand",
        must="rejected", must_say="consent_missing",
    )  # fmt: skip
    stage.at(7, 15)
    electricity = await stage.agreed(mai, POWER, by="dien-luc")
    stage.at(7, 20)
    await stage.open(
        mai, electricity, tried="wants an account with her signature for the electricity contract",
        must="rejected", must_say="purpose_differs",
    )  # fmt: skip


async def with_his_consent(stage: Stage) -> str:
    """Show the way it is meant to go; returns the signed event, used once."""
    stage.show.say(
        "The way it is meant to go: asked, read, agreed, signed; only then photographed, and handed"
        " in; confirmed later, alone with the phone, because at a counter it may have been in"
        " another's hand; and opened by the bank."
    )
    tam = stage.people[2]
    stage.at(7, 30)
    consent_id = await stage.signed(tam)
    await stage.photographed(
        tam, consent_id, tried="photographs him with the phone of the own",
        device="own-phone", must="rejected", must_say="device_not_registered",
    )  # fmt: skip
    await stage.handed_in(tam, consent_id)
    stage.at(7, 32)
    await stage.open(
        tam, None, tried="wants to open it at once, while he is still there",
        by="gdv-01", must="rejected", must_say="consent_missing",
    )  # fmt: skip
    stage.at(8, 5)
    event = await stage.confirmed(tam, consent_id)
    stage.at(8, 6)
    await stage.open(
        tam, event, tried="wants to open it, with his true consent",
        by="gdv-01", must="rejected", must_say="bank_decides",
    )  # fmt: skip
    opening = await stage.open(tam, event, tried=f"opens the account that {tam.name} agreed to")
    await stage.confirm(opening, "1020304050")
    stage.at(8, 8)
    await stage.open(
        tam, event, tried="opens a second one with the same consent",
        must="rejected", must_say="consent_used",
    )  # fmt: skip
    return event


async def forged(stage: Stage, event: str) -> None:
    """Show what a clerk could make, or change."""
    stage.show.say("What a clerk could make, or change.")
    son = stage.people[4]
    stage.at(8, 10)
    await stage.open(
        son, _signed_by_the_clerk(stage, event), tried="signs a consent with a key of the own",
        by="gdv-01", must="rejected", must_say="key_unknown",
    )  # fmt: skip
    stage.at(8, 12)
    await stage.open(
        son, _one_byte_changed(event), tried="changes one byte of a genuine consent",
        by="gdv-01", must="rejected", must_say="signature_invalid",
    )  # fmt: skip


async def something_else(stage: Stage) -> None:
    """Show a genuine consent stretched to something else."""
    stage.show.say("A genuine consent, stretched to something else.")
    lan, son = stage.people[3], stage.people[4]
    stage.at(8, 14)
    consent_id = await stage.signed(lan)
    await stage.handed_in(lan, consent_id)
    stage.at(8, 45)
    event = await stage.confirmed(lan, consent_id)
    stretched = [
        (lan, OTHER, "gdv-01", "for another bank", "bank_differs"),
        (lan, SAVINGS, "gdv-01", "for another product", "product_differs"),
        (son, ACCOUNT, "gdv-01", f"for {son.name} instead", "subject_differs"),
        (lan, ACCOUNT, "gdv-02", "as another clerk's case", "clerk_differs"),
    ]
    for minute, (citizen, product, clerk, words, code) in enumerate(stretched, start=46):
        stage.at(8, minute)
        await stage.open(
            citizen, event, product, clerk=clerk, tried=f"uses {lan.name}'s consent {words}",
            must="rejected", must_say=code,
        )  # fmt: skip
    stage.at(8, 52)
    opening = await stage.open(lan, event, tried=f"opens what {lan.name} did agree to")
    await stage.decline(opening, "has_an_account_already")


async def a_signature_to_be_used_too_late(stage: Stage) -> str:
    """Have somebody agree and confirm; the bank will come back to it after more than an hour."""
    stage.show.say("A consent that the bank will forget for an hour.")
    nguyet = stage.people[5]
    stage.at(8, 54)
    consent_id = await stage.signed(nguyet)
    await stage.handed_in(nguyet, consent_id)
    stage.at(9, 25)
    return await stage.confirmed(nguyet, consent_id)


async def guessed(stage: Stage) -> None:
    """Five guesses, and the code is dead; then even the right one signs nothing."""
    stage.show.say("Somebody guesses the code.")
    binh = stage.people[6]
    stage.at(9, 28)
    consent_id = await stage.ask(binh)
    phone = stage.phone(binh)
    page = await phone.press(stage.links[consent_id], "given")
    right = await phone.last_code()
    for code in [code for code in WRONG_CODES if code != right][:5]:
        await phone.type_code(page, code)
    await phone.type_code(page, right)
    standing = await stage.standing(consent_id)
    outcome = "not signed" if standing == "requested" else standing
    said = "Five wrong codes end it; after that the right one signs nothing."
    stage.tell("gdv-02", f"guesses {binh.name}'s code", outcome, said, must="not signed")


Agreement = tuple[str, str]
"""A consent's id, and its signed event."""


async def a_quiet_hour(stage: Stage) -> tuple[Agreement, str, Agreement]:
    """Have five people sign at the counter and confirm later; two accounts open at once.

    Returns what the other three agreed to.
    """
    stage.show.say("Five people who do want an account. They sign, go home, and confirm.")
    people = [*stage.people[7:9], stage.people[10], stage.people[11], stage.people[4]]
    agreements = list[Agreement]()
    for minute, citizen in enumerate(people, start=35):
        stage.at(9, minute)
        agreements.append((await stage.signed(citizen), ""))
        await stage.handed_in(citizen, agreements[-1][0])
    for number, citizen in enumerate(people):
        stage.at(10, 10 + number)
        consent_id, _ = agreements[number]
        agreements[number] = consent_id, await stage.confirmed(citizen, consent_id)
    for number, citizen in enumerate(people[:2]):
        opening = await stage.open(citizen, agreements[number][1], tried="opens it")
        await stage.confirm(opening, f"90807060{number:02d}")
    return agreements[2], agreements[3][1], agreements[4]


async def withdrawn(stage: Stage, consent_id: str, event: str) -> None:
    """Show that a change of mind counts at once."""
    stage.show.say("A change of mind counts at once.")
    pa = stage.people[10]
    stage.at(10, 20)
    await stage.decide(pa, consent_id, "withdrawn", "withdrawn")
    await stage.open(
        pa, event, tried="opens it all the same", must="rejected", must_say="consent_withdrawn"
    )


async def service_gone(stage: Stage, event: str) -> None:
    """Any doubt, any outage: nothing opens; the same command later does."""
    stage.show.say("The consent service is killed in the middle of the morning.")
    yen = stage.people[11]
    stage.at(10, 29)
    stage.services.consent.kill()
    stage.at(10, 30)
    opening_id = await stage.open(
        yen, event, tried="opens an account meanwhile",
        must="nothing decided", must_say="consent_unreachable",
    )  # fmt: skip
    stage.services.consent.start()
    stage.at(10, 32)
    await stage.open(
        yen, event, tried="sends the same command again, now that it is back",
        opening_id=opening_id,
    )  # fmt: skip
    await stage.confirm(opening_id, "5566778899")


async def too_late(stage: Stage, event: str) -> None:
    """Show that a consent lasts an hour."""
    stage.show.say("A consent lasts an hour.")
    stage.at(10, 35)
    await stage.open(
        stage.people[5], event, tried="opens it after an hour and ten minutes",
        must="rejected", must_say="consent_expired",
    )  # fmt: skip


async def at_the_same_moment(stage: Stage, consent_id: str, event: str) -> None:
    """Withdrawal and opening race; the log says who was first."""
    stage.show.say("A withdrawal and an opening, sent at the same moment.")
    son = stage.people[4]
    stage.at(10, 45)
    phone: Phone = stage.phone(son)
    page = await phone.press(stage.links[consent_id], "withdrawn")
    code = await phone.last_code()
    opening, _ = await asyncio.gather(
        stage.put_opening(son, event, opening_id=new_id()), phone.type_code(page, code)
    )
    positions = (await stage.read(consent_id))["positions"]
    redeemed, gone = positions.get("redeemed"), positions.get("withdrawn")
    opened = opening.status_code == 201
    if opened:
        said = f"The opening was first: used at position {redeemed}, withdrawn at {gone}."
        true = redeemed is not None and redeemed < gone
    else:
        said = f"The withdrawal was first, at position {gone}; the consent was never used."
        true = redeemed is None
    one = "one winner" if true and gone else "two stories"
    stage.tell(son.name, "withdraws while the bank opens", one, said, must="one winner")


async def quarter_past_eleven(stage: Stage) -> None:
    """Mr Trần Đức Hiếu says no."""
    stage.show.say("11:15. Mr Trần Đức Hiếu says no, and it stays said.")
    hieu = stage.people[1]
    stage.at(11, 15)
    consent_id = await stage.ask(hieu)
    await stage.photographed(
        hieu, consent_id, tried="photographs his card and his face while he reads",
        must="rejected", must_say="capture_before_consent",
    )  # fmt: skip
    await stage.decide(hieu, consent_id, "refused", "refused")
    stage.at(11, 20)
    await stage.ask(hieu, by="gdv-02", must="rejected", must_say="refused_before")
    stage.at(11, 22)
    await stage.ask(hieu, OTHER, by="gdv-03", must="rejected", must_say="refused_before")


async def no_answer(stage: Stage) -> None:
    """No answer is not a yes."""
    stage.show.say("No answer is not a yes.")
    mai = stage.people[0]
    stage.at(11, 30)
    consent_id = await stage.ask(mai)
    stage.at(11, 31, day=10)
    standing = await stage.standing(consent_id)
    outcome = "no answer" if standing == "lapsed" else standing
    said = "After 24 hours the question has lapsed; nothing can be opened with it."
    stage.tell(mai.name, "does not answer until the next day", outcome, said, must="no answer")


def _signed_by_the_clerk(stage: Stage, event: str) -> str:
    """Return the event's payload, signed by a key that the clerk made."""
    from joserfc.jwk import OKPKey  # noqa: PLC0415 - the clerk brings the own tools

    payload = event.split(".")[1]
    content = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    now = stage.clock()
    key = Key(OKPKey.generate_key("Ed25519"), now - KEY_VALIDITY, now + KEY_VALIDITY)
    return Signer("consent", [key]).sign(CONSENT_EVENT, content, now)


def _one_byte_changed(event: str) -> str:
    middle = len(event) // 2
    other = "A" if event[middle] != "A" else "B"
    return event[:middle] + other + event[middle + 1 :]
