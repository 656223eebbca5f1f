"""Where a client gets an access token (RFC 6749 section 4.4), and reads how (RFC 8414).

A no is in the words of RFC 6749 section 5.2, with our own code and sentences beside them.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.datastructures import FormData

from shared.authority import Authority
from shared.contracts.reasons import sentence
from shared.errors import Kind, Rejection, Unavailable
from shared.oauth.access import LIFE_S
from shared.oauth.answers import error_at_token
from shared.oauth.asking import GRANT
from shared.oauth.assertions import ASSERTION_TYPE, TOKEN_PATH
from shared.oauth.jose import ALGORITHMS
from shared.oauth.scopes import Scope, written
from shared.proxies import CERTIFICATE
from shared.signing import TOKEN_CHARACTERS_MAX, NoKey
from shared.web import Caller, Role, require

INTROSPECTION_PATH = "/oauth/introspection"

NO_STORE = {"Cache-Control": "no-store"}

BAD_REQUEST = 400
"""Of every no at the token endpoint; a 401 is for a client that sent an `Authorization` header."""

Text = Annotated[str, Form(max_length=TOKEN_CHARACTERS_MAX)]


Operator = Annotated[Caller, Depends(require(Role.OPERATOR))]


class Token(BaseModel):
    """An access token, and how many seconds it counts."""

    access_token: str
    token_type: Literal["DPoP", "Bearer"]
    expires_in: int
    scope: str


class NoToken(BaseModel):
    """A no in the words of RFC 6749 section 5.2, and in ours."""

    error: str
    error_description: str
    code: str
    title_vi: str


def routes(authority: Authority) -> APIRouter:
    """Return the routes of a service's own authority."""
    router = APIRouter(tags=["tokens"])

    @router.post(TOKEN_PATH, response_model=Token, responses={BAD_REQUEST: {"model": NoToken}})
    async def give_token(
        request: Request,
        *,
        grant_type: Text = "",
        client_assertion_type: Text = "",
        client_assertion: Text = "",
        scope: Text = "",
        client_id: Text = "",
    ) -> JSONResponse:
        """Give an access token for ten minutes, bound to the key of the `DPoP` header's proof.

        Or, without one, to the certificate that was shown to the proxy in front (RFC 8705), if any.

        For `grant_type=client_credentials` and an assertion of the client's (RFC 7523). It is good
        for the scopes that are named, or else for all that the client has.
        """
        try:
            _check(await request.form(), grant_type, client_assertion_type)
            token, granted = await authority.grant(
                client_assertion,
                request.headers.getlist("dpop"),
                scope,
                request.scope.get(CERTIFICATE),
                client_id=client_id,
            )
        except NoKey:
            raise Unavailable("no_key") from None
        except Rejection as no:
            if no.kind in {Kind.UNAVAILABLE, Kind.LIMITED}:
                raise
            return _no(no.code)
        answer = {
            "access_token": token,
            "token_type": granted.token_type,
            "expires_in": LIFE_S,
            "scope": written(granted.scopes),
        }
        return JSONResponse(answer, headers=NO_STORE)

    @router.post(INTROSPECTION_PATH)
    async def introspect(
        _: Operator, response: Response, token: Text, token_type_hint: Text = ""
    ) -> dict[str, Any]:
        """Tell an operator what an access token is good for now (RFC 7662).

        Unknown, expired, another service's, or of a client that was struck off: `active` is false,
        and nothing else is said. A bearer token is none of these: its file says whose it is.
        """
        response.headers.update(NO_STORE)
        return authority.introspect(token)

    @router.get("/.well-known/oauth-authorization-server")
    async def metadata() -> dict[str, Any]:
        """Give what a client's library needs to know of how tokens are got here (RFC 8414)."""
        return {
            "issuer": authority.issuer,
            "token_endpoint": authority.issuer + TOKEN_PATH,
            "introspection_endpoint": authority.issuer + INTROSPECTION_PATH,
            "introspection_endpoint_auth_methods_supported": ["Bearer", "DPoP"],
            "grant_types_supported": [GRANT],
            "response_types_supported": [],
            "scopes_supported": [*Scope],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
            "tls_client_certificate_bound_access_tokens": authority.certificates,
            "dpop_signing_alg_values_supported": ALGORITHMS,
        }

    return router


def _check(form: FormData, grant_type: str, client_assertion_type: str) -> None:
    """Check what is asked for, and that nothing stands there twice (RFC 6749 section 3.2)."""
    if grant_type != GRANT:
        raise Rejection(Kind.MALFORMED, "grant_unsupported")
    if client_assertion_type != ASSERTION_TYPE or len(form) != len(form.multi_items()):
        raise Rejection(Kind.MALFORMED, "malformed")


def _no(code: str) -> JSONResponse:
    body = {
        "error": error_at_token(code),
        "error_description": sentence(code, "en"),
        "code": code,
        "title_vi": sentence(code, "vi"),
    }
    return JSONResponse(body, BAD_REQUEST, NO_STORE)
