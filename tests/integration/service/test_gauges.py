"""The gauges of a worker are measured when somebody asks for /metrics."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.ports import reserved_port
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import WITHIN, wait_until
from tests.support.worker import WorkerProgram, running_worker
from xnovu_poller import metrics
from xnovu_poller.store.schema import required_revision

Environment = Mapping[str, str]


def gauge(worker: WorkerProgram, name: str, **labels: str) -> float:
    """Return the value of one series."""
    (value,) = (
        sample.value
        for family in text_string_to_metric_families(worker.get("metrics").text)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    )
    return value


def until_shown(worker: WorkerProgram, name: str, value: float, **labels: str) -> None:
    """Wait until a series has a value; it is NaN while the database does not answer in time."""
    wait_until(lambda: gauge(worker, name, **labels) == value)


@contextmanager
def reserved_pair() -> Iterator[int]:
    """Yield the first of two neighbouring ports that nobody else gets."""
    with ExitStack() as held:
        while True:
            port = held.enter_context(reserved_port())
            with suppress(OSError):
                held.enter_context(reserved_port(port + 1))
                break
        yield port


def check_status(worker: WorkerProgram) -> None:
    """Check what /status has of a worker on which two rows of acme wait."""
    wait_until(lambda: (worker.get_status()["temporal"] or {}).get("pollers", {}).get("workflow") == 2)
    status = worker.get_status()
    assert status["temporal"]["pollers"]["activity"] >= 1
    assert (status["temporal"]["running"], status["temporal"]["failed_in_a_day"]) == (0, 0)
    assert status["schema"]["revision"] == status["schema"]["required"] == required_revision()
    assert status["enterprises"]["served"] == ["nobody"]
    assert status["enterprises"]["waiting"]["acme"]["due"] == 2
    assert status["breakers"] == []
    new = status["loops"]["new"]
    assert (new["claimed"], new["backlog"], new["last_error"]) == (0, 2, None)
    assert new["lag_seconds"] >= 0
    assert new["oldest_due_seconds"] > 0
    assert datetime.fromisoformat(new["last_turn_at"]) <= datetime.now(UTC)
    assert status["components"]["loops"]["detail"].startswith("last turns: new ")
    assert status["components"]["novu"]["detail"].startswith("Novu: answered ")


def test_the_gauges_of_a_worker(db: Db, worker_environment: Environment, tmp_path: Path) -> None:
    """Rows of an enterprise that this worker does not serve wait, and everything else is well.

    Each process serves the metrics of its SDK.
    """
    workflow = a_workflow(db)
    for _ in range(2):
        a_notification(db, workflow=workflow, enterprise="acme")
    with (
        reserved_pair() as port,
        running_worker(
            tmp_path,
            **worker_environment,
            WORKER_ENTERPRISE_IDS="nobody",
            WORKER_HTTP_TOKEN="a-token-of-monitoring",
            METRICS_ENTERPRISES="1",
            WORKER_PROCESSES="2",
            TEMPORAL_METRICS_PORT=str(port),
        ) as worker,
    ):
        url = f"{worker.url}/metrics"
        assert httpx.get(url, trust_env=False, timeout=WITHIN).status_code == 401
        until_shown(worker, "xnovu_wakeup_listening", 1)
        until_shown(worker, "xnovu_backlog", 2, loop="new")
        until_shown(worker, "xnovu_backlog", 0, loop="failed")
        until_shown(worker, "xnovu_in_flight", 0)
        wait_until(lambda: gauge(worker, "xnovu_oldest_due_seconds", loop="new") > 0)
        until_shown(worker, "xnovu_oldest_due_seconds", 0, loop="scheduled")
        assert gauge(worker, "xnovu_gate_open") == 1
        assert gauge(worker, "xnovu_tripped_workflows") == 0
        assert gauge(worker, "xnovu_pool_connections_max", pool="deliveries") == 10
        assert worker.metric("xnovu_component_health") == len(worker.get("health").json()["components"])
        for component in metrics.COMPONENTS:
            until_shown(worker, "xnovu_component_health", 1, component=component, status="healthy")
        assert gauge(worker, "xnovu_enterprise_backlog", enterprise="acme") == 2
        assert gauge(worker, "xnovu_enterprise_oldest_due_seconds", enterprise="acme") > 0
        worker.until_logged("executor started")
        for each in (port, port + 1):
            counted = httpx.get(f"http://127.0.0.1:{each}/metrics", trust_env=False, timeout=WITHIN).text
            assert "temporal_request_total" in counted
        check_status(worker)
        assert worker.stop() == 0
