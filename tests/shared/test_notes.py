"""Signed notes: published checkpoints, every kind of signature, and what must not pass."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ledger.notes import (
    Algorithm,
    BadNote,
    Checkpoint,
    Note,
    Signature,
    SigningKey,
    VerifierKey,
    opened,
    signers,
)

LOG = Path(__file__).parents[3] / "shared" / "vectors" / "tlog" / "log"
PUBLISHED_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
NOW = datetime(2023, 8, 9, 1, 15, tzinfo=UTC)
CHECKPOINT = Checkpoint("localhost/consent", 7, bytes(range(32)))
ORIGIN = CHECKPOINT.origin

algorithms = pytest.mark.parametrize("algorithm", Algorithm)


def key(algorithm: Algorithm = Algorithm.ED25519, name: str = ORIGIN, seed: int = 1) -> SigningKey:
    """Return a key."""
    return SigningKey(name, algorithm, bytes([seed]) * 32)


def note(*keys: SigningKey) -> Note:
    """Return the checkpoint under these keys."""
    body = CHECKPOINT.body()
    return Note(body, tuple(one.sign(body, NOW) for one in keys))


@pytest.mark.skipif(not LOG.exists(), reason="the published vectors are not on this machine")
def test_published_checkpoints() -> None:
    """All sixteen checkpoints of the published log, and the newest, open under its key."""
    trusted = VerifierKey.parse(PUBLISHED_KEY)
    assert str(trusted) == PUBLISHED_KEY
    files = sorted(LOG.glob("checkpoint*"))
    sizes = [opened(file.read_bytes(), trusted.name, [trusted])[1].size for file in files]
    assert sorted(set(sizes)) == list(range(16))


def test_the_example_of_the_specification() -> None:
    """The note that C2SP signed-note prints opens under the key that it prints."""
    trusted = VerifierKey.parse(
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    )
    content = (
        "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXpp"
        "zi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    )
    assert signers(Note.parse(content.encode()), [trusted]) == {trusted: 0}


@algorithms
def test_what_was_signed_opens_under_its_key_alone(algorithm: Algorithm) -> None:
    """Each kind of signature is checked with its key, by name and id, and has its time."""
    signer = key(algorithm)
    trusted = VerifierKey.parse(str(signer.verifier))
    signed = Note.parse(note(signer).text().encode())
    at = 0 if algorithm is Algorithm.ED25519 else int(NOW.timestamp())
    assert signers(signed, [trusted]) == {trusted: at}
    assert signers(signed, [key(algorithm, seed=2).verifier]) == {}
    assert signers(signed, [key(algorithm, name="other").verifier]) == {}


@algorithms
@pytest.mark.parametrize("changed", ["size 8", "body", "signature", "cut"])
def test_a_wrong_signature_by_a_known_key_spoils_the_note(
    algorithm: Algorithm, changed: str
) -> None:
    """One bit of the text or signature is enough, and other good signatures do not help."""
    signer = key(algorithm)
    signed = note(signer, key(seed=2))
    first = signed.signatures[0]
    body, raw = signed.body, first.signature
    if changed == "size 8":
        body = Checkpoint(ORIGIN, 8, CHECKPOINT.root).body()
    elif changed == "body":
        body = Checkpoint("other", 7, CHECKPOINT.root).body()
    elif changed == "signature":
        raw = raw[:-1] + bytes([raw[-1] ^ 1])
    else:
        raw = raw[:5]
    wrong = Note(body, (Signature(first.name, first.key_id, raw), signed.signatures[1]))
    with pytest.raises(BadNote, match="is wrong"):
        signers(wrong, [signer.verifier])


def test_a_log_signs_with_several_keys() -> None:
    """Ed25519 for everyone, ML-DSA-44 for those after; unknown ones are passed over."""
    ours = [key(), key(Algorithm.ML_DSA_44)]
    content = note(*ours, key(name="witness")).text().encode()
    trusted = [one.verifier for one in ours]
    assert opened(content, ORIGIN, trusted)[1] == CHECKPOINT
    assert set(signers(Note.parse(content), trusted)) == set(trusted)
    with pytest.raises(BadNote, match="no signature"):
        opened(content, ORIGIN, [key(seed=3).verifier])
    with pytest.raises(BadNote, match="not of other"):
        opened(content, "other", trusted)


@given(st.data())
def test_a_note_with_any_byte_changed_is_not_taken_for_another(data: st.DataObject) -> None:
    """Whatever one byte does to a note, it never opens as another checkpoint."""
    content = bytearray(note(key()).text().encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255).filter(lambda one: one != content[at]))
    with pytest.raises(BadNote):
        opened(bytes(content), ORIGIN, [key().verifier])


@given(st.binary(max_size=200))
def test_noise_is_no_note(noise: bytes) -> None:
    """Anything else is a clear error, never another exception."""
    for content in (noise, CHECKPOINT.body().encode() + b"\n" + noise):
        with pytest.raises(BadNote):
            opened(content, ORIGIN, [key().verifier])


ROOT = base64.b64encode(CHECKPOINT.root).decode()


@pytest.mark.parametrize(
    "body",
    [
        f"o\n7\n{ROOT}\nextension\n",
        f"o\n07\n{ROOT}\n",
        f"o\n-7\n{ROOT}\n",
        f"o\n9223372036854775808\n{ROOT}\n",
        f"o\n7\n{ROOT[:-4]}\n",
        f"o\n7\n{ROOT}",
        f"\n7\n{ROOT}\n",
        "o\n7\n!\n",
    ],
)
def test_what_is_no_checkpoint(body: str) -> None:
    """Sizes and roots have one spelling; extension lines are refused, as witnesses do."""
    with pytest.raises(BadNote):
        Checkpoint.parse(body)


@pytest.mark.parametrize(
    "text",
    ["", "name", "name+00000000+AQ==", PUBLISHED_KEY[:-4] + "AAAA", "a+b+c", "+33d7b496+AeHT"],
)
def test_what_is_no_verifier_key(text: str) -> None:
    """A key with another id, kind or length is refused when it is read."""
    with pytest.raises(BadNote):
        VerifierKey.parse(text)
