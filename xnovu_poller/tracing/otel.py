"""Spans of OpenTelemetry; only this file imports it, and only `Tracing.start` imports this file."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Thread

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from xnovu_poller import __version__
from xnovu_poller.tracing import Begin, Stop

SPAN = "deliver notification"

CALL = "call Novu"
"""The stage that leaves this process."""

_STOP_SECONDS = 2.0
"""How long a stop waits for the last spans to be sent."""


@dataclass(frozen=True, slots=True)
class OtelSpan:
    """A span, and the tracer that begins those below it."""

    tracer: trace.Tracer
    span: trace.Span

    def begin_child(self, name: str) -> "OtelSpan":
        """Begin a span below this span."""
        kind = trace.SpanKind.CLIENT if name == CALL else trace.SpanKind.INTERNAL
        return OtelSpan(
            self.tracer, self.tracer.start_span(name, trace.set_span_in_context(self.span), kind=kind)
        )

    def settle(self, outcome: str, *, failed: bool) -> None:
        """Note how it went, unless it has ended."""
        if self.span.is_recording():
            self.span.set_attribute("xnovu.outcome", outcome)
            if failed:
                self.span.set_status(trace.StatusCode.ERROR, outcome)

    def end(self) -> None:
        """End it."""
        self.span.end()


def start() -> tuple[Begin, Stop]:
    """Send spans in the background; the SDK reads the variables `OTEL_…` itself."""
    ours = Resource({"service.name": "xnovu-worker", "service.version": __version__})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("xnovu_poller", __version__)

    def begin(traceparent: str | None, facts: Mapping[str, object]) -> OtelSpan:
        context = None if traceparent is None else trace.set_span_in_context(_read_parent(traceparent))
        attributes = {f"xnovu.{name}": value for name, value in facts.items() if isinstance(value, str | int)}
        return OtelSpan(
            tracer,
            tracer.start_span(SPAN, context, kind=trace.SpanKind.CONSUMER, attributes=attributes),
        )

    async def stop() -> None:
        # A collector that does not answer must not keep the process: no thread of ours outlives it.
        stopping = Thread(target=provider.shutdown, name="traces", daemon=True)
        stopping.start()
        await asyncio.to_thread(stopping.join, _STOP_SECONDS)

    return begin, stop


def _read_parent(traceparent: str) -> trace.NonRecordingSpan:
    """Return the producer's span, by its valid traceparent."""
    _, trace_id, span_id, flags = traceparent.split("-")
    return trace.NonRecordingSpan(
        trace.SpanContext(
            int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(int(flags, 16))
        )
    )
