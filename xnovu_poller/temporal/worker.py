"""The Temporal worker of a process: it runs our workflows and activities."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from xnovu_poller.temporal.chores.activities import ChoreActivities
from xnovu_poller.temporal.chores.workflow import ChoresWorkflow
from xnovu_poller.temporal.delivery.activities import DeliveryActivities
from xnovu_poller.temporal.delivery.workflow import NotificationProcessingWorkflow
from xnovu_poller.temporal.rules.activities import RuleActivities
from xnovu_poller.temporal.rules.workflow import RuleExecutionWorkflow

__all__ = ["WORKFLOWS", "Limits", "Worker", "build_worker"]

WORKFLOWS = [NotificationProcessingWorkflow, RuleExecutionWorkflow, ChoresWorkflow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one process takes on.

    Attributes:
        activities: regular activities at a time.
        workflow_tasks: workflow tasks at a time; local activities get fewer slots.
        cached_workflows: workflows kept in memory.
        grace: how long running work may go on after a stop.
    """

    activities: int
    workflow_tasks: int
    cached_workflows: int
    grace: timedelta


def build_worker(
    client: Client,
    *,
    task_queue: str,
    deliveries: DeliveryActivities,
    rules: RuleActivities,
    chores: ChoreActivities,
    limits: Limits,
) -> Worker:
    """Build the worker of this process; it does not run yet."""
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=[
            deliveries.deliver,
            deliveries.record_lost_contact,
            rules.fire,
            chores.rules,
            chores.retention,
            chores.statistics,
            chores.doctor,
            chores.checks,
            chores.workflows,
        ],
        max_concurrent_activities=limits.activities,
        max_concurrent_workflow_tasks=limits.workflow_tasks,
        # A local activity occupies its workflow task. With equal limits, no task might be free to complete a run.
        max_concurrent_local_activities=max(1, limits.workflow_tasks * 4 // 5),
        max_cached_workflows=limits.cached_workflows,
        # The sandbox took a fifth of the worker's time. The replay tests check that workflows are deterministic.
        workflow_runner=UnsandboxedWorkflowRunner(),
        # With eager activities a foreign deployment's worker would get back what it has just refused.
        disable_eager_activity_execution=True,
        graceful_shutdown_timeout=limits.grace,
        workflow_failure_exception_types=[Exception],
    )
