"""Carry httpx's requests over aiohttp, which costs a fraction of httpx's own pool (docs/adr/0012)."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from typing_extensions import override
from yarl import URL

from xnovu_poller.errors import ConfigError
from xnovu_poller.novu.connection import Connector, SpeaksTls, TooLong, mark_connected
from xnovu_poller.novu.unreachable import TLS_EXPECTED, explain, speaks_tls

_KINDS: dict[type[Exception], type[httpx.TransportError]] = {
    aiohttp.SocketTimeoutError: httpx.ReadTimeout,
    aiohttp.ServerDisconnectedError: httpx.RemoteProtocolError,
}
"""What an error means after the connection was made: Novu may have received the request."""


_HUNG_UP = httpx.ReadError | httpx.RemoteProtocolError


class NotConnected(httpx.ConnectError):
    """Not a byte of the request was sent.

    Attributes:
        reason: why, as a sentence that quotes nothing.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Wire(httpx.AsyncBaseTransport):
    """Carries httpx's requests over aiohttp's connections; proxies are those of the environment.

    Args:
        connections: the most concurrent connections.
        idle_seconds: a connection that is unused for this time is closed.

    Raises:
        ConfigError: the certificates of the environment cannot be used.
    """

    def __init__(self, connections: int, idle_seconds: float) -> None:
        self._connections = connections
        self._idle_seconds = idle_seconds
        self._tls = _load_certificates()
        self._session: aiohttp.ClientSession | None = None
        self._answered = False  # the address has answered a call
        # aiohttp itself would look for proxies and a .netrc at each call, in a thread.
        self._proxy = cache(_find_proxy)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the answer: no more than a bounded part of it, and never decompressed.

        Raises:
            NotConnected: no connection was made.
            httpx.TransportError: the request may have been received.
        """
        try:
            with _translate_errors():
                answer = await self._carry(request)
        except httpx.TransportError as error:
            plain = request.url.scheme == "http" and not self._answered and isinstance(error, _HUNG_UP)
            if plain and await speaks_tls(request.url.host, request.url.port or 80):
                raise NotConnected(TLS_EXPECTED) from error
            raise
        self._answered = True
        return answer

    async def _carry(self, request: httpx.Request) -> httpx.Response:
        limits = request.extensions.get("timeout", {})
        async with self._open().request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=request.headers,
            # aiohttp warns of bytes of a megabyte or more.
            data=BytesIO(request.content) if request.content else None,
            allow_redirects=False,
            proxy=self._proxy(request.url.scheme, request.url.host),
            timeout=aiohttp.ClientTimeout(connect=limits.get("connect"), sock_read=limits.get("read")),
        ) as answer:
            content = await _read(answer)
        headers = [(name, value) for name, value in answer.raw_headers if name.lower() not in _UNREAD]
        return httpx.Response(answer.status, headers=headers, content=content, request=request)

    @override
    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        """Return the session; it is created in the event loop that uses it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=Connector(
                    limit=self._connections, keepalive_timeout=self._idle_seconds, ssl=self._tls
                ),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


_UNREAD = {b"content-encoding", b"content-length", b"set-cookie", b"transfer-encoding"}
"""Headers that are not ours to obey: the content is complete, and neither decompressed nor kept."""


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Return the content of an answer; nothing if it is compressed, though we did not ask for that, or too long."""
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        answer.close()
        return b""
    try:
        return await answer.read()
    except TooLong:
        return b""


def _load_certificates() -> ssl.SSLContext:
    """Load the authorities that we trust, once, because a fault of them is nobody else's."""
    try:
        return httpx.create_ssl_context()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        fault = f"SSL_CERT_FILE: its certificates cannot be read ({type(error).__name__})"
        raise ConfigError([fault]) from error


def _find_proxy(scheme: str, host: str) -> str | None:
    known = getproxies()
    proxy = None if proxy_bypass(host) else known.get(scheme) or known.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


@contextmanager
def _translate_errors() -> Iterator[None]:
    with mark_connected() as exchange:
        try:
            yield
        except SpeaksTls as error:
            # What answers so has not read a request of ours.
            raise NotConnected(TLS_EXPECTED) from error
        except Exception as error:
            if not exchange.connected:
                raise NotConnected(explain(error)) from error
            if not isinstance(error, aiohttp.ClientError | TimeoutError | OSError):
                raise
            kind = next(
                (theirs for ours, theirs in _KINDS.items() if isinstance(error, ours)), httpx.ReadError
            )
            raise kind(type(error).__name__) from error
