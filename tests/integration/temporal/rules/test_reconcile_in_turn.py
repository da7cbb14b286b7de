"""The order of a reconciliation: changes first, enterprises in turn, and nothing twice that was decided."""

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from tests.integration.temporal.conftest import Run
from tests.support.counted import counted
from tests.support.firing import changed, listing, read_status
from tests.support.rows import Db, a_rule, open_db
from tests.support.waiting import eventually
from tests.support.wires import Wire
from xnovu_poller.store import rules
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.rules import reconcile as reconciling
from xnovu_poller.temporal.rules.reconcile import Reconciler, interleave
from xnovu_poller.temporal.rules.schedules import RuleSchedules

NONE = timedelta(0)


def age(database: str) -> None:
    """Let all changes be an hour old, and followed: schedules of rules that have just changed are read singly."""
    with open_db(database) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "UPDATE notify.ent_notification_rule SET updated_at = now() - interval '1 hour',"
            " followed_at = now() - interval '1 hour'"
        )


def is_scheduled(db: Db, rule_id: int) -> bool:
    """Return whether a rule is followed by a schedule."""
    return read_status(db, rule_id)[0] == "SCHEDULED"


async def test_a_new_rule_does_not_wait_for_the_comparison_of_another_enterprise(
    run: Run, db: Db, database: str, workflow: int, schedules: RuleSchedules, wire: Wire
) -> None:
    """All slots but those of a slice are free while a comparison stands still; the new rule is followed meanwhile."""
    old = [a_rule(db, workflow=workflow) for _ in range(3)]
    await run()
    await listing(schedules, *old)
    for rule in old:
        await schedules.delete(rule)
    await listing(schedules)
    age(database)
    standing, go = asyncio.Event(), asyncio.Event()
    theirs = {contract.rule_schedule_id(schedules._deployment, rule) for rule in old}

    async def stand(call: str, schedule: str) -> None:
        if call == "create" and schedule in theirs:
            standing.set()
            await go.wait()

    wire.meets = stand
    running = asyncio.create_task(run())
    await standing.wait()
    new = a_rule(db, workflow=workflow, enterprise="globex")

    await eventually(lambda: is_scheduled(db, new))
    changed(db, new, "deactivated = true")
    await eventually(lambda: read_status(db, new)[0] == "PAUSED")
    go.set()

    assert await running == {"created": 4, "paused": 1}


async def test_what_was_decided_is_not_read_again(run: Run, db: Db, database: str, workflow: int) -> None:
    """Until the row changes, or its schedule, or a time passes that matters."""
    drafts = [a_rule(db, workflow=workflow, publish_status="DRAFT") for _ in range(3)]
    await run()
    age(database)
    assert await run() == {"unchanged": 3}

    with counted(rules.read_some) as reads:
        assert await run() == {"unchanged": 3}
    assert reads == [0]

    changed(db, drafts[0], "publish_status = 'PUBLISH'")
    assert await run() == {"created": 1, "unchanged": 2}


async def test_a_schedule_that_was_deleted_is_missed_although_its_rule_was_remembered(
    run: Run, db: Db, database: str, workflow: int, schedules: RuleSchedules, client: Client
) -> None:
    """As after the history of Temporal is lost."""
    rule = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, rule)
    age(database)
    assert await run() == await run() == {"unchanged": 1}

    await schedules.delete(rule)
    await listing(schedules)
    assert await run() == {"created": 1}


async def test_a_run_without_time_leaves_the_comparison_to_the_next(
    reconciler: Reconciler, run: Run, db: Db, database: str, workflow: int
) -> None:
    """It knows how many rules are left; the next run compares them."""
    for _ in range(3):
        a_rule(db, workflow=workflow, publish_status="DRAFT")
    await run()
    age(database)

    await reconciler.run(datetime.now(UTC), budget=NONE)
    assert reconciler.left == 3
    assert await run() == {"unchanged": 3}
    assert reconciler.left == 0


async def test_a_requested_run_follows_changes_and_deletions(
    reconciler: Reconciler, run: Run, db: Db, workflow: int, schedules: RuleSchedules
) -> None:
    """The schedules are not listed."""
    gone = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, gone)
    db.execute("DELETE FROM notify.ent_notification_rule")
    made = a_rule(db, workflow=workflow)

    with counted(RuleSchedules.list) as lists:
        report = await reconciler.run(datetime.now(UTC), all_rules=False)

    assert lists == [0]
    assert {outcome.value: count for outcome, count in report.items() if count} == {
        "created": 1,
        "deleted": 1,
    }
    assert is_scheduled(db, made)
    await listing(schedules, made)


async def test_a_locked_rule_is_followed_and_recorded_by_a_later_run(
    run: Run, db: Db, database: str, workflow: int
) -> None:
    """A tenant's open transaction holds no run, and does not let a rule fire that its row does not count."""
    held, free = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)
    with open_db(database) as tenant, tenant.transaction():
        tenant.execute("SELECT FROM notify.ent_notification_rule WHERE id = %s FOR UPDATE", [held])
        assert await run() == {"created": 1}
        assert (is_scheduled(db, held), is_scheduled(db, free)) == (False, True)

    assert await run() == {"created": 1, "unchanged": 1}
    assert is_scheduled(db, held)


async def test_a_config_beyond_the_limit_is_invalid(run: Run, db: Db, database: str, workflow: int) -> None:
    """It was written before the limit; its author reads what to do."""
    made = a_rule(db, workflow=workflow)
    with open_db(database) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "UPDATE notify.ent_notification_rule SET trigger_config = jsonb_build_object('cron', repeat('x', 3000))"
        )

    assert await run() == {"invalid": 1}
    assert read_status(db, made) == (
        "INVALID",
        "trigger_config: has more than 2048 bytes; write several rules",
    )


def test_groups_are_interleaved() -> None:
    """Each group is served in turn until it is empty."""
    assert list(interleave([[1, 2, 3], [], [4], [5, 6]])) == [1, 4, 5, 2, 6, 3]
    assert reconciling._rotate([1, 2, 3], 2) == [3, 1, 2]
    assert reconciling._rotate([1, 2, 3], 0) == reconciling._rotate([1, 2, 3], 9) == [1, 2, 3]
