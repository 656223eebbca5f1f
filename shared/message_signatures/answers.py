"""Our answer to a command, signed so that a bank can show what it was told: yes, or no, and why.

What is signed is always of one form, so it is spelled here: the library, which takes any form of
any message, needs ten times as long. The tests read it with the library.
"""

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.message_signatures.messages import (
    DIGEST,
    SIGNATURE,
    Answer,
    Component,
    content_digest,
    signed_fields,
)
from shared.signing import ALGORITHM, Key

LABEL = "thuan"
"""Of our signature in the answer's two fields (RFC 9421 section 4), and its tag."""

REQ = ";req"
"""What follows the name of a component that is the request's (section 2.4)."""


def sign_answer(answer: Answer, body: bytes, key: Key, at: datetime) -> None:
    """Add to an answer the header fields that make it a signed one.

    They cover its status, digest and type, and of its request method, address, and signature.
    """
    request = answer.request
    answer.headers[DIGEST] = content_digest(body)
    components = [
        Component("@status", "", str(answer.status_code)),
        *(Component(name, "", answer.headers[name]) for name in (DIGEST, "content-type")),
        Component("@method", REQ, request.method),
        Component("@target-uri", REQ, request.url),
    ]
    if SIGNATURE in request.headers:
        components.append(Component(SIGNATURE, REQ, request.headers[SIGNATURE].strip(" \t")))
    said = (
        f';created={int(at.timestamp())};keyid="{key.kid}";alg="{ALGORITHM.lower()}";tag="{LABEL}"'
    )
    private = key.jwk.private_key
    assert isinstance(private, Ed25519PrivateKey), "the only keys of ours"
    answer.headers.update(signed_fields(LABEL, components, said, private.sign))
