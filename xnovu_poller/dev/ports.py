"""Find free ports on the loopback."""

import random
import socket

LOOPBACK = "127.0.0.1"

_SERVERS = range(15_000, 32_000)
"""Below the ports that systems give to outgoing connections, which could take a port before its server binds it."""


def free_port(preferred: int = 0) -> int:
    """Return the preferred port if it is free, else any free port.

    Another server may take the port before you do.

    Raises:
        OSError: no port is free.
    """
    for port in [*([preferred] if preferred else []), *random.sample(_SERVERS, 100)]:
        if _is_free(port):
            return port
    msg = f"no port of {LOOPBACK} is free; stop programs that listen"
    raise OSError(msg)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port in TIME_WAIT counts as free, as it does for the servers.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
