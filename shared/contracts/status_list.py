"""Whether what we signed still counts, for everyone at once: the IETF Token Status List, as JWT.

A list holds one small number for each of 65,536 positions of the log, zero where nothing is to be
said, so that whoever fetches it does not tell us whose receipt is being looked at. Two bits each,
the lowest first, compressed with zlib (draft-ietf-oauth-status-list, section 4).
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from shared.contracts.consent import Unreadable

STATUS_LIST = "statuslist+jwt"
"""JOSE `typ` of a signed list (section 5.1)."""

BITS = 2
"""Bits of one entry in our lists."""

BYTE_BITS = 8
SIZES = (1, 2, 4, 8)
"""The sizes of an entry, in bits, that the draft allows."""

NUMBER_SHIFT = 16
LIST_ENTRIES = 1 << NUMBER_SHIFT
"""Positions that one list is for."""

INFLATED_BYTES_MAX = 1 << 20
"""A list of others has at most this many bytes, the size of the draft's largest example."""

TOKEN_CHARACTERS_MAX = 32_768
"""A signed list of ours, whatever is in it: 16 KiB that will not shrink, in base64 twice over."""


class Status(IntEnum):
    """What a list says of a decision (section 7); 3 is left to applications."""

    VALID = 0
    """It stands as it was made."""

    INVALID = 1
    """It was withdrawn, or declared void."""

    SUSPENDED = 2
    """It waits, or is disputed, and does not count meanwhile."""

    USED = 3
    """It was used; it counts once."""


class BadStatusList(ValueError):
    """Text that is no list, or a place that a list does not have; the text says which."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a position's status is: the list's number, and the index in it."""

    number: int
    index: int

    @classmethod
    def of(cls, position: int) -> "Place":
        """Return the place of a position of the log."""
        return cls(position >> NUMBER_SHIFT, position % LIST_ENTRIES)


@dataclass(frozen=True, slots=True)
class StatusList:
    """The entries of a list, `bits` each, packed into bytes."""

    bits: int
    packed: bytes

    @classmethod
    def of(
        cls, statuses: Mapping[int, int], entries: int = LIST_ENTRIES, bits: int = BITS
    ) -> "StatusList":
        """Return the list with these statuses by index, and 0 everywhere else.

        Raises `BadStatusList` for a size, an index or a status that does not fit.
        """
        _check_size(bits)
        packed = bytearray(-(-entries * bits // BYTE_BITS))
        for index, status in statuses.items():
            if not 0 <= index < entries or not 0 <= status < 1 << bits:
                raise BadStatusList(f"no list of {entries} has status {status} at {index}")
            byte, shift = divmod(index * bits, BYTE_BITS)
            packed[byte] |= status << shift
        return cls(bits, bytes(packed))

    @classmethod
    def decode(cls, lst: str, bits: int = BITS) -> "StatusList":
        """Read a list as it is sent; raises `BadStatusList`. No text makes it inflate far."""
        _check_size(bits)
        inflater = zlib.decompressobj()
        try:
            packed = inflater.decompress(_base64url(lst), INFLATED_BYTES_MAX + 1)
        except zlib.error as error:
            raise BadStatusList("the list is not zlib data") from error
        if len(packed) > INFLATED_BYTES_MAX:
            raise BadStatusList(f"the list is longer than {INFLATED_BYTES_MAX} bytes")
        if not inflater.eof or inflater.unused_data:
            raise BadStatusList("the list is cut, or has more behind it")
        return cls(bits, packed)

    def encode(self) -> str:
        """Return the list as it is sent: zlib at its strongest, base64url without padding."""
        coded = base64.urlsafe_b64encode(zlib.compress(self.packed, level=9))
        return coded.rstrip(b"=").decode()

    def get(self, index: int) -> int:
        """Return the status at an index; raises `BadStatusList` where there is none."""
        if not 0 <= index < len(self):
            raise BadStatusList(f"the list has no entry {index}, but {len(self)} in all")
        byte, shift = divmod(index * self.bits, BYTE_BITS)
        return self.packed[byte] >> shift & ((1 << self.bits) - 1)

    def __len__(self) -> int:
        return len(self.packed) * BYTE_BITS // self.bits


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedList:
    """The claim `status_list` of a signed list."""

    bits: int
    lst: str

    def unpacked(self) -> StatusList:
        """Return the list; raises `BadStatusList`."""
        return StatusList.decode(self.lst, self.bits)


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusListToken:
    """The payload of a signed list (section 5.1); times are seconds since 1970 UTC.

    `sub` is the address that receipts name; `ttl` is how many seconds a copy may be kept.
    """

    iss: str
    sub: str
    iat: int
    exp: int
    ttl: int
    status_list: PackedList


def read_status_list(payload: bytes) -> StatusListToken:
    """Return the payload of a signed list; raises `Unreadable`."""
    try:
        return msgspec.json.decode(payload, type=StatusListToken)
    except (msgspec.DecodeError, ValueError) as error:
        raise Unreadable(str(error)) from error


def _check_size(bits: int) -> None:
    if bits not in SIZES:
        raise BadStatusList(f"an entry has 1, 2, 4 or 8 bits, not {bits}")


def _base64url(text: str) -> bytes:
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadStatusList("the list is not base64url") from error
    if "=" in text:
        raise BadStatusList("the list is not base64url without padding")
    return decoded
