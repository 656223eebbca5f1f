"""Who signs with keys of their own in the sandbox: both services, and a bank to try it with.

The bank's key lies where a bank would keep it, so that the program of docs/bank-api.md finds it.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from shared.service_tokens import ROW
from shared.signing import write_secret

BANK_CLIENT, BANK = "so-viet-1", "so-viet"
BANK_KEY = "bank-key.json"
CLIENTS = "clients.json"


def register_clients(folder: Path, services: Iterable[str]) -> Path:
    """Write the file of clients: the services, whose `init` made their rows, and the bank.

    Whoever else stands there stays. Returns the file.
    """
    file = folder / CLIENTS
    there = json.loads(file.read_bytes()) if file.exists() else []
    rows = {row["client_id"]: row for row in (_bank(folder), *there)}
    for name in services:
        row = json.loads((folder / name / ROW).read_bytes())
        rows[row["client_id"]] = row
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps([*rows.values()], indent=1), encoding="ascii")
    beside.replace(file)
    return file


def _bank(folder: Path) -> dict[str, Any]:
    """Return the bank's row; its key is made, if there is none."""
    file = folder / BANK_KEY
    if not file.exists():
        made = ECKey.generate_key("P-256").as_dict(private=True)
        write_secret(file, json.dumps(made).encode())
    key = ECKey.import_key(json.loads(file.read_bytes()))
    jwks = {"keys": [key.as_dict(private=False)]}
    return {"client_id": BANK_CLIENT, "role": "bank", "id": BANK, "jwks": jwks}
