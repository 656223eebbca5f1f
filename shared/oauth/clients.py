"""The clients that may get tokens: who each one is, and the public keys that it signs with.

A client has as many keys as it likes. To change keys it adds the new one, signs with it, and has
the old one taken out; none of that stops anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.oauth.jose import PublicKey, public_key, thumbprint
from shared.oauth.scopes import ALL, Scope


@dataclass(frozen=True)
class Client:
    """A client: its id, whom it acts for as facts name it, its keys by `kid`, what it may do."""

    client_id: str
    role: str
    id: str
    keys: Mapping[str, PublicKey]
    scopes: frozenset[Scope] = ALL

    @cached_property
    def by_thumbprint(self) -> Mapping[str, PublicKey]:
        """Return its keys by RFC 7638 thumbprint, whatever their `kid`."""
        return {thumbprint(key): key for key in self.keys.values()}


Clients = Mapping[str, Client]
"""Clients by their id."""


def clients(document: object) -> Clients:
    """Read `[{"client_id": …, "role": …, "id": …, "jwks": {"keys": [JWK, …]}, "scopes": […]}]`.

    A key's `kid` is its own, or its RFC 7638 thumbprint; no `scopes` are all. Raises `ValueError`
    that says where.
    """
    if not isinstance(document, list):
        raise ValueError("clients: not a list")  # noqa: TRY004 - a file's fault, not a caller's
    found: dict[str, Client] = {}
    for place, row in enumerate(document):
        try:
            one = _client(row)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"client {place}: {error!r}") from error
        if one.client_id in found:
            raise ValueError(f"client {place}: {one.client_id} is there twice")
        found[one.client_id] = one
    return found


def _client(row: Mapping[str, Any]) -> Client:
    client_id, role, own_id = (row[name] for name in ("client_id", "role", "id"))
    if not all(isinstance(text, str) and text for text in (client_id, role, own_id)):
        raise ValueError("client_id, role and id are texts")
    members = row["jwks"]["keys"]
    keys = {_kid(member): public_key(member) for member in members}
    if not keys or len(keys) != len(members):
        raise ValueError("no key, or two with one kid")
    return Client(client_id, role, own_id, keys, _scopes(row))


def _scopes(row: Mapping[str, Any]) -> frozenset[Scope]:
    if "scopes" not in row:
        return ALL
    named = row["scopes"]
    if not isinstance(named, list) or not named:
        raise ValueError("scopes is a list of some")
    return frozenset(Scope(one) for one in named)


def _kid(jwk: Mapping[str, Any]) -> str:
    kid = jwk.get("kid") or thumbprint(public_key(jwk))
    if not isinstance(kid, str):
        raise TypeError("kid is a text")
    return kid
