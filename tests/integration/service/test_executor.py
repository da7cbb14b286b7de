"""A further process runs workflows and activities beside the worker."""

from tests.integration.service.conftest import Environment, child_of, pollers
from tests.support.novu import NovuStandIn
from tests.support.programs import is_alive
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import eventually
from tests.support.worker import WorkerProgram

SENT = "SELECT FROM notify.ent_notification WHERE notification_status = 'SENT'"


async def test_both_processes_take_part(
    worker: WorkerProgram, worker_environment: Environment, db: Db, novu_standin: NovuStandIn
) -> None:
    """Each has its own identity; /metrics counts both, and a stop ends both."""
    child = child_of(worker)

    async def both_poll() -> bool:
        pids = {int(identity.rpartition(":")[2]) for identity in await pollers(worker_environment)}
        return pids == {worker.child.pid, child}

    await eventually(both_poll)
    workflow = a_workflow(db)
    with db.transaction():
        for _ in range(100):
            a_notification(db, workflow=workflow)
    await eventually(lambda: db.execute(SENT).rowcount == 100)
    # A record is counted a moment after it is written.
    await eventually(lambda: worker.metric("xnovu_notifications_sent_total") == 100)
    await eventually(lambda: worker.metric("xnovu_due_to_accepted_seconds_count") == 100)
    assert worker.stop() == 0
    assert not is_alive(child)
    assert novu_standin.stats()["duplicates"] == 0
