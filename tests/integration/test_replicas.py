"""Many replicas on the same database: each notification has a single run and delivery, and all replicas take part."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from temporalio.client import Client

from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.waiting import eventually
from tests.support.worker import deliveries, running_worker
from xnovu_poller.temporal import contract

REPLICAS = 3
ROWS = 2000

INSERT = """
INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients, payload)
SELECT 'enterprise-' || i %% 7, 'n' || i, %s, ARRAY['subscriber-' || i], jsonb_build_object('number', i)
FROM generate_series(1, %s) AS i"""
LEFT = "SELECT FROM notify.ent_notification WHERE notification_status <> 'SENT'"
WORKFLOWS = "SELECT count(DISTINCT temporal_workflow_id) AS count, max(attempt) AS attempt FROM notify.ent_notification"


async def test_three_replicas_share_two_thousand_rows(
    db: Db, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """No row is claimed twice, none is left, and each replica claims and sends its part."""
    # Small claims and a low limit in flight, so that no replica takes everything before the others look.
    shared = {"POLL_BATCH_SIZE": "20", "MAX_IN_FLIGHT": "120"}
    # On a machine that pauses, no lease ends and no call is given up: the row would rightly be claimed again.
    shared |= {"LEASE_MS": "300000", "NOVU_TIMEOUT_MS": "60000"}
    with ExitStack() as stack:
        replicas = [
            stack.enter_context(running_worker(tmp_path, f"replica-{n}", **worker_environment, **shared))
            for n in range(REPLICAS)
        ]
        for replica in replicas:
            replica.until_logged("worker started")
        db.execute(INSERT, [a_workflow(db), ROWS])

        await eventually(lambda: db.execute(LEFT).rowcount == 0, within=240)

        def read_metric(name: str) -> list[float]:
            return [replica.metric(f"xnovu_notifications_{name}_total") for replica in replicas]

        # A record is counted a moment after it is written, and a claim is; a page may be a second old.
        await eventually(lambda: sum(read_metric("sent")) == sum(read_metric("claimed")) == ROWS)
        claimed, sent = read_metric("claimed"), read_metric("sent")
        assert [replica.stop() for replica in replicas] == [0] * REPLICAS
    assert sum(claimed) == sum(sent) == ROWS
    assert min(claimed) > 0
    assert min(sent) > 0
    [runs] = db.execute(WORKFLOWS)
    assert runs["attempt"] == 1
    assert deliveries(db, novu_standin) == [1] * ROWS
    temporal = await Client.connect(worker_environment["TEMPORAL_ADDRESS"])
    query = (
        f"TaskQueue = '{worker_environment['TEMPORAL_TASK_QUEUE']}' AND WorkflowType = '{contract.WORKFLOW}'"
    )

    async def counted() -> bool:
        return bool((await temporal.count_workflows(query)).count == runs["count"])

    await eventually(counted)
