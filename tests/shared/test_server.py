"""How a service is served, where that is more than a default."""

from services.accounts.consents import LIMITS
from shared.server import KEEP_ALIVE_S


def test_a_service_keeps_a_connection_longer_than_the_other_uses_it() -> None:
    """Else one closes what the other sends on, at that very moment, and an opening is lost."""
    assert LIMITS.keepalive_expiry is not None
    assert LIMITS.keepalive_expiry < KEEP_ALIVE_S
