"""Connecting to Temporal."""

import socket

import pytest
from temporalio.client import Client

from xnovu_poller.errors import TemporalRefused, TemporalUnavailable
from xnovu_poller.temporal import client as temporal
from xnovu_poller.temporal.client import Address, connect, probe


async def test_a_running_server_answers(client: Client) -> None:
    """The client is connected, and the namespace exists."""
    await probe(client)
    assert client.identity.startswith("xnovu@")


async def test_an_absent_server_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the address, which a person may have to correct."""
    monkeypatch.setattr(temporal, "_CONNECT_SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TemporalUnavailable, match=f"127.0.0.1:{port}"):
        await connect(Address(target=f"127.0.0.1:{port}", namespace="default"))


async def test_a_missing_namespace_is_refused(temporal_address: str) -> None:
    """It is refused at the start, and not only with the first notification."""
    with pytest.raises(TemporalRefused, match="namespace nowhere"):
        await connect(Address(target=temporal_address, namespace="nowhere"))
