"""Asks a service whatever its document allows, and much that it does not (schemathesis).

It runs as a program of its own, in a folder of its own. Loaded by that program as its hooks, this
file says who asks: for each operation somebody of a role that may; and it puts ids that exist into
half of all bodies, so that they come further than to an unknown id.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import AuthContext, Case, HookContext

HOLDERS = {
    "bank": "so-viet",
    "clerk": "gdv-01",
    "service": "accounts",
    "regulator": "regulator",
    "operator": "operator",
    "overseer": "overseer",
    "manager": "manager",
    "host": "host",
}
"""Who of the demo's cast has which role."""

SETTINGS = """
[output.truncation]
max-lines = 10
max-width = 200

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422, 428, 429]

# What a form needs, between which days a day may be, what one role has to name, and which key was
# used for something else: no schema says that.
[[operations]]
include-name = [
  "POST /consents/{consent_id}/invalidation", "POST /suspensions/{suspension_id}/lifting",
  "POST /policies/{version}/approval", "POST /citizens/{citizen_id}/erasure",
  "POST /oauth/token", "GET /rejections", "GET /rejections/counts", "GET /reconciliations",
  "GET /reconciliations/{reconciliation_id}", "GET /reconciliations/{reconciliation_id}/lines",
  "GET /reconciliations/{reconciliation_id}/lines.csv",
]
checks.positive_data_acceptance.enabled = false
"""

TIME_MAX_S = 1_200


@dataclass(frozen=True)
class Asked:
    """How many requests were sent, and what was wrong with the answers: empty, if nothing."""

    requests: int
    wrong: str


def ask(
    document: Path, url: str, tokens: Mapping[str, str], known: Mapping[str, str], examples: int
) -> Asked:
    """Ask every operation of a document some ten times as often as `examples` says.

    `tokens` are bearer tokens by holder, `known` ids and hashes that exist, by field.
    """
    folder = document.parent / f"asking-{document.stem}"
    folder.mkdir()
    (folder / "schemathesis.toml").write_text(SETTINGS, encoding="utf-8")
    phases = "examples,coverage,fuzzing,stateful"
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", str(document)]
    command += ["--url", url, "--max-examples", str(examples), "--phases", phases]
    command += ["--continue-on-failure", "--seed", "1", "--warnings", "off"]
    command += ["--exclude-path", "/sandbox/clock"]  # in another century no key is valid
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": __name__,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "ASKING_TOKENS": json.dumps(dict(tokens)),
        "ASKING_KNOWN": json.dumps(dict(known)),
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIME_MAX_S,
        check=False,
    )
    counted = re.search(r"(\d+) generated", done.stdout)
    said = done.stdout + done.stderr
    return Asked(int(counted[1]) if counted else 0, said if done.returncode else "")


if tokens_given := os.environ.get("ASKING_TOKENS"):
    TOKENS: dict[str, str] = json.loads(tokens_given)
    KNOWN: dict[str, str] = json.loads(os.environ["ASKING_KNOWN"])

    @schemathesis.auth()
    class Holder:
        """Calls as somebody of a role that the operation is for."""

        def get(self, case: Case[Any], context: AuthContext) -> str:
            """Return the token."""
            roles = case.operation.definition.raw.get("x-roles", [])
            return TOKENS[HOLDERS[roles[0]]] if roles else ""

        def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
            """Put it into the request."""
            if data:
                case.headers["Authorization"] = f"Bearer {data}"

    @schemathesis.hook
    def map_body(context: HookContext, body: Any) -> Any:
        """Return the body with what is known in place of what was made up, in half of them."""
        if not isinstance(body, dict) or len(repr(body)) % 2:
            return body
        return {name: KNOWN.get(name, value) for name, value in body.items()}
