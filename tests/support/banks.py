"""Banks with keys of their own at the services of a world, and the file that knows them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from joserfc.jwk import OKPKey

from tests.support.clients import BankClient, register
from tests.support.world import Running, World, a_running_world


@dataclass
class Bank:
    """A bank's client at one service of a world."""

    world: World
    client: BankClient
    http: Any
    issuer: str

    async def ask(self, **changes: Any) -> httpx.Response:
        """Ask for a token; `changes` are fields of the form, or `proofs`."""
        now = self.world.clock()
        address = f"{self.issuer}/oauth/token"
        proofs = changes.pop("proofs", [self.client.proof("POST", address, now)])
        form = {**self.client.form(self.issuer, now), **changes}
        headers = [("DPoP", proof) for proof in proofs]
        answer: httpx.Response = await self.http.post("/oauth/token", data=form, headers=headers)
        return answer

    async def token(self) -> str:
        """Return a token."""
        answer = await self.ask()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def send(
        self, method: str, path: str, token: str, *proofs: str, **more: Any
    ) -> httpx.Response:
        """Send a request with a token, and with a proof for it unless others are given."""
        signed = proofs or (self.proof(method, path, token),)
        headers = [("Authorization", f"DPoP {token}"), *(("DPoP", one) for one in signed)]
        if method == "PUT" and more.pop("sign", True):
            body = (
                json.dumps(more.pop("json")).encode()
                if "json" in more
                else more.get("content", b"")
            )
            more["content"] = body
            headers += self.client.sign(
                method, self.issuer + path, body, self.world.clock()
            ).items()
        headers += more.pop("more_headers", {}).items()
        answer: httpx.Response = await self.http.request(method, path, headers=headers, **more)
        return answer

    def proof(self, method: str, path: str, token: str, **changes: Any) -> str:
        """Return a proof for a request."""
        return self.client.proof(method, self.issuer + path, self.world.clock(), token, **changes)


SO_VIET = BankClient()
TRUONG_SON = BankClient("truong-son-1", "truong-son", OKPKey.generate_key("Ed25519"))


def at_accounts(world: World, client: BankClient = SO_VIET) -> Bank:
    """Return a bank's client at accounts."""
    return Bank(world, client, world.accounts, "http://accounts")


def at_consent(world: World, client: BankClient = SO_VIET) -> Bank:
    """Return a bank's client at the consent service."""
    return Bank(world, client, world.consent, "http://consent")


@contextmanager
def a_world_of_clients(folder: Path) -> Iterator[Running]:
    """Give a world in which two banks have clients, whose logs are sound in the end."""
    with a_running_world(folder) as running:
        running.world.clients = folder / "clients.json"
        register(running.world.clients, SO_VIET.row(), TRUONG_SON.row())
        running.play(World.restart)
        yield running
