"""Who was shown what of a citizen, under the ids that looks have."""

from datetime import datetime, timedelta
from typing import Any

from bench.history.case import Case
from bench.history.keys import digest_fast
from bench.history.world import Steps, World
from services.accounts.facts import AccountRead
from services.consent.facts import (
    DataRead,
    PageAsked,
)
from shared.looks import ID_DIGITS, ONCE_IN, ReadFor

SHOWN = ["standing", "product_id", "account_end"]
"""The names of what a look shows."""

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")


def minutes(low: float, high: float, world: World) -> timedelta:
    """Return a time between two, in whole seconds."""
    return timedelta(seconds=world.chance.random.randint(int(low * 60), int(high * 60)))


def pace(case: Case) -> timedelta:
    """Return how long one step takes whoever is asked: of those online five minutes are all."""
    slowest = 60 if case.place is None else 300
    return timedelta(seconds=case.world.chance.random.randint(15, slowest))


def look_at_account(case: Case, by: str, purpose: ReadFor) -> AccountRead:
    """Record that somebody was shown the opening."""
    of = {"opening_id": case.opening_id}
    look: AccountRead = case.put_in_accounts(AccountRead(**_look(case, by, purpose, SHOWN, of)))
    return look


def look_at_question(case: Case, by: str, purpose: ReadFor) -> None:
    """Record that somebody was shown the question."""
    case.put(DataRead(**_look(case, by, purpose, SHOWN[:2], {})))


def own_page(case: Case) -> Steps:
    """Let a citizen look at everything in their name."""
    world = case.world
    case.put(
        PageAsked(
            citizen_id=case.person.id, asked_at=world.now, policy_version=world.policy.version
        )
    )
    yield minutes(1, 8, world)
    look_at_question(case, "service:consent", ReadFor.OWN_PAGE)
    if case.opened:
        look_at_account(case, "service:consent", ReadFor.OWN_PAGE)


def _look(
    case: Case, by: str, purpose: ReadFor, fields: list[str], of: dict[str, str]
) -> dict[str, Any]:
    """Return a look's fields, under the id that `shared.looks.named` gives it, in less time."""
    now = case.world.now
    alike = {
        **of,
        "look_id": "",
        "citizen_id": case.person.id,
        "consent_id": case.consent_id,
        "case_id": None,
        "read_by": by,
        "purpose": purpose,
        "fields": fields,
        "read_at": now - (now - EPOCH) % ONCE_IN,
    }
    return {**alike, "look_id": digest_fast(alike)[:ID_DIGITS], "read_at": now}
