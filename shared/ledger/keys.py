"""The keys of a log or a witness, in one secret file: its name, and a seed for each algorithm."""

import base64
import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from shared.ledger.notes import Algorithm, SigningKey
from shared.signing import write_secret

SEED_BYTES = 32


def create_keys(file: Path, name: str, algorithms: Sequence[Algorithm]) -> None:
    """Make a key of each kind for whoever bears the name for ever, unless the file is there."""
    if file.exists():
        return
    seeds = [base64.b64encode(secrets.token_bytes(SEED_BYTES)).decode() for _ in algorithms]
    made = zip(algorithms, seeds, strict=True)
    keys = [{"algorithm": algorithm.name, "seed": seed} for algorithm, seed in made]
    write_secret(file, json.dumps({"origin": name, "keys": keys}).encode())


def load_keys(file: Path) -> list[SigningKey]:
    """Return the keys in a file, in the order in which they sign."""
    document = json.loads(file.read_bytes())
    return [
        SigningKey(document["origin"], Algorithm[key["algorithm"]], base64.b64decode(key["seed"]))
        for key in document["keys"]
    ]
