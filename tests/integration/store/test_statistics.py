"""The counts of rows and rules."""

import json

from tests.support.rows import Db, a_notification, a_rule, a_workflow, notifications
from xnovu_poller.lifecycle import RuleStatus, Status
from xnovu_poller.store import rules, statistics
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.backlog import COUNTED_AT_MOST
from xnovu_poller.store.rules import RuleState

NONE = {"new": None, "scheduled": None, "failed": None}


async def test_an_empty_database_has_every_count_at_zero(engine: Engine) -> None:
    """Every name is present."""
    assert await statistics.collect(engine) == {
        "rows": 0,
        "newest": {},
        "in_flight": 0,
        "due": {"new": 0, "scheduled": 0, "failed": 0},
        "oldest_due_seconds": NONE,
        "rules": {},
    }


async def test_rows_and_rules_are_counted(engine: Engine, db: Db) -> None:
    """By state, by loop and by rule status; as JSON, and without any content of a row."""
    workflow = a_workflow(db)
    for status in Status:
        a_notification(db, status=status, enterprise="secretive", payload={"secret": "s"})
    a_notification(db, scheduled_for="2020-01-01T00:00Z")
    a_notification(db, scheduled_for="2100-01-01T00:00Z")
    fine, broken, _unseen = (a_rule(db, workflow=workflow) for _ in range(3))
    await rules.record_states(
        engine, [RuleState(fine, RuleStatus.SCHEDULED), RuleState(broken, RuleStatus.INVALID, "no")]
    )
    db.execute("ANALYZE notify.ent_notification")

    counted = await statistics.collect(engine)

    oldest = counted.pop("oldest_due_seconds")
    assert counted == {
        "rows": 8,
        "newest": {"PENDING": 3, "PROCESSING": 1, "SENT": 1, "FAILED": 1, "DEAD": 1, "RETRACTED": 1},
        "in_flight": 1,
        "due": {"new": 1, "scheduled": 1, "failed": 1},
        "rules": {"SCHEDULED": 1, "INVALID": 1, "UNSEEN": 1},
    }
    assert all(0 <= oldest[loop] < 60 for loop in ("new", "scheduled", "failed"))
    assert "secret" not in json.dumps(counted | oldest)


async def test_only_the_newest_rows_are_counted_by_state(engine: Engine, db: Db) -> None:
    """No index covers ended rows, so counting them all would be slow."""
    a_notification(db, status=Status.DEAD)
    notifications(db, COUNTED_AT_MOST)

    assert (await statistics.collect(engine))["newest"] == {"PENDING": COUNTED_AT_MOST}
