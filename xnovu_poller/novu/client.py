"""The calls: each ends in an outcome, and the gate hears of it."""

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
from xnovu_poller.lifecycle import Outcome, Refused, Unknown, seconds
from xnovu_poller.novu import answers
from xnovu_poller.novu.event import Event, digest
from xnovu_poller.novu.transport import Wire

KEEP_ALIVE_SECONDS = 4.0
"""Below the five after which a Node server hangs up: a call on a dying connection has no known outcome."""

TRIGGER = "v1/events/trigger"

EVENTS_PER_CALL = 100
"""Of a bulk call. Source: Novu, "Bulk trigger event"."""

BULK_TOKENS = 100
"""What a bulk call takes of the rate limit, whatever it carries; a single one takes 1. Source: Novu, "Rate limiting"."""

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class _Unsent(NovuUnavailable):
    """The call was never begun, for a reason of our own: nothing is learned about Novu."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, answered=False)


class Novu:
    """A client of one Novu environment, for one event loop; to be closed.

    Guarantee: at least once. A repeat with the same transaction id is dropped by Novu; a repeat of
    the same bytes gets the stored answer where Novu honours `Idempotency-Key`.

    Args:
        url: Novu's address; a path before `/v1` is kept.
        secret_key: the environment's key.
        timeout: the longest that one call may last, the wait for a connection included.
        gate: told of every trigger's outcome and every rate limit; while it is closed nothing is sent.
        connections: calls under way at once; further ones wait, so that a call's time is its own.
        transport: stands in for the network.
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
        self._metered = False
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"ApiKey {secret_key}", "User-Agent": f"xnovu-poller/{__version__}"},
            transport=transport or Wire(connections, KEEP_ALIVE_SECONDS),
        )

    def together(self, count: int) -> bool:
        """Whether so many events go in one call: not where Novu counts calls and single ones would cost less."""
        return count >= (BULK_TOKENS if self._metered else 2)

    async def trigger(self, event: Event, *, deadline: timedelta | None = None) -> Outcome:
        """Trigger one event.

        Args:
            event: what to send.
            deadline: the longest that it may last in all, if shorter than the client's timeout.
        """
        return await self._alone(event, self._ends(deadline))

    async def trigger_bulk(
        self, events: Sequence[Event], *, deadline: timedelta | None = None
    ) -> list[Outcome]:
        """Trigger up to 100 events in one call, or one by one where Novu refuses the call as a whole.

        Args:
            events: what to send, no transaction id twice.
            deadline: the longest that it may last in all, if shorter than the client's timeout.

        Returns:
            One outcome for each event, in order.
        """
        ends = self._ends(deadline)
        bodies = [_body(event) for event in events]
        fit = [(event, body) for event, body in zip(events, bodies, strict=True) if isinstance(body, bytes)]
        outcomes = iter(await self._together([event for event, _ in fit], [body for _, body in fit], ends))
        return [body if isinstance(body, Refused) else next(outcomes) for body in bodies]

    async def cancel(self, transaction_id: str) -> bool:
        """Cancel what Novu still delays or digests of a trigger; delivered messages are not recalled.

        Returns:
            Whether something was cancelled.

        Raises:
            NovuError: the kind says why; after `NovuUnanswered` it may have been cancelled.
        """
        path = f"{TRIGGER}/{quote(transaction_id, safe='')}"
        try:
            cancelled = await self._ask("DELETE", path, self._ends(None))
        except NovuThrottled as error:
            self._gate.throttle(error)
            raise
        if not isinstance(cancelled, bool):
            raise NovuUnanswered("malformed answer")
        return cancelled

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _alone(self, event: Event, ends: float) -> Outcome:
        body = _body(event)
        if isinstance(body, Refused):
            return body
        try:
            answer = await self._ask("POST", TRIGGER, ends, body, event.idempotency_key())
        except NovuError as error:
            return self._tell(event, answers.failure(error))
        return self._tell(event, answers.outcome(answer))

    async def _together(self, events: list[Event], bodies: list[bytes], ends: float) -> list[Outcome]:
        """Trigger events in one call; a single one goes alone, for a bulk call costs a hundred."""
        if len(events) <= 1:
            return [await self._alone(event, ends) for event in events]
        body = b'{"events":[' + b",".join(bodies) + b"]}"
        key = digest("\n".join(event.idempotency_key() for event in events).encode())
        try:
            items = await self._ask("POST", f"{TRIGGER}/bulk", ends, body, key)
            if not isinstance(items, list):
                raise NovuUnanswered("malformed answer")
        except (NovuRejected, NovuUnauthorized):
            return await self._one_by_one(events, ends)
        except NovuError as error:
            # One call is one witness: an event on which Novu chokes is not yet an outage.
            return [self._tell(events[0], answers.failure(error))] * len(events)
        found = answers.in_order([event.transaction_id for event in events], items)
        outcomes = [answers.outcome(item) for item in found]
        silent = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Unknown)]
        for number, (event, outcome) in enumerate(zip(events, outcomes, strict=True)):
            # One call is one witness, here too.
            if number not in silent[1:]:
                self._tell(event, outcome)
        return outcomes

    async def _one_by_one(self, events: list[Event], ends: float) -> list[Outcome]:
        """Trigger each alone; the first is the probe, and if Novu serves nobody the others stay here."""
        first = await self._alone(events[0], ends)
        if isinstance(first, Refused) and not isinstance(first.error, NovuRejected):
            return [first] * len(events)
        async with asyncio.TaskGroup() as group:
            rest = [group.create_task(self._alone(event, ends)) for event in events[1:]]
        return [first, *(task.result() for task in rest)]

    def _tell(self, event: Event, outcome: Outcome) -> Outcome:
        if not (isinstance(outcome, Refused) and isinstance(outcome.error, _Unsent)):
            self._gate.observe(event.source, outcome)
        return outcome

    def _ends(self, deadline: timedelta | None) -> float:
        span = self._timeout if deadline is None else min(deadline, self._timeout)
        return asyncio.get_running_loop().time() + seconds(span)

    async def _ask(
        self, method: str, path: str, ends: float, body: bytes | None = None, key: str | None = None
    ) -> Any:  # noqa: ANN401 - JSON
        """Make one call and give what the answer holds.

        Raises:
            NovuError: the kind says why; only after `NovuUnanswered` Novu may have acted.
        """
        headers = {} if key is None else {"Content-Type": "application/json", "Idempotency-Key": key}
        async with self._connection(ends) as left:
            # Half the time for connecting, so that a dead address is told from a server that is mute.
            timeout = httpx.Timeout(left, connect=left / 2)
            request = self._client.build_request(method, path, content=body, headers=headers, timeout=timeout)
            answer = await self._send(request, ends)
        remaining = answers.remaining(answer)
        self._metered |= remaining is not None
        self._gate.limit_rate(remaining, answers.pause(answer, "RateLimit-Reset"))
        return answers.content(answer)

    @asynccontextmanager
    async def _connection(self, ends: float) -> AsyncIterator[float]:
        """Wait for one of the connections, for half the time at most; gives the seconds left for the call.

        A call begun at the last moment would be cut off: an outcome unknown for a reason of our own, and
        held against Novu.
        """
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at((now + ends) / 2):
                await self._free.acquire()
        except TimeoutError:
            raise _Unsent("no connection came free in time") from None
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
        """Send, and tell for each way to fail whether Novu may have heard; reasons are names, never text."""
        try:
            async with asyncio.timeout_at(ends):
                return await self._client.send(request)
        except NEVER_SENT as error:
            raise NovuUnavailable(type(error).__name__, answered=False) from error
        except httpx.PoolTimeout as error:
            raise _Unsent("no connection came free in time") from error
        except (httpx.RequestError, OSError) as error:  # the deadline's TimeoutError is an OSError
            raise NovuUnanswered(type(error).__name__) from error


def _body(event: Event) -> bytes | Refused:
    try:
        return event.body()
    except NovuRejected as error:
        return Refused(error)
