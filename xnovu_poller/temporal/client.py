"""The connection of a process to Temporal."""

import asyncio
import logging
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError, TLSConfig

from xnovu_poller.errors import TemporalUnavailable
from xnovu_poller.settings import TemporalSettings
from xnovu_poller.temporal.translate import translate_rpc_error

__all__ = ["Address", "Client", "address_of", "connect", "probe"]

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
        authority: the CA that signed the server's certificate; None for the well-known authorities.
        api_key: for Temporal Cloud.
    """

    target: str
    namespace: str
    secure: bool = False
    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None
    api_key: str | None = None


def address_of(settings: TemporalSettings) -> Address:
    """Return the address in the settings."""
    api_key = settings.temporal_api_key
    return Address(
        target=settings.temporal_address,
        namespace=settings.temporal_namespace,
        secure=settings.temporal_secure,
        certificate=settings.temporal_client_cert_path,
        key=settings.temporal_client_key_path,
        authority=settings.temporal_server_ca_path,
        api_key=None if api_key is None else api_key.get_secret_value(),
    )


async def connect(address: Address) -> Client:
    """Connect to Temporal and check that the namespace exists.

    Raises:
        TemporalUnavailable: no answer.
        TemporalRefused: the namespace does not exist, or the login is not allowed.
    """
    tls = TLSConfig(
        server_root_ca_cert=_read(address.authority),
        client_cert=_read(address.certificate),
        client_private_key=_read(address.key),
    )
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            client = await Client.connect(
                address.target,
                namespace=address.namespace,
                tls=tls if address.secure else False,
                api_key=address.api_key,
                runtime=_runtime(),
                identity=f"xnovu@{socket.gethostname()}:{os.getpid()}",
            )
        await probe(client)
    except (RuntimeError, TimeoutError) as error:
        # The SDK's core raises a bare RuntimeError when it cannot connect.
        raise TemporalUnavailable(f"no connection to {address.target}; check TEMPORAL_ADDRESS") from error
    return client


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
def _runtime() -> Runtime:
    """Return the SDK's runtime, which logs warnings and errors through our log and never prints its own format."""
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=levels, forwarding=forwarding)))


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
