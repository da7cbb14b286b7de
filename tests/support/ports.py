"""Ports of the loopback that nobody else gets while a test needs them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from xnovu_poller.dev.ports import LOOPBACK


@contextmanager
def reserved_port(port: int = 0) -> Iterator[int]:
    """Yield a port where nobody listens, and where only a server that is given its number can.

    A free port that is only looked up may go to another process before it is used.

    Args:
        port: 0 for any.

    Raises:
        OSError: somebody has it.
    """
    with socket.socket() as holder:
        # A server that sets this too, as all do, may bind the port as long as we do not listen.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((LOOPBACK, port))
        yield holder.getsockname()[1]


@contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port where nobody listens, and which no server can take until the end of the block."""
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 0))
        yield holder.getsockname()[1]
