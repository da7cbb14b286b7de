"""Whether Novu answers: by the calls that flow anyway, and in a time without calls by a cheap question."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import httpx

from xnovu_poller.novu.transport import NotConnected

ASKED_AFTER = timedelta(minutes=1)
"""Ask after this long without an answer, and then at most as often."""

ASK_SECONDS = 1.5
"""How long the question may take: less than a probe of /health."""

PATH = "v1/health-check"
"""Novu answers it without a key, so it counts against no rate limit. Source: Novu, its health controller."""


class Contact:
    """Remembers when Novu last answered.

    Attributes:
        fault: why Novu did not answer the last question; None if it answered, or answered a call since.
    """

    def __init__(self, client: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self.fault: str | None = None
        self._client = client
        self._clock = clock
        self._heard_at = self._asked_at = float("-inf")

    def hear(self) -> None:
        """Note that Novu has answered a call, perhaps with a refusal."""
        self.fault = None
        self._heard_at = self._clock()

    async def look(self) -> str:
        """Return how Novu is, as a sentence; ask it only if nobody has called or asked it lately."""
        if self._clock() - max(self._heard_at, self._asked_at) >= ASKED_AFTER.total_seconds():
            self._asked_at = self._clock()
            await self._ask()
        return self.fault or f"Novu: answered {self._clock() - self._heard_at:.0f} s ago"

    async def _ask(self) -> None:
        request = self._client.build_request("GET", PATH, timeout=ASK_SECONDS)
        del request.headers["Authorization"]
        try:
            async with asyncio.timeout(ASK_SECONDS):
                answer = await self._client.send(request)
        except NotConnected as error:
            self.fault = f"Novu: cannot be reached ({error.reason})"
        except (httpx.RequestError, OSError) as error:  # TimeoutError is an OSError
            self.fault = f"Novu: does not answer ({type(error).__name__})"
        else:
            # A proxy that lets only triggers through answers 403 or 404.
            if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                self.hear()
            else:
                self.fault = f"Novu: its own check of its health answers {answer.status_code}"
