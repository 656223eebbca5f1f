"""A client says who it is with a JWT that it signs (RFC 7523 section 3, `private_key_jwt`).

It counts for us alone, for a few minutes, and once. So whoever gets hold of one, in a log or at
another service, can do nothing with it.
"""

from datetime import datetime

import msgspec

from shared.oauth.clients import Client, Clients
from shared.oauth.jose import NotProved, Why, check_signed, read_claims, said
from shared.oauth.once import Once, is_id, until
from shared.signing import BadToken

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

TOKEN_PATH = "/oauth/token"  # noqa: S105 - an address
"""Where an assertion is shown, at each service."""

TYPES = (None, "JWT", "client-authentication+jwt")
"""The `typ` of an assertion: usual, or none. With another it was signed for something else."""

LIFE_S_MAX = 300
"""Seconds that an assertion may still count for; bounds what must be remembered of it."""

SKEW_S = 60
"""Seconds by which a client's clock may be ahead of ours."""

CODES = {
    Why.MALFORMED: "assertion_malformed",
    Why.ALGORITHM: "assertion_algorithm",
    Why.SIGNATURE: "assertion_signature",
}


class _Claims(msgspec.Struct):
    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    jti: str
    iat: float = 0.0
    nbf: float = 0.0


def check_assertion(
    text: str, clients: Clients, audiences: tuple[str, ...], now: datetime
) -> tuple[Client, Once]:
    """Return which client signed this for one of the audiences, and what it must not show again.

    Raises `BadToken` with `assertion_malformed`, `assertion_algorithm`, `client_unknown`,
    `assertion_key_unknown`, `assertion_signature`, `assertion_audience`, `assertion_expired` or
    `assertion_not_short`.
    """
    client, claims = _signed(text, clients)
    aud = claims.aud if isinstance(claims.aud, list) else [claims.aud]
    # One audience alone: with more, what was signed for another service would count here too.
    if len(aud) != 1 or aud[0] not in audiences:
        raise BadToken("assertion_audience")
    instant = now.timestamp()
    if not claims.exp > instant or max(claims.iat, claims.nbf) > instant + SKEW_S:
        raise BadToken("assertion_expired")
    if claims.exp > instant + LIFE_S_MAX:
        raise BadToken("assertion_not_short")
    return client, Once("assertion", client.client_id, claims.jti, until(claims.exp))


def _signed(text: str, clients: Clients) -> tuple[Client, _Claims]:
    """Return the client that the assertion is of, and what it says, once its signature is good."""
    try:
        read = said(text)
        header, claims = read.headers(), read_claims(read.payload, _Claims)
        client = clients.get(claims.sub)
        if client is None:
            raise BadToken("client_unknown")
        key = client.keys.get(str(header.get("kid")))
        if key is None:
            raise BadToken("assertion_key_unknown")
        check_signed(read, key)
    except NotProved as error:
        raise BadToken(CODES[error.why]) from error
    if claims.iss != claims.sub or not is_id(claims.jti) or header.get("typ") not in TYPES:
        raise BadToken("assertion_malformed")
    return client, claims
