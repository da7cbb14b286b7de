"""A rule is edited between two firings: the next firing has the new payload, and fires only at the new times."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import ScheduleRange

from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_rule, a_workflow
from tests.support.scheduling import Scheduling, made_by
from tests.support.waiting import eventually
from tests.support.worker import running_worker

Environment = Mapping[str, str]

EACH_SECOND = {"cron": "* * * * * *", "overlap": "ALLOW_ALL"}
RARELY: Environment = {"RULE_POLL_INTERVAL_MS": "3600000"}
"""No poll comes during the test, so changes can only follow from a wake-up by the database."""

EDIT = """
UPDATE notify.ent_notification_rule
SET name = 'new', rule_payload = '{"recipients": ["subscriber-2"], "word": "new"}' WHERE id = %s"""
MOVE = """
UPDATE notify.ent_notification_rule SET trigger_config = '{"cron": "30 9 1 1 *"}' WHERE id = %s"""

SWITCH_OFF = "UPDATE notify.ent_notification_rule SET deactivated = true WHERE id = %s"

OLD, NEW = ("old", "old", ["subscriber-1"]), ("new", "new", ["subscriber-2"])


def words(made: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    """Return name, word and recipients of each notification, in order of creation."""
    return [(row["name"], row["payload"]["word"], row["recipients"]) for row in made]


def a_rule_of_each_second(db: Db) -> int:
    """Insert a rule that fires each second."""
    payload = {"recipients": ["subscriber-1"], "word": "old"}
    return a_rule(db, workflow=a_workflow(db), name="old", trigger_config=EACH_SECOND, rule_payload=payload)


@only("single", because="a rule makes one notification at a time")
async def test_the_next_firing_has_the_new_payload(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Temporal keeps the schedule, but a firing reads the row: nothing after the edit has the old payload."""
    rule = a_rule_of_each_second(db)
    with running_worker(tmp_path, **worker_environment, **RARELY) as worker:
        await eventually(lambda: made_by(db, rule))
        db.execute(EDIT, [rule])
        await eventually(lambda: words(made_by(db, rule)).count(NEW) > 1)
        db.execute(SWITCH_OFF, [rule])
        until_settled(db)
        assert worker.stop() == 0

    found = words(made_by(db, rule))
    assert found == [OLD] * found.count(OLD) + [NEW] * found.count(NEW)
    assert_kept(db, novu_standin)


@only("single", because="a rule makes one notification at a time")
async def test_new_times_apply_at_once_and_the_old_times_are_gone(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Without waiting for an interval, the schedule is replaced as a whole, so that no old time fires beside the new."""
    scheduling = await Scheduling.of(db, worker_environment["TEMPORAL_ADDRESS"])
    rule = a_rule_of_each_second(db)
    with running_worker(tmp_path, **worker_environment, **RARELY) as worker:
        await eventually(lambda: made_by(db, rule))
        db.execute(MOVE, [rule])

        async def moved() -> bool:
            return await scheduling.hours(rule) == [9]

        await eventually(moved)
        found = await scheduling.rule(rule)
        # A firing of the old times may still be under way.
        db.execute(SWITCH_OFF, [rule])
        until_settled(db)
        assert worker.stop() == 0

    assert found is not None
    (calendar,) = found.schedule.spec.calendars
    assert (calendar.minute, calendar.hour) == ((ScheduleRange(30, 30, 1),), (ScheduleRange(9, 9, 1),))
    assert not found.schedule.spec.intervals
    assert not found.schedule.spec.cron_expressions
    first, second, *_ = found.info.next_action_times
    assert (first.month, first.day, first.hour, first.minute) == (1, 1, 9, 30)
    assert second - first > timedelta(days=364)
    assert_kept(db, novu_standin)
