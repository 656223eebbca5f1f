"""The one spelling of a signed request that nearly all clients use, read without the library.

The library takes any form that RFC 9421 allows, and needs longer to take it apart than to check the
signature. What is spelled here has one meaning only. Whatever is spelled otherwise, or does not
hold, is left to the library: this says yes or nothing, and never yes where that says no.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping

from shared.message_signatures.messages import INPUT, SIGNATURE, Request, algorithm_of
from shared.oauth.jose import PublicKey

ADDRESS = re.compile(r"https?://[a-z0-9.-]+(?::[1-9][0-9]{0,4})?/[A-Za-z0-9/._~-]*")
"""An address whose parts are all spelled as they are signed, without a query."""

VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
METHOD = re.compile(r"[A-Z]+")

SIGNED = re.compile(
    r'([a-z][a-z0-9_-]*)=(\(((?:"[@a-z-]+" )*"[@a-z-]+")\)'
    r'((?:;created=[1-9][0-9]{0,14}|;keyid="[A-Za-z0-9_-]{1,64}"|;alg="[a-z0-9-]{1,32}")+))'
)
"""A `Signature-Input` of one signature: its label, and of all behind that names and parameters."""

BYTES = re.compile(r"([a-z][a-z0-9_-]*)=:([A-Za-z0-9+/]+={0,2}):")
"""A `Signature` of one."""

Asked = Callable[[list[str], Mapping[str, str]], PublicKey | None]
"""Gives the key that signed, from the names that are covered and the parameters; None: not so."""


def check_plain(request: Request, asked: Asked) -> tuple[PublicKey, list[str]] | None:
    """Return the key that signed a request, and what it covers; None if the library has to look."""
    said = SIGNED.fullmatch(request.headers.get(INPUT, ""))
    given = BYTES.fullmatch(request.headers.get(SIGNATURE, ""))
    if not said or not given or said[1] != given[1]:
        return None
    names, pairs = said[3][1:-1].split('" "'), said[4][1:].split(";")
    parameters = {
        name: value.strip('"') for name, _, value in (one.partition("=") for one in pairs)
    }
    values = _values(request, names)
    if len(parameters) != len(pairs) or len({*names}) != len(names) or values is None:
        return None
    key = asked(names, parameters)
    lines = [f'"{name}": {value}' for name, value in zip(names, values, strict=True)]
    base = "\n".join([*lines, f'"@signature-params": {said[2]}'])
    return (key, names) if key and _is_signed(key, base, given[2]) else None


def _values(request: Request, names: list[str]) -> list[str] | None:
    """Return what each name stands for; None if one has more to it."""
    if not ADDRESS.fullmatch(request.url) or not METHOD.fullmatch(request.method):
        return None
    derived = {"@method": request.method, "@target-uri": request.url}
    values = [
        derived.get(name) if name.startswith("@") else request.headers.get(name) for name in names
    ]
    found = [one for one in values if one is not None and VALUE.fullmatch(one)]
    return found if len(found) == len(names) else None


def _is_signed(key: PublicKey, base: str, signature: str) -> bool:
    try:
        given = b64decode(signature, validate=True)
        algorithm_of(key)(public_key=key.public_key).verify(signature=given, message=base.encode())
    except Exception:  # noqa: BLE001 - the library says what is wrong
        return False
    return b64encode(given).decode() == signature  # and in no other spelling
