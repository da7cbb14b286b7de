"""The connection of a call, and how to end it without an answer."""

import asyncio
import socket
import struct

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from xnovu_poller.dev.standin.faults import Faults


class Protocol(H11Protocol):
    """uvicorn's protocol, which also gives each call its connection."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its parent
        """Put the transport into the call's state."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class Silence(Response):
    """No answer: the connection is reset, at once or after a silence."""

    def __init__(self, faults: Faults, seconds: float) -> None:
        super().__init__()
        self._faults = faults
        self._seconds = seconds

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stay silent until the client disconnects or the time is over; then reset."""
        del send
        disconnected = asyncio.create_task(_wait_for_disconnect(receive))
        hung = asyncio.create_task(self._faults.hang(self._seconds))
        await asyncio.wait({disconnected, hung}, return_when=asyncio.FIRST_COMPLETED)
        hung.cancel()
        if not disconnected.done():
            reset(scope["state"]["transport"])
        await disconnected


async def _wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


def reset(transport: asyncio.Transport) -> None:
    """Close a connection with a reset, not with an orderly end."""
    at_once = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    transport.abort()
