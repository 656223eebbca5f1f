"""Laws 23 and 24: at a counter, in which order, with whose pictures, opened by whom."""

from collections.abc import Iterator

from typing_extensions import override

from services.accounts.facts import AccountOpened
from services.audit.laws.cases import MARK_BYTES, Case, Cases, as_bytes
from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation
from services.consent.facts import (
    ClerkRegistered,
    ConsentRedeemed,
    IdentityCaptured,
    OpeningSubmitted,
)
from shared.contracts.consent import OPEN_ACCOUNT, Channel


class Counter(Group):
    """What a clerk does, and what the bank does."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._pictures = dict[bytes, str]()
        self._clerks = set[str]()

    @override
    def consent(self) -> Hearings:
        return {
            ClerkRegistered: self._clerk,
            IdentityCaptured: self._captured,
            OpeningSubmitted: self._submitted,
            ConsentRedeemed: self._redeemed,
        }

    @override
    def accounts(self) -> Hearings:
        return {AccountOpened: self._opened}

    def _clerk(self, heard: Heard) -> Iterator[Violation]:
        self._clerks.add(heard.fact.clerk_id)
        yield from NOTHING

    def _captured(self, heard: Heard) -> Iterator[Violation]:
        fact: IdentityCaptured = heard.fact
        case, at = self._cases.of(fact.consent_id), heard.position
        if case.given is None or case.submitted or case.uses:
            how = f"photographed at {at} {_when(case)}"
            yield Violation(23, "consent", (at,), how)
        if fact.document_image_id == fact.portrait_image_id:
            how = f"the capture at {at} has one picture twice"
            yield Violation(24, "consent", (at,), how)
        for mark in (fact.document_image_id, fact.portrait_image_id):
            own = self._pictures.setdefault(as_bytes(mark)[:MARK_BYTES], case.consent_id)
            if own != case.consent_id:
                how = f"the capture at {at} has a picture of another case"
                yield Violation(24, "consent", (at,), how)

    def _submitted(self, heard: Heard) -> Iterator[Violation]:
        case, at = self._cases.of(heard.fact.consent_id), heard.position
        if case.given is None or not case.captured or case.submitted or case.uses:
            yield Violation(23, "consent", (at,), f"handed in at {at} {_when(case)}")

    def _redeemed(self, heard: Heard) -> Iterator[Violation]:
        case = self._cases.of(heard.fact.consent_id)
        if not _by_clerk(case):
            return
        places = [case.given.position if case.given else 0, case.captured, case.submitted]
        places += [case.confirmed.position] if case.confirmed else []
        if 0 in places or places != sorted(places):
            said = ", ".join(map(str, places))
            how = f"used at {heard.position}, but agreed, photographed, handed in at {said}"
            yield Violation(23, "consent", (heard.position,), how)

    def _opened(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountOpened = heard.fact
        if fact.commanded_by != f"bank:{fact.bank_id}" or fact.officer_id in self._clerks:
            how = f"not the bank opened the account at {heard.position}"
            yield Violation(24, "accounts", (heard.position,), how)


def _by_clerk(case: Case) -> bool:
    asked = case.question
    return asked is not None and asked.channel is Channel.COUNTER and asked.purpose == OPEN_ACCOUNT


def _when(case: Case) -> str:
    if case.uses:
        return f"after the use at {case.uses[0].position}"
    if case.submitted:
        return f"after it was handed in at {case.submitted}"
    return "before anybody agreed" if case.given is None else "without a capture"
