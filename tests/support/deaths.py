"""The death of a worker, and what Temporal and the table make of it."""

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
    """End a worker as a crash would, and see it gone."""
    worker.ask(signal.SIGKILL)
    assert worker.ended() == -signal.SIGKILL


async def given_up(db: Db, temporal_address: str, *ids: int) -> None:
    """Spare the wait for the timeouts that follow the death of whoever had these notifications, or all.

    Whoever looks after Temporal terminates what hangs there, and holds and leases lapse.
    """
    client = await Client.connect(temporal_address)
    for workflow in {row["workflow"] for row in db.execute(_LAPSE, {"ids": list(ids)})}:
        try:
            await client.get_workflow_handle(workflow).terminate("its worker is dead")
        except RPCError as error:
            # It was never started, or is closed already.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
