"""A TCP server in a test."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from xnovu_poller.dev.ports import LOOPBACK

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]


@asynccontextmanager
async def accepting(
    serve: Serve, *, port: int = 0, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve each connection in this way; yield the port.

    Connections that are open at the end stay open: from Python 3.12 on, `wait_closed` would wait for them.
    """
    server = await asyncio.start_server(serve, LOOPBACK, port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
