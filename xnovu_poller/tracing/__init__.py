"""Traces of notifications, from the producer's transaction to Novu's answer; they cost nothing while nobody wants them."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Final, NamedTuple, Protocol

from xnovu_poller import log

_log = log.get(__name__)

KEY: Final = "xnovu_trace"
"""The member of a payload in which a producer hands its trace over: `{"traceparent": "00-…"}`. Novu does not get it."""

_TRACEPARENT = re.compile(
    rb'"xnovu_trace": \{[^{}]*"traceparent": "(00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})"'
)
"""Source: W3C, "Trace Context", version 00. Anything else is ignored."""


class Span(Protocol):
    """A part of a trace that has begun."""

    def begin_child(self, name: str) -> "Span":
        """Begin a part of this part."""

    def settle(self, outcome: str, *, failed: bool) -> None:
        """Note how it went; does nothing after the end."""

    def end(self) -> None:
        """End it."""


Begin = Callable[[str | None, Mapping[str, object]], Span]
"""Begins the part of a notification: it gets the producer's traceparent, and the facts of the notification."""

Stop = Callable[[], Awaitable[None]]


class Traced(NamedTuple):
    """A notification that may have a trace.

    Attributes:
        transaction_id: by which its span is found again.
        payload: the JSON text that PostgreSQL wrote.
        facts: what its span shows.
    """

    transaction_id: str
    payload: bytes
    facts: Mapping[str, object]


class Tracing:
    """Begins and ends the spans of notifications, if they are wanted."""

    def __init__(self) -> None:
        self._begin: Begin | None = None
        self._spans: ContextVar[Mapping[str, Span] | None] = ContextVar("spans", default=None)

    def start(self) -> Stop | None:
        """Send traces from now on, as the variables `OTEL_…` determine; return how to stop, or None without the extra."""
        try:
            otel = import_module("xnovu_poller.tracing.otel")
        except ImportError:
            _log.warning("traces not sent", reason="they need more packages; install xnovu-poller[otel]")
            return None
        begin, stop = otel.start()
        self.use(begin)
        return self._stopping(stop)

    def use(self, begin: Begin | None) -> None:
        """Begin spans so; None: no more."""
        self._begin = begin

    @contextmanager
    def deliver(self, notifications: Iterable[Traced]) -> Iterator[None]:
        """Give each notification a span for the length of the block."""
        if self._begin is None:
            yield
            return
        spans = {
            each.transaction_id: self._begin(_read_traceparent(each.payload), each.facts)
            for each in notifications
        }
        token = self._spans.set(spans)
        try:
            yield
        finally:
            self._spans.reset(token)
            for span in spans.values():
                span.end()

    @contextmanager
    def stage(self, name: str, ids: Iterable[str]) -> Iterator[dict[str, str]]:
        """Give each notification a span below its own for the length of the block.

        Args:
            name: the stage.
            ids: their transaction ids; it is not read if nobody wants traces.

        Yields:
            Where the block puts the outcome of each, by transaction id; any but `accepted` is a failure.
        """
        outcomes: dict[str, str] = {}
        spans = self._spans.get()
        if spans is None:
            yield outcomes
            return
        begun = {id_: spans[id_].begin_child(name) for id_ in ids if id_ in spans}
        try:
            yield outcomes
        finally:
            for id_, span in begun.items():
                if id_ in outcomes:
                    span.settle(outcomes[id_], failed=outcomes[id_] != "accepted")
                span.end()

    def settle(self, transaction_id: str, outcome: str, *, failed: bool) -> None:
        """Note how a notification ended."""
        span = (self._spans.get() or {}).get(transaction_id)
        if span is not None:
            span.settle(outcome, failed=failed)

    def _stopping(self, stop: Stop) -> Stop:
        async def stop_all() -> None:
            self.use(None)
            await stop()

        return stop_all


TRACING: Final = Tracing()
"""The traces of this process."""


def _read_traceparent(payload: bytes) -> str | None:
    found = _TRACEPARENT.search(payload)
    return None if found is None else found[1].decode()
