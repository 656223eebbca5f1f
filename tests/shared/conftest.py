"""What several tests of the ledger use."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.ledger import __main__ as command

Told = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Give the command: its exit code and what it tells in JSON."""

    def run(*arguments: object) -> tuple[int, dict[str, Any]]:
        code = command.main([*map(str, arguments), "--json"])
        text = capsys.readouterr().out
        return code, json.loads(text) if text else {}

    return run
