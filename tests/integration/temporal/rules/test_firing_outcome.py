"""Waiting for a firing: its outcome, no end in time, or an end by hand."""

from datetime import timedelta

import pytest
from temporalio.client import Client

from tests.support.executing import Executing, schedules_of
from tests.support.rows import Db, a_rule, a_workflow
from xnovu_poller.errors import TemporalError
from xnovu_poller.lifecycle import FireOutcome
from xnovu_poller.temporal.rules import firing_outcome
from xnovu_poller.temporal.rules.schedules import RuleSchedules

LONG = timedelta(seconds=20)


@pytest.fixture
def schedules(client: Client, task_queue: str) -> RuleSchedules:
    """The rules' schedules of the deployment, with this test's task queue."""
    return schedules_of(client, task_queue)


async def test_the_outcome_is_the_result_of_the_run(
    executor: Executing, schedules: RuleSchedules, db: Db
) -> None:
    """A deleted rule is an outcome too."""
    rule = a_rule(db, workflow=a_workflow(db))

    created = await schedules.fire(rule, "acme")
    gone = await schedules.fire(rule + 1, "acme")

    assert await firing_outcome.wait_for_outcome(executor.client, created, LONG) is FireOutcome.CREATED
    assert await firing_outcome.wait_for_outcome(executor.client, gone, LONG) is FireOutcome.GONE


async def test_the_wait_ends_in_time(client: Client, schedules: RuleSchedules) -> None:
    """Without an executor there is no outcome yet, and the run continues."""
    run_id = await schedules.fire(1, "acme")

    assert await firing_outcome.wait_for_outcome(client, run_id, timedelta(milliseconds=200)) is None

    await client.get_workflow_handle(run_id).terminate()
    with pytest.raises(TemporalError, match="was ended before it fired"):
        await firing_outcome.wait_for_outcome(client, run_id, LONG)
