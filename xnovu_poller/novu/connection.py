"""The connections to Novu: they know whether a request may have left, and bound what an answer may be."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from typing_extensions import override

ANSWER_BYTES = 1_000_000
"""The longest answer, with its headers. Novu's longest, to a bulk call of a hundred events, is a tenth of it."""

INTERIM_ANSWERS = 10
"""The most answers `100 Continue` and the like before the final answer."""

_TLS_ALERT = b"\x15\x03"
"""How a server that expects TLS answers plain HTTP. Source: RFC 8446, "Record Layer"."""


class TooLong(aiohttp.ClientError):
    """The answer is longer than any of Novu's."""


class SpeaksTls(aiohttp.ClientError):
    """We speak plain HTTP, and the server expects TLS."""


class Exchange:
    """A call in progress.

    Attributes:
        connected: a connection was made, so from now on the request may have been received.
    """

    def __init__(self) -> None:
        self.connected = False


_exchange: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def mark_connected() -> Iterator[Exchange]:
    """Yield the call of the current task; its connector marks it."""
    exchange = Exchange()
    token = _exchange.set(exchange)
    try:
        yield exchange
    finally:
        _exchange.reset(token)


class Connector(aiohttp.TCPConnector):
    """Makes the connections."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as its parent takes them
        super().__init__(**options)
        self._factory = partial(_Bounded, loop=self._loop)  # type: ignore[assignment] # a kind of its protocol

    @override
    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        connection = await super().connect(req, traces, timeout)
        _exchange.get().connected = True
        return connection


class _Bounded(ResponseHandler):
    """Reads answers, and gives a connection up as soon as an answer is too long."""

    _received = 0
    _interim = 0

    @override
    def set_response_params(self, **options: Any) -> None:
        self._received = self._interim = 0
        super().set_response_params(**options)

    @override
    def data_received(self, data: bytes) -> None:
        if not self._received and data.startswith(_TLS_ALERT):
            self._give_up(SpeaksTls())
            return
        self._received += len(data)
        if self._received > ANSWER_BYTES:
            self._give_up(TooLong())
        else:
            super().data_received(data)

    @override
    def feed_data(self, data: Any, size: int = 0) -> None:
        message, _ = data
        self._interim += message.code < 200  # noqa: PLR2004 - the interim answers of HTTP
        if self._interim > INTERIM_ANSWERS:
            self._give_up(TooLong())
        else:
            super().feed_data(data, size)

    def _give_up(self, error: aiohttp.ClientError) -> None:
        """End the call with an error, whether it waits for the head of its answer or for the content."""
        self.set_exception(error)
        if self._payload is not None:
            self._payload.set_exception(error)
        if self.transport is not None:
            self.transport.abort()
