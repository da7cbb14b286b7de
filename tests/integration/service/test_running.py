"""What runs in a worker: loops in both modes, wake-ups, and the timer of scheduled notifications."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.service.conftest import Told, is_sent, listens
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_workflow, row, written
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProgram, deliveries, running_worker


def ahead(**span: float) -> datetime:
    """Give a time that has not come yet."""
    return datetime.now(UTC) + timedelta(**span)


def sleeps(worker: WorkerProgram) -> bool:
    """Say whether the due timer knows of a time that has not come."""
    return bool(worker.get_status()["due_timer"]["next_due_in_seconds"])


def test_groups_share_a_workflow_from_end_to_end(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """And /status says how it goes."""
    workflow = a_workflow(db)
    with db.transaction():
        made = [a_notification(db, workflow=workflow, enterprise=f"e{n % 5}") for n in range(100)]
    with running_worker(tmp_path, **worker_environment, HANDOFF_GROUP_SIZE="50") as worker:
        wait_until(lambda: all(is_sent(db, one) for one in made))
        told = worker.get_status()
        wait_until(lambda: worker.metric("xnovu_notifications_sent_total") == 100)
        assert worker.stop() == 0
    assert len({row(db, one)["temporal_workflow_id"] for one in made}) == 2
    assert deliveries(db, novu_standin) == [1] * 100
    assert told["status"] == "healthy"
    assert told["deployment"]
    assert told["temporal_status"] == {
        "address": worker_environment["TEMPORAL_ADDRESS"],
        "namespace": "default",
        "task_queue": worker_environment["TEMPORAL_TASK_QUEUE"],
        "search_attributes": True,
    }
    assert set(told["loops"]) == {"new", "scheduled", "failed", "rescue", "cancel"}
    assert set(told["backlog"]) == {"in_flight", "new", "scheduled", "failed"}
    assert {loop["last_error"] for loop in told["loops"].values()} == {None}
    assert told["executors"] == {"wanted": 0, "pids": [], "restarts": 0}
    assert told["gate"]["closed"] is False
    assert told["wakeup"] == {"on": True, "listening": True}
    assert told["enterprises"] == "all"
    assert "key-1" not in json.dumps(told)


def test_a_new_row_does_not_wait_for_the_poll(db: Db, worker_environment: Told, tmp_path: Path) -> None:
    """The wake-up turns the loops, though they would rest for ten minutes."""
    workflow = a_workflow(db)
    rests = {"POLL_INTERVAL_MS": "600000", "SCHEDULED_POLL_INTERVAL_MS": "600000"}
    with running_worker(tmp_path, **{**worker_environment, **rests}) as worker:
        wait_until(lambda: listens(worker))
        new = a_notification(db, workflow=workflow)
        scheduled = a_notification(db, workflow=workflow, scheduled_for="2020-01-01T00:00Z")
        wait_until(lambda: is_sent(db, new) and is_sent(db, scheduled))


def test_a_set_time_does_not_wait_for_the_poll(db: Db, worker_environment: Told, tmp_path: Path) -> None:
    """Neither one that is written for soon, nor one that is moved there; one that is moved away waits."""
    workflow = a_workflow(db)
    with running_worker(
        tmp_path, **{**worker_environment, "SCHEDULED_POLL_INTERVAL_MS": "3600000"}
    ) as worker:
        wait_until(lambda: listens(worker))
        nearer = a_notification(db, workflow=workflow, scheduled_for=ahead(hours=1))
        away = a_notification(db, workflow=workflow, scheduled_for=ahead(seconds=1.5))
        wait_until(lambda: sleeps(worker))
        written(db, away, scheduled_for=ahead(hours=1))
        soon = a_notification(db, workflow=workflow, scheduled_for=ahead(seconds=1.5))
        written(db, nearer, scheduled_for=ahead(seconds=1.6))

        wait_until(lambda: is_sent(db, soon) and is_sent(db, nearer))

        assert row(db, away)["attempt"] == 0
        assert worker.get_status()["due_timer"]["on"] is True
        assert worker.stop() == 0
    for one in (soon, nearer):
        found = row(db, one)
        assert found["processed_at"] >= found["scheduled_for"]


def test_without_wake_ups_the_poll_finds_the_rows_of_the_named_enterprises(
    db: Db, worker_environment: Told, tmp_path: Path
) -> None:
    """The others are left untouched."""
    told = {"POLL_WAKEUP": "off", "WORKER_ENTERPRISE_IDS": "acme,initech"}
    with running_worker(tmp_path, **worker_environment, **told) as worker:
        worker.until_logged("worker started")
        workflow = a_workflow(db)
        theirs = a_notification(db, workflow=workflow, enterprise="globex")
        ours = a_notification(db, workflow=workflow, enterprise="initech", scheduled_for=ahead(seconds=0.5))
        wait_until(lambda: is_sent(db, ours))
        status = worker.get_status()
        assert worker.stop() == 0
    assert (status["wakeup"], status["due_timer"]) == ({"on": False, "listening": False}, {"on": False})
    assert status["enterprises"] == ["acme", "initech"]
    assert row(db, theirs)["attempt"] == 0
