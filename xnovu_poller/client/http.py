"""Enqueue over HTTP, for programs without a connection to the database: `POST /api/notifications`.

A call is repeated if its answer was lost or the API could not serve. Each notification has a `dedup_key`, so it is written once.
"""

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

from xnovu_poller import __version__
from xnovu_poller.client import recording
from xnovu_poller.client.errors import ApiUnavailable, of_problem
from xnovu_poller.client.notification import Enqueued, Notification, to_json

_PATH = "/api/notifications"
_MEDIA_TYPE = "application/json"
_UNSERVED = (408, 429, 500, 502, 503, 504)
"""The statuses after which the same call may succeed."""

_SECONDS = 10.0
_FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0
"""The most seconds that a call waits for its next try; if the API asks for more, the caller decides."""


class Client:
    """Enqueues over HTTP, with a key that has the scope `send`. It may be shared by threads.

    Args:
        url: where the API is: `https://notify.example.org`.
        key: as `xnovu api key create` shows it; it names the enterprise.
        tries: how often a call is made at most.
        seconds: how long each part of a try may take: connecting, writing, reading.
        transport: httpx's, to reach the API in another way.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        tries: int = 5,
        seconds: float = _SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._tries = tries
        self._http = httpx.Client(base_url=url, headers=_headers(key), timeout=seconds, transport=transport)

    def enqueue(self, notification: Notification) -> Enqueued:
        """Enqueue a notification.

        Raises:
            ClientError: the API refuses it, and nothing was written; or `ApiUnavailable`, and it may have been written.
        """
        [made] = self._send([notification], is_list=False)
        return made

    def enqueue_all(self, notifications: Iterable[Notification]) -> list[Enqueued]:
        """Enqueue up to 1,000 notifications, all or none; return what became of each, in their order.

        Raises:
            ClientError: as `enqueue`.
        """
        return self._send(list(notifications), is_list=True)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def _send(self, notifications: list[Notification], *, is_list: bool) -> list[Enqueued]:
        if (recorder := recording.recorder()) is not None:
            return recorder.take(notifications, None)
        exchange = _Exchange(notifications, self._tries, is_list=is_list)
        while True:
            try:
                outcome = exchange.judge(self._http.post(_PATH, content=exchange.body))
            except httpx.TransportError as error:
                outcome = exchange.choose_pause(f"it does not answer ({type(error).__name__})", error)
            if not isinstance(outcome, float):
                return outcome
            time.sleep(outcome)


class AsyncClient:
    """Does the same as `Client`, with the same arguments, for asyncio."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        tries: int = 5,
        seconds: float = _SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._tries = tries
        self._http = httpx.AsyncClient(
            base_url=url, headers=_headers(key), timeout=seconds, transport=transport
        )

    async def enqueue(self, notification: Notification) -> Enqueued:
        """Enqueue a notification.

        Raises:
            ClientError: as `Client.enqueue`.
        """
        [made] = await self._send([notification], is_list=False)
        return made

    async def enqueue_all(self, notifications: Iterable[Notification]) -> list[Enqueued]:
        """Enqueue up to 1,000 notifications, all or none; return what became of each, in their order.

        Raises:
            ClientError: as `Client.enqueue`.
        """
        return await self._send(list(notifications), is_list=True)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def _send(self, notifications: list[Notification], *, is_list: bool) -> list[Enqueued]:
        if (recorder := recording.recorder()) is not None:
            return recorder.take(notifications, None)
        exchange = _Exchange(notifications, self._tries, is_list=is_list)
        while True:
            try:
                outcome = exchange.judge(await self._http.post(_PATH, content=exchange.body))
            except httpx.TransportError as error:
                outcome = exchange.choose_pause(f"it does not answer ({type(error).__name__})", error)
            if not isinstance(outcome, float):
                return outcome
            await asyncio.sleep(outcome)


def _headers(key: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {key}",
        "Content-Type": _MEDIA_TYPE,
        "Accept": f"{_MEDIA_TYPE}, application/problem+json",
        "User-Agent": f"xnovu-poller/{__version__}",
    }


class _Exchange:
    """The tries of one call: its body, which is the same each time, and the meaning of each answer."""

    def __init__(self, notifications: list[Notification], tries: int, *, is_list: bool) -> None:
        keyed = [
            each if each.dedup_key is not None else replace(each, dedup_key=f"http-{uuid4()}")
            for each in notifications
        ]
        body = to_json(keyed)
        self.body = (body if is_list else body[1:-1]).encode()
        self._is_list = is_list
        self._tries = tries
        self._tried = 0

    def judge(self, answer: httpx.Response) -> list[Enqueued] | float:
        """Return what became of the notifications, or the seconds until the next try.

        Raises:
            ClientError: the API refuses them, or there is no further try.
        """
        content = _content(answer)
        if answer.status_code in _UNSERVED:
            detail = content.get("detail") or content.get("title") or "no sentence"
            return self.choose_pause(
                f"it answers {answer.status_code} ({detail})", pause=_asked_pause(answer)
            )
        if not answer.is_success:
            raise of_problem(answer.status_code, content)
        try:
            made = content["notifications"] if self._is_list else [content]
            return [Enqueued(each["id"], each["created"]) for each in made]
        except (KeyError, TypeError):
            raise of_problem(answer.status_code, {}) from None

    def choose_pause(self, reason: str, cause: Exception | None = None, *, pause: float = 0) -> float:
        """Return the seconds until the next try.

        Args:
            reason: why there has to be another try.
            cause: the error of the last try, if it had no answer.
            pause: how long the API asks to wait.

        Raises:
            ApiUnavailable: there is no further try, or the API asks for a longer pause than a caller should wait.
        """
        self._tried += 1
        if self._tried >= self._tries or pause > LONGEST_PAUSE:
            raise ApiUnavailable(reason, self._tried, pause) from cause
        # A server that comes back meets its clients one after another.
        return max(pause, random.uniform(0.5, 1) * _FIRST_PAUSE * 2.0**self._tried)  # noqa: S311 - it guards no secret


def _content(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer; it is empty if there is none."""
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _asked_pause(answer: httpx.Response) -> float:
    """Return the seconds for which the API asks to wait; 0: it does not ask. Source: RFC 9110, "Retry-After"."""
    asked: str = answer.headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    try:
        wait: timedelta = parsedate_to_datetime(asked) - datetime.now(UTC)
        return max(0.0, wait.total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0
