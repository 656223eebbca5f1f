"""What a client's token is good for, within its role: the nouns that a bank's calls are about.

A key that only reads rejections, say, should open no account, whoever comes to hold it.
"""

from collections.abc import Iterable
from enum import StrEnum

from shared.signing import BadToken


class Scope(StrEnum):
    """What an operation is about; it needs a token that is good for that."""

    CONSENTS = "consents"
    """To ask citizens, and read what they decided, what was handed in, and their receipts."""

    OPENINGS = "openings"
    """To open accounts, answer, and read both."""

    REJECTIONS = "rejections"
    """To read what was rejected."""

    CONTRACTS = "contracts"
    """To date what lets an office act for a bank."""

    SUSPENSIONS = "suspensions"
    """To stop what is done, to let it go on, and read what is stopped."""

    EVENTS = "events"
    """To follow what happens."""

    WEBHOOKS = "webhooks"
    """To say where to be told of it."""

    RECONCILIATIONS = "reconciliations"
    """To hand in which accounts a bank has, and read what came of it."""


ALL = frozenset(Scope)
"""What a client may do whose row names no scopes: all that its role may."""


def chosen(asked: str, allowed: frozenset[Scope]) -> frozenset[Scope]:
    """Return the scopes of a token, by what was asked for (RFC 6749 section 3.3).

    Nothing asked for is all that is allowed. Raises `BadToken` with `scope_unknown` for anything
    that is not.
    """
    words = set(asked.split())
    if not words <= allowed:
        raise BadToken("scope_unknown")
    return frozenset(one for one in allowed if one in words) if words else allowed


def written(scopes: Iterable[Scope]) -> str:
    """Return scopes as a token and an answer name them."""
    return " ".join(sorted(scopes))
