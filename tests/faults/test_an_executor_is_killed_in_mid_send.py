"""One of two executor processes of a worker is killed in the middle of a send."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from tests.support.deaths import HASTY, PATIENT, given_up
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

ONE_AT_A_TIME = {"WORKER_PROCESSES": "2", "TEMPORAL_MAX_CONCURRENT_WORKFLOWS": "2"}
"""Two slots for workflow tasks leave one slot for their deliveries."""

GROUP = 100

SENDING = "SELECT FROM notify.ent_notification WHERE send_until > clock_timestamp()"
SENT = "SELECT FROM notify.ent_notification WHERE notification_status = 'SENT'"
ENDS = """
SELECT lapses, attempt, count(*) AS rows FROM notify.ent_notification WHERE notification_status = 'SENT'
GROUP BY 1, 2 ORDER BY 1"""


@only("single", because="it needs as many sends as there are processes")
async def test_its_row_is_sent_and_the_worker_starts_another_executor(
    db: Db, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The other process takes over the waiting sends; a surviving process repeats the lost send.

    The order is certain because each process makes one send at a time, and two are under way.
    """
    novu_standin.fault("slow", seconds=60, times=None)
    with running_worker(tmp_path, **{**worker_environment, **HASTY, **ONE_AT_A_TIME, **PATIENT}) as worker:
        worker.until_logged("executor started")
        workflow = a_workflow(db)
        made = [a_notification(db, workflow=workflow) for _ in range(4)]
        wait_until(lambda: db.execute(SENDING).rowcount == 2)
        # The other executor is the worker's own process.
        [child] = worker.children()
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: worker.get_status()["executors"]["restarts"] == 1)
        novu_standin.clear_faults()
        # Only the dead process's row is left, until Temporal's time-out and its hold lapse.
        wait_until(lambda: db.execute(SENT).rowcount == len(made) - 1)
        await given_up(db, worker_environment["TEMPORAL_ADDRESS"])
        until_settled(db)
        wait_until(lambda: len(worker.lines("executor started")) == 2)
        assert worker.stop() == 0

    lapses = [row(db, notification_id)["lapses"] for notification_id in made]
    assert sorted(lapses) == [0, 0, 0, 1]
    assert_kept(db, novu_standin)


@only("group", because="the other test has single notifications")
def test_its_group_is_sent_without_any_help(
    db: Db, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The same attempt repeats what Novu has accepted from the dead process, row by row, and Novu drops it.

    The order is certain because each process makes one send at a time, and two are under way. The test skips
    no wait: it takes Temporal a few seconds to notice that the process is dead.
    """
    novu_standin.fault("slow", seconds=60, times=2)
    patient = {"NOVU_TIMEOUT_MS": "6000", "LEASE_MS": "6000"}
    environment = {**worker_environment, **HASTY, **ONE_AT_A_TIME, **patient}
    with running_worker(tmp_path, **environment) as worker:
        worker.until_logged("executor started")
        workflow = a_workflow(db)
        with db.transaction():
            for _ in range(2 * GROUP):
                a_notification(db, workflow=workflow)
        wait_until(lambda: db.execute(SENDING).rowcount == 2 * GROUP)
        wait_until(lambda: novu_standin.stats()["calls"] == 2)
        # The other executor is the worker's own process.
        [child] = worker.children()
        os.kill(child, signal.SIGKILL)
        novu_standin.clear_faults()
        until_settled(db)
        assert worker.stop() == 0

    assert db.execute(ENDS).fetchall() == [
        {"lapses": 0, "attempt": 1, "rows": GROUP},
        {"lapses": 1, "attempt": 1, "rows": GROUP},
    ]
    assert novu_standin.stats()["triggers"] == 3 * GROUP
    assert_kept(db, novu_standin)
