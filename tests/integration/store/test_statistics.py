"""How much there is of what."""

import json
from datetime import timedelta

from tests.support.rows import Db, a_notification, a_rule, a_workflow, back_dated, notifications
from xnovu_poller.lifecycle import RuleStatus, Status
from xnovu_poller.store import reads, rules, statistics
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import RuleState

HOUR = timedelta(hours=1)
NONE = {"new": None, "scheduled": None, "failed": None}


async def test_an_empty_database_has_none_of_it(engine: Engine) -> None:
    """Every name is there all the same."""
    assert await statistics.refresh(engine) == {
        "rows": 0,
        "newest": {},
        "in_flight": 0,
        "due": {"new": 0, "scheduled": 0, "failed": 0},
        "oldest_due_seconds": NONE,
        "rules": {},
    }


async def test_what_there_is_is_counted(engine: Engine, db: Db) -> None:
    """By state, by loop, by what became of a rule; as JSON knows it, and without a word of any row."""
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

    counted = await statistics.refresh(engine)

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


async def test_only_the_newest_are_told_by_state(engine: Engine, db: Db) -> None:
    """The counts of ended rows have no index."""
    a_notification(db, status=Status.DEAD)
    notifications(db, reads.COUNTED_AT_MOST)

    assert (await statistics.refresh(engine))["newest"] == {"PENDING": reads.COUNTED_AT_MOST}


async def test_the_oldest_of_all_enterprises_is_told(engine: Engine, db: Db) -> None:
    """Whatever its priority, its enterprise, its place; what is not due has not waited."""
    for enterprise in ("a", "b", "c"):
        for priority in (0, 9):
            a_notification(db, enterprise=enterprise, priority=priority)
            a_notification(db, enterprise=enterprise, priority=priority, scheduled_for="2100-01-01T00:00Z")
            a_notification(db, enterprise=enterprise, priority=priority, status=Status.FAILED)
    failed = a_notification(db, enterprise="b", priority=3, status=Status.FAILED)
    back_dated(db, failed, 2 * HOUR, "next_attempt_at")
    off = a_notification(db, enterprise="c", status=Status.FAILED, deactivated=True)
    back_dated(db, off, 3 * HOUR, "next_attempt_at")
    scheduled = a_notification(db, enterprise="c", scheduled_for="2020-01-01T00:00Z")
    with db.transaction():
        db.execute("ALTER TABLE notify.ent_notification DISABLE TRIGGER USER")
        db.execute(
            "UPDATE notify.ent_notification SET created_at = now() - interval '5 h' WHERE id = %s",
            [scheduled],
        )
        db.execute(
            "UPDATE notify.ent_notification SET scheduled_for = now() - interval '1 h' WHERE id = %s",
            [scheduled],
        )
        db.execute("ALTER TABLE notify.ent_notification ENABLE TRIGGER USER")

    waited = await statistics.oldest_due(engine)

    assert {loop: round(span / HOUR) for loop, span in waited.items() if span is not None} == {
        "new": 0,
        "scheduled": 1,
        "failed": 2,
    }


async def test_a_limited_enterprise_may_be_left_out(engine: Engine, db: Db) -> None:
    """Its rows wait for its limit."""
    a_notification(db)
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('acme', 1)")

    assert (await statistics.oldest_due(engine))["new"] is not None
    assert await statistics.oldest_due(engine, limited=False) == NONE
