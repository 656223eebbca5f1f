"""What a bank of a made history signs: its own words on an account (RFC 9421), with its own key."""

import json
from base64 import b64encode
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from bench.history.keys import Chance
from shared.message_signatures.messages import content_digest
from shared.message_signatures.requests import COVERED, SignedRequest
from shared.passkey_answers import to_text


def signed_by(
    chance: Chance, bank_id: str, path: str, members: dict[str, str], at: datetime
) -> SignedRequest:
    """Return a `PUT` to accounts as a bank signs it."""
    private = Ed25519PrivateKey.from_private_bytes(chance.secret(f"bank/{bank_id}"))
    public = to_text(private.public_key().public_bytes_raw())
    key = {"kty": "OKP", "crv": "Ed25519", "x": public}
    body, target = json.dumps(members), f"https://accounts.example{path}"
    fields = {"content-digest": content_digest(body.encode()), "content-type": "application/json"}
    covered = " ".join(f'"{name}"' for name in COVERED)
    kid = OKPKey.import_key({**key}).thumbprint()
    said = f'({covered});created={int(at.timestamp())};keyid="{kid}";alg="ed25519"'
    values = {"@method": "PUT", "@target-uri": target, **fields}
    lines = [*(f'"{name}": {values[name]}' for name in COVERED), f'"@signature-params": {said}']
    signature = b64encode(private.sign("\n".join(lines).encode())).decode()
    fields |= {"signature-input": f"bank={said}", "signature": f"bank=:{signature}:"}
    return SignedRequest(method="PUT", target=target, fields=fields, body=body, key=key)
