"""Novu throttles: every send of this process waits as long as Novu asks, and nothing fails because of it."""

import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.modes import Mode, only, together
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker
from xnovu_poller.lifecycle import Status

Environment = Mapping[str, str]

PAUSE = 2

COUNTERS = """
SELECT max(failure_count) AS failures, max(unknown_outcomes) AS unknown, max(lapses) AS lapses
FROM notify.ent_notification WHERE notification_status = 'SENT' AND NOT 'failed before' = ANY (tags)"""


def test_no_loop_sends_before_the_pause_is_over(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """After a 429 with `Retry-After` rows that become due wait too: new, scheduled and failed."""
    novu_standin.fault("throttle", retry_after=PAUSE)
    workflow = a_workflow(db)
    begun_ms = time.time() * 1000
    made = together(db, mode, workflow, tags=[])
    with running_worker(tmp_path, **worker_environment) as worker:
        worker.until_logged("gate closed")
        with db.transaction():
            a_notification(db, workflow=workflow, enterprise="globex", tags=[])
            a_notification(db, workflow=workflow, scheduled_for="2020-01-01T00:00Z", tags=[])
            a_notification(db, workflow=workflow, status=Status.FAILED, tags=["failed before"])
        until_settled(db)

    arrived = [trigger["arrived_ms"] for trigger in novu_standin.ledger()["triggers"]]
    assert len(arrived) == len(made) + 3
    # The 429 came after the test had begun.
    assert min(arrived) >= begun_ms + PAUSE * 1000
    assert novu_standin.stats()["throttled"] + novu_standin.stats()["faults"] == 1
    assert db.execute(COUNTERS).fetchone() == {"failures": 0, "unknown": 0, "lapses": 0}
    assert_kept(db, novu_standin)


@only("single", because="the next test shows that few rows are sent by themselves where Novu counts calls")
def test_the_worker_waits_when_the_rate_limit_is_used_up(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """It reads `RateLimit-Remaining` and `RateLimit-Reset` of accepted calls, so no call meets a 429."""
    # One call a second after the first five.
    novu_standin.switch(rate_limit="free", limits={"trigger": 1})
    workflow = a_workflow(db)
    for number in range(7):
        a_notification(db, workflow=workflow, enterprise=f"e{number % 2}", tags=[])
    with running_worker(tmp_path, **worker_environment, MAX_IN_FLIGHT="1"):
        until_settled(db)

    stats = novu_standin.stats()
    assert (stats["calls"], stats["throttled"], stats["deliveries"]) == (7, 0, 7)
    assert_kept(db, novu_standin)


@only("group", because="without groups there is nothing to choose")
def test_a_group_costs_no_more_than_its_notifications_would(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """A bulk call costs a hundred of `RateLimit-Remaining`, so thirty notifications are sent by themselves."""
    novu_standin.switch(rate_limit="free")
    workflow = a_workflow(db)
    a_notification(db, workflow=workflow, tags=[])
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)
        with db.transaction():
            for _ in range(30):
                a_notification(db, workflow=workflow, tags=[])
        until_settled(db)

    stats = novu_standin.stats()
    assert (stats["calls"], stats["throttled"], stats["deliveries"]) == (31, 0, 31)
    assert_kept(db, novu_standin)


@only("single", because="a cancellation is for one notification")
def test_a_pause_after_a_cancellation_holds_for_all_calls(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Novu answers 429 to the cancellation of a sent notification: triggers wait too."""
    novu_standin.fault("throttle", retry_after=PAUSE, match={"method": "DELETE"})
    made = a_notification(db, workflow=a_workflow(db), tags=[])
    with running_worker(tmp_path, **worker_environment) as worker:
        until_settled(db)
        db.execute("SELECT notify.retract(%s)", [made])
        worker.until_logged("gate closed")
        wait_until(lambda: row(db, made)["error_details"])

    assert row(db, made)["error_details"] == {"cancel": "nothing_left"}
    assert_kept(db, novu_standin)
