"""The code that signs: six digits derived from the statement's hash with a secret key.

Nothing is stored, so nothing can leak from a log, a fact or a backup; the statement's random
nonce makes every code a new one. Derivation as in RFC 4226 section 5.3, with SHA-256.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from shared.signing import write_secret

DIGITS = 6
"""What a person can read off one screen and type into another."""

KEY_BYTES = 32

DISPUTE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U."""

DISPUTE_LENGTH = 12


def create_code_key(file: Path) -> None:
    """Make the secret key, unless it is there."""
    if not file.exists():
        write_secret(file, secrets.token_bytes(KEY_BYTES))


class Codes:
    """Makes and checks codes under one secret key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def code(self, statement_hash: str) -> str:
        """Return the code for a statement: six decimal digits."""
        mac = hmac.digest(self._key, statement_hash.encode(), hashlib.sha256)
        offset = mac[-1] & 0x0F
        number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
        return f"{number % 10**DIGITS:0{DIGITS}d}"

    def matches(self, statement_hash: str, typed: str) -> bool:
        """Tell whether what a person typed is the code; blanks between digits do not matter."""
        digits = "".join(typed.split())
        return hmac.compare_digest(digits.encode(), self.code(statement_hash).encode())

    def dispute(self, consent_id: str) -> str:
        """Return the code with which whoever holds it disputes a consent: 12 letters and digits.

        Printed and read aloud, so without letters that look or sound like others (60 bits).
        """
        mac = hmac.digest(self._key, b"dispute:" + consent_id.encode(), hashlib.sha256)
        number = int.from_bytes(mac[:8], "big")
        letters = (DISPUTE_LETTERS[number >> 5 * at & 31] for at in range(DISPUTE_LENGTH))
        return "".join(letters)

    def link(self, consent_id: str) -> str:
        """Return the unguessable end of a citizen's link: the consent's id and a MAC of it."""
        return self._link("link", consent_id)

    def consent_id(self, link: str) -> str | None:
        """Return the consent that a link is for, None if we did not make the link."""
        return self._linked("link", link)

    def phone_link(self, enrolment_id: str) -> str:
        """Return the end of the link that stops another phone; it opens no consent."""
        return self._link("phone", enrolment_id)

    def enrolment_id(self, link: str) -> str | None:
        """Return the enrolment that a link stops, None if we did not make the link."""
        return self._linked("phone", link)

    def witness_link(self, enrolment_id: str) -> str:
        """Return the end of a witness's own link; without their passkey it signs nothing."""
        return self._link("witness", enrolment_id)

    def invitation_id(self, link: str) -> str | None:
        """Return the invitation that a witness's link is for, None if we did not make it."""
        return self._linked("witness", link)

    def page_link(self, citizen_id: str, expires_at: int) -> str:
        """Return the end of a citizen's own link; it opens nothing from that second (Unix) on."""
        return self._link("me", f"{citizen_id}.{expires_at}")

    def citizen_id(self, link: str, at: int) -> str | None:
        """Return whose own link this is, None if it is over at a second, or we did not make it."""
        citizen_id, _, expires_at = (self._linked("me", link) or "").rpartition(".")
        return citizen_id if citizen_id and at < int(expires_at) else None

    def _link(self, what_for: str, own_id: str) -> str:
        mac = hmac.new(self._key, f"{what_for}:{own_id}".encode(), hashlib.sha256).hexdigest()
        return f"{own_id}.{mac[:32]}"

    def _linked(self, what_for: str, link: str) -> str | None:
        own_id = link.rpartition(".")[0]
        genuine = hmac.compare_digest(self._link(what_for, own_id).encode(), link.encode())
        return own_id if genuine else None
