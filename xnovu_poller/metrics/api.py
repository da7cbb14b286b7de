"""The metrics of a process of the API."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

REGISTRY: Final = CollectorRegistry()
"""The metrics of this process."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Values of the label `method`, and `other`."""

ProcessCollector(registry=REGISTRY)

REQUESTS: Final = Counter(
    "http_requests",
    "Requests to the API that were answered, by method, route and status.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
REQUEST_SECONDS: Final = Histogram(
    "http_request_duration_seconds",
    "Seconds from the head of a request to its answer.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request; a method that nobody knows is `other`."""
    known = method if method in METHODS else "other"
    REQUESTS.labels(known, route, status).inc()
    REQUEST_SECONDS.labels(known, route).observe(seconds)
