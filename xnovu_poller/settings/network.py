"""Addresses that can work: each fault is a sentence with what to write, and repeats no part of the value."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import urlsplit

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_VERSION = re.compile(r"/v\d+(/|$)")
_LONGEST_NAME = 253


def check_http_url(value: str) -> str:
    """Return the address of an HTTP server without a slash at its end.

    Raises:
        ValueError: no request could be sent to it.
    """
    rule = "must have the form http://host or https://host"
    try:
        parts = urlsplit(value)
    except ValueError:
        # The cause quotes a part of the value.
        raise ValueError(f"{rule}; an IPv6 address stands in brackets") from None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(rule)
    if "@" in parts.netloc:
        raise ValueError(f"{rule}, without a login: NOVU_SECRET_KEY is all that Novu needs")
    if "?" in value or "#" in value:
        raise ValueError(f"{rule}, without `?` and `#`")
    if _VERSION.search(parts.path):
        raise ValueError("must end before `/v1`, which every call adds itself: write https://api.novu.co")
    if not _PATH.fullmatch(parts.path):
        raise ValueError("has a character in its path that must be written as %XX, or a space")
    host, port = _split(parts.netloc)
    check_host(host)
    if port is not None:
        _check_port(port)
    return value.rstrip("/")


def check_host_and_port(value: str) -> str:
    """Return an address of the form host:port.

    Raises:
        ValueError: it has another form, or no such host or port can exist.
    """
    if "/" in value or "@" in value:
        raise ValueError("must have the form host:port, without `https://`, login or path")
    host, port = _split(value)
    if port is None:
        raise ValueError("must have the form host:port; Temporal's usual port is 7233")
    check_host(host)
    _check_port(port)
    return value


def check_host(value: str) -> str:
    """Return a name or an IP address, IPv6 with or without brackets.

    Raises:
        ValueError: no host can have this name.
    """
    if ":" in value:
        try:
            IPv6Address(value.removeprefix("[").removesuffix("]"))
        except AddressValueError:
            raise ValueError("has a host that is not an IPv6 address; write it as [address]:port") from None
        return value
    labels = value.removesuffix(".").split(".")
    if len(value) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            "has a host name that cannot exist: each part between dots has 1 to 63 letters, digits and hyphens"
        )
    if labels[-1].isdigit():
        try:
            IPv4Address(value)
        except AddressValueError:
            raise ValueError("has a host that is no IPv4 address") from None
    return value


def _split(address: str) -> tuple[str, str | None]:
    """Split host and port; the port is None if there is no colon after the host."""
    host, bracket, rest = address.rpartition("]")
    name, colon, port = rest.partition(":")
    # Several colons without brackets: where an IPv6 address ends and its port begins is unknown.
    if not bracket and ":" in port:
        raise ValueError("has several colons; an IPv6 address stands in brackets: [address]:port")
    return host + bracket + name, port if colon else None


def _check_port(port: str) -> None:
    if not port.isascii() or not port.isdecimal() or not 1 <= int(port) <= 65_535:  # noqa: PLR2004 - the highest port of TCP
        raise ValueError("has a port that cannot exist; ports go from 1 to 65535")
