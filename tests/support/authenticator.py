"""A phone with passkeys, in software: real registrations and assertions, and lies when asked.

It answers the options of `navigator.credentials.create` and `.get` as a browser's `toJSON` would.
It makes its own bytes (WebAuthn Level 3 section 6, RFC 9052, RFC 9053) and shares no code with
what is tested.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

ES256, ED25519, RS256 = -7, -8, -257
RP_ID, ORIGIN = "thuan.example", "https://thuan.example"
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED, EXTENDED = 1, 4, 8, 16, 64, 128
"""Flags of authenticator data (WebAuthn Level 3 section 6.1)."""

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, kw_only=True)
class Lies:
    """What an attacker's browser or device does otherwise; None is the truth."""

    type: str | None = None
    challenge: bytes | None = None
    origin: str | None = None
    client_data: dict[str, Any] = field(default_factory=dict)
    rp_id: str | None = None
    unverified: bool = False
    absent: bool = False
    counter: int | None = None
    backup_eligible: bool | None = None
    backed_up: bool | None = None
    key: PrivateKey | None = None
    credential_id: bytes | None = None
    cose_key: bytes | None = None
    unattested: bool = False
    extensions: bytes = b""
    format: str = "none"
    statement: dict[str, Any] | None = None


HONEST = Lies()


@dataclass
class Held:
    """A passkey in the device."""

    credential_id: bytes
    key: PrivateKey
    counter: int = 0


@dataclass
class Authenticator:
    """A device of one person, who holds a finger to it; `synced` devices do not count."""

    algorithm: int = ES256
    synced: bool = False
    origin: str = ORIGIN
    held: dict[str, Held] = field(default_factory=dict)

    def create(self, options: dict[str, Any], lies: Lies = HONEST) -> dict[str, Any]:
        """Return the answer to `navigator.credentials.create`."""
        assert self.algorithm in {one["alg"] for one in options["pubKeyCredParams"]}
        chosen = secrets.token_bytes(16) if lies.credential_id is None else lies.credential_id
        one = Held(chosen, new_key(self.algorithm))
        self.held[text(one.credential_id)] = one
        client = self._client_data("webauthn.create", options["challenge"], lies)
        data = self._data(options["rp"]["id"], one, lies, 0 if lies.unattested else ATTESTED)
        data += (b"" if lies.unattested else _credential(one, lies)) + lies.extensions
        statement = lies.statement or {}
        if lies.format == "packed" and lies.statement is None:  # self-attestation, section 8.2
            signed = _signed(lies.key or one.key, data + hashlib.sha256(client).digest())
            statement = {"alg": self.algorithm, "sig": signed}
        whole = {"fmt": lies.format, "attStmt": statement, "authData": data}
        response = {"attestationObject": text(cbor2.dumps(whole)), "transports": ["internal"]}
        return _answer(one, client, response)

    def get(self, options: dict[str, Any], lies: Lies = HONEST) -> dict[str, Any]:
        """Return the answer to `navigator.credentials.get`, by the first passkey that is known."""
        allowed = [one["id"] for one in options["allowCredentials"]]
        one = next(self.held[known] for known in allowed if known in self.held)
        one.counter += 0 if self.synced else 1
        client = self._client_data("webauthn.get", options["challenge"], lies)
        data = self._data(options["rpId"], one, lies) + lies.extensions
        signed = _signed(lies.key or one.key, data + hashlib.sha256(client).digest())
        response = {"authenticatorData": text(data), "signature": text(signed)}
        return _answer(one, client, {**response, "userHandle": None})

    def _client_data(self, kind: str, challenge: str, lies: Lies) -> bytes:
        return json.dumps(
            {
                "type": lies.type or kind,
                "challenge": text(lies.challenge) if lies.challenge else challenge,
                "origin": lies.origin or self.origin,
                "crossOrigin": False,
                **lies.client_data,
            },
            separators=(",", ":"),
        ).encode()

    def _data(self, rp_id: str, one: Held, lies: Lies, flags: int = 0) -> bytes:
        eligible = self.synced if lies.backup_eligible is None else lies.backup_eligible
        backed_up = self.synced if lies.backed_up is None else lies.backed_up
        flags |= 0 if lies.absent else PRESENT
        flags |= 0 if lies.unverified else VERIFIED
        flags |= ELIGIBLE if eligible else 0
        flags |= BACKED_UP if backed_up else 0
        flags |= EXTENDED if lies.extensions else 0
        counter = one.counter if lies.counter is None else lies.counter
        rp_hash = hashlib.sha256((lies.rp_id or rp_id).encode()).digest()
        return rp_hash + bytes([flags]) + counter.to_bytes(4, "big")


def new_key(algorithm: int) -> PrivateKey:
    """Return a new private key of a COSE algorithm."""
    if algorithm == ES256:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def cose_key(key: PrivateKey) -> bytes:
    """Return the public half as a COSE key in canonical CBOR (CTAP 2.1 section 8)."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return cbor2.dumps({1: 1, 3: ED25519, -1: 6, -2: public.public_bytes_raw()})
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (point.x, point.y))
        return cbor2.dumps({1: 2, 3: ES256, -1: 1, -2: x, -3: y})
    modulus = public.public_numbers().n.to_bytes(public.key_size // 8, "big")
    return cbor2.dumps({1: 3, 3: RS256, -1: modulus, -2: b"\x01\x00\x01"})


def text(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(coded: str) -> bytes:
    """Return the bytes of base64url without padding."""
    return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))


def _credential(one: Held, lies: Lies) -> bytes:
    key = lies.cose_key if lies.cose_key is not None else cose_key(one.key)
    return bytes(16) + len(one.credential_id).to_bytes(2, "big") + one.credential_id + key


def _signed(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(SHA256()))
    return key.sign(data, padding.PKCS1v15(), SHA256())


def _answer(one: Held, client: bytes, response: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": text(one.credential_id),
        "rawId": text(one.credential_id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": {"clientDataJSON": text(client), **response},
    }
