"""TLS in front of Temporal and PostgreSQL."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from typing_extensions import override

from tests.support.authorities import Authority, Issued
from tests.support.proxy import Proxy, proxy_of
from tests.support.tcp import accepting


class Recording(Proxy):
    """Keeps what clients send.

    Attributes:
        asked: what clients have sent.
    """

    def __init__(self, host: str, port: int) -> None:
        """Remember the address of the server behind."""
        super().__init__(host, port)
        self.asked = b""

    @override
    def _passes(self, chunk: bytes, *, asked: bool) -> bool:
        self.asked += chunk if asked else b""
        return super()._passes(chunk, asked=asked)


def server_context(issued: Issued, clients: Authority | None) -> ssl.SSLContext:
    """Return the TLS of a server; it wants client certificates if an authority is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    context.set_alpn_protocols(["h2"])
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.certificate)
    return context


@asynccontextmanager
async def encrypted(
    temporal_address: str, issued: Issued, clients: Authority | None = None, *, port: int = 0
) -> AsyncIterator[Recording]:
    """Run a TLS server in front of Temporal.

    Args:
        issued: its certificate.
        clients: wants client certificates of this authority.
        port: 0 for any.
    """
    context = server_context(issued, clients)
    host, _, behind = temporal_address.rpartition(":")
    proxy = Recording(host, int(behind))
    async with accepting(proxy.serve, port=port, context=context) as proxy.port:
        try:
            yield proxy
        finally:
            await proxy.close()


class EncryptedPostgres(Proxy):
    """Speaks TLS with clients of PostgreSQL; the server behind need not.

    Attributes:
        context: the TLS for new connections.
    """

    context: ssl.SSLContext

    @override
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client may ask for GSSAPI before it asks for TLS.
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            while await reader.readexactly(8) != _SSL_REQUEST:
                writer.write(b"N")
            writer.write(b"S")
            await writer.start_tls(self.context)
            await super().serve(reader, writer)


_SSL_REQUEST = struct.pack("!II", 8, 80877103)
"""Source: PostgreSQL, "Message Formats"."""


def encrypted_postgres(url: str) -> AbstractAsyncContextManager[EncryptedPostgres]:
    """Run TLS in front of the server of a URL; give it its `context`."""
    return proxy_of(EncryptedPostgres, url)
