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
    """/health names the variable that a person has to fix. A row that was refused twice is put off, uncounted."""
    novu_standin.switch(secret_key="another")
    workflow = a_workflow(db)
    made = [a_notification(db, workflow=workflow) for _ in range(5)]
    with running_worker(tmp_path, **worker_environment) as worker:
        wait_until(lambda: "check NOVU_SECRET_KEY" in worker.component("novu")["detail"])
        assert worker.get("health").status_code == 503
        wait_until(
            lambda: (
                {row(db, notification_id)["notification_status"] for notification_id in made}
                <= {"PENDING", "FAILED"}
            )
        )
        assert {row(db, notification_id)["failure_count"] for notification_id in made} == {0}
        assert worker.get_status()["gate"]["stopped"] is True
        wait_until(lambda: worker.metric("xnovu_gate_open") == 0)
        assert worker.stop() == 0


def test_many_deaths_of_one_cause_are_reported(
    db: Db, worker_environment: Environment, tmp_path: Path
) -> None:
    """The worker is well, so it stays in service; /health names the code, also for deaths in its children."""
    draft = a_workflow(db, publish_status="DRAFT")
    with running_worker(tmp_path, **worker_environment, WORKER_PROCESSES="2") as worker:
        worker.until_logged("executor started")
        with db.transaction():
            for _ in range(30):
                a_notification(db, workflow=draft)
        wait_until(lambda: worker.metric("xnovu_notifications_dead_total") == 30)
        wait_until(lambda: worker.component("deliveries")["status"] == "degraded")
        answer = worker.get("health")
        assert worker.stop() == 0
    assert answer.status_code == 200
    assert (
        "became DEAD in the last 1 min (workflow_not_found)"
        in answer.json()["components"]["deliveries"]["detail"]
    )
