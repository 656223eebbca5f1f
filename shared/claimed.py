"""`Idempotency-Key` on a `POST` that changes something (draft-ietf-httpapi-idempotency-key-header).

A route opts in by asking for `claimed: Claimed` and doing its work within `async with claimed:`.
What it does must by itself have the effect of once; the key makes sure that a repetition is one.
"""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from shared.claims import CLAIM, Claim, claim_of
from shared.errors import Kind, Rejection
from shared.in_flight import InFlight
from shared.ledger.log import Log
from shared.web import Role, caller_of

CHARACTERS_MAX = 255

STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"', re.ASCII)
"""A string as RFC 9651 section 3.3.3 spells it, which is what the draft asks for."""

TOKEN = re.compile(r"[\w!#$%&'*+.^`|~:/=-]+", re.ASCII)
"""The same key without quotes, as most clients send it."""

RETRY_AFTER_S = 1

REPLAYED = {"Idempotency-Replayed": "true"}


@dataclass
class Claiming:
    """One request's claim of its key: made when the block begins, held alone until it ends."""

    claim: Claim
    log: Log
    in_flight: InFlight
    response: Response
    _alone: AbstractContextManager[bool] | None = field(default=None, init=False)
    _replayed: bool = field(default=False, init=False)

    async def __aenter__(self) -> None:
        alone = self.in_flight.alone(self.claim.request_id)
        if not alone.__enter__():
            alone.__exit__(None, None, None)
            retry = {"Retry-After": str(RETRY_AFTER_S)}
            raise Rejection(Kind.CONFLICT, "request_in_flight", headers=retry)
        self._alone = alone
        try:
            outcome = await self.log.perform(CLAIM, self.claim)
        except BaseException:
            alone.__exit__(None, None, None)
            raise
        self._replayed = not outcome.added
        if self._replayed:
            self.response.headers.update(REPLAYED)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._alone
        self._alone.__exit__(None, None, None)
        if self._replayed and isinstance(error, Rejection):
            error.headers |= REPLAYED


async def claimed(
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str, Header(description="Yours, a fresh one for each thing that you want done.")
    ] = "",
) -> Claiming:
    """Return the claim of a request; raises `Rejection` for one without a key."""
    caller = await caller_of(request, *Role)
    key = _key(request.headers.getlist("idempotency-key"))
    path, query = (request.scope[part] for part in ("raw_path", "query_string"))
    address = (path + b"?" + query).decode("ascii", "replace")
    claim = claim_of(caller.name, key, request.method, address, await request.body())
    state = request.app.state
    return Claiming(claim, state.log, state.in_flight, response)


Claimed = Annotated[Claiming, Depends(claimed)]
"""A request with a key; its work is done within `async with` it."""


def _key(fields: list[str]) -> str:
    """Return a request's key; raises `Rejection`."""
    if len(fields) != 1 or not (said := fields[0].strip(" ")):
        raise Rejection(Kind.INCOMPLETE, "idempotency_key_missing")
    quoted = STRING.fullmatch(said)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else said
    if not 0 < len(key) <= CHARACTERS_MAX or not (quoted or TOKEN.fullmatch(said)):
        raise Rejection(Kind.INCOMPLETE, "idempotency_key_malformed")
    return key
