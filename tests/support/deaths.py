"""The death of a worker, and its consequences in Temporal and in the table."""

import signal
from collections.abc import Mapping

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.support.rows import Db
from tests.support.worker import WorkerProgram

HASTY: Mapping[str, str] = {
    "NOVU_TIMEOUT_MS": "1000",
    "LEASE_MS": "2000",
    "POLL_INTERVAL_MS": "200",
    "SCHEDULED_POLL_INTERVAL_MS": "200",
    "FAILED_POLL_INTERVAL_MS": "200",
}
"""Settings of workers that notice a death soon."""

_LAPSE = """
UPDATE notify.ent_notification SET lease_expires_at = clock_timestamp() - interval '1 s',
    send_until = CASE WHEN send_until IS NOT NULL THEN clock_timestamp() - interval '1 s' END
WHERE notification_status = 'PROCESSING' AND (cardinality(%(ids)s::bigint[]) = 0 OR id = ANY (%(ids)s))
RETURNING temporal_workflow_id AS workflow"""


def killed(worker: WorkerProgram) -> None:
    """Kill a worker, as a crash would, and wait until it is gone."""
    worker.ask(signal.SIGKILL)
    assert worker.ended() == -signal.SIGKILL


async def given_up(db: Db, temporal_address: str, *ids: int) -> None:
    """End the runs and lapse the leases and holds of these notifications, or of all.

    A dead worker leaves them behind; this spares the test the wait for their timeouts.
    """
    client = await Client.connect(temporal_address)
    for workflow in {row["workflow"] for row in db.execute(_LAPSE, {"ids": list(ids)})}:
        try:
            await client.get_workflow_handle(workflow).terminate("its worker is dead")
        except RPCError as error:
            # It was never started, or is already closed.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
