"""What a log sends to a witness: where the witness stood, the proof from there, the checkpoint.

The body of `add-checkpoint`, as C2SP tlog-witness says:

    old <size>
    <hash of the consistency proof>…

    <checkpoint>
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.ledger.merkle import HASH_BYTES
from shared.ledger.notes import SIZE_MAX, BadNote, Checkpoint, Note

PROOF_HASHES_MAX = 63
OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


class BadSubmission(ValueError):
    """Bytes that are no submission."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint and the proof that it continues the one of size `old`."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    @classmethod
    def parse(cls, body: bytes) -> "Submission":
        """Read a body; raises `BadSubmission`. A checkpoint with extension lines is none."""
        head, blank, rest = body.partition(b"\n\n")
        try:
            first, *hashes = head.decode().split("\n")
            note = Note.parse(rest)
            checkpoint = Checkpoint.parse(note.body)
            proof = tuple(_hash(line) for line in hashes)
        except (UnicodeDecodeError, BadNote) as error:
            raise BadSubmission(str(error)) from error
        old = OLD.fullmatch(first)
        if not blank or not old or len(proof) > PROOF_HASHES_MAX:
            raise BadSubmission("no old size, or too long a proof")
        if int(old[1]) > min(checkpoint.size, SIZE_MAX):
            raise BadSubmission("the old size is the larger")
        return cls(int(old[1]), proof, note, checkpoint)


def submission(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Return the body for a checkpoint that is signed."""
    hashes = [base64.b64encode(one).decode() for one in proof]
    return "\n".join([f"old {old}", *hashes, "", ""]).encode() + note


def _hash(line: str) -> bytes:
    try:
        decoded = base64.b64decode(line, validate=True)
    except ValueError as error:
        raise BadSubmission("a hash is base64") from error
    if len(decoded) != HASH_BYTES or base64.b64encode(decoded).decode() != line:
        raise BadSubmission(f"a hash has {HASH_BYTES} bytes")
    return decoded
