"""The workflow of a firing in a real Temporal: when it ends, and when it tries again."""

from datetime import timedelta
from uuid import UUID

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from tests.integration.temporal.conftest import Run
from tests.support.executing import Executing
from tests.support.firing import at_once, made, tried
from tests.support.rows import Db, a_rule
from tests.support.scheduling import rule_row
from tests.support.waiting import eventually
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.rules.schedules import RuleSchedules


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ("UPDATE notify.ent_notification_rule SET deactivated = true", "inactive"),
        ("UPDATE notify.ent_notification_rule SET rule_payload = '{}'", "no_recipients"),
        ("DELETE FROM notify.ent_notification_rule", "gone"),
    ],
)
async def test_a_firing_that_makes_no_notification_completes_at_once(  # noqa: PLR0913, PLR0917 - each a fixture
    running: Executing,
    db: Db,
    workflow: int,
    schedules: RuleSchedules,
    client: Client,
    change: str,
    outcome: str,
) -> None:
    """Its run is completed, not failed, after one try."""
    rule = a_rule(db, workflow=workflow)
    db.execute(change)
    handle = client.get_workflow_handle(await schedules.fire(rule))

    assert await handle.result() == outcome
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    history = (await handle.fetch_history()).to_json_dict()
    assert str(history).count("EVENT_TYPE_ACTIVITY_TASK_SCHEDULED") == 1
    assert made(db, rule) == []


async def test_a_firing_waits_until_the_database_is_back(
    running: Executing, db: Db, workflow: int, schedules: RuleSchedules, client: Client
) -> None:
    """It is tried until then, and fires once."""
    rule = a_rule(db, workflow=workflow)
    db.execute("ALTER TABLE notify.ent_notification_rule RENAME TO away")
    try:
        handle = client.get_workflow_handle(await schedules.fire(rule))
        await eventually(lambda: tried(handle, 2))
    finally:
        db.execute("ALTER TABLE notify.away RENAME TO ent_notification_rule")

    assert await handle.result() == "created"
    assert len(made(db, rule)) == 1


async def test_a_triggered_one_time_schedule_still_fires_at_its_time(
    running: Executing, run: Run, db: Db, workflow: int, client: Client, deployment: UUID
) -> None:
    """The trigger makes a notification, and the rule is not done."""
    rule, _ = at_once(db, workflow, timedelta(days=-1))
    await run()

    await client.get_schedule_handle(contract.rule_schedule_id(deployment, rule)).trigger()
    await eventually(lambda: made(db, rule))

    assert (rule_row(db, rule)["rule_status"], rule_row(db, rule)["done_for"]) == ("SCHEDULED", None)
