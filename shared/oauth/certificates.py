"""The certificate of a client, as a proxy hands it over that checked its key (RFC 8705 section 3).

Two spellings are read: a PEM in URL encoding, as nginx has it (`$ssl_client_escaped_cert`), and
the `Client-Cert` of RFC 9440. It names a key and nothing else: who the client is, its assertion
says, so neither issuer nor names nor dates in it are looked at.
"""

import base64
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from shared.signing import BadToken

CERTIFICATES_KEPT = 1_024
"""Certificates whose thumbprint is remembered: a client shows the same with every request."""


@lru_cache(CERTIFICATES_KEPT)
def certificate_thumbprint(text: str) -> str:
    """Return the `x5t#S256` of a certificate: SHA-256 of its DER, base64url.

    Raises `BadToken` with `certificate_malformed`.
    """
    try:
        digest = _certificate(text).fingerprint(SHA256())
    except (ValueError, TypeError) as error:
        raise BadToken("certificate_malformed") from error
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _certificate(text: str) -> x509.Certificate:
    if text.startswith(":"):
        if not text.endswith(":"):
            raise ValueError("no byte sequence (RFC 9651)")
        return x509.load_der_x509_certificate(base64.b64decode(text[1:-1], validate=True))
    (only,) = x509.load_pem_x509_certificates(unquote_to_bytes(text))
    return only
