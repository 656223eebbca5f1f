"""The kinds of decisions that openings race: how each consent is made, and what is sent about it.

Where nothing may open before the decision, whoever opens has more than any clerk could have: the
code to agree, and a document that the consent service's own key signed too early.
"""

import asyncio
import secrets
from dataclasses import replace
from datetime import timedelta
from functools import partial

import httpx
from msgspec import UNSET

from demo.cast import KNOWN_SINCE, OFFICE, SITE
from demo.commands import command
from services.consent.application.deciding import Deciding
from services.consent.facts import Right
from services.consent.gate import RIGHTS, right_id
from services.consent.policy import Policy
from services.consent.statements import consent_event
from shared.contracts.consent import CONSENT_EVENT, Decision, Statement
from tests.support.race_consents import (
    BANK,
    CLERK,
    Asked,
    Signing,
    agree,
    agree_at_an_own_office,
    agree_at_the_counter,
    agree_with_a_new_phone,
    ask,
    confirm,
    press,
)
from tests.support.races import ACT, OPENING, Course, Kind, Place, Round, Send
from tests.support.world import new_id

COMMAND_HASH = "0" * 64
"""What a redemption is for where no command follows it."""


# -- what is sent -------------------------------------------------------------------------------


def sign(
    course: Course, asked: Asked, signing: Signing, by: httpx.AsyncClient | None = None
) -> Send:
    """Return how a citizen's page sends a code, to another process than decides if it is given."""
    client = by or course.consent
    link = course.parts.codes.link(asked.consent_id)
    path, fields = f"/c/{link}/sign/{signing.challenge_id}", {"code": signing.code, "lang": "vi"}
    return partial(client.post, path, data=fields)


async def put(course: Course, asked: Asked, event: str, opening_id: str) -> httpx.Response:
    """Send the command to open an account with a document."""
    body = {**command(asked.citizen, event), **asked.place}
    headers = course.both.tokens.header(BANK)
    return await course.accounts.put(f"/openings/{opening_id}", json=body, headers=headers)


async def redeem(
    course: Course, asked: Asked, statement: Statement, opening_id: str
) -> httpx.Response:
    """Use the consent at the gate itself, as accounts does once it has checked all."""
    said = {"statement_hash": statement.hash(), "command_hash": COMMAND_HASH}
    path, headers = f"/consents/{asked.consent_id}", course.both.tokens.header("accounts")
    body = {"redemption_id": opening_id, **said}
    return await course.gate.post(f"{path}/redemptions", json=body, headers=headers)


async def published(course: Course, asked: Asked) -> str | None:
    """Return the signed event, if whoever asked can read it already."""
    headers = course.both.tokens.header(asked.holder)
    answer = await course.gate.get(f"/consents/{asked.consent_id}", headers=headers)
    event: str | None = answer.json()["event"]
    return event


def too_early(course: Course, agreed: Statement) -> str:
    """Return an event for an agreement that was not signed, or not confirmed, by the real key."""
    parts, at = course.parts, course.parts.now()
    usable = consent_event(parts.signer.issuer, replace(agreed, waits_for=UNSET), at)
    assert usable
    event = replace(usable, statement=agreed, statement_hash=agreed.hash())
    return parts.sign(CONSENT_EVENT, event, at)


def a_round(course: Course, asked: Asked, act: Send | None, event: str) -> Round:
    """Return the round of a consent whose event is there."""
    opening_id = new_id()
    due = asked.agreed.not_before if asked.agreed and act is None else None
    return Round(
        citizen_id=asked.citizen.id,
        consent_id=asked.consent_id,
        opening_id=opening_id,
        act=act,
        opening=partial(put, course, asked, event, opening_id),
        due=due,
    )


# -- rounds -------------------------------------------------------------------------------------


async def event_of(course: Course, asked: Asked) -> str:
    """Return the event of an agreement."""
    event = (await Deciding(course.parts).consent(asked.consent_id)).consent.event
    assert event
    return event


async def withdrawal(course: Course, asked: Asked) -> Round:
    """The citizen takes the agreement back."""
    act = sign(course, asked, await press(course, asked, Decision.WITHDRAWN))
    return a_round(course, asked, act, await event_of(course, asked))


async def dispute(course: Course, asked: Asked) -> Round:
    """The citizen says that it was not them."""
    path = f"/c/{course.parts.codes.link(asked.consent_id)}/not-me"
    act = partial(course.consent.post, path, data={"lang": "vi"})
    return a_round(course, asked, act, await event_of(course, asked))


ORDERS = (
    ("overseer", "clerk_id", CLERK),
    ("manager", "office_id", OFFICE[0]),
    ("host", "site_id", SITE[0]),
    ("so-viet", "bank_id", BANK),
)
"""Who suspends what at a counter, in turn."""


async def suspension(course: Course, asked: Asked) -> Round:
    """Whoever answers for it suspends what is done in this name: for the bank, or at a counter."""
    holder, noun, own_id = ORDERS[secrets.randbelow(len(ORDERS))] if asked.clerk else ORDERS[-1]
    body = {noun: own_id, "citizen_id": asked.citizen.id, "why": "complaints"}
    path, headers = f"/suspensions/{new_id()}", course.both.tokens.header(holder)
    act = partial(course.consent.put, path, json=body, headers=headers)
    return a_round(course, asked, act, await event_of(course, asked))


async def suspension_at_the_counter(course: Course, asked: Asked) -> Round:
    """The citizen confirmed what a clerk asked; then somebody suspends what is done there."""
    await confirm(course, asked)
    return await suspension(course, asked)


async def own_suspension(course: Course, asked: Asked) -> Round:
    """The citizen says “open nothing in my name” on their own page."""
    parts = course.parts
    link = parts.codes.page_link(asked.citizen.id, int(parts.now().timestamp()) + 60)
    act = partial(course.consent.post, f"/me/{link}/suspension", data={"lang": "vi"})
    return a_round(course, asked, act, await event_of(course, asked))


ENDINGS = (
    ("operator", Right.REGISTRATION, "registration", None),
    (BANK, Right.CONTRACT, "contracts", "bank_id"),
    ("operator", Right.TRAINING, "trainings", "clerk_id"),
    ("host", Right.PERMISSION, "permissions", "site_id"),
)
"""Who ends which right of an office, at what address, and what else it is about."""


async def end_of_a_right(course: Course, asked: Asked) -> Round:
    """Whoever answers for a right puts it again with its end, which is now."""
    await confirm(course, asked)
    holder, right, path, name = secrets.choice(ENDINGS)
    office_id, of = (
        asked.place["office_id"],
        {**asked.place, "bank_id": BANK}[name] if name else None,
    )
    address = "/".join(["/offices", str(office_id), path, *([of] if of else [])])
    headers = course.both.tokens.header(holder)

    async def act() -> httpx.Response:
        term = {"valid_from": KNOWN_SINCE, "valid_until": course.clock().isoformat()}
        return await course.consent.put(address, json=term, headers=headers)

    one = a_round(course, asked, act, await event_of(course, asked))
    return replace(one, act_id=right_id(right, str(office_id), of))


async def erasure(course: Course, asked: Asked) -> Round:
    """The operator erases the citizen, which nothing open allows."""
    headers = course.both.tokens.keyed("operator")
    path, body = f"/citizens/{asked.citizen.id}/erasure", {"ground": "request"}
    act = partial(course.consent.post, path, json=body, headers=headers)
    return a_round(course, asked, act, await event_of(course, asked))


async def cooling_off(course: Course, asked: Asked) -> Round:
    """The time to think it over ends."""
    return a_round(course, asked, None, await event_of(course, asked))


async def refusal(course: Course, asked: Asked) -> Round:
    """The citizen refuses, while whoever has the code to agree agrees, and opens."""
    given = await press(course, asked, Decision.GIVEN)
    act = sign(course, asked, await press(course, asked, Decision.REFUSED))
    one = a_round(course, asked, act, "")

    async def opening() -> httpx.Response:
        await sign(course, asked, given, course.gate)()
        event = await published(course, asked) or too_early(course, given.statement)
        return await put(course, asked, event, one.opening_id)

    return replace(one, opening=opening)


async def refusal_at_the_gate(course: Course, asked: Asked) -> Round:
    """The citizen refuses, another agrees, and the consent is used, all at once."""
    given = await press(course, asked, Decision.GIVEN)
    act = sign(course, asked, await press(course, asked, Decision.REFUSED))
    one = a_round(course, asked, act, "")

    async def opening() -> httpx.Response:
        agreeing = asyncio.create_task(sign(course, asked, given, course.gate)())
        answer = await redeem(course, asked, given.statement, one.opening_id)
        await agreeing
        return answer

    return replace(one, opening=opening)


async def confirmation(course: Course, asked: Asked) -> Round:
    """The citizen confirms, while the clerk opens with whatever is there to be read."""
    act = sign(course, asked, await press(course, asked, Decision.CONFIRMED))
    one = a_round(course, asked, act, "")
    assert asked.agreed
    unconfirmed = too_early(course, asked.agreed)

    async def opening() -> httpx.Response:
        event = await published(course, asked) or unconfirmed
        return await put(course, asked, event, one.opening_id)

    return replace(one, opening=opening)


async def confirmation_at_the_gate(course: Course, asked: Asked) -> Round:
    """The citizen confirms, while the consent is used."""
    act = sign(course, asked, await press(course, asked, Decision.CONFIRMED))
    one, agreed = a_round(course, asked, act, ""), asked.agreed
    assert agreed
    return replace(one, opening=partial(redeem, course, asked, agreed, one.opening_id))


# -- who was first ------------------------------------------------------------------------------


def stopped(acted: Place, used: Place) -> str:
    """Hold that nothing is used after what stops it; that is never rejected."""
    assert acted, "nothing rejects it"
    assert used is None or used < acted, (acted, used)
    return OPENING if used else ACT


def refused(acted: Place, used: Place) -> str:
    """Hold that nothing refused is used."""
    assert acted is None or used is None, (acted, used)
    return ACT if acted else OPENING


def erased(acted: Place, used: Place) -> str:
    """Hold that the consent is used, and its citizen not erased before."""
    assert used, "nothing stops the use"
    assert acted is None or used < acted, (acted, used)
    return OPENING if acted else ACT


def allowed(acted: Place, used: Place) -> str:
    """Hold that nothing is used before what allows it."""
    assert used is None or (acted is not None and acted < used), (acted, used)
    return ACT if used else OPENING


def _why(*codes: str) -> frozenset[str]:
    return frozenset(codes)


CONFIRM_AFTER = Policy().confirm_after + timedelta(seconds=1)

KINDS = {
    "withdrawal": Kind(
        agree=agree,
        meet=withdrawal,
        fact="consent.withdrawn.1",
        first=stopped,
        denied=_why("consent_withdrawn"),
    ),
    "dispute": Kind(
        agree=agree,
        meet=dispute,
        fact="consent.disputed.1",
        first=stopped,
        denied=_why("consent_disputed"),
    ),
    "suspension": Kind(
        agree=agree,
        meet=suspension,
        fact="suspension.ordered.1",
        first=stopped,
        denied=_why("citizen_suspended"),
    ),
    "suspension, at a counter": Kind(
        agree=agree_at_the_counter,
        meet=suspension_at_the_counter,
        wait=CONFIRM_AFTER,
        fact="suspension.ordered.1",
        first=stopped,
        denied=_why("citizen_suspended"),
    ),
    "own suspension": Kind(
        agree=agree,
        meet=own_suspension,
        fact="suspension.ordered.1",
        first=stopped,
        denied=_why("citizen_suspended"),
    ),
    "end of a right": Kind(
        agree=agree_at_an_own_office,
        meet=end_of_a_right,
        wait=CONFIRM_AFTER,
        fact="right.granted.1",
        first=stopped,
        denied=_why(*(RIGHTS[right].code for _, right, *_ in ENDINGS)),
    ),
    "refusal": Kind(
        agree=ask,
        meet=refusal,
        fact="consent.refused.1",
        first=refused,
        denied=_why("consent_refused"),
    ),
    "refusal, at the gate": Kind(
        agree=ask,
        meet=refusal_at_the_gate,
        fact="consent.refused.1",
        first=refused,
        denied=_why("consent_refused", "consent_not_given"),
        at_gate=True,
    ),
    "confirmation": Kind(
        agree=agree_at_the_counter,
        meet=confirmation,
        wait=CONFIRM_AFTER,
        fact="consent.confirmed.1",
        first=allowed,
        denied=_why("consent_unconfirmed"),
    ),
    "confirmation, at the gate": Kind(
        agree=agree_at_the_counter,
        meet=confirmation_at_the_gate,
        wait=CONFIRM_AFTER,
        fact="consent.confirmed.1",
        first=allowed,
        denied=_why("consent_unconfirmed"),
        at_gate=True,
    ),
    "end of cooling-off": Kind(
        agree=agree_with_a_new_phone,
        meet=cooling_off,
        apart=True,
        fact="consent.given.1",
        first=allowed,
        denied=_why("consent_not_yet"),
    ),
    "erasure": Kind(
        agree=agree,
        meet=erasure,
        fact="citizen.erased.1",
        first=erased,
        denied=_why(),
    ),
}
"""Every kind by its name."""

STOPS = tuple(name for name, kind in KINDS.items() if kind.first is stopped)
"""What stops an opening at once, for good, and is never rejected."""
