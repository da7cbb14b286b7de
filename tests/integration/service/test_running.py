"""The parts that run in a worker: loops in both modes, wake-ups, and the timer of scheduled notifications."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.integration.service.conftest import Environment, is_sent, listens
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_workflow, row, written
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProgram, deliveries, running_worker


def ahead(**span: float) -> datetime:
    """Return a time in the future."""
    return datetime.now(UTC) + timedelta(**span)


def waits_for_a_time(worker: WorkerProgram) -> bool:
    """Return whether the timer knows a time in the future."""
    return bool(worker.get_status()["due_timer"]["next_due_in_seconds"])


def find_healthy_status(worker: WorkerProgram) -> dict[str, Any] | None:
    """Return /status once the worker is healthy and listens; rows may be sent before that."""
    status = worker.get_status()
    return status if status["status"] == "healthy" and status["wakeup"]["listening"] else None


def test_groups_share_a_run_from_end_to_end(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The test also checks /status, and that no page shows content or a secret."""
    workflow = a_workflow(db)
    content: dict[str, Any] = {"recipients": ["person-marker"], "payload": {"note": "value-marker"}}
    with db.transaction():
        made = [a_notification(db, workflow=workflow, enterprise=f"e{n % 5}", **content) for n in range(100)]
    with running_worker(tmp_path, **worker_environment, HANDOFF_GROUP_SIZE="50") as worker:
        wait_until(lambda: all(is_sent(db, notification_id) for notification_id in made))
        status = wait_until(lambda: find_healthy_status(worker))
        assert status is not None
        wait_until(lambda: worker.metric("xnovu_notifications_sent_total") == 100)
        pages = {name: worker.get(name).text for name in ("status", "health", "readyz", "livez", "metrics")}
        assert worker.stop() == 0
    assert len({row(db, notification_id)["temporal_workflow_id"] for notification_id in made}) == 2
    assert deliveries(db, novu_standin) == [1] * 100
    assert status["status"] == "healthy"
    assert status["deployment"]
    assert status["search_attributes"] is True
    assert set(status["loops"]) == {"new", "scheduled", "failed", "rescue", "cancel"}
    assert set(status["backlog"]) == {"in_flight", "new", "scheduled", "failed"}
    assert {loop["last_error"] for loop in status["loops"].values()} == {None}
    assert status["executors"] == {"wanted": 0, "running": 0, "restarts": 0}
    assert status["gate"]["closed"] is False
    assert status["wakeup"] == {"on": True, "listening": True}
    servers = (worker_environment["DATABASE_URL"], worker_environment["TEMPORAL_ADDRESS"])
    for secret in ("person-marker", "value-marker", "key-1", *servers):
        assert [name for name, page in pages.items() if secret in page] == []


def test_a_new_row_does_not_wait_for_the_poll(
    db: Db, worker_environment: Environment, tmp_path: Path
) -> None:
    """The wake-up starts the loops, although they would pause for ten minutes."""
    workflow = a_workflow(db)
    intervals = {"POLL_INTERVAL_MS": "600000", "SCHEDULED_POLL_INTERVAL_MS": "600000"}
    with running_worker(tmp_path, **{**worker_environment, **intervals}) as worker:
        wait_until(lambda: listens(worker))
        new = a_notification(db, workflow=workflow)
        scheduled = a_notification(db, workflow=workflow, scheduled_for="2020-01-01T00:00Z")
        wait_until(lambda: is_sent(db, new) and is_sent(db, scheduled))


def test_a_scheduled_row_does_not_wait_for_the_poll(
    db: Db, worker_environment: Environment, tmp_path: Path
) -> None:
    """A row scheduled soon, or moved to an earlier time, is sent on time; a row moved to a later time waits."""
    workflow = a_workflow(db)
    with running_worker(
        tmp_path, **{**worker_environment, "SCHEDULED_POLL_INTERVAL_MS": "3600000"}
    ) as worker:
        wait_until(lambda: listens(worker))
        nearer = a_notification(db, workflow=workflow, scheduled_for=ahead(hours=1))
        away = a_notification(db, workflow=workflow, scheduled_for=ahead(seconds=6))
        with db.transaction():
            # A slow test moves it after its former time: until then nobody can claim it.
            db.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [away])
            wait_until(lambda: waits_for_a_time(worker))
            written(db, away, scheduled_for=ahead(hours=1))
        soon = a_notification(db, workflow=workflow, scheduled_for=ahead(seconds=6))
        written(db, nearer, scheduled_for=ahead(seconds=6.1))

        wait_until(lambda: is_sent(db, soon) and is_sent(db, nearer))

        assert row(db, away)["attempt"] == 0
        assert worker.get_status()["due_timer"]["on"] is True
        assert worker.stop() == 0
    for notification_id in (soon, nearer):
        found = row(db, notification_id)
        assert found["processed_at"] >= found["scheduled_for"]


def test_without_wake_ups_the_poll_finds_the_rows_of_the_named_enterprises(
    db: Db, worker_environment: Environment, tmp_path: Path
) -> None:
    """Rows of other enterprises do not change."""
    settings = {"POLL_WAKEUP": "off", "WORKER_ENTERPRISE_IDS": "acme,initech"}
    with running_worker(tmp_path, **worker_environment, **settings) as worker:
        worker.until_logged("worker started")
        workflow = a_workflow(db)
        theirs = a_notification(db, workflow=workflow, enterprise="globex")
        ours = a_notification(db, workflow=workflow, enterprise="initech", scheduled_for=ahead(seconds=0.5))
        wait_until(lambda: is_sent(db, ours))
        status = worker.get_status()
        assert worker.stop() == 0
    assert (status["wakeup"], status["due_timer"]) == ({"on": False, "listening": False}, {"on": False})
    assert "acme" not in json.dumps(status)
    assert row(db, theirs)["attempt"] == 0


def test_a_loop_that_is_off_claims_nothing(db: Db, worker_environment: Environment, tmp_path: Path) -> None:
    """Wake-ups go to the loops that are left, and the worker rescues and cancels all the same."""
    with running_worker(tmp_path, **worker_environment, POLL_LOOPS="new,failed") as worker:
        wait_until(lambda: listens(worker))
        workflow = a_workflow(db)
        scheduled = a_notification(db, workflow=workflow, scheduled_for="2020-01-01T00:00Z")
        new = a_notification(db, workflow=workflow)
        wait_until(lambda: is_sent(db, new))
        status = worker.get_status()
        assert worker.stop() == 0
    assert set(status["loops"]) == {"new", "failed", "rescue", "cancel"}
    assert status["due_timer"] == {"on": False}
    assert row(db, scheduled)["attempt"] == 0


def test_at_debug_the_log_follows_a_notification(
    db: Db, worker_environment: Environment, tmp_path: Path
) -> None:
    """It has counts and ids, and nothing of the content."""
    with running_worker(tmp_path, **worker_environment, LOG_LEVEL="debug") as worker:
        made = a_notification(db, workflow=a_workflow(db), recipients=["user-marker"])
        wait_until(lambda: is_sent(db, made))
        called = worker.until_logged("Novu called")
        assert worker.stop() == 0
    kept = row(db, made)
    facts = {
        "notification": made,
        "attempt": 1,
        "enterprise": kept["enterprise_id"],
        "workflow_key": "order-shipped",
        "workflow_id": kept["temporal_workflow_id"],
        "transaction_id": kept["transaction_id"],
    }
    steps = ("claimed", "handed off", "held", "prepared", "triggered")
    for event in (*(f"notification {step}" for step in steps), "outcome recorded"):
        [line] = worker.lines(event)
        assert line.items() >= facts.items()
        assert line["component"] in {"loops", "delivery"}
    assert (called["accepted"], called["transactions"]) == (1, [row(db, made)["transaction_id"]])
    assert "user-marker" not in worker.log.read_text()
