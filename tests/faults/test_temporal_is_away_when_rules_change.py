"""Temporal is away while rules are inserted, edited and deleted: once it is back, its schedules match the rows."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.modes import only
from tests.support.rows import Db, a_rule, a_workflow
from tests.support.scheduling import Scheduling, rule_row
from tests.support.waiting import eventually, wait_until
from tests.support.worker import running_worker
from xnovu_poller.dev.temporal import Temporal

AT_TEN = """UPDATE notify.ent_notification_rule SET trigger_config = '{"cron": "0 10 * * *"}' WHERE id = %s"""
STATUSES = "SELECT count(*) AS count FROM notify.ent_notification_rule WHERE rule_status IS NULL"


Rules = dict[str, int]

WANTED = {
    "kept": ([9], False),
    "edited": ([10], False),
    "deleted": (None, None),
    "paused": ([9], True),
    "made": ([9], False),
}
"""For each rule the hours of its schedule, and whether it is paused; None where the schedule is gone."""


@pytest.fixture
def temporal_address(own_temporal: Temporal) -> str:
    """Return the address of the server that the test kills."""
    return own_temporal.address


def change_rules(db: Db, rules: Rules) -> None:
    """Edit, delete, deactivate and insert a rule."""
    db.execute(AT_TEN, [rules["edited"]])
    db.execute("DELETE FROM notify.ent_notification_rule WHERE id = %s", [rules["deleted"]])
    db.execute("UPDATE notify.ent_notification_rule SET deactivated = true WHERE id = %s", [rules["paused"]])
    rules["made"] = a_rule(db, workflow=a_workflow(db, key="made"))


@only("single", because="no notification is handed off")
async def test_schedules_match_the_rules_once_it_is_back(
    own_temporal: Temporal, db: Db, worker_environment: Mapping[str, str], tmp_path: Path
) -> None:
    """The worker needs no restart and no interval; meanwhile it lives, and /health shows the problem."""
    workflow = a_workflow(db)
    rules = {
        name: a_rule(db, workflow=workflow, name=name) for name in ("kept", "edited", "deleted", "paused")
    }
    with running_worker(tmp_path, **worker_environment, RULE_POLL_INTERVAL_MS="3600000") as worker:
        wait_until(lambda: all_looked_at(db))
        os.kill(own_temporal.pid, signal.SIGKILL)
        own_temporal.stop()
        change_rules(db, rules)
        worker.until_logged("chores not scheduled")
        wait_until(lambda: worker.component("chores")["status"] == "degraded")
        own_temporal.start()
        wait_until(lambda: all_looked_at(db))
        wait_until(lambda: worker.component("chores")["status"] == "healthy")
        scheduling = await Scheduling.of(db, own_temporal.address)

        async def schedules_match() -> bool:
            seen = [
                (await scheduling.hours(rule_id), await scheduling.paused(rule_id))
                for rule_id in rules.values()
            ]
            return dict(zip(rules, seen, strict=True)) == WANTED

        await eventually(schedules_match)
        assert worker.stop() == 0
    assert len(worker.lines("chores not scheduled")) == 1
    assert rule_row(db, rules["paused"])["rule_status"] == "PAUSED"


def all_looked_at(db: Db) -> bool:
    """Return whether each rule has a recorded state."""
    found = db.execute(STATUSES).fetchone()
    assert found is not None
    return bool(found["count"] == 0)
