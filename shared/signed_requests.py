"""What a command's route asks of a caller with keys of their own: that they sign it (RFC 9421).

The signature is kept with what follows from it, so nothing may hide in what it covers: a signed
body has the documented members and no other, each once, in ASCII.
"""

from collections.abc import Awaitable, Callable

from fastapi import Request
from pydantic import BaseModel

from shared.errors import Kind, Reason, Rejection
from shared.message_signatures.requests import SignedRequest, members_of
from shared.web import Prover, Role, caller_of


def signed_as(
    model: type[BaseModel],
) -> Callable[[Request], Awaitable[SignedRequest | None]]:
    """Return a dependency that gives a request, whose body is such a model, as it was signed.

    None from callers without keys of their own.
    """
    members = frozenset(model.model_fields)

    async def dependency(request: Request) -> SignedRequest | None:
        await caller_of(request, *Role)  # who it is comes before what they signed
        prover: Prover | None = request.app.state.prover
        body = await request.body()
        signed = prover and prover.signed(request, body)
        if signed:
            _check_plain(body, members)
        return signed or None

    return dependency


def _check_plain(body: bytes, members: frozenset[str]) -> None:
    """Check that a body says nothing beside its members; raises `Rejection`."""
    said = members_of(body)
    if said is None or not set(said) <= members:
        detail = "body: a signed one has the documented members alone, each once, in ASCII"
        raise Rejection(Kind.MALFORMED, "malformed", reasons=[Reason("malformed", detail=detail)])
