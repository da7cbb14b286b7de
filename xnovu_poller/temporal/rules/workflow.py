"""The workflow of a rule's firing: it asks for one notification until PostgreSQL answers."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from xnovu_poller.temporal import contract
    from xnovu_poller.temporal.contract import FireInput
    from xnovu_poller.temporal.foreign_deployment import by_our_own
    from xnovu_poller.temporal.rules.activities import RuleActivities

_RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
_LONGEST_TRY = timedelta(seconds=70)
"""A little more than the store waits for a mute server."""


@workflow.defn(name=contract.RULE_WORKFLOW)
class RuleExecutionWorkflow:
    """Make the notification of one firing; the result says how it ended, which the rule's row tells too.

    A rule that is inactive by then, gone or without recipients ends it at once and as completed: a refusal is
    not tried again. PostgreSQL that is away is asked again, until the execution timeout.
    """

    @workflow.run
    async def run(self, work: FireInput) -> str:
        """Fire; a one-time rule is done with it, unless a person has triggered its schedule before its time."""
        meant = workflow.info().typed_search_attributes.get(contract.STARTED_FOR)
        if work.at is not None and meant is not None and meant != datetime.fromisoformat(work.at):
            work = replace(work, at=None)

        def fire(_: int) -> Awaitable[str]:
            return workflow.execute_activity_method(
                RuleActivities.fire,
                work,
                start_to_close_timeout=_LONGEST_TRY,
                heartbeat_timeout=contract.HEARTBEAT_TIMEOUT,
                retry_policy=_RETRIES,
            )

        return await by_our_own(fire)
