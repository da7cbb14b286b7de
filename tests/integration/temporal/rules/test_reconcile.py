"""The reconciliation with a real Temporal: it creates, rebuilds, pauses and deletes, and touches nothing else."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleRange,
    ScheduleSpec,
)

from tests.integration.temporal.conftest import Run
from tests.support.executing import FOREIGN
from tests.support.firing import changed, listing, paused, read_status
from tests.support.rows import Db, a_rule
from tests.support.waiting import eventually
from tests.support.wires import Wire
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.rules import schedules as calls
from xnovu_poller.temporal.rules.schedules import RuleSchedules

PAGE, BEYOND_A_PAGE = 20, 50


async def describe(client: Client, deployment: UUID, rule_id: int) -> ScheduleDescription:
    """Describe a rule's schedule."""
    return await client.get_schedule_handle(contract.rule_schedule_id(deployment, rule_id)).describe()


async def test_a_rule_gets_its_schedule_and_a_second_run_does_nothing(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """The schedule has our id, memo and workflow, and no payload or recipient."""
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
    assert read_status(db, rule) == ("SCHEDULED", None)


async def test_a_changed_rule_keeps_nothing_of_its_old_times(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """Regression: an update from the description kept the old cron beside the new cron."""
    rule = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, rule)
    changed(db, rule, """trigger_config = '{"cron": "30 17 * * *", "timezone": "Asia/Shanghai"}'""")

    assert await run() == {"updated": 1}

    spec = (await describe(client, deployment, rule)).schedule.spec
    assert [(calendar.hour, calendar.minute) for calendar in spec.calendars] == [
        ((ScheduleRange(17),), (ScheduleRange(30),))
    ]
    assert (spec.time_zone_name, list(spec.cron_expressions)) == ("Asia/Shanghai", [])


async def test_a_rule_that_is_not_active_is_paused_and_resumed(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """A rule that was never active gets no schedule."""
    rule = a_rule(db, workflow=workflow)
    draft = a_rule(db, workflow=workflow, publish_status="DRAFT")
    assert await run() == {"created": 1, "unchanged": 1}
    await listing(schedules, rule)

    changed(db, rule, "deactivated = true")
    assert await run() == {"paused": 1, "unchanged": 1}
    assert (await describe(client, deployment, rule)).schedule.state.paused
    assert read_status(db, rule) == read_status(db, draft) == ("PAUSED", None)

    await eventually(lambda: paused(schedules, rule))
    assert await run() == {"unchanged": 2}
    changed(db, rule, "deactivated = false")
    assert await run() == {"updated": 1, "unchanged": 1}
    assert not (await describe(client, deployment, rule)).schedule.state.paused


async def test_a_persons_change_of_a_schedule_is_undone(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """The row decides: the schedule was paused, and then deleted, by hand."""
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
    """The others are unchanged."""
    gone, stays = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, gone, stays)
    db.execute("DELETE FROM notify.ent_notification_rule WHERE id = %s", [gone])

    assert await run() == {"deleted": 1, "unchanged": 1}
    await listing(schedules, stays)


async def test_schedules_that_are_not_ours_are_not_touched(
    run: Run, db: Db, workflow: int, client: Client, deployment: UUID, task_queue: str
) -> None:
    """They have our prefix, but no memo of ours or that of another deployment or rule."""
    rule = a_rule(db, workflow=workflow)
    dep = contract.prefix(deployment)
    memos: dict[str, dict[str, Any] | None] = {
        f"{dep}-rule-999999": None,
        f"{dep}-rule-999998": {"xnovu_deployment": str(FOREIGN), "xnovu_rule": 999998},
        f"{dep}-rule-999997": {"xnovu_deployment": str(deployment), "xnovu_rule": 1},
        f"{dep}-rule-of-mine": {"xnovu_deployment": str(deployment)},
        f"{dep}-chores": {"xnovu_deployment": str(deployment)},
        contract.rule_schedule_id(deployment, rule): {"xnovu_deployment": str(FOREIGN), "xnovu_rule": rule},
    }
    action = ScheduleActionStartWorkflow("Theirs", id="theirs", task_queue=task_queue)
    for name, memo in memos.items():
        await client.create_schedule(name, Schedule(action=action, spec=ScheduleSpec()), memo=memo)

    assert await run() == {"failed": 1}

    for name in memos:
        theirs = await client.get_schedule_handle(name).describe()
        assert theirs.info.last_updated_at is None
    status, error = read_status(db, rule)
    assert status == "FAILED"
    assert "belongs to a schedule that is not ours" in str(error)


async def test_an_invalid_rule_does_not_disturb_others(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """Its row has the reason, and its schedule is paused; after a repair it is resumed."""
    first, bad, last = (a_rule(db, workflow=workflow) for _ in range(3))
    await run()
    await listing(schedules, first, bad, last)
    changed(db, bad, """trigger_config = '{"cron": "61 9 * * *"}'""")

    assert await run() == {"invalid": 1, "unchanged": 2}
    status, error = read_status(db, bad)
    assert status == "INVALID"
    assert str(error).startswith("cron: minute: cannot be read; write a number from 0 to 59")
    assert (await describe(client, deployment, bad)).schedule.state.paused
    await eventually(lambda: paused(schedules, bad))
    assert await run() == {"unchanged": 3}

    changed(db, bad, """trigger_config = '{"cron": "0 9 * * *"}'""")
    assert await run() == {"updated": 1, "unchanged": 2}
    assert read_status(db, bad) == ("SCHEDULED", None)
    assert not (await describe(client, deployment, bad)).schedule.state.paused


async def test_no_schedule_is_lost_beyond_a_page(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: rules beyond the first page lost their schedules. A page of 250 would only take longer."""
    monkeypatch.setattr(calls, "PAGE", PAGE)
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


async def test_a_rule_inserted_between_listing_and_reading_gets_its_schedule(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, wire: Wire
) -> None:
    """Regression: a schedule that was not seen in time was taken for an orphan. Two runs at once create one."""
    # These runs see an empty list: the rules are newer.
    wire.lagging = []
    late = [a_rule(db, workflow=workflow)]
    assert await run() == {"created": 1}
    late.append(a_rule(db, workflow=workflow))
    both = await asyncio.gather(run(), run())
    wire.lagging = None
    await listing(schedules, *late)
    assert all("failed" not in report and "deleted" not in report for report in both)
    await eventually(lambda: _idle(run, len(late)))


async def test_a_rule_paused_and_resumed_at_once_runs(  # noqa: PLR0913, PLR0917 - each a fixture
    run: Run,
    db: Db,
    workflow: int,
    schedules: RuleSchedules,
    client: Client,
    deployment: UUID,
    wire: Wire,
) -> None:
    """The outdated list already shows the state that the row has again."""
    rule = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, rule)
    stale = [
        listed
        async for listed in await client.list_schedules(
            f"ScheduleId STARTS_WITH '{contract.prefix(deployment)}'"
        )
    ]
    changed(db, rule, "deactivated = true")
    assert await run() == {"paused": 1}
    changed(db, rule, "deactivated = false")

    wire.lagging = stale
    assert await run() == {"updated": 1}
    assert not (await describe(client, deployment, rule)).schedule.state.paused

    before = await describe(client, deployment, rule)
    assert await run() == {"unchanged": 1}
    after = await describe(client, deployment, rule)
    assert after.info.last_updated_at == before.info.last_updated_at


async def _count(schedules: RuleSchedules, count: int) -> bool:
    return len(await schedules.list()) == count


async def _idle(run: Run, count: int) -> bool:
    return await run() == {"unchanged": count}
