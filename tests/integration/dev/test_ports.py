"""Ports are free when they are given, and the wished one where it can be."""

import socket

from xnovu_poller.dev.ports import LOOPBACK, free_port


def test_a_wish_is_granted_if_nobody_listens_there() -> None:
    """A server gets its former port back."""
    wish = free_port()
    assert free_port(wish) == wish


def test_a_port_in_use_is_not_given() -> None:
    """Another one is taken in its place."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        taken = listener.getsockname()[1]
        assert free_port(taken) != taken
