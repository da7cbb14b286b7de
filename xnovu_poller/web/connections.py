"""The bounds on the clients of the HTTP server: how many, how long, how large."""

import asyncio
from typing import cast

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 64
"""Connections at a time, of all clients together."""

REQUEST_SECONDS = 5.0
"""A connection without a complete request after this long is closed."""

ANSWER_SECONDS = 10.0
"""A connection that has not taken its answer this long after REQUEST_SECONDS is closed."""

MOST_HEADER_BYTES = 16 * 1024
"""A request whose first line and headers are longer is refused."""


class BoundedConnection(H11Protocol):
    """One connection: it carries one request, whose body is not read, and lives REQUEST_SECONDS + ANSWER_SECONDS.

    When there are MOST_CONNECTIONS, another takes the place of the oldest connection without a request: so clients that
    open connections and stay silent cannot shut out a client that asks at once.
    """

    made_at = 0.0
    _timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn declares it
        if len(self.connections) >= MOST_CONNECTIONS:
            min(cast("set[BoundedConnection]", self.connections), key=_place).abort()
        super().connection_made(transport)
        self.made_at = self.loop.time()
        self._timer = self.loop.call_later(REQUEST_SECONDS, self._expect_request)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    @property
    def has_request(self) -> bool:
        """Whether a request has arrived, with all its headers."""
        return self.cycle is not None

    def abort(self) -> None:
        """Close at once, and drop the rest of the answer."""
        self.connections.discard(self)
        self.transport.abort()

    def _expect_request(self) -> None:
        if self.has_request:
            self._timer = self.loop.call_later(ANSWER_SECONDS, self.abort)
        else:
            self.abort()


def _place(connection: BoundedConnection) -> tuple[bool, float]:
    """Return the sort key by which connections give way: those without a request first, and of these the oldest."""
    return connection.has_request, connection.made_at
