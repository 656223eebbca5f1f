"""Rights: who may act as an agent, where, for which bank, and from when until when.

Each is one line with dates, given by whoever answers for it, and replaced by the next one; nothing
is changed in place, so the past is judged by what held then. What holds at an instant is for
`services/consent/gate.py` to tell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eventsourcing.dcb.api import DCBQueryItem

from services.consent.facts import (
    BankRegistered,
    ClerkRegistered,
    OfficeRegistered,
    Right,
    RightGranted,
    RightRejected,
    SiteRegistered,
)
from services.consent.facts.places import place_of
from shared.errors import Kind, Reason, Rejection
from shared.ledger.facts import Recorded
from shared.ledger.log import Verb, about

NEEDED = {
    "bank": (BankRegistered, "bank_unknown"),
    "office": (OfficeRegistered, "office_unknown"),
    "clerk": (ClerkRegistered, "clerk_unknown"),
    "site": (SiteRegistered, "site_unknown"),
}
"""What must be registered before a right can name it."""


@dataclass(frozen=True, slots=True)
class Known:
    """The newest grant of a right, and the directory's entries that it names."""

    granted: RightGranted | None = None
    entries: tuple[Any, ...] = ()

    def entry(self, kind: type[Any]) -> Any:
        """Return the entry of a kind, None if it is not registered."""
        return next((one for one in self.entries if isinstance(one, kind)), None)


def boundary(asked: RightGranted) -> Sequence[DCBQueryItem]:
    """Return this right, and whatever it names."""
    named = [(noun, getattr(asked, f"{noun}_id"), kind) for noun, (kind, _) in NEEDED.items()]
    return [
        about(f"right:{asked.right_id}", kinds=[RightGranted]),
        *(about(f"{noun}:{own_id}", kinds=[kind]) for noun, own_id, kind in named if own_id),
    ]


def evolve(known: Known, recorded: Recorded) -> Known:
    """Collect it."""
    if isinstance(recorded.fact, RightGranted):
        return replace(known, granted=recorded.fact)
    return replace(known, entries=(*known.entries, recorded.fact))


def decide(known: Known, asked: RightGranted) -> Sequence[RightGranted]:
    """Grant, or do nothing if this very line holds; whoever grants is looked at last."""
    if reasons := [*_unregistered(known, asked), *_untimely(asked), *_not_entitled(known, asked)]:
        fact = RightRejected(
            right_id=asked.right_id,
            asked_by=asked.granted_by,
            reasons=[reason.code for reason in reasons],
            **place_of(asked),
        )
        raise Rejection(Kind.REJECTED, "right_rejected", reasons=reasons, facts=[fact])
    return [] if known.granted and _alike(known.granted, asked) else [asked]


GRANT = Verb(boundary=boundary, initial=Known(), evolve=evolve, decide=decide)


def _alike(one: RightGranted, other: RightGranted) -> bool:
    return replace(other, granted_by=one.granted_by) == one


def _unregistered(known: Known, asked: RightGranted) -> Iterator[Reason]:
    for noun, (kind, code) in NEEDED.items():
        if getattr(asked, f"{noun}_id") and known.entry(kind) is None:
            yield Reason(code)
    clerk = known.entry(ClerkRegistered)
    if clerk and clerk.office_id != asked.office_id:
        yield Reason("clerk_unknown")


def _untimely(asked: RightGranted) -> Iterator[Reason]:
    if asked.valid_until is not None and asked.valid_until <= asked.valid_from:
        yield Reason("valid_until_out_of_range")


def _not_entitled(known: Known, asked: RightGranted) -> Iterator[Reason]:
    """Hold a bank to its own contracts, and a host to its own places."""
    role, _, own_id = asked.granted_by.partition(":")
    site = known.entry(SiteRegistered)
    entitled = {
        "operator": True,
        "bank": asked.right is Right.CONTRACT and asked.bank_id == own_id,
        "host": asked.right is Right.PERMISSION and site and site.host_id == own_id,
    }
    if not entitled.get(role):
        yield Reason("not_entitled")
