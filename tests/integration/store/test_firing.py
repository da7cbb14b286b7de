"""The firing of a rule in the database: one notification for a key, with any content of the rule and any rivals."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.support.logs import logged_in_full
from tests.support.rows import (
    Db,
    a_notification,
    a_rule,
    a_single_rule,
    a_workflow,
    open_db,
    rewritten,
    row,
    rule_row,
)
from tests.support.waiting import BEAT_SECONDS, eventually, until_blocked
from xnovu_poller.errors import StoreLocked
from xnovu_poller.lifecycle import FireOutcome, RuleStatus, Status
from xnovu_poller.store import firing, rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.firing import FireResult
from xnovu_poller.store.rules import RuleState

AT = datetime(2030, 1, 1, 9, tzinfo=UTC)


async def fire_until_done(
    engine: Engine, rule_id: int, key: str, nominal: datetime | None, refused: list[str]
) -> FireResult:
    """Fire as the workflow does: again, until a rival's lock is released."""
    while True:
        try:
            return await firing.fire(engine, rule_id, key, nominal)
        except StoreLocked:
            refused.append(key)
            await asyncio.sleep(BEAT_SECONDS)


def summary(db: Db, rule_id: int) -> tuple[str | None, bool, datetime | None, str | None]:
    """Return what a rule's row shows of its firings: outcome, whether it has a time, done_for, status."""
    found = rule_row(db, rule_id)
    return found["last_outcome"], found["last_fired_at"] is not None, found["done_for"], found["rule_status"]


async def test_a_firing_uses_the_rule_as_it_is_now(any_engine: Engine, any_database: str) -> None:
    """Its payload, workflow and recipients are read at the firing; the notification is due at once."""
    with open_db(any_database) as db:
        workflow = a_workflow(db)
        made = a_rule(db, workflow=workflow, rule_payload={"recipients": ["a"], "text": "old"})
        payload = {"recipients": ["b", "a", "b"], "text": "new", "deep": {"recipients": [1]}}
        db.execute("UPDATE notify.ent_notification_rule SET rule_payload = %s", [Jsonb(payload)])

        fired = await firing.fire(any_engine, made, "dep-rule-1-2030", None)

        assert fired.outcome is FireOutcome.CREATED
        assert fired.notification_id is not None
        found = row(db, fired.notification_id)
        assert summary(db, made) == ("created", True, None, None)
    assert (found["enterprise_id"], found["name"], found["dedup_key"]) == ("acme", "daily", "dep-rule-1-2030")
    assert (found["notification_workflow_id"], found["notification_rule_id"]) == (workflow, made)
    assert found["payload"] == {"text": "new", "deep": {"recipients": [1]}}
    assert (found["recipients"], found["notification_status"]) == (["b", "a"], Status.PENDING)
    assert (found["scheduled_for"], found["publish_status"]) == (None, "PUBLISH")


async def test_a_notification_gets_what_its_rule_says(any_engine: Engine, any_database: str) -> None:
    """Its channels, priority and overrides, the time of the firing, and an expiry counted from that."""
    with open_db(any_database) as db:
        more: dict[str, Any] = {
            "channels": ["EMAIL", "PUSH"],
            "priority": 7,
            "overrides": {"email": {"replyTo": "desk@example.org"}},
            "expires_after": timedelta(hours=2),
        }
        made = a_rule(db, workflow=a_workflow(db), **more)

        timed = await firing.fire(any_engine, made, "timed", None, fired_at=AT)
        once = await firing.fire(any_engine, a_single_rule(db, workflow=1), "once", AT)
        by_hand = await firing.fire(any_engine, a_rule(db, workflow=1), "by hand", None)

        found = [row(db, fired.notification_id or 0) for fired in (timed, once, by_hand)]
    assert found[0]["channels"] in (["EMAIL", "PUSH"], "{EMAIL,PUSH}")
    assert (found[0]["priority"], found[0]["overrides"]) == (7, more["overrides"])
    assert (found[0]["fired_at"], found[0]["expires_at"]) == (AT, AT + timedelta(hours=2))
    assert (found[1]["fired_at"], found[1]["expires_at"]) == (AT, None)
    assert (found[1]["channels"], found[1]["priority"], found[1]["overrides"]) == (None, 0, None)
    assert found[2]["created_at"] - timedelta(minutes=1) < found[2]["fired_at"] <= found[2]["created_at"]


async def test_a_notification_that_the_table_refuses_is_an_outcome(engine: Engine, db: Db) -> None:
    """Every further try would end the same way; a one-time rule is done, and the log names the broken rule only."""
    workflow = a_workflow(db)
    cron, once = a_rule(db, workflow=workflow), a_single_rule(db, workflow=workflow)
    db.execute(
        "ALTER TABLE notify.ent_notification ADD CONSTRAINT none_of_them CHECK (notification_rule_id IS NULL)"
    )

    db.execute("UPDATE notify.ent_notification_rule SET rule_error = 'old' WHERE id = %s", [once])

    with logged_in_full() as written:
        assert await firing.fire(engine, cron, "k", None) == FireResult(FireOutcome.REFUSED, None)
        assert await firing.fire(engine, once, "o", AT) == FireResult(FireOutcome.REFUSED, None)

    assert summary(db, cron) == ("refused", True, None, None)
    assert summary(db, once) == ("refused", True, AT, "DONE")
    assert rule_row(db, once)["rule_error"] is None
    assert "none_of_them" in written.getvalue()
    assert "subscriber-1" not in written.getvalue()


async def test_a_repeat_makes_nothing_and_returns_the_first_notification(engine: Engine, db: Db) -> None:
    """Even if the rule has changed since; its newer outcome stays."""
    made = a_rule(db, workflow=a_workflow(db))
    first = await firing.fire(engine, made, "one", None)
    rewritten(db, made, deactivated=True)
    assert await firing.fire(engine, made, "two", None) == FireResult(FireOutcome.INACTIVE, None)
    before = rule_row(db, made)

    assert await firing.fire(engine, made, "one", None) == FireResult(
        FireOutcome.REPEATED, first.notification_id
    )

    assert rule_row(db, made) == before
    assert db.execute("SELECT FROM notify.ent_notification").rowcount == 1


async def test_two_enterprises_may_fire_under_the_same_key(engine: Engine, db: Db) -> None:
    """A key belongs to its enterprise."""
    workflow = a_workflow(db)
    a_notification(db, enterprise="globex", dedup_key="k")

    assert (
        await firing.fire(engine, a_rule(db, workflow=workflow), "k", None)
    ).outcome is FireOutcome.CREATED


async def test_a_firing_whose_notification_was_purged_makes_another(engine: Engine, db: Db) -> None:
    """The key lives as long as the notification."""
    made = a_rule(db, workflow=a_workflow(db))
    first = await firing.fire(engine, made, "one", None)
    db.execute("DELETE FROM notify.ent_notification")

    again = await firing.fire(engine, made, "one", None)

    assert again.outcome is FireOutcome.CREATED
    assert again.notification_id != first.notification_id


@pytest.mark.parametrize("change", [{"deactivated": True}, {"publish_status": "DRAFT"}])
async def test_an_inactive_rule_makes_nothing(engine: Engine, db: Db, change: dict[str, Any]) -> None:
    """The rule's row shows the reason."""
    made = a_rule(db, workflow=a_workflow(db))
    rewritten(db, made, **change)

    assert await firing.fire(engine, made, "k", None) == FireResult(FireOutcome.INACTIVE, None)

    assert summary(db, made) == ("inactive", True, None, None)
    assert db.execute("SELECT FROM notify.ent_notification").rowcount == 0


async def test_a_rule_that_is_gone_makes_nothing(engine: Engine) -> None:
    """There is no row that could show the outcome."""
    assert await firing.fire(engine, 1, "k", AT) == FireResult(FireOutcome.GONE, None)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"recipients": None},
        {"recipients": []},
        {"recipients": {}},
        {"recipients": {"0": "a"}},
        {"recipients": "a"},
        {"recipients": ""},
        {"recipients": 1e300},
        {"recipients": True},
        {"recipients": [""]},
        {"recipients": ["a", ""]},
        {"recipients": ["a", None]},
        {"recipients": [1]},
        {"recipients": ["a", False]},
        {"recipients": [["a"]]},
        {"recipients": ["a", {"id": "b"}]},
        {"recipients": ["a"] * 100_000 + [0]},
        {"recipients": ["a"] * 10_001},
        {"recipients": ["a", "\u00a0\n"]},
        {"recipients": ["topic: "]},
        {"recipients": ['{"subscriberId": "u-9"}']},
        {"recipients": ["x" * 256]},
        {"Recipients": ["a"], "recipient": "a"},
    ],
    ids=lambda payload: str(payload)[:40],
)
async def test_invalid_recipients_make_no_notification(
    engine: Engine, db: Db, payload: dict[str, Any]
) -> None:
    """The firing ends and records the reason; `rules validate` reports it beforehand."""
    made = a_rule(db, workflow=a_workflow(db), rule_payload=payload)

    assert await firing.fire(engine, made, "k", None) == FireResult(FireOutcome.NO_RECIPIENTS, None)

    assert summary(db, made)[0] == "no_recipients"
    (problem,) = await rules.find_problems(engine, [made])
    assert "recipients" in problem.reason


@pytest.mark.parametrize(
    "recipients",
    [
        [f"a{number}" for number in range(10_000)],
        ["topic:KEY", '"', "\\", "é" * 127, "\ue000", "null", "{a,b}", "x" * 255],
    ],
    ids=["many", "odd"],
)
async def test_recipients_are_taken_as_they_are_written(
    engine: Engine, db: Db, recipients: list[str]
) -> None:
    """In their order, up to ten thousand, with any visible characters."""
    made = a_rule(db, workflow=a_workflow(db), rule_payload={"recipients": recipients, "a": None})

    fired = await firing.fire(engine, made, "k", None)

    assert fired.notification_id is not None
    found = row(db, fired.notification_id)
    assert (found["recipients"], found["payload"]) == (recipients, {"a": None})
    assert await rules.find_problems(engine, [made]) == []


async def test_a_one_time_rule_is_done_after_its_time(engine: Engine, db: Db) -> None:
    """With any outcome; a firing by hand does not count, and a cron rule is never done."""
    workflow = a_workflow(db)
    once, off, cron = (
        a_single_rule(db, workflow=workflow),
        a_single_rule(db, workflow=workflow, deactivated=True),
        a_rule(db, workflow=workflow),
    )
    await rules.record_states(engine, [RuleState(once, RuleStatus.FAILED, "Temporal: refuses it")])

    await firing.fire(engine, once, "by hand", None)
    assert summary(db, once) == ("created", True, None, "FAILED")
    await firing.fire(engine, once, "in time", AT)
    await firing.fire(engine, off, "off", AT)
    await firing.fire(engine, cron, "cron", AT)

    assert summary(db, once) == ("created", True, AT, "DONE")
    assert rule_row(db, once)["rule_error"] is None
    assert summary(db, off) == ("inactive", True, AT, "DONE")
    assert summary(db, cron) == ("created", True, None, None)


async def test_a_repeat_still_records_that_the_rule_is_done(engine: Engine, db: Db) -> None:
    """Somebody may have reset the row meanwhile; but a later outcome is not overwritten."""
    once = a_single_rule(db, workflow=a_workflow(db))
    first = await firing.fire(engine, once, "k", AT)
    db.execute("UPDATE notify.ent_notification_rule SET done_for = NULL, last_outcome = 'inactive'")

    assert await firing.fire(engine, once, "k", AT) == FireResult(FireOutcome.REPEATED, first.notification_id)

    assert summary(db, once) == ("inactive", True, AT, "DONE")


async def test_two_firings_at_once_under_the_same_key_make_one_notification(
    any_engine: Engine, any_database: str
) -> None:
    """Both are refused while somebody locks the rule; the second then returns what the first has made."""
    refused: list[str] = []
    with open_db(any_database) as db, open_db(any_database) as holder:
        made = a_single_rule(db, workflow=a_workflow(db))
        with holder.transaction():
            rewritten(holder, made, name="held")
            trying = [
                asyncio.create_task(fire_until_done(any_engine, made, "k", AT, refused)) for _ in range(2)
            ]
            await eventually(lambda: len(refused) > 1)
        fired = await asyncio.gather(*trying)

        (notification,) = db.execute("SELECT id, name FROM notify.ent_notification").fetchall()
        assert {result.outcome for result in fired} == {FireOutcome.CREATED, FireOutcome.REPEATED}
        assert {result.notification_id for result in fired} == {notification["id"]}
        assert notification["name"] == "held"
        assert summary(db, made) == ("created", True, AT, "DONE")


async def test_firings_of_a_rule_under_different_keys_make_a_notification_each(
    any_engine: Engine, any_database: str
) -> None:
    """None blocks another, and none is lost."""
    keys, refused = [f"k{i}" for i in range(4)], list[str]()
    with open_db(any_database) as db, open_db(any_database) as holder:
        made = a_rule(db, workflow=a_workflow(db))
        with holder.transaction():
            rewritten(holder, made, name="held")
            trying = [
                asyncio.create_task(fire_until_done(any_engine, made, key, None, refused)) for key in keys
            ]
            await eventually(lambda: {*refused} == {*keys})
        fired = await asyncio.gather(*trying)

        assert [result.outcome for result in fired] == [FireOutcome.CREATED] * 4
        assert db.execute("SELECT FROM notify.ent_notification WHERE name = 'held'").rowcount == 4


async def test_a_rule_deleted_while_it_fires_is_gone(engine: Engine, db: Db, database: str) -> None:
    """Its row still existed when the firing began."""
    made, refused = a_rule(db, workflow=a_workflow(db)), list[str]()
    with open_db(database) as holder, holder.transaction():
        holder.execute("DELETE FROM notify.ent_notification_rule")
        trying = asyncio.create_task(fire_until_done(engine, made, "k", None, refused))
        await eventually(lambda: refused)
    assert await trying == FireResult(FireOutcome.GONE, None)


async def test_a_key_that_a_producer_inserts_meanwhile_is_taken(
    engine: Engine, db: Db, database: str
) -> None:
    """A producer of the same enterprise uses the key; the firing returns that notification."""
    made = a_rule(db, workflow=a_workflow(db))
    with open_db(database) as producer, producer.transaction():
        theirs = a_notification(producer, dedup_key="k")
        trying = asyncio.create_task(fire_until_done(engine, made, "k", None, []))
        await until_blocked(database, "xnovu:test")

    assert await trying == FireResult(FireOutcome.REPEATED, theirs)


async def test_a_firing_that_meets_a_lock_keeps_no_connection(engine: Engine, db: Db, database: str) -> None:
    """It gives up at once on the rule, soon on the workflow and the key; it can be tried again, and makes nothing."""
    workflow, held = a_workflow(db), a_workflow(db, workflow_key="held")
    made = [a_rule(db, workflow=workflow_id) for workflow_id in (workflow, held, workflow)]
    with open_db(database) as holder, holder.transaction():
        holder.execute("SELECT FROM notify.ent_notification_rule WHERE id = %s FOR UPDATE", [made[0]])
        holder.execute("SELECT FROM notify.ent_notification_workflow WHERE id = %s FOR UPDATE", [held])
        a_notification(holder, workflow=workflow, dedup_key=f"k{made[2]}")
        fired = await asyncio.gather(
            *(firing.fire(engine, rule_id, f"k{rule_id}", None) for rule_id in made), return_exceptions=True
        )
    assert [str(error) for error in fired] == [str(StoreLocked())] * 3
    assert ["lock timeout" in str(error.__cause__) for error in fired if isinstance(error, StoreLocked)] == [
        False,
        True,
        True,
    ]
    assert [summary(db, rule_id)[0] for rule_id in made] == [None] * 3
