"""A passkey's signature proves who signed what, for ever; and nothing that is a lie does."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import cbor2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from shared.canonical import canonical
from shared.contracts.consent import Grade
from shared.contracts.evidence import (
    WITNESS_STATEMENT,
    CodeMatch,
    Evidence,
    Passkey,
    PasskeySignature,
    Witnessing,
)
from shared.contracts.reasons import REASONS
from shared.passkey_answers import KEY_LAYOUTS
from shared.passkeys import BadPasskey, RelyingParty, counts_on
from tests.support import samples
from tests.support.authenticator import (
    ED25519,
    ES256,
    ORIGIN,
    RP_ID,
    RS256,
    Authenticator,
    Lies,
    cose_key,
    new_key,
    raw,
    text,
)

ROOT = Path(__file__).parents[2]
APP = "android:apk-key-hash:-sYXRdwJA3hvue3mKpYrOZ9zSPC7b4mbgzJmdZEDO5w"
THUAN = RelyingParty(RP_ID, "Thuận", [ORIGIN, APP])
OTHERS = RelyingParty("bank.example", "Bank", ["https://bank.example"])
CHALLENGE = bytes(range(32))
HONEST = Lies()
DIGEST = bytes.fromhex(samples.statement().hash())
OTHER_DIGEST = bytes.fromhex(samples.statement(bank_id="b2").hash())
BINARY = ("credential_id", "public_key", "authenticator_data", "client_data_json", "signature")
ALGORITHMS = [ES256, ED25519, RS256]


def enrolled(device: Authenticator, lies: Lies = HONEST) -> Passkey:
    """Return a new passkey of the device."""
    options = THUAN.enrolment_options(b"handle", "Nguyễn Thị Hoa", CHALLENGE, [])
    return THUAN.enrol(device.create(options, lies), CHALLENGE)


def signed(device: Authenticator, passkey: Passkey, lies: Lies = HONEST) -> PasskeySignature:
    """Return a signature of DIGEST by the device."""
    answer = device.get(THUAN.signing_options(DIGEST, [passkey]), lies)
    return THUAN.sign(answer, DIGEST, [passkey])


def refused(act: Callable[..., object], *arguments: object) -> str:
    """Return the code with which something is refused."""
    with pytest.raises(BadPasskey) as bad:
        act(*arguments)
    assert bad.value.code in REASONS
    return bad.value.code


DEVICES = {algorithm: Authenticator(algorithm) for algorithm in ALGORITHMS}
PASSKEYS = {algorithm: enrolled(device) for algorithm, device in DEVICES.items()}
SIGNATURES = {one: signed(DEVICES[one], passkey) for one, passkey in PASSKEYS.items()}


# -- what is true -------------------------------------------------------------------------------


@pytest.mark.parametrize("synced", [False, True])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_was_signed_checks_from_its_bytes(algorithm: int, *, synced: bool) -> None:
    """Enrol, sign, sign again, store all of it as canonical JSON, and check what comes back."""
    device = Authenticator(algorithm, synced=synced)
    passkey = enrolled(device)
    assert (passkey.algorithm, passkey.sign_count) == (algorithm, 0)
    assert passkey.backup_eligible is passkey.backed_up is synced
    assert (passkey.rp_id, passkey.origin, passkey.transports) == (RP_ID, ORIGIN, ["internal"])
    for count in (1, 2):
        signature = signed(device, passkey)
        assert signature.sign_count == (0 if synced else count)
        stored = canonical(Evidence(grade=Grade.KEY_UV, passkey=signature))
        again = msgspec.json.decode(stored, type=Evidence).passkey
        assert again is not None
        THUAN.check(again, DIGEST)
        THUAN.check(again, DIGEST, passkey)
    kept = msgspec.json.decode(canonical(passkey), type=Passkey)
    assert kept == passkey
    THUAN.check_enrolment(kept)


def test_an_apps_origin_and_device_extensions_are_accepted() -> None:
    """An Android app signs under its own origin; security keys add `credProtect`."""
    device = Authenticator(origin=APP)
    extended = Lies(extensions=cbor2.dumps({"credProtect": 2}))
    passkey = enrolled(device, extended)
    assert signed(device, passkey, extended).origin == APP
    THUAN.check_enrolment(passkey)


def test_what_browsers_are_asked() -> None:
    """User verification always; no attestation; the digest itself; known passkeys by their ids."""
    passkey = PASSKEYS[ES256]
    known = {"type": "public-key", "id": passkey.credential_id, "transports": ["internal"]}
    create = THUAN.enrolment_options(b"handle", "Hoa", CHALLENGE, [passkey])
    assert [one["alg"] for one in create["pubKeyCredParams"]] == [ES256, ED25519, RS256]
    assert create["authenticatorSelection"]["userVerification"] == "required"
    assert create["authenticatorSelection"]["residentKey"] == "preferred"
    assert create["attestation"] == "none"
    assert create["excludeCredentials"] == [known]
    assert create["user"] == {"id": text(b"handle"), "name": "Hoa", "displayName": "Hoa"}
    get = THUAN.signing_options(DIGEST, [passkey])
    assert (get["rpId"], raw(get["challenge"])) == (RP_ID, DIGEST)
    assert (get["userVerification"], get["allowCredentials"]) == ("required", [known])
    assert json.loads(json.dumps([create, get])) == [create, get]


def test_self_attestation_is_checked_and_no_other_is_believed() -> None:
    """A passkey that attests itself does so with its own key; certificates are not looked at."""
    device = Authenticator()
    THUAN.check_enrolment(enrolled(device, Lies(format="packed")))
    forged = Lies(format="packed", key=new_key(ES256))
    assert refused(enrolled, device, forged) == "passkey_signature"
    chain = Lies(format="packed", statement={"alg": ES256, "sig": b"s", "x5c": [b"c"]})
    assert refused(enrolled, device, chain) == "passkey_malformed"
    for kind in ("tpm", "fido-u2f", "android-safetynet", "apple", "x"):
        assert refused(enrolled, device, Lies(format=kind)) == "passkey_malformed"
    unasked = Lies(statement={"sig": b"s"})
    assert refused(enrolled, device, unasked) == "passkey_signature"


# -- lies ---------------------------------------------------------------------------------------

LIES = {
    "another page": (Lies(origin="https://thuan.example.evil.example"), "passkey_origin"),
    "another port": (Lies(origin=f"{ORIGIN}:8443"), "passkey_origin"),
    "in another's page": (Lies(client_data={"crossOrigin": True}), "passkey_cross_origin"),
    "under another": (Lies(client_data={"topOrigin": "https://e"}), "passkey_cross_origin"),
    "a word for yes": (Lies(client_data={"crossOrigin": "true"}), "passkey_malformed"),
    "another party": (Lies(rp_id="bank.example"), "passkey_rp"),
    "touched, not recognised": (Lies(unverified=True), "passkey_unverified_user"),
    "nobody there": (Lies(absent=True), "passkey_unverified_user"),
    "another digest": (Lies(challenge=OTHER_DIGEST), "passkey_challenge"),
    "digest as hex text": (Lies(challenge=DIGEST.hex().encode()), "passkey_challenge"),
    "another type": (Lies(type="webauthn.conditional"), "passkey_type"),
    "a book": (Lies(client_data={"more": "x" * 13_000}), "passkey_malformed"),
    "backed up, impossibly": (Lies(backed_up=True), "passkey_malformed"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_has_its_code(lie: str) -> None:
    """Each lie, told at enrolment and at signing, is refused for what it is."""
    lies, code = LIES[lie]
    device = Authenticator()
    assert refused(enrolled, device, lies) == code
    passkey = enrolled(device)
    assert refused(signed, device, passkey, lies) == code


def test_an_enrolment_is_no_signature_and_the_other_way() -> None:
    """Also where all else fits: `webauthn.create` never signs, `webauthn.get` never enrols."""
    device, passkey = DEVICES[ES256], PASSKEYS[ES256]
    create = Lies(type="webauthn.create")
    assert refused(signed, device, passkey, create) == "passkey_type"
    get = Lies(type="webauthn.get")
    assert refused(enrolled, Authenticator(), get) == "passkey_type"
    answer = device.get(THUAN.signing_options(DIGEST, [passkey]))
    assert refused(THUAN.enrol, answer, CHALLENGE) == "passkey_malformed"


def test_only_enrolled_keys_sign() -> None:
    """Neither a stranger's key under a known id, nor a key that comes with the answer."""
    device, passkey = DEVICES[ES256], PASSKEYS[ES256]
    stranger = new_key(ES256)
    assert refused(signed, device, passkey, Lies(key=stranger)) == "passkey_signature"
    answer = device.get(THUAN.signing_options(DIGEST, [passkey]), Lies(key=stranger))
    answer["response"]["publicKey"] = answer["publicKey"] = text(cose_key(stranger))
    assert refused(THUAN.sign, answer, DIGEST, [passkey]) == "passkey_signature"
    other = Authenticator()
    theirs = enrolled(other)
    answer = other.get(THUAN.signing_options(DIGEST, [theirs]))
    assert refused(THUAN.sign, answer, DIGEST, [passkey]) == "passkey_unknown"
    assert refused(THUAN.sign, answer, DIGEST, []) == "passkey_unknown"
    assert refused(THUAN.signing_options, DIGEST, []) == "passkey_unknown"
    assert THUAN.sign(answer, DIGEST, [passkey, theirs]).public_key == theirs.public_key


def test_a_signature_counts_for_its_statement_and_party_alone() -> None:
    """The same statement for another bank, or the same bytes shown elsewhere, prove nothing."""
    signature = SIGNATURES[ES256]
    assert refused(THUAN.check, signature, OTHER_DIGEST) == "passkey_challenge"
    assert refused(OTHERS.check, signature, DIGEST) == "passkey_origin"
    elsewhere = RelyingParty("bank.example", "Bank", [ORIGIN])
    assert refused(elsewhere.check, signature, DIGEST) == "passkey_rp"
    renamed = replace(signature, rp_id="bank.example")
    assert refused(elsewhere.check, renamed, DIGEST) == "passkey_rp"
    assert refused(THUAN.check, renamed, DIGEST) == "passkey_rp"
    assert refused(elsewhere.check_enrolment, PASSKEYS[ES256]) == "passkey_rp"


def test_a_signature_is_checked_against_the_passkey_in_the_log() -> None:
    """A sound signature by another key is not this person's, nor one by a device that changed."""
    passkey, signature = PASSKEYS[ES256], SIGNATURES[ES256]
    stranger = enrolled(Authenticator())
    assert refused(THUAN.check, signature, DIGEST, stranger) == "passkey_unknown"
    same_id = replace(stranger, credential_id=passkey.credential_id)
    assert refused(THUAN.check, signature, DIGEST, same_id) == "passkey_unknown"
    device = Authenticator()
    passkey = enrolled(device)
    changed = Lies(backup_eligible=True)
    assert refused(signed, device, passkey, changed) == "passkey_unknown"


def test_a_copied_device_is_found_out() -> None:
    """The device that signs second with the same count is refused; a synced one never counts."""
    device = Authenticator()
    passkey = enrolled(device)
    for count in (0, 4, 5):
        latest = replace(passkey, sign_count=5)
        lies = Lies(counter=count)
        assert refused(signed, device, latest, lies) == "passkey_counter"
    assert signed(device, replace(passkey, sign_count=5), Lies(counter=6)).sign_count == 6
    assert refused(enrolled, Authenticator(), Lies(rp_id="x", counter=9)) == "passkey_rp"
    assert enrolled(Authenticator(), Lies(counter=9)).sign_count == 9


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_counts_grow_or_stay_at_zero(before: int, now: int) -> None:
    """Of two devices with one key, at most one goes on; two zeros say nothing."""
    assert counts_on(before, now) is (now > before or before + now == 0)
    assert not (counts_on(before, now) and counts_on(now, before)) or before == now == 0


# -- keys ---------------------------------------------------------------------------------------


def odd_keys() -> dict[str, bytes]:
    """Return keys that are not signed with here, each otherwise sound."""
    curve = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    x, y = (number.to_bytes(48, "big") for number in (curve.x, curve.y))
    p256 = cbor2.loads(cose_key(new_key(ES256)))
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return {
        "ES384": cbor2.dumps({1: 2, 3: -35, -1: 2, -2: x, -3: y}),
        "P-384 as ES256": cbor2.dumps({1: 2, 3: ES256, -1: 2, -2: x, -3: y}),
        "P-256 as EdDSA": cbor2.dumps({**p256, 3: ED25519}),
        "P-256 as PS256": cbor2.dumps({**p256, 3: -37}),
        "a member more": cbor2.dumps({**p256, 4: [1]}),
        "members in disorder": cbor2.dumps(dict(reversed(p256.items()))),
        "uncompressed point of U2F": b"\x04" + p256[-2] + p256[-3],
        "RSA of 1024 bits": cose_key(small),
        "RSA of 2304 bits": cbor2.dumps({1: 3, 3: RS256, -1: b"\xff" * 288, -2: b"\x01\x00\x01"}),
        "RSA with exponent 3": cbor2.dumps({1: 3, 3: RS256, -1: b"\xff" * 256, -2: b"\x03"}),
        "no key": b"\xa0",
        "text": cbor2.dumps("key"),
    }


@pytest.mark.parametrize(("name", "key"), odd_keys().items(), ids=odd_keys())
def test_other_kinds_of_keys_are_not_enrolled(name: str, key: bytes) -> None:
    """Three algorithms, each with one form of key; the key itself says which."""
    assert refused(enrolled, Authenticator(), Lies(cose_key=key)) == "passkey_malformed"
    stored = replace(SIGNATURES[ES256], public_key=text(key))
    assert refused(THUAN.check, stored, DIGEST) == "passkey_malformed"


@pytest.mark.parametrize("algorithm", [*KEY_LAYOUTS, 0, -35, -37, -65535])
def test_a_key_signs_with_its_own_algorithm_alone(algorithm: int) -> None:
    """What is stored beside the key does not choose how it is used."""
    for own, signature in SIGNATURES.items():
        stored = replace(signature, algorithm=int(algorithm))
        if algorithm == own:
            THUAN.check(stored, DIGEST)
        else:
            assert refused(THUAN.check, stored, DIGEST) == "passkey_malformed"
    latest = replace(PASSKEYS[ES256], algorithm=RS256, sign_count=0)
    answer = DEVICES[ES256].get(THUAN.signing_options(DIGEST, [latest]))
    assert refused(THUAN.sign, answer, DIGEST, [latest]) == "passkey_malformed"


# -- tampering ----------------------------------------------------------------------------------


def changed_byte(stored: PasskeySignature, member: str, place: int, mask: int) -> PasskeySignature:
    """Return the signature with some bits of one byte of a binary member turned over."""
    content = bytearray(raw(getattr(stored, member)))
    content[place % len(content)] ^= mask
    changes: dict[str, Any] = {member: text(bytes(content))}
    return replace(stored, **changes)


@given(
    algorithm=st.sampled_from(ALGORITHMS),
    member=st.sampled_from(BINARY),
    place=st.integers(0, 10_000),
    mask=st.integers(1, 255),
)
def test_a_changed_byte_never_checks(algorithm: int, member: str, place: int, mask: int) -> None:
    """Whichever byte of whichever binary member is changed, and however."""
    changed = changed_byte(SIGNATURES[algorithm], member, place, mask)
    refused(THUAN.check, changed, DIGEST, PASSKEYS[algorithm])
    if member != "credential_id":  # which WebAuthn does not sign: the enrolled passkey vouches
        refused(THUAN.check, changed, DIGEST)


@pytest.mark.parametrize("algorithm", [ES256, ED25519])
def test_no_single_bit_can_be_turned_over(algorithm: int) -> None:
    """All of them, one after another."""
    stored, passkey = SIGNATURES[algorithm], PASSKEYS[algorithm]
    for member in BINARY:
        for bit in range(8 * len(raw(getattr(stored, member)))):
            changed = changed_byte(stored, member, bit // 8, 1 << bit % 8)
            refused(THUAN.check, changed, DIGEST, passkey)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("member", BINARY[1:])
def test_bytes_have_one_spelling(member: str, algorithm: int) -> None:
    """Padding, line ends, bits that no byte uses: the same bytes in other letters are refused."""
    stored = SIGNATURES[algorithm]
    spelt = getattr(stored, member)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [spelt[:-1] + letter for letter in alphabet if letter != spelt[-1]]
    others += [spelt + "=" * (-len(spelt) % 4 or 4), *(f"{spelt}{'!' * n}" for n in range(1, 5))]
    for other in others:
        changes: dict[str, Any] = {member: other}
        refused(THUAN.check, replace(stored, **changes), DIGEST)
    same = [other for other in others if raw(other.rstrip("!=")) == raw(spelt)]
    assert same


@pytest.mark.parametrize(
    "changes",
    [
        {"sign_count": 9},
        {"backed_up": True},
        {"backup_eligible": True},
        {"origin": APP},
        {"algorithm": ED25519},
        {"rp_id": "x"},
    ],
)
def test_members_in_the_clear_say_what_the_bytes_say(changes: dict[str, Any]) -> None:
    """Nobody can make a stored signature or enrolment look like another one."""
    refused(THUAN.check, replace(SIGNATURES[ES256], **changes), DIGEST)
    refused(THUAN.check_enrolment, replace(PASSKEYS[ES256], **changes))


@pytest.mark.parametrize("member", [one.name for one in fields(Passkey)])
def test_no_member_of_an_enrolment_can_be_another_ones(member: str) -> None:
    """Of two enrolments, each member that differs belongs to its own bytes."""
    mine, theirs = PASSKEYS[ES256], PASSKEYS[RS256]
    mixed = replace(mine, **{member: getattr(theirs, member)})
    if mixed == mine:
        THUAN.check_enrolment(mixed)
    else:
        assert refused(THUAN.check_enrolment, mixed) == "passkey_malformed"


# -- nonsense -----------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
PATHS = [("id",), ("rawId",), ("type",), ("response",)] + [
    ("response", member)
    for member in ("clientDataJSON", "attestationObject", "authenticatorData", "signature")
]


def answers() -> list[dict[str, Any]]:
    """Return an honest answer of each kind."""
    device, passkey = Authenticator(synced=True), PASSKEYS[ES256]
    create = THUAN.enrolment_options(b"h", "l", CHALLENGE, [])
    return [
        device.create(create),
        DEVICES[ES256].get(THUAN.signing_options(DIGEST, [passkey])),
    ]


def tried(answer: Any) -> list[str]:
    """Return the codes with which an answer is refused as an enrolment and as a signature."""
    codes = list[str]()
    for act in (
        lambda: THUAN.enrol(answer, CHALLENGE),
        lambda: THUAN.sign(answer, DIGEST, [PASSKEYS[ES256]]),
    ):
        try:
            act()
        except BadPasskey as bad:
            codes.append(bad.code)
    return codes


@given(JSON)
def test_any_json_is_refused_without_a_defect(answer: Any) -> None:
    """Nonsense has one exception, whatever it is."""
    assert tried(answer) == ["passkey_malformed"] * 2


@given(st.sampled_from(answers()), st.sampled_from(PATHS), JSON | st.binary(max_size=60).map(text))
def test_an_answer_with_a_member_of_nonsense(answer: Any, path: tuple[str, ...], bad: Any) -> None:
    """Any member may hold anything: it is refused, and never a defect."""
    broken = json.loads(json.dumps(answer))
    inner = broken if len(path) == 1 else broken["response"]
    inner[path[-1]] = bad
    never_read = len(path) == 2 and path[-1] not in answer["response"]
    assert len(tried(broken)) == (1 if never_read else 2)


@given(st.sampled_from(answers()), st.data())
def test_an_answer_with_changed_bytes(answer: Any, data: st.DataObject) -> None:
    """Bytes cut, put in or changed anywhere in client data, CBOR or signature."""
    broken = json.loads(json.dumps(answer))
    binary = [name for name, value in broken["response"].items() if isinstance(value, str)]
    member = data.draw(st.sampled_from(binary))
    content = raw(broken["response"][member])
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 9)))
    content = content[:start] + data.draw(st.binary(max_size=9)) + content[end:]
    broken["response"][member] = text(content)
    tried(broken)


@pytest.mark.parametrize("member", ["clientDataJSON", "attestationObject"])
@pytest.mark.parametrize(
    "bad",
    [
        "A" * 1_000_000,
        "\ud800",
        text(b"[" * 12_000),
        text(b'{"x":' + b"[" * 12_000),
        text(b'{"type":' * 1_500),
        text(b"\x81" * 12_000),
        text(b"\x9f" * 12_000),
        text(b"\xdb" + bytes(8)),
        text(b"\x9b\x7f" + b"\xff" * 7),
        text(b'{"type":"webauthn.create"}'),
        text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": 2**62})),
        text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": "x" * 99})),
        text(cbor2.dumps({"fmt": "none", "attStmt": {}})),
        text(cbor2.dumps({"fmt": [], "attStmt": 1, "authData": bytes(99)})),
        text(b"\xa1\x61a\x5b" + b"\xff" * 8),
    ],
)
def test_huge_and_deep_answers_are_refused_at_once(member: str, bad: str) -> None:
    """A long text, a deep document, a length that is not there: no memory, no recursion."""
    answer = answers()[0]
    answer["response"][member] = bad
    assert tried(answer) == ["passkey_malformed", "passkey_malformed"]


def laughs(lines: int) -> bytes:
    """Return CBOR in which each line holds the one before twice, by the tags of shared values."""
    content = b"\x98" + bytes([lines]) + b"\xd8\x1c\x81\x00"
    for line in range(lines - 1):
        content += b"\xd8\x1c\x82" + (b"\xd8\x1d\x18" + bytes([line])) * 2
    return content


LAUGHS = {
    "extensions": Lies(extensions=laughs(22)),
    "key": Lies(cose_key=laughs(22)),
    "statement": Lies(statement={"ver": cbor2.CBORTag(28, [cbor2.CBORTag(28, [0])])}),
}


@pytest.mark.parametrize("place", LAUGHS)
def test_shared_values_do_not_fill_the_memory(place: str) -> None:
    """CTAP knows no tags; what these would unfold to (2^22 values) is never begun."""
    start = perf_counter()
    lies = LAUGHS[place]
    assert refused(enrolled, Authenticator(), lies) == "passkey_malformed"
    if place == "extensions":
        device, passkey = DEVICES[ES256], PASSKEYS[ES256]
        assert refused(signed, device, passkey, lies) == "passkey_malformed"
    assert perf_counter() - start < 1


@pytest.mark.parametrize(
    "extensions",
    [
        b"\xa0\x00",  # something follows
        b"\xa1\x61a",  # something is missing
        b"\x5f\x58\x1c" + bytes(28) + b"\xff",  # of indefinite length
        b"\xa1\x61a" + b"\x81" * 4 + b"\x00",  # too deep
        b"\xa2\x61a\x00\x61a\x01",  # one name twice
    ],
)
def test_what_follows_the_credential_is_one_sound_map(extensions: bytes) -> None:
    """Device data is read to its end, and not further."""
    lies = Lies(extensions=extensions)
    assert refused(enrolled, Authenticator(), lies) == "passkey_malformed"
    device, passkey = DEVICES[ES256], PASSKEYS[ES256]
    assert refused(signed, device, passkey, lies) == "passkey_malformed"


def test_lengths_are_definite() -> None:
    """CTAP knows no items that end where a mark stands, nor do we, wherever they are."""
    answer = answers()[0]
    whole = raw(answer["response"]["attestationObject"])
    open_ended = b"attStmt\xa1\x61x\x9f" + bytes(30) + b"\xff"
    answer["response"]["attestationObject"] = text(whole.replace(b"attStmt\xa0", open_ended))
    assert tried(answer) == ["passkey_malformed"] * 2


def test_device_data_is_a_byte_string_with_a_credential() -> None:
    """No list of numbers in its stead; an id that is there, and not too long."""
    answer = answers()[0]
    whole = cbor2.loads(raw(answer["response"]["attestationObject"]))
    listed = cbor2.dumps({**whole, "authData": list(whole["authData"])})
    answer["response"]["attestationObject"] = text(listed)
    assert tried(answer) == ["passkey_malformed"] * 2
    assert refused(enrolled, Authenticator(), Lies(unattested=True)) == "passkey_malformed"
    for size, sound in ((0, False), (1, True), (1023, True), (1024, False)):
        lies = Lies(credential_id=bytes(size))
        if sound:
            assert raw(enrolled(Authenticator(), lies).credential_id) == bytes(size)
        else:
            assert refused(enrolled, Authenticator(), lies) == "passkey_malformed"


def test_ids_that_do_not_agree_are_refused() -> None:
    """`id`, `rawId` and the id in the authenticator's own data are one."""
    other = text(b"another id")
    create, get = answers()
    assert tried(create) == ["passkey_malformed"]  # as a signature
    for changes in ({"id": other}, {"rawId": other}, {"id": other, "rawId": other}):
        assert tried({**create, **changes}) == ["passkey_malformed"] * 2
    assert tried({**get, "rawId": other}) == ["passkey_malformed"] * 2
    unknown = {**get, "id": other, "rawId": other}
    assert tried(unknown) == ["passkey_malformed", "passkey_unknown"]
    for member in ("id", "rawId", "type"):
        assert tried({**create, member: "\ud800"}) == ["passkey_malformed"] * 2


def test_what_a_caller_must_not_pass() -> None:
    """A digest in hexadecimal, a short challenge, an origin with a path: defects, told at once."""
    passkey, signature = PASSKEYS[ES256], SIGNATURES[ES256]
    for act in (
        lambda: THUAN.signing_options(DIGEST.hex().encode(), [passkey]),
        lambda: THUAN.check(signature, b""),
        lambda: THUAN.enrolment_options(b"h", "l", b"short", []),
        lambda: THUAN.enrolment_options(b"", "l", CHALLENGE, []),
        lambda: THUAN.enrolment_options(bytes(65), "l", CHALLENGE, []),
        lambda: THUAN.enrol(answers()[0], b""),
        lambda: RelyingParty(RP_ID, "Thuận", []),
        lambda: RelyingParty("", "Thuận", [ORIGIN]),
        lambda: RelyingParty(RP_ID, "Thuận", ORIGIN),
        lambda: RelyingParty(RP_ID, "Thuận", [f"{ORIGIN}/"]),
        lambda: RelyingParty(RP_ID, "Thuận", ["http://thuan.example"]),
    ):
        with pytest.raises(ValueError, match=r"^(a |not an origin)"):
            act()
    RelyingParty("localhost", "Thuận", ["http://localhost:8001"])


# -- witnesses ----------------------------------------------------------------------------------


def test_a_witness_signs_for_one_statement_under_an_own_name() -> None:
    """It is no signature of the citizen's statement, nor of another's, nor with another paper."""
    device = Authenticator()
    passkey = enrolled(device)
    unsigned = Witnessing(witness_id="w1", signature=SIGNATURES[ES256], scan_hash="e" * 64)
    said = unsigned.statement(DIGEST.hex())
    assert (said.typ, said.statement_hash) == (WITNESS_STATEMENT, DIGEST.hex())
    digest = bytes.fromhex(said.hash())
    answer = device.get(THUAN.signing_options(digest, [passkey]))
    witnessing = replace(unsigned, signature=THUAN.sign(answer, digest, [passkey]))
    evidence = Evidence(grade=Grade.WITNESSED, witnesses=[witnessing])
    stored = msgspec.json.decode(canonical(evidence), type=Evidence)
    assert stored == evidence
    THUAN.check(stored.witnesses[0].signature, digest, passkey)
    for changes in ({"witness_id": "w2"}, {"scan_hash": None}, {"scan_hash": "f" * 64}):
        other = bytes.fromhex(replace(witnessing, **changes).statement(DIGEST.hex()).hash())
        assert refused(THUAN.check, witnessing.signature, other) == "passkey_challenge"
    for other in (DIGEST, bytes.fromhex(witnessing.statement(OTHER_DIGEST.hex()).hash())):
        assert refused(THUAN.check, witnessing.signature, other) == "passkey_challenge"


def test_evidence_of_a_code_holds_no_code() -> None:
    """Only which challenge it answered."""
    evidence = Evidence(grade=Grade.OTP, code=CodeMatch(challenge_id="ch1"))
    assert json.loads(canonical(evidence)) == {
        "grade": "otp",
        "passkey": None,
        "witnesses": [],
        "code": {"challenge_id": "ch1"},
    }


# -- for ever -----------------------------------------------------------------------------------

STORED_DIGEST = "de98f4ac09c51b8d27de6117b5a443fd092b27fec400bc021d83ea8c91dd7c2b"
STORED: list[dict[str, dict[str, Any]]] = [
    {
        "passkey": {
            "credential_id": "_OdiWcaBxswl7pSPfZad2g",
            "public_key": (
                "pQECAyYgASFYIO_FPrG8Ho0tl6kUzDp8FcR9j0bmvgNqvmBlpjC999TzIlggVfYgbV3CQ7U2AUW5"
                "kVmrMMrLS2t2WwaEDc2COjCIkWo"
            ),
            "algorithm": -7,
            "sign_count": 0,
            "aaguid": "00000000-0000-0000-0000-000000000000",
            "backup_eligible": False,
            "backed_up": False,
            "transports": ["internal"],
            "rp_id": "thuan.example",
            "origin": "https://thuan.example",
            "client_data_json": (
                "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiQUFFQ0F3UUZCZ2NJQ1FvTERB"
                "ME9EeEFSRWhNVUZSWVhHQmthR3h3ZEhoOCIsIm9yaWdpbiI6Imh0dHBzOi8vdGh1YW4uZXhhbXBs"
                "ZSIsImNyb3NzT3JpZ2luIjpmYWxzZX0"
            ),
            "attestation_object": (
                "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YViUWjj7oXDzTpVeoJjn53wb-jG15LfntpjTPYIU"
                "IKhUbONFAAAAAAAAAAAAAAAAAAAAAAAAAAAAEPznYlnGgcbMJe6Uj32WndqlAQIDJiABIVgg78U-"
                "sbwejS2XqRTMOnwVxH2PRua-A2q-YGWmML331PMiWCBV9iBtXcJDtTYBRbmRWaswystLa3ZbBoQN"
                "zYI6MIiRag"
            ),
            "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        },
        "signature": {
            "credential_id": "_OdiWcaBxswl7pSPfZad2g",
            "public_key": (
                "pQECAyYgASFYIO_FPrG8Ho0tl6kUzDp8FcR9j0bmvgNqvmBlpjC999TzIlggVfYgbV3CQ7U2AUW5"
                "kVmrMMrLS2t2WwaEDc2COjCIkWo"
            ),
            "algorithm": -7,
            "authenticator_data": "Wjj7oXDzTpVeoJjn53wb-jG15LfntpjTPYIUIKhUbOMFAAAAAQ",
            "client_data_json": (
                "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiM3BqMHJBbkZHNDBuM21FWHRhUkRf"
                "UWtySl83RUFMd0NIWVBxakpIZGZDcyIsIm9yaWdpbiI6Imh0dHBzOi8vdGh1YW4uZXhhbXBsZSIs"
                "ImNyb3NzT3JpZ2luIjpmYWxzZX0"
            ),
            "signature": (
                "MEUCIEPYteoR-q3wejClMqB556nT6IeEA1menisJFr5Zt_B4AiEAw0oC4wPfIb2QzsdUgCfGBhuf"
                "6yLeHq0ClwBSiYCPrh8"
            ),
            "rp_id": "thuan.example",
            "origin": "https://thuan.example",
            "sign_count": 1,
            "backed_up": False,
            "backup_eligible": False,
        },
    },
    {
        "passkey": {
            "credential_id": "iP3BitNptPKO2e5b30An_g",
            "public_key": "pAEBAycgBiFYILS0jI8Zer4y8b2HpO2sAQobo29aJuSzFJ9n9sS4XVqY",
            "algorithm": -8,
            "sign_count": 0,
            "aaguid": "00000000-0000-0000-0000-000000000000",
            "backup_eligible": False,
            "backed_up": False,
            "transports": ["internal"],
            "rp_id": "thuan.example",
            "origin": "https://thuan.example",
            "client_data_json": (
                "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiQUFFQ0F3UUZCZ2NJQ1FvTERB"
                "ME9EeEFSRWhNVUZSWVhHQmthR3h3ZEhoOCIsIm9yaWdpbiI6Imh0dHBzOi8vdGh1YW4uZXhhbXBs"
                "ZSIsImNyb3NzT3JpZ2luIjpmYWxzZX0"
            ),
            "attestation_object": (
                "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YVhxWjj7oXDzTpVeoJjn53wb-jG15LfntpjTPYIU"
                "IKhUbONFAAAAAAAAAAAAAAAAAAAAAAAAAAAAEIj9wYrTabTyjtnuW99AJ_6kAQEDJyAGIVggtLSM"
                "jxl6vjLxvYek7awBChujb1om5LMUn2f2xLhdWpg"
            ),
            "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        },
        "signature": {
            "credential_id": "iP3BitNptPKO2e5b30An_g",
            "public_key": "pAEBAycgBiFYILS0jI8Zer4y8b2HpO2sAQobo29aJuSzFJ9n9sS4XVqY",
            "algorithm": -8,
            "authenticator_data": "Wjj7oXDzTpVeoJjn53wb-jG15LfntpjTPYIUIKhUbOMFAAAAAQ",
            "client_data_json": (
                "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiM3BqMHJBbkZHNDBuM21FWHRhUkRf"
                "UWtySl83RUFMd0NIWVBxakpIZGZDcyIsIm9yaWdpbiI6Imh0dHBzOi8vdGh1YW4uZXhhbXBsZSIs"
                "ImNyb3NzT3JpZ2luIjpmYWxzZX0"
            ),
            "signature": (
                "AKzXckng6ezHFcAfNeaoifminPkYbWVGP6DPR0dE4Ux7fwwmIYpd3nzbT_nYHGFMnU04DBVx9ZoC"
                "B5t1LBaIAg"
            ),
            "rp_id": "thuan.example",
            "origin": "https://thuan.example",
            "sign_count": 1,
            "backed_up": False,
            "backup_eligible": False,
        },
    },
]
"""What an earlier version stored, one of ES256 and one of Ed25519, over STORED_DIGEST."""

CHECK = """
import json, sys
import msgspec
from shared.contracts.evidence import Passkey, PasskeySignature
from shared.passkeys import RelyingParty

thuan = RelyingParty("thuan.example", "Thuận", ["https://thuan.example"])
for one in json.load(sys.stdin):
    passkey = msgspec.convert(one["passkey"], type=Passkey)
    signature = msgspec.convert(one["signature"], type=PasskeySignature)
    thuan.check_enrolment(passkey)
    thuan.check(signature, bytes.fromhex(sys.argv[1]), passkey)
ours = {name.split(".")[0] + "." + name.split(".")[1] for name in sys.modules if "." in name}
print(sorted(name for name in ours if name.startswith(("services.", "shared."))))
"""


def test_what_was_stored_once_checks_for_ever() -> None:
    """In a new process with nothing of ours but this code and the contracts; no network."""
    done = subprocess.run(
        [sys.executable, "-c", CHECK, STORED_DIGEST],
        input=json.dumps(STORED),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.stderr == ""
    loaded = ["shared.canonical", "shared.contracts", "shared.passkey_answers", "shared.passkeys"]
    assert done.stdout.strip() == str(loaded)


@pytest.mark.parametrize("number", range(len(STORED)))
def test_what_was_stored_once_can_still_not_be_changed(number: int) -> None:
    """The pinned signature is of its digest and its passkey alone."""
    signature = msgspec.convert(STORED[number]["signature"], type=PasskeySignature)
    other = msgspec.convert(STORED[1 - number]["passkey"], type=Passkey)
    THUAN.check(signature, bytes.fromhex(STORED_DIGEST))
    assert refused(THUAN.check, signature, OTHER_DIGEST) == "passkey_challenge"
    digest = bytes.fromhex(STORED_DIGEST)
    assert refused(THUAN.check, signature, digest, other) == "passkey_unknown"
