"""The calls to Novu. Each returns an outcome and reports it to the gate."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import httpx

from xnovu_poller import __version__
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import (
    NovuBlocked,
    NovuError,
    NovuRejected,
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import Outcome, Refused, Unknown
from xnovu_poller.novu import answers
from xnovu_poller.novu.contact import Contact
from xnovu_poller.novu.event import Event, digest
from xnovu_poller.novu.transport import NotConnected, Wire

KEEP_ALIVE_SECONDS = 4.0
"""Less than 5 s, after which a Node server closes idle connections: a call on such a connection has an unknown outcome."""

TRIGGER = "v1/events/trigger"

EVENTS_PER_CALL = 100
"""The most events of a bulk call. Source: Novu, "Bulk trigger event"."""

BULK_TOKENS = 100
"""The cost of a bulk call in the rate limit, for any number of events; a single call costs 1.

Source: Novu, "Rate limiting".
"""

MAX_BODY_BYTES = 1_000_000
"""A heavier body that meets a 413 is at fault itself. nginx takes 1 MiB unless it is configured otherwise."""

LEAST_BULK_BYTES = 64_000
"""A bulk call may have this many bytes, however often it is refused: a firewall may answer 413 to what it dislikes."""

BULK_GROWS_AFTER = timedelta(minutes=1)
"""Allow bulk calls of twice the size, if none was too large for this long."""

_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

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
        max_body_bytes: a heavier body that meets a 413 is at fault itself; no bulk call is heavier.
        transport: replaces the network.

    Attributes:
        contact: whether Novu answers.

    Raises:
        ConfigError: the certificates of the environment cannot be used.
    """

    def __init__(  # noqa: PLR0913 - the parts of a client, each named
        self,
        url: str,
        secret_key: str,
        timeout: timedelta,
        gate: Gate,
        *,
        connections: int = 50,
        max_body_bytes: int = MAX_BODY_BYTES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout = timeout
        self._gate = gate
        self._free = asyncio.Semaphore(connections)
        self._is_rate_limited = False
        self._max_body_bytes = max_body_bytes
        self._bulk_bytes = max_body_bytes
        self._bulk_grows_at = 0.0
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={
                "Authorization": f"ApiKey {secret_key}",
                "User-Agent": f"xnovu-poller/{__version__}",
                # A few compressed bytes can become gigabytes.
                "Accept-Encoding": "identity",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            transport=transport or Wire(connections, KEEP_ALIVE_SECONDS),
        )
        self.contact = Contact(self._client)

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
        found = await asyncio.gather(*(self._trigger_together(call, ends) for call in self._split(encoded)))
        outcomes = iter([outcome for outcomes in found for outcome in outcomes])
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
        began_at = self._gate.now()
        try:
            answer = await self._call("POST", TRIGGER, ends, body, event.idempotency_key())
        except NovuBlocked as error:
            if error.status == _TOO_LARGE and len(body) > self._max_body_bytes:
                # Its own fault, and no proof that Novu can serve.
                self._gate.refund(1)
                reason = f"something in front of Novu does not take its body of {len(body)} bytes"
                return Refused(NovuRejected(_TOO_LARGE, reason))
            return self._observe(event, Refused(error), began_at)
        except NovuError as error:
            return self._observe(event, answers.to_outcome(error), began_at)
        return self._observe(event, answers.read_outcome(answer, event.transaction_id), began_at)

    def _split(self, events: Sequence[tuple[Event, bytes]]) -> Iterator[list[tuple[Event, bytes]]]:
        """Split events into calls that are not too heavy; an event that is too heavy has a call of its own."""
        call: list[tuple[Event, bytes]] = []
        size = 0
        for event, body in events:
            if call and size + len(body) > self._bulk_bytes:
                yield call
                call, size = [], 0
            call.append((event, body))
            size += len(body)
        if call:
            yield call

    async def _trigger_together(self, call: Sequence[tuple[Event, bytes]], ends: float) -> list[Outcome]:
        """Trigger events in one call; a single event uses a single call, because a bulk call costs a hundred."""
        events = [event for event, _ in call]
        if len(events) == 1:
            return [await self._trigger_single(events[0], ends)]
        body = b'{"events":[' + b",".join(body for _, body in call) + b"]}"
        # The body names each event; only its refusals are not part of it.
        key = digest(",".join(str(event.refusals) for event in events).encode() + body)
        began_at = self._gate.now()
        try:
            items = await self._call("POST", f"{TRIGGER}/bulk", ends, body, key)
            if not isinstance(items, list):
                raise NovuUnanswered("malformed answer")
        except (NovuRejected, NovuUnauthorized, NovuBlocked) as error:
            if error.status == _TOO_LARGE:
                # The next of this size would be refused as well, and cost another round of single calls.
                self._shrink_bulk(len(body))
            return await self._trigger_one_by_one(events, ends)
        except NovuError as error:
            # One call counts as one witness of an outage: a single event may have caused the failure.
            return [self._observe(events[0], answers.to_outcome(error), began_at)] * len(events)
        self._grow_bulk()
        found = answers.match_items([event.transaction_id for event in events], items)
        outcomes = [
            answers.read_outcome(item, event.transaction_id)
            for event, item in zip(events, found, strict=True)
        ]
        unanswered = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Unknown)]
        for number, (event, outcome) in enumerate(zip(events, outcomes, strict=True)):
            # One call counts as one witness, here too.
            if number not in unanswered[1:]:
                self._observe(event, outcome, began_at)
        return outcomes

    def _shrink_bulk(self, refused: int) -> None:
        least = min(LEAST_BULK_BYTES, self._max_body_bytes)
        self._bulk_bytes = max(least, min(self._bulk_bytes, refused // 2))
        self._bulk_grows_at = self._gate.now() + BULK_GROWS_AFTER.total_seconds()

    def _grow_bulk(self) -> None:
        """Allow twice as much if no bulk call was too large for a while: the proxy may have been changed."""
        if self._gate.now() >= self._bulk_grows_at:
            self._bulk_bytes = min(2 * self._bulk_bytes, self._max_body_bytes)
            self._bulk_grows_at = self._gate.now() + BULK_GROWS_AFTER.total_seconds()

    async def _trigger_one_by_one(self, events: list[Event], ends: float) -> list[Outcome]:
        """Trigger each event with its own call: 1, then 2, 4 … at a time, until the gate closes."""
        outcomes: list[Outcome] = []
        while len(outcomes) < len(events):
            wave = events[len(outcomes) : 2 * len(outcomes) + 1]
            outcomes += await asyncio.gather(*(self._trigger_single(event, ends) for event in wave))
        return outcomes

    def _observe(self, event: Event, outcome: Outcome, began_at: float) -> Outcome:
        if not (isinstance(outcome, Refused) and isinstance(outcome.error, _Unsent)):
            self._gate.observe(event.origin, outcome, began_at=began_at)
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
        self.contact.hear()
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
                raise _Unsent(f"the gate is closed: {self._gate.reason}")
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
        except NotConnected as error:
            raise NovuUnavailable(error.reason, answered=False) from error
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
