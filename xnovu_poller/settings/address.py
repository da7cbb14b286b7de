"""Read a PostgreSQL address; the pool, LISTEN and the migrations all use this reading."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from urllib.parse import unquote, unquote_plus

Address = Mapping[str, str]
"""Where PostgreSQL is and how to log in, as libpq's parameters: `host`, `port`, `user`, `password`, `dbname` …"""

_FORM = "must have the form postgresql://user:password@host:port/database"

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSION_KINDS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")

# Source: PostgreSQL 18, "Parameter Key Words"; replication is not for us.
# fmt: off
_PARAMETERS = frozenset([
    "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "require_auth", "channel_binding",
    "connect_timeout", "client_encoding", "options", "application_name", "fallback_application_name",
    "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
    "gssencmode", "sslmode", "requiressl", "sslnegotiation", "sslcompression", "sslcert", "sslkey",
    "sslkeylogfile", "sslpassword", "sslcertmode", "sslrootcert", "sslcrl", "sslcrldir", "sslsni",
    "requirepeer", "ssl_min_protocol_version", "ssl_max_protocol_version", "min_protocol_version",
    "max_protocol_version", "krbsrvname", "gsslib", "gssdelegation", "service", "servicefile",
    "scram_client_key", "scram_server_key", "target_session_attrs", "load_balance_hosts", "oauth_issuer",
    "oauth_client_id", "oauth_client_secret", "oauth_scope",
])
# fmt: on

_CLOSED = {"sslmode": _SSL_MODES, "target_session_attrs": _SESSION_KINDS}
"""The parameters that have only these values; libpq would refuse others at each connect."""

_FOREIGN = {
    "pgbouncer": "remove it, and use the pooler's session mode, because transaction mode does not work",
    "connection_limit": "remove it, because the worker bounds its connections itself",
    "pool_timeout": "remove it, because the worker bounds its waits itself",
    "socket_timeout": "remove it, because the worker bounds its waits itself",
    "statement_cache_size": "remove it",
    "prepared_statements": "remove it",
    "schema": "remove it, because the schema is always notify",
    "search_path": "remove it, because the schema is always notify",
    "currentSchema": "remove it, because the schema is always notify",
    "ssl": "write sslmode=require or, better, sslmode=verify-full",
    "tls": "write sslmode=require or, better, sslmode=verify-full",
    "sslaccept": "write sslmode=require or sslmode=verify-full",
    "ssl_mode": "write sslmode",
    "sslrootca": "write sslrootcert",
    "async_fallback": "remove it",
    "timezone": "remove it, because the worker uses UTC",
    "encoding": "remove it, because the worker uses UTF-8",
    "charset": "remove it, because the worker uses UTF-8",
}
"""What to write instead of other drivers' parameters. We ignore none of them, because it might turn on TLS."""


def read_address(url: str) -> Address:
    """Read `postgresql://user:password@host:port/database?parameter=value`, as libpq does.

    Several hosts are `host1:1,host2:2`, or `?host=host1:1&host=host2:2` as SQLAlchemy writes them. Then we connect to the
    host that accepts writes, unless `target_session_attrs` is given.

    Raises:
        ValueError: with all faults, and without any value.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"} or not rest.isprintable():
        raise ValueError(_FORM)
    authority, path, query = _split(rest)
    login, _, places = authority.rpartition("@")
    user, _, password = login.partition(":")
    address = _hosts(places.split(","))
    address |= {"user": unquote(user), "password": unquote(password), "dbname": unquote(path)}
    given, faults = _parameters(query)
    if faults:
        raise ValueError("; ".join(faults))
    address = {name: value for name, value in (address | given).items() if value}
    if any("\0" in value for value in address.values()):
        raise ValueError("has a %00")
    if "," in address.get("host", ""):
        address.setdefault("target_session_attrs", "read-write")
    return address


def _split(rest: str) -> tuple[str, str, str]:
    """Return the authority, the database and the query.

    Raises:
        ValueError: a reserved character is in the user or the password.
    """
    found = re.fullmatch(r"([^/?]*)/?([^?]*)\??(.*)", rest)
    assert found  # noqa: S101 - each of its parts may be empty
    authority, path, query = found.groups()
    # Drivers would split such a URL elsewhere, and quote the rest of the password as a host, port or database.
    if authority.count("@") > 1:
        raise ValueError("has more than one @; write an @ in the user or the password as %40")
    if "@" not in authority and "@" in path + query.partition("=")[0]:
        raise ValueError(
            "has a / or ? before its @; in the user or the password, write a / as %2F and a ? as %3F"
        )
    if "/" in path:
        raise ValueError(_FORM)
    return authority, path, query


def _hosts(places: list[str]) -> dict[str, str]:
    """Return `host` and `port` of one or several places.

    Raises:
        ValueError: a port is not a number, or an IPv6 address is not in brackets.
    """
    hosts, ports = [], []
    for place in places:
        found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]*))(?::(\d*))?", place)
        if found is None or int(found[3] or 1) not in range(1, 65_536):
            # The place may be a part of the password.
            raise ValueError(f"{_FORM}, with an IPv6 address in brackets and a port from 1 to 65535")
        hosts.append(unquote(found[1] or found[2]))
        ports.append(found[3] or "")
    return {"host": ",".join(hosts), "port": ",".join(ports) if any(ports) else ""}


def _parameters(query: str) -> tuple[dict[str, str], list[str]]:
    """Return the parameters of the query, and their faults."""
    given: dict[str, list[str]] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        # SQLAlchemy reads a + as a blank, libpq does not; of ours, only options have blanks.
        given.setdefault(unquote(name), []).append((unquote_plus if name == "options" else unquote)(value))
    faults = [fault for name, values in given.items() for fault in _faults(name, values[-1])]
    known = {name: values[-1] for name, values in given.items()}
    known |= {"options": " ".join(given["options"])} if "options" in given else {}
    if len(hosts := given.get("host", [])) > 1 or re.search(r"[^/:]:\d+$", known.get("host", "")):
        try:
            known |= _hosts(hosts)
        except ValueError as error:
            faults.append(str(error))
    return known, faults


def _faults(name: str, value: str) -> Iterator[str]:
    if name in _FOREIGN:
        yield f"its parameter {name} is not PostgreSQL's; {_FOREIGN[name]}"
    elif name not in _PARAMETERS:
        # An unknown name may be a part of the password.
        near = get_close_matches(name, _PARAMETERS, n=1)
        hint = (
            f"; did you mean {near[0]}?"
            if near
            else "; remove it, or write an & or ? in a value as %26 or %3F"
        )
        yield f"it has a parameter that PostgreSQL does not know{hint}"
    elif name in _CLOSED and value not in _CLOSED[name]:
        yield f"its parameter {name} must be one of {', '.join(_CLOSED[name])}"
