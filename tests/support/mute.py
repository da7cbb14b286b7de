"""A proxy that holds back a single question, or every answer."""

import asyncio
from contextlib import AbstractAsyncContextManager, suppress

from typing_extensions import override

from tests.support.proxy import Proxy, proxy_of


class MuteProxy(Proxy):
    """A proxy that may keep words to itself; what the server heard, it does, and what it did not hear may come late.

    Attributes:
        held: how many questions have been held back.
        answered: how many of them the server has heard and answered since.
    """

    def __init__(self, host: str, port: int) -> None:
        """Take the address of the server behind."""
        super().__init__(host, port)
        self.held = 0
        self.answered = 0
        self._telling = asyncio.Event()
        self._telling.set()
        self._asking = asyncio.Event()
        self._late: set[asyncio.BaseTransport] = set()

    def mute(self) -> None:
        """Hold back every answer, for good."""
        self._telling.clear()

    def hold_at(self, words: bytes) -> None:
        """Hold back whatever a client says with these words, and what it says after them."""
        self._words = words

    def release(self) -> None:
        """Let what was held back arrive, though its client be gone."""
        self._words = None
        self._asking.set()

    @override
    async def close(self) -> None:
        self._telling.set()
        self._asking.set()
        await super().close()

    @override
    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asked: bool) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(65536):
                if asked:
                    await self._ask(chunk, writer.transport)
                else:
                    await self._tell(reader)
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def _ask(self, chunk: bytes, server: asyncio.BaseTransport) -> None:
        if self._words is not None and self._words in chunk:
            self.held += 1
            await self._asking.wait()
            self._late.add(server)

    async def _tell(self, reader: asyncio.StreamReader) -> None:
        server: asyncio.BaseTransport = vars(reader)["_transport"]
        if server in self._late:
            self._late.discard(server)
            self.answered += 1
        await self._telling.wait()


def mutable(url: str) -> AbstractAsyncContextManager[MuteProxy]:
    """Run such a proxy before the server of a URL."""
    return proxy_of(MuteProxy, url)
