"""A notification expires before it could be sent: no retry triggers it."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.modes import Mode, only, together
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row, written
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

Environment = Mapping[str, str]

LONG_AGO = "2020-01-01T00:00Z"


def test_a_notification_that_expires_during_a_pause_of_novu_is_not_sent(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """It is PENDING while Novu's pause lasts, then expires; its details still have the reason for the wait."""
    novu_standin.fault("throttle", retry_after=60)
    workflow = a_workflow(db)
    made = together(db, mode, workflow)
    with running_worker(tmp_path, **worker_environment) as worker:
        worker.until_logged("worker started")
        wait_until(lambda: worker.get_status()["gate"]["closed"])
        wait_until(
            lambda: (
                {row(db, notification_id)["notification_status"] for notification_id in made} == {"PENDING"}
            )
        )
        for notification_id in made:
            written(db, notification_id, expires_at=LONG_AGO)
        late = a_notification(db, workflow=workflow, expires_at=LONG_AGO)
        until_settled(db)

    for notification_id in (*made, late):
        kept = row(db, notification_id)
        assert (kept["notification_status"], kept["retraction_reason"]) == ("RETRACTED", "expired")
        reason = None if notification_id == late else "novu_throttled"
        assert (kept["error_details"] or {}).get("code") == reason
    assert novu_standin.stats()["calls"] == 1
    assert_kept(db, novu_standin)


@only("single", because="the rows of a group with an unknown outcome go on by themselves")
def test_a_failed_notification_that_expires_is_cancelled_and_not_sent(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """It is FAILED after three calls without an answer: Novu is asked to cancel it, not to send it."""
    novu_standin.fault("reset_before_accept", times=3)
    made = a_notification(db, workflow=a_workflow(db))
    with running_worker(tmp_path, **worker_environment):
        wait_until(lambda: row(db, made)["notification_status"] == "FAILED")
        # Otherwise the backoff would last at least five seconds.
        written(db, made, expires_at=LONG_AGO, next_attempt_at=LONG_AGO)
        until_settled(db)

    kept = row(db, made)
    assert (kept["notification_status"], kept["retraction_reason"]) == ("RETRACTED", "expired")
    assert (kept["error_details"], kept["failure_count"]) == ({"delivery": "unknown"}, 1)
    stats = novu_standin.stats()
    # Three triggers and one cancellation.
    assert (stats["calls"], stats["faults"], stats["triggers"]) == (4, 3, 0)
    assert_kept(db, novu_standin)
