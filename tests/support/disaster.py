"""Shared steps of the outage tests: due rows, a send in progress, and a worker that survives the outage."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.modes import MODES, Mode, together
from tests.support.novu import NovuStandIn
from tests.support.programs import is_alive
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, open_db, row
from tests.support.waiting import WITHIN, wait_until
from tests.support.worker import WorkerProgram, running_worker
from xnovu_poller.dev.postgres import Postgres

SOON: Mapping[str, str] = {
    "NOVU_TIMEOUT_MS": "20000",
    "LEASE_MS": "3000",
    "POLL_INTERVAL_MS": "200",
    "SCHEDULED_POLL_INTERVAL_MS": "200",
    "FAILED_POLL_INTERVAL_MS": "200",
}
"""Settings of a worker whose leases lapse while a test waits, and whose call to Novu lasts until the test ends it."""

LAPSED = (
    "SELECT FROM notify.ent_notification WHERE id = ANY(%s) AND notification_status = 'PROCESSING'"
    " AND lease_expires_at < clock_timestamp()"
)
"""Select those of some rows whose lease has lapsed."""

TRIED = (
    "SELECT FROM notify.ent_notification WHERE id = ANY(%s) AND (attempt > 1"
    " OR notification_status = 'PROCESSING' AND lease_expires_at < clock_timestamp())"
)
"""Select those of some rows whose lease has lapsed, or that were released and claimed again."""

_HARMED = (
    "SELECT id, notification_status::text AS status, failure_count, error_details FROM notify.ent_notification"
    " WHERE notification_status <> 'SENT' OR failure_count > 0 OR error_details IS NOT NULL"
)


def due(db: Db, workflow: int, count: int = 5) -> list[int]:
    """Insert notifications that are due at once, in one commit."""
    with db.transaction():
        return [a_notification(db, workflow=workflow) for _ in range(count)]


def sent(db: Db, made: Sequence[int]) -> None:
    """Wait until these notifications are sent."""
    wait_until(lambda: all(row(db, each)["notification_status"] == "SENT" for each in made))


def send_under_way(db: Db, workflow: int, standin: NovuStandIn, mode: Mode = MODES["single"]) -> list[int]:
    """Insert notifications that share a call, and wait until Novu has it; it answers after `clear_faults`."""
    calls = standin.stats()["calls"]
    standin.fault("slow")
    made = together(db, mode, workflow)
    wait_until(lambda: standin.stats()["calls"] > calls)
    return made


@contextmanager
def at_work(
    database: str, environment: Mapping[str, str], standin: NovuStandIn, folder: Path
) -> Iterator[tuple[Db, int, WorkerProgram]]:
    """Run a worker with sent notifications and a call in progress; yield connection, workflow and worker."""
    with open_db(database) as db, running_worker(folder, **environment, **SOON) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        send_under_way(db, workflow, standin)
        yield db, workflow, worker


def wait_until_unhealthy(
    worker: WorkerProgram, component: str, words: str, *, within: float = WITHIN
) -> None:
    """Wait until /health shows a component as unhealthy, with these words as the reason."""

    def is_unhealthy() -> bool:
        answer = worker.component(component)
        return answer["status"] == "unhealthy" and words in answer["detail"]

    wait_until(is_unhealthy, within=within)


def assert_unharmed(db: Db, standin: NovuStandIn, worker: WorkerProgram) -> None:
    """Wait until all is settled; assert the promise, the same process, and no trace of the outage in any row."""
    until_settled(db)
    assert_kept(db, standin)
    assert db.execute(_HARMED).fetchall() == []
    assert worker.child.poll() is None
    wait_until(lambda: worker.get("health").status_code == 200)


def assert_nobody_died(db: Db) -> None:
    """Assert that no living sender was taken for dead: none of its sends has lapsed."""
    assert db.execute("SELECT id, lapses FROM notify.ent_notification WHERE lapses > 0").fetchall() == []


def crash(server: Postgres) -> None:
    """Kill every process of the server: the next start has to recover."""
    with open_db(server.url()) as db:
        # So it neither starts a process nor waits for the end of one: the list is complete, and no id of it is free.
        os.kill(server.pid, signal.SIGSTOP)
        backends = [found["pid"] for found in db.execute("SELECT pid FROM pg_stat_activity")]
        for pid in (*backends, server.pid):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, backends)))
    server.stop()
