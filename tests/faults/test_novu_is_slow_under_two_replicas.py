"""Novu often takes nearly the whole time-out, and sometimes longer: with two replicas nobody gets anything twice."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.support.modes import Mode, in_every_mode
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.worker import running_worker

Environment = Mapping[str, str]

# The shortest lease allowed: it ends while calls are still under way.
SHORT = {"NOVU_TIMEOUT_MS": "3000", "LEASE_MS": "6000", "FAILED_POLL_INTERVAL_MS": "200"}

SUMS = """
SELECT notification_status::text AS status, count(*) AS rows, sum(lapses) AS lapses
FROM notify.ent_notification GROUP BY 1"""


@in_every_mode
def test_each_is_delivered_once(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """If the answer comes after the time-out, the trigger is repeated and Novu drops it."""
    novu_standin.fault("slow", seconds=4, times=4, match={"workflow": "too-slow"})
    novu_standin.fault("slow", seconds=1.8, times=None, match={"workflow": "slow"})
    workflows = [a_workflow(db, key="slow"), a_workflow(db, key="too-slow")]
    with db.transaction():
        for number in range(24):
            # Four of them are too slow: too few to suspect an outage.
            a_notification(db, workflow=workflows[number % 6 == 0], enterprise=f"e{number % 2}")
    with ExitStack() as replicas:
        for name in ("one", "two"):
            environment = {**worker_environment, **SHORT, **mode.of(4), "POLL_BATCH_SIZE": "4"}
            replicas.enter_context(running_worker(tmp_path, name, **environment))
        until_settled(db)

    assert db.execute(SUMS).fetchall() == [{"status": "SENT", "rows": 24, "lapses": 0}]
    assert novu_standin.stats()["duplicates"] == 0
    assert novu_standin.faults()[0]["match"]["workflow"] == "slow"
    assert_kept(db, novu_standin)
