"""Whether two logs tell one true story, judged from what the regulator can read and nothing else.

The laws are those that a regulator runs over an export (`services/audit/laws`); here they are given
what `GET /log` answers. A violation is a sentence that names its law and positions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.audit.export import read_fact
from services.audit.laws import LAWS as BY_NUMBER
from services.audit.laws import judge
from shared.ledger.recorder import StoredFact
from shared.passkeys import RelyingParty

Fact = Mapping[str, Any]
"""One fact as `GET /log` gives it: position, recorded_at, kind, tags, data, parts."""

LAWS = {number: law.en for number, law in BY_NUMBER.items()}
"""What must hold, in the words of the report."""


def violations(
    consent: Sequence[Fact],
    accounts: Sequence[Fact],
    jwks: Mapping[str, Any],
    party: RelyingParty | None = None,
) -> list[str]:
    """Return a sentence for every law that does not hold; none, if all is well."""
    found = judge(stored(consent), stored(accounts), jwks, party)
    return [f"law {one.law}: {one.log}: {one.sentence}" for one in found]


def stored(log: Iterable[Fact]) -> Iterator[StoredFact]:
    """Yield the facts of a log as they are stored; raises `BadExport`."""
    for fact in log:
        yield read_fact(msgspec.json.encode({**fact, "parts": fact.get("parts", [])}))


def of_kind(log: Sequence[Fact], kind: str) -> list[Fact]:
    """Return the facts of one kind, in order."""
    return [fact for fact in log if fact["kind"] == kind]


def instant(text: str) -> datetime:
    """Return an instant as a fact writes it."""
    return msgspec.convert(text, type=datetime)
