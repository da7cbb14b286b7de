"""PostgreSQL cuts the connection on which a worker listens."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.deaths import OFTEN
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProgram, running_worker

CUT_OFF = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE application_name = 'xnovu:wakeup' AND datname = current_database()"""

REFUSE = """
CREATE FUNCTION refuse_listener() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('application_name') = 'xnovu:wakeup' THEN
        RAISE EXCEPTION 'no listener for now';
    END IF;
END $$;
CREATE EVENT TRIGGER refuse_listener ON login EXECUTE FUNCTION refuse_listener()"""


def listens(worker: WorkerProgram) -> bool:
    """Return whether the worker listens for wake-ups."""
    return bool(worker.get_status()["wakeup"]["listening"])


@only("single", because="a wake-up leads to the same claims in either mode")
def test_the_poll_finds_the_rows_until_it_listens_again(
    db: Db, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Wake-ups only save time; the worker needs no restart.

    The order is certain because PostgreSQL refuses the worker's new connection until the row is settled.
    """
    workflow = a_workflow(db)
    with running_worker(tmp_path, **worker_environment, **OFTEN) as worker:
        wait_until(lambda: listens(worker))
        db.execute(REFUSE)
        assert db.execute(CUT_OFF).rowcount == 1
        worker.until_logged("wake-up connection lost")
        a_notification(db, workflow=workflow)
        until_settled(db)
        wait_until(lambda: not listens(worker))  # the page may be a second old

        db.execute("DROP EVENT TRIGGER refuse_listener")
        wait_until(lambda: listens(worker))
        a_notification(db, workflow=workflow)
        until_settled(db)
        assert worker.stop() == 0
    assert len(worker.lines("worker started")) == 1
    assert_kept(db, novu_standin)
