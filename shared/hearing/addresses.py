"""Which addresses a webhook may have, and which machines may be called at them.

A bank says where it is called, so it could make us call what only we can reach: our own machines, a
cloud's. So the form is narrow, with one reading alone; and whatever a name stands for is looked at
when it is called, each time, as names change (OWASP: server-side request forgery).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

FORM = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<target>(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)"
)
"""No user, no fragment, no letter that is read in two ways; a name in its ASCII form (`xn--…`)."""

CHARACTERS_MAX = 500

PORTS = frozenset({443, 8443})
"""Where webhooks are called; any port only where private addresses are allowed."""

PORT_MAX = 65_535

NAT64 = tuple(IPv6Network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48"))
"""Stand for an IPv4 address in their last 32 bits (RFC 6052, RFC 8215)."""

IPV4_BITS = 0xFFFFFFFF

Machine = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Address:
    """A webhook's address, taken apart; an IPv6 host is without brackets."""

    secure: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Return host and port as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.secure else 80)
        return host if usual else f"{host}:{self.port}"


def parse(url: str) -> Address | None:
    """Return an address taken apart, None for one that is not of the form."""
    found = FORM.fullmatch(url) if len(url) <= CHARACTERS_MAX else None
    if found is None:
        return None
    secure = found["scheme"] == "https"
    port = int(found["port"] or (443 if secure else 80))
    target = found["target"] or "/"
    target = target if target.startswith("/") else f"/{target}"
    return Address(secure, found["host"].strip("[]"), port, target)


def is_allowed(url: str, *, private: bool) -> bool:
    """Tell whether a webhook may have this address; `private` allows http and our own machines.

    What a name stands for is another question, and asked when it is called.
    """
    address = parse(url)
    if address is None or address.port > PORT_MAX:
        return False
    if private:
        return True
    machine = _machine(address.host)
    return address.secure and address.port in PORTS and (machine is None or is_public(machine))


def is_public(machine: Machine) -> bool:
    """Tell whether a machine is one on the open Internet, and not ours or nobody's.

    An IPv6 address that stands for one of IPv4 is what that is; of other transition addresses
    (6to4, Teredo) none is.
    """
    if isinstance(machine, IPv6Address):
        if inside := _inside(machine):
            return is_public(inside)
        if machine.sixtofour or machine.teredo or machine.is_site_local:
            return False
    return machine.is_global and not (machine.is_multicast or machine.is_reserved)


def _inside(machine: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that one of IPv6 stands for, if it does."""
    if machine.ipv4_mapped:
        return machine.ipv4_mapped
    if any(machine in network for network in NAT64):
        return IPv4Address(int(machine) & IPV4_BITS)
    return None


def _machine(host: str) -> Machine | None:
    """Return the machine that a host says by number, None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None
