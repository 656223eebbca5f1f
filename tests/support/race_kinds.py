"""The kinds of decisions that openings race: how each consent is made, and what is sent about it.

Where nothing may open before the decision, whoever opens has more than any clerk could have: the
code to agree, and a document that the consent service's own key signed too early.
"""

import asyncio
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import httpx
import msgspec
from msgspec import UNSET

from demo.cast import KNOWN_SINCE, OFFICE, SITE, Citizen
from demo.commands import command, question, sitting
from services.consent.application.asking import Asking
from services.consent.application.deciding import Deciding, Pressed
from services.consent.application.registering import Registering
from services.consent.application.submitting import Submitting, Taken
from services.consent.facts import ConsentRequested
from services.consent.policy import Policy
from services.consent.statements import consent_event
from shared.contracts.consent import CONSENT_EVENT, Channel, Decision, Statement
from tests.support.races import ACT, OPENING, Course, Kind, Place, Round, Send
from tests.support.world import new_id

CLERK, BANK = "gdv-01", "so-viet"

COMMAND_HASH = "0" * 64
"""What a redemption is for where no command follows it."""


@dataclass(frozen=True)
class Asked:
    """A consent that a clerk asked for, or else the bank; and what its citizen agreed to."""

    citizen: Citizen
    consent_id: str
    clerk: str | None
    agreed: Statement | None = None

    @property
    def holder(self) -> str:
        """Return who asked."""
        return self.clerk or BANK


@dataclass(frozen=True)
class Signing:
    """A statement that waits for its code, and the code."""

    challenge_id: str
    statement: Statement
    code: str


# -- making a consent ---------------------------------------------------------------------------


async def ask(course: Course, clerk: str | None = None, known_since: str = KNOWN_SINCE) -> Asked:
    """Have a new citizen asked, whose phone is known since then; the notice is shown."""
    parts, citizen, consent_id = course.parts, course.citizen(), new_id()
    since = msgspec.convert(known_since, datetime) if known_since else None
    await Registering(parts).register_citizen(citizen.id, citizen.phone, since)
    asked_at = parts.now()
    asked = ConsentRequested(
        consent_id=consent_id,
        channel=Channel.COUNTER if clerk else Channel.ONLINE,
        asked_by=f"clerk:{clerk}" if clerk else f"bank:{BANK}",
        asked_at=asked_at,
        decide_by=asked_at + timedelta(hours=1),
        **question(citizen, clerk=clerk),
    )
    await Asking(parts).ask(asked)
    await Deciding(parts).show(consent_id, "vi")
    return Asked(citizen, consent_id, clerk)


async def agree(course: Course, clerk: str | None = None, known_since: str = KNOWN_SINCE) -> Asked:
    """Have a new citizen asked, and agree."""
    asked = await ask(course, clerk, known_since)
    signing = await press(course, asked, Decision.GIVEN)
    deciding = Deciding(course.parts)
    await deciding.sign_with_code(asked.consent_id, signing.challenge_id, signing.code, host=None)
    return replace(asked, agreed=signing.statement)


async def agree_at_the_counter(course: Course) -> Asked:
    """Have a citizen agree before a clerk, who hands it in: it waits for the confirmation."""
    asked, submitting = await agree(course, CLERK), Submitting(course.parts)
    pictures, at = sitting(course.parts.now()), course.parts.now()
    taken, who = Taken(**{**pictures, "taken_at": at}), f"clerk:{CLERK}"
    await submitting.capture(asked.consent_id, new_id(), taken, who)
    await submitting.submit(asked.consent_id, who)
    return asked


async def agree_with_a_new_phone(course: Course) -> Asked:
    """Have a citizen agree with a phone that nobody knew before: it waits for its time."""
    return await agree(course, None, "")


async def press(course: Course, asked: Asked, decision: Decision) -> Signing:
    """Press the button of a decision, and have the code for it."""
    deciding = Deciding(course.parts)
    pressed = Pressed(decision=decision, lang="vi", host=None)
    challenge_id = await deciding.ask_code(asked.consent_id, pressed)
    view = await deciding.consent(asked.consent_id)
    statement = view.consent.challenges[challenge_id].asked.statement
    return Signing(challenge_id, statement, course.parts.codes.code(statement.hash()))


# -- what is sent -------------------------------------------------------------------------------


def sign(course: Course, asked: Asked, signing: Signing) -> Send:
    """Return how a citizen's page sends a code."""
    link = course.parts.codes.link(asked.consent_id)
    path, fields = f"/c/{link}/sign/{signing.challenge_id}", {"code": signing.code, "lang": "vi"}
    return partial(course.consent.post, path, data=fields)


async def put(course: Course, asked: Asked, event: str, opening_id: str) -> httpx.Response:
    """Send the command to open an account with a document."""
    body = command(asked.citizen, event, clerk=asked.clerk)
    headers = course.both.tokens.header(BANK)
    return await course.accounts.put(f"/openings/{opening_id}", json=body, headers=headers)


async def redeem(
    course: Course, asked: Asked, statement: Statement, opening_id: str
) -> httpx.Response:
    """Use the consent at the gate itself, as accounts does once it has checked all."""
    said = {"statement_hash": statement.hash(), "command_hash": COMMAND_HASH}
    path, headers = f"/consents/{asked.consent_id}", course.both.tokens.header("accounts")
    body = {"redemption_id": opening_id, **said}
    return await course.consent.post(f"{path}/redemptions", json=body, headers=headers)


async def published(course: Course, asked: Asked) -> str | None:
    """Return the signed event, if whoever asked can read it already."""
    headers = course.both.tokens.header(asked.holder)
    answer = await course.consent.get(f"/consents/{asked.consent_id}", headers=headers)
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
    signing = await press(course, asked, Decision.CONFIRMED)
    deciding = Deciding(course.parts)
    await deciding.sign_with_code(asked.consent_id, signing.challenge_id, signing.code, host=None)
    return await suspension(course, asked)


async def erasure(course: Course, asked: Asked) -> Round:
    """The operator erases the citizen, which nothing open allows."""
    headers = course.both.tokens.header("operator")
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
        await sign(course, asked, given)()
        event = await published(course, asked) or too_early(course, given.statement)
        return await put(course, asked, event, one.opening_id)

    return replace(one, opening=opening)


async def refusal_at_the_gate(course: Course, asked: Asked) -> Round:
    """The citizen refuses, another agrees, and the consent is used, all at once."""
    given = await press(course, asked, Decision.GIVEN)
    act = sign(course, asked, await press(course, asked, Decision.REFUSED))
    one = a_round(course, asked, act, "")

    async def opening() -> httpx.Response:
        agreeing = asyncio.create_task(sign(course, asked, given)())
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
