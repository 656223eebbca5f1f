"""What a compact JWS says, before anybody believes it."""

import binascii
from base64 import urlsafe_b64decode

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
