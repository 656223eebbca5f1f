"""A request's key stands for one request, for ever: who sent it first, and the digest of what.

The claim lies in the log before what it is for. So whatever a crash leaves, a claim without effect
or an effect without an answer, the same request again is known for the same.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from eventsourcing.dcb.api import DCBQueryItem

from shared.errors import Kind, Rejection
from shared.ledger.facts import Recorded, fact
from shared.ledger.log import Verb, about


@fact("request.claimed.1", tags=("request",))
class RequestClaimed:
    """A key was used for the first time: the digest of caller and key, the caller, what it is for.

    `request_hash` is the SHA-256 of method, address and body, hexadecimal; the key itself is kept
    nowhere.
    """

    request_id: str
    claimed_by: str
    request_hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A request that its caller gave a key."""

    request_id: str
    claimed_by: str
    request_hash: str


Claimed = RequestClaimed | None
"""The first claim of a key."""


def claim_of(caller: str, key: str, method: str, address: str, body: bytes) -> Claim:
    """Return the claim of a request; each caller has keys of its own."""
    parts = [method, address, hashlib.sha256(body).hexdigest()]
    return Claim(request_id=_digest(caller, key), claimed_by=caller, request_hash=_digest(*parts))


def boundary(claim: Claim) -> Sequence[DCBQueryItem]:
    """Return what has this key."""
    return [about(f"request:{claim.request_id}", kinds=[RequestClaimed])]


def evolve(claimed: Claimed, recorded: Recorded) -> Claimed:
    """Keep the first."""
    happened = recorded.fact
    return claimed or (happened if isinstance(happened, RequestClaimed) else None)


def decide(claimed: Claimed, claim: Claim) -> Sequence[RequestClaimed]:
    """Claim the key, or do nothing if this very request did; raises `Rejection` for another.

    That is no fact: nobody was kept from anything but an error of their own program.
    """
    if claimed is None:
        return [
            RequestClaimed(
                request_id=claim.request_id,
                claimed_by=claim.claimed_by,
                request_hash=claim.request_hash,
            )
        ]
    if claimed.request_hash != claim.request_hash:
        raise Rejection(Kind.MALFORMED, "idempotency_key_reused")
    return []


CLAIM = Verb[Claimed, Claim](boundary=boundary, initial=None, evolve=evolve, decide=decide)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
