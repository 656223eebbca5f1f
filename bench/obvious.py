"""The obvious way to open accounts by consent: FastAPI and the library's aggregates.

A consent is an aggregate that is used once, an opening another; both are saved together, so that
neither is there without the other. It is written as one would who knows the library: blocking
calls in the pool of threads, connections pooled, one save a request. It checks token and proof as
the services do, and has no signatures, no second service, no gate and no log that can be proved.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import uvicorn
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from psycopg.conninfo import conninfo_to_dict
from typing_extensions import override

from bench.echo import an_authority
from services.accounts.api.commands import OpenAccount
from shared import token_routes

POOL = 16
"""Connections of a process: the server's usual hundred are enough for all; eight do nearly as much.
"""

THREADS = 40
"""Of Starlette's pool, that may wait for a connection."""


class Consent(Aggregate):
    """What a citizen agreed to, to be used once."""

    @event("Given")
    def __init__(
        self,
        *,
        token: str,
        citizen_id: str,
        bank_id: str,
        product_id: str,
        terms_hash: str,
        purpose: str,
        expires_at: datetime,
    ) -> None:
        self.token = token
        self.citizen_id, self.bank_id, self.product_id = citizen_id, bank_id, product_id
        self.terms_hash, self.purpose, self.expires_at = terms_hash, purpose, expires_at
        self.used_by: str | None = None

    @staticmethod
    @override
    def create_id(token: str) -> UUID:
        """Return the id of the consent that a signed event is of."""
        return uuid5(NAMESPACE_URL, f"/consents/{token}")

    def allow(self, command: OpenAccount) -> None:
        """Check that a command is what was agreed to, now; raises `ValueError`."""
        for name in ("citizen_id", "bank_id", "product_id", "terms_hash", "purpose"):
            if getattr(command, name) != getattr(self, name):
                raise ValueError(f"{name} differs")
        if self.used_by:
            raise ValueError("consent used")
        if datetime.now(UTC) >= self.expires_at:
            raise ValueError("consent expired")

    @event("Used")
    def use(self, opening_id: str) -> None:
        """Use it for an opening."""
        self.used_by = opening_id


class Opening(Aggregate):
    """An account that was opened."""

    @event("Opened")
    def __init__(
        self, *, opening_id: str, citizen_id: str, bank_id: str, product_id: str, commanded_by: str
    ) -> None:
        self.opening_id = opening_id
        self.citizen_id, self.bank_id, self.product_id = citizen_id, bank_id, product_id
        self.commanded_by = commanded_by

    @staticmethod
    @override
    def create_id(opening_id: str) -> UUID:
        """Return the id of the aggregate."""
        return uuid5(NAMESPACE_URL, f"/openings/{opening_id}")


class Openings(Application[UUID]):
    """Consents and openings in one store."""

    def give(self, commands: Sequence[Mapping[str, Any]], expires_at: datetime) -> None:
        """Have citizens agree to these commands."""
        names = ("citizen_id", "bank_id", "product_id", "terms_hash", "purpose")
        for one in commands:
            agreed = {name: one[name] for name in names}
            self.save(Consent(token=one["consent"], expires_at=expires_at, **agreed))

    def open(self, opening_id: str, command: OpenAccount, commanded_by: str) -> dict[str, Any]:
        """Open an account, once; raises `ValueError`."""
        try:
            opening: Opening = self.repository.get(Opening.create_id(opening_id))
        except AggregateNotFoundError:
            opening = self._open(opening_id, command, commanded_by)
        return {
            "opening_id": opening.opening_id,
            "standing": "opened",
            "recorded_at": opening.created_on,
            "citizen_id": opening.citizen_id,
            "bank_id": opening.bank_id,
            "product_id": opening.product_id,
        }

    def _open(self, opening_id: str, command: OpenAccount, commanded_by: str) -> Opening:
        consent: Consent = self.repository.get(Consent.create_id(command.consent or ""))
        consent.allow(command)
        consent.use(opening_id)
        opening = Opening(
            opening_id=opening_id,
            citizen_id=command.citizen_id,
            bank_id=command.bank_id,
            product_id=command.product_id,
            commanded_by=commanded_by,
        )
        self.save(consent, opening)
        return opening


def environment(url: str, schema: str) -> dict[str, str]:
    """Return the library's settings for a schema of a PostgreSQL."""
    given = conninfo_to_dict(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(given.get("dbname", "postgres")),
        "POSTGRES_HOST": str(given.get("host", "")),
        "POSTGRES_PORT": str(given.get("port", "5432")),
        "POSTGRES_USER": str(given.get("user", "")),
        "POSTGRES_PASSWORD": str(given.get("password", "")),
        "POSTGRES_SCHEMA": schema,
        "POSTGRES_POOL_SIZE": str(POOL),
        "POSTGRES_MAX_WAITING": str(THREADS),
    }


def create_app() -> FastAPI:
    """Return the service as the environment sets it."""
    folder, issuer, clients = (
        os.environ[f"OBVIOUS_{one}"] for one in ("FOLDER", "ISSUER", "CLIENTS")
    )
    authority, openings = an_authority(Path(folder), issuer, Path(clients)), Openings()
    app = FastAPI()

    @app.put("/openings/{opening_id}", status_code=201)
    async def open_account(opening_id: str, body: OpenAccount, request: Request) -> dict[str, Any]:
        """Open an account for the bank that asks, with its citizen's consent."""
        caller = await authority.caller(request)
        if caller.id != body.bank_id:
            raise HTTPException(403, "not your bank")
        try:
            return await run_in_threadpool(openings.open, opening_id, body, caller.name)
        except (ValueError, AggregateNotFoundError) as error:
            raise HTTPException(403, str(error)) from error

    app.router.routes.extend(token_routes.routes(authority).routes)
    return app


if __name__ == "__main__":
    uvicorn.run(
        "bench.obvious:create_app",
        factory=True,
        host="127.0.0.1",
        port=int(os.environ["OBVIOUS_PORT"]),
        workers=int(os.environ["OBVIOUS_WORKERS"]),
        access_log=False,
        log_level="warning",
    )
