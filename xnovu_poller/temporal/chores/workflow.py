"""The workflow of a deployment's chores: the rules first, then the others side by side."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from xnovu_poller.temporal import contract
    from xnovu_poller.temporal.contract import Orchestrate
    from xnovu_poller.temporal.foreign_deployment import by_our_own

_FEW_TRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=2)
_LONGEST_TRY = timedelta(minutes=5)


@workflow.defn(name=contract.ORCHESTRATION)
class OrchestrationWorkflow:
    """Do each chore once; one that fails says so and stops no other, for the next orchestration comes soon.

    One schedule starts it, which lets no two of a deployment run at once, however many replicas there are.
    """

    @workflow.run
    async def run(self, work: Orchestrate) -> dict[str, Any]:
        """Do the chores.

        Returns:
            What each reports, or `{"error": …}`, by its name.
        """
        first, *others = contract.CHORES
        report = {first: await _done(first, work)}
        reports = await asyncio.gather(*(_done(name, work) for name in others))
        return report | dict(zip(others, reports, strict=True))


async def _done(chore: str, work: Orchestrate) -> dict[str, Any]:
    """Do a chore; tell why, if it cannot be done."""

    def ask(_: int) -> Awaitable[dict[str, Any]]:
        return workflow.execute_activity(
            chore,
            work,
            result_type=dict[str, Any],
            start_to_close_timeout=_LONGEST_TRY,
            heartbeat_timeout=contract.SILENCE,
            retry_policy=_FEW_TRIES,
        )

    try:
        return await by_our_own(ask)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return {"error": str(error.cause)}
