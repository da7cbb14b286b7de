"""Who asked, and how, if a proxy in front of us is believed."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection

Network = IPv4Network | IPv6Network

_IPV6_SITE = 64

_WITH_PORT = re.compile(r"\[(.+)\](?::\d+)?|([\d.]+):\d+", re.ASCII)
"""Some proxies name the port too: 192.0.2.1:4711, [2001:db8::1]:4711."""


class Proxies:
    """The proxies whose headers are believed."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    def sent(self, request: HTTPConnection) -> bool:
        """Return whether one of them sent this request."""
        return request.client is not None and self._has(request.client.host)

    def address_of(self, request: HTTPConnection) -> str:
        """Return the address that asked, as `site_of` has it: the last that a believed proxy names, and is none itself."""
        host = request.client.host if request.client else ""
        named = [
            part.strip()
            for part in ",".join(request.headers.getlist("x-forwarded-for")).split(",")
            if part.strip()
        ]
        while self._has(host) and named:
            host = named.pop()
        return site_of(host)

    def is_https(self, request: HTTPConnection) -> bool:
        """Return whether the browser speaks HTTPS."""
        if self.sent(request) and (scheme := request.headers.get("x-forwarded-proto")):
            return scheme.split(",")[0].strip() == "https"
        return request.url.scheme == "https"

    def _has(self, text: str) -> bool:
        address = _read_address(text)
        return address is not None and any(address in network for network in self._networks)


def site_of(text: str) -> str:
    """Return what counts as one address: of IPv6, the network that a customer gets; `unknown`, if it is no address."""
    address = _read_address(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _IPV6_SITE), strict=False))
    return "unknown" if address is None else str(address)


def _read_address(text: str) -> IPv4Address | IPv6Address | None:
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address(text if found is None else found[1] or found[2])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
