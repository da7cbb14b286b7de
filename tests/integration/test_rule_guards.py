"""The rules' table for its writers: a producer's rights, refusals, and notifications, on each version."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import sql
from psycopg.errors import CheckViolation, InsufficientPrivilege
from psycopg.types.json import Jsonb

from tests.support.listening import count_heard, listening
from tests.support.logins import speak_for
from tests.support.rows import (
    Db,
    a_rule,
    a_template,
    a_workflow,
    open_db,
    rewritten,
    rule_row,
)
from xnovu_poller.lifecycle import FireOutcome, RuleStatus
from xnovu_poller.store import firing, rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import RuleState

MACHINES: dict[str, Any] = {
    "rule_status": "DONE",
    "rule_error": "mine",
    "done_for": "2030-01-01",
    "last_fired_at": "2030-01-01",
    "last_outcome": "created",
    "followed_at": "2030-01-01",
    "hourly_firings": 1,
    "created_at": "2030-01-01",
    "updated_at": "2030-01-01",
}

NOTIFYING: dict[str, Any] = {
    "enterprise_id": "globex",
    "trigger_type": "SCHEDULE",
    "trigger_config": {"cron": "0 10 * * *"},
    "publish_status": "DRAFT",
    "deactivated": True,
}
"""The producer's columns that a schedule depends on, each with a changed value."""

SILENT: dict[str, Any] = {
    "name": "another",
    "rule_payload": {"recipients": ["b"]},
    "channels": ["SMS"],
    "priority": 3,
    "overrides": {"sms": {}},
    "expires_after": "1 h",
}


@pytest.fixture
def owner(any_database: str) -> Iterator[Db]:
    """The superuser's connection, on each version."""
    with open_db(any_database) as connection:
        yield connection


@pytest.fixture
def listener(database: str) -> Iterator[Db]:
    """Listen as the worker does."""
    with listening(database, "xnovu_rules") as connection:
        yield connection


@pytest.fixture
def any_listener(any_database: str) -> Iterator[Db]:
    """Listen as the worker does, on each version."""
    with listening(any_database, "xnovu_rules") as connection:
        yield connection


def heard(listener: Db, db: Db) -> int:
    """Count the notifications so far."""
    return count_heard(listener, db, "xnovu_rules")


def test_every_column_is_known_here(db: Db) -> None:
    """A new column must be added to one of the three groups."""
    found = set(rule_row(db, a_rule(db, workflow=a_workflow(db))))

    assert found == {"id", "notification_workflow_id", *MACHINES, *NOTIFYING, *SILENT}


def test_a_producer_writes_only_the_producers_columns(owner: Db, producer: Db) -> None:
    """Only the worker records the state of a rule."""
    speak_for(producer, "acme")
    workflow = a_workflow(producer, enterprise="acme")
    made = a_rule(producer, workflow=workflow)

    for column, value in MACHINES.items():
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            a_rule(producer, workflow=workflow, **{column: value})
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            rewritten(producer, made, **{column: value})
    rewritten(
        producer,
        made,
        **{name: value for name, value in (NOTIFYING | SILENT).items() if name != "enterprise_id"},
        notification_workflow_id=workflow,
    )
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        rewritten(producer, made, enterprise_id="acme")
    assert producer.execute("SELECT rule_status FROM notify.ent_notification_rule").fetchall() == [
        {"rule_status": None}
    ]
    assert producer.execute("SELECT notify.delete_rule(%s) AS done", [made]).fetchone() == {"done": True}


def test_a_producer_has_no_access_to_the_chores(owner: Db, producer: Db) -> None:
    """They belong to the deployment: a producer can neither read nor write them."""
    speak_for(producer, "acme")

    for statement in (
        "SELECT * FROM notify.chore",
        "INSERT INTO notify.chore (name, finished_at, took_ms) VALUES ('rules', now(), 1)",
        "UPDATE notify.chore SET error = 'mine'",
        "DELETE FROM notify.chore",
    ):
        with pytest.raises(InsufficientPrivilege):
            producer.execute(statement.encode())


def test_a_rule_of_an_event_is_refused(owner: Db, producer: Db) -> None:
    """For every writer and at any time; the hint names the alternative."""
    speak_for(producer, "acme")
    workflow = a_workflow(producer, enterprise="acme")
    made = a_rule(producer, workflow=workflow)

    for writer in (owner, producer):
        for attempt in (
            lambda who=writer: a_rule(who, workflow=workflow, trigger_type="EVENT"),
            lambda who=writer: rewritten(who, made, trigger_type="EVENT"),
        ):
            with pytest.raises(
                CheckViolation, match="nothing fires a rule of the trigger type EVENT"
            ) as refused:
                attempt()
            assert "notify.enqueue" in (refused.value.diag.message_hint or "")
    assert rule_row(owner, made)["trigger_type"] == "CRON"


def test_an_existing_rule_of_an_event_may_stay_or_change(db: Db) -> None:
    """A dump may contain such a rule; its producer can still pause it, write it unchanged, and change its type."""
    db.execute("ALTER TABLE notify.ent_notification_rule DISABLE TRIGGER guard_insert")
    made = a_rule(db, workflow=a_workflow(db), trigger_type="EVENT")
    db.execute("ALTER TABLE notify.ent_notification_rule ENABLE TRIGGER guard_insert")

    rewritten(db, made, deactivated=True)
    rewritten(db, made, name="another", trigger_type="EVENT", deactivated=False)
    rewritten(db, made, trigger_type="CRON")
    with pytest.raises(CheckViolation):
        rewritten(db, made, trigger_type="EVENT")


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"enterprise_id": ""}, "enterprise"),
        ({"enterprise_id": "é" * 128}, "enterprise"),
        ({"trigger_config": {"cron": "x" * 2_048}}, "config"),
        ({"channels": []}, "channels"),
        ({"priority": 10}, "priority"),
        ({"overrides": {"email": "x" * 65_536}}, "overrides"),
        ({"overrides": Jsonb([])}, "overrides"),
        ({"expires_after": "0 s"}, "expiry"),
        ({"expires_after": "367 days"}, "expiry"),
        ({"name": "é" * 1001}, "name"),
        ({"rule_payload": Jsonb([])}, "payload"),
        ({"rule_payload": {"text": "x" * (1 << 20)}}, "payload"),
        ({"last_outcome": "sent"}, "outcome"),
    ],
)
def test_invalid_values_are_refused(db: Db, columns: dict[str, Any], rule: str) -> None:
    """The database itself refuses it, with the name of the rule."""
    made = a_rule(db, workflow=a_workflow(db))
    for outcome in FireOutcome:
        rewritten(db, made, last_outcome=outcome.value)

    with pytest.raises(CheckViolation, match=f"ent_notification_rule_{rule}_check"):
        rewritten(db, made, **columns)


def test_only_a_writers_change_sets_updated_at(db: Db) -> None:
    """`updated_at` is the time of the writer's last change, even if a value is given."""
    made = a_rule(db, workflow=a_workflow(db))

    for column, value in (
        {**NOTIFYING, **SILENT, "created_at": "2000-01-01", "updated_at": "2000-01-01"}
    ).items():
        before = rule_row(db, made)["updated_at"]
        rewritten(db, made, **{column: value})
        assert rule_row(db, made)["updated_at"] > before
    before = rule_row(db, made)["updated_at"]
    for column in set(MACHINES) - {"created_at", "updated_at"}:
        rewritten(db, made, **{column: MACHINES[column]})
    assert rule_row(db, made)["updated_at"] == before


def test_an_insert_change_or_deletion_of_a_rule_notifies(db: Db, listener: Db) -> None:
    """Once for each transaction; that of a workflow does, too."""
    workflow = a_workflow(db)
    assert heard(listener, db) == 1
    made = a_rule(db, workflow=workflow)
    assert heard(listener, db) == 1
    for column, value in NOTIFYING.items():
        rewritten(db, made, **{column: value})
        assert heard(listener, db) == 1
        rewritten(db, made, **{column: value})
        assert heard(listener, db) == 0
    with db.transaction():
        for _ in range(20):
            a_rule(db, workflow=workflow)
        db.execute("UPDATE notify.ent_notification_rule SET deactivated = true")
    assert heard(listener, db) == 1
    db.execute("DELETE FROM notify.ent_notification_rule")
    assert heard(listener, db) == 1


def test_a_change_without_effect_on_a_schedule_does_not_notify(db: Db, listener: Db) -> None:
    """Payload and name do not affect it, nor do statements that match no row."""
    workflow, other = a_workflow(db), a_workflow(db, key="other")
    made = a_rule(db, workflow=workflow)
    assert heard(listener, db) == 3

    for column, value in (SILENT | {"notification_workflow_id": other}).items():
        rewritten(db, made, **{column: value})
    db.execute("UPDATE notify.ent_notification_rule SET deactivated = true WHERE id = 0")
    db.execute("DELETE FROM notify.ent_notification_rule WHERE id = 0")

    assert heard(listener, db) == 0


def test_a_change_of_a_template_notifies_but_its_check_does_not(db: Db, listener: Db) -> None:
    """The checks look at it at once, and do not wake themselves."""
    made = a_template(db)
    assert heard(listener, db) == 1
    db.execute("UPDATE notify.ent_notification_template SET body_template = 'x' WHERE id = %s", [made])
    assert heard(listener, db) == 1
    db.execute("UPDATE notify.ent_notification_template SET checked_status = 'OK', name = 'other'")
    assert heard(listener, db) == 0
    db.execute("DELETE FROM notify.ent_notification_template")
    assert heard(listener, db) == 1


async def test_the_workers_records_do_not_notify(db: Db, listener: Db, engine: Engine) -> None:
    """The worker would wake itself; but a person's pause does notify."""
    made = a_rule(db, workflow=a_workflow(db), trigger_type="SCHEDULE")
    assert heard(listener, db) == 2

    await rules.record_states(engine, [RuleState(made, RuleStatus.INVALID, "rule: at: no such time")])
    await firing.fire(engine, made, "k", datetime(2030, 1, 1, tzinfo=UTC))
    assert heard(listener, db) == 0

    await rules.set_deactivated(engine, made, deactivated=True)
    assert heard(listener, db) == 1
    await rules.set_deactivated(engine, made, deactivated=True)
    assert heard(listener, db) == 0


def test_a_tenants_search_path_has_no_effect(owner: Db, any_listener: Db, producer: Db) -> None:
    """Neither on the notification nor on the comparison of old and new values."""
    owner.execute("CREATE SCHEMA trap")
    owner.execute("CREATE FUNCTION trap.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT 1 / 0'")
    for kind in ("boolean", "notify.publish_status", "jsonb"):
        name = sql.SQL(kind)
        owner.execute(
            sql.SQL(
                "CREATE FUNCTION trap.same({0}, {0}) RETURNS boolean LANGUAGE sql AS 'SELECT 1 / 0 > 0'"
            ).format(name)
        )
        owner.execute(
            sql.SQL("CREATE OPERATOR trap.= (FUNCTION = trap.same, LEFTARG = {0}, RIGHTARG = {0})").format(
                name
            )
        )
    owner.execute("GRANT USAGE ON SCHEMA trap TO PUBLIC")
    speak_for(producer, "acme")
    workflow = a_workflow(producer, enterprise="acme")
    assert heard(any_listener, owner) == 1
    producer.execute("SET search_path = trap, pg_catalog")

    made = a_rule(producer, workflow=workflow)
    assert heard(any_listener, owner) == 1
    rewritten(producer, made, deactivated=True)
    assert heard(any_listener, owner) == 1
