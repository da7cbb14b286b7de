"""A rule is edited between two firings: the next one says the new words, and at the new times alone."""

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

Told = Mapping[str, str]

EACH_SECOND = {"cron": "* * * * * *", "overlap": "ALLOW_ALL"}
RARELY: Told = {"RULE_POLL_INTERVAL_MS": "3600000"}
"""What happens sooner, happens because of a word of the database."""

EDIT = """
UPDATE notify.ent_notification_rule
SET name = 'new', rule_payload = '{"recipients": ["subscriber-2"], "word": "new"}' WHERE id = %s"""
MOVE = """
UPDATE notify.ent_notification_rule SET trigger_config = '{"cron": "30 9 1 1 *"}' WHERE id = %s"""

SWITCH_OFF = "UPDATE notify.ent_notification_rule SET deactivated = true WHERE id = %s"

OLD, NEW = ("old", "old", ["subscriber-1"]), ("new", "new", ["subscriber-2"])


def words(made: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    """Give what was said to whom, in the order in which it was made."""
    return [(one["name"], one["payload"]["word"], one["recipients"]) for one in made]


def a_talkative_rule(db: Db) -> int:
    """Insert a rule that fires each second."""
    payload = {"recipients": ["subscriber-1"], "word": "old"}
    return a_rule(db, workflow=a_workflow(db), name="old", trigger_config=EACH_SECOND, rule_payload=payload)


@only("single", because="a rule makes one notification at a time")
async def test_the_next_firing_says_the_new_words(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Whenever its schedule was made; and none behind it says the old ones."""
    rule = a_talkative_rule(db)
    with running_worker(tmp_path, **worker_environment, **RARELY) as worker:
        await eventually(lambda: made_by(db, rule))
        db.execute(EDIT, [rule])
        await eventually(lambda: words(made_by(db, rule)).count(NEW) > 1)
        db.execute(SWITCH_OFF, [rule])
        until_settled(db)
        assert worker.stop() == 0

    said = words(made_by(db, rule))
    assert said == [OLD] * said.count(OLD) + [NEW] * said.count(NEW)
    assert_kept(db, novu_standin)


@only("single", because="a rule makes one notification at a time")
async def test_new_times_are_followed_at_once_and_the_old_ones_are_gone(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """No interval is waited for; the schedule is rebuilt whole, so that nothing of the old one fires beside it."""
    scheduling = await Scheduling.of(db, worker_environment["TEMPORAL_ADDRESS"])
    rule = a_talkative_rule(db)
    with running_worker(tmp_path, **worker_environment, **RARELY) as worker:
        await eventually(lambda: made_by(db, rule))
        db.execute(MOVE, [rule])

        async def moved() -> bool:
            return await scheduling.hours(rule) == [9]

        await eventually(moved)
        found = await scheduling.rule(rule)
        # What the old times have begun may still be about to fire.
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
