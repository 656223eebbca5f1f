"""Signs what is sent to a webhook, as Standard Webhooks says it for Ed25519 (`v1a`).

Only we can sign: the bank has a public key, with which it can forge nothing. Each webhook has keys
of its own, derived from one secret of the service (HKDF, RFC 5869), so that no list of private keys
is kept, and a backup of the log never lacks one.

https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md
"""

import base64
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.signing import write_secret

FILE = "webhooks.key"

SECRET_BYTES = 32

SCHEME, PUBLIC = "v1a,", "whpk_"


class WebhookKeys:
    """Derives the keys of webhooks from the service's secret."""

    def __init__(self, folder: Path) -> None:
        self._secret = (folder / FILE).read_bytes()

    def key(self, bank_id: str, webhook_id: str, key_id: str) -> Ed25519PrivateKey:
        """Return the private key of that id; none of two webhooks are alike."""
        info = f"thuan webhook\n{bank_id}\n{webhook_id}\n{key_id}".encode()
        derived = HKDF(SHA256(), SECRET_BYTES, salt=None, info=info).derive(self._secret)
        return Ed25519PrivateKey.from_private_bytes(derived)


def create_webhook_keys(folder: Path, secret: bytes) -> None:
    """Keep the secret in the folder for its owner alone, unless there is one."""
    if not (folder / FILE).exists():
        write_secret(folder / FILE, secret)


def public(key: Ed25519PrivateKey) -> str:
    """Return the public half as a bank is told it, `whpk_` and base64."""
    return PUBLIC + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def headers(
    message_id: str, body: bytes, at: datetime, keys: Iterable[Ed25519PrivateKey]
) -> dict[str, str]:
    """Return what goes with a body: its id, the attempt's time, and a signature by each key."""
    timestamp = str(int(at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [SCHEME + base64.b64encode(key.sign(signed)).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }
