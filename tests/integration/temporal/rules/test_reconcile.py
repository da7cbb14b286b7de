"""The reconciliation of rules with a real Temporal: it makes, rebuilds, pauses and deletes, and touches nothing else."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleRange,
    ScheduleSpec,
)

from tests.integration.temporal.conftest import Run
from tests.support.executing import STRANGER
from tests.support.firing import changed, listing, paused, told
from tests.support.rows import Db, a_rule
from tests.support.waiting import eventually
from tests.support.wires import Wire
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.rules import schedules as calls
from xnovu_poller.temporal.rules.schedules import RuleSchedules

BEYOND_A_PAGE = calls.PAGE + 10


async def describe(client: Client, deployment: UUID, rule_id: int) -> ScheduleDescription:
    """Describe a rule's schedule."""
    return await client.get_schedule_handle(contract.rule_schedule_id(deployment, rule_id)).describe()


async def test_a_rule_gets_its_schedule_and_a_second_run_does_nothing(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """Its id, its marker, what it starts, and no payload or recipient anywhere."""
    rule = a_rule(
        db, workflow=workflow, rule_payload={"recipients": ["person-marker"], "note": "value-marker"}
    )

    assert await run() == {"created": 1}
    await listing(schedules, rule)
    assert await run() == {"unchanged": 1}

    found = await describe(client, deployment, rule)
    assert await found.memo() == {"xnovu_deployment": str(deployment), "xnovu_rule": rule}
    action = found.schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert (action.workflow, action.id) == ("RuleExecutionWorkflow", found.id)
    assert action.typed_search_attributes[contract.ENTERPRISE] == "acme"
    assert found.schedule.policy.catchup_window == timedelta(minutes=1)
    assert "marker" not in str(found.raw_description)
    assert told(db, rule) == ("SCHEDULED", None)


async def test_a_changed_rule_keeps_nothing_of_its_old_times(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """Regression: an update from the description kept the old cron beside the new one."""
    rule = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, rule)
    changed(db, rule, """trigger_config = '{"cron": "30 17 * * *", "timezone": "Asia/Shanghai"}'""")

    assert await run() == {"updated": 1}

    spec = (await describe(client, deployment, rule)).schedule.spec
    assert [(one.hour, one.minute) for one in spec.calendars] == [
        ((ScheduleRange(17),), (ScheduleRange(30),))
    ]
    assert (spec.time_zone_name, list(spec.cron_expressions)) == ("Asia/Shanghai", [])


async def test_a_rule_that_is_not_meant_stands_still_and_goes_on(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """Deactivated, or not PUBLISH; one that never was gets no schedule at all."""
    rule = a_rule(db, workflow=workflow)
    draft = a_rule(db, workflow=workflow, publish_status="DRAFT")
    assert await run() == {"created": 1, "unchanged": 1}
    await listing(schedules, rule)

    changed(db, rule, "deactivated = true")
    assert await run() == {"paused": 1, "unchanged": 1}
    assert (await describe(client, deployment, rule)).schedule.state.paused
    assert told(db, rule) == told(db, draft) == ("PAUSED", None)

    await eventually(lambda: paused(schedules, rule))
    assert await run() == {"unchanged": 2}
    changed(db, rule, "deactivated = false")
    assert await run() == {"updated": 1, "unchanged": 1}
    assert not (await describe(client, deployment, rule)).schedule.state.paused


async def test_what_a_person_changes_at_a_schedule_is_put_right(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """The row is the truth: paused by hand, and deleted by hand."""
    rule = a_rule(db, workflow=workflow)
    await run()
    handle = client.get_schedule_handle(contract.rule_schedule_id(deployment, rule))
    await handle.pause(note="by hand")
    await eventually(lambda: paused(schedules, rule))

    assert await run() == {"updated": 1}
    assert not (await handle.describe()).schedule.state.paused
    await handle.delete()
    await listing(schedules)
    assert await run() == {"created": 1}


async def test_a_deleted_row_deletes_its_schedule_and_no_other(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules
) -> None:
    """The others stand unchanged."""
    gone, stays = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, gone, stays)
    db.execute("DELETE FROM notify.ent_notification_rule WHERE id = %s", [gone])

    assert await run() == {"deleted": 1, "unchanged": 1}
    await listing(schedules, stays)


async def test_other_peoples_schedules_are_not_touched(
    run: Run, db: Db, workflow: int, client: Client, deployment: UUID, task_queue: str
) -> None:
    """Our prefix without our memo, another deployment's memo, another's rule, and names of any kind."""
    rule = a_rule(db, workflow=workflow)
    dep = contract.prefix(deployment)
    memos: dict[str, dict[str, Any] | None] = {
        f"{dep}-rule-999999": None,
        f"{dep}-rule-999998": {"xnovu_deployment": str(STRANGER), "xnovu_rule": 999998},
        f"{dep}-rule-999997": {"xnovu_deployment": str(deployment), "xnovu_rule": 1},
        f"{dep}-rule-of-mine": {"xnovu_deployment": str(deployment)},
        f"{dep}-orchestration": {"xnovu_deployment": str(deployment)},
        contract.rule_schedule_id(deployment, rule): {"xnovu_deployment": str(STRANGER), "xnovu_rule": rule},
    }
    action = ScheduleActionStartWorkflow("Theirs", id="theirs", task_queue=task_queue)
    for name, memo in memos.items():
        await client.create_schedule(name, Schedule(action=action, spec=ScheduleSpec()), memo=memo)

    assert await run() == {"failed": 1}

    for name in memos:
        theirs = await client.get_schedule_handle(name).describe()
        assert theirs.info.last_updated_at is None
    status, error = told(db, rule)
    assert status == "FAILED"
    assert "somebody else's bears the id" in str(error)


async def test_a_rule_that_cannot_be_understood_disturbs_no_other(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """It is told on its row, its schedule stands still; mended, it goes on."""
    first, bad, last = (a_rule(db, workflow=workflow) for _ in range(3))
    await run()
    await listing(schedules, first, bad, last)
    changed(db, bad, """trigger_config = '{"cron": "61 9 * * *"}'""")

    assert await run() == {"invalid": 1, "unchanged": 2}
    status, error = told(db, bad)
    assert status == "INVALID"
    assert str(error).startswith("cron: minute: write a number from 0 to 59")
    assert (await describe(client, deployment, bad)).schedule.state.paused
    await eventually(lambda: paused(schedules, bad))
    assert await run() == {"unchanged": 3}

    changed(db, bad, """trigger_config = '{"cron": "0 9 * * *"}'""")
    assert await run() == {"updated": 1, "unchanged": 2}
    assert told(db, bad) == ("SCHEDULED", None)
    assert not (await describe(client, deployment, bad)).schedule.state.paused


async def test_no_schedule_is_lost_beyond_a_page(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules
) -> None:
    """Regression: rules beyond the first thousand lost their schedules."""
    db.execute(
        "INSERT INTO notify.ent_notification_rule (enterprise_id, name, notification_workflow_id, trigger_type,"
        " trigger_config, rule_payload, publish_status)"
        " SELECT 'acme', 'r' || i, %s, 'CRON', '{\"cron\": \"0 9 * * *\"}', '{\"recipients\": [\"s\"]}', 'PUBLISH'"
        " FROM generate_series(1, %s) AS i",
        [workflow, BEYOND_A_PAGE],
    )

    assert await run() == {"created": BEYOND_A_PAGE}
    await eventually(lambda: _count(schedules, BEYOND_A_PAGE))
    assert await run() == {"unchanged": BEYOND_A_PAGE}

    db.execute("DELETE FROM notify.ent_notification_rule")
    assert await run() == {"deleted": BEYOND_A_PAGE}
    await listing(schedules)


async def test_a_rule_that_comes_between_listing_and_reading_is_made(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, wire: Wire
) -> None:
    """Regression: what was not seen in time was taken for an orphan; two that do the same make one."""
    # What is listed is all that these runs see: rules come behind it.
    wire.lagging = []
    late = [a_rule(db, workflow=workflow)]
    assert await run() == {"created": 1}
    late.append(a_rule(db, workflow=workflow))
    both = await asyncio.gather(run(), run())
    wire.lagging = None
    await listing(schedules, *late)
    assert all("failed" not in one and "deleted" not in one for one in both)
    await eventually(lambda: _idle(run, len(late)))


async def test_a_rule_that_is_paused_and_goes_on_at_once_goes_on(  # noqa: PLR0913, PLR0917 - each a fixture
    run: Run,
    db: Db,
    workflow: int,
    schedules: RuleSchedules,
    client: Client,
    deployment: UUID,
    wire: Wire,
) -> None:
    """The list of a moment ago says that all is well."""
    rule = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, rule)
    stale = [
        one
        async for one in await client.list_schedules(
            f"ScheduleId STARTS_WITH '{contract.prefix(deployment)}'"
        )
    ]
    changed(db, rule, "deactivated = true")
    assert await run() == {"paused": 1}
    changed(db, rule, "deactivated = false")

    wire.lagging = stale
    assert await run() == {"unchanged": 1}
    assert not (await describe(client, deployment, rule)).schedule.state.paused

    before = await describe(client, deployment, rule)
    assert await run() == {"unchanged": 1}
    after = await describe(client, deployment, rule)
    assert after.info.last_updated_at == before.info.last_updated_at


async def _count(schedules: RuleSchedules, count: int) -> bool:
    return len(await schedules.listed()) == count


async def _idle(run: Run, count: int) -> bool:
    return await run() == {"unchanged": count}
