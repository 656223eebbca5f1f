"""A witness that speaks C2SP tlog-witness: one route, and nothing that anyone need be trusted with.

Whoever runs it (a regulator, a second bank, an auditor) need not trust the log, nor the log them:
it cosigns only what continues what it saw before, so a log that shows two histories is caught.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from services.witness.seen import Discontinuous, Elsewhere, Seen, create_seen
from services.witness.settings import Settings
from shared.clock import system_clock
from shared.ledger.keys import create_keys, load_keys
from shared.ledger.notes import Algorithm, BadNote, SigningKey, VerifierKey, signers
from shared.ledger.policy import Policy
from shared.ledger.submissions import BadSubmission, Submission

SIGNED_WITH = (Algorithm.COSIGNATURE, Algorithm.ML_DSA_44)
BODY_BYTES_MAX = 65_536
TEXT = "text/plain; charset=utf-8"
SIZE_TEXT = "text/x.tlog.size"
"""The media type of a refusal that says where the log stands for us."""

KEYS_FILE = "witness.keys.json"

logger = logging.getLogger(__name__)


class Cosigner:
    """Cosigns checkpoints of the logs it knows."""

    def __init__(
        self,
        logs: Sequence[VerifierKey],
        keys: Sequence[SigningKey],
        seen: Seen,
        now: Callable[[], datetime],
    ) -> None:
        self._logs = logs
        self._keys = keys
        self._seen = seen
        self._now = now

    def add_checkpoint(self, body: bytes) -> Response:
        """Answer a submission with cosignatures, or with the status that says why not."""
        try:
            submitted = Submission.parse(body)
        except BadSubmission as error:
            return Response(f"{error}\n", 400, media_type=TEXT)
        known = [key for key in self._logs if key.name == submitted.checkpoint.origin]
        if not known:
            return Response("this log is not known here\n", 404, media_type=TEXT)
        if not _signed(submitted, known):
            return Response("no signature by a key of the log\n", 403, media_type=TEXT)
        try:
            self._seen.advance(submitted, submitted.note.text().encode())
        except Elsewhere as error:
            return Response(f"{error.size}\n", 409, headers={"Content-Type": SIZE_TEXT})
        except Discontinuous as error:
            logger.critical("%s does not continue: %r", submitted.checkpoint.origin, body)
            return Response(f"{error}\n", 422, media_type=TEXT)
        cosignatures = [key.sign(submitted.note.body, self._now()).line() for key in self._keys]
        return Response("".join(cosignatures), media_type=TEXT)


def create_app(settings: Settings) -> FastAPI:
    """Return the witness, ready to serve; `init` made its folder before."""
    logs = Policy.parse(settings.logs.read_text("utf-8")).logs if settings.logs else []
    keys = load_keys(settings.folder / KEYS_FILE)
    seen = Seen(settings.folder / "seen.db")
    cosigner = Cosigner(logs, keys, seen, system_clock)
    app = FastAPI(
        title="Thuận witness",
        summary="Cosigns what continues what it saw before (C2SP tlog-witness).",
        max_body_size=BODY_BYTES_MAX,
        docs_url=None,
        redoc_url=None,
    )

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        """Cosign a checkpoint that continues the one seen last."""
        return await run_in_threadpool(cosigner.add_checkpoint, await request.body())

    @app.get("/vkeys")
    async def verifier_keys() -> Response:
        """Give the keys that cosignatures are checked with, for policy files."""
        return Response("".join(f"{key.verifier}\n" for key in keys), media_type=TEXT)

    @app.get("/readyz")
    async def readyz() -> dict[str, Any]:
        """Tell how far each log was seen to grow."""
        sizes = {key.name: seen.last(key.name).size for key in logs}
        return {"status": "ready", "seen": sizes}

    return app


def init(settings: Settings) -> None:
    """Make keys and memory where they are missing; changes nothing that is there."""
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    create_seen(settings.folder / "seen.db")
    create_keys(settings.folder / KEYS_FILE, settings.name, SIGNED_WITH)


def from_env() -> FastAPI:
    """Return the witness as the environment sets it."""
    return create_app(Settings())


def _signed(submitted: Submission, known: Sequence[VerifierKey]) -> bool:
    try:
        return bool(signers(submitted.note, known))
    except BadNote:
        return False
