"""What a client signs: who it is, to get a token (RFC 7523), and each request with it (RFC 9449).

The other side of `assertions.py` and `proofs.py`, for a service that is another's client.
"""

from datetime import datetime

import msgspec
from joserfc import jws
from joserfc.jwk import OKPKey

from shared.oauth.assertions import ASSERTION_TYPE
from shared.oauth.proofs import TYPE, Asked, token_hash
from shared.signing import ALGORITHM, Signer

OWN_TYPE = "client-authentication+jwt"
"""The `typ` of our assertions: signed for this and nothing else (RFC 8725 section 3.11)."""

GRANT = "client_credentials"

ASSERTION_S = 60
"""Seconds that an assertion of ours counts: it is used at once."""


class _Said(msgspec.Struct):
    iss: str
    sub: str
    aud: str
    iat: int
    exp: int
    jti: str


class _Proof(msgspec.Struct, omit_defaults=True):
    jti: str
    htm: str
    htu: str
    iat: int
    ath: str | None = None


def token_form(signer: Signer, audience: str, jti: str, now: datetime) -> dict[str, str]:
    """Return the form with which a client asks an audience for a token; raises `NoKey`.

    The signer's name is the client's.
    """
    iat, own = int(now.timestamp()), signer.issuer
    claims = _Said(iss=own, sub=own, aud=audience, iat=iat, exp=iat + ASSERTION_S, jti=jti)
    return {
        "grant_type": GRANT,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signer.sign(OWN_TYPE, msgspec.json.encode(claims), now),
    }


def proof(key: OKPKey, asked: Asked, jti: str, now: datetime) -> str:
    """Return the `DPoP` header of one request, by the key that its token is bound to."""
    ath = None if asked.token is None else token_hash(asked.token)
    iat = int(now.timestamp())
    claims = _Proof(jti=jti, htm=asked.method, htu=asked.address, iat=iat, ath=ath)
    header = {"alg": ALGORITHM, "typ": TYPE, "jwk": key.as_dict(private=False)}
    return jws.serialize_compact(header, msgspec.json.encode(claims), key, algorithms=[ALGORITHM])
