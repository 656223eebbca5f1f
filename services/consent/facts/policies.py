"""What is policy from when on, and who said so."""

from datetime import datetime
from enum import StrEnum

from shared.ledger.facts import fact


class SetFor(StrEnum):
    """Why policy changes."""

    LAW = "law"
    ORDER = "order"
    MISUSE = "misuse"
    EXPERIENCE = "experience"


@fact("policy.proposed.1", tags=("policy",))
class PolicyProposed:
    """An operator wants these values from `valid_from` (UTC) on; it takes an overseer too.

    `values` are all of them by name: whole seconds, or a count. The newest proposal of a version is
    the one that can be approved.
    """

    policy_id: str
    version: int
    values: dict[str, int]
    valid_from: datetime
    why: SetFor
    proposed_by: str


@fact("policy.set.1", tags=("policy",))
class PolicySet:
    """These values are policy from `valid_from` (UTC) on, until those of the next version are.

    Versions are counted from 1 without gaps; 0 is what the program came with, and needs no fact.
    """

    policy_id: str
    version: int
    values: dict[str, int]
    valid_from: datetime
    why: SetFor
    proposed_by: str
    approved_by: str


@fact("policy.rejected.1", tags=("policy",))
class PolicyRejected:
    """The rules did not let somebody propose or approve.

    `out_of_bounds` has each value that goes too far, with what it is held to.
    """

    policy_id: str
    version: int
    asked_by: str
    reasons: list[str]
    out_of_bounds: list[str]
