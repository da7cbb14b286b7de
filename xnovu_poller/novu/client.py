"""The calls to Novu. Each returns an outcome and reports it to the gate."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx

from xnovu_poller import __version__
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import (
    NovuError,
    NovuRejected,
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import Outcome, Refused, Unknown
from xnovu_poller.novu import answers
from xnovu_poller.novu.event import Event, digest
from xnovu_poller.novu.transport import Wire

KEEP_ALIVE_SECONDS = 4.0
"""Less than 5 s, after which a Node server closes idle connections: a call on such a connection has an unknown outcome."""

TRIGGER = "v1/events/trigger"

EVENTS_PER_CALL = 100
"""The most events of a bulk call. Source: Novu, "Bulk trigger event"."""

BULK_TOKENS = 100
"""The cost of a bulk call in the rate limit, for any number of events; a single call costs 1.

Source: Novu, "Rate limiting".
"""

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class _Unsent(NovuUnavailable):
    """The call was never sent, for a reason of our own; it shows nothing about Novu."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, answered=False)


class Novu:
    """A client of one Novu environment, for one event loop. Close it with `aclose`.

    Guarantee: at least once. Novu drops a repeat with the same transaction id; if it honours
    `Idempotency-Key`, it answers a repeat of the same bytes with the stored answer.

    Args:
        url: Novu's address; a path before `/v1` is kept.
        secret_key: the environment's key.
        timeout: the longest duration of one call, including the wait for a connection.
        gate: observes the outcome of every trigger and every rate limit; while it is closed, nothing is sent.
        connections: concurrent calls; more calls wait, and their wait counts against their own timeout.
        transport: replaces the network.
    """

    def __init__(
        self,
        url: str,
        secret_key: str,
        timeout: timedelta,
        gate: Gate,
        *,
        connections: int = 50,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout = timeout
        self._gate = gate
        self._free = asyncio.Semaphore(connections)
        self._is_rate_limited = False
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"ApiKey {secret_key}", "User-Agent": f"xnovu-poller/{__version__}"},
            transport=transport or Wire(connections, KEEP_ALIVE_SECONDS),
        )

    def together(self, count: int) -> bool:
        """Return whether this many events should go in one call.

        If Novu limits our rate, fewer than BULK_TOKENS events cost less as single calls.
        """
        return count >= (BULK_TOKENS if self._is_rate_limited else 2)

    async def trigger(self, event: Event, *, deadline: timedelta | None = None) -> Outcome:
        """Trigger one event.

        Args:
            event: the event.
            deadline: the longest duration in total, if shorter than the client's timeout.
        """
        return await self._trigger_single(event, self._end_time(deadline))

    async def trigger_bulk(
        self, events: Sequence[Event], *, deadline: timedelta | None = None
    ) -> list[Outcome]:
        """Trigger up to 100 events in one call, or one by one if Novu refuses the whole call.

        Args:
            events: the events; each transaction id occurs once.
            deadline: the longest duration in total, if shorter than the client's timeout.

        Returns:
            The outcome of each event, in order.
        """
        ends = self._end_time(deadline)
        bodies = [_encode(event) for event in events]
        encoded = [
            (event, body) for event, body in zip(events, bodies, strict=True) if isinstance(body, bytes)
        ]
        outcomes = iter(
            await self._trigger_together([event for event, _ in encoded], [body for _, body in encoded], ends)
        )
        return [body if isinstance(body, Refused) else next(outcomes) for body in bodies]

    async def cancel(self, transaction_id: str) -> bool:
        """Cancel the messages of a trigger that Novu still delays or digests; delivered messages stay.

        Returns:
            Whether something was cancelled.

        Raises:
            NovuError: after `NovuUnanswered`, or `NovuUnavailable` with `unsure`, it may have been cancelled.
        """
        path = f"{TRIGGER}/{quote(transaction_id, safe='')}"
        try:
            cancelled = await self._call("DELETE", path, self._end_time(None))
        except NovuThrottled as error:
            self._gate.throttle(error)
            raise
        if not isinstance(cancelled, bool):
            raise NovuUnanswered("malformed answer")
        return cancelled

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _trigger_single(self, event: Event, ends: float) -> Outcome:
        body = _encode(event)
        if isinstance(body, Refused):
            return body
        try:
            answer = await self._call("POST", TRIGGER, ends, body, event.idempotency_key())
        except NovuError as error:
            return self._observe(event, answers.to_outcome(error))
        return self._observe(event, answers.read_outcome(answer))

    async def _trigger_together(self, events: list[Event], bodies: list[bytes], ends: float) -> list[Outcome]:
        """Trigger events in one call; a single event uses a single call, because a bulk call costs a hundred."""
        if len(events) <= 1:
            return [await self._trigger_single(event, ends) for event in events]
        body = b'{"events":[' + b",".join(bodies) + b"]}"
        key = digest("\n".join(event.idempotency_key() for event in events).encode())
        try:
            items = await self._call("POST", f"{TRIGGER}/bulk", ends, body, key)
            if not isinstance(items, list):
                raise NovuUnanswered("malformed answer")
        except (NovuRejected, NovuUnauthorized):
            return await self._trigger_one_by_one(events, ends)
        except NovuError as error:
            # One call counts as one witness of an outage: a single event may have caused the failure.
            return [self._observe(events[0], answers.to_outcome(error))] * len(events)
        found = answers.match_items([event.transaction_id for event in events], items)
        outcomes = [answers.read_outcome(item) for item in found]
        unanswered = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Unknown)]
        for number, (event, outcome) in enumerate(zip(events, outcomes, strict=True)):
            # One call counts as one witness, here too.
            if number not in unanswered[1:]:
                self._observe(event, outcome)
        return outcomes

    async def _trigger_one_by_one(self, events: list[Event], ends: float) -> list[Outcome]:
        """Trigger each event with its own call; if Novu refuses the first for a general reason, send no other."""
        first = await self._trigger_single(events[0], ends)
        if isinstance(first, Refused) and not isinstance(first.error, NovuRejected):
            return [first] * len(events)
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(self._trigger_single(event, ends)) for event in events[1:]]
        return [first, *(task.result() for task in others)]

    def _observe(self, event: Event, outcome: Outcome) -> Outcome:
        if not (isinstance(outcome, Refused) and isinstance(outcome.error, _Unsent)):
            self._gate.observe(event.origin, outcome)
        return outcome

    def _end_time(self, deadline: timedelta | None) -> float:
        span = self._timeout if deadline is None else min(deadline, self._timeout)
        return asyncio.get_running_loop().time() + span.total_seconds()

    async def _call(
        self, method: str, path: str, ends: float, body: bytes | None = None, key: str | None = None
    ) -> Any:  # noqa: ANN401 - JSON
        """Make one call and return the data of the answer.

        Raises:
            NovuError: after `NovuUnanswered`, or `NovuUnavailable` with `unsure`, Novu may have acted.
        """
        headers = {} if key is None else {"Content-Type": "application/json", "Idempotency-Key": key}
        async with self._acquire_connection(ends) as left:
            # Connecting may take half the time, so that an unreachable host differs from a server that does not answer.
            timeout = httpx.Timeout(left, connect=left / 2)
            request = self._client.build_request(method, path, content=body, headers=headers, timeout=timeout)
            answer = await self._send(request, ends)
        remaining = answers.read_remaining(answer)
        self._is_rate_limited |= remaining is not None
        self._gate.limit_rate(remaining, answers.read_pause(answer, "RateLimit-Reset"))
        return answers.read_content(answer)

    @asynccontextmanager
    async def _acquire_connection(self, ends: float) -> AsyncIterator[float]:
        """Wait for a connection, at most half the time that is left; yield the seconds left for the call.

        A call that starts too late would be cut off: its outcome would be unknown for a reason of our own,
        and would count against Novu.
        """
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at((now + ends) / 2):
                await self._free.acquire()
        except TimeoutError:
            raise _Unsent("no connection was free in time") from None
        try:
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                raise _Unsent("no time was left for the call")
            if self._gate.closed:
                raise _Unsent("the gate is closed")
            yield left
        finally:
            self._free.release()

    async def _send(self, request: httpx.Request, ends: float) -> httpx.Response:
        """Send the request.

        The reason in an error is a class name, never a text, which may quote a value.

        Raises:
            NovuUnavailable: Novu has not received the request.
            NovuUnanswered: Novu may have received it.
        """
        try:
            async with asyncio.timeout_at(ends):
                return await self._client.send(request)
        except NEVER_SENT as error:
            raise NovuUnavailable(type(error).__name__, answered=False) from error
        except httpx.PoolTimeout as error:
            raise _Unsent("no connection was free in time") from error
        except (httpx.RequestError, OSError) as error:  # TimeoutError is an OSError
            raise NovuUnanswered(type(error).__name__) from error


def _encode(event: Event) -> bytes | Refused:
    try:
        return event.body()
    except NovuRejected as error:
        return Refused(error)
