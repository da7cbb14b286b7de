"""Find free ports on the loopback."""

import socket

LOOPBACK = "127.0.0.1"


def free_port(preferred: int = 0) -> int:
    """Return the preferred port if it is free, else any free port.

    Another program may take the port before you do.
    """
    with socket.socket() as probe:
        # A port in TIME_WAIT counts as free, as it does for the servers.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, preferred))
        except OSError:
            return free_port()
        port: int = probe.getsockname()[1]
        return port
