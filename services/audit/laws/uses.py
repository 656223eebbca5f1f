"""Laws 2, 3, 4, 5, 37, 39 and 40: from a question to its one use and its one account.

A use without an account breaks no law. The services allow it: a process ended between both, the
accounts service heard of a stop in between, or its answer was lost; the same command finishes it,
and nothing is finished by itself. Such uses are pending, and listed. One thing the services never
do is to use a consent for a command that they had rejected for what stands in it (law 37): the
command's hash holds the signed event too, so what did not fit never fits later.
"""

from collections.abc import Iterator

from typing_extensions import override

from services.accounts.facts import AccountOpened, OpeningRejected
from services.accounts.openings import COMPARED
from services.audit.laws.cases import Agreed, Case, Cases, as_bytes, mark_of
from services.audit.laws.documents import Documents
from services.audit.laws.law import Group, Heard, Hearings, Violation
from services.consent.facts import (
    ConsentDisputed,
    ConsentGiven,
    ConsentInvalidated,
    ConsentRedeemed,
    ConsentWithdrawn,
)
from shared.contracts.consent import OPEN_ACCOUNT

MATCHED = (
    *("citizen_id", "bank_id", "product_id", "terms_hash", "purpose"),
    *("office_id", "clerk_id", "site_id"),
)
"""What must be equal in a signed statement and in an account."""

ASKED = (*MATCHED, "channel")
"""What must be equal in a question and in the statement that agrees to it."""

FOR_GOOD = frozenset(COMPARED.values()) | {"decision_differs", "statement_differs"}
"""Why a command can never be opened, whoever sends it and whenever."""


class Uses(Group):
    """What a consent was used for, and what was opened."""

    def __init__(self, cases: Cases, documents: Documents) -> None:
        self._cases, self._documents = cases, documents
        self._by_redemption = dict[str, Case]()

    @override
    def consent(self) -> Hearings:
        return {
            ConsentGiven: self._given,
            ConsentRedeemed: self._redeemed,
            ConsentWithdrawn: self._stopped,
            ConsentDisputed: self._stopped,
            ConsentInvalidated: self._stopped,
        }

    @override
    def accounts(self) -> Hearings:
        return {AccountOpened: self._account, OpeningRejected: self._rejected}

    def pending(self) -> list[int]:
        """Return where consents were used for which there is no account, in order."""
        unopened = (case for case in self._cases.all() if not case.opened)
        return sorted(use.position for case in unopened for use in case.uses)

    # -- the consent log ------------------------------------------------------------------------

    def _given(self, heard: Heard) -> Iterator[Violation]:
        fact: ConsentGiven = heard.fact
        question, said = self._cases.of(fact.consent_id).question, fact.statement
        if question is None:
            how = f"given at {heard.position} though nobody had asked"
            yield Violation(40, "consent", (heard.position,), how)
            return
        unlike = [name for name in ASKED if getattr(question, name) != getattr(said, name)]
        if unlike:
            how = f"given at {heard.position}, but asked otherwise: {', '.join(unlike)}"
            yield Violation(40, "consent", (heard.position, question.position), how)

    def _stopped(self, heard: Heard) -> Iterator[Violation]:
        used_at = self._cases.of(heard.fact.consent_id).used_at()
        if heard.fact.used_at != used_at:
            how = f"stopped at {heard.position}, which says used at {heard.fact.used_at}"
            at = (heard.position, used_at) if used_at else (heard.position,)
            yield Violation(39, "consent", at, f"{how}, not {used_at}")

    def _redeemed(self, heard: Heard) -> Iterator[Violation]:
        fact: ConsentRedeemed = heard.fact
        case, at = self._cases.of(fact.consent_id), heard.position
        self._by_redemption.setdefault(fact.redemption_id, case)
        if case.uses:
            how = f"the consent was used at {case.uses[0].position}, and again at {at}"
            yield Violation(3, "consent", (at, case.uses[0].position), how)
        for stopped in case.stopped:
            how = f"used at {at}, though {stopped.word} at {stopped.position}"
            yield Violation(4, "consent", (at, stopped.position), how)
        if wrong := _too_early_or_late(case, fact):
            yield Violation(4, "consent", (at,), f"used at {at} {wrong}")

    # -- the accounts log -----------------------------------------------------------------------

    def _account(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountOpened = heard.fact
        case, at = self._cases.of(fact.consent_id), heard.position
        command, ahead = as_bytes(fact.command_hash), self._documents.is_ahead(heard)
        own = [
            use
            for use in case.uses
            if use.redemption_id == fact.opening_id and use.command == command
        ]
        if len(own) != 1 and not ahead:
            how = f"the account at {at} has {len(own)} redemptions"
            yield Violation(2, "accounts", (at,), how)
        if case.opened:
            how = f"the consent opened an account at {case.opened}, and another at {at}"
            yield Violation(3, "accounts", (at, case.opened), how)
        wrong = _unlike(case, case.given, fact)
        if wrong and not ahead:
            yield Violation(5, "accounts", (at,), f"the account at {at} {wrong}")

    def _rejected(self, heard: Heard) -> Iterator[Violation]:
        fact: OpeningRejected = heard.fact
        case = self._by_redemption.get(fact.opening_id)
        why = ", ".join(sorted(FOR_GOOD.intersection(fact.reasons)))
        if case is None or fact.command_hash is None or not why:
            return
        command = as_bytes(fact.command_hash)
        for use in case.uses:
            if (use.redemption_id, use.command) == (fact.opening_id, command):
                how = f"the command rejected at {heard.position} for {why} was used: {use.position}"
                yield Violation(37, "accounts", (heard.position,), how)


def _too_early_or_late(case: Case, fact: ConsentRedeemed) -> str | None:
    given = case.given
    if given is None:
        return "without having been given before"
    if given.waits and case.confirmed is None:
        return "without having been confirmed before"
    last = case.confirmed or given
    if not last.not_before <= fact.redeemed_at < last.expires_at:
        return "outside its time"
    return None


def _unlike(case: Case, given: Agreed | None, fact: AccountOpened) -> str | None:
    if given is None:
        return "has a consent nobody gave"
    unlike = [name for name in MATCHED if getattr(given, name) != getattr(fact, name)]
    unlike += ["fee_hash"] if fact.fee_hash not in {None, given.fee_hash} else []
    unlike += ["event"] if case.event != mark_of(fact.consent_event) else []
    unlike += ["purpose"] if fact.purpose != OPEN_ACCOUNT else []
    return f"differs in {', '.join(unlike)}" if unlike else None
