"""Each check that the standards ask for, and what breaks if it is left out.

RFC 9449 section 4.3 and 11 (proofs), RFC 7523 section 3 (assertions), RFC 8725 (all of them).
"""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from shared.oauth.access import Granted, access_token, check_access
from shared.oauth.asking import proof, token_form
from shared.oauth.assertions import check_assertion
from shared.oauth.clients import clients
from shared.oauth.proofs import Asked, check_proof
from shared.signing import Key, Signer
from tests.shared.test_oauth import (
    ADDRESS,
    ASKED,
    ASSERTION,
    AUDIENCES,
    BANK,
    BOUND,
    CLIENTS,
    ISSUER,
    NOW,
    OWN_KEY,
    PROOF,
    SIGNER,
    TOKEN,
    TRUSTED,
    of_access,
    of_assertion,
    of_proof,
)
from tests.support.clients import algorithm, signed


def without(name: str, text: str, key: Any) -> str:
    """Return a signed text without one of its claims, signed well again."""
    header, payload, _ = text.split(".")
    claims = {had: one for had, one in read(payload).items() if had != name}
    return signed(read(header), claims, key)


def read(part: str) -> dict[str, Any]:
    """Return what a part of a compact JWS says."""
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return document


def with_payload(text: str, payload: bytes, key: Any) -> str:
    """Return a text of the same header about other bytes, signed well."""
    header = read(text.split(".", maxsplit=1)[0])
    return jws.serialize_compact(header, payload, key, algorithms=[header["alg"]])


# -- RFC 9449 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat", "ath"])
def test_a_proof_has_all_its_claims(name: str) -> None:
    """4.3, check 3: “All required claims per Section 4.2 are contained in the JWT”."""
    code = "proof_token" if name == "ath" else "proof_malformed"
    assert of_proof(without(name, PROOF, BANK.bound)) == code


@pytest.mark.parametrize("typ", [None, "", "jwt", "at+jwt", "DPOP+JWT", "application/dpop+jwt"])
def test_a_proof_says_that_it_is_one(typ: str | None) -> None:
    """4.3, check 4: “The typ JOSE Header Parameter has the value dpop+jwt”, so spelt."""
    header = {"typ": typ}
    assert of_proof(BANK.proof("PUT", ADDRESS, NOW, TOKEN, header=header)) == "proof_malformed"


def test_a_proof_is_one_text() -> None:
    """4.3, checks 1 and 2: one header field, and in it one JWT; proxies join two with a comma."""
    assert of_proof(f"{PROOF}, {PROOF}") == of_proof(f"{PROOF},") == "proof_malformed"
    assert of_proof(PROOF, "") == of_proof("", PROOF) == "proof_missing"


def test_a_proof_made_for_getting_a_token_opens_nothing() -> None:
    """4.3, check 12: it has no `ath`; nor does one for a call get a token, at another address."""
    at_token = Asked("POST", f"{ISSUER}/oauth/token")
    first = BANK.proof("POST", at_token.address, NOW)
    check_proof([first], at_token, NOW)
    assert of_proof(first, asked=replace(at_token, token=TOKEN)) == "proof_token"
    assert of_proof(PROOF, asked=at_token) == "proof_method"


def test_a_proof_by_another_key_shows_that_key() -> None:
    """4.3, check 12: “the public key to which the access token is bound matches”: told, to compare.

    11.5: which is why a stolen token is worth nothing with the thief's own proof.
    """
    thief = replace(BANK, bound=OKPKey.generate_key("Ed25519"))
    jkt, _ = check_proof([thief.proof("PUT", ADDRESS, NOW, TOKEN)], ASKED, NOW)
    assert jkt == thief.bound.thumbprint() != check_access(TOKEN, ISSUER, TRUSTED, CLIENTS, NOW).jkt


def test_a_proof_of_one_key_does_not_hide_another() -> None:
    """11.1: what may be shown once is told apart by key and id, so nobody uses up another's ids."""
    thief = replace(BANK, bound=OKPKey.generate_key("Ed25519"))
    ours, theirs = (
        check_proof([one.proof("PUT", ADDRESS, NOW, TOKEN, jti="j1")], ASKED, NOW)[1]
        for one in (BANK, thief)
    )
    assert ours.digest != theirs.digest


# -- RFC 7523 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "jti"])
def test_an_assertion_has_all_its_claims(name: str) -> None:
    """3: “The JWT MUST contain an "iss"”, a "sub", an "aud", an "exp"; and a "jti", for us."""
    assert of_assertion(without(name, ASSERTION, BANK.key)) == "assertion_malformed"


def test_an_assertion_may_say_more() -> None:
    """3, 8: “The JWT MAY contain other claims”; they mean nothing here, not even a role."""
    more = BANK.assertion(ISSUER, NOW, role="operator", id="operator", scope="all", iat=0)
    client, _ = check_assertion(more, CLIENTS, AUDIENCES, NOW)
    assert (client.role, client.id) == ("bank", "so-viet")


@pytest.mark.parametrize(
    "audience",
    [f"{ISSUER}/", f"{ISSUER}.evil.example", ISSUER.upper(), f"{ISSUER}/oauth/token/", "", "*"],
)
def test_an_audience_is_compared_letter_by_letter(audience: str) -> None:
    """3, 3: “MUST compare the audience values using the Simple String Comparison method”."""
    assert of_assertion(BANK.assertion(audience, NOW)) == "assertion_audience"


# -- RFC 8725 -----------------------------------------------------------------------------------

CHECKS: dict[str, Callable[[str], str]] = {
    "assertion": of_assertion,
    "proof": of_proof,
    "token": of_access,
}


@pytest.mark.parametrize(
    ("text", "taken"),
    [(ASSERTION, "assertion"), (PROOF, "proof"), (TOKEN, "token")],
    ids=["assertion", "proof", "token"],
)
def test_what_is_signed_for_one_thing_is_nothing_else(text: str, taken: str) -> None:
    """3.11 and 3.12: explicit types, and rules that exclude each other: no cross-JWT confusion."""
    for what, refused in CHECKS.items():
        if what != taken:
            assert refused(text)


def test_a_key_or_address_that_comes_along_is_not_used() -> None:
    """3.10: “Do Not Trust Received Claims”: jwk, jku, x5u, x5c, and a `kid` that is a path."""
    thief = ECKey.generate_key("P-256")
    forged = replace(BANK, key=thief)
    kid = BANK.key.thumbprint()
    public = thief.as_dict(private=False)
    for header in (
        {"kid": kid, "jwk": public},
        {"kid": kid, "jku": "https://thief.example/jwks.json"},
        {"kid": kid, "x5u": "https://thief.example/cert.pem"},
        {"kid": kid, "x5c": ["MIIB"]},
    ):
        assert of_assertion(forged.assertion(ISSUER, NOW, header=header)) in {
            "assertion_signature",
            "assertion_malformed",
        }
    for path in ("../../keys/x", "' OR 1=1 --", "", "file:///dev/null"):
        text = forged.assertion(ISSUER, NOW, header={"kid": path})
        assert of_assertion(text) == "assertion_key_unknown"


def test_an_encrypted_text_is_none_of_ours() -> None:
    """3.6 and 2.6: five parts are a JWE; nothing here is decrypted, or decompressed."""
    for refused, code in (
        (of_assertion, "assertion_malformed"),
        (of_proof, "proof_malformed"),
        (of_access, "access_invalid"),
    ):
        assert refused(f"{PROOF}.e30.e30") == code


def test_a_payload_is_utf_8() -> None:
    """3.7: “Use UTF-8”: no other encoding of the same claims is read."""
    header = {"alg": algorithm(BANK.key), "kid": BANK.key.thumbprint(), "typ": "JWT"}
    text = signed(header, {}, BANK.key)
    for payload in ('{"iss": "so-viet-1"}'.encode("utf-16"), b'{"iss": "\xff"}', b"\xef\xbb\xbf{}"):
        assert of_assertion(with_payload(text, payload, BANK.key)) == "assertion_malformed"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://consent.example"}, "access_elsewhere"),
        ({"aud": "https://consent.example"}, "access_elsewhere"),
        ({"aud": [ISSUER]}, "access_invalid"),
        ({"client_id": "nobody"}, "client_unknown"),
        ({"role": "operator"}, "client_unknown"),
        ({"id": "truong-son"}, "client_unknown"),
        ({"cnf": {}}, "access_invalid"),
        ({"cnf": {"jkt": BOUND, "x5t#S256": "x"}}, "access_invalid"),
        ({"cnf": None}, "access_invalid"),
    ],
)
def test_a_token_is_of_its_issuer_for_its_audience_and_client(
    changes: dict[str, Any], code: str
) -> None:
    """3.8 and 3.9, also if we ourselves had signed it otherwise: each is compared."""
    claims = read(TOKEN.split(".")[1]) | changes
    text = SIGNER.sign("at+jwt", json.dumps(claims).encode(), NOW)
    assert of_access(text) == code


def test_a_key_that_signs_other_things_signs_no_token() -> None:
    """3.11: a consent event's key, say, is no token's: its `kid` is unknown here."""
    other = Key(OKPKey.generate_key("Ed25519"), OWN_KEY.valid_from, OWN_KEY.valid_until)
    granted = Granted(CLIENTS["so-viet-1"], BOUND)
    assert of_access(access_token(granted, Signer(ISSUER, [other]), "j", NOW)) == "access_invalid"


# -- the other side -----------------------------------------------------------------------------

SERVICE = Signer("accounts", [OWN_KEY])
KEYS = {"keys": [OWN_KEY.jwk.as_dict(private=False)]}
SERVICES = clients([{"client_id": "accounts", "role": "service", "id": "accounts", "jwks": KEYS}])


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    path=st.from_regex(r"\A(/[A-Za-z0-9._~%-]{1,9}){1,4}\Z"),
    token=st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    jti=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=43),
)
def test_what_a_service_signs_is_what_a_service_takes(
    method: str, path: str, token: str | None, jti: str
) -> None:
    """For whatever request: who it is, and that this very request is its own."""
    form = token_form(SERVICE, ISSUER, jti, NOW)
    client, once = check_assertion(form["client_assertion"], SERVICES, AUDIENCES, NOW)
    assert (client.role, once.jti) == ("service", jti)
    key = OWN_KEY.jwk
    asked = Asked(method, ISSUER + path, token)
    jkt, once = check_proof([proof(key, asked, jti, NOW)], asked, NOW)
    assert (jkt, once.jti) == (key.thumbprint(), jti)
