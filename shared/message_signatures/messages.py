"""HTTP messages as the signature library wants them, and what signs them: Ed25519 or P-256.

The key decides the algorithm, as everywhere (`shared/oauth/jose.py`): HMAC and RSA have no key
here, so a signature that says it is one of those is none.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from http_message_signatures import ContentDigest, HTTPMessageSignaturesException
from http_message_signatures.algorithms import ECDSA_P256_SHA256, ED25519, HTTPSignatureAlgorithm
from joserfc.jwk import ECKey

from shared.oauth.jose import PublicKey

DIGEST = "content-digest"
INPUT = "signature-input"
SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Request:
    """A request: method, whole address, header fields by their names in small letters."""

    method: str
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the request that it answers."""

    status_code: int
    headers: dict[str, str]
    request: Request


class Component(NamedTuple):
    """A part of a message that a signature covers: name, parameters, value (section 2)."""

    name: str
    parameters: str
    value: str


def signed_fields(
    label: str, components: Sequence[Component], said: str, sign: Callable[[bytes], bytes]
) -> dict[str, str]:
    """Return the two header fields of a signature (RFC 9421 section 3.1).

    `said` are its own parameters, `;created=…` and so on, as they are spelled.
    """
    names = [f'"{one.name}"{one.parameters}' for one in components]
    said = f"({' '.join(names)}){said}"
    lines = [f"{name}: {one.value}" for name, one in zip(names, components, strict=True)]
    base = "\n".join([*lines, f'"@signature-params": {said}'])
    signature = b64encode(sign(base.encode())).decode()
    return {INPUT: f"{label}={said}", SIGNATURE: f"{label}=:{signature}:"}


def joined(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return header fields by name in small letters, those that came twice joined by commas."""
    found = dict[str, str]()
    for name, value in fields:
        own, text = name.lower(), value.strip(" \t")
        found[own] = f"{found[own]}, {text}" if own in found else text
    return found


def algorithm_of(key: PublicKey) -> type[HTTPSignatureAlgorithm]:
    """Return what a key signs with."""
    return ECDSA_P256_SHA256 if isinstance(key, ECKey) else ED25519


def digest_holds(field: str, body: bytes) -> bool:
    """Tell whether a Content-Digest (RFC 9530) is of a body: each that it names, and one at least.

    SHA-256 and SHA-512 are known; another is no digest here.
    """
    try:
        ContentDigest.verify(field, body)
    except (HTTPMessageSignaturesException, UnicodeError):
        return False
    return True


def content_digest(body: bytes) -> str:
    """Return the Content-Digest of a body, SHA-256."""
    return f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"
