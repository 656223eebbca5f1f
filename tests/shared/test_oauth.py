"""A client is who it proves to be, by its own keys, now, here and once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey, import_key

from shared.authority import KnownTokens
from shared.contracts.reasons import REASONS
from shared.oauth.access import LIFE_S, Granted, access_token, check_access
from shared.oauth.answers import challenge, error_at_token
from shared.oauth.assertions import LIFE_S_MAX, check_assertion
from shared.oauth.assertions import SKEW_S as AHEAD_S
from shared.oauth.clients import Client, Clients, clients
from shared.oauth.jose import public_key, thumbprint
from shared.oauth.proofs import WINDOW_S, Asked, check_proof, plain_address, token_hash
from shared.oauth.scopes import Scope, chosen, written
from shared.signing import KEY_VALIDITY, BadToken, Key, Signer, TrustedKeys
from tests.support.clients import BankClient, SigningKey, signed, unsigned

NOW = datetime(2023, 8, 9, tzinfo=UTC)
ISSUER = "https://accounts.example"
AUDIENCES = (ISSUER, f"{ISSUER}/oauth/token")
ADDRESS = f"{ISSUER}/openings/a1"


BANK = BankClient()
OTHER = BankClient("truong-son-1", "truong-son", OKPKey.generate_key("Ed25519"))
CLIENTS = clients([BANK.row(), OTHER.row()])
RSA = RSAKey.generate_key(2048)
"""A key of a kind that is not accepted."""

OTHER_CURVES = [
    ECKey.generate_key("P-384").as_dict(private=False),
    OKPKey.generate_key("X25519").as_dict(private=False),
    OKPKey.generate_key("Ed448").as_dict(private=False),
]
OFF_CURVE = {
    **BANK.key.as_dict(private=False),
    "x": BANK.key.as_dict(private=False)["y"],
}
"""A point of no curve: both of its numbers are one."""

NO_SCOPES: list[object] = [[], "openings", ["bank"], None, [[]]]

OWN_KEY = Key(OKPKey.generate_key("Ed25519"), NOW - timedelta(days=1), NOW + KEY_VALIDITY)
SIGNER = Signer(ISSUER, [OWN_KEY])
TRUSTED, KNOWING = TrustedKeys([OWN_KEY]), KnownTokens([OWN_KEY])
BOUND = BANK.bound.thumbprint()
TOKEN = access_token(Granted(CLIENTS["so-viet-1"], BOUND), SIGNER, "j1", NOW)
ASKED = Asked("PUT", ADDRESS, TOKEN)
ASSERTION = BANK.assertion(ISSUER, NOW)
PROOF = BANK.proof("PUT", ADDRESS, NOW, TOKEN)


def code_of(check: Callable[[], object]) -> str:
    """Return the code of a no; it has its sentences."""
    with pytest.raises(BadToken) as bad:
        check()
    assert bad.value.code in REASONS
    return bad.value.code


def of_assertion(text: str, known: Clients = CLIENTS) -> str:
    """Return the code with which an assertion is refused."""
    return code_of(lambda: check_assertion(text, known, AUDIENCES, NOW))


def of_proof(*headers: str, asked: Asked = ASKED) -> str:
    """Return the code with which a proof is refused."""
    return code_of(lambda: check_proof(headers, asked, NOW))


def of_access(text: str, known: Clients = CLIENTS, now: datetime = NOW) -> str:
    """Return the code with which an access token is refused, also where it was known before."""
    codes = [
        code_of(partial(check_access, text, ISSUER, keys, known, now))
        for keys in (TRUSTED, KNOWING, KNOWING)
    ]
    assert len({*codes}) == 1
    return codes[0]


# -- what the standards print -------------------------------------------------------------------

RFC_7638_KEY: dict[str, str | list[str]] = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc"
    "_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQ"
    "R0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bF"
    "TWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
RFC_8037_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_9449_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUkl"
    "DUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2"
    "R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0"
    "dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdr"
    "j8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
RFC_9449_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC_9449_PROOF_WITH_TOKEN = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUkl"
    "DUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2"
    "R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0"
    "cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlV"
    "IeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPTo"
    "A1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
RFC_9449_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_thumbprints_are_those_of_rfc_7638_and_rfc_8037() -> None:
    """The RSA key of the one, by the library that we use, and the Ed25519 key of the other."""
    assert import_key(RFC_7638_KEY).thumbprint() == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    ours = thumbprint(public_key(RFC_8037_KEY))
    assert ours == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_proofs_of_rfc_9449_are_good() -> None:
    """Both proofs, the hash of the token, and the key's thumbprint are as the standard has them."""
    at = datetime.fromtimestamp(1562262616, UTC)
    jkt, once = check_proof([RFC_9449_PROOF], Asked("POST", "https://server.example.com/token"), at)
    assert (jkt, once.jti) == (RFC_9449_JKT, "-BwC3ESc6acc2lTc")
    assert token_hash(RFC_9449_TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    address = "https://resource.example.org/protectedresource"
    asked = Asked("GET", address, RFC_9449_TOKEN)
    assert check_proof([RFC_9449_PROOF_WITH_TOKEN], asked, at)[0] == RFC_9449_JKT


# -- assertions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [BANK, OTHER], ids=["ES256", "Ed25519"])
@pytest.mark.parametrize("audience", [*AUDIENCES, [ISSUER]])
def test_an_assertion_says_who_the_client_is(client: BankClient, audience: object) -> None:
    """By either kind of key, for either audience; what not to show again is told."""
    text = client.assertion(audience, NOW, jti="j7")
    found, once = check_assertion(text, CLIENTS, AUDIENCES, NOW)
    assert (found.client_id, found.role, found.id) == (client.client_id, "bank", client.bank_id)
    assert (once.signer, once.jti, once.expires) == (client.client_id, "j7", NOW.timestamp() + 61)


def test_the_older_name_of_ed25519_is_taken() -> None:
    """`EdDSA` with an Ed25519 key is the same signature."""
    header = {"alg": "EdDSA", "kid": OTHER.key.thumbprint()}
    claims = {"iss": "truong-son-1", "sub": "truong-son-1", "aud": ISSUER, "jti": "j"}
    with pytest.warns(match="EdDSA"):
        text = signed(header, {**claims, "exp": NOW.timestamp() + 9}, OTHER.key)
    assert check_assertion(text, CLIENTS, AUDIENCES, NOW)[0].client_id == "truong-son-1"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": NOW.timestamp()}, "assertion_expired"),
        ({"exp": NOW.timestamp() - 1}, "assertion_expired"),
        ({"exp": NOW.timestamp() + LIFE_S_MAX + 1}, "assertion_not_short"),
        ({"exp": 1e300}, "assertion_not_short"),
        ({"iat": NOW.timestamp() + AHEAD_S + 1}, "assertion_expired"),
        ({"nbf": NOW.timestamp() + AHEAD_S + 1}, "assertion_expired"),
        ({"aud": "https://consent.example"}, "assertion_audience"),
        ({"aud": [ISSUER, "https://consent.example"]}, "assertion_audience"),
        ({"aud": []}, "assertion_audience"),
        ({"sub": "truong-son-1"}, "assertion_key_unknown"),
        ({"iss": "truong-son-1"}, "assertion_malformed"),
        ({"sub": "nobody"}, "client_unknown"),
        ({"jti": ""}, "assertion_malformed"),
        ({"jti": "j" * 257}, "assertion_malformed"),
        ({"exp": "soon"}, "assertion_malformed"),
        ({"header": {"typ": "at+jwt"}}, "assertion_malformed"),
        ({"header": {"kid": "k9"}}, "assertion_key_unknown"),
        ({"header": {"crit": ["urgent"], "urgent": "1"}}, "assertion_signature"),
        ({"header": {"crit": ["b64"], "b64": True}}, "assertion_signature"),
    ],
)
def test_an_assertion_of_another_kind_is_refused(changes: dict[str, Any], code: str) -> None:
    """Expired, too long, for others, of another, without an id, by no known key."""
    assert of_assertion(BANK.assertion(ISSUER, NOW, **changes)) == code


def test_other_algorithms_are_refused() -> None:
    """`none`, HMAC with the public key as its secret, RSA, the other kind of key's."""
    claims: dict[str, Any] = {"iss": "so-viet-1", "sub": "so-viet-1", "aud": ISSUER, "jti": "j"}
    claims["exp"] = NOW.timestamp() + 9
    kid = BANK.key.thumbprint()
    secret = OctKey.import_key(str(BANK.key.as_dict(private=False)["x"]))
    forgeries = [
        unsigned({"alg": "none", "kid": kid}, claims),
        signed({"alg": "HS256", "kid": kid}, claims, secret),
        signed({"alg": "RS256", "kid": kid}, claims, RSA),
        signed({"alg": "Ed25519", "kid": kid}, claims, OTHER.key),
    ]
    assert [of_assertion(text) for text in forgeries] == ["assertion_algorithm"] * 4
    forged = signed({"alg": "ES256", "kid": kid}, claims, ECKey.generate_key("P-256"))
    assert of_assertion(forged) == "assertion_signature"


def test_a_client_changes_keys_without_a_stop() -> None:
    """While the file has both, old and new are good; then the old one is unknown."""
    newer = replace(BANK, key=OKPKey.generate_key("Ed25519"))
    both, after = clients([BANK.row(newer.key)]), clients([newer.row()])
    for client in (BANK, newer):
        check_assertion(client.assertion(ISSUER, NOW), both, AUDIENCES, NOW)
    check_assertion(newer.assertion(ISSUER, NOW), after, AUDIENCES, NOW)
    assert of_assertion(ASSERTION, after) == "assertion_key_unknown"


@pytest.mark.parametrize(
    "document",
    [
        {},
        [1],
        [{}],
        [BANK.row() | {"role": ""}],
        [BANK.row(), BANK.row()],
        [BANK.row() | {"jwks": {"keys": []}}],
        [BANK.row(BANK.key)],
        [BANK.row() | {"jwks": {"keys": [BANK.key.as_dict(private=True)]}}],
        [BANK.row() | {"jwks": {"keys": [RSA.as_dict(private=False)]}}],
        [BANK.row() | {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}],
        [BANK.row() | {"jwks": {"keys": [OFF_CURVE]}}],
        *([BANK.row() | {"jwks": {"keys": [one]}}] for one in OTHER_CURVES),
        [BANK.row() | {"jwks": {"keys": [BANK.row()["jwks"]["keys"][0] | {"kid": 7}]}}],
        *([BANK.row() | {"scopes": one}] for one in NO_SCOPES),
    ],
)
def test_a_file_of_clients_that_is_wrong_is_refused_whole(document: object) -> None:
    """No list, no client, twice the same, no key, a private key, one of another kind."""
    with pytest.raises(ValueError, match="client"):
        clients(document)


# -- proofs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [BANK.bound, BANK.key], ids=["Ed25519", "ES256"])
@pytest.mark.parametrize("late", [-WINDOW_S, 0, WINDOW_S])
def test_a_proof_shows_a_key(key: SigningKey, late: int) -> None:
    """Within a minute of now; what not to show again is told, and until when."""
    client = replace(BANK, bound=key)
    proof = client.proof("PUT", ADDRESS, NOW + timedelta(seconds=late), TOKEN, jti="j1")
    jkt, once = check_proof([proof], ASKED, NOW)
    assert (jkt, once.signer, once.jti) == (key.thumbprint(), key.thumbprint(), "j1")
    assert once.expires > NOW.timestamp() + late + WINDOW_S


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"htm": "GET"}, "proof_method"),
        ({"htm": "put"}, "proof_method"),
        ({"htu": f"{ISSUER}/openings/a2"}, "proof_address"),
        ({"htu": ADDRESS.replace("accounts", "consent")}, "proof_address"),
        ({"htu": ADDRESS.replace("https", "http")}, "proof_address"),
        ({"htu": "/openings/a1"}, "proof_address"),
        ({"htu": "https://[/"}, "proof_address"),
        ({"htu": "https://x@accounts.example/openings/a1"}, "proof_address"),
        ({"iat": NOW.timestamp() - WINDOW_S - 1}, "proof_time"),
        ({"iat": NOW.timestamp() + WINDOW_S + 1}, "proof_time"),
        ({"iat": 1e308}, "proof_time"),
        ({"ath": token_hash("another")}, "proof_token"),
        ({"ath": None}, "proof_token"),
        ({"jti": ""}, "proof_malformed"),
        ({"iat": "now"}, "proof_malformed"),
        ({"header": {"typ": "JWT"}}, "proof_malformed"),
        ({"header": {"jwk": BANK.bound.as_dict(private=True)}}, "proof_key"),
        ({"header": {"jwk": {}}}, "proof_key"),
        ({"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}}, "proof_key"),
        ({"header": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}}, "proof_key"),
        ({"header": {"jwk": OFF_CURVE}}, "proof_key"),
        *(({"header": {"jwk": one}}, "proof_key") for one in OTHER_CURVES),
        ({"header": {"jwk": OTHER.bound.as_dict(private=False)}}, "proof_signature"),
    ],
)
def test_a_proof_of_another_kind_is_refused(changes: dict[str, Any], code: str) -> None:
    """Another method, address, time, token or use; a private, symmetric, broken or other key."""
    assert of_proof(BANK.proof("PUT", ADDRESS, NOW, TOKEN, **changes)) == code


def test_proofs_of_other_algorithms_are_refused() -> None:
    """`none`, HMAC with the public key in the header, RSA, and none or two proofs at all."""
    jwk = BANK.key.as_dict(private=False)
    header: dict[str, Any] = {"typ": "dpop+jwt", "jwk": jwk}
    secret = OctKey.import_key(str(BANK.key.as_dict(private=False)["x"]))
    assert of_proof(unsigned({**header, "alg": "none"}, {})) == "proof_algorithm"
    assert of_proof(signed({**header, "alg": "HS256"}, {}, secret)) == "proof_algorithm"
    assert of_proof(signed({**header, "alg": "RS256"}, {}, RSA)) == "proof_algorithm"
    rsa = {"kty": "RSA", "n": RSA.as_dict(private=False)["n"][:40], "e": "AQAB"}
    assert of_proof(signed({**header, "jwk": rsa, "alg": "RS256"}, {}, RSA)) == "proof_key"
    assert of_proof() == of_proof(PROOF, PROOF) == "proof_missing"
    assert of_proof("x") == of_proof(f"{PROOF}=") == "proof_malformed"


def test_a_service_without_an_address_takes_no_proof() -> None:
    """If what we are called is no address, nothing is for us, not even the very same."""
    asked = replace(ASKED, address="/openings/a1")
    assert of_proof(BANK.proof("PUT", "/openings/a1", NOW, TOKEN), asked=asked) == "proof_address"


def test_an_address_has_one_spelling() -> None:
    """Letters of the host, default port, query, fragment and needless `%` make no difference."""
    plain = "https://bank.example/a/%2F~x"
    for other in (
        "HTTPS://Bank.Example:443/a/%2f%7ex?q=1#f",
        "https://bank.example/a/%2f~x?",
    ):
        assert plain_address(other) == plain
    assert plain_address("https://bank.example") == "https://bank.example/"
    assert plain_address("https://bank.example:8443/") == "https://bank.example:8443/"
    for none in ("ftp://x/", "https:///x", "https://u@x/", "https://x:99999/", ""):
        assert plain_address(none) is None


# -- access tokens ------------------------------------------------------------------------------


def test_a_token_says_for_whom_it_is() -> None:
    """For ten minutes, and while the client is what it was."""
    assert check_access(TOKEN, ISSUER, TRUSTED, CLIENTS, NOW) == Granted(
        CLIENTS["so-viet-1"], BOUND
    )
    last = NOW + timedelta(seconds=LIFE_S - 1)
    assert check_access(TOKEN, ISSUER, TRUSTED, CLIENTS, last).jkt == BOUND
    assert of_access(TOKEN, now=NOW + timedelta(seconds=LIFE_S)) == "access_expired"
    assert of_access(TOKEN, now=NOW - timedelta(seconds=1)) == "access_expired"


def test_a_token_of_another_kind_is_refused() -> None:
    """Another service's, another type, another key, or for a client that is not that any more."""
    client = CLIENTS["so-viet-1"]
    elsewhere = access_token(Granted(client, BOUND), Signer("https://x", [OWN_KEY]), "j", NOW)
    assert of_access(elsewhere) == "access_elsewhere"
    stranger = Key(OKPKey.generate_key("Ed25519"), OWN_KEY.valid_from, OWN_KEY.valid_until)
    theirs = access_token(Granted(client, BOUND), Signer(ISSUER, [stranger]), "j", NOW)
    assert of_access(theirs) == "access_invalid"
    assert of_access(SIGNER.sign("t+jwt", b"{}", NOW)) == "access_invalid"
    assert of_access(SIGNER.sign("at+jwt", b'{"iat": 1}', NOW)) == "access_invalid"
    assert of_access(unsigned({"alg": "none", "typ": "at+jwt"}, {})) == "access_invalid"
    assert of_access(TOKEN, {}) == "client_unknown"
    moved = {"so-viet-1": Client("so-viet-1", "bank", "truong-son", client.keys)}
    assert of_access(TOKEN, moved) == "client_unknown"


@given(row=st.sets(st.sampled_from(Scope), min_size=1), asked=st.sets(st.sampled_from(Scope)))
def test_a_token_is_never_good_for_more_than_its_client(row: set[Scope], asked: set[Scope]) -> None:
    """Whatever was asked for, and whatever the client has by now."""
    (client,) = clients([BANK.row() | {"scopes": sorted(row)}]).values()
    words = written(asked)
    if not asked <= row:
        assert code_of(lambda: chosen(words, client.scopes)) == "scope_unknown"
        return
    scopes = chosen(words, client.scopes)
    assert scopes == (asked or row)
    token = access_token(Granted(client, BOUND, scopes), SIGNER, "j", NOW)
    for later in ({"so-viet-1": client}, CLIENTS):
        assert check_access(token, ISSUER, TRUSTED, later, NOW).scopes == scopes
    (less,) = clients([BANK.row() | {"scopes": [min(Scope)]}]).values()
    found = check_access(token, ISSUER, TRUSTED, {"so-viet-1": less}, NOW).scopes
    assert found == scopes & {min(Scope)}


# -- as rules -----------------------------------------------------------------------------------

CHECKED: list[tuple[str, Callable[[str], object]]] = [
    (ASSERTION, lambda text: check_assertion(text, CLIENTS, AUDIENCES, NOW)),
    (PROOF, lambda text: check_proof([text], ASKED, NOW)),
    (TOKEN, lambda text: check_access(text, ISSUER, TRUSTED, CLIENTS, NOW)),
    (TOKEN, lambda text: check_access(text, ISSUER, KNOWING, CLIENTS, NOW)),
]


@given(what=st.integers(0, 3), place=st.integers(0, 2_000), byte=st.integers(33, 126))
def test_any_changed_character_is_refused(what: int, place: int, byte: int) -> None:
    """Wherever in an assertion, a proof or a token, also where it would say the same bits."""
    text, check = CHECKED[what]
    place %= len(text)
    changed = text[:place] + chr(byte) + text[place + 1 :]
    if changed != text:
        code_of(lambda: check(changed))
    check(text)


@given(st.text(max_size=60), st.integers(0, 3))
def test_any_text_is_refused_without_a_defect(text: str, what: int) -> None:
    """Nonsense gets a code, whatever it is."""
    _, check = CHECKED[what]
    code_of(lambda: check(text))
    code_of(lambda: check(f"{text}.{text}.{text}"))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(name=st.sampled_from(["kty", "crv", "x", "y"]), value=ANY_JSON)
def test_any_member_of_a_key_has_a_code(name: str, value: object) -> None:
    """Whatever stands where a text of the key belongs."""
    jwk = BANK.key.as_dict(private=False)
    if value != jwk[name]:
        assert of_proof(
            signed({"alg": "ES256", "typ": "dpop+jwt", "jwk": {**jwk, name: value}}, {}, BANK.key)
        ) in {"proof_key", "proof_malformed", "proof_signature"}


@given(
    st.dictionaries(
        st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "htm", "htu", "ath"]),
        ANY_JSON | st.sampled_from(["so-viet-1", ISSUER, "PUT", ADDRESS]),
    )
    | ANY_JSON
)
def test_any_claims_have_a_code(claims: object) -> None:
    """Also well signed, and whatever they are."""
    header: dict[str, Any] = {"alg": "ES256", "kid": BANK.key.thumbprint()}
    assert of_assertion(signed(header, claims, BANK.key)) != "assertion_signature"
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": BANK.key.as_dict(private=False)}
    assert of_proof(signed(header, claims, BANK.key)) != "proof_signature"


@pytest.mark.parametrize(
    "code", [code for code in REASONS if code.startswith(("proof_", "access_", "client_"))]
)
def test_every_no_has_its_word_in_oauth(code: str) -> None:
    """A client's library hears whether its proof, its token or its assertion was at fault."""
    of_proof = code.startswith("proof_")
    word = "invalid_dpop_proof" if of_proof else "invalid_token"
    assert challenge(code).startswith(f'DPoP error="{word}", algs="Ed25519 ')
    assert error_at_token(code) == ("invalid_dpop_proof" if of_proof else "invalid_client")
