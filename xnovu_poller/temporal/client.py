"""The connection of a process to Temporal."""

import asyncio
import logging
import socket
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import GrpcCompression, RPCError, TLSConfig

from xnovu_poller.errors import ConfigError
from xnovu_poller.incidents import name_process
from xnovu_poller.settings import TemporalAddressSettings
from xnovu_poller.temporal.connection_faults import explain
from xnovu_poller.temporal.translate import translate_rpc_error

__all__ = ["Address", "Client", "Exposed", "address_of", "connect", "connect_unproven", "probe"]

_PROBE_TIMEOUT = timedelta(seconds=5)
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where Temporal is, and with which credentials to connect.

    Attributes:
        target: host and port of the frontend.
        namespace: must exist.
        secure: whether to use TLS.
        certificate: our client certificate for mTLS; needs `key`.
        key: the private key of `certificate`.
        server_name: the name in the server's certificate; None for the host of `target`.
        authority: the CA that signed the server's certificate; None for the well-known authorities.
        api_key: for Temporal Cloud.
    """

    target: str
    namespace: str
    secure: bool = False
    server_name: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None
    api_key: str | None = None


class Exposed(NamedTuple):
    """Where the SDK serves its metrics: an address or a name, and a port."""

    host: str
    port: int


def address_of(settings: TemporalAddressSettings) -> Address:
    """Return the address in the settings."""
    api_key = settings.temporal_api_key
    return Address(
        target=settings.temporal_address,
        namespace=settings.temporal_namespace,
        secure=settings.temporal_secure,
        server_name=settings.temporal_tls_server_name,
        certificate=settings.temporal_client_cert_path,
        key=settings.temporal_client_key_path,
        authority=settings.temporal_server_ca_path,
        api_key=None if api_key is None else api_key.get_secret_value(),
    )


async def connect(address: Address, *, exposed: Exposed | None = None) -> Client:
    """Connect to Temporal and check that the namespace exists.

    Args:
        exposed: where the SDK serves its own metrics; None: it keeps none.

    Raises:
        ConfigError: the SDK cannot listen there.
        TemporalUnavailable: no answer, or no TLS connection.
        TemporalRefused: the namespace does not exist, or the login is not allowed.
    """
    client = await connect_unproven(address, exposed=exposed)
    await probe(client)
    return client


async def connect_unproven(address: Address, *, exposed: Exposed | None = None) -> Client:
    """Connect to Temporal, in a namespace that may not exist yet.

    Raises:
        ConfigError: the SDK cannot listen there.
        TemporalUnavailable: no answer, or no TLS connection.
    """
    tls = TLSConfig(
        server_root_ca_cert=_read(address.authority),
        domain=address.server_name,
        client_cert=_read(address.certificate),
        client_private_key=_read(address.key),
    )
    runtime = _runtime(exposed)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            return await Client.connect(
                address.target,
                namespace=address.namespace,
                tls=tls if address.secure else False,
                api_key=address.api_key,
                runtime=runtime,
                identity=name_process(),
                # Our calls are small: to compress them takes more of both processors than it spares of the network.
                grpc_compression=GrpcCompression.NONE,
            )
    except (RuntimeError, TimeoutError) as error:
        # The SDK's core raises a bare RuntimeError when it cannot connect.
        raise await explain(
            error,
            address.target,
            secure=address.secure,
            certificate=address.certificate,
            key=address.key,
        ) from error


async def probe(client: Client) -> None:
    """Check that Temporal answers for our namespace.

    Raises:
        TemporalUnavailable: no answer.
        TemporalRefused: the namespace does not exist, or the login is not allowed.
    """
    try:
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), timeout=_PROBE_TIMEOUT
        )
    except RPCError as error:
        raise translate_rpc_error(error, client.namespace) from error


@cache
def _runtime(exposed: Exposed | None) -> Runtime:
    """Return the SDK's runtime, which logs warnings and errors through our log and never prints its own format."""
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    logs = LoggingConfig(filter=levels, forwarding=forwarding)
    try:
        metrics = None if exposed is None else _expose(exposed)
        return Runtime(telemetry=TelemetryConfig(logging=logs, metrics=metrics))
    except (ValueError, OSError) as error:
        raise ConfigError([f"TEMPORAL_METRICS_PORT: cannot listen ({error})"]) from error


def _expose(exposed: Exposed) -> PrometheusConfig:
    """Return where the SDK listens: it takes no name, and its metrics have the names and units of Prometheus."""
    (*_, found), *_ = socket.getaddrinfo(*exposed, type=socket.SOCK_STREAM)
    host = str(found[0])
    return PrometheusConfig(
        bind_address=f"[{host}]:{exposed.port}" if ":" in host else f"{host}:{exposed.port}",
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
    )


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
