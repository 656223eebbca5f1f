"""How a service says no: a rejection with stable codes, which only `shared/web.py` makes HTTP.

    Rejection              the caller asked for something that the rules do not allow
    └─ Unavailable       nothing was decided; the same request may be sent again

A citizen *refuses*; the rules *reject*. The two words are kept apart everywhere.

Anything else that is raised is a defect or an outage, and its text stays inside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What sort of no it is; each kind has one HTTP status (`shared/web.py`)."""

    INCOMPLETE = "incomplete"
    """A header is missing without which the request is not looked at."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    METHOD = "method"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    LIMITED = "limited"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that stood in the way, and the log positions that made it so."""

    code: str
    positions: tuple[int, ...] = ()
    detail: str = ""


class Rejection(Exception):
    """A no with its reasons, and the facts that record it.

    `code` is stable and public; `facts` are appended to the log before the caller hears of it.
    `headers` are fields that the answer has beside those of its kind.
    """

    def __init__(
        self,
        kind: Kind,
        code: str,
        *,
        reasons: Sequence[Reason] = (),
        facts: Sequence[Any] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.kind = kind
        self.code = code
        self.reasons = tuple(reasons) or (Reason(code),)
        self.facts = tuple(facts)
        self.headers = dict(headers or {})


class Unavailable(Rejection):
    """Nothing was decided because a part is out of reach; safe to repeat after `retry_after_s`."""

    def __init__(self, code: str, *, retry_after_s: int = 2, facts: Sequence[Any] = ()) -> None:
        headers = {"Retry-After": str(retry_after_s)}
        super().__init__(Kind.UNAVAILABLE, code, facts=facts, headers=headers)
