"""Laws 1, 13, 14, 15 and 36: each fact by itself, and the one before it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from typing_extensions import override

from services.accounts.facts import VOCABULARY as ACCOUNTS
from services.audit.export import LogName
from services.audit.laws.law import NOTHING, Group, Heard, Hearings, Violation
from services.consent.facts import VOCABULARY as CONSENT
from shared.contracts.reasons import REASONS
from shared.ledger.facts import ERASED, Vocabulary, tags_of
from shared.ledger.recorder import StoredFact

VOCABULARIES: Mapping[LogName, Vocabulary] = {"consent": CONSENT, "accounts": ACCOUNTS}

_REASONS = frozenset(REASONS)

_REJECTIONS = frozenset(
    kind
    for vocabulary in VOCABULARIES.values()
    for kind in vocabulary.facts.values()
    if ".rejected." in kind.NAME
)

_PHONE = b'"+84'
"""How a phone number of Vietnam begins where one is a value (E.164)."""


class Order:
    """Law 1, of one log: hears even what cannot be read."""

    def __init__(self, log: LogName) -> None:
        self._log: LogName = log
        self.position = 0
        self.recorded_at: datetime | None = None

    def hear(self, stored: StoredFact) -> Iterable[Violation]:
        """Return what is wrong with a fact's place; the next is held against this one."""
        expected, before = self.position + 1, self.recorded_at
        self.position, self.recorded_at = stored.position, stored.recorded_at
        back = before is not None and stored.recorded_at < before
        if stored.position == expected and not back:
            return NOTHING
        how = f"position {stored.position} stands where {expected} should be"
        if stored.position == expected:
            how = f"recorded at {stored.position} before what stands in front of it"
        return [Violation(1, self._log, (stored.position,), how)]


class Shape(Group):
    """Laws 13, 14 and 15, of every fact of a known kind."""

    def __init__(self) -> None:
        self._tagged_whole = set[type[Any]]()

    @override
    def consent(self) -> Hearings:
        return dict.fromkeys(CONSENT.facts.values(), self._of_consent)

    @override
    def accounts(self) -> Hearings:
        return dict.fromkeys(ACCOUNTS.facts.values(), self._of_accounts)

    def _of_consent(self, heard: Heard) -> Iterable[Violation]:
        return self._hear("consent", heard)

    def _of_accounts(self, heard: Heard) -> Iterable[Violation]:
        return self._hear("accounts", heard)

    def _hear(self, log: LogName, heard: Heard) -> Iterable[Violation]:
        """Return what breaks; nearly always nothing, and every fact comes here: so no generator."""
        fact, found = heard.fact, NOTHING
        if not self._tagged(fact, heard.tags):
            found += (_wrong(14, log, heard, "found otherwise at"),)
        if type(fact) in _REJECTIONS and not (fact.reasons and _REASONS.issuperset(fact.reasons)):
            found += (_wrong(13, log, heard, f"rejects for {fact.reasons} at"),)
        if _PHONE in heard.data or (fact.PERSONAL and _says_personal(fact)):
            found += (_wrong(15, log, heard, "something personal at"),)
        return found

    def _tagged(self, fact: Any, tags: list[str]) -> bool:
        """Tell whether a fact has its tags; one from before a tag was added last lacks that."""
        expected = tags_of(fact)
        older = type(fact) not in self._tagged_whole
        if tags == expected:
            if older and expected and expected[-1].startswith(f"{fact.TAGS[-1]}:"):
                self._tagged_whole.add(type(fact))
            return True
        return older and bool(tags) and tags == expected[: len(tags)]


def _wrong(law: int, log: LogName, heard: Heard, how: str) -> Violation:
    return Violation(law, log, (heard.position,), f"{how} {heard.position}")


def _says_personal(fact: Any) -> bool:
    """Tell whether a field that is kept under a person's key stands in the clear."""
    named = (name for names in fact.PERSONAL.values() for name in names)
    return any(getattr(fact, name) != ERASED for name in named)
