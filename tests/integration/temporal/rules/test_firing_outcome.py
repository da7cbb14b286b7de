"""Waiting for a firing: its outcome, nothing by then, or an end by hand."""

from datetime import timedelta

import pytest
from temporalio.client import Client

from tests.support.executing import DEPLOYMENT, Executing
from tests.support.rows import Db, a_rule, a_workflow
from xnovu_poller.errors import TemporalError
from xnovu_poller.lifecycle import FireOutcome
from xnovu_poller.temporal.rules import firing_outcome
from xnovu_poller.temporal.rules.schedules import RuleSchedules

LONG = timedelta(seconds=20)


@pytest.fixture
def schedules(client: Client, task_queue: str) -> RuleSchedules:
    """The schedules of the deployment, its executors at this test's queue."""
    return RuleSchedules(client, deployment=DEPLOYMENT, task_queue=task_queue, searchable=True)


async def test_the_outcome_is_told(executor: Executing, schedules: RuleSchedules, db: Db) -> None:
    """As the workflow's result says it."""
    rule = a_rule(db, workflow=a_workflow(db))

    created = await schedules.fire(rule, "acme")
    gone = await schedules.fire(rule + 1, "acme")

    assert await firing_outcome.wait_for_outcome(executor.client, created, LONG) is FireOutcome.CREATED
    assert await firing_outcome.wait_for_outcome(executor.client, gone, LONG) is FireOutcome.GONE


async def test_nobody_waits_for_ever(client: Client, schedules: RuleSchedules) -> None:
    """Where no executor listens there is no outcome yet, and the workflow goes on."""
    workflow_id = await schedules.fire(1, "acme")

    assert await firing_outcome.wait_for_outcome(client, workflow_id, timedelta(milliseconds=200)) is None

    await client.get_workflow_handle(workflow_id).terminate()
    with pytest.raises(TemporalError, match="was ended before it fired"):
        await firing_outcome.wait_for_outcome(client, workflow_id, LONG)
