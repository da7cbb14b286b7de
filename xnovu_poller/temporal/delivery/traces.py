"""The traces that a deployment has left in Temporal: for what the newest_attempts workflows of its name were started."""

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
"""So many workflows are looked at; one page of Temporal's answer."""

NEWEST_GROUPS = 5
"""So many of them by a call of its own: a group's id does not name its notifications."""

_PATIENCE = timedelta(seconds=10)
_SINGLE = re.compile(r"-notification-(\d{1,18})-(\d{1,9})")
_GROUP = re.compile(r"-notifications-[0-9a-f-]{36}")


async def newest_attempts(client: Client, deployment: UUID, since: datetime | None) -> list[Attempt]:
    """Name the attempts for which the newest_attempts workflows of a deployment were started.

    Temporal's visibility store lags behind by a moment, so the very last may be missing.

    Args:
        client: for the namespace.
        deployment: by whose name workflows are looked for.
        since: only those started after this; None for all.

    Returns:
        Newest first, what is open before what is closed; nothing where Temporal does not let us look.

    Raises:
        TemporalUnavailable: no answer.
    """
    query = f"WorkflowId STARTS_WITH '{contract.prefix(deployment)}-notification'"
    if since is not None:
        query += f" AND StartTime > '{since.isoformat()}'"
    try:
        listed = client.list_workflows(query, limit=NEWEST, page_size=NEWEST, rpc_timeout=_PATIENCE)
        ids = [one.id async for one in listed]
        groups = [one for one in ids if _GROUP.fullmatch(one, 8)][:NEWEST_GROUPS]
        inputs = await asyncio.gather(*(_input_of(client, one) for one in groups))
    except RPCError as error:
        failure = translate_rpc_error(error, client.namespace)
        if isinstance(failure, TemporalUnavailable):
            raise failure from error
        _log.warning("newest workflows not looked at", reason=error.status.name)
        return []
    return [*_singles(ids), *(attempt for attempts in inputs for attempt in attempts)]


def _singles(ids: Sequence[str]) -> list[Attempt]:
    found = (_SINGLE.fullmatch(one, 8) for one in ids)
    return [Attempt(int(one[1]), int(one[2])) for one in found if one]


async def _input_of(client: Client, run_id: str) -> list[Attempt]:
    """Read for what a group's workflow was started: the first event of its history tells."""
    history = client.get_workflow_handle(run_id).fetch_history_events(page_size=1, rpc_timeout=_PATIENCE)
    try:
        started = await anext(history)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return []  # its retention has just ended
        raise
    payloads = started.workflow_execution_started_event_attributes.input.payloads
    decoded: list[DeliverInput] = await client.data_converter.decode(payloads, [DeliverInput])
    return decoded[0].read_attempts()
