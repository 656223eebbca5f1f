"""`./run document`: writes each service's document for programmers (OpenAPI) to `docs/api/`.

A test compares the files with the code, so a change of the API is a change that somebody sees.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from services.accounts import main as accounts_main
from services.accounts.settings import Settings as AccountsSettings
from services.consent import main as consent_main
from services.consent.settings import Settings as ConsentSettings
from shared.ledger.log import Log
from shared.ledger.seal import Seal

FOLDER = Path(__file__).parents[1] / "docs" / "api"


def documents() -> dict[str, dict[str, Any]]:
    """Return the document of each service by its name, as a sandbox serves it."""
    with tempfile.TemporaryDirectory() as folder, _apps(Path(folder)) as apps:
        return {name: app.openapi() for name, app in apps.items()}


def text(document: dict[str, Any]) -> str:
    """Return a document as it is kept: a change of one answer is a change of few lines."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


@contextmanager
def _apps(folder: Path) -> Iterator[dict[str, FastAPI]]:
    """Give both services, which nobody can call."""
    clock = folder / "clock"
    consent = ConsentSettings(folder=folder / "consent", sandbox=True, clock_file=clock)
    accounts = AccountsSettings(folder=folder / "accounts", sandbox=True, clock_file=clock)
    consent_main.init(consent)
    accounts_main.init(accounts)
    apps = {
        "consent": consent_main.create_app(consent),
        "accounts": accounts_main.create_app(accounts),
    }
    yield apps
    for app in apps.values():
        seal: Seal = app.state.seal
        log: Log = app.state.log
        seal.close()
        log.close()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, document in documents().items():
        (FOLDER / f"{name}.json").write_text(text(document), encoding="utf-8")
