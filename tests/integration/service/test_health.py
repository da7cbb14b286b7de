"""/health names missing parts, and problems that a person has to fix."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

Environment = Mapping[str, str]


def test_a_missing_namespace_is_reported(worker_environment: Environment, tmp_path: Path) -> None:
    """It may be created while the worker waits; a stop takes effect meanwhile."""
    with running_worker(tmp_path, **worker_environment, TEMPORAL_NAMESPACE="nowhere") as worker:
        line = worker.until_logged("start waits")
        assert "namespace nowhere does not exist; create it, or set TEMPORAL_NAMESPACE" in line["reason"]
        assert worker.component("temporal")["detail"] == line["reason"]
        assert worker.stop() == 0


def test_a_wrong_key_stops_the_claims_and_fails_no_row(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """/health names the variable that a person has to fix."""
    novu_standin.switch(secret_key="another")
    workflow = a_workflow(db)
    made = [a_notification(db, workflow=workflow) for _ in range(5)]
    with running_worker(tmp_path, **worker_environment) as worker:
        wait_until(lambda: "check NOVU_SECRET_KEY" in worker.component("novu")["detail"])
        assert worker.get("health").status_code == 503
        wait_until(
            lambda: (
                {row(db, notification_id)["notification_status"] for notification_id in made} == {"PENDING"}
            )
        )
        assert {row(db, notification_id)["failure_count"] for notification_id in made} == {0}
        assert worker.get_status()["gate"]["stopped"] is True
        assert worker.metric("xnovu_gate_open") == 0
        assert worker.stop() == 0
