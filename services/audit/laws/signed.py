"""Law 42: what a bank signed is kept whole, and is what then came of it.

Whether the key was the bank's, its contract with the operator says: a log does not know. What the
log shows is that whoever has the key signed this very command, about then.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from typing_extensions import override

from services.accounts.facts import (
    AccountClosed,
    AccountDeclined,
    AccountFrozenByBank,
    AccountOpened,
)
from services.audit.laws.law import Group, Heard, Hearings, Violation
from shared.message_signatures.requests import BadSignature, check_kept, members_of

APART_S = 3_600
"""Seconds between a signature and its fact at most: what the consent service takes to answer, and
by which another process's clock, which a log's time never falls behind, may have been ahead."""

OPENING = (
    "citizen_id", "bank_id", "product_id", "terms_hash", "purpose", "office_id", "site_id",
    "clerk_id", "fee_hash", "officer_id",
)  # fmt: skip
"""Members of a command that its account's fact has under the same name."""

SAID = {AccountDeclined: "declination", AccountFrozenByBank: "freezing", AccountClosed: "closure"}
"""What the bank says of an account with a reason, and the last part of the address for it."""


class Signed(Group):
    """The commands that banks signed."""

    @override
    def accounts(self) -> Hearings:
        return {AccountOpened: self._opened, **dict.fromkeys(SAID, self._said)}

    def _opened(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountOpened = heard.fact
        if fact.signed:
            said = {name: getattr(fact, name) for name in OPENING}
            said["consent"] = fact.consent_event
            yield from _check(heard, f"/openings/{fact.opening_id}", said)

    def _said(self, heard: Heard) -> Iterator[Violation]:
        fact: AccountDeclined | AccountFrozenByBank | AccountClosed = heard.fact
        if fact.signed:
            path = f"/openings/{fact.opening_id}/{SAID[type(fact)]}"
            yield from _check(heard, path, {"reason": fact.reason})


def _check(heard: Heard, path: str, said: Mapping[str, Any]) -> Iterator[Violation]:
    signed, at = heard.fact.signed, heard.position
    try:
        check_kept(signed, heard.recorded_at, within_s=APART_S)
    except BadSignature as bad:
        how = f"the signature kept at {at} does not hold: {bad}"
        yield Violation(42, "accounts", (at,), how)
        return
    members = members_of(signed.body.encode())
    wanted = {name: value for name, value in said.items() if value is not None}
    if (
        signed.method != "PUT"
        or not urlsplit(signed.target).path.endswith(path)
        or members is None
        or {name: value for name, value in members.items() if value is not None} != wanted
    ):
        how = f"what was signed is not what came of it at {at}"
        yield Violation(42, "accounts", (at,), how)
