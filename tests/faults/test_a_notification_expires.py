"""The time of a notification runs out before it could be sent: no retry triggers it."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.modes import Mode, only, together
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row, written
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

Told = Mapping[str, str]

LONG_AGO = "2020-01-01T00:00Z"


def test_one_that_novu_had_no_time_for_is_not_asked_for_again(
    db: Db, mode: Mode, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """PENDING while Novu's pause lasts; it goes without a mark of doubt, and so does one that came too late."""
    novu_standin.fault("throttle", retry_after=60)
    workflow = a_workflow(db)
    made = together(db, mode, workflow)
    with running_worker(tmp_path, **worker_environment) as worker:
        worker.until_logged("worker started")
        wait_until(lambda: worker.get_status()["gate"]["closed"])
        wait_until(lambda: {row(db, one)["notification_status"] for one in made} == {"PENDING"})
        for one in made:
            written(db, one, expires_at=LONG_AGO)
        tardy = a_notification(db, workflow=workflow, expires_at=LONG_AGO)
        until_settled(db)

    for one in (*made, tardy):
        kept = row(db, one)
        assert (kept["notification_status"], kept["retraction_reason"]) == ("RETRACTED", "expired")
        assert kept["error_details"] is None
    assert novu_standin.stats()["calls"] == 1
    assert_kept(db, novu_standin)


@only("single", because="what a group's call leaves unknown goes on by itself")
def test_one_that_failed_is_not_triggered_by_its_retry(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """FAILED after three calls without an answer: Novu is asked to cancel, and not to send."""
    novu_standin.fault("reset_before_accept", times=3)
    made = a_notification(db, workflow=a_workflow(db))
    with running_worker(tmp_path, **worker_environment):
        wait_until(lambda: row(db, made)["notification_status"] == "FAILED")
        # It would rest for five seconds at least.
        written(db, made, expires_at=LONG_AGO, next_attempt_at=LONG_AGO)
        until_settled(db)

    kept = row(db, made)
    assert (kept["notification_status"], kept["retraction_reason"]) == ("RETRACTED", "expired")
    assert (kept["error_details"], kept["failure_count"]) == ({"delivery": "unknown"}, 1)
    stats = novu_standin.stats()
    # The three calls, and the one that was to cancel.
    assert (stats["calls"], stats["faults"], stats["triggers"]) == (4, 3, 0)
    assert_kept(db, novu_standin)
