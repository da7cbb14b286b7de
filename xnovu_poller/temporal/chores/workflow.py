"""The workflow of the chores: the rules first, then the others at the same time."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from xnovu_poller.lifecycle import ChoreName
    from xnovu_poller.temporal import contract
    from xnovu_poller.temporal.contract import ChoresInput
    from xnovu_poller.temporal.foreign_deployment import ask_until_accepted

_RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=2)
_TRY_TIMEOUT = timedelta(minutes=5)


@workflow.defn(name=contract.CHORES_WORKFLOW)
class ChoresWorkflow:
    """Do each chore once. A chore that fails reports it and stops no other: the next run comes soon.

    Its schedule allows one run at a time, however many replicas there are; but after two requests within one second
    Temporal may let two runs overlap, so each chore must be safe beside itself.
    """

    @workflow.run
    async def run(self, chores: ChoresInput) -> dict[str, Any]:
        """Do the chores.

        Returns:
            By its name, what each chore reports, or `{"error": …}`.
        """
        first, *others = contract.CHORES
        optional = {ChoreName.CHECKS: chores.checks, ChoreName.WORKFLOWS: chores.workflows}
        asked = [*others, *(name for name, is_on in optional.items() if is_on)]
        report = {first.value: await _do(first, chores)}
        reports = await asyncio.gather(*(_do(name, chores) for name in asked))
        return report | dict(zip((name.value for name in asked), reports, strict=True))


async def _do(name: str, chores: ChoresInput) -> dict[str, Any]:
    """Do a chore; return its report, or why it failed."""

    def schedule_activity(_: int) -> Awaitable[dict[str, Any]]:
        return workflow.execute_activity(
            name,
            chores,
            result_type=dict[str, Any],
            start_to_close_timeout=_TRY_TIMEOUT,
            heartbeat_timeout=contract.HEARTBEAT_TIMEOUT,
            retry_policy=_RETRIES,
        )

    try:
        return await ask_until_accepted(schedule_activity)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return {"error": str(error.cause)}
