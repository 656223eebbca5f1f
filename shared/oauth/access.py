"""The access token that a client gets: a JWT (RFC 9068) bound to a key of the client's (`cnf`).

It says who the client is in the words of facts, counts ten minutes, and at the service that made it
alone. Without the key it is bound to it is no use to anybody (RFC 9449 section 6).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from shared.oauth.clients import Client, Clients
from shared.oauth.jose import NotProved, read_claims
from shared.oauth.scopes import ALL, Scope, written
from shared.signing import BadToken, Signer, TrustedKeys

TYPE = "at+jwt"

LIFE_S = 600
"""Seconds that a token counts: getting another costs a client two signatures, and whom an operator
strikes off is refused at once all the same."""


class _Bound(msgspec.Struct, omit_defaults=True):
    """What a token is bound to: one of the two, never both."""

    jkt: str = ""
    x5t: str = msgspec.field(default="", name="x5t#S256")


class _Claims(msgspec.Struct):
    iss: str
    aud: str
    sub: str
    client_id: str
    role: str
    id: str
    scope: str
    jti: str
    iat: int
    exp: int
    cnf: _Bound


@dataclass(frozen=True, slots=True)
class Granted:
    """Whose a token is: client, thumbprint of the key that it is bound to, what it is good for."""

    client: Client
    jkt: str
    scopes: frozenset[Scope] = ALL
    x5t: str = ""
    """The thumbprint of the certificate that it is bound to instead, with an empty `jkt`."""

    @property
    def token_type(self) -> str:
        """Return how the token is shown: in which scheme of `Authorization`."""
        return "DPoP" if self.jkt else "Bearer"


def access_token(granted: Granted, signer: Signer, jti: str, now: datetime) -> str:
    """Return a token for the client; its issuer is its audience. Raises `NoKey`."""
    client, instant = granted.client, int(now.timestamp())
    claims = _Claims(
        iss=signer.issuer,
        aud=signer.issuer,
        sub=client.client_id,
        client_id=client.client_id,
        role=client.role,
        id=client.id,
        scope=written(granted.scopes),
        jti=jti,
        iat=instant,
        exp=instant + LIFE_S,
        cnf=_Bound(granted.jkt, granted.x5t),
    )
    return signer.sign(TYPE, msgspec.json.encode(claims), now)


def check_access(
    token: str, issuer: str, trusted: TrustedKeys, clients: Clients, now: datetime
) -> Granted:
    """Return for whom a token is, if it is ours, counts now, and the client is still that client.

    Raises `BadToken` with `access_invalid`, `access_elsewhere`, `access_expired` or
    `client_unknown`.
    """
    return _checked(token, issuer, trusted, clients, now)[0]


def introspected(
    token: str, issuer: str, trusted: TrustedKeys, clients: Clients, now: datetime
) -> dict[str, Any]:
    """Return what a token is good for now (RFC 7662 section 2.2); of one that is not, only that."""
    try:
        granted, claims = _checked(token, issuer, trusted, clients, now)
    except BadToken:
        return {"active": False}
    return {
        "active": True,
        "token_type": granted.token_type,
        "scope": written(granted.scopes),
        "client_id": claims.client_id,
        "sub": claims.sub,
        "iss": claims.iss,
        "aud": claims.aud,
        "iat": claims.iat,
        "exp": claims.exp,
        "cnf": msgspec.to_builtins(claims.cnf),
    }


def _checked(
    token: str, issuer: str, trusted: TrustedKeys, clients: Clients, now: datetime
) -> tuple[Granted, _Claims]:
    try:
        claims = read_claims(trusted.verify(token, TYPE), _Claims)
    except (BadToken, NotProved) as error:
        raise BadToken("access_invalid") from error
    if (claims.iss, claims.aud) != (issuer, issuer):
        raise BadToken("access_elsewhere")
    if not claims.iat <= now.timestamp() < claims.exp:
        raise BadToken("access_expired")
    client = clients.get(claims.client_id)
    if client is None or (client.role, client.id) != (claims.role, claims.id):
        raise BadToken("client_unknown")
    if bool(claims.cnf.jkt) == bool(claims.cnf.x5t):
        raise BadToken("access_invalid")
    said = set(claims.scope.split())
    # What a client may is asked at each call: what was taken from it does not wait for the token.
    scopes = frozenset(one for one in client.scopes if one in said)
    return Granted(client, claims.cnf.jkt, scopes, claims.cnf.x5t), claims
