"""Signed notes and checkpoints, as C2SP signed-note, tlog-checkpoint and tlog-cosignature say.

A log signs the size and root of its tree; a witness cosigns what it saw grow. Three kinds of
signature: a log's own Ed25519, and cosignatures with a time in Ed25519 and in ML-DSA-44, which
holds against quantum computers too. A signature by an unknown key is passed over; a wrong one by
a known key spoils the note.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from typing_extensions import override

from shared.ledger.merkle import HASH_BYTES

DASH = "\N{EM DASH} "
NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 100
"""Far more than any log has; bounds the work that a stranger's note makes (as Go's does)."""

KEY_ID_BYTES = 4
TIME_BYTES = 8
CHECKPOINT_LINES = 3
SIZE_MAX = 2**63 - 1


class BadNote(ValueError):
    """Text that is no signed note or checkpoint, or whose signature is wrong or missing."""


class Algorithm(IntEnum):
    """The kinds of signature, as C2SP numbers them."""

    ED25519 = 1
    COSIGNATURE = 4
    ML_DSA_44 = 6


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed: whose log, how many leaves, and the root over them."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """Return the note's text."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, body: str) -> "Checkpoint":
        """Read a note's text; raises `BadNote`. Extension lines are not accepted."""
        lines = body.split("\n")
        if len(lines) != CHECKPOINT_LINES + 1 or lines[-1] or not lines[0]:
            raise BadNote("a checkpoint has three lines")
        root = from_base64(lines[2])
        if not _is_size(lines[1]) or len(root) != HASH_BYTES:
            raise BadNote("a checkpoint has a size and a root")
        return cls(lines[0], int(lines[1]), root)


@dataclass(frozen=True, slots=True)
class Signature:
    """One line under a note."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """Return the line."""
        coded = base64.b64encode(self.key_id + self.signature).decode()
        return f"{DASH}{self.name} {coded}\n"

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """Read a line without its end; raises `BadNote`."""
        name, _, coded = line.removeprefix(DASH).partition(" ")
        decoded = from_base64(coded)
        if not line.startswith(DASH) or not _is_name(name) or len(decoded) <= KEY_ID_BYTES:
            raise BadNote("a signature line has a name and a signature")
        return cls(name, decoded[:KEY_ID_BYTES], decoded[KEY_ID_BYTES:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures under it, none of them checked yet."""

    body: str
    signatures: tuple[Signature, ...]

    def text(self) -> str:
        """Return the note as it is passed on."""
        return self.body + "\n" + "".join(one.line() for one in self.signatures)

    @classmethod
    def parse(cls, content: bytes) -> "Note":
        """Read a note; raises `BadNote`."""
        if len(content) > NOTE_BYTES_MAX:
            raise BadNote("the note is too long")
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise BadNote("a note is UTF-8") from error
        body, blank, rest = text.rpartition("\n\n")
        lines = rest.split("\n")
        if not blank or not body or lines.pop() or not 0 < len(lines) <= SIGNATURES_MAX:
            raise BadNote("a note is a text, an empty line and signature lines")
        if any(ord(letter) < ord(" ") and letter != "\n" for letter in text):
            raise BadNote("a note has no control characters")
        return cls(body + "\n", tuple(Signature.parse(line) for line in lines))


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name and the kind of signature that it is for."""

    name: str
    algorithm: Algorithm
    public: bytes

    @property
    def id(self) -> bytes:
        """Return the four bytes by which signatures name the key."""
        named = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public
        return hashlib.sha256(named).digest()[:KEY_ID_BYTES]

    @override
    def __str__(self) -> str:
        coded = base64.b64encode(bytes([self.algorithm]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{coded}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name+id+key`; raises `BadNote`."""
        name, _, rest = text.strip().partition("+")
        key_id, _, coded = rest.partition("+")
        material = from_base64(coded)
        try:
            key = cls(name, Algorithm(material[0]), material[1:])
            key._load()
        except (IndexError, ValueError) as error:
            raise BadNote("not a verifier key") from error
        if not _is_name(name) or key.id.hex() != key_id:
            raise BadNote("the key's id is not its own")
        return key

    def check(self, body: str, signature: bytes) -> int:
        """Return the signature's POSIX time, 0 if its kind has none; raises `BadNote`."""
        at, rest = 0, signature
        try:
            if self.algorithm is not Algorithm.ED25519:
                (at,) = struct.unpack(">Q", signature[:TIME_BYTES])
                rest = signature[TIME_BYTES:]
            self._load().verify(rest, _message(self.name, self.algorithm, body, at))
        except (InvalidSignature, struct.error) as error:
            raise BadNote(f"the signature of {self.name} is wrong") from error
        return at

    def _load(self) -> Ed25519PublicKey | MLDSA44PublicKey:
        if self.algorithm is Algorithm.ML_DSA_44:
            return MLDSA44PublicKey.from_public_bytes(self.public)
        return Ed25519PublicKey.from_public_bytes(self.public)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key (32 bytes of seed) with the name and the kind of signature that it makes."""

    name: str
    algorithm: Algorithm
    seed: bytes

    @property
    def verifier(self) -> VerifierKey:
        """Return the public half."""
        return VerifierKey(self.name, self.algorithm, self._load().public_key().public_bytes_raw())

    def sign(self, body: str, at: datetime) -> Signature:
        """Return the signature of a text; its time has whole seconds, if its kind has any."""
        time, stamp = 0, b""
        if self.algorithm is not Algorithm.ED25519:
            time = int(at.timestamp())
            stamp = struct.pack(">Q", time)
        message = _message(self.name, self.algorithm, body, time)
        return Signature(self.name, self.verifier.id, stamp + self._load().sign(message))

    def _load(self) -> Ed25519PrivateKey | MLDSA44PrivateKey:
        if self.algorithm is Algorithm.ML_DSA_44:
            return MLDSA44PrivateKey.from_seed_bytes(self.seed)
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def signers(note: Note, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int]:
    """Return which of the keys signed the note, and when (0: it does not say).

    Raises `BadNote` if a signature that names one of the keys is not its.
    """
    known = {(key.name, key.id): key for key in keys}
    found = dict[VerifierKey, int]()
    for one in note.signatures:
        key = known.get((one.name, one.key_id))
        if key and key not in found:
            found[key] = key.check(note.body, one.signature)
    return found


def opened(content: bytes, origin: str, keys: Sequence[VerifierKey]) -> tuple[Note, Checkpoint]:
    """Return a checkpoint of the log that one of its keys signed; raises `BadNote`."""
    note = Note.parse(content)
    checkpoint = Checkpoint.parse(note.body)
    if checkpoint.origin != origin:
        raise BadNote(f"a checkpoint of {checkpoint.origin}, not of {origin}")
    if not signers(note, keys):
        raise BadNote(f"no signature of {origin}")
    return note, checkpoint


def _message(name: str, algorithm: Algorithm, body: str, at: int) -> bytes:
    match algorithm:
        case Algorithm.ED25519:
            return body.encode()
        case Algorithm.COSIGNATURE:
            return f"cosignature/v1\ntime {at}\n{body}".encode()
        case Algorithm.ML_DSA_44:
            checkpoint = Checkpoint.parse(body)
            return b"".join(
                (
                    b"subtree/v1\n\0",
                    _short(name),
                    struct.pack(">Q", at),
                    _short(checkpoint.origin),
                    struct.pack(">QQ", 0, checkpoint.size),
                    checkpoint.root,
                )
            )


def _short(text: str) -> bytes:
    coded = text.encode()
    return struct.pack(">B", len(coded)) + coded


def from_base64(coded: str) -> bytes:
    """Return the bytes that a text spells in base64; raises `BadNote` for any other spelling."""
    try:
        decoded = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote("not base64") from error
    if base64.b64encode(decoded).decode() != coded:
        raise BadNote("not the one spelling of its bytes in base64")
    return decoded


def _is_size(text: str) -> bool:
    plain = text.isascii() and text.isdigit() and (text == "0" or not text.startswith("0"))
    return plain and int(text) <= SIZE_MAX


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)
