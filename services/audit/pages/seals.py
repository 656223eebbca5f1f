"""What a log is sealed with, as a page shows it: its checkpoint, and who signed that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.audit.checking import Trust
from services.audit.export import TILE_BYTES_MAX, VKEYS, BadExport, LogName, tlog_path
from services.audit.reading import Opened
from shared.ledger.integrator import CHECKPOINT_PATH, WITNESSED_PATH
from shared.ledger.notes import BadNote, Checkpoint, Note, Signature, VerifierKey, signers
from shared.ledger.verify import trusted_keys


@dataclass(frozen=True)
class Signed:
    """One signature under a checkpoint.

    `algorithm` and `at` (UTC) are None where no key that we have checks it; `at` also where the
    kind of signature has no time.
    """

    name: str
    algorithm: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Sealed:
    """A checkpoint: the log's own signatures, and those of others."""

    note: bytes
    checkpoint: Checkpoint
    own: Sequence[Signed]
    others: Sequence[Signed]
    trusted: bool
    """Whether the inspector brought the log's keys; else they are the export's own word."""


def read_seal(export: Opened, log: LogName, trust: Trust, *, witnessed: bool) -> Sealed | None:
    """Return the newest checkpoint that was witnessed, or the newest; None if there is none.

    Raises `BadExport` for one that is none, or with a wrong signature of a key that we have.
    """
    try:
        path = tlog_path(log, WITNESSED_PATH if witnessed else CHECKPOINT_PATH)
        note = export.content(path, TILE_BYTES_MAX)
    except FileNotFoundError:
        return None
    try:
        parsed = Note.parse(note)
        checkpoint = Checkpoint.parse(parsed.body)
        brought = trust.keys_of(checkpoint.origin)
        keys = brought or _own_word(export, log)
        witnesses = trust.policy.witness_keys() if trust.policy else []
        found = signers(parsed, [*keys, *witnesses])
    except BadNote as error:
        raise BadExport(f"{path}: {error}") from error
    signed = [(one, _signed(one, found)) for one in parsed.signatures]
    return Sealed(
        note,
        checkpoint,
        [said for one, said in signed if one.name == checkpoint.origin],
        [said for one, said in signed if one.name != checkpoint.origin],
        brought is not None,
    )


def _own_word(export: Opened, log: LogName) -> list[VerifierKey]:
    try:
        lines = export.content(tlog_path(log, VKEYS), TILE_BYTES_MAX).decode().splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    return trusted_keys(lines)


def _signed(one: Signature, found: dict[VerifierKey, int]) -> Signed:
    for key, at in found.items():
        if (key.name, key.id) == (one.name, one.key_id):
            time = datetime.fromtimestamp(at, UTC) if at else None
            return Signed(one.name, key.algorithm.name, time)
    return Signed(one.name)
