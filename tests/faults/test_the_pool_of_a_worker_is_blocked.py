"""Somebody keeps locks on the rows being sent: the worker's whole pool waits, and the worker reports it."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.disaster import SOON, assert_unharmed, due, sent, wait_until_unhealthy
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow, open_db
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

Environment = Mapping[str, str]

POOL = 10
LOCK = "SELECT FROM notify.ent_notification WHERE id = ANY(%s) FOR UPDATE"
BLOCKED = (
    "SELECT FROM pg_stat_activity WHERE application_name = 'xnovu:worker' AND datname = current_database()"
    " AND cardinality(pg_blocking_pids(pid)) > 0"
)


@only("single", because="a group uses one connection, so it would not fill the pool")
def test_all_goes_on_when_the_locks_are_gone(
    database: str, db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """At least as many rows as connections are in calls to Novu when the locks come, so that every connection waits."""
    environment = {**worker_environment, **SOON, "NOVU_TIMEOUT_MS": "5000", "LEASE_MS": "10000"}
    with running_worker(tmp_path, **environment) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        calls = novu_standin.stats()["calls"]
        novu_standin.fault("slow", times=None)
        begun = due(db, workflow, 2 * POOL)
        wait_until(lambda: novu_standin.stats()["calls"] >= calls + POOL)
        with open_db(database) as rival, rival.transaction():
            rival.execute(LOCK, [begun])
            novu_standin.clear_faults()
            wait_until(lambda: db.execute(BLOCKED).rowcount == POOL)
            due(db, workflow)
            wait_until_unhealthy(worker, "database", "no answer within 2 s")
        due(db, workflow)
        assert_unharmed(db, novu_standin, worker)
