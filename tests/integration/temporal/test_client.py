"""Connecting to Temporal."""

import socket

import httpx
import pytest
from temporalio.client import Client

from tests.support.ports import reserved_port
from xnovu_poller.errors import ConfigError, TemporalRefused, TemporalUnavailable
from xnovu_poller.temporal import client as temporal
from xnovu_poller.temporal.client import Address, Exposed, connect, probe


async def test_a_running_server_answers(client: Client) -> None:
    """The client is connected, and the namespace exists."""
    await probe(client)
    assert client.identity.startswith("xnovu@")


async def test_an_absent_server_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the setting, which a person may have to correct."""
    monkeypatch.setattr(temporal, "_CONNECT_SECONDS", 2.0)
    with (
        reserved_port() as port,
        pytest.raises(TemporalUnavailable, match="check TEMPORAL_ADDRESS"),
    ):
        await connect(Address(target=f"127.0.0.1:{port}", namespace="default"))


async def test_a_missing_namespace_is_refused(temporal_address: str) -> None:
    """It is refused at the start, and not only with the first notification."""
    with pytest.raises(TemporalRefused, match="namespace nowhere"):
        await connect(Address(target=temporal_address, namespace="nowhere"))


async def test_the_sdk_serves_its_own_metrics(temporal_address: str) -> None:
    """They have the names and units of Prometheus; a port that is taken is an error of the settings."""
    address = Address(target=temporal_address, namespace="default")
    with reserved_port() as port:
        with (
            socket.create_server(("127.0.0.1", port)),
            pytest.raises(ConfigError, match="TEMPORAL_METRICS_PORT: cannot listen"),
        ):
            await connect(address, exposed=Exposed("localhost", port))

        await connect(address, exposed=Exposed("localhost", port))
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://localhost:{port}/metrics")

    assert "temporal_request_total" in answer.text
    assert "temporal_request_latency_seconds_bucket" in answer.text
