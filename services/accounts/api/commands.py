"""What a bank does to an account: opens, confirms or declines it, freezes or closes it.

Each is a `PUT` to an id of the caller's, so the same again does nothing more (RFC 9110 section
9.2.2). Whoever calls with keys of their own signs it, and gets a signed answer.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from msgspec import UNSET
from pydantic import StringConstraints
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from typing_extensions import override

from services.accounts.api.shapes import AS_GIVEN, OpeningRead
from services.accounts.application import Openings
from services.accounts.facts import (
    AccountClosed,
    AccountConfirmed,
    AccountDeclined,
    AccountFrozenByBank,
)
from services.accounts.lines import NUMBER_PATTERN
from services.accounts.openings import Command
from services.accounts.orders import Close, Freeze
from shared.commands import Sent, sent_as
from shared.contracts.fields import ID_PATTERN, Id, Input, PathId, Purpose, Sha256
from shared.oauth.scopes import Scope
from shared.signed_answers import SignedRoute
from shared.signing import TOKEN_CHARACTERS_MAX
from shared.web import Role, caller_of

BAD_REQUEST = 400
"""What FastAPI makes of a body that is not even JSON text."""

LATER = frozenset({"fee_hash", "officer_id"})
"""Fields that came later: empty, they are not in a command at all, which so keeps its hash."""


OPENING = "/openings/{opening_id}"

ReasonCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""A word of the bank's own; never a sentence, which could name somebody."""


class OpenAccount(Input):
    """The open-account command; without a consent it is rejected, and the attempt recorded."""

    citizen_id: Id
    bank_id: Id
    product_id: Id
    terms_hash: Sha256
    purpose: Purpose
    office_id: Id | None = None
    site_id: Id | None = None
    clerk_id: Id | None = None
    consent: Annotated[str, StringConstraints(max_length=TOKEN_CHARACTERS_MAX)] | None = None
    """The signed consent event (compact JWS)."""

    fee_hash: Sha256 | None = None
    """The fees that the account is opened under; named, they are compared with those signed for."""

    officer_id: Id | None = None
    """Who decided at the bank, where a person did; a clerk of an office is none."""


class Confirmation(Input):
    """The bank's account number."""

    account_number: Annotated[str, StringConstraints(pattern=NUMBER_PATTERN)]


class Declination(Input):
    """The bank's reason, a code of its own."""

    reason: ReasonCode


class Freezing(Input):
    """Why the bank freezes the account, a code of its own."""

    reason: ReasonCode


class Closure(Input):
    """Why the bank closed the account, a code of its own."""

    reason: ReasonCode


Opening = Annotated[
    Sent, Depends(sent_as(OpenAccount, Role.CLERK, Role.BANK, scope=Scope.OPENINGS))
]
Confirming = Annotated[Sent, Depends(sent_as(Confirmation, Role.BANK, scope=Scope.OPENINGS))]
Declining = Annotated[Sent, Depends(sent_as(Declination, Role.BANK, scope=Scope.OPENINGS))]
ToFreeze = Annotated[Sent, Depends(sent_as(Freezing, Role.BANK, scope=Scope.OPENINGS))]
ToClose = Annotated[Sent, Depends(sent_as(Closure, Role.BANK, scope=Scope.OPENINGS))]


class _RecordingRoute(SignedRoute):
    """A route whose unreadable commands are facts too; what was lost on the way is none."""

    openings: Openings

    @override
    def handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().handler()

        async def recording(request: Request) -> Response:
            try:
                return await handle(request)
            except (RequestValidationError, HTTPException) as error:
                is_whole = not isinstance(error.__cause__, ClientDisconnect)
                if is_whole and getattr(error, "status_code", BAD_REQUEST) == BAD_REQUEST:
                    await self._record(request)
                raise

        return recording

    async def _record(self, request: Request) -> None:
        caller = await caller_of(request, Role.CLERK, Role.BANK, scope=Scope.OPENINGS)
        opening_id = request.path_params["opening_id"]
        if re.fullmatch(ID_PATTERN, opening_id):
            await self.openings.unread(opening_id, caller.name)


def routes(openings: Openings) -> APIRouter:
    """Return the routes of commands."""
    router = APIRouter(tags=["openings"], route_class=SignedRoute)
    recorded = APIRouter(
        tags=["openings"],
        route_class=type("RecordingRoute", (_RecordingRoute,), {"openings": openings}),
    )

    @recorded.put(OPENING, status_code=201, response_model=OpeningRead, **AS_GIVEN)
    async def open_account(opening_id: PathId, body: OpenAccount, sent: Opening) -> dict[str, Any]:
        """Open an account; the caller makes the id, and may repeat the call.

        Only the bank opens. A clerk's command is rejected, and the attempt recorded. A bank with
        keys of its own signs this (RFC 9421), and the signature is kept with the account. With
        `Prefer: wait=N`, N at most 10 seconds, the answer has a `proof` that it is sealed.
        """
        said = {name: one for name, one in body.model_dump().items() if one or name not in LATER}
        command = Command(opening_id=opening_id, **said)
        opening = await openings.open(command, sent.caller.name, sent.host, sent.signed)
        return await sent.waiting.proved(opening, opening["position"])

    @router.put(f"{OPENING}/confirmation", response_model=OpeningRead, **AS_GIVEN)
    async def confirm(opening_id: PathId, body: Confirmation, sent: Confirming) -> dict[str, Any]:
        """Say that the bank opened the account, with its number."""
        opening = await openings.confirm(opening_id, sent.caller.id, body.account_number)
        return await sent.waiting.proved(opening, _at(opening, AccountConfirmed))

    @router.put(f"{OPENING}/declination", response_model=OpeningRead, **AS_GIVEN)
    async def decline(opening_id: PathId, body: Declination, sent: Declining) -> dict[str, Any]:
        """Say that the bank does not open the account."""
        opening = await openings.decline(opening_id, sent.caller.id, body.reason, sent.signed)
        return await sent.waiting.proved(opening, _at(opening, AccountDeclined))

    @router.put(f"{OPENING}/freezing", response_model=OpeningRead, **AS_GIVEN)
    async def freeze(opening_id: PathId, body: Freezing, sent: ToFreeze) -> dict[str, Any]:
        """Say that the bank lets nothing happen with the account."""
        opening = await openings.order(_order(Freeze, opening_id, body.reason, sent))
        return await sent.waiting.proved(opening, _at(opening, AccountFrozenByBank))

    @router.put(f"{OPENING}/closure", response_model=OpeningRead, **AS_GIVEN)
    async def close(opening_id: PathId, body: Closure, sent: ToClose) -> dict[str, Any]:
        """Say that the bank closed the account, for good; a frozen one may be closed."""
        opening = await openings.order(_order(Close, opening_id, body.reason, sent))
        return await sent.waiting.proved(opening, _at(opening, AccountClosed))

    router.routes.extend(recorded.routes)
    return router


OrderT = TypeVar("OrderT", Freeze, Close)


def _order(kind: type[OrderT], opening_id: str, reason: str, sent: Sent) -> OrderT:
    signed = sent.signed or UNSET
    return kind(opening_id=opening_id, bank_id=sent.caller.id, reason=reason, signed=signed)


def _at(opening: dict[str, Any], kind: type[Any]) -> int:
    """Return where an opening's last fact of a kind lies."""
    positions = [line["position"] for line in opening["history"] if line["kind"] == kind.NAME]
    return int(positions[-1])
