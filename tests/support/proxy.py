"""A TCP proxy that can be cut, mended, and left half open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TypeVar
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"


class Proxy:
    """A proxy on a free port, in the event loop of the test.

    Attributes:
        port: where it listens.
        seen_cut: set once `cut_at` has met its words.
        held_back: how many pieces have come while nothing passes.
    """

    def __init__(self, host: str, port: int) -> None:
        """Take the address of the server behind."""
        self.port = 0
        self.seen_cut = asyncio.Event()
        self.held_back = 0
        self._host = host
        self._port = port
        self._whole = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._words: bytes | None = None
        self._answered = False
        self._lose_answer = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Reset every connection, and each that comes."""
        self._whole = False
        for writer in self._writers:
            writer.transport.abort()

    def cut_at(self, words: bytes, *, answered: bool = False) -> None:
        """Cut once a client says these words.

        Args:
            words: the server does not hear them,
            answered: unless this is set: then it hears and answers, but the answer is lost.
        """
        self._words, self._answered = words, answered
        self.seen_cut.clear()

    def hang(self) -> None:
        """Leave all connections half open: they stand, and nothing passes; new ones come to stand too."""
        self.held_back = 0
        self._flowing.clear()

    def mend(self) -> None:
        """Let everything through again; what was cut stays so."""
        self._whole, self._words, self._lose_answer = True, None, False
        self._flowing.set()

    def through(self, url: str) -> str:
        """Give a URL of the server as one that leads through the proxy."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{login}{at}{LOOPBACK}:{self.port}").geturl()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        if not self._whole:
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
        """Let everything go."""
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
        """Look for the words at which to cut."""
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
        return self._whole


Kind = TypeVar("Kind", bound=Proxy)


@asynccontextmanager
async def proxy_of(kind: type[Kind], url: str) -> AsyncIterator[Kind]:
    """Run a proxy of a kind before the server of a URL."""
    parts = urlsplit(url)
    proxy = kind(parts.hostname or LOOPBACK, parts.port or 0)
    server = await asyncio.start_server(proxy.serve, LOOPBACK, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()


def proxied(url: str) -> AbstractAsyncContextManager[Proxy]:
    """Run a proxy before the server of a URL."""
    return proxy_of(Proxy, url)
