"""What banks, offices and places are called, by the newest name that the directory has."""

from services.audit.history import History
from services.consent.facts import BankRegistered, OfficeRegistered, SiteRegistered
from shared.ledger.log import about

NAMED = {"office": OfficeRegistered, "bank": BankRegistered, "site": SiteRegistered}
"""What has a name, and the fact that says it."""


def name_of(history: History, noun: str, own_id: str | None) -> str | None:
    """Return a name, None where there is none: a clerk is known by a code."""
    log, kind = history.logs.get("consent"), NAMED.get(noun)
    if log is None or kind is None or own_id is None:
        return None
    found = log.recorded(about(f"{noun}:{own_id}", kinds=[kind]))
    return str(found[-1].fact.name) if found else None
