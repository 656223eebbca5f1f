"""Whose act each fact is: the lane that it stands in, and what kind of mark it has there."""

from typing import Any

from services.audit.pages.cases import Happened

LANES = ("citizen", "consent", "clerk", "bank", "accounts", "witness", "authority")
"""In this order from left to right; the last two only where they did something."""

ALWAYS = 5
"""Lanes that every case has."""

OF = {
    "notice.served.1": "consent",
    "signature.asked.1": "consent",
    "consent.redeemed.1": "consent",
    "redemption.rejected.1": "consent",
    "stop.delivered.1": "consent",
    "consent.invalidated.1": "consent",
    "account.opened.1": "accounts",
    "account.frozen.1": "accounts",
    "stop.received.1": "accounts",
    "account.confirmed.1": "bank",
    "account.declined.1": "bank",
    "account.frozen_by_bank.1": "bank",
    "account.closed.1": "bank",
    "answer.rejected.1": "bank",
    "identity.captured.1": "clerk",
    "opening.submitted.1": "clerk",
    "witness.signed.1": "witness",
    "witness.dissented.1": "witness",
}
"""Whose act a fact always is; another is that of whom it names, and else the citizen's."""

CALLERS = ("asked_by", "commanded_by", "proposed_by", "named_by")
"""Where a fact names who did it."""

OF_ROLE = {
    "bank": "bank",
    "clerk": "clerk",
    "manager": "clerk",
    "service": "consent",
    "regulator": "authority",
    "overseer": "authority",
    "operator": "authority",
}

STOPS = frozenset(
    {
        "consent.refused.1",
        "consent.withdrawn.1",
        "purpose.withdrawn.1",
        "consent.disputed.1",
        "consent.invalidated.1",
        "stop.received.1",
        "account.frozen.1",
        "account.declined.1",
        "account.frozen_by_bank.1",
        "account.closed.1",
        "witness.dissented.1",
    }
)
"""What ends something."""

SIGNED = frozenset(
    {
        "consent.given.1",
        "consent.confirmed.1",
        "refusal.withdrawn.1",
        "purpose.given.1",
        "witness.signed.1",
        "account.opened.1",
        "account.confirmed.1",
    }
)
"""What takes the case forward."""


def lane_of(one: Happened) -> str:
    """Return the lane of a fact."""
    kind = one.stored.kind
    if kind in OF:
        return OF[kind]
    caller = next((_caller(one.fact, name) for name in CALLERS if _caller(one.fact, name)), "")
    return OF_ROLE.get(caller.partition(":")[0], "citizen")


def mark_of(one: Happened) -> str:
    """Return what kind of mark a fact has: `no`, `stop`, `yes` or `did`."""
    kind = one.stored.kind
    if ".rejected." in kind or ".failed." in kind:
        return "no"
    if kind in STOPS:
        return "stop"
    return "yes" if kind in SIGNED else "did"


def _caller(fact: Any, name: str) -> str:
    return str(getattr(fact, name, None) or "")
