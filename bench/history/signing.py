"""What a bank of a made history signs: its own words on an account (RFC 9421), with its own key."""

import json
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from bench.history.keys import Chance
from shared.message_signatures.messages import Component, content_digest, signed_fields
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
    kid = OKPKey.import_key({**key}).thumbprint()
    said = f';created={int(at.timestamp())};keyid="{kid}";alg="ed25519"'
    values = {"@method": "PUT", "@target-uri": target, **fields}
    components = [Component(name, "", values[name]) for name in COVERED]
    fields |= signed_fields("bank", components, said, private.sign)
    return SignedRequest(method="PUT", target=target, fields=fields, body=body, key=key)
