"""What can be read of openings: folded from their facts, and disposable."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozen,
    AccountFrozenByBank,
    AccountOpened,
    AccountRead,
    OpeningRejected,
)
from shared.errors import Kind, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Log, about
from shared.looks import grouped

STANDING = {
    OpeningRejected: "rejected",
    AccountOpened: "opened",
    AccountConfirmed: "confirmed",
    AccountDeclined: "declined",
    AccountFrozen: "frozen",
    AccountFrozenByBank: "frozen",
    AccountClosed: "closed",
}
"""What each fact makes of an opening; a rejection does not undo what was opened, what is frozen
stays frozen, and what is closed stays closed."""

LASTING = ((AccountClosed,), (AccountFrozen, AccountFrozenByBank))
"""What holds whatever comes behind it, the strongest first."""


ATTEMPTS_MAX = 100
"""Attempts in one answer: the newest."""


async def read_opening(log: Log, opening_id: str, reader: str | None = None) -> dict[str, Any]:
    """Return an opening with its history; raises `Rejection` for an unknown id.

    To a `reader`, such as `bank:cake`, attempts of others under the same id are not shown: whose
    citizens they name is not theirs to see. None sees all.
    """
    whole = await log.read(about(f"opening:{opening_id}", kinds=list(STANDING)))
    history = [one for one in whole if reader is None or _is_shown(one.fact, reader)]
    if not history:
        raise Rejection(Kind.UNKNOWN, "opening_unknown")
    return opening_of(history)


def opening_of(history: Sequence[Recorded]) -> dict[str, Any]:
    """Return an opening as its history, which has something, makes it."""
    return {**_summary(history), "history": [_line(recorded) for recorded in history]}


def _is_shown(fact: Any, reader: str) -> bool:
    if not isinstance(fact, OpeningRejected):
        return True
    return reader in {fact.commanded_by, f"bank:{fact.bank_id}", f"clerk:{fact.clerk_id}"}


async def read_openings(
    log: Log, opening_ids: Sequence[str], tag: str
) -> dict[str, dict[str, Any]]:
    """Return openings that carry a tag by id, in the order of the ids, each with its `last` place.

    It reads nothing of the others, so that it takes no longer for them than for none.
    """
    kinds = list(STANDING)
    arms = [about(f"opening:{one}", tag, kinds=kinds) for one in opening_ids]
    histories: dict[str, list[Recorded]] = {one: [] for one in opening_ids}
    for recorded in await log.read(*arms) if arms else []:
        histories[recorded.fact.opening_id].append(recorded)
    return {
        opening_id: {**_summary(history), "last": history[-1].position}
        for opening_id, history in histories.items()
        if history
    }


async def list_openings(log: Log, tag: str | None, *, after: int, limit: int) -> dict[str, Any]:
    """Return openings in the order in which they were allowed, and the cursor behind them."""
    tags = [tag] if tag else []
    opened = await log.read(about(*tags, kinds=[AccountOpened]), after=after, limit=limit)
    kinds = [kind for kind in STANDING if kind is not OpeningRejected]
    arms = [about(f"opening:{one.fact.opening_id}", kinds=kinds) for one in opened]
    histories = dict[str, list[Recorded]]()
    for recorded in await log.read(*arms) if arms else []:
        histories.setdefault(recorded.fact.opening_id, []).append(recorded)
    last = opened[-1].position if opened else after
    return {"openings": [_summary(one) for one in histories.values()], "next": last}


async def read_attempts(log: Log, citizen_id: str) -> list[dict[str, Any]]:
    """Return who tried to open something in a citizen's name, and why it did not open; in order."""
    tried = await log.read(about(f"citizen:{citizen_id}", kinds=[OpeningRejected]))
    return [
        {
            "kind": one.fact.NAME,
            "at": one.recorded_at,
            "tried_by": one.fact.commanded_by,
            "reasons": one.fact.reasons,
        }
        for one in tried[-ATTEMPTS_MAX:]
    ]


async def read_looks(log: Log, citizen_id: str) -> list[dict[str, Any]]:
    """Return who was shown openings in a citizen's name, whoever looked last first."""
    reads = await log.read(about(f"citizen:{citizen_id}", kinds=[AccountRead]))
    return [msgspec.to_builtins(one) for one in grouped(read.fact for read in reads)]


def _summary(history: Sequence[Recorded]) -> dict[str, Any]:
    facts = [recorded.fact for recorded in history]
    decisive = [fact for fact in facts if not isinstance(fact, OpeningRejected)] or facts
    first = decisive[0]
    lasting = [fact for kinds in LASTING for fact in decisive if isinstance(fact, kinds)]
    last = [*lasting, decisive[-1]][0]
    declined = [fact.reason for fact in decisive if isinstance(fact, AccountDeclined)]
    ends = [fact.account_end for fact in decisive if isinstance(fact, AccountConfirmed)]
    return {
        "opening_id": first.opening_id,
        "standing": STANDING[type(last)],
        "position": history[facts.index(first)].position,
        "recorded_at": history[facts.index(first)].recorded_at,
        "citizen_id": first.citizen_id,
        "bank_id": first.bank_id,
        "product_id": first.product_id,
        "office_id": first.office_id,
        "clerk_id": first.clerk_id,
        "consent_id": getattr(first, "consent_id", None),
        "account_end": ends[-1] if ends else None,
        "declined_for": declined[-1] if declined else None,
    }


def _line(recorded: Recorded) -> dict[str, Any]:
    return {
        "position": recorded.position,
        "recorded_at": recorded.recorded_at,
        "kind": recorded.fact.NAME,
        "data": msgspec.to_builtins(recorded.fact),
    }
