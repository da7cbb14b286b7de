"""The bounds on the connections of the API: how many, how long without a request, how long without taking an answer."""

import asyncio
from collections import Counter
from typing import cast

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MOST_CONNECTIONS = 1000
"""Connections at a time, of all clients together; uvicorn itself adds the idle time after which a connection is closed."""

HEAD_SECONDS = 10.0
"""A connection on which a request begins, or none has begun, is closed unless the head is complete this long after."""

TAKE_SECONDS = 30.0
"""A client that takes nothing of its answer for this long is put out."""


class KeptConnection(H11Protocol):
    """A connection that carries many requests.

    When there are MOST_CONNECTIONS, another takes the place of a connection without a request, of the address that has most;
    if each has a request, of the oldest of that address. So a client that opens many shuts out only itself.
    """

    made_at = 0.0
    address = ""
    _head: asyncio.TimerHandle | None = None
    _taken: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn declares it
        others = cast("set[KeptConnection]", self.connections)
        if len(others) >= MOST_CONNECTIONS:
            counts = Counter(other.address for other in others)
            min(others, key=lambda other: other.place(counts)).abort()
        super().connection_made(transport)
        self.made_at = self.loop.time()
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self._expect_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._head is None and not self.has_request:
            self._expect_head()
        super().data_received(data)
        if self.has_request and self._head is not None:
            self._head.cancel()
            self._head = None

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._taken = self.loop.call_later(TAKE_SECONDS, self.abort)

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taken is not None:
            self._taken.cancel()
            self._taken = None

    @property
    def has_request(self) -> bool:
        """Whether a request is being answered."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return cycle is not None and not cycle.response_complete

    def place(self, counts: Counter[str]) -> tuple[bool, int, float]:
        """Return the sort key by which connections give way."""
        return self.has_request, -counts[self.address], self.made_at

    def abort(self) -> None:
        """Close at once, and drop the rest of the answer."""
        self.connections.discard(self)
        self.transport.abort()

    def _expect_head(self) -> None:
        self._head = self.loop.call_later(HEAD_SECONDS, self.abort)

    def _cancel(self) -> None:
        for timer in (self._head, self._taken):
            if timer is not None:
                timer.cancel()
