"""The certificate of a client whose TLS ends at a proxy in front of us: believed of that proxy.

It comes in a header, and anybody can send a header. So this stands outside of everything, where
the address is still that of the connection and not what `X-Forwarded-For` says; it hands the
certificate on under a name that no request can bear, and the header goes no further. Without it
there are no certificates: what is forgotten here lets nobody in.
"""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

CERTIFICATE = "thuan.client_certificate"
"""Where the header's text is found in a request's scope, if it came from a proxy of ours."""

Network = IPv4Network | IPv6Network


class Certificates:
    """An app that is told of certificates by proxies at these addresses, and by nobody else."""

    def __init__(self, app: ASGIApp, header: str, proxies: str) -> None:
        """`proxies` are addresses or networks, with commas; a name or `*` is nobody here."""
        self._app = app
        self._header = header.lower().encode("ascii")
        self._proxies = [one for text in proxies.split(",") if (one := _network(text.strip()))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the header out of a request, and hand on what it says if its sender is trusted."""
        if scope["type"] == "http":
            said = [value for name, value in scope["headers"] if name == self._header]
            rest = [one for one in scope["headers"] if one[0] != self._header]
            scope = {**scope, "headers": rest}
            if len(said) == 1 and said[0] and self._is_proxy(scope):  # of two, one is a stranger's
                scope[CERTIFICATE] = said[0].decode("latin-1")
        await self._app(scope, receive, send)

    def _is_proxy(self, scope: Scope) -> bool:
        try:
            peer = ip_address(scope["client"][0])
        except (TypeError, ValueError):
            return False  # a Unix socket has no address
        if isinstance(peer, IPv6Address) and peer.ipv4_mapped:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self._proxies)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
