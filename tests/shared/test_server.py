"""How a service is served, where that is more than a default."""

import asyncio
from typing import Any

import pytest

from services.accounts.consents import LIMITS
from shared.server import KEEP_ALIVE_S, _served


def test_a_service_keeps_a_connection_longer_than_the_other_uses_it() -> None:
    """Else one closes what the other sends on, at that very moment, and an opening is lost."""
    assert LIMITS.keepalive_expiry is not None
    assert LIMITS.keepalive_expiry < KEEP_ALIVE_S


@pytest.mark.parametrize("header", ["", "X-Client-Certificate"])
@pytest.mark.parametrize(
    ("peer", "seen"), [("127.0.0.1", "192.0.2.9"), ("10.1.0.4", "192.0.2.9"), ("::1", "::1")]
)
def test_where_a_request_is_from_is_believed_of_proxies_alone(
    header: str, peer: str, seen: str
) -> None:
    """Addresses and networks with commas, also where certificates are handed over."""
    clients = list[str]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        clients.append(scope["client"][0])

    scope = {
        "type": "http",
        "client": (peer, 1),
        "headers": [(b"x-forwarded-for", b"203.0.113.5, 192.0.2.9")],
    }
    served = _served(app, "127.0.0.1, 10.1.0.0/16", header)
    asyncio.run(served(scope, None, None))  # type: ignore[arg-type]
    assert clients == [seen]
