"""Single calls to Novu by commands and chores, one at a time; deliveries have a client of their own."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from xnovu_poller import __version__
from xnovu_poller.errors import NovuUnanswered, NovuUnavailable
from xnovu_poller.novu.client import KEEP_ALIVE_SECONDS
from xnovu_poller.novu.transport import NotConnected, Wire

Json = dict[str, Any]


class Client:
    """Makes single calls to one Novu environment. Close it with `aclose`.

    Args:
        url: Novu's address; a path before the version is kept.
        secret_key: the environment's key.
        timeout: the longest duration of one call.

    Raises:
        ConfigError: the certificates of the environment cannot be used.
    """

    def __init__(self, url: str, secret_key: str, timeout: timedelta) -> None:
        self._seconds = timeout.total_seconds()
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={
                "Authorization": f"ApiKey {secret_key}",
                "User-Agent": f"xnovu-poller/{__version__}",
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(self._seconds, connect=self._seconds / 2),
            transport=Wire(1, KEEP_ALIVE_SECONDS),
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def send(
        self, method: str, path: str, body: Json | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Make a call; return any answer.

        Raises:
            NovuUnavailable: Novu has not received the call.
            NovuUnanswered: Novu may have received it.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await self._client.request(method, path, json=body, headers=headers)
        except NotConnected as error:
            raise NovuUnavailable(error.reason, answered=False) from error
        except (httpx.RequestError, OSError) as error:  # TimeoutError is an OSError
            raise NovuUnanswered(type(error).__name__) from error
