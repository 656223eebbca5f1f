"""Asking a citizen: whether somebody may put this question to this person, here and now.

The rules, in the order of their reasons:
 1. the citizen, the bank and the product with these terms and this purpose are registered;
 2. at a counter, the office, the clerk who works there, and the place are registered; online none
    is named: an agreement at a counter waits, and would not if it were said to be online;
 3. a bank asks for itself alone, a clerk under the own name alone;
 4. the time to decide is within policy;
 5. the gate is open: what must be in force is, and nothing is suspended (`gate.py`);
 6. the citizen has not refused this bank, or this office, within the policy's period, unless the
    citizen took that back;
 7. nor said of a question of theirs that it was not them;
 8. no question of this bank to this citizen for the same product is open;
 9. no agreement to the same still stands: to withdraw one must be to withdraw all;
10. there is a text to put it with;
11. the citizen speaks alone, or another may, who then is asked at a counter.

What the product has beside its purpose goes into the question, as far as that text explains it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.facts import (
    BankRegistered,
    ClerkRegistered,
    ConsentConfirmed,
    ConsentDisputed,
    ConsentGiven,
    ConsentInvalidated,
    ConsentRedeemed,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    OfficeRegistered,
    ProductOffered,
    RefusalWithdrawn,
    RequestRejected,
    SiteRegistered,
)
from services.consent.gate import Act, Gate, closed
from services.consent.gate import boundary as gate_boundary
from services.consent.gate import evolve as evolve_gate
from services.consent.policy import Policy
from services.consent.refusals import RefusalMarks, Refusals
from services.consent.representatives import KINDS as SPEAKING
from services.consent.representatives import People, Person, unaskable
from services.consent.representatives import evolve as evolve_people
from shared.contracts.consent import Channel, Statement
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Timed, Verb, about

REFUSALS = (ConsentRefused, RefusalWithdrawn)

AGREEING = (ConsentGiven, ConsentConfirmed)

ENDING = (ConsentWithdrawn, ConsentRedeemed, ConsentDisputed, ConsentInvalidated)
"""After each of these an agreement can be used no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask(Timed):
    """The question somebody wants to put; `asked_by` such as `clerk:gdv-01`; times in UTC.

    `explained` are the side purposes that the question's notice can explain; `by_default`: the time
    to decide is what policy gives whoever names none.
    """

    question: ConsentRequested
    refusals: RefusalMarks
    policy: Policy
    explained: frozenset[str] = frozenset()
    by_default: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """What the rules look at: the directory's entries, and this citizen's questions and answers.

    `people` has the citizen, and says who speaks for them.
    """

    people: People = field(default_factory=dict)
    entries: Mapping[type[Any], Any] = field(default_factory=dict)
    refusals: Refusals = field(default_factory=Refusals)
    disputes: tuple[tuple[int, ConsentDisputed], ...] = ()
    questions: tuple[tuple[int, ConsentRequested], ...] = ()
    answered: frozenset[str] = frozenset()
    agreements: Mapping[str, tuple[int, Statement]] = field(default_factory=dict)
    gate: Gate = field(default_factory=Gate)


def boundary(asked: Ask) -> Sequence[DCBQueryItem]:
    """Return the arms: this id, this citizen's history and refusals, each named entry."""
    question = asked.question
    arms = [
        about(f"consent:{question.consent_id}", kinds=[ConsentRequested]),
        about(
            f"citizen:{question.citizen_id}",
            kinds=[
                *SPEAKING,
                ConsentRequested,
                *AGREEING,
                *ENDING,
            ],
        ),
        about(f"bank_refusal:{asked.refusals.bank}", kinds=REFUSALS),
        about(f"bank:{question.bank_id}", kinds=[BankRegistered]),
        about(f"product:{question.product_id}", kinds=[ProductOffered]),
        *gate_boundary(Act.of(question)),
    ]
    if question.office_id:
        arms.append(about(f"office:{question.office_id}", kinds=[OfficeRegistered]))
        arms.append(about(f"office_refusal:{asked.refusals.office}", kinds=REFUSALS))
    if question.clerk_id:
        arms.append(about(f"clerk:{question.clerk_id}", kinds=[ClerkRegistered]))
    if question.site_id:
        arms.append(about(f"site:{question.site_id}", kinds=[SiteRegistered]))
    return arms


def evolve(before: Before, recorded: Recorded) -> Before:
    """Collect what the rules look at."""
    match recorded.fact:
        case fact if isinstance(fact, SPEAKING):
            return replace(before, people=evolve_people(before.people, recorded))
        case (
            BankRegistered()
            | ProductOffered()
            | OfficeRegistered()
            | ClerkRegistered()
            | SiteRegistered()
        ) as fact:
            return replace(before, entries={**before.entries, type(fact): fact})
        case ConsentRequested() as fact:
            return replace(before, questions=(*before.questions, (recorded.position, fact)))
        case ConsentRefused() as fact:
            refusals = before.refusals.refused(recorded.position, fact)
            answered = before.answered | {fact.consent_id}
            return replace(before, refusals=refusals, answered=answered)
        case RefusalWithdrawn() as fact:
            return replace(before, refusals=before.refusals.withdrawn(fact))
        case fact if isinstance(fact, AGREEING):
            agreed = {**before.agreements, fact.consent_id: (recorded.position, fact.statement)}
            answered = before.answered | {fact.consent_id}
            return replace(before, agreements=agreed, answered=answered)
        case fact if isinstance(fact, ENDING):
            return _ended(before, recorded)
        case _:
            return replace(before, gate=evolve_gate(before.gate, recorded))


def _ended(before: Before, recorded: Recorded) -> Before:
    fact = recorded.fact
    left = {key: one for key, one in before.agreements.items() if key != fact.consent_id}
    after = replace(before, agreements=left, answered=before.answered | {fact.consent_id})
    if isinstance(fact, ConsentDisputed):
        return replace(after, disputes=(*before.disputes, (recorded.position, fact)))
    return after


def decide(before: Before, asked: Ask) -> Sequence[ConsentRequested]:
    """Ask, or do nothing if this was asked already; else reject with every reason."""
    question = asked.question
    for position, earlier in before.questions:
        if earlier.consent_id == question.consent_id:
            if _alike(earlier, asked):
                return []
            reused = Reason("consent_id_reused", (position,))
            raise _rejection(asked, Kind.CONFLICT, [reused])
    reasons = [
        *_unregistered(before, question),
        *_displaced(before, question),
        *_not_own(question),
        *_untimely(asked),
        *_shut(before, asked),
        *_refused(before, asked),
        *_disputed(before, question),
        *_pending(before, question),
        *_agreed(before, question),
        *unaskable(before.people, question),
    ]
    if reasons:
        raise _rejection(asked, Kind.REJECTED, reasons)
    return [_offering(before, asked)]


def _offering(before: Before, asked: Ask) -> ConsentRequested:
    """Return the question with what its product has, fixed for good."""
    product: ProductOffered = before.entries[ProductOffered]
    sides = [one for one in product.side_purposes or () if one in asked.explained]
    return replace(
        asked.question,
        side_purposes=sides or None,
        fee_hash=product.fee_hash,
        lowest_grade=product.lowest_grade,
        policy_version=asked.policy.version,
    )


def _alike(one: ConsentRequested, asked: Ask) -> bool:
    """Tell whether a question is the same again but for when and whence, and what we added.

    The time to decide too is what we added, where an earlier policy gave it.
    """
    other = asked.question
    within = other.decide_by - other.asked_at
    given_before = asked.by_default and one.policy_version != asked.policy.version
    same = replace(
        other,
        asked_at=one.asked_at,
        decide_by=one.decide_by if given_before else one.asked_at + within,
        policy_version=one.policy_version,
        asked_from_id=one.asked_from_id,
        notice_id=one.notice_id,
        side_purposes=one.side_purposes,
        fee_hash=one.fee_hash,
        lowest_grade=one.lowest_grade,
    )
    return same == one


def _unregistered(before: Before, question: ConsentRequested) -> Iterator[Reason]:
    if not before.people.get(question.citizen_id, Person()).registered:
        yield Reason("citizen_unknown")
    if BankRegistered not in before.entries:
        yield Reason("bank_unknown")
    product: ProductOffered | None = before.entries.get(ProductOffered)
    if product is None or product.bank_id != question.bank_id:
        yield Reason("product_unknown")
        return
    if product.terms_hash != question.terms_hash:
        yield Reason("terms_differ")
    if product.purpose != question.purpose:
        yield Reason("purpose_differs")
    elif question.notice_id is None:
        yield Reason("notice_missing")


def _displaced(before: Before, question: ConsentRequested) -> Iterator[Reason]:
    named = (question.office_id, question.site_id, question.clerk_id)
    if question.channel is Channel.COUNTER and None in named:
        yield Reason("place_missing")
    if question.channel is Channel.ONLINE and any(named):
        yield Reason("place_not_online")
    if question.office_id and OfficeRegistered not in before.entries:
        yield Reason("office_unknown")
    if question.site_id and SiteRegistered not in before.entries:
        yield Reason("site_unknown")
    clerk: ClerkRegistered | None = before.entries.get(ClerkRegistered)
    if question.clerk_id and (clerk is None or clerk.office_id != question.office_id):
        yield Reason("clerk_unknown")


def _not_own(question: ConsentRequested) -> Iterator[Reason]:
    role, _, own_id = question.asked_by.partition(":")
    if role == "bank" and own_id != question.bank_id:
        yield Reason("not_own_bank")
    if role == "clerk" and own_id != question.clerk_id:
        yield Reason("not_own_clerk")


def _untimely(asked: Ask) -> Iterator[Reason]:
    given = asked.question.decide_by - asked.question.asked_at
    if not 0 < given.total_seconds() <= asked.policy.decide_within_max.total_seconds():
        yield Reason("decide_by_out_of_range")


def _shut(before: Before, asked: Ask) -> Iterator[Reason]:
    """Yield why the gate is closed; where the place is not named whole, that is reason enough."""
    question, at = asked.question, asked.question.asked_at
    named = (question.office_id, question.site_id, question.clerk_id)
    if question.channel is Channel.ONLINE or None not in named:
        yield from closed(before.gate, Act.of(question), at, asked.late(at))


def _refused(before: Before, asked: Ask) -> Iterator[Reason]:
    blocking = before.refusals.blocking(asked.refusals, asked.question.asked_at)
    if blocking:
        yield Reason("refused_before", blocking)


def _disputed(before: Before, question: ConsentRequested) -> Iterator[Reason]:
    blocking = tuple(
        position
        for position, dispute in before.disputes
        if question.asked_at < dispute.asking_again_from
        and (
            dispute.bank_id == question.bank_id
            or (dispute.office_id is not None and dispute.office_id == question.office_id)
        )
    )
    if blocking:
        yield Reason("disputed_before", blocking)


def _pending(before: Before, question: ConsentRequested) -> Iterator[Reason]:
    pending = tuple(
        position
        for position, earlier in before.questions
        if earlier.consent_id not in before.answered
        and earlier.bank_id == question.bank_id
        and earlier.product_id == question.product_id
        and question.asked_at < earlier.decide_by
    )
    if pending:
        yield Reason("request_pending", pending)


def _agreed(before: Before, question: ConsentRequested) -> Iterator[Reason]:
    standing = tuple(
        position
        for position, agreed in before.agreements.values()
        if (agreed.bank_id, agreed.product_id) == (question.bank_id, question.product_id)
        and question.asked_at < agreed.expires_at
    )
    if standing:
        yield Reason("agreement_stands", standing)


def _rejection(asked: Ask, kind: Kind, reasons: list[Reason]) -> Rejection:
    question = asked.question
    fact = RequestRejected(
        consent_id=question.consent_id,
        citizen_id=question.citizen_id,
        bank_id=question.bank_id,
        product_id=question.product_id,
        purpose=question.purpose,
        office_id=question.office_id,
        site_id=question.site_id,
        clerk_id=question.clerk_id,
        asked_by=question.asked_by,
        reasons=[reason.code for reason in reasons],
        policy_version=asked.policy.version,
    )
    return Rejection(kind, "request_rejected", reasons=reasons, facts=[fact])


ASK = Verb(boundary=boundary, initial=Before(), evolve=evolve, decide=decide)
