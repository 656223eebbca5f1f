"""Clerks and banks open, banks answer, each reads what is theirs; the regulator reads all."""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, StringConstraints
from starlette.exceptions import HTTPException
from typing_extensions import override

from services.accounts.application import Openings, Reading
from services.accounts.openings import Command
from shared.contracts.fields import ID_PATTERN, CaseId, Id, PathId, Purpose, Sha256
from shared.errors import Kind, Rejection
from shared.looks import ReadFor, purpose_of
from shared.message_signatures.requests import SignedRequest
from shared.signed_requests import signed_as
from shared.signing import TOKEN_CHARACTERS_MAX
from shared.web import Caller, Host, Role, caller_of, require

Opener = Annotated[Caller, Depends(require(Role.CLERK, Role.BANK))]
Bank = Annotated[Caller, Depends(require(Role.BANK))]
Reader = Annotated[Caller, Depends(require(Role.CLERK, Role.BANK, Role.SERVICE, Role.REGULATOR))]
CitizenReader = Annotated[Caller, Depends(require(Role.SERVICE, Role.REGULATOR))]
After = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=1, le=100)]

BAD_REQUEST = 400
"""What FastAPI makes of a body that is not even JSON text."""

LATER = frozenset({"fee_hash", "officer_id"})
"""Fields that came later: empty, they are not in a command at all, which so keeps its hash."""

TAGS = {Role.CLERK: "clerk", Role.BANK: "bank"}
"""The tag that limits what a role sees; the others see everything."""


class OpenAccount(BaseModel):
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


class Confirmation(BaseModel):
    """The bank's account number."""

    account_number: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{6,34}$")]


class Declination(BaseModel):
    """The bank's reason, a code of its own."""

    reason: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


SignedOpening = Annotated[SignedRequest | None, Depends(signed_as(OpenAccount))]
SignedConfirmation = Annotated[SignedRequest | None, Depends(signed_as(Confirmation))]
SignedDeclination = Annotated[SignedRequest | None, Depends(signed_as(Declination))]


class _RecordingRoute(APIRoute):
    """A route whose unreadable commands are facts too."""

    openings: Openings

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def recording(request: Request) -> Response:
            try:
                return await handle(request)
            except (RequestValidationError, HTTPException) as error:
                if getattr(error, "status_code", BAD_REQUEST) == BAD_REQUEST:
                    await self._record(request)
                raise

        return recording

    async def _record(self, request: Request) -> None:
        caller = await caller_of(request, Role.CLERK, Role.BANK)
        opening_id = request.path_params["opening_id"]
        if re.match(ID_PATTERN, opening_id):
            await self.openings.unread(opening_id, caller.name)


class Stopping(BaseModel):
    """A stop that the consent service signed; its signature is all the right that it needs."""

    stop: Annotated[str, StringConstraints(max_length=TOKEN_CHARACTERS_MAX)]


def routes(openings: Openings) -> APIRouter:
    """Return the routes of openings."""
    router = APIRouter(tags=["openings"])
    commands = APIRouter(
        tags=["openings"],
        route_class=type("RecordingRoute", (_RecordingRoute,), {"openings": openings}),
    )

    @commands.put("/openings/{opening_id}", status_code=201)
    async def open_account(
        opening_id: PathId, body: OpenAccount, opener: Opener, host: Host, signed: SignedOpening
    ) -> dict[str, Any]:
        """Open an account; the caller makes the id, and may repeat the call.

        Only the bank opens. A clerk's command is rejected, and the attempt recorded. A bank with
        keys of its own signs this (RFC 9421), and the signature is kept with the account.
        """
        said = {name: one for name, one in body.model_dump().items() if one or name not in LATER}
        command = Command(opening_id=opening_id, **said)
        return await openings.open(command, opener.name, host, signed)

    @router.put("/openings/{opening_id}/confirmation")
    async def confirm(
        opening_id: PathId, body: Confirmation, bank: Bank, signed: SignedConfirmation
    ) -> dict[str, Any]:
        """Say that the bank opened the account, with its number."""
        return await openings.confirm(opening_id, bank.id, body.account_number)

    @router.put("/openings/{opening_id}/declination")
    async def decline(
        opening_id: PathId, body: Declination, bank: Bank, signed: SignedDeclination
    ) -> dict[str, Any]:
        """Say that the bank does not open the account."""
        return await openings.decline(opening_id, bank.id, body.reason, signed)

    @router.post("/stops")
    async def halt(body: Stopping) -> dict[str, Any]:
        """Take a signed stop: nothing opens with its consent any more, what it opened is frozen."""
        return await openings.halt(body.stop)

    @router.get("/openings/{opening_id}")
    async def read(opening_id: PathId, reader: Reader, case_id: CaseId = None) -> dict[str, Any]:
        """Give an opening with its whole history; the look is recorded first.

        The citizen sees the reader, the fields, and the case, which is the reader's own.
        """
        opening = await openings.opening(opening_id)
        own = TAGS.get(reader.role)
        if own and opening[f"{own}_id"] != reader.id:
            raise Rejection(Kind.UNKNOWN, "opening_unknown")
        await openings.look([opening], _reading(reader, case_id))
        return opening

    @router.get("/openings")
    async def page(
        reader: Reader, after: After = 0, limit: Limit = 50, case_id: CaseId = None
    ) -> dict[str, Any]:
        """List the caller's openings, oldest first, behind a cursor; each look is recorded."""
        own = TAGS.get(reader.role)
        tag = f"{own}:{reader.id}" if own else None
        listed = await openings.openings(tag, after=after, limit=limit)
        await openings.look(listed["openings"], _reading(reader, case_id))
        return listed

    @router.get("/citizens/{citizen_id}/openings")
    async def of_citizen(
        citizen_id: PathId,
        reader: CitizenReader,
        after: After = 0,
        limit: Limit = 50,
        case_id: CaseId = None,
    ) -> dict[str, Any]:
        """List the openings in a citizen's name, oldest first, and whoever looked at them.

        A service asks for the citizen's own page; each look is recorded first.
        """
        reading = _reading(reader, case_id, for_a_service=ReadFor.OWN_PAGE)
        return await openings.of_citizen(citizen_id, reading, after=after, limit=limit)

    router.routes.extend(commands.routes)
    return router


def _reading(
    reader: Caller, case_id: str | None, *, for_a_service: ReadFor = ReadFor.SERVICE
) -> Reading:
    of_service = reader.role is Role.SERVICE
    purpose = for_a_service if of_service else purpose_of(reader.name)
    return Reading(read_by=reader.name, purpose=purpose, case_id=case_id)
