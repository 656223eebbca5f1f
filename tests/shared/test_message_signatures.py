"""A request is taken as signed only if all of it was, just now, by the client's own key."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey
from typing_extensions import override

from shared.message_signatures import requests
from shared.message_signatures.messages import (
    Answer,
    Request,
    algorithm_of,
    content_digest,
    digest_holds,
)
from shared.message_signatures.requests import (
    BadSignature,
    SignedRequest,
    check_kept,
    fields_of,
    read_signed,
)
from shared.oauth.jose import PublicKey, public_key, thumbprint
from tests.support.clients import COVERED, BankClient

NOW = datetime(2023, 8, 9, 3, tzinfo=UTC)
ADDRESS = "https://accounts.example/openings/o1?x=1"
BODY = b'{"reason": "duplicate"}'
BANKS = (BankClient(), BankClient(key=OKPKey.generate_key("Ed25519")))

# -- the examples of RFC 9421, appendix B -------------------------------------------------------

TEST_KEY_ECC_P256 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA",
    "y": "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0",
}
TEST_KEY_ED25519 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs",
}
TEST_REQUEST = Request(
    "POST",
    "https://example.com/foo?param=Value&Pet=dog",
    {
        "date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "content-type": "application/json",
        "content-digest": "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+T"
        "aPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        "content-length": "18",
    },
)
SIG_B24 = {
    "signature-input": 'sig-b24=("@status" "content-type" "content-digest" "content-length")'
    ';created=1618884473;keyid="test-key-ecc-p256"',
    "signature": "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdl"
    "YUEkLIj+32oiasw==:",
}
SIG_B25 = {
    "signature-input": 'sig-b25=("date" "@authority" "content-type")'
    ';created=1618884473;keyid="test-shared-secret"',
    "signature": "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
}
SIG_B26 = {
    "signature-input": 'sig-b26=("date" "@method" "@path" "@authority" "content-type"'
    ' "content-length");created=1618884473;keyid="test-key-ed25519"',
    "signature": "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vu"
    "Qv5lIp5WPpBKRCw==:",
}
SIGNED_AT = datetime.fromtimestamp(1618884473, UTC)


class Keys(HTTPSignatureKeyResolver):
    """One key, whatever it is called."""

    def __init__(self, key: PublicKey) -> None:
        self.key = key

    @override
    def resolve_public_key(self, key_id: str) -> Any:
        return self.key.public_key

    @override
    def resolve_private_key(self, key_id: str) -> Any:
        raise NotImplementedError


def test_the_specifications_examples_hold_with_our_messages_and_keys() -> None:
    """B.2.6 (a request, Ed25519) and B.2.4 (a response, P-256), and their bodies' digests."""
    request = replace(TEST_REQUEST, headers={**TEST_REQUEST.headers, **SIG_B26})
    digest = (
        "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4"
        "l5aGgfLQ==:"
    )
    headers = {"content-type": "application/json", "content-digest": digest, "content-length": "23"}
    for message, jwk in (
        (request, TEST_KEY_ED25519),
        (Answer(200, {**headers, **SIG_B24}, request), TEST_KEY_ECC_P256),
    ):
        key = public_key(jwk)
        verifier = HTTPMessageVerifier(
            signature_algorithm=algorithm_of(key), key_resolver=Keys(key)
        )
        assert verifier.verify(message, max_age=None)
    assert digest_holds(TEST_REQUEST.headers["content-digest"], b'{"hello": "world"}')
    assert digest_holds(digest, b'{"message": "good dog"}')


@pytest.mark.parametrize(
    ("fields", "code"), [(SIG_B25, "signature_components"), (SIG_B26, "signature_components")]
)
def test_an_example_that_covers_less_than_we_ask_is_refused(
    fields: dict[str, str], code: str
) -> None:
    """However good the signature is: B.2.5, by a shared secret, and B.2.6 leave out the body."""
    request = replace(TEST_REQUEST, headers={**TEST_REQUEST.headers, **fields})
    keys = {"test-key-ed25519": public_key(TEST_KEY_ED25519)}
    assert why(request, b'{"hello": "world"}', keys, SIGNED_AT) == code


def test_a_secret_and_rsa_are_no_keys() -> None:
    """Neither can be registered, so no signature is ever by one."""
    for jwk in ({"kty": "oct", "k": "AAAA"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}):
        with pytest.raises(ValueError, match="key"):
            public_key(jwk)


# -- ours ---------------------------------------------------------------------------------------


def why(
    request: Request, body: bytes, keys: dict[str, PublicKey], now: datetime = NOW
) -> str | None:
    """Return the code that a request is refused with, None if it is taken."""
    try:
        fields = fields_of([*request.headers.items()])
        read_signed(replace(request, headers=fields), body, keys, now)
    except BadSignature as bad:
        return bad.code
    return None


def keys_of(bank: BankClient) -> dict[str, PublicKey]:
    """Return a bank's keys as the service knows them."""
    key = public_key(bank.key.as_dict(private=False))
    return {thumbprint(key): key}


def sent(bank: BankClient, body: bytes = BODY, **changes: Any) -> Request:
    """Return a request as a bank signs it."""
    now = changes.pop("now", NOW)
    headers = bank.sign("PUT", ADDRESS, body, now, **changes)
    return Request("PUT", ADDRESS, {name.lower(): one for name, one in headers.items()})


def taken(bank: BankClient, body: bytes = BODY, **changes: Any) -> SignedRequest:
    """Return what is kept of a request."""
    request = sent(bank, body, **changes)
    fields = fields_of([*request.headers.items()])
    return read_signed(replace(request, headers=fields), body, keys_of(bank), NOW)


@given(
    bank=st.sampled_from(BANKS),
    body=st.text().map(str.encode),
    late=st.integers(-299, 299),
    more=st.sets(st.sampled_from(["@authority", "@path", "@query"])),
)
def test_what_a_bank_signs_is_taken_and_holds_for_ever(
    bank: BankClient, body: bytes, late: int, more: set[str]
) -> None:
    """Whatever is in it; and what was kept of it proves the same, without us."""
    at = NOW + timedelta(seconds=late)
    signed = taken(bank, body, now=at, covered=(*COVERED, *sorted(more)))
    assert signed.body.encode() == body
    assert check_kept(signed, NOW) == bank.key.thumbprint()
    assert set(signed.key) <= {"kty", "crv", "x", "y"}


PLAIN = ADDRESS.partition("?")[0]
FORMS = [
    (bank, covered, include_alg)
    for bank in BANKS
    for covered in (COVERED, (*COVERED, "date"), (*COVERED[1:], COVERED[0]))
    for include_alg in (True, False)
]
MORE = ['"date" ', ";created=1", ';nonce="x"', ";expires=9999999999", ', b=("date")']
PLACES = ["url", "method", "signature", "signature-input", "content-digest", "content-type"]


def plainly(bank: BankClient, covered: Sequence[str], *, include_alg: bool) -> Request:
    """Return a request as nearly all clients sign it, without more."""
    more = {"Date": "Wed, 09 Aug 2023 03:00:00 GMT"}
    headers = bank.sign("PUT", PLAIN, BODY, NOW, covered, include_alg=include_alg, headers=more)
    return Request("PUT", PLAIN, {name.lower(): one for name, one in headers.items()})


def told(request: Request, bank: BankClient) -> SignedRequest | str:
    """Return what a request proves, or why it proves nothing."""
    try:
        fields = fields_of([*request.headers.items()])
        return read_signed(replace(request, headers=fields), BODY, keys_of(bank), NOW)
    except BadSignature as bad:
        return bad.code


@pytest.mark.parametrize(("bank", "covered", "include_alg"), FORMS)
def test_what_is_spelled_plainly_needs_no_library(
    bank: BankClient, covered: Sequence[str], *, include_alg: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken by our own reading; a wrong one is still looked at by the library."""
    monkeypatch.setattr(requests, "_check_any", None)
    request = plainly(bank, covered, include_alg=include_alg)
    assert isinstance(told(request, bank), SignedRequest)
    for wrong in (replace(request, method="POST"), replace(request, url=f"{PLAIN}?x=1")):
        with pytest.raises(TypeError):
            told(wrong, bank)


@given(
    form=st.sampled_from(FORMS),
    where=st.sampled_from(PLACES),
    place=st.integers(0, 400),
    cut=st.integers(0, 2),
    put=st.text('aZ09-_=+/:;"() @.,\t\u00e9', max_size=2)
    | st.sampled_from(
        ['"date" ', ";created=1", ';nonce="x"', ";expires=9999999999", ', b=("date")']
    ),
)
def test_our_reading_and_the_librarys_are_one(
    form: tuple[BankClient, Sequence[str], bool], where: str, place: int, cut: int, put: str
) -> None:
    """However a signed request is changed, both say the same of it, and the same code."""
    bank, covered, include_alg = form
    request = plainly(bank, covered, include_alg=include_alg)
    parts = {"url": request.url, "method": request.method, **request.headers}
    place %= len(parts[where]) + 1
    parts[where] = parts[where][:place] + put + parts[where][place + cut :]
    changed = Request(parts.pop("method"), parts.pop("url"), parts)
    ours = told(changed, bank)
    with pytest.MonkeyPatch.context() as library:
        library.setattr(requests, "check_plain", lambda *_: None)
        assert told(changed, bank) == ours


@given(place=st.integers(0, len(BODY) - 1), other=st.integers(0, 255))
def test_a_body_that_was_changed_is_refused(place: int, other: int) -> None:
    """Wherever it was."""
    body = BODY[:place] + bytes([other]) + BODY[place + 1 :]
    code = why(sent(BANKS[0]), body, keys_of(BANKS[0]))
    assert code == (None if body == BODY else "digest_differs")


@pytest.mark.parametrize("bank", BANKS)
def test_each_guard_refuses(bank: BankClient) -> None:
    """Each with its own code."""
    keys, request, other = keys_of(bank), sent(bank), BankClient()
    headers = request.headers
    cases: list[tuple[Request, str]] = [
        (replace(request, headers={}), "signature_missing"),
        (replace(request, method="POST"), "signature_wrong"),
        (replace(request, url=ADDRESS.replace("o1", "o2")), "signature_wrong"),
        (replace(request, url=ADDRESS.replace("x=1", "x=2")), "signature_wrong"),
        (replace(request, headers={**headers, "content-type": "text/plain"}), "signature_wrong"),
        (replace(request, headers={**headers, "signature": "x"}), "signature_malformed"),
        (replace(request, headers={**headers, "signature-input": "bank=1"}), "signature_malformed"),
        (
            replace(request, headers={**headers, "signature-input": "\xff"}),
            "signature_malformed",
        ),
        (_twice(request), "signature_malformed"),
        (sent(bank, now=NOW - timedelta(seconds=301)), "signature_stale"),
        (sent(bank, now=NOW + timedelta(seconds=301)), "signature_stale"),
        (sent(bank, expires=NOW), "signature_stale"),
        (sent(other), "signature_key_unknown"),
        (sent(bank, covered=COVERED[:3]), "signature_components"),
        (sent(bank, covered=COVERED[1:]), "signature_components"),
        (
            sent(bank, headers={"authorization": "DPoP x"}, covered=(*COVERED, "authorization")),
            "signature_unkept",
        ),
        (sent(bank, covered=(*COVERED, '"@query-param";name="x"')), "signature_unkept"),
        (
            sent(bank, headers={"Content-Digest": content_digest(b"other")}),
            "digest_differs",
        ),
        (_said(request, 'alg="hmac-sha256"'), "signature_algorithm"),
        (_said(request, 'alg="rsa-pss-sha512"'), "signature_algorithm"),
    ]
    for changed, code in cases:
        assert why(changed, BODY, keys) == code, code


def _said(request: Request, alg: str) -> Request:
    head, _, _ = request.headers["signature-input"].partition(";alg=")
    return replace(request, headers={**request.headers, "signature-input": f"{head};{alg}"})


def _twice(request: Request) -> Request:
    fields = {
        name: f"{request.headers[name]}, {request.headers[name].replace('bank=', 'other=')}"
        for name in ("signature", "signature-input")
    }
    return replace(request, headers={**request.headers, **fields})


def test_what_was_kept_proves_nothing_once_it_is_changed() -> None:
    """The body, the address, a field, the key, or the moment."""
    signed = taken(BANKS[0])
    other = {name: str(one) for name, one in BANKS[1].key.as_dict(private=False).items()}
    for changed, at in (
        (replace(signed, body=json.dumps({"reason": "other"})), NOW),
        (replace(signed, target=ADDRESS.replace("o1", "o2")), NOW),
        (replace(signed, fields={**signed.fields, "content-type": "text/plain"}), NOW),
        (replace(signed, key=other), NOW),
        (replace(signed, key={"kty": "oct", "k": "AAAA"}), NOW),
        (signed, NOW + timedelta(days=1)),
    ):
        with pytest.raises(BadSignature):
            check_kept(changed, at)


def test_a_key_of_either_kind_says_what_it_signs_with() -> None:
    """P-256 and Ed25519, nothing else."""
    assert algorithm_of(ECKey.generate_key("P-256")).algorithm_id == "ecdsa-p256-sha256"
    assert algorithm_of(OKPKey.generate_key("Ed25519")).algorithm_id == "ed25519"


@pytest.mark.parametrize("field", ["", "md5=:AAAA:", "sha-256=:AAAA:", "sha-256", "x", "\u1e2d"])
def test_a_digest_that_cannot_be_read_holds_for_nothing(field: str) -> None:
    """Not even for an empty body."""
    assert not digest_holds(field, b"")
    assert digest_holds(content_digest(b""), b"")


FIELD = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=60)


@given(
    said=FIELD
    | st.sampled_from(["bank=()", 'bank=("@method";req);created=1', "bank=?1;created=1"]),
    signature=FIELD | st.just("bank=:AAAA:"),
    digest=FIELD,
    url=FIELD.map(lambda text: f"http://accounts/{text}"),
)
def test_whatever_is_sent_is_refused_and_nothing_else_comes_of_it(
    said: str, signature: str, digest: str, url: str
) -> None:
    """No header makes it fail in a way of its own."""
    headers = {"signature-input": said, "signature": signature, "content-digest": digest}
    assert why(Request("PUT", url, headers), BODY, keys_of(BANKS[0])) is not None
    request = sent(BANKS[0])
    for name, text in (("signature-input", said), ("signature", signature)):
        changed = replace(request, headers={**request.headers, name: text})
        assert why(changed, BODY, keys_of(BANKS[0])) is not None
