"""Rules that fire by their schedules in a real Temporal: repeatedly, once, late, or not at all."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.client import Client

from tests.integration.temporal.conftest import Run
from tests.support.executing import Executing
from tests.support.firing import at_once, made
from tests.support.rows import Db, a_rule
from tests.support.scheduling import made_by, rule_row
from tests.support.waiting import eventually
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.rules.schedules import RuleSchedules

_EVERY_SECOND = {"cron": "* * * * * *", "overlap": "ALLOW_ALL"}


async def test_each_firing_reads_the_row_of_its_moment(
    running: Executing, run: Run, db: Db, workflow: int, deployment: UUID
) -> None:
    """Regression: a rule could fire only once. Each firing has its time in the dedup key, and the current payload."""
    rule = a_rule(
        db, workflow=workflow, trigger_config=_EVERY_SECOND, rule_payload={"recipients": ["s"], "n": 1}
    )
    await run()
    await eventually(lambda: len(made(db, rule)) >= 2)
    db.execute("""UPDATE notify.ent_notification_rule SET rule_payload = '{"recipients": ["s"], "n": 2}'""")
    count_before = len(made(db, rule))
    await eventually(lambda: len(made(db, rule)) >= count_before + 2)

    # Read once: it fires on.
    rows = made_by(db, rule)
    keys = [each["dedup_key"] for each in rows]
    # The id of a scheduled run ends with the time for which it fires.
    assert [each["fired_at"] for each in rows] == [datetime.fromisoformat(key[-20:]) for key in keys]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith(contract.rule_schedule_id(deployment, rule) + "-20") for key in keys)
    assert (rows[0]["payload"], rows[-1]["payload"]) == ({"n": 1}, {"n": 2})
    assert rule_row(db, rule)["last_outcome"] == "created"


async def test_a_one_time_rule_fires_only_once(
    running: Executing, run: Run, db: Db, workflow: int, schedules: RuleSchedules
) -> None:
    """Its row is DONE; nothing changes when Temporal deletes the finished schedule."""
    rule, at = await _created_before_its_time(run, db, workflow)
    await eventually(lambda: made(db, rule))

    row = rule_row(db, rule)
    assert (row["rule_status"], row["done_for"], row["last_outcome"]) == ("DONE", at, "created")
    assert await run() == {"unchanged": 1}
    await schedules.delete(rule)
    await eventually(lambda: _not_listed(schedules))
    assert await run() == {"unchanged": 1}
    assert await schedules.describe(rule) is None
    assert len(made(db, rule)) == 1


async def test_a_late_one_time_rule_fires_with_the_run_id_of_its_time(
    running: Executing, run: Run, db: Db, workflow: int, schedules: RuleSchedules, deployment: UUID
) -> None:
    """Within its catchup it fires once, without a schedule, which would not fire after its time."""
    rule, at = at_once(db, workflow, timedelta(seconds=20))

    assert await run() == {"caught_up": 1}
    await eventually(lambda: rule_row(db, rule)["done_for"] == at)

    assert made(db, rule) == [contract.scheduled_run_id(contract.rule_schedule_id(deployment, rule), at)]
    assert [each["fired_at"] for each in made_by(db, rule)] == [at]
    assert await run() == {"unchanged": 1}
    assert await schedules.describe(rule) is None


async def test_a_one_time_rule_that_is_too_late_is_done_with_an_error(
    run: Run, db: Db, workflow: int
) -> None:
    """It does not fire."""
    rule, at = at_once(db, workflow, timedelta(hours=1))

    assert await run() == {"missed": 1}
    row = rule_row(db, rule)
    assert (row["rule_status"], row["done_for"]) == ("DONE", at)
    assert "it did not fire" in str(row["rule_error"])
    assert await run() == {"unchanged": 1}
    assert rule_row(db, rule)["rule_error"] == row["rule_error"]
    assert made(db, rule) == []


async def test_an_open_firing_is_neither_missed_nor_repeated(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client, deployment: UUID
) -> None:
    """No executor has taken it yet, and its catchup has passed."""
    rule, at = at_once(db, workflow, timedelta(seconds=90), catchup="2m")
    assert await run() == {"caught_up": 1}
    assert await run() == {"unchanged": 1}
    db.execute(
        "UPDATE notify.ent_notification_rule SET trigger_config = %s",
        ['{"at": "%s", "catchup": "1m"}' % at.isoformat()],  # noqa: UP031 - braces
    )

    assert "missed" not in await run()
    assert rule_row(db, rule)["rule_status"] == "SCHEDULED"
    await client.get_workflow_handle(
        contract.scheduled_run_id(contract.rule_schedule_id(deployment, rule), at)
    ).terminate()


async def test_a_one_time_rule_whose_run_was_ended_is_done_with_an_error(
    run: Run, db: Db, workflow: int, client: Client, deployment: UUID
) -> None:
    """Even within its catchup: Temporal does not start the same run twice."""
    rule, at = at_once(db, workflow, timedelta(seconds=20))
    assert await run() == {"caught_up": 1}
    name = contract.scheduled_run_id(contract.rule_schedule_id(deployment, rule), at)
    await client.get_workflow_handle(name).terminate()

    assert await run() == {"missed": 1}
    row = rule_row(db, rule)
    assert (row["rule_status"], row["done_for"]) == ("DONE", at)
    assert str(row["rule_error"]).endswith("its run was ended before it fired")
    assert await run() == {"unchanged": 1}


async def test_a_rule_set_back_to_a_time_that_has_fired_is_done(
    running: Executing, run: Run, db: Db, workflow: int, client: Client, deployment: UUID
) -> None:
    """It fired for this time, so it has no error."""
    rule, at = at_once(db, workflow, timedelta(seconds=20))
    await run()
    name = contract.scheduled_run_id(contract.rule_schedule_id(deployment, rule), at)
    assert await client.get_workflow_handle(name).result() == "created"
    for done_for, config in (("2030-01-01", "10s"), ("2030-01-02", "1h")):
        db.execute(
            "UPDATE notify.ent_notification_rule SET done_for = %s, trigger_config = jsonb_build_object("
            "'at', trigger_config ->> 'at', 'catchup', %s::text)",
            [done_for, config],
        )
        await run()
        row = rule_row(db, rule)
        assert (row["rule_status"], row["rule_error"], row["done_for"]) == ("DONE", None, at)
    assert len(made(db, rule)) == 1


async def _created_before_its_time(run: Run, db: Db, workflow: int) -> tuple[int, datetime]:
    """Insert a one-time rule, and create its schedule.

    If the machine stands still until the rule's time is over, the rule is deleted, and another follows.
    """
    while True:
        rule, at = at_once(db, workflow, timedelta(seconds=-6))
        report = await run()
        if datetime.now(UTC) < at:
            assert report == {"created": 1}
            return rule, at
        db.execute("DELETE FROM notify.ent_notification_rule WHERE id = %s", [rule])
        await eventually(lambda: _has_no_rule(run))


async def _has_no_rule(run: Run) -> bool:
    return await run() == {}


async def _not_listed(schedules: RuleSchedules) -> bool:
    return not await schedules.list()
