"""What a compact JWS says, before anybody believes it, and what its statements are as bytes."""

import binascii
from base64 import urlsafe_b64decode

import msgspec
from msgspec import UNSET, UnsetType

PARTS = 3


def payload_of(token: str) -> bytes:
    """Return the payload of a compact JWS, unverified; raises `ValueError` for none."""
    parts = token.split(".")
    if len(parts) != PARTS:
        raise ValueError("no compact JWS")
    try:
        return urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    except binascii.Error as error:
        raise ValueError("no compact JWS") from error


class Event(msgspec.Struct, gc=False):
    """What a consent event holds of its statements, as its bytes are."""

    statement: msgspec.Raw
    statement_hash: str
    confirmation: msgspec.Raw | UnsetType = UNSET
    confirmation_hash: str | UnsetType = UNSET


_events = msgspec.json.Decoder(Event)


def read_event(payload: bytes) -> Event:
    """Return a consent event; raises `ValueError` for what is none."""
    return _events.decode(payload)
