"""A worker's clock is set an hour forward or back; the database's clock is right."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from tests.support.deaths import OFTEN
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, back_dated, row
from tests.support.waiting import wait_until
from tests.support.worker import PROGRAM, WorkerProgram, running_worker
from xnovu_poller.lifecycle import Status

Environment = Mapping[str, str]

HALF_AN_HOUR = "interval '30 min'"
PENDING, SENT, RETRACTED = "PENDING", "SENT", "RETRACTED"
LIBRARY = str(files("libfaketime") / "vendor/libfaketime/src/libfaketime.so.1")
FALSE: Environment = {
    "LD_PRELOAD": LIBRARY,
    "FAKETIME_CACHE_DURATION": "1",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
}
"""A false time of day; the monotonic clock is not changed, as when a real clock is set."""


def moment(db: Db, sign: str) -> str:
    """Return the time half an hour before or after the database's own."""
    found = db.execute(f"SELECT (clock_timestamp() {sign} {HALF_AN_HOUR})::text AS at").fetchone()
    assert found is not None
    return str(found["at"])


def insert_one_of_each(db: Db) -> dict[int, str]:
    """Insert rows that are due or over by either clock; return the states that are right by the database's clock."""
    workflow = a_workflow(db)
    past, ahead = moment(db, "-"), moment(db, "+")
    failed = a_notification(db, workflow=workflow, status=Status.FAILED)
    return {
        a_notification(db, workflow=workflow): SENT,
        a_notification(db, workflow=workflow, expires_at=ahead): SENT,
        a_notification(db, workflow=workflow, expires_at=past): RETRACTED,
        a_notification(db, workflow=workflow, scheduled_for=past): SENT,
        a_notification(db, workflow=workflow, scheduled_for=ahead): PENDING,
        failed: SENT,
    }


def states(db: Db, made: Mapping[int, str]) -> dict[int, str]:
    """Return the state of each row."""
    return {notification_id: row(db, notification_id)["notification_status"] for notification_id in made}


def hours_off(worker: WorkerProgram) -> int:
    """Return by how many hours the worker's clock is off."""
    shown = datetime.fromisoformat(worker.get("health").json()["timestamp"])
    return round((shown - datetime.now(UTC)) / timedelta(hours=1))


def until_turned(worker: WorkerProgram) -> None:
    """Wait until each loop has made a complete turn that begins after this call."""
    loops = worker.get_status()["loops"]
    before = {name: loop["turns"] for name, loop in loops.items()}

    def all_turned() -> bool:
        loops = worker.get_status()["loops"]
        return all(loops[name]["turns"] > turns + 1 for name, turns in before.items())

    wait_until(all_turned)


@only("single", because="its rows belong to several loops, which share no group")
@pytest.mark.parametrize("hours", [1, -1], ids=["forward", "back"])
def test_only_the_clock_of_the_database_counts(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path, hours: int
) -> None:
    """The database's clock decides whether a row is due, expired or lapsed; loops go on polling without wake-ups."""
    rate = tmp_path / "clock"
    rate.write_text("+0\n")
    clock = {**FALSE, "FAKETIME_TIMESTAMP_FILE": str(rate), "POLL_WAKEUP": "off"}
    # As long as the lease of the other replica, or its lease would be longer than any can be.
    ours = {**OFTEN, "LEASE_MS": "300000"}
    with running_worker(tmp_path, program=PROGRAM, **worker_environment, **ours, **clock) as worker:
        worker.until_logged("worker started")
        assert hours_off(worker) == 0
        step = tmp_path / "step"
        step.write_text(f"{hours:+d}h\n")
        step.replace(rate)
        wait_until(lambda: hours_off(worker) == hours)
        # Another replica has claimed it for five minutes.
        held = a_notification(db, workflow=a_workflow(db, key="held"), status=Status.PROCESSING)
        expected = insert_one_of_each(db)
        wait_until(lambda: states(db, expected) == expected)
        until_turned(worker)
        assert row(db, held)["attempt"] == 1
        back_dated(db, held)
        until_settled(db)
        assert states(db, expected) == expected
        assert worker.stop() == 0
    assert_kept(db, novu_standin)
