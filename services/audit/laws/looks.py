"""Law 21: who was shown what, once an hour, and whose business it was."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from services.accounts.facts import AccountRead, OpeningRejected
from services.audit.export import LogName
from services.audit.laws.cases import Case, Cases
from services.audit.laws.digests import has_digest
from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation
from services.audit.laws.policy import Policies
from services.consent.facts import DataRead, PageAsked
from shared.looks import ID_DIGITS, ReadFor, alike_of


class Looks(Group):
    """Looks at questions and at openings."""

    def __init__(self, cases: Cases, policies: Policies) -> None:
        self._cases, self._policies = cases, policies
        self._known = set[int]()
        self._pages = dict[str, list[tuple[datetime, timedelta]]]()
        self._attempts = set[int]()

    @override
    def consent(self) -> Hearings:
        return {PageAsked: self._page, DataRead: self._question_read}

    @override
    def accounts(self) -> Hearings:
        return {
            OpeningRejected: self._rejected,
            AccountRead: self._account_read,
        }

    def _page(self, heard: Heard) -> Iterator[Violation]:
        fact: PageAsked = heard.fact
        lives = self._policies.version(fact.policy_version).page_lives_for
        self._pages.setdefault(fact.citizen_id, []).append((fact.asked_at, lives))
        yield from NOTHING

    def _rejected(self, heard: Heard) -> Iterator[Violation]:
        fact: OpeningRejected = heard.fact
        for reader in (f"bank:{fact.bank_id}", f"clerk:{fact.clerk_id}"):
            self._attempts.add(hash((fact.opening_id, reader, fact.citizen_id)))
        yield from NOTHING

    def _question_read(self, heard: Heard) -> Iterator[Violation]:
        fact: DataRead = heard.fact
        yield from self._named("consent", heard)
        if not (self._for_own_page(fact) or self._of_question(fact)):
            yield _stranger("consent", heard)

    def _account_read(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountRead = heard.fact
        yield from self._named("accounts", heard)
        if not (self._for_own_page(fact) or self._of_opening(fact)):
            yield _stranger("accounts", heard)

    def _named(self, log: LogName, heard: Heard) -> Iterator[Violation]:
        """Hold a look to its id, which all that are alike in the same hour have."""
        said = {name: getattr(heard.fact, name) for name in heard.fact.__slots__}
        look_id, alike = heard.fact.look_id, alike_of(said, heard.fact.read_at)
        rightly = len(look_id) == ID_DIGITS and has_digest(alike, look_id)
        number = int(look_id, 16) if rightly else 0
        if not rightly or number in self._known:
            how = f"the look at {heard.position} is recorded otherwise, or twice"
            yield Violation(21, log, (heard.position,), how)
        self._known.add(number)

    def _for_own_page(self, fact: DataRead | AccountRead) -> bool:
        """Tell whether a citizen had asked for the page for which something was shown."""
        if fact.purpose is not ReadFor.OWN_PAGE or not fact.read_by.startswith("service:"):
            return False
        pages = self._pages.get(fact.citizen_id, [])
        return any(
            timedelta(0) <= fact.read_at - asked_at <= lives for asked_at, lives in reversed(pages)
        )

    def _of_question(self, fact: DataRead) -> bool:
        case = self._cases.of(fact.consent_id)
        if fact.purpose is ReadFor.WITNESSING:
            role, _, own_id = fact.read_by.partition(":")
            return role == "witness" and own_id in case.witnesses
        return fact.purpose is not ReadFor.OWN_PAGE and (_oversees(fact) or _is_own(case, fact))

    def _of_opening(self, fact: AccountRead) -> bool:
        if fact.purpose in {ReadFor.OWN_PAGE, ReadFor.WITNESSING}:
            return False
        if _oversees(fact):
            return True
        if hash((fact.opening_id, fact.read_by, fact.citizen_id)) in self._attempts:
            return True
        case = self._cases.of(fact.consent_id or "")
        opened = any(use.redemption_id == fact.opening_id for use in case.uses)
        return opened and _is_own(case, fact)


def _oversees(fact: DataRead | AccountRead) -> bool:
    return fact.read_by.startswith(("regulator:", "service:"))


def _is_own(case: Case, fact: DataRead | AccountRead) -> bool:
    """Tell whether the reader asked that question, or it was asked for the reader's bank."""
    asked = case.question
    if asked is None or asked.citizen_id != fact.citizen_id:
        return False
    return fact.read_by in {f"bank:{asked.bank_id}", f"clerk:{asked.clerk_id}"}


def _stranger(log: LogName, heard: Heard) -> Violation:
    fact: Any = heard.fact
    how = f"what was shown at {heard.position} was no business of {fact.read_by}"
    return Violation(21, log, (heard.position,), how)
