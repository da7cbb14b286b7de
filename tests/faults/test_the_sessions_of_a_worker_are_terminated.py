"""PostgreSQL ends all sessions of a worker while it records: the record is repeated, and nothing is counted."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.disaster import SOON, assert_nobody_died, assert_unharmed, due, send_under_way, sent
from tests.support.modes import Mode
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_template, a_workflow, open_db
from tests.support.stalled import stalling, until_stalled
from tests.support.waiting import until_blocked
from tests.support.worker import running_worker

Environment = Mapping[str, str]

LOCK_TEMPLATES = "LOCK TABLE notify.ent_notification_template IN ACCESS EXCLUSIVE MODE"
TERMINATE = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE application_name LIKE 'xnovu:%' AND datname = current_database()"
)


async def test_the_record_is_repeated(
    database: str,
    db: Db,
    mode: Mode,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """The record is under way when its session ends, so it is certainly interrupted."""
    with running_worker(tmp_path, **worker_environment, **SOON) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        send_under_way(db, workflow, novu_standin, mode)
        with stalling(db, "SENT"):
            novu_standin.clear_faults()
            await until_stalled(database, "xnovu:worker")
            assert db.execute(TERMINATE).rowcount > 1
        due(db, workflow)
        assert_unharmed(db, novu_standin, worker)
        assert_nobody_died(db)


async def test_a_row_held_but_not_sent_is_released(
    database: str,
    db: Db,
    mode: Mode,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """The session ends between hold and send: no sender died and nothing was sent, so nothing is counted."""
    with running_worker(tmp_path, **worker_environment, **SOON) as worker:
        a_template(db)
        workflow = a_workflow(db, default_channels=["EMAIL"], template_overrides={"EMAIL": "parcel"})
        with open_db(database) as rival, rival.transaction():
            rival.execute(LOCK_TEMPLATES)
            due(db, workflow, mode.rows)
            await until_blocked(database, "xnovu:worker")
            assert db.execute(TERMINATE).rowcount > 1
        assert_unharmed(db, novu_standin, worker)
        assert_nobody_died(db)
