"""A token of ours proves what it says, and nothing that was changed, forged or out of time does."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import OctKey, OKPKey

from shared.signing import (
    KEY_RENEWED_BEFORE,
    KEY_VALIDITY,
    BadToken,
    Key,
    NoKey,
    Signer,
    TrustedKeys,
    create_key,
    load_keys,
    renew_keys,
)

AT = datetime(2023, 8, 9, tzinfo=UTC)
VECTOR = Path(__file__).parents[3] / "shared" / "vectors" / "jws" / "rfc8037_ed25519_jws.json"
PAYLOAD = json.dumps({"iat": int(AT.timestamp()), "x": "y"}).encode()


def a_key(start: datetime = AT) -> Key:
    """Return a key that is valid from then on."""
    return Key(OKPKey.generate_key("Ed25519"), start, start + KEY_VALIDITY)


KEY = a_key()
TOKEN = Signer("us", [KEY]).sign("t+jwt", PAYLOAD, AT)
TRUSTED = TrustedKeys([KEY])


def refused(token: str, trusted: TrustedKeys = TRUSTED) -> str:
    """Return the code with which a token is refused."""
    with pytest.raises(BadToken) as bad:
        trusted.verify(token, "t+jwt")
    return bad.value.code


def forged(header: dict[str, object], key: OKPKey | OctKey, payload: bytes = PAYLOAD) -> str:
    """Return a token that somebody else made."""
    algorithm = str(header["alg"])
    return jws.serialize_compact(header, payload, key, algorithms=[algorithm])


def test_what_was_signed_verifies() -> None:
    """The payload comes back to the byte, also through the published keys."""
    assert TRUSTED.verify(TOKEN, "t+jwt") == PAYLOAD
    published = TrustedKeys.from_jwks(Signer("us", [KEY]).public_keys())
    assert published.verify(TOKEN, "t+jwt") == PAYLOAD
    assert "d" not in Signer("us", [KEY]).public_keys()["keys"][0]


@given(place=st.integers(0, len(TOKEN) - 1), byte=st.integers(33, 126))
def test_any_changed_character_is_refused(place: int, byte: int) -> None:
    """Whatever is changed, wherever: refused, also where it would still say the same bits."""
    changed = TOKEN[:place] + chr(byte) + TOKEN[place + 1 :]
    if changed == TOKEN:
        return
    with pytest.raises(BadToken):
        TRUSTED.verify(changed, "t+jwt")


def test_a_token_has_one_spelling() -> None:
    """The last character's spare bits, padding, or a character more: the bits are the same."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = TOKEN[:-1] + alphabet[alphabet.index(TOKEN[-1]) ^ 1]
    assert base64.urlsafe_b64decode(twin[-86:] + "==") == base64.urlsafe_b64decode(
        TOKEN[-86:] + "=="
    )
    for other in (twin, f"{TOKEN}==", f"{TOKEN}*"):
        assert refused(other) == "token_malformed"


def test_a_long_token_is_for_types_that_are_long() -> None:
    """Beyond the usual length a token is read only by whoever expects that length."""
    payload = json.dumps({"iat": int(AT.timestamp()), "x": "y" * 20_000}).encode()
    long = Signer("us", [KEY]).sign("t+jwt", payload, AT)
    assert refused(long) == "token_malformed"
    assert TRUSTED.verify(long, "t+jwt", characters_max=len(long)) == payload


@given(st.text(max_size=200))
def test_any_text_is_refused_without_a_defect(text: str) -> None:
    """Nonsense has one error, whatever it is."""
    assert refused(text) in {"token_malformed", "token_type"}
    assert refused(f"{text}.{text}.{text}") in {"token_malformed", "token_type"}


def test_forgeries_are_refused() -> None:
    """Another's key, a key inside the token, another algorithm, another type, a huge token."""
    stranger = OKPKey.generate_key("Ed25519")
    header: dict[str, object] = {"alg": "Ed25519", "typ": "t+jwt", "kid": KEY.kid}
    assert refused(forged(header, stranger)) == "signature_invalid"
    assert refused(forged({**header, "kid": stranger.thumbprint()}, stranger)) == "key_unknown"
    inside = {**header, "jwk": stranger.as_dict(private=False)}
    assert refused(forged(inside, stranger)) == "signature_invalid"
    public = OctKey.import_key(str(KEY.jwk.as_dict(private=False)["x"]))
    assert refused(forged({**header, "alg": "HS256"}, public)) == "signature_invalid"
    none = base64.urlsafe_b64encode(json.dumps({**header, "alg": "none"}).encode()).decode()
    body = TOKEN.split(".")[1]
    assert refused(f"{none.rstrip('=')}.{body}.") in {"signature_invalid", "token_malformed"}
    other_type = Signer("us", [KEY]).sign("other+jwt", PAYLOAD, AT)
    assert refused(other_type) == "token_type"
    assert refused("a" * 20_000) == "token_malformed"


@pytest.mark.parametrize(
    ("issued", "counts"),
    [(-1, False), (0, True), (KEY_VALIDITY.total_seconds() - 1, True), (1e9, False)],
)
def test_a_key_counts_in_its_time(issued: float, *, counts: bool) -> None:
    """A signature counts from `valid_from` until before `valid_until`, by its `iat`."""
    payload = json.dumps({"iat": AT.timestamp() + issued}).encode()
    token = forged({"alg": "Ed25519", "typ": "t+jwt", "kid": KEY.kid}, KEY.jwk, payload)
    if counts:
        assert TRUSTED.verify(token, "t+jwt") == payload
    else:
        assert refused(token) == "key_not_valid"


@pytest.mark.parametrize(
    "payload", [b"[]", b"x", b'{"iat": "now"}', b'{"iat": 1e400}', b"{}", b"[" * 9_000]
)
def test_a_payload_without_a_time_is_refused(payload: bytes) -> None:
    """What does not say when it was signed cannot be held against a key's time."""
    token = forged({"alg": "Ed25519", "typ": "t+jwt", "kid": KEY.kid}, KEY.jwk, payload)
    assert refused(token) == "token_malformed"


def test_keys_are_kept_for_their_owner_and_renewed(tmp_path: Path) -> None:
    """Key files are private; a key that ends soon gets a successor, and only then."""
    first = create_key(tmp_path, AT)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    renew_keys(tmp_path, AT)
    assert [key.kid for key in load_keys(tmp_path)] == [first.kid]
    renew_keys(tmp_path, first.valid_until - KEY_RENEWED_BEFORE)
    assert len(load_keys(tmp_path)) == 2
    newest = Signer("us", load_keys(tmp_path)).sign("t+jwt", PAYLOAD, first.valid_until)
    header = jws.extract_compact(newest.encode()).headers()
    assert header["kid"] != first.kid


def test_the_key_of_an_instant_is_the_one_that_signed_then() -> None:
    """A newer key changes nothing about what was signed before it: the same bytes come again."""
    newer = a_key(AT + timedelta(days=300))
    signer = Signer("us", [newer, KEY])
    assert signer.key_at(AT).kid == KEY.kid
    assert signer.key_at(newer.valid_from).kid == newer.kid
    assert signer.sign("t+jwt", PAYLOAD, AT) == TOKEN
    with pytest.raises(NoKey):
        Signer("us", [newer]).key_at(AT)


def test_no_key_no_signature() -> None:
    """Before and after its time a key signs nothing."""
    for at in (AT - timedelta(seconds=1), AT + KEY_VALIDITY):
        with pytest.raises(NoKey):
            Signer("us", [KEY]).sign("t+jwt", PAYLOAD, at)


@pytest.mark.parametrize(
    "document", [{}, {"keys": 1}, {"keys": [{}]}, {"keys": [{"crv": "P-256"}]}]
)
def test_a_key_set_that_is_none(document: dict[str, object]) -> None:
    """A malformed key set is one error."""
    with pytest.raises(ValueError, match="key"):
        TrustedKeys.from_jwks(document)


@pytest.mark.skipif(not VECTOR.exists(), reason=f"no published vectors at {VECTOR}")
def test_the_example_of_rfc_8037() -> None:
    """RFC 8037 appendix A: the thumbprint-able key, the signature, and `EdDSA`, which we refuse."""
    vector = json.loads(VECTOR.read_bytes())
    key = OKPKey.import_key({k: vector["input"]["key"][k] for k in ("kty", "crv", "x", "d")})
    public = key.raw_value.public_key()  # type: ignore[union-attr]
    assert isinstance(public, Ed25519PublicKey)
    signature = base64.urlsafe_b64decode(vector["signing"]["sig"] + "==")
    public.verify(signature, vector["signing"]["sig-input"].encode())
    trusted = TrustedKeys([Key(key, AT, AT + KEY_VALIDITY)])
    assert refused(vector["output"]["compact"], trusted) == "token_type"
    header: dict[str, object] = {"alg": "EdDSA", "typ": "t+jwt", "kid": key.thumbprint()}
    with pytest.warns(SecurityWarning):
        deprecated = forged(header, key)
    assert refused(deprecated, trusted) == "signature_invalid"
