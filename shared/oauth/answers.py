"""What OAuth calls each no: at the token endpoint (RFC 6749 section 5.2), and at a resource.

The standards' few words are for a client's library; our own codes are for whoever has to mend it.
"""

from shared.oauth.jose import ALGORITHMS

_ALGORITHMS = f'algs="{" ".join(ALGORITHMS)}"'

CHALLENGES = f"Bearer, DPoP {_ALGORITHMS}"
"""How one can say who one is, to whoever did not."""

PROOF = "proof_"
"""What every code begins with that is about a proof."""

UNSIGNED = frozenset(
    {
        "signature_missing",
        "signature_malformed",
        "signature_components",
        "signature_unkept",
        "signature_key_unknown",
        "signature_algorithm",
        "signature_stale",
        "signature_wrong",
        "digest_differs",
    }
)
"""Of a request that is not signed as it must be: its token and its proof are good."""

AT_TOKEN = {
    "malformed": "invalid_request",
    "grant_unsupported": "unsupported_grant_type",
    "scope_unknown": "invalid_scope",
    "certificate_malformed": "invalid_request",
}


def error_at_token(code: str) -> str:
    """Return the `error` of a no at the token endpoint."""
    if code.startswith(PROOF):
        return "invalid_dpop_proof"
    return AT_TOKEN.get(code, "invalid_client")


def insufficient(scope: str, *, bearer: bool = False) -> str:
    """Return the `WWW-Authenticate` of a 403 for want of a scope (RFC 6750 section 3.1).

    `bearer` tells that the token came in that scheme: the challenge is of the same.
    """
    said = f'error="insufficient_scope", scope="{scope}"'
    return f"Bearer {said}" if bearer else f"DPoP {said}, {_ALGORITHMS}"


def challenge(code: str, *, bearer: bool = False) -> str:
    """Return the `WWW-Authenticate` of a 401 with this code (RFC 9449 section 7.1)."""
    if code.startswith(PROOF):
        return f'DPoP error="invalid_dpop_proof", {_ALGORITHMS}'
    if code == "unauthenticated" or code in UNSIGNED:
        return CHALLENGES
    said = 'error="invalid_token"'
    return f"Bearer {said}" if bearer else f"DPoP {said}, {_ALGORITHMS}"
