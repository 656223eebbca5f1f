"""A service's own seal on its log: keys, public files, the checkpoints signed, proofs from them.

In the service's folder: `log.keys.json` (secret), `checkpoints.db`, and `public/`, which is served.
"""

import base64
import json
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from shared.ledger.checkpoints import Checkpoints, create_checkpoints
from shared.ledger.integrator import CHECKPOINT_PATH, Integrator, Sealing
from shared.ledger.merkle import inclusion_proof
from shared.ledger.notes import Algorithm, BadNote, Checkpoint, Note, SigningKey
from shared.ledger.recorder import Recorder
from shared.ledger.tiles import PublicFolder, Tiles
from shared.signing import write_secret

PROOF_TITLE = "c2sp.org/tlog-proof@v1"
SEED_BYTES = 32
SIGNED_WITH = (Algorithm.ED25519, Algorithm.ML_DSA_44)
"""Every client of C2SP logs can check Ed25519; ML-DSA-44 will still hold when that may not."""

VERIFIER_KEYS_PATH = "vkeys"


class NotSealed(Exception):
    """The position is not under a signed checkpoint, or not yet."""


def create_seal(folder: Path, origin: str) -> None:
    """Make keys for the log named `origin`, and what seals it, unless they are there."""
    create_checkpoints(folder / "checkpoints.db")
    file = folder / "log.keys.json"
    if not file.exists():
        seeds = [base64.b64encode(secrets.token_bytes(SEED_BYTES)).decode() for _ in SIGNED_WITH]
        made = zip(SIGNED_WITH, seeds, strict=True)
        keys = [{"algorithm": algorithm.name, "seed": seed} for algorithm, seed in made]
        write_secret(file, json.dumps({"origin": origin, "keys": keys}).encode())
    lines = "".join(f"{key.verifier}\n" for key in load_log_keys(folder))
    PublicFolder(folder / "public").publish(VERIFIER_KEYS_PATH, lines.encode())


def load_log_keys(folder: Path) -> list[SigningKey]:
    """Return the keys that the log of a folder is signed with."""
    document = json.loads((folder / "log.keys.json").read_bytes())
    return [
        SigningKey(document["origin"], Algorithm[key["algorithm"]], base64.b64decode(key["seed"]))
        for key in document["keys"]
    ]


def log_origin(folder: Path) -> str:
    """Return the name of the folder's log, as the first `init` took it for ever."""
    document: dict[str, str] = json.loads((folder / "log.keys.json").read_bytes())
    return document["origin"]


class Seal:
    """Keeps one log sealed while it is open, and gives proofs."""

    def __init__(self, recorder: Recorder, folder: Path, now: Callable[[], datetime]) -> None:
        self.public = PublicFolder(folder / "public")
        checkpoints = Checkpoints(folder / "checkpoints.db")
        keys = load_log_keys(folder)
        self._sealing = Sealing(Integrator(recorder, self.public, checkpoints, keys, now))

    @property
    def sealed(self) -> int:
        """Return the last position that this process knows to be under a signed checkpoint."""
        return self._sealing.sealed

    @property
    def trouble(self) -> str | None:
        """Return why nothing is sealed at present, if nothing is."""
        return self._sealing.trouble

    def proof(self, position: int) -> str:
        """Return the C2SP tlog-proof of a fact; raises `NotSealed`, `BadTile`."""
        try:
            content = self.public.fetch(CHECKPOINT_PATH)
            checkpoint = Checkpoint.parse(Note.parse(content).body)
        except (FileNotFoundError, BadNote) as error:
            raise NotSealed(str(error)) from error
        if not 0 < position <= checkpoint.size:
            raise NotSealed(f"{position} is not among the {checkpoint.size} facts sealed")
        tiles = Tiles(self.public.fetch, checkpoint.size)
        path = inclusion_proof(position - 1, checkpoint.size, tiles.node)
        hashes = [base64.b64encode(one).decode() for one in path]
        lines = [PROOF_TITLE, f"index {position - 1}", *hashes, "", content.decode()]
        return "\n".join(lines)

    def close(self) -> None:
        """Seal what is stored, then stop."""
        self._sealing.close()
