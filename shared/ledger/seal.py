"""A service's own seal on its log: keys, public files, the checkpoints signed, proofs from them.

In the service's folder: `log.keys.json` (secret), `checkpoints.db`, and `public/`, which is served.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import httpx

from shared.ledger.checkpoints import Checkpoints, create_checkpoints
from shared.ledger.integrator import CHECKPOINT_PATH, WITNESSED_PATH, Integrator, Sealing
from shared.ledger.keys import create_keys, load_keys
from shared.ledger.merkle import inclusion_proof
from shared.ledger.notes import Algorithm, BadNote, Checkpoint, Note
from shared.ledger.policy import Policy
from shared.ledger.proofs import Proof
from shared.ledger.recorder import Recorder
from shared.ledger.tiles import PublicFolder, Tiles
from shared.ledger.witnessing import TIMEOUT_S, Witnesses, Witnessing

SIGNED_WITH = (Algorithm.ED25519, Algorithm.ML_DSA_44)
"""Every client of C2SP logs can check Ed25519; ML-DSA-44 will still hold when that may not."""

LOG_KEYS = "log.keys.json"
VERIFIER_KEYS_PATH = "vkeys"


class NotSealed(Exception):
    """The position is not under a signed checkpoint, or not yet."""


def create_seal(folder: Path, origin: str) -> None:
    """Make keys for the log named `origin`, and what seals it, unless they are there."""
    create_checkpoints(folder / "checkpoints.db")
    create_keys(folder / LOG_KEYS, origin, SIGNED_WITH)
    lines = "".join(f"{key.verifier}\n" for key in load_keys(folder / LOG_KEYS))
    PublicFolder(folder / "public").publish(VERIFIER_KEYS_PATH, lines.encode())


def log_origin(folder: Path) -> str:
    """Return the name of the folder's log, as the first `init` took it for ever."""
    return load_keys(folder / LOG_KEYS)[0].name


class Seal:
    """Keeps one log sealed while it is open, and gives proofs."""

    def __init__(
        self,
        recorder: Recorder,
        folder: Path,
        now: Callable[[], datetime],
        policy: Path | None = None,
    ) -> None:
        """`policy` is the file that names the witnesses to ask, and how many are enough."""
        self.public = PublicFolder(folder / "public")
        checkpoints = Checkpoints(folder / "checkpoints.db")
        keys = load_keys(folder / LOG_KEYS)
        self.origin = keys[0].name
        self.vkeys = [str(key.verifier) for key in keys]
        witnesses = policy and Policy.parse(policy.read_text("utf-8"))
        self._sealing = Sealing(Integrator(recorder, self.public, checkpoints, keys, now))
        # A client reads every certificate of the machine: only who asks witnesses has one.
        self._client = httpx.Client(timeout=TIMEOUT_S) if witnesses else None
        self._witnessing = (
            Witnessing(Witnesses(witnesses, self.public, checkpoints, self._client))
            if witnesses and self._client
            else None
        )

    @property
    def sealed(self) -> int:
        """Return the last position that this process knows to be under a signed checkpoint."""
        return self._sealing.sealed

    @property
    def trouble(self) -> str | None:
        """Return why nothing is sealed at present, if nothing is."""
        return self._sealing.trouble

    @property
    def witnessed(self) -> int:
        """Return the last position that a quorum of witnesses has seen."""
        return self._witnessing.witnesses.witnessed if self._witnessing else 0

    @property
    def witness_troubles(self) -> dict[str, str]:
        """Return what is wrong with which witness, by name."""
        return self._witnessing.witnesses.troubles if self._witnessing else {}

    def proof(self, position: int, *, witnessed: bool = False) -> str:
        """Return the C2SP tlog-proof of a fact; raises `NotSealed`, `BadTile`.

        It ends in the newest checkpoint, or in the newest that a quorum of witnesses cosigned.
        """
        try:
            content = self.public.fetch(WITNESSED_PATH if witnessed else CHECKPOINT_PATH)
            checkpoint = Checkpoint.parse(Note.parse(content).body)
        except (FileNotFoundError, BadNote) as error:
            raise NotSealed(str(error)) from error
        if not 0 < position <= checkpoint.size:
            raise NotSealed(f"{position} is not among the {checkpoint.size} facts sealed")
        tiles = Tiles(self.public.fetch, checkpoint.size)
        path = inclusion_proof(position - 1, checkpoint.size, tiles.node)
        return Proof(position - 1, tuple(path), content).text()

    def close(self) -> None:
        """Seal what is stored, have it witnessed if that can be, then stop."""
        self._sealing.close()
        if self._witnessing and self._client:
            self._witnessing.close()
            self._client.close()
