"""How a firing ended that a person waits for."""

import asyncio
from datetime import timedelta

from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller.errors import TemporalError
from xnovu_poller.lifecycle import FireOutcome
from xnovu_poller.temporal.translate import translate_rpc_error


async def wait_for_outcome(client: Client, workflow_id: str, within: timedelta) -> FireOutcome | None:
    """Wait for the workflow of a firing.

    Returns:
        How it ended, or None where it has not by then: it goes on.

    Raises:
        TemporalError: it was ended by hand, or Temporal does not answer.
    """
    handle = client.get_workflow_handle(workflow_id, result_type=str)
    try:
        async with asyncio.timeout(within.total_seconds()):
            return FireOutcome(await handle.result())
    except TimeoutError:
        return None
    except WorkflowFailureError as error:
        raise TemporalError(f"Temporal: workflow {workflow_id} was ended before it fired") from error
    except RPCError as error:
        if error.status in {RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED}:
            return None
        raise translate_rpc_error(error, client.namespace) from error
