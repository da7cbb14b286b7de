"""The limit of the firings of an enterprise: rules beyond it are not served, and their rows have the reason."""

from tests.integration.temporal.conftest import Run
from tests.support.firing import listing, read_status
from tests.support.rows import Db, a_rule
from xnovu_poller.temporal.rules.schedules import RuleSchedules

EVERY_SECOND = {"cron": "* * * * * *"}


def limit(db: Db, firings: int, enterprise: str = "acme") -> None:
    """Write the limit of an enterprise."""
    db.execute(
        "INSERT INTO notify.ent_enterprise_limit (enterprise_id, firings) VALUES (%s, %s)"
        " ON CONFLICT (enterprise_id) DO UPDATE SET firings = excluded.firings",
        [enterprise, firings],
    )


def statuses(db: Db, *rule_ids: int) -> list[str]:
    """Return the states of rules."""
    return [str(read_status(db, rule_id)[0]) for rule_id in rule_ids]


async def test_rules_that_would_fire_too_often_are_refused_with_a_sentence(
    run: Run, db: Db, workflow: int
) -> None:
    """Two rules of every second are all that an enterprise may have by default; others have their own."""
    made = [a_rule(db, workflow=workflow, trigger_config=EVERY_SECOND) for _ in range(4)]
    other = a_rule(db, workflow=workflow, trigger_config=EVERY_SECOND, enterprise="globex")

    assert await run() == {"created": 3, "failed": 2}
    assert statuses(db, *made, other) == ["SCHEDULED", "SCHEDULED", "FAILED", "FAILED", "SCHEDULED"]
    assert "would fire more than 120 times a minute" in str(read_status(db, made[2])[1])
    assert "failed" not in await run()  # tried again each time, but it is no news


async def test_firings_that_a_rule_gives_back_are_for_the_others(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules
) -> None:
    """A rule that was refused is tried again at each comparison."""
    first, second = [a_rule(db, workflow=workflow, trigger_config=EVERY_SECOND) for _ in range(2)]
    limit(db, 60)
    assert await run() == {"created": 1, "failed": 1}
    await listing(schedules, first)

    db.execute("UPDATE notify.ent_notification_rule SET deactivated = true WHERE id = %s", [first])
    await run()
    await run()

    assert statuses(db, first, second) == ["PAUSED", "SCHEDULED"]


async def test_a_limit_that_was_lowered_refuses_the_newest_rules(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules
) -> None:
    """Their schedules are paused; a limit that was raised serves them again."""
    made = [a_rule(db, workflow=workflow, trigger_config={"cron": "* * * * *"}) for _ in range(3)]
    assert await run() == {"created": 3}
    await listing(schedules, *made)
    await run()

    limit(db, 2)
    assert await run() == {"unchanged": 2, "paused": 1}
    assert statuses(db, *made) == ["SCHEDULED", "SCHEDULED", "FAILED"]

    limit(db, 3)
    await run()
    assert statuses(db, *made) == ["SCHEDULED"] * 3


async def test_a_rule_that_was_changed_counts_for_its_new_times(run: Run, db: Db, workflow: int) -> None:
    """Its old firings do not count any longer."""
    rule = a_rule(db, workflow=workflow, trigger_config=EVERY_SECOND)
    limit(db, 60)
    await run()

    db.execute(
        "UPDATE notify.ent_notification_rule SET trigger_config = %s WHERE id = %s",
        ['{"cron": "*/2 * * * * *"}', rule],
    )
    assert (await run())["updated"] == 1
    hourly = db.execute("SELECT hourly_firings FROM notify.ent_notification_rule").fetchone()

    assert statuses(db, rule) == ["SCHEDULED"]
    assert hourly == {"hourly_firings": 1800}
