"""The workflow of a rule's firing: it asks for one notification until PostgreSQL answers."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from xnovu_poller.temporal import contract
    from xnovu_poller.temporal.contract import FireInput
    from xnovu_poller.temporal.foreign_deployment import ask_until_accepted
    from xnovu_poller.temporal.rules.activities import RuleActivities

_RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
_TRY_TIMEOUT = timedelta(seconds=70)
"""A little longer than the store waits for a server that does not answer."""


@workflow.defn(name=contract.RULE_WORKFLOW)
class RuleExecutionWorkflow:
    """Make the notification of one firing; the result is its outcome, which the rule's row has too.

    If the rule is inactive, gone or without recipients by then, the run completes at once, without another try. If
    PostgreSQL is away, the activity is tried again until the execution timeout.
    """

    @workflow.run
    async def run(self, fire_input: FireInput) -> str:
        """Fire. A one-time rule is done then, unless a person has triggered its schedule before its time."""
        started_for = workflow.info().typed_search_attributes.get(contract.STARTED_FOR)
        at = None if fire_input.at is None else datetime.fromisoformat(fire_input.at)
        if at is not None and started_for is not None and started_for != at:
            at = None
        fired_at = at or started_for or workflow.info().start_time
        fire_input = replace(
            fire_input, at=None if at is None else fire_input.at, fired_at=fired_at.isoformat()
        )

        def fire(_: int) -> Awaitable[str]:
            return workflow.execute_activity_method(
                RuleActivities.fire,
                fire_input,
                start_to_close_timeout=_TRY_TIMEOUT,
                heartbeat_timeout=contract.HEARTBEAT_TIMEOUT,
                retry_policy=_RETRIES,
            )

        return await ask_until_accepted(fire)
