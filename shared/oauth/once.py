"""What may be shown once: who signed it, its own id, and until when it would count again."""

import hashlib
import math
from dataclasses import dataclass

JTI_CHARACTERS_MAX = 256
"""A UUID has 36; what is longer is no id."""


@dataclass(frozen=True, slots=True)
class Once:
    """Something that whoever signed it may show once, until `expires` (seconds since 1970)."""

    what: str
    signer: str
    jti: str
    expires: int

    @property
    def digest(self) -> bytes:
        """Return 32 bytes that stand for it, however long its id is."""
        return hashlib.sha256(f"{self.what}\n{self.signer}\n{self.jti}".encode()).digest()


def is_id(jti: str) -> bool:
    """Tell whether a `jti` can be remembered."""
    return 0 < len(jti) <= JTI_CHARACTERS_MAX


def until(instant: float) -> int:
    """Return the first whole second at which something that counts until then counts no more."""
    return math.floor(instant) + 1
