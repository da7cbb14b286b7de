"""The rules' table as its writers meet it: what is a tenant's, what is refused, and who is told, on each version."""

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
    "created_at": "2030-01-01",
    "updated_at": "2030-01-01",
}

TELLING: dict[str, Any] = {
    "enterprise_id": "globex",
    "trigger_type": "SCHEDULE",
    "trigger_config": {"cron": "0 10 * * *"},
    "publish_status": "DRAFT",
    "deactivated": True,
}
"""The producer's columns that a schedule follows, each with another value than it has."""

SILENT: dict[str, Any] = {"name": "another", "rule_payload": {"recipients": ["b"]}}


@pytest.fixture
def owner(any_database: str) -> Iterator[Db]:
    """Give the superuser's connection, on each version."""
    with open_db(any_database) as connection:
        yield connection


@pytest.fixture
def ear(database: str) -> Iterator[Db]:
    """Listen as the worker does."""
    with listening(database, "xnovu_rules") as connection:
        yield connection


@pytest.fixture
def any_ear(any_database: str) -> Iterator[Db]:
    """Listen as the worker does, on each version."""
    with listening(any_database, "xnovu_rules") as connection:
        yield connection


def heard(ear: Db, db: Db) -> int:
    """Count what was notified so far."""
    return count_heard(ear, db, "xnovu_rules")


def test_every_column_is_known_here(db: Db) -> None:
    """A new column has to be sorted into one of the three."""
    found = set(rule_row(db, a_rule(db, workflow=a_workflow(db))))

    assert found == {"id", "notification_workflow_id", *MACHINES, *TELLING, *SILENT}


def test_a_tenant_writes_the_producers_columns_alone(owner: Db, tenant: Db) -> None:
    """What became of a rule is the machine's to say."""
    speak_for(tenant, "acme")
    workflow = a_workflow(tenant, enterprise="acme")
    made = a_rule(tenant, workflow=workflow)

    for column, value in MACHINES.items():
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            a_rule(tenant, workflow=workflow, **{column: value})
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            rewritten(tenant, made, **{column: value})
    rewritten(
        tenant, made, **((TELLING | SILENT) | {"enterprise_id": "acme", "notification_workflow_id": workflow})
    )
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        rewritten(tenant, made, enterprise_id="globex")
    assert tenant.execute("SELECT rule_status FROM notify.ent_notification_rule").fetchall() == [
        {"rule_status": None}
    ]
    assert tenant.execute("DELETE FROM notify.ent_notification_rule").rowcount == 1


def test_the_chores_are_no_tenants(owner: Db, tenant: Db) -> None:
    """They are the deployment's: not to be read, not to be written."""
    speak_for(tenant, "acme")

    for statement in (
        "SELECT * FROM notify.chore",
        "INSERT INTO notify.chore (name, finished_at, took_ms) VALUES ('rules', now(), 1)",
        "UPDATE notify.chore SET error = 'mine'",
        "DELETE FROM notify.chore",
    ):
        with pytest.raises(InsufficientPrivilege):
            tenant.execute(statement.encode())


def test_a_rule_of_an_event_is_refused(owner: Db, tenant: Db) -> None:
    """With what to do instead; whoever writes it, at once or later."""
    speak_for(tenant, "acme")
    workflow = a_workflow(tenant, enterprise="acme")
    made = a_rule(tenant, workflow=workflow)

    for writer in (owner, tenant):
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


def test_a_rule_of_an_event_that_was_there_before_may_be_left_or_changed(db: Db) -> None:
    """A dump may bring one along; its tenant can still pause it, write it as a whole, and make it another."""
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
        ({"trigger_config": {"cron": "x" * 16_384}}, "config"),
        ({"name": "é" * 1001}, "name"),
        ({"rule_payload": Jsonb([])}, "payload"),
        ({"rule_payload": {"text": "x" * (1 << 20)}}, "payload"),
        ({"last_outcome": "sent"}, "outcome"),
    ],
)
def test_nonsense_is_refused(db: Db, columns: dict[str, Any], rule: str) -> None:
    """By the database itself, with the rule's name."""
    made = a_rule(db, workflow=a_workflow(db))
    for outcome in FireOutcome:
        rewritten(db, made, last_outcome=outcome.value)

    with pytest.raises(CheckViolation, match=f"ent_notification_rule_{rule}_check"):
        rewritten(db, made, **columns)


def test_a_change_is_dated_and_what_the_machine_writes_is_not(db: Db) -> None:
    """`updated_at` is when its writer changed a rule, whatever it is given."""
    made = a_rule(db, workflow=a_workflow(db))

    for column, value in (
        {**TELLING, **SILENT, "created_at": "2000-01-01", "updated_at": "2000-01-01"}
    ).items():
        before = rule_row(db, made)["updated_at"]
        rewritten(db, made, **{column: value})
        assert rule_row(db, made)["updated_at"] > before
    before = rule_row(db, made)["updated_at"]
    for column in set(MACHINES) - {"created_at", "updated_at"}:
        rewritten(db, made, **{column: MACHINES[column]})
    assert rule_row(db, made)["updated_at"] == before


def test_whoever_makes_changes_or_deletes_a_rule_tells(db: Db, ear: Db) -> None:
    """Once a transaction."""
    workflow = a_workflow(db)
    made = a_rule(db, workflow=workflow)
    assert heard(ear, db) == 1
    for column, value in TELLING.items():
        rewritten(db, made, **{column: value})
        assert heard(ear, db) == 1
        rewritten(db, made, **{column: value})
        assert heard(ear, db) == 0
    with db.transaction():
        for _ in range(20):
            a_rule(db, workflow=workflow)
        db.execute("UPDATE notify.ent_notification_rule SET deactivated = true")
    assert heard(ear, db) == 1
    db.execute("DELETE FROM notify.ent_notification_rule")
    assert heard(ear, db) == 1


def test_what_moves_no_schedule_tells_nobody(db: Db, ear: Db) -> None:
    """What a rule says, and statements that meet no row."""
    made = a_rule(db, workflow=a_workflow(db))
    other = a_workflow(db, key="other")
    assert heard(ear, db) == 1

    for column, value in (SILENT | {"notification_workflow_id": other}).items():
        rewritten(db, made, **{column: value})
    db.execute("UPDATE notify.ent_notification_rule SET deactivated = true WHERE id = 0")
    db.execute("DELETE FROM notify.ent_notification_rule WHERE id = 0")

    assert heard(ear, db) == 0


async def test_what_the_worker_writes_tells_nobody(db: Db, ear: Db, engine: Engine) -> None:
    """It would wake itself; a person who switches a rule off does tell."""
    made = a_rule(db, workflow=a_workflow(db), trigger_type="SCHEDULE")
    assert heard(ear, db) == 1

    await rules.record_states(engine, [RuleState(made, RuleStatus.INVALID, "rule: at: no such time")])
    await firing.fire(engine, made, "k", datetime(2030, 1, 1, tzinfo=UTC))
    assert heard(ear, db) == 0

    await rules.set_deactivated(engine, made, deactivated=True)
    assert heard(ear, db) == 1
    await rules.set_deactivated(engine, made, deactivated=True)
    assert heard(ear, db) == 0


def test_a_tenants_search_path_leads_nowhere(owner: Db, any_ear: Db, tenant: Db) -> None:
    """Neither for the word nor for the comparison of old and new."""
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
    speak_for(tenant, "acme")
    workflow = a_workflow(tenant, enterprise="acme")
    tenant.execute("SET search_path = trap, pg_catalog")

    made = a_rule(tenant, workflow=workflow)
    assert heard(any_ear, owner) == 1
    rewritten(tenant, made, deactivated=True)
    assert heard(any_ear, owner) == 1
