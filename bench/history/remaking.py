"""How an operator with all keys rewrites one case in both logs, so that all of it fits together.

The case is moved to another place of the same office: in the question, in what the citizen signed
and its digest, in the signed event, the account and the receipt, and in every tag.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.history.generate import issuer_of
from bench.history.keys import Chance, Issuer, canonical_fast, digest_fast
from services.audit.export import LOG_NAMES, LogName
from services.consent.facts import Right
from shared.ledger.recorder import StoredFact
from tests.support.tampering import facts_of


class NoCase(Exception):
    """There is no case behind a position that can be moved."""


@dataclass(frozen=True)
class Remaking:
    """The facts of a case as they are to be, by their tags' case and position."""

    facts: Mapping[tuple[str, int], StoredFact]

    @classmethod
    def of(cls, export: Path, position: int, seed: int) -> "Remaking":
        """Return how the first case that was used at a counter behind a position is moved."""
        consent_id, old, new = _case(export, position)
        writing = _Writing({old: new}, issuer_of(Chance(seed)))
        tag = f"consent:{consent_id}"
        return cls(
            {
                (fact.kind, fact.position): writing.changed(fact)
                for log in LOG_NAMES
                for fact in facts_of(export, log)
                if tag in fact.tags
            }
        )

    def change(self, fact: StoredFact) -> StoredFact:
        """Return a fact as it is to be."""
        return self.facts.get((fact.kind, fact.position), fact)


def _case(export: Path, position: int) -> tuple[str, str, str]:
    """Return a case that was used, its place, and another place of its office."""
    moved, permitted = dict[str, tuple[str, str]](), dict[str, set[str]]()
    for fact in facts_of(export, _CONSENT):
        data = msgspec.json.decode(fact.data) if fact.kind in _KINDS else {}
        if fact.kind == "right.granted.1" and data["right"] == Right.PERMISSION:
            permitted.setdefault(data["office_id"], set()).add(data["site_id"])
        elif fact.kind == "consent.requested.1" and data["site_id"]:
            if others := permitted.get(data["office_id"], set()) - {data["site_id"]}:
                moved[data["consent_id"]] = data["site_id"], min(others)
        elif fact.kind == "consent.redeemed.1" and fact.position > position:
            used = data["consent_id"]
            if used in moved:
                return used, *moved[used]
    raise NoCase(str(position))


_CONSENT: LogName = "consent"
_KINDS = {"right.granted.1", "consent.requested.1", "consent.redeemed.1"}


@dataclass
class _Writing:
    """Writes texts anew: those that are to be others, and whatever hangs on them."""

    others: dict[str, str]
    issuer: Issuer

    def changed(self, fact: StoredFact) -> StoredFact:
        data = canonical_fast(self._anew(msgspec.json.decode(fact.data)))
        tags = [self._tag(one) for one in fact.tags]
        return msgspec.structs.replace(fact, data=data, tags=tags)

    def _tag(self, tag: str) -> str:
        name, _, value = tag.partition(":")
        return f"{name}:{self.others.get(value, value)}"

    def _anew(self, value: Any) -> Any:
        match value:
            case dict():
                return self._document(value)
            case list():
                return [self._anew(one) for one in value]
            case str() if value.startswith("eyJ") and value.count(".") == 2:
                return self._token(value)
            case str():
                return self.others.get(value, value)
            case _:
                return value

    def _document(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a document anew: its statements first, since others name their digests."""
        for name in ("statement", "confirmation"):
            if isinstance(statement := document.get(name), dict):
                digest = digest_fast(self._anew(statement))
                self.others[document[f"{name}_hash"]] = digest
        return {name: self._anew(value) for name, value in document.items()}

    def _token(self, token: str) -> str:
        """Return a signed document anew, signed when it was."""
        if token not in self.others:
            header, payload, _ = token.split(".")
            document = self._anew(msgspec.json.decode(_raw(payload)))
            at = datetime.fromtimestamp(document["iat"], UTC)
            typ = msgspec.json.decode(_raw(header))["typ"]
            self.others[token] = self.issuer.sign(typ, document, at)
        return self.others[token]


def _raw(coded: str) -> bytes:
    return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
