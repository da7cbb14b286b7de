"""Whom the proxies in front of us name, and what a client cannot pretend."""

from ipaddress import ip_network

import pytest
from starlette.requests import Request

from xnovu_poller.web.proxies import Proxies

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9\n198.51.100.1, ,", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, garbage", "unknown"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("fd00::1", "2001:db8:0:7::1", "2001:db8:0:7::/64"),
        ("fd00::1", "[2001:db8:0:7::1]:4711, [fd00::2]", "2001:db8:0:7::/64"),
        ("fd00::1", "fe80::1%eth0", "fe80::/64"),
        ("", "198.51.100.1", "unknown"),
    ],
)
def test_an_address_is_what_a_trusted_proxy_saw(client: str, forwarded: str, address: str) -> None:
    """What a client adds to the header itself stands further to the left; the header may be there twice."""
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded.split("\n")]
    request = Request({"type": "http", "client": (client, 1), "headers": headers})
    assert PROXIES.address_of(request) == address
