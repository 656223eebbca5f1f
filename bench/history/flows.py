"""What becomes of one question, in all the ways in which it ordinarily goes.

A flow ends where the gate is closed: then the rules reject, and the rejection is recorded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from bench.history.case import Case
from bench.history.looking import look_at_account, look_at_question, minutes, pace
from bench.history.rejecting import (
    reject_answer,
    reject_capture,
    reject_decision,
    reject_request,
    reject_use,
)
from bench.history.world import Steps
from services.accounts.facts import AccountClosed, AccountFrozenByBank
from services.consent.facts import (
    SignatureFailed,
)
from shared.contracts.consent import Channel, Decision, Grade, Waits
from shared.contracts.evidence import Evidence
from shared.looks import ReadFor

# -- asked, and agreed ----------------------------------------------------------------------------


def agreed(case: Case) -> Steps:
    """Ask, show, sign; and at a counter photograph and hand in; confirm what waits for that."""
    world = case.world
    if not asked(case):
        return
    yield pace(case)
    case.serve()
    if case.place and world.chance.random.random() < 0.2:
        look_at_question(case, f"clerk:{case.place.clerk_id}", ReadFor.OWN_QUESTION)
    yield pace(case)
    yield from signed(case)
    if case.place:
        yield minutes(1, 6, world)
        if not handed_in(case):
            return
    yield from settled(case)


def asked(case: Case) -> bool:
    """Ask where the gate is open; else record that the rules did not let it."""
    if reasons := case.world.closed(case.product.bank_id, case.place, case.person.id):
        reject_request(case, reasons)
        return False
    case.ask()
    return True


def signed(case: Case) -> Steps:
    """Agree: with a code, a passkey, or before two witnesses."""
    world, chance = case.world, case.world.chance
    if case.way.grade is Grade.WITNESSED:
        yield from witnessed(case)
        return
    asked = case.press(Decision.GIVEN)
    yield timedelta(seconds=chance.random.randint(15, 200 if case.place else 90))
    if case.way.grade is Grade.OTP and chance.random.random() < 0.05:
        failed = SignatureFailed(
            consent_id=case.consent_id,
            challenge_id=asked.challenge_id,
            reason="code_wrong",
            policy_version=world.policy.version,
        )
        case.put(failed)
        yield timedelta(seconds=20)
    case.sign(asked)


def witnessed(case: Case) -> Steps:
    """Agree before two, of different organisations, who sign one after the other."""
    world = case.world
    first, second = case.pair or world.chance.random.sample(world.witnesses, 2)
    case.name_witnesses((first, second))
    yield minutes(1, 5, world)
    asked = case.press(Decision.GIVEN)
    yield minutes(1, 5, world)
    one = case.witness(asked, first)
    yield minutes(1, 30, world)
    both = [one, case.witness(asked, second)]
    case.decide(asked, Evidence(grade=Grade.WITNESSED, witnesses=both))


def handed_in(case: Case) -> bool:
    """Photograph and hand in; else record that the rules did not let it."""
    world, place = case.world, case.place
    assert place
    reasons = world.closed(case.product.bank_id, place, case.person.id)
    reasons += [] if world.has_device(place) else ["device_not_registered"]
    if reasons:
        reject_capture(case, reasons)
        return False
    case.capture()
    case.submit()
    return True


def settled(case: Case) -> Steps:
    """Wait for what an agreement waits for: its confirmation, or its time."""
    world = case.world
    if case.given is None:
        return
    match case.given.statement.waits_for:
        case Waits.CONFIRMATION:
            until = case.given.statement.expires_at - world.now - timedelta(hours=1)
            after = case.given.statement.not_before - world.now
            yield min(after + minutes(1, 1_200, world), until)
            challenge = case.press(Decision.CONFIRMED)
            yield timedelta(seconds=world.chance.random.randint(15, 200))
            case.sign(challenge)
        case Waits.TIME:
            yield case.given.statement.not_before - world.now + minutes(5, 600, world)
        case _:
            yield minutes(0.2, 5, world)


# -- and used -------------------------------------------------------------------------------------


def opened(case: Case) -> Steps:
    """Agree, and let the bank open the account, answer, and look at it."""
    yield from agreed(case)
    if case.given is None or (case.place and "opening.submitted.1" not in case.places):
        return
    yield minutes(0.1, 20, case.world)
    yield from used(case)
    if case.opened:
        yield from answered(case)


def used(case: Case) -> Steps:
    """Use the consent, and open the account; else record that the gate is closed."""
    case.send()
    if reasons := case.world.closed(case.product.bank_id, case.place, case.person.id):
        reject_use(case, reasons)
        return
    case.use()
    yield timedelta(milliseconds=case.world.chance.random.randint(2, 40))
    case.open()


def plain(case: Case) -> Steps:
    """Agree, open, confirm, and nothing else."""
    yield from agreed(case)
    yield minutes(0.1, 20, case.world)
    yield from used(case)
    yield minutes(1, 120, case.world)
    case.confirm()


def answered(case: Case) -> Steps:
    """Let the bank confirm or decline, and look some times."""
    world, random = case.world, case.world.chance.random
    yield minutes(1, 120, world)
    if declined := random.random() < 0.05:
        case.decline(signed=True)
    else:
        case.confirm()
    if random.random() < 0.02:
        reject_answer(case)
    if not declined and random.random() < 0.05:
        yield from ended(case)
    for _ in range(random.randint(2, 18)):
        yield minutes(61, 1_500, world)
        if random.random() < 0.1:
            look_at_account(case, "regulator:nhnn", ReadFor.SUPERVISION)
        else:
            look_at_account(case, f"bank:{case.product.bank_id}", ReadFor.OWN_QUESTION)


def ended(case: Case) -> Steps:
    """Let the bank freeze its account for a while, and close it, or only that."""
    random, world = case.world.chance.random, case.world
    if random.random() < 0.5:
        yield minutes(61, 1_500, world)
        case.order(AccountFrozenByBank, "under_review")
    yield minutes(61, 1_500, world)
    case.order(AccountClosed, "at_request")


def withdrawn(case: Case) -> Steps:
    """Open, or only agree, and take it back."""
    flow = opened(case) if case.world.chance.random.random() < 0.5 else agreed(case)
    yield from flow
    if case.given is None:
        return
    yield minutes(1, 15, case.world)
    if not case.opened and case.world.now >= case.given.statement.expires_at:
        return
    challenge = case.press(Decision.WITHDRAWN)
    yield timedelta(seconds=40)
    case.sign(challenge)


def disputed(case: Case) -> Steps:
    """Open, and say afterwards that it was not them."""
    yield from opened(case)
    if case.question is None:
        return
    yield minutes(30, 9_000, case.world)
    case.dispute()
    yield from stopped(case)


def voided(case: Case) -> Steps:
    """Open, and let two organisations find it void."""
    yield from opened(case)
    if case.given is None:
        return
    yield minutes(300, 9_000, case.world)
    case.claim(f"bank:{case.product.bank_id}")
    case.propose_void()
    yield minutes(60, 3_000, case.world)
    case.invalidate()
    yield from stopped(case)


def stopped(case: Case) -> Steps:
    """Let accounts know, which freezes what was opened."""
    yield timedelta(milliseconds=30)
    case.receive_stop()
    yield timedelta(milliseconds=10)
    case.deliver_stop()


# -- not agreed -----------------------------------------------------------------------------------


def refused(case: Case) -> Steps:
    """Refuse; some take it back later."""
    world = case.world
    if not asked(case):
        return
    yield pace(case)
    case.serve()
    yield pace(case)
    challenge = case.press(Decision.REFUSED)
    yield timedelta(seconds=50)
    case.sign(challenge)
    if world.chance.random.random() < 0.3:
        yield minutes(60, 9_000, world)
        challenge = case.press(Decision.WITHDRAWN)
        yield timedelta(seconds=50)
        case.sign(challenge)


def lapsed(case: Case) -> Steps:
    """Read, and never answer; later somebody presses a button all the same."""
    world = case.world
    if not asked(case):
        return
    yield minutes(1, 4, world)
    case.serve()
    if case.question and world.chance.random.random() < 0.4:
        yield case.question.decide_by - world.now + minutes(5, 600, world)
        reject_decision(case, ["request_expired"])


# -- the mix --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of ordinary case: how often it comes, how it goes, how somebody is asked and signs."""

    weight: int
    flow: Callable[[Case], Steps]
    channel: Channel
    grade: Grade
    known: bool = True
    spoken: bool = False


COUNTER, ONLINE = Channel.COUNTER, Channel.ONLINE
KINDS = [
    Kind(22, opened, COUNTER, Grade.OTP),
    Kind(14, opened, ONLINE, Grade.OTP),
    Kind(8, opened, ONLINE, Grade.KEY_UV),
    Kind(6, opened, COUNTER, Grade.KEY_UV),
    Kind(4, opened, COUNTER, Grade.WITNESSED, known=False),
    Kind(3, opened, COUNTER, Grade.OTP, known=False),
    Kind(3, opened, COUNTER, Grade.OTP, spoken=True),
    Kind(8, agreed, COUNTER, Grade.OTP),
    Kind(10, refused, COUNTER, Grade.OTP),
    Kind(6, refused, ONLINE, Grade.OTP),
    Kind(8, lapsed, COUNTER, Grade.OTP),
    Kind(4, withdrawn, ONLINE, Grade.OTP),
    Kind(3, withdrawn, COUNTER, Grade.KEY_UV),
    Kind(3, disputed, COUNTER, Grade.OTP),
    Kind(2, voided, ONLINE, Grade.OTP),
]
"""How often each comes of a hundred or so."""
