"""Passkeys (WebAuthn Level 3): a citizen's own device signs a digest, and anyone checks it later.

Pure: no clock, no network, no store. Nothing that a caller sends is believed. The key is the one
that was enrolled, origins and the relying party are our configuration, the challenge is the very
digest, and the device must have recognised its person (finger, face or PIN). The cryptography is
py_webauthn's; why something is refused is told from the bytes, before it.

Attestation is neither asked for nor believed: who made a device is no concern of ours, and
certificates end, while an enrolment must be checkable for ever.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import aaguid_to_string, options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    ClientDataType,
    PublicKeyCredentialDescriptor,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from shared.contracts.evidence import Passkey, PasskeySignature
from shared.passkey_answers import (
    KEY_LAYOUTS,
    Asserted,
    Attested,
    BadPasskey,
    ClientData,
    Enrolled,
    Signed,
    algorithm_of,
    attested_of,
    client_data_of,
    credential_of,
    device_data_of,
    read_answer,
    to_bytes,
    to_text,
)

__all__ = ["BadPasskey", "RelyingParty", "counts_on"]

DIGEST_BYTES = 32
"""What a passkey signs here is a SHA-256, raw; not its hexadecimal text."""

CHALLENGE_BYTES_MIN = 16
"""What WebAuthn Level 3 section 13.4.3 asks of a challenge; enrolment's comes from the caller."""

USER_HANDLE_BYTES_MAX = 64
"""WebAuthn Level 3 section 5.4.3."""

TIMEOUT_MS = 300_000
"""How long a browser waits for the finger; a hint (WebAuthn Level 3 section 15.1)."""

ORIGIN = re.compile(
    r"https://[^/\s]+|http://localhost(:[0-9]+)?|android:apk-key-hash:[A-Za-z0-9_-]+"
)
"""The origins that may be configured: as a browser says them, so without a path."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom passkeys are made for: a domain, and the pages and apps that speak for it.

    `origins` are compared whole: `https://thuan.example`, or `android:apk-key-hash:…` of an app.
    Whoever checks old signatures keeps the origins of their time in the list. Raises `ValueError`
    for a configuration that nothing could ever match.
    """

    rp_id: str
    name: str
    origins: Sequence[str]

    def __post_init__(self) -> None:
        if not self.rp_id or not self.name or not self.origins:
            raise ValueError("a relying party has an id, a name and at least one origin")
        for origin in self.origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(f"not an origin: {origin}")

    def enrolment_options(
        self, user_handle: bytes, label: str, challenge: bytes, known: Sequence[Passkey]
    ) -> dict[str, Any]:
        """Return what `navigator.credentials.create` is asked, as JSON (`parseCreationOptions…`).

        `user_handle` are 1 to 64 bytes that say nothing of the person, `label` is what the device
        shows, `challenge` at least 16 bytes of chance, used once. `known` passkeys of the person
        are not made again. Raises `ValueError` for what no caller should pass.
        """
        if not 0 < len(user_handle) <= USER_HANDLE_BYTES_MAX:
            raise ValueError("a user handle has 1 to 64 bytes")
        options = generate_registration_options(
            rp_id=self.rp_id,
            rp_name=self.name,
            user_id=user_handle,
            user_name=label,
            challenge=_long_enough(challenge),
            timeout=TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[_descriptor(passkey) for passkey in known],
            supported_pub_key_algs=list(KEY_LAYOUTS),
        )
        return _plain(options_to_json_dict(options))

    def enrol(self, answer: object, challenge: bytes) -> Passkey:
        """Return the passkey that the answer of `navigator.credentials.create` (`toJSON`) shows.

        `challenge` is the one that was asked with. Raises `BadPasskey`. Whether the credential id
        is another person's already is for the caller to see.
        """
        given = read_answer(answer, Enrolled)
        passkey = self._passkey(given.response, _long_enough(challenge))
        if not given.id == given.raw_id == passkey.credential_id:
            raise BadPasskey("passkey_malformed")
        self.check_enrolment(passkey)
        return passkey

    def signing_options(self, digest: bytes, passkeys: Sequence[Passkey]) -> dict[str, Any]:
        """Return what `navigator.credentials.get` is asked, as JSON (`parseRequestOptions…`).

        The challenge is the 32 bytes of the digest. Raises `BadPasskey` if there is no passkey,
        and `ValueError` for what is not a digest.
        """
        if not passkeys:
            raise BadPasskey("passkey_unknown")
        options = generate_authentication_options(
            rp_id=self.rp_id,
            challenge=_whole(digest),
            timeout=TIMEOUT_MS,
            allow_credentials=[_descriptor(passkey) for passkey in passkeys],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _plain(options_to_json_dict(options))

    def sign(self, answer: object, digest: bytes, passkeys: Sequence[Passkey]) -> PasskeySignature:
        """Return the signature that the answer of `navigator.credentials.get` (`toJSON`) holds.

        `passkeys` are the person's, each with the `sign_count` of its latest signature; the
        caller keeps the new one. Raises `BadPasskey`.
        """
        given = read_answer(answer, Signed)
        passkey = next((one for one in passkeys if one.credential_id == given.id), None)
        if passkey is None:
            raise BadPasskey("passkey_unknown")
        if given.raw_id != given.id:
            raise BadPasskey("passkey_malformed")
        signature = self._signature(given.response, passkey)
        self.check(signature, digest, passkey)
        if not counts_on(passkey.sign_count, signature.sign_count):
            raise BadPasskey("passkey_counter")
        return signature

    def check(
        self, signature: PasskeySignature, digest: bytes, passkey: Passkey | None = None
    ) -> None:
        """Raise `BadPasskey` unless these bytes are a signature of the digest, made for us.

        That says that some passkey signed. Whose it was, its own enrolment says: with `passkey`,
        from the log, the signature must also be by that one. WebAuthn signs no credential id, so
        without it nothing vouches for `credential_id`.
        """
        client = client_data_of(signature.client_data_json)
        device = device_data_of(signature.authenticator_data)
        self._check_client(client, ClientDataType.WEBAUTHN_GET, _whole(digest))
        self._check_device(device, signature.rp_id)
        if signature != _with_signed_members(signature, client, device):
            raise BadPasskey("passkey_malformed")
        if passkey is not None and not _is_by(signature, passkey):
            raise BadPasskey("passkey_unknown")
        if signature.algorithm != algorithm_of(to_bytes(signature.public_key)):
            raise BadPasskey("passkey_malformed")
        self._verify(signature, digest)

    def check_enrolment(self, passkey: Passkey) -> None:
        """Raise `BadPasskey` unless the stored bytes are an enrolment for us, and say its members.

        Of the passkey as it was enrolled, with its first `sign_count`. That its `challenge` was
        ours to give is for the caller to see.
        """
        client = client_data_of(passkey.client_data_json)
        attested = attested_of(passkey.attestation_object)
        challenge = to_bytes(passkey.challenge)
        self._check_client(client, ClientDataType.WEBAUTHN_CREATE, challenge)
        self._check_device(attested.auth_data, passkey.rp_id)
        said = Attested(passkey.client_data_json, passkey.attestation_object, passkey.transports)
        if passkey != self._passkey(said, challenge):
            raise BadPasskey("passkey_malformed")
        self._verify_enrolment(passkey)

    def _passkey(self, said: Attested, challenge: bytes) -> Passkey:
        client = client_data_of(said.client_data_json)
        attested = attested_of(said.attestation_object)
        credential = credential_of(attested)
        return Passkey(
            credential_id=to_text(credential.credential_id),
            public_key=to_text(credential.credential_public_key),
            algorithm=algorithm_of(credential.credential_public_key),
            sign_count=attested.auth_data.sign_count,
            aaguid=aaguid_to_string(credential.aaguid),
            backup_eligible=attested.auth_data.flags.be,
            backed_up=attested.auth_data.flags.bs,
            transports=[one.value for one in _transports(said.transports)],
            rp_id=self.rp_id,
            origin=client.origin,
            client_data_json=said.client_data_json,
            attestation_object=said.attestation_object,
            challenge=to_text(challenge),
        )

    def _signature(self, said: Asserted, passkey: Passkey) -> PasskeySignature:
        client = client_data_of(said.client_data_json)
        device = device_data_of(said.authenticator_data)
        return PasskeySignature(
            credential_id=passkey.credential_id,
            public_key=passkey.public_key,
            algorithm=passkey.algorithm,
            authenticator_data=said.authenticator_data,
            client_data_json=said.client_data_json,
            signature=said.signature,
            rp_id=self.rp_id,
            origin=client.origin,
            sign_count=device.sign_count,
            backed_up=device.flags.bs,
            backup_eligible=device.flags.be,
        )

    def _check_client(self, client: ClientData, wanted: ClientDataType, challenge: bytes) -> None:
        if client.type != wanted:
            raise BadPasskey("passkey_type")
        if client.challenge != to_text(challenge):
            raise BadPasskey("passkey_challenge")
        if client.origin not in self.origins:
            raise BadPasskey("passkey_origin")
        if client.cross_origin or client.top_origin is not None:
            raise BadPasskey("passkey_cross_origin")

    def _check_device(self, device: AuthenticatorData, rp_id: str) -> None:
        ours = hashlib.sha256(self.rp_id.encode()).digest()
        if rp_id != self.rp_id or device.rp_id_hash != ours:
            raise BadPasskey("passkey_rp")
        if not (device.flags.up and device.flags.uv):
            raise BadPasskey("passkey_unverified_user")
        if device.flags.bs and not device.flags.be:  # backed up, and cannot be
            raise BadPasskey("passkey_malformed")

    def _verify(self, signature: PasskeySignature, digest: bytes) -> None:
        credential = AuthenticationCredential(
            id=signature.credential_id,
            raw_id=to_bytes(signature.credential_id),
            response=AuthenticatorAssertionResponse(
                client_data_json=to_bytes(signature.client_data_json),
                authenticator_data=to_bytes(signature.authenticator_data),
                signature=to_bytes(signature.signature),
            ),
        )
        key = to_bytes(signature.public_key)
        try:
            verify_authentication_response(
                credential=credential,
                expected_challenge=digest,
                expected_rp_id=self.rp_id,
                expected_origin=list(self.origins),
                credential_public_key=key,
                credential_current_sign_count=0,  # `sign` compares the counts
                require_user_verification=True,
            )
        except Exception as error:  # whatever it stumbles over, nothing is proved
            raise BadPasskey("passkey_signature") from error

    def _verify_enrolment(self, passkey: Passkey) -> None:
        credential = RegistrationCredential(
            id=passkey.credential_id,
            raw_id=to_bytes(passkey.credential_id),
            response=AuthenticatorAttestationResponse(
                client_data_json=to_bytes(passkey.client_data_json),
                attestation_object=to_bytes(passkey.attestation_object),
            ),
        )
        try:
            verify_registration_response(
                credential=credential,
                expected_challenge=to_bytes(passkey.challenge),
                expected_rp_id=self.rp_id,
                expected_origin=list(self.origins),
                require_user_verification=True,
                supported_pub_key_algs=list(KEY_LAYOUTS),
            )
        except Exception as error:  # whatever it stumbles over, nothing is proved
            raise BadPasskey("passkey_signature") from error


def counts_on(before: int, now: int) -> bool:
    """Tell whether a device's count grew; synced passkeys do not count and stay at 0.

    A count that stood still or fell shows that two devices hold the key, or an old answer.
    """
    return now > before or now == before == 0


def _with_signed_members(
    signature: PasskeySignature, client: ClientData, device: AuthenticatorData
) -> PasskeySignature:
    return replace(
        signature,
        origin=client.origin,
        sign_count=device.sign_count,
        backed_up=device.flags.bs,
        backup_eligible=device.flags.be,
    )


def _is_by(signature: PasskeySignature, passkey: Passkey) -> bool:
    """Tell it by what never changes: id, key, and whether it can be synced (section 7.2)."""
    return (
        signature.credential_id == passkey.credential_id
        and signature.public_key == passkey.public_key
        and signature.backup_eligible == passkey.backup_eligible
    )


def _descriptor(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(
        id=to_bytes(passkey.credential_id), transports=_transports(passkey.transports)
    )


def _transports(stated: Sequence[str] | None) -> list[AuthenticatorTransport]:
    """Return those that browsers know, once each; they are hints, and signed by nobody."""
    return [one for one in AuthenticatorTransport if one.value in (stated or [])]


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with numbers and texts for enumerations."""
    return dict(msgspec.to_builtins(options))


def _long_enough(challenge: bytes) -> bytes:
    if len(challenge) < CHALLENGE_BYTES_MIN:
        raise ValueError("a challenge has at least 16 bytes")
    return challenge


def _whole(digest: bytes) -> bytes:
    if len(digest) != DIGEST_BYTES:
        raise ValueError("a digest has 32 bytes")
    return digest
