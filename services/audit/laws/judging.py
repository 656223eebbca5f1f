"""Judges two logs by all laws, each fact once and in order: first consents, then accounts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from services.audit.export import LogName
from services.audit.laws.cases import Cases
from services.audit.laws.decisions import Decisions
from services.audit.laws.law import Group, Heard, Hearing, Violation
from services.audit.laws.shape import VOCABULARIES, Order, Shape
from services.audit.laws.uses import Uses
from shared.ledger.recorder import StoredFact


class Judging:
    """One pass over two logs. What it lists besides violations is whole once it has ended."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        """`jwks` are the public keys; raises `ValueError` for what is no JWK set."""
        cases = Cases()
        self._uses = Uses(cases)
        self._groups: Sequence[Group] = [
            Shape(),
            self._uses,
            Decisions(cases),
            cases,
        ]

    def run(
        self, consent: Iterable[StoredFact], accounts: Iterable[StoredFact]
    ) -> Iterator[Violation]:
        """Yield every violation as it is found."""
        yield from _Reading("consent", self._groups).run(consent)
        yield from _Reading("accounts", self._groups).run(accounts)
        for group in self._groups:
            yield from group.over()

    def pending(self) -> list[int]:
        """Return the positions of uses for which there is no account (see `laws/uses.py`)."""
        return self._uses.pending()


class _Reading:
    """Decodes each fact of a log once, and lets the laws of its kind hear it."""

    def __init__(self, log: LogName, groups: Sequence[Group]) -> None:
        self._log: LogName = log
        self._order = Order(log)
        hearings = [group.consent() if log == "consent" else group.accounts() for group in groups]
        self._kinds: dict[str, tuple[msgspec.json.Decoder[Any], list[Hearing]]] = {
            name: (msgspec.json.Decoder(kind), [one[kind] for one in hearings if kind in one])
            for name, kind in VOCABULARIES[log].facts.items()
        }

    def run(self, facts: Iterable[StoredFact]) -> Iterator[Violation]:
        for stored in facts:
            before = self._order.recorded_at or stored.recorded_at
            yield from self._order.hear(stored)
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
                yield from hearing(heard)

    def _unread(self, stored: StoredFact, how: str) -> Violation:
        at = (stored.position,)
        return Violation(36, self._log, at, f"the fact at {stored.position} {how}")


def judge(
    consent: Iterable[StoredFact], accounts: Iterable[StoredFact], jwks: Mapping[str, Any]
) -> Iterator[Violation]:
    """Yield every violation of a law in two logs; raises `ValueError` for what is no JWK set."""
    return Judging(jwks).run(consent, accounts)
