"""Every key and every chance of a made history, all from one seed: the same seed, the same bytes.

This is for a bench alone: whoever knows the seed knows every private key. The signatures are real,
and so are those of passkeys.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import OKPKey

from shared.contracts.evidence import Passkey, PasskeySignature, passkey_id
from shared.ledger.notes import Algorithm, SigningKey
from shared.passkey_answers import to_text
from shared.signing import ALGORITHM, Key

RP_ID, ORIGIN = "thuan.example", "https://thuan.example"
"""Whom the passkeys are made for."""

ES256, ED25519 = -7, -8
"""COSE numbers of what passkeys sign with (RFC 9053)."""

ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""How many private keys the curve P-256 has (SP 800-186 section 3.2.1.3)."""

VERIFIED, ATTESTED = 0x05, 0x40
"""Flags of a device that recognised its person, and of one that enrols (WebAuthn section 6.1)."""

_sorted = msgspec.json.Encoder(order="sorted")


def canonical_fast(document: Any) -> bytes:
    """Return what `shared.canonical.canonical` does, ten times as fast.

    That holds for what a made history is of: ASCII names, whole numbers, text in NFC.
    """
    return _sorted.encode(document)


def digest_fast(document: Any) -> str:
    """Return the SHA-256 of the canonical bytes, hexadecimal."""
    return hashlib.sha256(_sorted.encode(document)).hexdigest()


@dataclass
class Chance:
    """What would be chance in life: ids, marks and choices."""

    seed: int
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311  # nothing here is to be kept secret

    def id(self, kind: str) -> str:
        """Return a new id, such as `q-3f…`; no id is a part of another."""
        return f"{kind}-{self.random.getrandbits(80):020x}"

    def mark(self) -> str:
        """Return 64 hexadecimal digits, as keyed marks and digests have them."""
        return f"{self.random.getrandbits(256):064x}"

    def secret(self, name: str) -> bytes:
        """Return the 32 bytes of a named key."""
        return hashlib.sha256(f"bench/{self.seed}/{name}".encode()).digest()


class Issuer:
    """Signs the documents of the consent service; what it signs others check with its JWK set."""

    def __init__(self, name: str, chance: Chance, starts: list[datetime], valid: timedelta) -> None:
        self.name = name
        self._keys = [
            _IssuerKey(chance.secret(f"jws/{number}"), start, start + valid)
            for number, start in enumerate(starts)
        ]
        self._stranger = _IssuerKey(chance.secret("jws/stranger"), starts[0], starts[0] + valid)

    def sign(self, typ: str, document: Any, at: datetime, *, strange: bool = False) -> str:
        """Return the compact JWS, signed with the newest key that is valid; or by a stranger."""
        key = next(one for one in reversed(self._keys) if one.start <= at)
        return (self._stranger if strange else key).token(typ, canonical_fast(document))

    def jwks(self) -> bytes:
        """Return the JWK set."""
        return json.dumps({"keys": [key.public for key in self._keys]}).encode()


class _IssuerKey:
    def __init__(self, secret: bytes, start: datetime, end: datetime) -> None:
        self._private = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        coded = {"d": to_text(secret), "x": to_text(self._private.public_key().public_bytes_raw())}
        key = Key(OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", **coded}), start, end)
        self.start, self.public, self._kid = start, key.public(), key.kid
        self._headers = dict[str, bytes]()

    def token(self, typ: str, payload: bytes) -> str:
        if (header := self._headers.get(typ)) is None:
            members = {"alg": ALGORITHM, "typ": typ, "kid": self._kid}
            header = self._headers[typ] = _base64url(msgspec.json.encode(members))
        signed = header + b"." + _base64url(payload)
        return (signed + b"." + _base64url(self._private.sign(signed))).decode()


def note_keys(chance: Chance, origin: str) -> list[SigningKey]:
    """Return the keys with which a log signs its checkpoints."""
    return [SigningKey(origin, Algorithm.ED25519, chance.secret(f"log/{origin}"))]


def witness_key(chance: Chance) -> SigningKey:
    """Return the key with which the witness cosigns."""
    return SigningKey("witness.example", Algorithm.COSIGNATURE, chance.secret("witness"))


class Device:
    """A device of one person with one passkey, which counts what it signs."""

    def __init__(self, chance: Chance, *, elliptic: bool = False) -> None:
        secret = f"{chance.random.getrandbits(256):064x}"
        self._credential = bytes.fromhex(secret[:32])
        self._elliptic = _elliptic(secret) if elliptic else None
        self._edwards = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
        self._cose = self._cose_key()
        self.count = 0

    @property
    def name(self) -> str:
        """Return the name by which facts know the passkey."""
        return passkey_id(to_text(self._credential))

    def enrol(self, request_hash: str) -> Passkey:
        """Return the passkey as it was enrolled in answer to a request."""
        challenge = to_text(bytes.fromhex(request_hash))
        named = len(self._credential).to_bytes(2) + self._credential
        data = self._data(VERIFIED | ATTESTED) + bytes(16) + named + self._cose
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return Passkey(
            credential_id=to_text(self._credential),
            public_key=to_text(self._cose),
            algorithm=self._algorithm,
            sign_count=self.count,
            aaguid="00000000-0000-0000-0000-000000000000",
            backup_eligible=False,
            backed_up=False,
            transports=["internal"],
            rp_id=RP_ID,
            origin=ORIGIN,
            client_data_json=to_text(_client_data("create", challenge)),
            attestation_object=to_text(attested),
            challenge=challenge,
        )

    def sign(self, statement_hash: str) -> PasskeySignature:
        """Return the device's signature of a statement, and count it."""
        self.count += 1
        data = self._data(VERIFIED)
        client = _client_data("get", to_text(bytes.fromhex(statement_hash)))
        return PasskeySignature(
            credential_id=to_text(self._credential),
            public_key=to_text(self._cose),
            algorithm=self._algorithm,
            authenticator_data=to_text(data),
            client_data_json=to_text(client),
            signature=to_text(self._signed(data + hashlib.sha256(client).digest())),
            rp_id=RP_ID,
            origin=ORIGIN,
            sign_count=self.count,
            backed_up=False,
            backup_eligible=False,
        )

    @property
    def _algorithm(self) -> int:
        return ES256 if self._elliptic else ED25519

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(RP_ID.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)

    def _signed(self, message: bytes) -> bytes:
        if self._elliptic is None:
            return self._edwards.sign(message)
        return self._elliptic.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))

    def _cose_key(self) -> bytes:
        if self._elliptic is None:
            public = self._edwards.public_key().public_bytes_raw()
            return cbor2.dumps({1: 1, 3: ED25519, -1: 6, -2: public})
        point = self._elliptic.public_key().public_numbers()
        x, y = (number.to_bytes(32) for number in (point.x, point.y))
        return cbor2.dumps({1: 2, 3: ES256, -1: 1, -2: x, -3: y})


def _elliptic(secret: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int(secret, 16) % (ORDER_P256 - 1) + 1, ec.SECP256R1())


def _client_data(kind: str, challenge: str) -> bytes:
    members = {
        "type": f"webauthn.{kind}",
        "challenge": challenge,
        "origin": ORIGIN,
        "crossOrigin": False,
    }
    return msgspec.json.encode(members)


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
