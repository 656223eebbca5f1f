"""What docker-compose.yml says is true of the code: every command, variable, port and health path.

No container engine is needed: each service's command is started as a process with exactly the
environment of the file, but for the places that only exist inside a container.
"""

import asyncio
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bench.processes import free_port, serving
from demo.cast import make_tokens
from services.accounts.settings import Settings as AccountsSettings
from services.consent.settings import Settings as ConsentSettings
from shared.clock import system_clock
from shared.service_tokens import ROW, Access, Other
from tests.support.clients import register

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ["consent-init", "consent", "accounts-init", "accounts"]
SERVING = ["consent", "accounts"]
INSIDE_DATABASE = "postgresql://thuan@postgres:5432/thuan?passfile=/run/secrets/pgpass&"


@pytest.mark.parametrize("name", OURS)
def test_each_variable_is_a_setting(name: str) -> None:
    """Every variable has a field that reads it; a mistyped one would be passed over in silence."""
    fields = {f"CONSENT_{field.upper()}" for field in ConsentSettings.model_fields}
    fields |= {f"ACCOUNTS_{field.upper()}" for field in AccountsSettings.model_fields}
    assert set(SERVICES[name]["environment"]) <= fields


@pytest.mark.parametrize("name", OURS)
def test_containers_can_do_little(name: str) -> None:
    """Not root, nothing to write but their own, no capabilities, and no secret in the file."""
    service = SERVICES[name]
    assert service["user"] == "10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    own, *shown = service["volumes"]
    assert re.fullmatch(r"[a-z]+:/data", own)
    assert shown == ([] if name.endswith("-init") else ["./clients:/clients:ro"])
    assert "USER 10001" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for key, value in service["environment"].items():
        if "TOKEN" in key or "passfile" in value:
            assert "/run/secrets/" in value


@pytest.mark.parametrize("name", SERVING)
def test_ports_and_health_are_those_of_the_command(name: str) -> None:
    """The published port is the one listened on, on loopback only; so is the health check's."""
    service = SERVICES[name]
    port = service["command"][service["command"].index("--port") + 1]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://127.0.0.1:{port}/readyz" in service["healthcheck"]["test"][-1]


def test_named_volumes_and_secrets_exist() -> None:
    """What services use is declared, and what is declared is used."""
    named = {volume.split(":")[0] for one in SERVICES.values() for volume in one["volumes"]}
    volumes = {one for one in named if not one.startswith(".")}
    assert volumes == set(COMPOSE["volumes"])
    secrets = {secret for one in SERVICES.values() for secret in one["secrets"]}
    assert secrets == set(COMPOSE["secrets"])
    assert all("file" in secret for secret in COMPOSE["secrets"].values())


def test_the_image_holds_what_the_commands_need() -> None:
    """The Dockerfile installs by hash and copies the packages that the commands name."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes -r requirements.lock" in dockerfile
    for name in OURS:
        package = SERVICES[name]["command"][2].split(".")[0]
        assert f"COPY {package} {package}" in dockerfile


def here(environment: dict[str, str], mapping: dict[str, str]) -> dict[str, str]:
    """Return the file's environment with container-only places replaced."""
    result = {}
    for key, value in environment.items():
        outside = next(
            (value.replace(*pair) for pair in mapping.items() if pair[0] in value), value
        )
        result[key] = re.sub(r"\$\{[^}]*\}", "http://localhost:9", outside)
    return result


def called(name: str, other: str, folder: Path, port: int) -> int:
    """Call a service as the other is set to, with its keys; returns the status."""
    environment = here(SERVICES[name]["environment"], {})
    prefix = f"{name}_{other}".upper()
    public_url = environment[f"{prefix}_PUBLIC_URL"]
    assert public_url == here(SERVICES[other]["environment"], {})[f"{other.upper()}_PUBLIC_URL"]

    async def call() -> int:
        async with httpx.AsyncClient() as http:
            there = Other(url=f"http://127.0.0.1:{port}", public_url=public_url)
            own = environment[f"{prefix}_CLIENT_ID"]
            auth = Access(own, folder, there, http, system_clock)
            path = "/policies" if other == "consent" else "/openings"
            return (await http.get(there.url + path, auth=auth)).status_code

    return asyncio.run(call())


def test_each_command_runs_with_its_environment(tmp_path: Path, postgres_url: str) -> None:
    """Both inits and both services start as the file says, on a real PostgreSQL, and answer."""
    tokens = make_tokens(tmp_path)
    clients = tmp_path / "clients.json"
    clients.write_text("[]")
    database = postgres_url + ("&" if "?" in postgres_url else "?")
    ports = {name: free_port() for name in SERVING}
    with ExitStack() as stack:
        for name in OURS:
            service, plain = SERVICES[name], name.removesuffix("-init")
            environment = here(
                service["environment"],
                {
                    INSIDE_DATABASE: database,
                    "/run/secrets/tokens": str(tokens.file),
                    "/run/secrets": str(tmp_path),
                    "/clients/": f"{tmp_path}/",
                    "http://consent:8001": f"http://127.0.0.1:{ports['consent']}",
                    "/data": str(tmp_path / plain),
                },
            )
            command = [sys.executable, *service["command"][1:]]
            if name.endswith("-init"):
                subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=60)
                continue
            command[-1], command[-3] = str(ports[name]), "127.0.0.1"
            stack.enter_context(serving(command, ports[name], environment, port_argument=False))
        for port in ports.values():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                assert json.load(answer)["head"] == 0
        rows = [json.loads((tmp_path / name / ROW).read_text()) for name in SERVING]
        register(clients, *rows)
        for name, other in (("accounts", "consent"), ("consent", "accounts")):
            assert called(name, other, tmp_path / name, ports[other]) == 200
        request = urllib.request.Request(
            f"http://127.0.0.1:{ports['accounts']}/openings/x",
            data=json.dumps(
                {"citizen_id": "c", "bank_id": "b", "product_id": "p", "terms_hash": "0" * 64,
                 "purpose": "open-account", "consent": "a.b.c"}
            ).encode(),
            headers={**tokens.header("so-viet"), "Content-Type": "application/json"},
            method="PUT",
        )  # fmt: skip
        with pytest.raises(urllib.error.HTTPError) as no:
            urllib.request.urlopen(request, timeout=5)
        with no.value as answer:
            assert json.load(answer)["reasons"][0]["code"] == "token_malformed"
