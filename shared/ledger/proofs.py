"""The proof that one fact lies in a log, as a text to keep: C2SP tlog-proof.

The leaf's index, the hashes that lead from it to the root, and the signed checkpoint with that
root. With the entry and the log's verifier keys it is checked offline, years later.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from shared.ledger.merkle import HASH_BYTES, check_inclusion, leaf_hash
from shared.ledger.notes import BadNote, Checkpoint, VerifierKey, from_base64, opened, signers

PROOF_TITLE = "c2sp.org/tlog-proof@v1"
INDEX = "index "
HEAD_LINES = 2
"""The title and the index; hashes follow, if there are any."""

PROOF_CHARACTERS_MAX = 100_000
"""Several times what 63 hashes and a note with many witnesses take."""


class BadProofText(ValueError):
    """Text that is no tlog-proof."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as it is passed on; nothing of it is checked yet."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes

    def text(self) -> str:
        """Return the proof's text."""
        hashes = [base64.b64encode(one).decode() for one in self.hashes]
        return "\n".join([PROOF_TITLE, f"{INDEX}{self.index}", *hashes, "", self.note.decode()])

    @classmethod
    def parse(cls, text: str) -> "Proof":
        """Read a proof; raises `BadProofText`. It has one spelling: any other is not accepted."""
        head, blank, note = text.partition("\n\n")
        lines = head.split("\n")
        if len(text) > PROOF_CHARACTERS_MAX or not blank or len(lines) < HEAD_LINES:
            raise BadProofText("a proof has a title, an index, hashes and a checkpoint")
        try:
            index = int(lines[1].removeprefix(INDEX))
            proof = cls(index, tuple(from_base64(line) for line in lines[2:]), note.encode())
        except ValueError as error:
            raise BadProofText(str(error)) from error
        if proof.text() != text or any(len(one) != HASH_BYTES for one in proof.hashes):
            raise BadProofText(f"not the one spelling of a proof of index {index}")
        return proof

    def check(self, entry: bytes, origin: str, keys: Sequence[VerifierKey]) -> Checkpoint:
        """Return the checkpoint under which the entry lies; raises `BadNote`, `BadProof`.

        Each of the keys that has the log's name must have signed it: where a log signs in two
        algorithms, and one of them no longer holds, the other still does.
        """
        note, checkpoint = opened(self.note, origin, keys)
        missing = {key for key in keys if key.name == origin} - set(signers(note, keys))
        if missing:
            names = ", ".join(sorted(key.algorithm.name for key in missing))
            raise BadNote(f"no signature of {origin} with {names}")
        check_inclusion(self.index, checkpoint.size, leaf_hash(entry), self.hashes, checkpoint.root)
        return checkpoint
