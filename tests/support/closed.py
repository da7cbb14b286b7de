"""A port at which nobody listens."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from xnovu_poller.dev.ports import LOOPBACK


@contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port of the loopback that refuses connections; until the end of the block no server can take it."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        yield taken.getsockname()[1]
