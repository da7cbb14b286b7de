"""A pooler between us and PostgreSQL, as strict as PgBouncer: it refuses startup options, and lends sessions."""

import asyncio
import struct
from contextlib import AbstractAsyncContextManager, suppress

from typing_extensions import override

from tests.support.proxy import Proxy, proxy_of

_NO_ENCRYPTION = {80877103, 80877104}
"""SSLRequest and GSSENCRequest."""

_REFUSAL = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0"

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def message(kind: bytes, body: bytes) -> bytes:
    """Return a message of PostgreSQL's protocol."""
    return kind + struct.pack("!I", len(body) + 4) + body


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read a message; return its kind and its body."""
    kind, length = struct.unpack("!cI", await reader.readexactly(5))
    return kind, await reader.readexactly(length - 4)


class SessionPooler(Proxy):
    """Lends a session of the server for as long as its client is connected."""

    @override
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = await asyncio.open_connection(self._host, self._port)
        self._writers |= {writer, server[1]}
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            startup = await self._read_startup(reader, writer)
            if b"\0options\0" in startup:
                writer.write(message(b"E", _REFUSAL))
                await writer.drain()
            else:
                await self._lend((reader, writer), server, startup)
        for end in (writer, server[1]):
            end.close()

    async def _read_startup(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        while True:
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            if struct.unpack("!I", body[:4])[0] not in _NO_ENCRYPTION:
                return struct.pack("!I", length) + body
            writer.write(b"N")

    async def _lend(self, client: Ends, server: Ends, startup: bytes) -> None:
        server[1].write(startup)
        async with asyncio.TaskGroup() as pumps:
            pumps.create_task(self._pump(client[0], server[1], asked=True))
            pumps.create_task(self._pump(server[0], client[1], asked=False))


class TransactionPooler(SessionPooler):
    """Lends the same session of the server to all clients, each time for one transaction."""

    def __init__(self, host: str, port: int) -> None:
        """Remember the address of the server behind; the first client logs in for all."""
        super().__init__(host, port)
        self._shared: Ends | None = None
        self._greeting = b""
        self._lent = asyncio.Lock()

    @override
    async def _lend(self, client: Ends, server: Ends, startup: bytes) -> None:
        reader, writer = client
        if self._shared is None:
            self._shared = await asyncio.open_connection(self._host, self._port)
            self._writers.add(self._shared[1])
            await self._log_in(client, self._shared, startup)
        else:
            writer.write(self._greeting)
        while True:
            kind, body = await read_message(reader)
            if kind == b"X":
                return
            async with self._lent:
                await self._pass_transaction(reader, writer, self._shared, message(kind, body))

    async def _log_in(self, client: Ends, server: Ends, startup: bytes) -> None:
        """Let the client log in, and remember the answer to a login."""
        server[1].write(startup)
        is_in = False
        while True:
            kind, body = await read_message(server[0])
            client[1].write(message(kind, body))
            is_in = is_in or (kind == b"R" and body == bytes(4))
            if is_in:
                self._greeting += message(kind, body)
            if kind == b"Z":
                return
            if kind == b"R" and body[:4] in {struct.pack("!I", code) for code in (3, 5, 10, 11)}:
                server[1].write(message(*await read_message(client[0])))

    async def _pass_transaction(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: Ends, first: bytes
    ) -> None:
        """Pass requests and answers until the server is idle and outside of a transaction."""
        server[1].write(first)
        is_asked = first[:1] in {b"Q", b"S"}
        while True:
            while not is_asked:
                kind, body = await read_message(reader)
                server[1].write(message(kind, body))
                is_asked = kind in {b"Q", b"S"}
            kind, body = await read_message(server[0])
            writer.write(message(kind, body))
            if kind == b"Z":
                is_asked = False
                if body == b"I":
                    return


def session_pooler(url: str) -> AbstractAsyncContextManager[SessionPooler]:
    """Run a pooler in session mode in front of the server of a URL."""
    return proxy_of(SessionPooler, url)


def transaction_pooler(url: str) -> AbstractAsyncContextManager[TransactionPooler]:
    """Run a pooler in transaction mode in front of the server of a URL."""
    return proxy_of(TransactionPooler, url)
