"""Laws 7, 8, 9 and 10: what was shown, what was signed, once, and what stands in signed events."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UnsetType
from typing_extensions import override

from services.audit.laws.cases import Cases, as_bytes, text_of
from services.audit.laws.digests import digest_of
from services.audit.laws.law import Group, Heard, Hearings, Violation
from services.audit.laws.tokens import payload_of, read_event
from services.consent.facts import (
    ConsentConfirmed,
    ConsentGiven,
    ConsentRedeemed,
    ConsentRefused,
    ConsentWithdrawn,
    PurposeGiven,
    PurposeWithdrawn,
    RefusalWithdrawn,
)
from services.consent.purposes import agreed_sides
from shared.contracts.consent import Decision

SAYS: Mapping[type[Any], Decision] = {
    ConsentGiven: Decision.GIVEN,
    ConsentConfirmed: Decision.CONFIRMED,
    ConsentRefused: Decision.REFUSED,
    ConsentWithdrawn: Decision.WITHDRAWN,
    RefusalWithdrawn: Decision.WITHDRAWN,
    PurposeWithdrawn: Decision.WITHDRAWN,
}
"""What the statement in each fact of a decision says."""


class _Signed(msgspec.Struct, gc=False):
    """The statement in a stored fact, as its bytes are."""

    statement: msgspec.Raw


_signed = msgspec.json.Decoder(_Signed)


class Decisions(Group):
    """What citizens decided."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._due = dict[str, tuple[int, list[str]]]()

    @override
    def consent(self) -> Hearings:
        signed = dict.fromkeys(SAYS, self._decided)
        return {
            **signed,
            ConsentGiven: self._given,
            ConsentConfirmed: self._confirmed,
            ConsentRefused: self._refused,
            PurposeGiven: self._beside,
            ConsentRedeemed: self._redeemed,
        }

    @override
    def over(self) -> Iterator[Violation]:
        for position, left in self._due.values():
            how = f"the agreement at {position} chose {', '.join(left)}, of which there is no fact"
            yield Violation(9, "consent", (position,), how)

    def _given(self, heard: Heard) -> Iterator[Violation]:
        fact: ConsentGiven = heard.fact
        case, at = self._cases.of(fact.consent_id), heard.position
        steps = [case.served[0][1] if case.served else 0, case.asked_first, at]
        if 0 in steps or steps != sorted(steps):
            how = f"given at {at}, but shown and asked at {steps[:2]}"
            yield Violation(7, "consent", (at,), how)
        yield from self._once(heard)
        own = statement_digest(heard)
        yield from _digested(heard, own)
        if fact.event:
            yield from _held(heard, {"statement": own})
        if chosen := agreed_sides(fact.statement):
            self._due[fact.consent_id] = (at, chosen)
        yield from self._decided(heard)

    def _confirmed(self, heard: Heard) -> Iterator[Violation]:
        fact: ConsentConfirmed = heard.fact
        own = statement_digest(heard)
        yield from _digested(heard, own)
        given = self._cases.of(fact.consent_id).given
        agreed = given.statement if given else b""
        yield from _held(heard, {"statement": agreed, "confirmation": own})
        yield from self._decided(heard)

    def _refused(self, heard: Heard) -> Iterator[Violation]:
        yield from self._once(heard)
        yield from self._decided(heard)

    def _once(self, heard: Heard) -> Iterator[Violation]:
        if before := self._cases.of(heard.fact.consent_id).decided:
            how = f"decided at {before}, and again at {heard.position}"
            yield Violation(8, "consent", (heard.position, before), how)

    def _decided(self, heard: Heard) -> Iterator[Violation]:
        fact, at = heard.fact, heard.position
        case = self._cases.of(fact.consent_id)
        code = case.code(fact.challenge_id)
        if code is None or code.statement != as_bytes(fact.statement_hash):
            yield Violation(10, "consent", (at,), f"decided at {at} with a code for something else")
        elif not 0 < case.shown(text_of(fact.statement)) < code.position:
            yield Violation(10, "consent", (at,), f"decided at {at} on a text not shown before")
        if fact.statement.decision is not SAYS[type(fact)]:
            yield Violation(10, "consent", (at,), f"the statement at {at} is another decision")

    def _beside(self, heard: Heard) -> Iterator[Violation]:
        fact: PurposeGiven = heard.fact
        given = self._cases.of(fact.consent_id).given
        _, left = self._due.get(fact.consent_id, (0, []))
        chosen = left and left[0] == fact.purpose
        if not chosen or given is None or given.statement != as_bytes(fact.statement_hash):
            how = f"the purpose at {heard.position} is none that was chosen there"
            yield Violation(9, "consent", (heard.position,), how)
        elif left[1:]:
            self._due[fact.consent_id] = (given.position, left[1:])
        else:
            del self._due[fact.consent_id]

    def _redeemed(self, heard: Heard) -> Iterator[Violation]:
        given = self._cases.of(heard.fact.consent_id).given
        if given and given.statement != as_bytes(heard.fact.statement_hash):
            how = f"used at {heard.position} for another statement"
            yield Violation(9, "consent", (heard.position, given.position), how)


def statement_digest(heard: Heard) -> bytes:
    """Return the digest of the statement as it is stored, empty where it has none."""
    try:
        return digest_of(bytes(_signed.decode(heard.data).statement))
    except ValueError:
        return b""


def _digested(heard: Heard, own: bytes) -> Iterator[Violation]:
    if own != as_bytes(heard.fact.statement_hash):
        how = f"the statement at {heard.position} has another digest"
        yield Violation(9, "consent", (heard.position,), how)


def _held(heard: Heard, signed: Mapping[str, bytes]) -> Iterator[Violation]:
    """Hold the event in a fact against the digests of what was signed."""
    try:
        event = read_event(payload_of(heard.fact.event))
        held = {
            "statement": (digest_of(bytes(event.statement)), event.statement_hash),
            "confirmation": (_digest(event.confirmation), event.confirmation_hash),
        }
    except ValueError:
        how = f"the event at {heard.position} cannot be read"
        yield Violation(9, "consent", (heard.position,), how)
        return
    for name, own in signed.items():
        if held[name] != (own, own.hex()):
            how = f"the event at {heard.position} holds another {name}"
            yield Violation(9, "consent", (heard.position,), how)


def _digest(raw: msgspec.Raw | UnsetType) -> bytes:
    return b"" if isinstance(raw, UnsetType) else digest_of(bytes(raw))
