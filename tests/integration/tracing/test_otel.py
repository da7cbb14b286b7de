"""A trace leads from the producer's transaction to Novu's answer."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from typing_extensions import override

from tests.integration.service.conftest import Environment, is_sent
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
BAD = {"traceparent": f"00-{'0' * 32}-{PARENT}-01"}


class Collector:
    """A collector of OpenTelemetry on a free port."""

    def __init__(self) -> None:
        spans = self._spans = list[Span]()
        received = self.received = list[bytes]()

        class Receiving(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name that http.server calls
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append(body)
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            @override
            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Receiving)

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name."""
        return [span for span in self._spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Run a collector."""
    made = Collector()
    with made.server:
        thread = Thread(target=made.server.serve_forever)
        thread.start()
        yield made
        made.server.shutdown()
        thread.join()


def attributes(span: Span) -> dict[str, str | int]:
    """Return the attributes of a span."""
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_one_trace_from_the_producer_to_novu(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, collector: Collector, tmp_path: Path
) -> None:
    """Novu does not get the traceparent, and the schema does not see it; a wrong traceparent is ignored.

    The collector gets no payload, recipient or secret.
    """
    schema = {
        "properties": {"order": {"enum": ["value-marker-1", "value-marker-2"]}},
        "additionalProperties": False,
    }
    workflow = a_workflow(db, payload_schema=schema)
    traced, untraced = (
        a_notification(
            db,
            workflow=workflow,
            recipients=["person-marker"],
            payload={"order": f"value-marker-{number}", "xnovu_trace": trace},
        )
        for number, trace in ((1, GOOD), (2, BAD))
    )
    endpoint = f"http://127.0.0.1:{collector.server.server_port}"
    with running_worker(
        tmp_path,
        **worker_environment,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_BSP_SCHEDULE_DELAY="100",
        NO_PROXY="127.0.0.1",
    ) as worker:
        wait_until(lambda: is_sent(db, traced) and is_sent(db, untraced))
        wait_until(lambda: len(collector.named("deliver notification")) == 2)
        assert worker.stop() == 0

    of_producer, of_nobody = sorted(
        collector.named("deliver notification"), key=lambda span: span.trace_id.hex() != TRACE
    )
    assert (of_producer.trace_id.hex(), of_producer.parent_span_id.hex()) == (TRACE, PARENT)
    assert of_nobody.trace_id.hex() != TRACE
    assert not of_nobody.parent_span_id
    kept = row(db, traced)
    assert (
        attributes(of_producer).items()
        >= {
            "xnovu.notification": traced,
            "xnovu.attempt": 1,
            "xnovu.enterprise": "acme",
            "xnovu.workflow_id": kept["temporal_workflow_id"],
            "xnovu.transaction_id": kept["transaction_id"],
            "xnovu.outcome": "sent",
        }.items()
    )
    below = {
        span.name
        for name in ("prepare", "call Novu", "record")
        for span in collector.named(name)
        if span.parent_span_id == of_producer.span_id and span.trace_id == of_producer.trace_id
    }
    assert below == {"prepare", "call Novu", "record"}
    assert {attributes(span)["xnovu.outcome"] for span in collector.named("call Novu")} == {"accepted"}
    payloads = [trigger["event"]["payload"] for trigger in novu_standin.ledger()["triggers"]]
    assert sorted(payload["order"] for payload in payloads) == ["value-marker-1", "value-marker-2"]
    assert all(payload.keys() == {"order", "xnovu"} for payload in payloads)
    assert b"deliver notification" in b"".join(collector.received)
    for secret in ("person-marker", "value-marker", "key-1", worker_environment["DATABASE_URL"]):
        assert secret.encode() not in b"".join(collector.received)


def test_a_collector_that_is_away_stops_nothing(
    db: Db, worker_environment: Environment, tmp_path: Path
) -> None:
    """Notifications go out, and a stop does not wait for it."""
    made = a_notification(db, workflow=a_workflow(db))
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"}
    with running_worker(tmp_path, **worker_environment, **away) as worker:
        wait_until(lambda: is_sent(db, made))
        assert worker.stop() == 0
