"""A request that its sender signed whole, and what is left of it to prove that in twenty years.

What counts is the library's reading of RFC 9421; here is what we ask beyond it: which components,
by which keys, and when. Pure: whoever checks a log checks by the same function.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
)
from http_message_signatures.algorithms import ED25519
from typing_extensions import override

from shared.message_signatures.messages import (
    DIGEST,
    INPUT,
    SIGNATURE,
    Request,
    algorithm_of,
    digest_holds,
    joined,
)
from shared.message_signatures.plain import check_plain
from shared.oauth.jose import PublicKey, public_key, thumbprint

WINDOW_S = 300
"""Seconds by which a signature's `created` may differ from our clock, either way."""

COVERED = ("@method", "@target-uri", DIGEST, "content-type")
"""What a signature must cover: what is asked, where, the body, and how that is read."""

KEPT = frozenset({DIGEST, "content-type", "content-length", "date", "idempotency-key"})
"""Header fields that a signature may cover, since they are kept with it. An access token or a proof
is not: nothing that lets anybody in belongs in a log, and they are checked by themselves."""

DERIVED = frozenset(
    {"@method", "@target-uri", "@authority", "@scheme", "@path", "@query", "@request-target"}
)
"""What follows from method and address."""

WANTED = 'thuan=("@method" "@target-uri" "content-digest" "content-type");created;keyid'
"""The same, as RFC 9421 section 5.1 asks for a signature (`Accept-Signature`)."""


KEYS_KEPT = 1 << 10
"""Keys of those who signed that are kept ready: to read one takes as long as to check with it."""


class BadSignature(Exception):
    """A request whose signature proves nothing; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedRequest:
    """A signed request: all that its signature covers, the signature, and the key that made it.

    `fields` are the header fields that count, by their names in small letters, the signature's own
    two among them; `key` is the signer's public JWK.
    """

    method: str
    target: str
    fields: dict[str, str]
    body: str
    key: dict[str, str]


def read_signed(
    request: Request, body: bytes, keys: Mapping[str, PublicKey], now: datetime
) -> SignedRequest:
    """Return what a request proves, signed by one of the keys (by RFC 7638 thumbprint) about now.

    Raises `BadSignature` with `signature_missing`, `signature_malformed`, `signature_components`,
    `signature_unkept`, `signature_key_unknown`, `signature_algorithm`, `signature_stale`,
    `digest_differs` or `signature_wrong`.
    """
    key, covered = _check(request, body, _Verifier(keys, now, WINDOW_S))
    names = [INPUT, SIGNATURE, *(one for one in covered if not one.startswith("@"))]
    return SignedRequest(
        method=request.method,
        target=request.url,
        fields={name: request.headers[name] for name in names},
        body=_text(body),
        key={name: str(value) for name, value in _public(key).items()},
    )


def check_kept(signed: SignedRequest, at: datetime, *, within_s: int = WINDOW_S) -> str:
    """Check a request that was kept, against the key beside it; returns that key's thumbprint.

    `at` is when it was taken, give or take so many seconds. Raises `BadSignature`, as
    `read_signed` does.
    """
    try:
        key, own = _known(tuple(sorted(signed.key.items())))
    except ValueError as error:
        raise BadSignature("signature_key_unknown") from error
    request = Request(signed.method, signed.target, signed.fields)
    _check(request, signed.body.encode(), _Verifier({own: key}, at, within_s))
    return own


@lru_cache(KEYS_KEPT)
def _known(members: tuple[tuple[str, str], ...]) -> tuple[PublicKey, str]:
    """Return the public key of a JWK's members, and its thumbprint; raises `ValueError`."""
    key = public_key(dict(members))
    return key, thumbprint(key)


def fields_of(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the header fields of a request that may count; raises `BadSignature`.

    There is one signature: which of two would be meant, nobody could say later.
    """
    found = joined([pair for pair in pairs if pair[0].lower() in KEPT | {INPUT, SIGNATURE}])
    if INPUT not in found or SIGNATURE not in found:
        raise BadSignature("signature_missing")
    return found


def members_of(body: bytes) -> dict[str, Any] | None:
    """Return the members of a JSON object, None for anything else.

    Nothing hides in one: it is in ASCII, which no normal form changes, and has no member twice.
    """
    try:
        pairs = json.loads(body.decode("ascii"), object_pairs_hook=_Pairs)
    except ValueError:
        return None
    members = dict(pairs) if isinstance(pairs, _Pairs) else {}
    return members if isinstance(pairs, _Pairs) and len(members) == len(pairs) else None


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in their order, also those that come twice."""


class _Keys(HTTPSignatureKeyResolver):
    def __init__(self, keys: Mapping[str, PublicKey]) -> None:
        self.keys = keys

    @override
    def resolve_public_key(self, key_id: str) -> Any:
        return self.keys[key_id].public_key

    @override
    def resolve_private_key(self, key_id: str) -> Any:
        raise NotImplementedError


class _Verifier(HTTPMessageVerifier):
    """Verifies one request by whichever of the keys it names, at an instant of our clock."""

    def __init__(self, keys: Mapping[str, PublicKey], now: datetime, within_s: int) -> None:
        super().__init__(signature_algorithm=ED25519, key_resolver=_Keys(keys))
        self.keys, self.now, self.within_s = keys, now, within_s

    def plain(self, names: list[str], said: Mapping[str, str]) -> PublicKey | None:
        """Return the key that a plain signature names, if all that stands beside it holds."""
        if not set(COVERED) <= set(names) <= KEPT | set(COVERED) or "created" not in said:
            return None
        key = self.keys.get(said.get("keyid", ""))
        if key is None or abs(self.now.timestamp() - int(said["created"])) > self.within_s:
            return None
        own = algorithm_of(key).algorithm_id
        return key if said.get("alg", own) == own else None

    @override
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Check all that stands beside the signature; the library asks this of each first."""
        said = sig_input.params
        _check_covered([(str(one.value), dict(one.params)) for one in sig_input])
        created, expires = said.get("created"), said.get("expires")
        if not isinstance(created, int):
            raise BadSignature("signature_malformed")
        now = self.now.timestamp()
        at_least = now - (self.within_s - WINDOW_S)
        if abs(now - created) > self.within_s or (isinstance(expires, int) and at_least >= expires):
            raise BadSignature("signature_stale")
        key = self.keys.get(said.get("keyid", ""))
        if key is None:
            raise BadSignature("signature_key_unknown")
        self.signature_algorithm = algorithm_of(key)
        if said.get("alg", self.signature_algorithm.algorithm_id) != (
            self.signature_algorithm.algorithm_id
        ):
            raise BadSignature("signature_algorithm")


def _check_covered(components: Sequence[tuple[str, dict[str, Any]]]) -> None:
    names = [name for name, params in components if not params]
    if len(names) != len(components) or not set(names) <= KEPT | DERIVED:
        raise BadSignature("signature_unkept")
    if not set(COVERED) <= set(names):
        raise BadSignature("signature_components")


def _check(request: Request, body: bytes, verifier: _Verifier) -> tuple[PublicKey, list[str]]:
    """Return the key that signed, and the components that it covers; raises `BadSignature`."""
    found = check_plain(request, verifier.plain) or _check_any(request, verifier)
    if not digest_holds(request.headers[DIGEST], body):
        raise BadSignature("digest_differs")
    return found


def _check_any(request: Request, verifier: _Verifier) -> tuple[PublicKey, list[str]]:
    """Return the same of a request in whatever form the library takes."""
    try:
        (found,) = verifier.verify(request, max_age=None)
    except BadSignature:
        raise
    except HTTPMessageSignaturesException as error:
        wrong = isinstance(error.__cause__, InvalidSignature)
        raise BadSignature("signature_wrong" if wrong else "signature_malformed") from error
    covered = [one.strip('"') for one in found.covered_components][:-1]
    return verifier.keys[str(found.parameters["keyid"])], covered


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadSignature("signature_malformed") from error


def _public(key: PublicKey) -> dict[str, Any]:
    members = key.as_dict(private=False)
    return {name: members[name] for name in ("kty", "crv", "x", "y") if name in members}
