"""The traces of a deployment in Temporal: the attempts for which its newest runs were started."""

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller import log
from xnovu_poller.errors import TemporalUnavailable
from xnovu_poller.lifecycle import Attempt
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import DeliverInput
from xnovu_poller.temporal.translate import translate_rpc_error

_log = log.get(__name__)

NEWEST = 50
"""Look at this many runs, which fit on a page of Temporal's answer."""

NEWEST_GROUPS = 5
"""Read the input of this many groups, each with its own call: a group's id does not name its notifications."""

_PATIENCE = timedelta(seconds=10)
_SINGLE = re.compile(r"-notification-(\d{1,18})-(\d{1,9})")
_GROUP = re.compile(r"-notifications-[0-9a-f-]{36}")


async def newest_attempts(client: Client, deployment: UUID, since: datetime | None) -> list[Attempt]:
    """Return the attempts for which the newest runs of a deployment were started.

    Temporal's visibility store is a moment late, so the very last runs may be missing.

    Args:
        since: look only at runs that were started after this; None for all.

    Returns:
        Newest first, open runs before closed runs; empty if Temporal does not let us look.

    Raises:
        TemporalUnavailable: no answer.
    """
    query = f"WorkflowId STARTS_WITH '{contract.prefix(deployment)}-notification'"
    if since is not None:
        query += f" AND StartTime > '{since.isoformat()}'"
    try:
        listed = client.list_workflows(query, limit=NEWEST, page_size=NEWEST, rpc_timeout=_PATIENCE)
        run_ids = [run.id async for run in listed]
        groups = [run_id for run_id in run_ids if _GROUP.fullmatch(run_id, 8)][:NEWEST_GROUPS]
        inputs = await asyncio.gather(*(_read_input(client, run_id) for run_id in groups))
    except RPCError as error:
        failure = translate_rpc_error(error, client.namespace)
        if isinstance(failure, TemporalUnavailable):
            raise failure from error
        _log.warning("newest runs not read", reason=error.status.name)
        return []
    return [*_singles(run_ids), *(attempt for attempts in inputs for attempt in attempts)]


def _singles(run_ids: Sequence[str]) -> list[Attempt]:
    """Return the attempts of the single notifications, which their run ids name."""
    matches = (_SINGLE.fullmatch(run_id, 8) for run_id in run_ids)
    return [Attempt(int(match[1]), int(match[2])) for match in matches if match]


async def _read_input(client: Client, run_id: str) -> list[Attempt]:
    """Read the attempts of a group from the first event of its run's history."""
    history = client.get_workflow_handle(run_id).fetch_history_events(page_size=1, rpc_timeout=_PATIENCE)
    try:
        started = await anext(history)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return []  # its retention ended a moment ago
        raise
    payloads = started.workflow_execution_started_event_attributes.input.payloads
    decoded: list[DeliverInput] = await client.data_converter.decode(payloads, [DeliverInput])
    return decoded[0].read_attempts()
