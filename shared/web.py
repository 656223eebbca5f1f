"""Where rules meet HTTP: who is calling, problem documents (RFC 9457), health, the log's own route.

Rejections become problem documents here and nowhere else. Nothing of an unexpected error's text
leaves: the answer has an id, the service's own log has the rest.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import StringConstraints
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route
from starlette.types import ASGIApp
from typing_extensions import override

from shared import problem_pages, public_log, sandbox_routes
from shared.clock import Clock, SandboxClock
from shared.contracts.reasons import sentence
from shared.errors import Kind, Reason, Rejection
from shared.etags import EntityTags
from shared.ledger.indexing import Indexing
from shared.ledger.log import Log
from shared.ledger.seal import Seal
from shared.limits import Limits
from shared.message_signatures.requests import WANTED, SignedRequest
from shared.oauth.answers import UNSIGNED, challenge, insufficient
from shared.oauth.scopes import ALL, Scope
from shared.openapi import document
from shared.problem_pages import problem_type
from shared.proxies import CERTIFICATE
from shared.rates import REQUESTS_PER_MINUTE, Limited, RateHeaders, Rates
from shared.reference import page as reference_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STATUS = {
    Kind.INCOMPLETE: 400,
    Kind.MALFORMED: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.UNKNOWN: 404,
    Kind.CONFLICT: 409,
    Kind.REJECTED: 403,
    Kind.METHOD: 405,
    Kind.TOO_SLOW: 408,
    Kind.TOO_LARGE: 413,
    Kind.LIMITED: 429,
    Kind.UNAVAILABLE: 503,
}
"""Business rejections are 4xx; only an outage is 503, and it may be repeated."""

BAD_REQUEST, METHOD_NOT_ALLOWED, TOO_SLOW = 400, 405, 408

OF_FRAMEWORK = {
    BAD_REQUEST: (Kind.MALFORMED, "malformed"),
    404: (Kind.UNKNOWN, "not_found"),
    METHOD_NOT_ALLOWED: (Kind.METHOD, "method_not_allowed"),
    TOO_SLOW: (Kind.TOO_SLOW, "body_too_slow"),
    413: (Kind.TOO_LARGE, "body_too_large"),
}
"""What the framework says no to by itself; a body that is not JSON text is malformed, too."""

TOO_LARGE = ("body_too_large", [Reason("body_too_large")])

BODY_BYTES_MAX = 65_536
"""The largest command is a signed consent event with a few fields: about 4 kB."""

LOG_PAGE_FACTS_MAX = 1_000
"""Facts in one page of `GET /log`; bounds the memory of an answer."""

LOG_TAGS_MAX = 4
"""Tags that `GET /log` looks for together."""

Tag = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}:[\x21-\x7e]{1,300}$")]
"""A tag as facts carry it: what it is of, and an id."""

logger = logging.getLogger(__name__)


Said = Rejection | RequestValidationError | HTTPException
"""Every error that is told to the caller as what it is."""


class Role(StrEnum):
    """Whom a token stands for."""

    BANK = "bank"
    CLERK = "clerk"
    SERVICE = "service"
    REGULATOR = "regulator"
    OPERATOR = "operator"
    OVERSEER = "overseer"
    """An authority that may stop things: the people's committee, the police, the State Bank."""

    MANAGER = "manager"
    """Whoever runs an office; the id is the office's."""

    HOST = "host"
    """Whose place it is at which people are asked."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent the request: a role, and which bank, clerk or service it is."""

    role: Role
    id: str
    scopes: frozenset[Scope] = ALL
    """What the token is good for, if a client got it; a bearer token is for all of its role."""

    @property
    def name(self) -> str:
        """Return the caller as facts name it, such as `clerk:gdv-01`."""
        return f"{self.role}:{self.id}"


class Tokens:
    """The bearer tokens that are accepted, known by their SHA-256; none, if no file says so."""

    def __init__(self, callers: dict[str, Caller] | None = None) -> None:
        self._callers = callers or {}

    @classmethod
    def from_file(cls, file: Path | None) -> "Tokens":
        """Read `[{"sha256": …, "role": …, "id": …}]`; raises `ValueError` for anything else."""
        if file is None:
            return cls()
        rows = json.loads(file.read_bytes())
        return cls({row["sha256"]: Caller(Role(row["role"]), row["id"]) for row in rows})

    def caller(self, header: str | None) -> Caller:
        """Return who an `Authorization` header stands for; raises `Rejection`."""
        scheme, _, token = (header or "").partition(" ")
        known = hashlib.sha256(token.strip().encode()).hexdigest()
        for digest, caller in self._callers.items():
            if scheme.lower() == "bearer" and hmac.compare_digest(digest, known):
                return caller
        raise Rejection(Kind.UNAUTHENTICATED, "unauthenticated")


class Prover(Protocol):
    """Tells whom a request is from that has a token bound to a key, and shows that key."""

    async def caller(self, request: Request) -> Caller:
        """Return who sent a request whose `Authorization` is `DPoP …`; raises `Rejection`.

        Or `Bearer …`, where a proxy of ours handed over a certificate.
        """

    def signed(self, request: Request, body: bytes) -> SignedRequest | None:
        """Return a request as its caller signed it, None if they have no keys; or `Rejection`."""

    def counts(self, request: Request) -> bool:
        """Tell whether the token of a request that was proved still counts, for all that it did."""


def require(*roles: Role, scope: Scope | None = None) -> Callable[[Request], Awaitable[Caller]]:
    """Return a dependency that gives the caller, if it has one of the roles, and the scope.

    Whatever a bank may call has a scope, but for what everybody reads.
    """

    async def dependency(request: Request) -> Caller:
        return await caller_of(request, *roles, scope=scope)

    vars(dependency).update(roles=roles, scope=scope)  # for the document
    return dependency


async def caller_of(request: Request, *roles: Role, scope: Scope | None = None) -> Caller:
    """Return who sent the request, if it has one of the roles and the scope; raises `Rejection`."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:  # a proof counts once, also for those who ask twice within one request
        caller = request.state.caller = await _proved(request)
        _count(request, caller)
    if caller.role not in roles:
        raise Rejection(Kind.FORBIDDEN, "role_not_allowed")
    if scope and scope not in caller.scopes:
        reason = Reason("scope_insufficient", detail=scope)
        raise Rejection(Kind.FORBIDDEN, reason.code, reasons=[reason])
    return caller


def _count(request: Request, caller: Caller) -> None:
    """Take one request from the caller's bucket; our own services share the work, not the limit."""
    if caller.role is Role.SERVICE:
        return
    rates: Rates = request.app.state.rates
    try:
        request.state.rate = rates.take(caller.name)
    except Limited as no:
        request.state.rate = no.left
        raise


async def still_calls(request: Request) -> bool:
    """Tell whether whoever sent a request could still send it: for answers that take long."""
    prover: Prover | None = request.app.state.prover
    if prover and (_scheme(request) == "dpop" or _is_certified(request)):
        return prover.counts(request)
    try:
        await _proved(request)
    except Rejection:
        return False
    return True


async def _proved(request: Request) -> Caller:
    tokens: Tokens = request.app.state.tokens
    prover: Prover | None = request.app.state.prover
    if prover and _scheme(request) == "dpop":
        return await prover.caller(request)
    try:
        return tokens.caller(request.headers.get("authorization"))
    except Rejection:
        if prover and _is_certified(request):
            return await prover.caller(request)
        raise


def _scheme(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[0].lower()


def _is_certified(request: Request) -> bool:
    return _scheme(request) == "bearer" and CERTIFICATE in request.scope


Regulator = Annotated[Caller, Depends(require(Role.REGULATOR))]


def address_of(request: Request, issuer: str) -> str:
    """Return the address that a request was sent to: by what we are called, never by `Host`."""
    path, query = (request.scope[part] for part in ("raw_path", "query_string"))
    whole: bytes = path + b"?" + query if query else path
    return issuer + whole.decode("ascii", "replace")


async def host_of(request: Request) -> str | None:
    """Return the network address that a request came from, as the server was told of it."""
    return request.client.host if request.client else None


Host = Annotated[str | None, Depends(host_of)]
"""The network address of a request, to be marked at once and never kept or written."""


def create_web_app(
    *,
    name: str,
    title: str,
    summary: str,
    tokens: Tokens,
    log: Log,
    seal: Seal,
    now: Clock,
    close: Callable[[], Awaitable[None]],
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    prover: Prover | None = None,
    public_url: str,
    requests_per_minute: int = REQUESTS_PER_MINUTE,
) -> FastAPI:
    """Return an app with problem documents, health, the log for whom it is for, bounded bodies.

    `name` says which log it is. All of `background` runs while the app serves, until it is
    cancelled, and so does the log's index. Without a `prover` none but bearer tokens are accepted.
    `public_url` is where the service is reached, and so what a problem's `type` begins with. Each
    caller may ask `requests_per_minute` times of one process.
    """
    indexing = Indexing(log, name, lambda: seal.sealed, now)
    running = [indexing.run, *background]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> "AsyncIterator[None]":
        tasks = [asyncio.create_task(run()) for run in running]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.to_thread(seal.close)
        await close()

    app = _WebApp(
        title=title,
        summary=summary,
        lifespan=lifespan,
        max_body_size=BODY_BYTES_MAX,
        redirect_slashes=False,  # it would send a link on to whatever host the request names
        docs_url=None,  # the usual pages load scripts from elsewhere
        redoc_url=None,
    )
    vars(app)["openapi"] = partial(document, app)
    app.state.tokens, app.state.prover = tokens, prover
    app.state.log, app.state.seal = log, seal
    app.state.public_url = public_url = public_url.rstrip("/")
    app.state.rates = Rates(requests_per_minute)
    app.state.ends_at_stop = list[Callable[[], None]]()
    own = _own_routes(log, seal, indexing)
    add_routes(app, own, public_log.routes(seal, log.head), problem_pages.routes(public_url))
    add_routes(app, reference_page.routes(app.openapi))
    if isinstance(now, SandboxClock):
        add_routes(app, sandbox_routes.routes(now))
    _add_problems(app)
    return app


class _WebApp(FastAPI):
    """An app whose limits lie outside of the framework, which says no by itself to some."""

    @override
    def build_middleware_stack(self) -> ASGIApp:
        return Limits(
            EntityTags(RateHeaders(super().build_middleware_stack())),
            too_large=self._too_large,
        )

    def _too_large(self) -> JSONResponse:
        return problem(self.state.public_url, Kind.TOO_LARGE, *TOO_LARGE)


def add_routes(app: FastAPI, *routers: APIRouter) -> None:
    """Make the routes of these routers the app's own.

    `include_router` keeps each router instead: it builds a route once more when it is first asked
    for, and every request goes through router after router. That is for prefixes and
    dependencies of a router, of which we have none.
    """
    for router in routers:
        app.router.routes.extend(router.routes)


def _own_routes(log: Log, seal: Seal, indexing: Indexing) -> APIRouter:
    router = APIRouter()

    @router.get("/livez", tags=["health"])
    async def livez() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "alive"}

    @router.get("/readyz", tags=["health"])
    async def readyz() -> dict[str, Any]:
        """Tell that the log can be read, how far it goes, is sealed, and is witnessed."""
        head = await log.head()
        return {
            "status": "ready",
            "head": head,
            "sealed": seal.sealed,
            "witnessed": seal.witnessed,
            "trouble": seal.trouble,
            "witnesses": seal.witness_troubles,
        }

    @router.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Give how far the log is stored, sealed and witnessed, as Prometheus reads it."""
        figures = {
            "head_position": await log.head(),
            "sealed_position": seal.sealed,
            "witnessed_position": seal.witnessed,
            "sealing_trouble": int(seal.trouble is not None),
            "witnesses_in_trouble": len(seal.witness_troubles),
        }
        lines = [
            f"# TYPE thuan_log_{name} gauge\nthuan_log_{name} {value}\n"
            for name, value in figures.items()
        ]
        return Response("".join(lines), media_type="text/plain; version=0.0.4")

    @router.get("/log", tags=["regulator"])
    async def read_log(
        _: Regulator,
        after: Annotated[int, Query(ge=0, le=2**53)] = 0,
        limit: Annotated[int, Query(ge=1, le=LOG_PAGE_FACTS_MAX)] = 100,
        tag: Annotated[list[Tag] | None, Query(max_length=LOG_TAGS_MAX)] = None,
    ) -> Response:
        """Give the facts behind a position, in order, byte for byte as they are stored.

        With tags, such as `bank:so-viet`, only those that carry all of them.
        `parts` are the SHA-256 of what a fact says of persons, which lies beside it, encrypted.
        """
        facts = await log.stored(after=after, limit=limit, tags=tag or ())
        page = [
            {
                "position": stored.position,
                "recorded_at": stored.recorded_at,
                "kind": stored.kind,
                "tags": stored.tags,
                "data": msgspec.Raw(stored.data),
                "parts": [digest.hex() for digest in stored.part_digests],
            }
            for stored in facts
        ]
        last = facts[-1].position if facts else after
        body = msgspec.json.encode({"facts": page, "next": last})
        return Response(body, media_type="application/json")

    @router.post("/log/index", tags=["regulator"])
    async def index_log(_: Regulator) -> dict[str, Any]:
        """Index the tags of what is there, so that all positions of any of them can be proved.

        `indexed` is the last position that is under an index, and `position` where that lies. If it
        is less than `head`, the same again goes on; where nothing came but indexes, it adds none.
        """
        return await indexing.asked()

    return router


def problem(
    public_url: str, kind: Kind, code: str, reasons: Sequence[Reason], *, bearer: bool = False
) -> JSONResponse:
    """Return an RFC 9457 problem document with every reason, its sentences and positions.

    `bearer` tells that the request came with a token in that scheme, to be challenged in the same.
    """
    status = STATUS[kind]
    headers = dict[str, str]()
    if status == STATUS[Kind.UNAUTHENTICATED]:
        headers["WWW-Authenticate"] = challenge(code, bearer=bearer)
    if code in UNSIGNED:
        headers["Accept-Signature"] = WANTED
    if code == "scope_insufficient":
        headers["WWW-Authenticate"] = insufficient(reasons[0].detail, bearer=bearer)
    if status == TOO_SLOW:
        headers["Connection"] = "close"
    body = {
        "type": problem_type(public_url, code),
        "title": sentence(code, "en"),
        "title_vi": sentence(code, "vi"),
        "status": status,
        "code": code,
        "reasons": [_reason(reason) for reason in reasons],
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "code": reason.code,
        "en": sentence(reason.code, "en"),
        "vi": sentence(reason.code, "vi"),
        "positions": list(reason.positions),
        **({"detail": reason.detail} if reason.detail else {}),
    }


def problem_of(request: Request, error: Said) -> JSONResponse:
    """Return the problem document of an error that is the caller's, or an outage."""
    public_url: str = request.app.state.public_url
    match error:
        case Rejection() as no:
            bearer = _scheme(request) == "bearer"
            answer = problem(public_url, no.kind, no.code, no.reasons, bearer=bearer)
            answer.headers.update(no.headers)
            return answer
        case RequestValidationError():
            # The caller's own values are not echoed: they may be personal.
            reasons = [Reason("malformed", detail=_place(one)) for one in error.errors()]
            return problem(public_url, Kind.MALFORMED, "malformed", reasons)
        case _:
            kind, code = OF_FRAMEWORK.get(error.status_code, OF_FRAMEWORK[BAD_REQUEST])
            return problem(public_url, kind, code, [Reason(code)])


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(Rejection)
    async def rejected(request: Request, error: Rejection) -> JSONResponse:
        return problem_of(request, error)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_of(request, error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        answer = problem_of(request, error)
        if error.status_code == METHOD_NOT_ALLOWED:
            answer.headers["Allow"] = ", ".join(sorted(_allowed(request)))
        return answer

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, _: ClientDisconnect) -> JSONResponse:
        """Go on; whoever sent half a body hears no answer, and it is no error of ours."""
        return problem_of(request, HTTPException(BAD_REQUEST))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        incident = str(uuid.uuid4())
        logger.error("unexpected error %s", incident, exc_info=error)
        named = problem_type(request.app.state.public_url, "unexpected")
        body = {"type": named, "status": 500, "code": "unexpected"}
        return JSONResponse(
            {**body, "incident": incident}, 500, media_type="application/problem+json"
        )


def _allowed(request: Request) -> set[str]:
    """Return every method of an address; each of several routes there has its own."""
    asked = {**request.scope, "path_params": {}}
    routes = [one for one in request.app.routes if isinstance(one, Route)]
    fitting = [one for one in routes if one.matches(asked)[0] is not Match.NONE]
    return {method for one in fitting for method in one.methods or ()}


def _place(error: dict[str, Any]) -> str:
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['type']}"
