"""What Temporal knows of the runs of a deployment and of its executors, for /status."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.client import Client
from temporalio.service import RPCError

from xnovu_poller.temporal import contract
from xnovu_poller.temporal.namespace import list_pollers
from xnovu_poller.temporal.translate import translate_rpc_error

FAILED_WITHIN = timedelta(days=1)
"""Count the failed runs of this time."""

_PATIENCE = timedelta(seconds=5)


async def take_census(client: Client, deployment: UUID, task_queue: str) -> dict[str, object]:
    """Return the pollers of our task queue by kind, the runs that are open, and those that failed lately.

    Temporal's visibility store is a moment late, and so are the counts of runs. A group's run never fails.

    Raises:
        TemporalUnavailable: no answer.
        TemporalRefused: Temporal does not let us look.
    """
    since = (datetime.now(UTC) - FAILED_WITHIN).isoformat(timespec="seconds")
    runs = f"WorkflowId STARTS_WITH '{contract.prefix(deployment)}-notification'"
    try:
        running, failed, pollers = await asyncio.gather(
            _count(client, f"{runs} AND ExecutionStatus = 'Running'"),
            _count(client, f"{runs} AND ExecutionStatus = 'Failed' AND CloseTime > '{since}'"),
            list_pollers(client, task_queue),
        )
    except RPCError as error:
        raise translate_rpc_error(error, client.namespace) from error
    return {
        "pollers": {kind: len(identities) for kind, identities in pollers.items()},
        "running": running,
        "failed_in_a_day": failed,
    }


async def _count(client: Client, query: str) -> int:
    return (await client.count_workflows(query, rpc_timeout=_PATIENCE)).count
