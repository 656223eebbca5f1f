"""What browsers and devices send, read strictly: WebAuthn's JSON, client data, CBOR and keys.

Every byte here is a stranger's. It is read as what it must be, or it is `BadPasskey`. CBOR is
walked before py_webauthn sees it: cbor2 follows tags that share values, and py_webauthn writes
again what it read, so that 300 bytes could fill the memory before any signature is looked at.
"""

import base64
import re
from typing import Literal, TypeVar

import msgspec
from webauthn.helpers import parse_attestation_object, parse_authenticator_data, parse_cbor
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationFormat,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
)

KEY_LAYOUTS: dict[COSEAlgorithmIdentifier, re.Pattern[bytes]] = {
    COSEAlgorithmIdentifier.ECDSA_SHA_256: re.compile(
        rb"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20.{32}\x22\x58\x20.{32}", re.DOTALL
    ),
    COSEAlgorithmIdentifier.EDDSA: re.compile(
        rb"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20.{32}", re.DOTALL
    ),
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256: re.compile(
        rb"\xa4\x01\x03\x03\x39\x01\x00\x20\x59"
        rb"(?:\x01\x00.{256}|\x01\x80.{384}|\x02\x00.{512})\x21\x43\x01\x00\x01",
        re.DOTALL,
    ),
}
"""The algorithms that sign here, the preferred first, each with the one form of its COSE key.

ES256 on P-256, Ed25519, and RS256 of 2048, 3072 or 4096 bits with the exponent 65537, in the
canonical CBOR of CTAP 2.1 section 8 (RFC 9053 sections 2.1, 2.2, 7; RFC 8812 section 2). So a
key says its algorithm itself, and two byte strings are never the same key.
"""

CREDENTIAL_ID_BYTES_MAX = 1023
"""WebAuthn Level 3 section 4, the definition of a credential id."""

TEXT_CHARACTERS_MAX = 16_384
"""No member of an answer has more than some 2,000 characters; far longer is not worth decoding."""

RESERVED = 28
"""From here on, the low bits of a CBOR head are reserved or say no length (RFC 8949 section 3)."""

CBOR_DEPTH_MAX = 4
"""How deep maps and arrays stand in each other at most (CTAP 2.1 section 8)."""

HEADER_BYTES, ATTESTED_HEADER_BYTES = 37, 18
"""Before what varies: hash, flags and count; AAGUID and length (WebAuthn Level 3 section 6.1)."""

HAS_CREDENTIAL, HAS_EXTENSIONS = 0x40, 0x80
"""The flags `AT` and `ED`: what follows the header (WebAuthn Level 3 section 6.1)."""

BYTE_STRING, TEXT_STRING, ARRAY, MAP, TAG = 2, 3, 4, 5, 6
"""The major types of CBOR that the walk tells apart (RFC 8949 section 3.1)."""

ShapeT = TypeVar("ShapeT")


class BadPasskey(Exception):
    """An enrolment or signature that proves nothing; `code` says why.

    passkey_malformed       not of the form, a kind of key that is not accepted, or members that
                            say something else than the signed bytes
    passkey_unknown         not one of the passkeys that were enrolled
    passkey_type            an enrolment where a signature is wanted, or the other way
    passkey_challenge       made for another digest or challenge
    passkey_origin          made on a page, or in an app, that is not ours
    passkey_cross_origin    made in a page inside somebody else's
    passkey_rp              made for another relying party
    passkey_unverified_user the device did not recognise its person
    passkey_counter         the device's count did not grow: there may be a copy of it
    passkey_signature       the signature does not fit the bytes and the key
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ClientData(msgspec.Struct):
    """What the browser says that it was asked (WebAuthn Level 3 section 5.8.1)."""

    type: str
    challenge: str
    origin: str
    cross_origin: bool = msgspec.field(name="crossOrigin", default=False)
    top_origin: str | None = msgspec.field(name="topOrigin", default=None)


class Attested(msgspec.Struct):
    """What a new passkey's device and browser answer; `transports` are unsigned."""

    client_data_json: str = msgspec.field(name="clientDataJSON")
    attestation_object: str = msgspec.field(name="attestationObject")
    transports: list[str] | None = None


class Enrolled(msgspec.Struct):
    """The members of RegistrationResponseJSON that we read (WebAuthn Level 3 section 5.1)."""

    id: str
    raw_id: str = msgspec.field(name="rawId")
    type: Literal["public-key"]
    response: Attested


class Asserted(msgspec.Struct):
    """What a signing device and browser answer."""

    client_data_json: str = msgspec.field(name="clientDataJSON")
    authenticator_data: str = msgspec.field(name="authenticatorData")
    signature: str


class Signed(msgspec.Struct):
    """The members of AuthenticationResponseJSON that we read (WebAuthn Level 3 section 5.1)."""

    id: str
    raw_id: str = msgspec.field(name="rawId")
    type: Literal["public-key"]
    response: Asserted


def read_answer(answer: object, shape: type[ShapeT]) -> ShapeT:
    """Return parsed JSON as one of the shapes above; raises `BadPasskey`."""
    try:
        return msgspec.convert(answer, type=shape)
    except ValueError as error:
        raise BadPasskey("passkey_malformed") from error


def algorithm_of(public_key: bytes) -> int:
    """Return the COSE number of a key's algorithm; raises `BadPasskey` for a key of no layout."""
    for algorithm, layout in KEY_LAYOUTS.items():
        if layout.fullmatch(public_key):
            return algorithm.value
    raise BadPasskey("passkey_malformed")


def client_data_of(text: str) -> ClientData:
    """Return what base64url text of client data says; raises `BadPasskey`."""
    try:
        return msgspec.json.decode(to_bytes(text), type=ClientData)
    except (ValueError, RecursionError) as error:
        raise BadPasskey("passkey_malformed") from error


def device_data_of(text: str) -> AuthenticatorData:
    """Return what base64url text of authenticator data says; raises `BadPasskey`."""
    data = to_bytes(text)
    _walk_device_data(data)
    try:
        return parse_authenticator_data(data)
    except Exception as error:  # CBOR from a stranger may fail in any way
        raise BadPasskey("passkey_malformed") from error


def attested_of(text: str) -> AttestationObject:
    """Return what base64url text of an attestation object says; raises `BadPasskey`.

    Without an attestation, or attested by the passkey itself (`packed`, section 8.2): browsers
    make no other where none is asked for (WebAuthn Level 3 section 5.1.3).
    """
    whole = to_bytes(text)
    if _item_end(whole, 0) != len(whole):
        raise BadPasskey("passkey_malformed")
    try:
        members = parse_cbor(whole)
        _walk_device_data(members["authData"])
        attested = parse_attestation_object(whole)
    except Exception as error:  # CBOR from a stranger may fail in any way
        raise BadPasskey("passkey_malformed") from error
    self_made = attested.fmt == AttestationFormat.PACKED and attested.att_stmt.x5c is None
    if not (attested.fmt == AttestationFormat.NONE or self_made):
        raise BadPasskey("passkey_malformed")
    return attested


def credential_of(attested: AttestationObject) -> AttestedCredentialData:
    """Return the passkey's id, key and model; raises `BadPasskey` if they are not all there."""
    credential = attested.auth_data.attested_credential_data
    if credential is None or not 0 < len(credential.credential_id) <= CREDENTIAL_ID_BYTES_MAX:
        raise BadPasskey("passkey_malformed")
    return credential


def to_text(raw: bytes) -> str:
    """Return base64url text without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def to_bytes(text: str) -> bytes:
    """Return the bytes of base64url text; raises `BadPasskey` unless it is their one spelling."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise BadPasskey("passkey_malformed")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise BadPasskey("passkey_malformed") from error
    if to_text(raw) != text:
        raise BadPasskey("passkey_malformed")
    return raw


def _walk_device_data(data: object) -> None:
    """Raise `BadPasskey` unless the CBOR after the header can be read safely."""
    if not isinstance(data, bytes) or len(data) < HEADER_BYTES:
        raise BadPasskey("passkey_malformed")
    flags, end = data[32], HEADER_BYTES
    if flags & HAS_CREDENTIAL:
        end += ATTESTED_HEADER_BYTES
        end = _item_end(data, end + int.from_bytes(data[end - 2 : end], "big"))
    if flags & HAS_EXTENSIONS:
        _item_end(data, end)


def _item_end(data: bytes, start: int, depth: int = CBOR_DEPTH_MAX) -> int:
    """Return where the CBOR item ends that starts there, be it past the end of the data.

    No tags, no indefinite lengths, no deep nesting (CTAP 2.1 section 8): what it passes is no
    larger in memory than in bytes, give or take a constant. Raises `BadPasskey`.
    """
    major, argument, end = _item_head(data, start)
    if major == TAG or (major in {ARRAY, MAP} and depth == 0):
        raise BadPasskey("passkey_malformed")
    if major in {BYTE_STRING, TEXT_STRING}:
        return end + argument
    if major in {ARRAY, MAP}:
        for _ in range(argument * (2 if major == MAP else 1)):
            end = _item_end(data, end, depth - 1)
    return end


def _item_head(data: bytes, start: int) -> tuple[int, int, int]:
    """Return a CBOR item's major type, its argument, and where that ends (RFC 8949 section 3)."""
    major, info = divmod(int.from_bytes(data[start : start + 1], "big"), 32)
    more = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
    end = start + 1 + more
    if end > len(data) or info >= RESERVED:
        raise BadPasskey("passkey_malformed")
    return major, int.from_bytes(data[start + 1 : end], "big") if more else info, end
