"""Wait for the outcome of a firing."""

import asyncio
from datetime import timedelta

from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller.errors import TemporalError
from xnovu_poller.lifecycle import FireOutcome
from xnovu_poller.temporal.translate import translate_rpc_error


async def wait_for_outcome(client: Client, run_id: str, within: timedelta) -> FireOutcome | None:
    """Wait until the run of a firing has ended.

    Returns:
        None if it has not ended by then; it continues.

    Raises:
        TemporalError: a person ended the run, or Temporal does not answer.
    """
    handle = client.get_workflow_handle(run_id, result_type=str)
    try:
        async with asyncio.timeout(within.total_seconds()):
            return FireOutcome(await handle.result())
    except TimeoutError:
        return None
    except WorkflowFailureError as error:
        raise TemporalError(
            f"Temporal: run {run_id} was ended before it fired; run the command again"
        ) from error
    except RPCError as error:
        if error.status in {RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED}:
            return None
        raise translate_rpc_error(error, client.namespace) from error
