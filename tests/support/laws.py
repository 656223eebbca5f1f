"""What must hold of two logs beyond what they tell: that nothing personal is in them.

The laws are those of `services/audit/laws`, with the relying party of the tests. What is personal,
and when somebody was born, no log tells; with that the laws 15 and 22 are judged whole.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from demo import integrity
from demo.cast import CLERKS, Citizen
from demo.integrity import LAWS, Fact, instant
from services.consent.representatives import AGREES_TOO_FROM, SPEAKS_FROM, age_at
from shared.passkeys import RelyingParty
from tests.support.authenticator import ORIGIN, RP_ID

__all__ = ["LAWS", "PARTY", "payload", "personal_data", "violations"]

PARTY = RelyingParty(RP_ID, "Thuận", (ORIGIN,))
"""Whom the passkeys of the tests are made for."""

PHONE_DIGITS = 9
"""The last digits of a phone number, which are the same however its beginning is written."""

AGREEING = frozenset({"consent.given.1", "consent.confirmed.1"})


def violations(
    consent: Sequence[Fact],
    accounts: Sequence[Fact],
    jwks: Mapping[str, Any],
    personal: Iterable[str],
    born: Mapping[str, date] | None = None,
) -> list[str]:
    """Return a sentence for every law that does not hold; `personal` is what nobody may find.

    `born` has dates of birth by citizen, which no log tells; who is not in it is of age.
    """
    checks = [
        _private("consent", consent, list(personal)),
        _private("accounts", accounts, list(personal)),
        _spoken(consent, born or {}),
    ]
    own = [sentence for check in checks for sentence in check]
    return integrity.violations(consent, accounts, jwks, PARTY) + own


def personal_data(people: Iterable[Citizen], *numbers: str) -> list[str]:
    """Return what must not be found: names, phones however written, account numbers."""
    known = list(people)
    phones = [one[-PHONE_DIGITS:] for one in (*(one.phone for one in known), *CLERKS.values())]
    return [*(one.name for one in known), *phones, *numbers]


def payload(token: str) -> dict[str, Any]:
    """Return the payload of a compact JWS, unverified."""
    part = token.split(".")[1]
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return document


def _private(name: str, log: Sequence[Fact], personal: Sequence[str]) -> Iterator[str]:
    for fact in log:
        documents = [payload(one) for one in fact["data"].values() if _is_token(one)]
        text = json.dumps([fact, documents], ensure_ascii=False)
        if any(one in text for one in personal):
            yield f"law 15: {name} holds something personal at {fact['position']}"


def _is_token(value: object) -> bool:
    return isinstance(value, str) and value.startswith("eyJ") and value.count(".") == 2


def _spoken(consent: Sequence[Fact], born: Mapping[str, date]) -> Iterator[str]:
    """Check that no child agreed alone, nor unasked from the age at which it is asked."""
    for fact in consent:
        day = born.get(fact["data"].get("citizen_id", ""))
        if fact["kind"] in AGREEING and day is not None:
            years, said = age_at(day, instant(fact["recorded_at"])), fact["data"]["statement"]
            spoken = "expressed_by" in said or years >= SPEAKS_FROM
            asked = said.get("subject_agrees") is True or not AGREES_TOO_FROM <= years < SPEAKS_FROM
            if not (spoken and asked):
                yield f"law 22: nobody who might agreed at {fact['position']}"
