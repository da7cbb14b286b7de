"""A proxy that holds back a single request, or every answer."""

import asyncio
from contextlib import AbstractAsyncContextManager, suppress

from typing_extensions import override

from tests.support.proxy import Proxy, proxy_of


class SilentProxy(Proxy):
    """A proxy that can hold back data: the server acts on the requests that reached it, and others may arrive late.

    Attributes:
        held: the number of requests that were held back.
        answered: how many of them have reached the server since, and were answered.
    """

    def __init__(self, host: str, port: int) -> None:
        """Remember the address of the server behind."""
        super().__init__(host, port)
        self.held = 0
        self.answered = 0
        self._answers_pass = asyncio.Event()
        self._answers_pass.set()
        self._requests_pass = asyncio.Event()
        self._late: set[asyncio.BaseTransport] = set()

    def silence(self) -> None:
        """Hold back every answer from now on."""
        self._answers_pass.clear()

    def hold_at(self, words: bytes) -> None:
        """Hold back each request that contains these words, and everything after it."""
        self._words = words

    def release(self) -> None:
        """Let the held requests arrive, even if their client is gone."""
        self._words = None
        self._requests_pass.set()

    @override
    async def close(self) -> None:
        self._answers_pass.set()
        self._requests_pass.set()
        await super().close()

    @override
    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asked: bool) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(65536):
                if asked:
                    await self._pass_request(chunk, writer.transport)
                else:
                    await self._pass_answer(reader)
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def _pass_request(self, chunk: bytes, server: asyncio.BaseTransport) -> None:
        if self._words is not None and self._words in chunk:
            self.held += 1
            await self._requests_pass.wait()
            self._late.add(server)

    async def _pass_answer(self, reader: asyncio.StreamReader) -> None:
        server: asyncio.BaseTransport = vars(reader)["_transport"]
        if server in self._late:
            self._late.discard(server)
            self.answered += 1
        await self._answers_pass.wait()


def silent_proxy(url: str) -> AbstractAsyncContextManager[SilentProxy]:
    """Run a silent proxy in front of the server of a URL."""
    return proxy_of(SilentProxy, url)
