"""Deeds about being asked, shown and agreeing, done as an insider with all keys could do them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.history.case import Case
from bench.history.flows import agreed, plain
from bench.history.keys import Device
from bench.history.lives import enrolled, invite, registered
from bench.history.looking import minutes, pace
from bench.history.planted import Broken, Deed
from bench.history.world import Steps
from services.consent.facts import (
    PasskeyRevoked,
    PurposeGiven,
    RepresentativeEnded,
)
from shared.contracts.consent import Channel, Decision, Grade

GIVEN, REFUSED, ASKED = "consent.given.1", "consent.refused.1", "signature.asked.1"
SERVED, BESIDE = "notice.served.1", "purpose.given.1"
CONFIRMED = "consent.confirmed.1"
WITHDRAWN, ASKED_IT = "consent.withdrawn.1", "consent.requested.1"
COUNTER = Channel.COUNTER


def changed(**changes: Any) -> Any:
    """Return what changes fields of a fact."""
    return lambda case, fact: replace(fact, **changes)


def marked(*names: str) -> Any:
    """Return what puts other marks, or digests, into fields."""
    return lambda case, fact: replace(fact, **{name: case.world.chance.mark() for name in names})


def left_out(case: Case, fact: Any) -> None:
    """Leave a fact out."""


# -- shown and asked ------------------------------------------------------------------------------


def asked_first(case: Case) -> Steps:
    """Send a code before anything is shown; then show, and go on."""
    case.ask()
    yield pace(case)
    case.press(Decision.GIVEN)
    yield pace(case)
    case.serve()
    yield pace(case)
    challenge = case.press(Decision.GIVEN)
    yield timedelta(seconds=30)
    case.sign(challenge)


def _another_statement(case: Case, fact: Any) -> Any:
    return replace(fact, statement=replace(fact.statement, nonce=case.world.chance.mark()[:32]))


def _not_chosen(case: Case) -> Steps:
    """Record a side purpose to which nobody said yes."""
    yield from agreed(case)
    assert case.given
    case.put(
        PurposeGiven(
            consent_id=case.consent_id,
            citizen_id=case.person.id,
            bank_id=case.product.bank_id,
            purpose="partner-sharing",
            statement_hash=case.given.statement_hash,
            policy_version=case.world.policy.version,
        )
    )


def decided(*decisions: Decision) -> Callable[[Case], Steps]:
    """Return the steps in which several decisions are signed of one question."""

    def steps(case: Case) -> Steps:
        case.ask()
        yield pace(case)
        case.serve()
        for decision in decisions:
            yield pace(case)
            challenge = case.press(decision)
            yield timedelta(seconds=40)
            case.sign(challenge)

    return steps


def _too_late(case: Case) -> Steps:
    """Agree when the time to decide is over."""
    case.ask()
    yield pace(case)
    case.serve()
    assert case.question
    yield case.question.decide_by - case.world.now + minutes(2, 90, case.world)
    case.sign(case.press(Decision.GIVEN))


def _with_an_old_code(case: Case) -> Steps:
    """Agree with a code that had run out, while there was still time to decide."""
    case.ask()
    yield pace(case)
    case.serve()
    challenge = case.press(Decision.GIVEN)
    yield challenge.expires_at - case.world.now + minutes(2, 30, case.world)
    case.sign(challenge)


def _otherwise(case: Case) -> Steps:
    """Ask for one account, and let another be signed."""
    case.ask()
    yield pace(case)
    own = case.product
    others = [one for one in case.world.products if one.bank_id == own.bank_id and one != own]
    case.product = others[0]
    case.serve()
    yield pace(case)
    case.sign(case.press(Decision.GIVEN))


def _withdrawn_later(case: Case) -> Steps:
    """Open an account, and take the agreement back."""
    yield from plain(case)
    yield minutes(5, 900, case.world)
    challenge = case.press(Decision.WITHDRAWN)
    yield timedelta(seconds=40)
    case.sign(challenge)


def _named(case: Case) -> Steps:
    """Refuse under one's own name."""
    case.refuser_named = True
    return decided(Decision.REFUSED)(case)


# -- with whose phone or passkey ------------------------------------------------------------------


def _phone_of_staff(case: Case, fact: Any) -> Any:
    return replace(fact, phone_id=case.world.chance.random.choice(case.world.staff_phones))


def _phone_of_another(case: Case) -> Steps:
    """Sign with the phone of somebody else who is registered."""
    other = registered(case.world)
    case.twists = {ASKED: lambda fact: replace(fact, phone_id=other.phone_id)}
    return agreed(case)


def _device_of_another(case: Case) -> Steps:
    """Sign with a passkey that another enrolled long ago."""
    other = registered(case.world)
    yield from enrolled(case.world, other, case.product.bank_id)
    yield timedelta(hours=50)
    case.person.device = other.device
    yield from agreed(case)


def _revoked(case: Case) -> Steps:
    """Sign with a passkey that was taken away."""
    assert case.person.device
    case.world.record(PasskeyRevoked(citizen_id=case.person.id, passkey_id=case.person.device.name))
    return agreed(case)


def _spoiled(case: Case, fact: Any) -> Any:
    """Put a signature of something else into the evidence."""
    assert case.person.device
    other = Device(case.world.chance).sign(fact.statement_hash)
    evidence = fact.evidence
    spoiled = replace(evidence, passkey=replace(evidence.passkey, signature=other.signature))
    return replace(fact, evidence=spoiled)


def _alike(case: Case) -> Steps:
    """Let two of one organisation be witnesses."""
    organisation = case.world.chance.id("org")
    case.pair = (invite(case.world, organisation), invite(case.world, organisation))
    return agreed(case)


def _of_asker(case: Case) -> Steps:
    """Let one of the office that asks be a witness."""
    assert case.place
    case.pair = (invite(case.world, case.place.office_id), case.world.witnesses[0])
    return agreed(case)


def _never_signed(case: Case, fact: Any) -> Any:
    """Put one witness's signature in twice."""
    first = fact.evidence.witnesses[0]
    return replace(fact, evidence=replace(fact.evidence, witnesses=[first, first]))


def _ended(case: Case) -> Steps:
    """Let somebody speak whose authority is over."""
    assert case.speaker
    assert case.authority_id
    case.world.record(
        RepresentativeEnded(
            authority_id=case.authority_id,
            citizen_id=case.person.id,
            representative_id=case.speaker.id,
            ended_by="operator:op",
            restored=True,
        )
    )
    return agreed(case)


def _another_authority(case: Case) -> Steps:
    """Let somebody speak by an authority over another citizen."""
    case.authority_id = case.world.chance.id("au")
    return agreed(case)


KEY_UV, WITNESSED = Grade.KEY_UV, Grade.WITNESSED

AGREEING = [
    Deed("a code was sent before the text was shown", (Broken(7, (GIVEN,)),), asked_first),
    Deed(
        "nothing was shown",
        (Broken(7, (GIVEN,)), Broken(10, (GIVEN,))),
        agreed,
        twists={SERVED: left_out},
    ),
    Deed("given, then refused", (Broken(8, (GIVEN, REFUSED)),), decided(*list(Decision)[:2])),
    Deed("given twice", (Broken(8, (GIVEN,)),), decided(Decision.GIVEN, Decision.GIVEN)),
    Deed(
        "another statement than was signed",
        (Broken(9, (GIVEN,)),),
        agreed,
        twists={GIVEN: _another_statement},
    ),
    Deed("a side purpose that nobody chose", (Broken(9, (GIVEN, BESIDE)),), _not_chosen),
    Deed(
        "another text was shown",
        (Broken(10, (GIVEN,)),),
        agreed,
        twists={SERVED: marked("notice_hash")},
    ),
    Deed(
        "a refusal that names its citizen", (Broken(16, (ASKED,)), Broken(16, (REFUSED,))), _named
    ),
    Deed(
        "signed with a clerk's phone",
        (Broken(17, (GIVEN,)),),
        agreed,
        twists={ASKED: _phone_of_staff},
    ),
    Deed("signed with another's phone", (Broken(17, (GIVEN,)),), _phone_of_another),
    Deed(
        "signed with another's passkey", (Broken(18, (GIVEN,)),), _device_of_another, grade=KEY_UV
    ),
    Deed(
        "signed with a passkey taken away",
        (Broken(18, (GIVEN,)), Broken(19, (GIVEN,))),
        _revoked,
        grade=KEY_UV,
    ),
    Deed(
        "a signature of no passkey of theirs",
        (Broken(18, (GIVEN,)),),
        agreed,
        grade=KEY_UV,
        twists={GIVEN: _spoiled},
    ),
    Deed(
        "a passkey that was too new", (Broken(19, (GIVEN,)),), agreed, grade=KEY_UV, settled=False
    ),
    Deed("witnesses of one organisation", (Broken(20, (GIVEN,)),), _alike, COUNTER, WITNESSED),
    Deed("a witness of the office", (Broken(20, (GIVEN,)),), _of_asker, COUNTER, WITNESSED),
    Deed(
        "one witness for two",
        (Broken(20, (GIVEN,)),),
        agreed,
        COUNTER,
        WITNESSED,
        twists={GIVEN: _never_signed},
    ),
    Deed(
        "spoken by whose authority is over",
        (Broken(22, (GIVEN,)),),
        _ended,
        COUNTER,
        KEY_UV,
        spoken=True,
    ),
    Deed(
        "spoken by no authority over them",
        (Broken(22, (GIVEN,)),),
        _another_authority,
        COUNTER,
        KEY_UV,
        spoken=True,
    ),
    Deed(
        "judged by a policy that never held",
        (Broken(25, (GIVEN,)),),
        agreed,
        twists={GIVEN: changed(policy_version=7)},
    ),
    Deed("agreed when the time was over", (Broken(41, (GIVEN,)),), _too_late),
    Deed("agreed with an old code", (Broken(41, (GIVEN,)),), _with_an_old_code, COUNTER),
    Deed("agreed to something else than was asked", (Broken(40, (GIVEN,)),), _otherwise),
    Deed(
        "agreed though nobody asked", (Broken(40, (GIVEN,)),), agreed, twists={ASKED_IT: left_out}
    ),
    Deed(
        "taken back, said to be unused",
        (Broken(39, (WITHDRAWN,)),),
        _withdrawn_later,
        twists={WITHDRAWN: changed(used_at=None)},
    ),
    Deed(
        "taken back, said to be used elsewhere",
        (Broken(39, (WITHDRAWN,)),),
        _withdrawn_later,
        twists={WITHDRAWN: changed(used_at=2)},
    ),
    Deed(
        "refused by a policy that never held",
        (Broken(25, (REFUSED,)),),
        decided(Decision.REFUSED),
        twists={REFUSED: changed(policy_version=7)},
    ),
]
"""Deeds about being asked, shown and agreeing."""
