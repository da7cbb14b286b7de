"""A TCP proxy that can be cut, repaired, and left half open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TypeVar
from urllib.parse import urlsplit

from tests.support.tcp import accepting

LOOPBACK = "127.0.0.1"


class Proxy:
    """A proxy on a free port, in the event loop of the test.

    Attributes:
        port: the port that it listens on.
        accepted: the number of connections that were made.
        seen_cut: set after `cut_at` has met its words.
        held_back: the number of chunks that have arrived while nothing passes.
    """

    def __init__(self, host: str, port: int) -> None:
        """Remember the address of the server behind."""
        self.port = 0
        self.accepted = 0
        self.seen_cut = asyncio.Event()
        self.held_back = 0
        self._host = host
        self._port = port
        self._passing = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._words: bytes | None = None
        self._answered = False
        self._lose_answer = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Reset every connection, now and from now on."""
        self._passing = False
        for writer in self._writers:
            with suppress(AttributeError):  # a TLS connection that was closed twice, in Python 3.11.2
                writer.transport.abort()

    def cut_at(self, words: bytes, *, answered: bool = False) -> None:
        """Cut when a client sends these words.

        Args:
            words: the server does not receive them,
            answered: unless this is set: then it receives them and answers, but the answer is lost.
        """
        self._words, self._answered = words, answered
        self.seen_cut.clear()

    def hang(self) -> None:
        """Leave all connections half open: they exist, but nothing passes. New connections can be made too."""
        self.held_back = 0
        self._flowing.clear()

    def mend(self) -> None:
        """Let everything pass again; connections that were cut stay cut."""
        self._passing, self._words, self._lose_answer = True, None, False
        self._flowing.set()

    def lead_to(self, url: str) -> None:
        """Lead new connections to the server of another URL, as an address does after a failover."""
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or LOOPBACK, parts.port or 0

    def through(self, url: str) -> str:
        """Return a URL of the server that leads through the proxy."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{login}{at}{LOOPBACK}:{self.port}").geturl()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry a connection until either side ends it."""
        self.accepted += 1
        if not self._passing:
            writer.transport.abort()
            return
        behind, server = await asyncio.open_connection(self._host, self._port)
        self._writers |= {writer, server}
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, server, asked=True))
                pumps.create_task(self._pump(behind, writer, asked=False))
        finally:
            self._writers -= {writer, server}

    async def close(self) -> None:
        """End all connections."""
        self.cut()
        self._flowing.set()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asked: bool) -> None:
        task = asyncio.current_task()
        assert task
        self._pumps.add(task)
        with suppress(ConnectionError):
            while chunk := await reader.read(65536):
                self.held_back += not self._flowing.is_set()
                await self._flowing.wait()
                if not self._passes(chunk, asked=asked):
                    break
                writer.write(chunk)
                await writer.drain()
        writer.close()
        self._pumps.discard(task)

    def _passes(self, chunk: bytes, *, asked: bool) -> bool:
        """Return whether a chunk passes; cut if it contains the words."""
        if not asked and self._lose_answer:
            self.cut()
            self.seen_cut.set()
            return False
        if asked and self._words is not None and self._words in chunk:
            self._words, self._lose_answer = None, self._answered
            if not self._answered:
                self.cut()
                self.seen_cut.set()
                return False
        return self._passing


Kind = TypeVar("Kind", bound=Proxy)


@asynccontextmanager
async def proxy_of(kind: type[Kind], url: str) -> AsyncIterator[Kind]:
    """Run a proxy of a kind in front of the server of a URL."""
    parts = urlsplit(url)
    proxy = kind(parts.hostname or LOOPBACK, parts.port or 0)
    async with accepting(proxy.serve) as proxy.port:
        try:
            yield proxy
        finally:
            await proxy.close()


def proxied(url: str) -> AbstractAsyncContextManager[Proxy]:
    """Run a proxy in front of the server of a URL."""
    return proxy_of(Proxy, url)
