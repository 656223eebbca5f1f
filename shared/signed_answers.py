"""Answers that are signed where the request was, or where it asks for that (`Accept-Signature`).

So a bank has more than its own word for what it was told, a rejection as much as an account.
"""

import logging
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from typing_extensions import override

from shared.clock import Clock
from shared.errors import Rejection
from shared.message_signatures.answers import sign_answer
from shared.message_signatures.messages import INPUT, SIGNATURE
from shared.message_signatures.messages import Answer as Signed
from shared.message_signatures.messages import Request as Message
from shared.signing import NoKey, Signer, load_keys, renew_keys
from shared.watched import Watched
from shared.web import address_of, problem_of

KEYS = "answer-keys"
"""The folder, in a service's own, of the keys that sign its answers and nothing else."""

ASKED_BY = (SIGNATURE, INPUT, "accept-signature")
"""Header fields of a request whose answer is signed."""

logger = logging.getLogger(__name__)


class Answers:
    """Signs a service's answers."""

    def __init__(self, issuer: str, folder: Path, now: Clock) -> None:
        """`issuer` is the address at which clients reach the service."""
        self._issuer, self._now = issuer.rstrip("/"), now
        self._keys = Watched(folder / KEYS, partial(_signer, self._issuer))

    def public_keys(self) -> dict[str, Any]:
        """Return all keys as a JWK set, those of the past included."""
        return self._keys.content().public_keys()

    def sign(self, request: Request, answer: Response) -> None:
        """Sign an answer, if its request wants that; without a valid key it goes out unsigned."""
        if not any(name in request.headers for name in ASKED_BY):
            return
        given = request.headers.getlist(SIGNATURE)
        headers = {SIGNATURE: ", ".join(given)} if given else {}
        message = Message(request.method, address_of(request, self._issuer), headers)
        at = self._now()
        try:
            key = self._keys.content().key_at(at)
        except NoKey:  # what was done is done, and has to be told
            logger.exception("there is no key to sign answers with: run init")
            return
        kept = {"content-type": answer.headers.get("content-type", "")}
        signed = Signed(answer.status_code, kept, message)
        sign_answer(signed, bytes(answer.body), key, at)
        answer.headers.update(signed.headers)


class SignedRoute(APIRoute):
    """A route whose answers are signed, also those that say no."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = self.handler()

        async def signing(request: Request) -> Response:
            try:
                answer = await handle(request)
            except (Rejection, RequestValidationError, HTTPException) as error:
                answer = problem_of(request, error)
            answers: Answers = request.app.state.answers
            answers.sign(request, answer)
            return answer

        return signing

    def handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers before anything is signed."""
        return super().get_route_handler()


def routes(answers: Answers) -> APIRouter:
    """Return the route of the public keys."""
    router = APIRouter(tags=["keys"])

    @router.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, Any]:
        """Give every key that ever signed an answer, with its validity."""
        return answers.public_keys()

    return router


def create_answer_keys(folder: Path, now: Clock) -> None:
    """Make the keys in a service's folder, where missing; renew them."""
    renew_keys(folder / KEYS, now())


def _signer(issuer: str, folder: Path) -> Signer:
    return Signer(issuer, load_keys(folder))
