"""Whether two logs tell one true story, judged from what the regulator can read and nothing else.

Each law is numbered; a violation is a sentence that names positions. The public keys are the third
thing one needs: the accounts log carries the signed documents that prove each opening.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from shared.contracts.consent import (
    CONSENT_EVENT,
    REDEMPTION,
    Unreadable,
    read_consent_event,
    read_receipt,
)
from shared.signing import BadToken, TrustedKeys

Fact = Mapping[str, Any]
"""One fact as `GET /log` gives it: position, recorded_at, kind, tags, data."""

LAWS = {
    1: "positions are 1, 2, 3… and times never decrease",
    2: "an account has exactly one redemption, of its own consent, for its own command",
    3: "a consent is used at most once, and opens at most one account",
    4: "no consent is used after it was withdrawn, disputed or void, nor before it was given (and"
    " confirmed), nor outside its time",
    5: "an account matches the signed statement in every field, and its purpose is an account",
    6: "both documents in an account's fact are signed by a key that was valid then",
    7: "a text was shown before a code was asked for, before the decision, before the use",
    8: "a consent is given or refused, never both, never twice",
}
"""What must hold, in the words of the report."""

STOPS = ("consent.withdrawn.1", "consent.disputed.1", "consent.invalidated.1")
"""After each of these a consent is of no more use."""

MATCHED = (
    "citizen_id", "bank_id", "product_id", "terms_hash", "purpose", "office_id", "clerk_id",
    "site_id",
)  # fmt: skip


def violations(
    consent: Sequence[Fact], accounts: Sequence[Fact], jwks: Mapping[str, Any]
) -> list[str]:
    """Return a sentence for every law that does not hold; none, if all is well."""
    checks = [
        _dense("consent", consent),
        _dense("accounts", accounts),
        _redeemed(consent, accounts),
        _once(consent, accounts),
        _in_order(consent),
        _in_time(consent),
        _matching(consent, accounts),
        _signed(accounts, TrustedKeys.from_jwks(jwks)),
        _decided_once(consent),
    ]
    return [sentence for check in checks for sentence in check]


def of_kind(log: Sequence[Fact], kind: str) -> list[Fact]:
    """Return the facts of one kind, in order."""
    return [fact for fact in log if fact["kind"] == kind]


def _dense(name: str, log: Sequence[Fact]) -> Iterator[str]:
    for number, fact in enumerate(log, start=1):
        if fact["position"] != number:
            yield f"law 1: {name} has position {fact['position']} where {number} should be"
            return
    for earlier, later in pairwise(log):
        if instant(later["recorded_at"]) < instant(earlier["recorded_at"]):
            yield f"law 1: {name} goes back in time at position {later['position']}"


def instant(text: str) -> datetime:
    """Return an instant as a fact writes it."""
    return msgspec.convert(text, type=datetime)


def _redeemed(consent: Sequence[Fact], accounts: Sequence[Fact]) -> Iterator[str]:
    redemptions = of_kind(consent, "consent.redeemed.1")
    for opened in of_kind(accounts, "account.opened.1"):
        data = opened["data"]
        own = [
            one
            for one in redemptions
            if one["data"]["redemption_id"] == data["opening_id"]
            and one["data"]["consent_id"] == data["consent_id"]
            and one["data"]["command_hash"] == data["command_hash"]
        ]
        if len(own) != 1:
            yield f"law 2: the account at {opened['position']} has {len(own)} redemptions"


def _once(consent: Sequence[Fact], accounts: Sequence[Fact]) -> Iterator[str]:
    pairs = (("used", consent, "consent.redeemed.1"), ("opened from", accounts, "account.opened.1"))
    for words, log, kind in pairs:
        counts = Counter(fact["data"]["consent_id"] for fact in of_kind(log, kind))
        for consent_id, count in counts.items():
            if count > 1:
                yield f"law 3: the consent {consent_id} was {words} {count} times"


def _positions(log: Sequence[Fact], kind: str) -> dict[str, int]:
    """Return the first position of a kind for each consent."""
    first = dict[str, int]()
    for fact in of_kind(log, kind):
        first.setdefault(fact["data"]["consent_id"], fact["position"])
    return first


def _in_order(consent: Sequence[Fact]) -> Iterator[str]:
    """Check the laws 4 and 7."""
    kinds = ("notice.served.1", "signature.asked.1", "consent.given.1", "consent.redeemed.1")
    served, asked, given, redeemed = (_positions(consent, kind) for kind in kinds)
    stops = [(kind.split(".")[1], _positions(consent, kind)) for kind in STOPS]
    confirmed = _positions(consent, "consent.confirmed.1")
    waiting = {
        fact["data"]["consent_id"]
        for fact in of_kind(consent, "consent.given.1")
        if fact["data"]["statement"].get("waits_for") == "confirmation"
    }
    for consent_id, used_at in redeemed.items():
        for stopped, positions in stops:
            if positions.get(consent_id, used_at) < used_at:
                yield f"law 4: used at {used_at}, though {stopped} at {positions[consent_id]}"
        if given.get(consent_id, used_at) >= used_at:
            yield f"law 4: used at {used_at} without having been given before"
        if consent_id in waiting and confirmed.get(consent_id, used_at) >= used_at:
            yield f"law 4: used at {used_at} without having been confirmed before"
    for consent_id, given_at in given.items():
        steps = [served.get(consent_id, 0), asked.get(consent_id, 0), given_at]
        if 0 in steps or steps != sorted(steps):
            yield f"law 7: given at {given_at}, but shown and asked at {steps[:2]}"


def _in_time(consent: Sequence[Fact]) -> Iterator[str]:
    """Check the times of law 4: those of what was signed last before the use."""
    _, last = _agreed(consent)
    for used in of_kind(consent, "consent.redeemed.1"):
        if agreed := last.get(used["data"]["consent_id"]):
            names = ("not_before", "expires_at")
            start, end = (instant(agreed["data"]["statement"][name]) for name in names)
            if not start <= instant(used["data"]["redeemed_at"]) < end:
                yield f"law 4: used at {used['position']}, outside its time"


def _agreed(consent: Sequence[Fact]) -> tuple[dict[str, Fact], dict[str, Fact]]:
    """Return the agreement of each consent, and what its citizen signed last of it."""
    given = {fact["data"]["consent_id"]: fact for fact in of_kind(consent, "consent.given.1")}
    confirmed = of_kind(consent, "consent.confirmed.1")
    return given, given | {fact["data"]["consent_id"]: fact for fact in confirmed}


def _matching(consent: Sequence[Fact], accounts: Sequence[Fact]) -> Iterator[str]:
    given, last = _agreed(consent)
    for opened in of_kind(accounts, "account.opened.1"):
        data = opened["data"]
        if data["consent_id"] not in given:
            yield f"law 5: the account at {opened['position']} has a consent nobody gave"
            continue
        agreed = given[data["consent_id"]]["data"]
        unlike = [name for name in MATCHED if agreed["statement"][name] != data[name]]
        event = last[data["consent_id"]]["data"]["event"]
        fees = agreed["statement"].get("fee_hash")
        unlike += ["fee_hash"] if data.get("fee_hash") not in {None, fees} else []
        unlike += ["event"] if event != data["consent_event"] else []
        unlike += ["purpose"] if data["purpose"] != "open-account" else []
        if unlike:
            yield f"law 5: the account at {opened['position']} differs in {', '.join(unlike)}"


def _signed(accounts: Sequence[Fact], keys: TrustedKeys) -> Iterator[str]:
    for opened in of_kind(accounts, "account.opened.1"):
        data = opened["data"]
        try:
            event = read_consent_event(keys.verify(data["consent_event"], CONSENT_EVENT))
            receipt = read_receipt(keys.verify(data["redemption_receipt"], REDEMPTION))
        except (BadToken, Unreadable) as bad:
            yield f"law 6: the account at {opened['position']} carries a bad document: {bad}"
            continue
        if (receipt.redemption_id, receipt.command_hash, receipt.statement_hash) != (
            data["opening_id"],
            data["command_hash"],
            event.statement.hash(),
        ):
            yield f"law 6: the documents of the account at {opened['position']} do not meet"


def _decided_once(consent: Sequence[Fact]) -> Iterator[str]:
    decided = Counter[str]()
    for kind in ("consent.given.1", "consent.refused.1"):
        decided.update(fact["data"]["consent_id"] for fact in of_kind(consent, kind))
    for consent_id, count in decided.items():
        if count > 1:
            yield f"law 8: the consent {consent_id} was decided {count} times"
