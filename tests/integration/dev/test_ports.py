"""A port is free when it is returned, and the requested port if possible."""

import socket

from xnovu_poller.dev.ports import LOOPBACK, free_port


def test_a_requested_port_is_returned_if_it_is_free() -> None:
    """So a server gets its former port again."""
    requested = free_port()
    assert free_port(requested) == requested


def test_a_port_in_use_is_not_returned() -> None:
    """Another port takes its place."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        taken = listener.getsockname()[1]
        assert free_port(taken) != taken
