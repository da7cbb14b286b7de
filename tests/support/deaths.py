"""The death of a worker, and its consequences in Temporal and in the table."""

import signal
from collections.abc import Mapping

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.support.rows import Db
from tests.support.worker import WorkerProgram

OFTEN: Mapping[str, str] = {
    "POLL_INTERVAL_MS": "200",
    "SCHEDULED_POLL_INTERVAL_MS": "200",
    "FAILED_POLL_INTERVAL_MS": "200",
}
"""Settings of workers that take over soon."""

HASTY: Mapping[str, str] = {**OFTEN, "NOVU_TIMEOUT_MS": "1000", "LEASE_MS": "2000"}
"""Settings of workers whose rows can soon be taken over: of those that die, because a slow machine exceeds these times."""

PATIENT: Mapping[str, str] = {"NOVU_TIMEOUT_MS": "30000", "LEASE_MS": "60000"}
"""Settings of a worker that dies in a call: the call lasts until then, also if the machine stalls."""

_RUNS = """
SELECT id, temporal_workflow_id AS workflow FROM notify.ent_notification
WHERE notification_status = 'PROCESSING' AND (cardinality(%(ids)s::bigint[]) = 0 OR id = ANY (%(ids)s))"""

_LAPSE = """
UPDATE notify.ent_notification SET lease_expires_at = clock_timestamp() - interval '1 s',
    send_until = CASE WHEN send_until IS NOT NULL THEN clock_timestamp() - interval '1 s' END
WHERE notification_status = 'PROCESSING' AND id = ANY (%(ids)s)"""


def killed(worker: WorkerProgram) -> None:
    """Kill a worker, as a crash would, and wait until it is gone."""
    worker.ask(signal.SIGKILL)
    assert worker.ended() == -signal.SIGKILL


async def given_up(db: Db, temporal_address: str, *ids: int) -> None:
    """End the runs, then lapse the leases and holds of these notifications, or of all.

    A dead worker leaves them behind; this spares the test the wait for their timeouts. The runs end first: a rescue
    that met a lapsed lease while its run is open would extend the lease.
    """
    client = await Client.connect(temporal_address)
    rows = db.execute(_RUNS, {"ids": list(ids)}).fetchall()
    for workflow in {row["workflow"] for row in rows}:
        try:
            await client.get_workflow_handle(workflow).terminate("its worker is dead")
        except RPCError as error:
            # It was never started, or is already closed.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
    db.execute(_LAPSE, {"ids": [row["id"] for row in rows]})
