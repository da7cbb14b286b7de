"""What the disasters of servers share: rows due, a send under way, and a worker that lives through it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.modes import MODES, Mode, together
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, open_db, row
from tests.support.waiting import WITHIN, wait_until
from tests.support.worker import WorkerProgram, running_worker

SOON: Mapping[str, str] = {
    "NOVU_TIMEOUT_MS": "1500",
    "LEASE_MS": "3000",
    "POLL_INTERVAL_MS": "200",
    "SCHEDULED_POLL_INTERVAL_MS": "200",
    "FAILED_POLL_INTERVAL_MS": "200",
}
"""Settings of a worker whose leases lapse while a test waits."""

LAPSED = (
    "SELECT FROM notify.ent_notification WHERE id = ANY(%s) AND notification_status = 'PROCESSING'"
    " AND lease_expires_at < clock_timestamp()"
)
"""Which of some rows have a lease that has lapsed."""

TRIED = (
    "SELECT FROM notify.ent_notification WHERE id = ANY(%s) AND (attempt > 1"
    " OR notification_status = 'PROCESSING' AND lease_expires_at < clock_timestamp())"
)
"""Which of some rows have a lease that has lapsed, or were given back and claimed anew."""

_HARMED = (
    "SELECT id, notification_status::text AS status, failure_count, error_details FROM notify.ent_notification"
    " WHERE notification_status <> 'SENT' OR failure_count > 0 OR error_details IS NOT NULL"
)


def due(db: Db, workflow: int, count: int = 5) -> list[int]:
    """Insert notifications that are due at once, in one commit."""
    with db.transaction():
        return [a_notification(db, workflow=workflow) for _ in range(count)]


def sent(db: Db, made: Sequence[int]) -> None:
    """Wait until these are sent."""
    wait_until(lambda: all(row(db, one)["notification_status"] == "SENT" for one in made))


def send_under_way(db: Db, workflow: int, standin: NovuStandIn, mode: Mode = MODES["single"]) -> list[int]:
    """Insert what shares one call, and wait until Novu has it and does not answer before `clear_faults`."""
    calls = standin.stats()["calls"]
    standin.fault("slow")
    made = together(db, mode, workflow)
    wait_until(lambda: standin.stats()["calls"] > calls)
    return made


@contextmanager
def at_work(
    database: str, told: Mapping[str, str], standin: NovuStandIn, folder: Path
) -> Iterator[tuple[Db, int, WorkerProgram]]:
    """Run a worker that has sent some, and has a call to Novu under way; give connection, workflow and worker."""
    with open_db(database) as db, running_worker(folder, **told, **SOON) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        send_under_way(db, workflow, standin)
        yield db, workflow, worker


def said(worker: WorkerProgram, component: str, words: str, *, within: float = WITHIN) -> None:
    """Wait until /health says of a component that it is not well, and why."""

    def told() -> bool:
        answer = worker.component(component)
        return answer["status"] == "unhealthy" and words in answer["detail"]

    wait_until(told, within=within)


def assert_unharmed(db: Db, standin: NovuStandIn, worker: WorkerProgram) -> None:
    """Wait for the end, and see the promise kept: the same process, and no row that bears a mark of the outage."""
    until_settled(db)
    assert_kept(db, standin)
    assert db.execute(_HARMED).fetchall() == []
    assert worker.child.poll() is None
    wait_until(lambda: worker.get("health").status_code == 200)


def assert_nobody_died(db: Db) -> None:
    """See that no sender was taken for dead: whoever lives has said how its sends ended."""
    assert db.execute("SELECT id, lapses FROM notify.ent_notification WHERE lapses > 0").fetchall() == []
