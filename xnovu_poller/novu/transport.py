"""Carry httpx's requests over aiohttp, which costs a fraction of httpx's own pool (docs/adr/0012)."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from typing_extensions import override
from yarl import URL

# The first five occur before a connection is made; after any other error Novu may have received the request.
# The order matters: the proxy error is a subclass of the connector error.
_KINDS: dict[type[Exception], type[httpx.TransportError]] = {
    aiohttp.ClientProxyConnectionError: httpx.ProxyError,
    aiohttp.ClientHttpProxyError: httpx.ProxyError,
    aiohttp.ClientConnectorError: httpx.ConnectError,
    aiohttp.ConnectionTimeoutError: httpx.ConnectTimeout,
    aiohttp.InvalidURL: httpx.UnsupportedProtocol,
    aiohttp.SocketTimeoutError: httpx.ReadTimeout,
    aiohttp.ServerDisconnectedError: httpx.RemoteProtocolError,
}


class Wire(httpx.AsyncBaseTransport):
    """Carries httpx's requests over aiohttp's connections; proxies are those of the environment.

    Args:
        connections: the most concurrent connections.
        idle_seconds: a connection that is unused for this time is closed.
    """

    def __init__(self, connections: int, idle_seconds: float) -> None:
        self._connections = connections
        self._idle_seconds = idle_seconds
        self._session: aiohttp.ClientSession | None = None
        # aiohttp itself would look for proxies and a .netrc at each call, in a thread.
        self._proxy = cache(_find_proxy)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the whole answer.

        Raises:
            httpx.TransportError: a kind in `client.NEVER_SENT` only if no connection was made.
        """
        limits = request.extensions.get("timeout", {})
        with _translate_errors():
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
                content = await answer.read()
            return httpx.Response(answer.status, headers=answer.raw_headers, content=content, request=request)

    @override
    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        """Return the session; it is created in the event loop that uses it."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections,
                keepalive_timeout=self._idle_seconds,
                ssl=httpx.create_ssl_context(),
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _find_proxy(scheme: str, host: str) -> str | None:
    known = getproxies()
    proxy = None if proxy_bypass(host) else known.get(scheme) or known.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        kind = next((theirs for ours, theirs in _KINDS.items() if isinstance(error, ours)), httpx.ReadError)
        raise kind(type(error).__name__) from error
