"""Judges two logs by all laws, each fact once and in order: first consents, then accounts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from services.audit.export import LogName
from services.audit.laws.answers import Answers
from services.audit.laws.cases import Cases
from services.audit.laws.claims import Claims
from services.audit.laws.counter import Counter
from services.audit.laws.decisions import Decisions
from services.audit.laws.directory import Directory, DirectoryLaws
from services.audit.laws.documents import Documents
from services.audit.laws.gate import Gates
from services.audit.laws.law import Group, Heard, Hearing, Violation
from services.audit.laws.looks import Looks
from services.audit.laws.passkeys import Party, PasskeyLaws
from services.audit.laws.people import People, PeopleLaws
from services.audit.laws.policy import Policies, PolicyLaws
from services.audit.laws.reconciling import Reconciled
from services.audit.laws.roles import Roles
from services.audit.laws.shape import VOCABULARIES, Order, Shape
from services.audit.laws.signed import Signed
from services.audit.laws.times import InTime
from services.audit.laws.uses import Uses
from shared.ledger.recorder import StoredFact
from shared.passkeys import RelyingParty
from shared.signing import TrustedKeys

UNJUDGEABLE = (TypeError, ValueError, OverflowError)
"""What comes of times without a zone, or at the end of all time, that no service writes."""


class Judging:
    """One pass over two logs. What it lists besides violations is whole once it has ended."""

    def __init__(self, jwks: Mapping[str, Any], party: RelyingParty | None = None) -> None:
        """Take the public keys, and whom passkeys are made for, where that is known.

        Raises `ValueError` for what is no JWK set.
        """
        cases, policies, people, directory = Cases(), Policies(), People(), Directory()
        self._documents = Documents(cases, TrustedKeys.from_jwks(jwks))
        self._uses = Uses(cases, self._documents)
        answers = Answers()
        self._groups: Sequence[Group] = [
            Shape(),
            PolicyLaws(policies),
            DirectoryLaws(directory, people, policies),
            PeopleLaws(cases, people),
            PasskeyLaws(cases, policies, Party(party)),
            Gates(cases, directory, people, policies),
            Decisions(cases),
            InTime(cases),
            Counter(cases),
            Roles(cases),
            self._documents,
            self._uses,
            answers,
            Signed(),
            Reconciled(answers),
            Claims(),
            Looks(cases, policies),
            cases,
        ]

    def run(
        self, consent: Iterable[StoredFact], accounts: Iterable[StoredFact]
    ) -> Iterator[Violation]:
        """Yield every violation as it is found."""
        first = _Reading("consent", self._groups)
        yield from first.run(consent)
        self._documents.consent_end = first.order.position
        second = _Reading("accounts", self._groups)
        yield from second.run(accounts)
        self._documents.accounts_end = second.order.position
        for group in self._groups:
            yield from group.over()

    def pending(self) -> list[int]:
        """Return the positions of uses for which there is no account (see `laws/uses.py`)."""
        return self._uses.pending()

    def ahead(self) -> list[int]:
        """Return the positions of accounts that rest on what comes after this consent log."""
        return self._documents.ahead


class _Reading:
    """Decodes each fact of a log once, and lets the laws of its kind hear it."""

    def __init__(self, log: LogName, groups: Sequence[Group]) -> None:
        self._log: LogName = log
        self.order = Order(log)
        hearings = [group.consent() if log == "consent" else group.accounts() for group in groups]
        self._kinds: dict[str, tuple[msgspec.json.Decoder[Any], list[Hearing]]] = {
            name: (msgspec.json.Decoder(kind), [one[kind] for one in hearings if kind in one])
            for name, kind in VOCABULARIES[log].facts.items()
        }

    def run(self, facts: Iterable[StoredFact]) -> Iterator[Violation]:
        """Yield what each fact breaks; one that cannot be read, or judged, does not end it."""
        for stored in facts:
            before = self.order.recorded_at or stored.recorded_at
            yield from self.order.hear(stored)
            try:
                decoder, hearings = self._kinds[stored.kind]
                fact = decoder.decode(stored.data)
            except KeyError:
                yield self._unread(stored, f"is of no known kind: {stored.kind}")
                continue
            except (msgspec.DecodeError, RecursionError) as error:
                yield self._unread(stored, f"cannot be read: {error}")
                continue
            heard = Heard(
                stored.position, stored.recorded_at, fact, stored.tags, stored.data, before
            )
            for hearing in hearings:
                try:
                    yield from hearing(heard)
                except UNJUDGEABLE as error:
                    yield self._unread(stored, f"cannot be judged: {error}")

    def _unread(self, stored: StoredFact, how: str) -> Violation:
        at = (stored.position,)
        return Violation(36, self._log, at, f"the fact at {stored.position} {how}")


def judge(
    consent: Iterable[StoredFact],
    accounts: Iterable[StoredFact],
    jwks: Mapping[str, Any],
    party: RelyingParty | None = None,
) -> Iterator[Violation]:
    """Yield every violation of a law in two logs; raises `ValueError` for what is no JWK set."""
    return Judging(jwks, party).run(consent, accounts)
