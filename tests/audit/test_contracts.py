"""What the audit may know of the services: each of their files is a rule, or out of its reach."""

import tomllib
from pathlib import Path
from typing import Any


def contract(beginning: str) -> dict[str, Any]:
    """Return the import contract whose name begins so."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (found,) = [one for one in contracts if one["name"].startswith(beginning)]
    return dict(found)


def test_each_file_of_a_service_is_a_rule_or_out_of_the_audits_reach() -> None:
    """A file that is new is one or the other before the audit can know it; none is both."""
    rules = set(contract("Rules touch neither")["source_modules"])
    barred = set(contract("The audit knows")["forbidden_modules"])
    files = {
        f"services.{service}.{file.stem}"
        for service in ("consent", "accounts")
        for file in Path("services", service).iterdir()
        if (file.suffix == ".py" and file.stem != "__init__") or (file / "__init__.py").exists()
    }
    assert files - rules == barred - {"services.witness"}
    assert not rules & barred
