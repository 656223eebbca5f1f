"""The file that a citizen keeps, `receipt.json`: the receipt and all that proves it offline.

    {"receipt": the signed receipt (compact JWS),
     "fact": {"position", "recorded_at", "kind", "tags", "data", "parts"} or null,
     "entry": the fact's entry in the log, in base64, or null,
     "proof": the proof that the entry lies in the log (C2SP tlog-proof) or null,
     "keys": the JWK set of the service, "vkeys": the log's verifier keys}

The fact's data are canonical JSON in the log, so the file may be laid out anew: they are brought
back to that form before they are compared. Keys in the file are a convenience and prove nothing.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from shared.canonical import canonical
from shared.contracts.consent import Unreadable
from shared.ledger.entries import DIGEST_BYTES
from shared.ledger.recorder import StoredFact

FILE_BYTES_MAX = 1 << 20
"""A kept receipt has about 15,000 bytes."""

PARTS_MAX = 255
"""An entry holds the digests of no more (docs/ledger-format.md)."""

LAYOUT_SPACES = 2

Position = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Text = Annotated[str, msgspec.Meta(max_length=1_000)]
PartDigest = Annotated[str, msgspec.Meta(pattern=f"^[0-9a-f]{{{2 * DIGEST_BYTES}}}$")]


class KeptFact(msgspec.Struct, frozen=True, kw_only=True):
    """The decision's fact as it lies in the log; `parts` are hexadecimal digests."""

    position: Position
    recorded_at: Instant
    kind: Text
    tags: list[Text]
    data: msgspec.Raw
    parts: Annotated[list[PartDigest], msgspec.Meta(max_length=PARTS_MAX)]

    @classmethod
    def of(cls, stored: StoredFact) -> "KeptFact":
        """Return what is kept of a stored fact."""
        return cls(
            position=stored.position,
            recorded_at=stored.recorded_at,
            kind=stored.kind,
            tags=list(stored.tags),
            data=msgspec.Raw(stored.data),
            parts=[digest.hex() for digest in stored.part_digests],
        )

    def stored(self) -> StoredFact:
        """Return the fact with its bytes as the log stores them; raises `ValueError`."""
        digests = tuple(bytes.fromhex(one) for one in self.parts)
        try:
            data = canonical(msgspec.json.decode(self.data))
        except RecursionError as error:
            raise ValueError("the data are nested too deep") from error
        return StoredFact(self.position, self.recorded_at, self.kind, self.tags, data, b"", digests)


class KeptReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """The file's content; nothing of it is checked yet."""

    receipt: str
    fact: KeptFact | None = None
    entry: str | None = None
    proof: str | None = None
    keys: dict[str, Any]
    vkeys: list[str]

    def file(self) -> bytes:
        """Return the file, laid out so that a person can look into it."""
        return msgspec.json.format(msgspec.json.encode(self), indent=LAYOUT_SPACES)


def keep_receipt(
    receipt: str,
    *,
    keys: Mapping[str, Any],
    vkeys: Sequence[str],
    fact: StoredFact | None = None,
    proof: str | None = None,
) -> KeptReceipt:
    """Return what a citizen keeps: a signed receipt, the decision's fact and the proof of it.

    `keys` is the service's JWK set, `vkeys` the log's verifier keys. Without a proof, which comes
    within a second of the decision, the file says nothing about the log.
    """
    return KeptReceipt(
        receipt=receipt,
        fact=None if fact is None else KeptFact.of(fact),
        entry=None if fact is None else base64.b64encode(fact.entry()).decode(),
        proof=proof,
        keys=dict(keys),
        vkeys=list(vkeys),
    )


def read_kept_receipt(content: bytes) -> KeptReceipt:
    """Return a file's content; raises `Unreadable`."""
    if len(content) > FILE_BYTES_MAX:
        raise Unreadable(f"the file has more than {FILE_BYTES_MAX:,} bytes")
    try:
        return msgspec.json.decode(content, type=KeptReceipt)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error
