"""An application keeps locks on its own rows: only these wait, nobody else's, and nothing counts against anybody."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.disaster import LAPSED, SOON, assert_nobody_died, assert_unharmed, due, sent
from tests.support.modes import Mode
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_workflow, open_db
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProgram, running_worker

Environment = Mapping[str, str]

SESSIONS = 16
"""More than the worker has connections."""
ROWS = 75
POOL = 10

LOCK = """
SELECT FROM notify.ent_notification
WHERE id = ANY(%s) AND notification_status = 'PROCESSING' AND id %% %s = %s FOR UPDATE"""
IN_HAND = "SELECT FROM notify.ent_notification WHERE id = ANY(%s) AND notification_status = 'PROCESSING'"
WAITING = (
    "SELECT FROM pg_stat_activity WHERE application_name LIKE 'xnovu:%' AND datname = current_database()"
    " AND wait_event_type = 'Lock'"
)


@contextmanager
def locked(database: str, made: list[int]) -> Iterator[None]:
    """Keep the rows locked from many sessions, as a pool of an application does."""
    with ExitStack() as stack:
        for number in range(SESSIONS):
            session = stack.enter_context(open_db(database))
            stack.enter_context(session.transaction())
            session.execute(LOCK, [made, SESSIONS, number])
        yield


def assert_others_are_served(db: Db, worker: WorkerProgram, workflow: int, count: int) -> None:
    """Send notifications of another enterprise, one after the other."""
    for _ in range(count):
        sent(db, [a_notification(db, enterprise="globex", workflow=workflow)])
    wait_until(lambda: worker.get("health").status_code == 200)


def test_others_are_served_while_rows_in_hand_are_locked(
    database: str,
    db: Db,
    mode: Mode,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """Some are locked before their send, others during it. The locks outlast their leases."""
    # The holds, and the tries, last until the others are served, however slow the machine is.
    patient = {**SOON, "NOVU_TIMEOUT_MS": "100000", "LEASE_MS": "10000"}
    with running_worker(tmp_path, **worker_environment, **patient) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        calls = novu_standin.stats()["calls"]
        novu_standin.fault("slow", times=None)
        made = due(db, workflow, ROWS)
        wait_until(lambda: db.execute(IN_HAND, [made]).rowcount == ROWS)
        wait_until(lambda: novu_standin.stats()["calls"] > calls)
        with locked(database, made):
            novu_standin.clear_faults()
            assert_others_are_served(db, worker, workflow, 20)
            held = db.execute(IN_HAND, [made]).rowcount
            wait_until(lambda: db.execute(LAPSED, [made]).rowcount == held)
            assert_others_are_served(db, worker, workflow, 5)
            assert db.execute(WAITING).rowcount == 0
        assert_unharmed(db, novu_standin, worker)
        assert_nobody_died(db)
        assert novu_standin.stats()["duplicates"] == 0
