"""Server-sent events: one reader for all clients, so that a hundred open pages ask PostgreSQL as often as one."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from xnovu_poller import log
from xnovu_poller.errors import XnovuError

_log = log.get(__name__)

EVERY_SECONDS = 1.0
"""The time between two looks."""

HEARTBEAT_SECONDS = 15.0
"""A client gets a line at least this often, so that proxies keep its connection and it notices when we are gone."""

MOST_CLIENTS = 200
LONGEST_SECONDS = 600.0
"""A stream ends after this long; the browser opens another, and shows again who it is."""


class Live:
    """Makes a piece of HTML while anybody looks, and gives it to all clients when it has changed.

    Args:
        make: returns the HTML.
        every: the seconds between two looks.
    """

    def __init__(self, make: Callable[[], Awaitable[str]], every: float = EVERY_SECONDS) -> None:
        self._make = make
        self._every = every
        self._html = ""
        self._changed = asyncio.Event()
        self._making: asyncio.Task[None] | None = None
        self.clients = 0
        self.is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether no further client gets in."""
        return self.is_closed or self.clients >= MOST_CLIENTS

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a client.

        Raises:
            HTTPException: no further client gets in.
        """
        if self.is_full:
            raise HTTPException(503, "too many pages are live; this page does not refresh itself")
        self.clients += 1
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._keep_making(), name="live page")
        try:
            yield
        finally:
            self.clients -= 1
            if self.clients == 0 and self._making is not None:
                self._making.cancel()
                self._making = None

    async def stream(self) -> AsyncGenerator[str]:
        """Yield events for a client that is counted, until it leaves, its time is over, or we stop."""
        seen, end = "", time.monotonic() + LONGEST_SECONDS
        yield "retry: 3000\n\n"
        while not self.is_closed and time.monotonic() < end:
            changed = self._changed
            if self._html != seen:
                seen = self._html
                yield _event(seen)
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await changed.wait()
            except TimeoutError:
                yield ": still here\n\n"

    def close(self) -> None:
        """End all streams; a server that stops waits for its answers."""
        self.is_closed = True
        self._announce()

    async def _keep_making(self) -> None:
        while not self.is_closed:
            try:
                html = await self._make()
            except XnovuError as error:
                # The page shows that it is not live; the next look follows.
                _log.debug("live page not read", reason=str(error))
            except Exception as error:  # noqa: BLE001 - a bug of a view must not end the streams for ever
                log.bug(_log, "live page failed", error)
            else:
                if html != self._html:
                    self._html = html
                    self._announce()
            await asyncio.sleep(self._every)

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class LiveResponse(StreamingResponse):
    """The stream as an answer. It counts its client before the first byte, so requests that arrive together are counted too."""

    def __init__(self, live: Live) -> None:
        super().__init__(live.stream(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._live = live

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless too many clients have the stream."""
        with self._live.counted():
            await super().__call__(scope, receive, send)


def _event(html: str) -> str:
    """Return the event that carries a piece of HTML."""
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"
