"""What a route gets of a command: whom it is from, what they signed, how long they would wait.

A signature (RFC 9421) is kept with what follows from it, so nothing may hide in what it covers: a
signed body has the documented members and no other, each once, in ASCII.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header, Request, Response
from pydantic import BaseModel

from shared.errors import Kind, Reason, Rejection
from shared.message_signatures.requests import SignedRequest, members_of
from shared.oauth.scopes import Scope
from shared.preferring import Waiting, wait_of
from shared.web import Caller, Prover, Role, caller_of, host_of

HEADERS = {
    "Content-Digest": "The digest of the body (RFC 9530), in what is signed.",
    "Signature-Input": "What is signed, when, with which key (RFC 9421).",
    "Signature": "The signature; needed of whoever calls with keys of their own.",
}
"""The fields of a command beside those of every request."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A command as it was sent; `signed` is None from callers without keys of their own."""

    caller: Caller
    host: str | None
    """The network address that it came from, to be marked at once and never kept or written."""

    signed: SignedRequest | None
    waiting: Waiting


Prefer = Annotated[
    list[str] | None,
    Header(description="`wait=N`: up to N seconds, 10 at most, for a `proof` in the answer."),
]


def sent_as(model: type[BaseModel], *roles: Role, scope: Scope) -> Callable[..., Awaitable[Sent]]:
    """Return a dependency that gives a command whose body is such a model, from these roles.

    Whoever has keys of their own must have signed it.
    """
    members = frozenset(model.model_fields)

    async def dependency(request: Request, response: Response, prefer: Prefer = None) -> Sent:
        caller = await caller_of(request, *roles, scope=scope)  # who it is comes before all
        prover: Prover | None = request.app.state.prover
        body = await request.body()
        signed = prover.signed(request, body) if prover else None
        if signed:
            _check_plain(body, members)
        waiting = Waiting(wait_of(prefer or []), request.app.state.seal, response)
        return Sent(caller, await host_of(request), signed, waiting)

    vars(dependency).update(roles=roles, scope=scope, headers=HEADERS)  # for the document
    return dependency


def _check_plain(body: bytes, members: frozenset[str]) -> None:
    """Check that a body says nothing beside its members; raises `Rejection`."""
    said = members_of(body)
    if said is None or not set(said) <= members:
        detail = "body: a signed one has the documented members alone, each once, in ASCII"
        raise Rejection(Kind.MALFORMED, "malformed", reasons=[Reason("malformed", detail=detail)])
