"""The document by which others program against a service (OpenAPI 3.1).

FastAPI writes what each route takes and gives. Here it is told what is true of all of them: whose
each one is, how a caller shows who they are, and each no that may be the answer. The documents are
kept in `docs/api/`, so that a change of them is seen before it is made.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from shared.problems import Problem, Why

VERSION: Final = "1"
"""Of the API, not of the program: docs/changes.md says when there will be another."""

SECURITY: Final[dict[str, Any]] = {
    "client": {
        "type": "http",
        "scheme": "dpop",
        "description": "An access token from `/oauth/token`, and a proof for this request in the"
        " header `DPoP` (RFC 9449). Where an operation names a scope, the token is good for that.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A bearer token; or, behind a proxy that hands over certificates, an access"
        " token that is bound to one (RFC 8705).",
    },
}

COMMANDS: Final = frozenset({"put", "post", "delete"})

KEY: Final = "idempotency-key"
"""The header field that some requests cannot do without; its own no says more than a 422."""

KEY_PATTERN: Final = r"""^("[ !#-\[\]-~]{1,255}"|[A-Za-z0-9_!#$%&'*+.^`|~:/=-]{1,255})$"""
"""A string as RFC 9651 spells it, or the same without quotes (`shared/claimed.py`)."""

MEANINGS: Final[dict[int, str]] = {
    400: "The key that makes the same request twice the same is missing, or cannot be read.",
    401: "Who is asking is not known, or what was shown proves nothing.",
    403: "Not for this role, or the rules do not allow it; every reason is named.",
    404: "There is nothing here, or nothing of yours.",
    409: "Something else has happened first; the reasons name where.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    422: "Not of the documented form; the reasons name each place.",
    429: "You have asked too often; Retry-After says in how many seconds to go on.",
    503: "Nothing was decided; the same request may be sent again.",
}
"""What a no of each status means, whichever route gives it."""


DONE: Final = {
    "200": "As asked.",
    "201": "Done; the same call again is answered alike.",
    "204": "Done, and nothing to say of it.",
}
"""In place of the framework's own words."""

UNCHANGED: Final = {"description": "The same as you have, by the tag in If-None-Match."}

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def document(app: FastAPI) -> dict[str, Any]:
    """Return an app's document; made once, since no route changes while it serves."""
    if app.openapi_schema is None:
        app.openapi_schema = _made(app)
    return app.openapi_schema


def _made(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(
        title=app.title,
        version=VERSION,
        summary=app.summary,
        routes=app.routes,
    )
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                _complete(made["paths"][route.path_format][method.lower()], route, method.lower())
    made["webhooks"] = getattr(app.state, "hooks", {})
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for ours in ("HTTPValidationError", "ValidationError"):
        schemas.pop(ours, None)
    schemas |= _problem_schemas()
    made["components"]["securitySchemes"] = SECURITY
    return made


def _complete(operation: dict[str, Any], route: APIRoute, method: str) -> None:
    """Say what the framework cannot know of one operation."""
    tag = str(route.tags[0]) if route.tags else ""
    operation["operationId"] = f"{tag}_{route.name}".replace(" ", "_")
    answers = operation["responses"]
    answers.pop("422", None)
    for name, text in _headers(route.dependant):
        operation.setdefault("parameters", []).append(_header(name, text))
    if roles := list(dict.fromkeys(_roles(route.dependant))):
        scopes = list(dict.fromkeys(_scopes(route.dependant)))
        operation["security"] = [{"client": scopes}, {"bearer": []}]
        operation["x-roles"] = roles
    if method == "get" and "application/json" in answers.get("200", {}).get("content", {}):
        answers["304"] = UNCHANGED
    for status in DONE.keys() & answers.keys():
        if answers[status]["description"] == "Successful Response":
            answers[status]["description"] = DONE[status]
    for one in operation.get("parameters", ()):
        if one["name"] == KEY:
            one |= {"required": True, "schema": {"type": "string", "pattern": KEY_PATTERN}}
        elif one["in"] == "header":  # the framework's list of lines is one text to a client
            one["schema"] = {"type": "string"}
    for status in sorted({*_nos(route, method, operation, roles), *_said(answers)}):
        answer = answers.setdefault(str(status), {})
        answer.setdefault("description", MEANINGS[status])
        answer.setdefault("content", _PROBLEM)


def _nos(
    route: APIRoute, method: str, operation: dict[str, Any], roles: Sequence[str]
) -> Iterator[int]:
    """Yield with which statuses an operation may say no."""
    if "health" in route.tags:
        yield 503
        return
    if roles:
        yield from (401, 403, 429)
    if "{" in route.path_format:
        yield 404
    if operation.get("parameters") or "requestBody" in operation:
        yield 422
    if "requestBody" in operation:
        yield from (408, 413)
    if any(one["name"] == KEY for one in operation.get("parameters", ())):
        yield 400
    if method in COMMANDS:
        yield from (403, 404, 409)
    yield 503


def _roles(dependant: Dependant) -> Iterator[str]:
    """Yield whose an operation is: the roles that `shared.web.require` was given."""
    for one in dependant.dependencies:
        yield from getattr(one.call, "roles", ())
        yield from _roles(one)


def _headers(dependant: Dependant) -> Iterator[tuple[str, str]]:
    """Yield the header fields that an operation reads without the framework, and what each is."""
    for one in dependant.dependencies:
        yield from getattr(one.call, "headers", {}).items()


def _header(name: str, text: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "description": text, "required": False, "schema": schema}


def _scopes(dependant: Dependant) -> Iterator[str]:
    """Yield what a client's token has to be good for, as `shared.web.require` was told."""
    for one in dependant.dependencies:
        if scope := getattr(one.call, "scope", None):
            yield str(scope)
        yield from _scopes(one)


def _said(answers: dict[str, Any]) -> Iterator[int]:
    """Yield the noes that a route names itself."""
    return (int(one) for one in answers if int(one) in MEANINGS)


def _problem_schemas() -> dict[str, Any]:
    _, found = models_json_schema(
        [(Problem, "serialization"), (Why, "serialization")],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = found["$defs"]
    return schemas
