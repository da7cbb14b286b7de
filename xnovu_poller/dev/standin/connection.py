"""The connection under a call: how to leave it without an answer."""

import asyncio
import socket
import struct

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from xnovu_poller.dev.standin.faults import Faults


class Protocol(H11Protocol):
    """uvicorn's protocol, which also tells each call what connection it came on."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its parent
        """Keep the transport where the call finds it."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class Silence(Response):
    """No answer: the connection is reset, at once or after a while in which nothing comes."""

    def __init__(self, faults: Faults, seconds: float) -> None:
        super().__init__()
        self._faults = faults
        self._seconds = seconds

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stay silent, until the client leaves or the time is over; then reset."""
        del send
        left = asyncio.create_task(_left(receive))
        hung = asyncio.create_task(self._faults.hang(self._seconds))
        await asyncio.wait({left, hung}, return_when=asyncio.FIRST_COMPLETED)
        hung.cancel()
        if not left.done():
            reset(scope["state"]["transport"])
        await left


async def _left(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def reset(transport: asyncio.Transport) -> None:
    """Break a connection so that the other side sees a reset, not an orderly end."""
    at_once = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    transport.abort()
