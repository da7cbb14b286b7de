"""Finds free ports on the loopback."""

import socket

LOOPBACK = "127.0.0.1"


def free_port(wish: int = 0) -> int:
    """Give the wished port if nobody listens there, else any free one; another program may be quicker."""
    with socket.socket() as probe:
        # A port in TIME_WAIT counts as free, as it does for the servers.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wish))
        except OSError:
            return free_port()
        port: int = probe.getsockname()[1]
        return port
