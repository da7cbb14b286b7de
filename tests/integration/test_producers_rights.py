"""The rights of producers: a real login sees and writes only rows of the enterprise that it names, on every version."""

from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.integration.test_guards import FREE, FROZEN, MACHINES
from tests.support.enterprises import id_of, read_owners
from tests.support.logins import a_login, speak_for, without_login
from tests.support.rows import (
    Db,
    a_notification,
    a_rule,
    a_template,
    a_workflow,
    open_db,
    row,
)
from xnovu_poller.lifecycle import Status

TENANTS = ("acme", "globex")
TABLES = (
    "ent_notification",
    "ent_notification_workflow",
    "ent_notification_template",
    "ent_notification_rule",
    "ent_notification_delivery",
    "ent_enterprise_limit",
)


@pytest.mark.parametrize("table", TABLES)
def test_a_producer_sees_its_own_rows(two_enterprises: Db, producer: Db, table: str) -> None:
    """It also sees global workflows and templates."""
    speak_for(producer, "acme")

    everyones = [None] if table.endswith(("workflow", "template")) else []
    assert read_owners(producer, table) == ["acme", *everyones]


@pytest.mark.parametrize("table", TABLES)
def test_a_producer_without_an_enterprise_sees_nothing(two_enterprises: Db, producer: Db, table: str) -> None:
    """The setting was never made, is empty, or belonged to a transaction that is over: then it reads ''."""
    assert read_owners(producer, table) == []
    speak_for(producer, "")
    assert read_owners(producer, table) == []
    for end in ("COMMIT", "ROLLBACK"):
        producer.execute("BEGIN")
        speak_for(producer, "acme", local=True)
        assert "acme" in read_owners(producer, table)
        producer.execute(end.encode())
        assert read_owners(producer, table) == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('acme', 9)",
        "UPDATE notify.ent_enterprise_limit SET rate = 9",
        "DELETE FROM notify.ent_enterprise_limit",
    ],
)
def test_a_producer_does_not_set_its_own_limit(two_enterprises: Db, producer: Db, statement: str) -> None:
    """It may only read the limit."""
    speak_for(producer, "acme")

    with pytest.raises(InsufficientPrivilege):
        producer.execute(statement.encode())


def test_two_tenants_on_a_connection_never_see_each_other(two_enterprises: Db, producer: Db) -> None:
    """As in a pool they take turns, even after an error."""
    for _ in range(2):
        for enterprise in ("acme", "globex"):
            with producer.transaction():
                speak_for(producer, enterprise, local=True)
                assert read_owners(producer, "ent_notification") == [enterprise]
            with pytest.raises(psycopg.errors.DivisionByZero):
                _speak_and_fail(producer, enterprise)
            assert read_owners(producer, "ent_notification") == []


def test_an_error_within_a_savepoint_restores_the_former_tenant(two_enterprises: Db, producer: Db) -> None:
    """The setting is rolled back with the savepoint in which it was made."""
    with producer.transaction():
        speak_for(producer, "acme", local=True)
        with pytest.raises(psycopg.errors.DivisionByZero):
            _speak_and_fail(producer, "globex")
        assert read_owners(producer, "ent_notification") == ["acme"]


def _speak_and_fail(producer: Db, enterprise: str) -> None:
    with producer.transaction():
        speak_for(producer, enterprise, local=True)
        producer.execute("SELECT 1 / 0")


def test_a_producer_writes_only_for_itself(two_enterprises: Db, producer: Db) -> None:
    """It can neither insert nor take over nor change another producer's rows."""
    speak_for(producer, "acme")
    made = a_notification(producer, enterprise="acme", priority=3, tags=["a"], dedup_key="d")
    assert (
        producer.execute("UPDATE notify.ent_notification SET priority = 4 WHERE id = %s", [made]).rowcount
        == 1
    )

    for enterprise in ("globex", ""):
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            a_notification(producer, enterprise=enterprise)
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        a_rule(producer, enterprise="globex", workflow=a_workflow(producer, enterprise="acme", key="k"))
    other = id_of(two_enterprises, "globex")
    changed = producer.execute("UPDATE notify.ent_notification SET priority = 4 WHERE id = %s", [other])
    assert changed.rowcount == 0


def test_a_producer_without_an_enterprise_writes_nothing(two_enterprises: Db, producer: Db) -> None:
    """A missing setting denies everything."""
    with pytest.raises(InsufficientPrivilege):
        a_notification(producer)
    with pytest.raises(InsufficientPrivilege):
        a_workflow(producer, key="k")
    assert producer.execute("UPDATE notify.ent_notification SET priority = 4").rowcount == 0


def test_a_producer_cannot_write_the_workers_columns(two_enterprises: Db, producer: Db) -> None:
    """Neither in an insert nor in an update; the grants refuse it before any guard."""
    speak_for(producer, "acme")

    for column, value in MACHINES.items():
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            a_notification(producer, **{column: value})
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            _rewritten(producer, column)


def test_a_producer_writes_the_producers_columns(two_enterprises: Db, producer: Db) -> None:
    """All except the enterprise."""
    speak_for(producer, "acme")

    for column in {*FREE, *FROZEN} - {"enterprise_id"}:
        assert _rewritten(producer, column) == 1
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        _rewritten(producer, "enterprise_id")


def _rewritten(db: Db, column: str) -> int:
    update = sql.SQL("UPDATE notify.ent_notification SET {0} = {0}").format(sql.Identifier(column))
    return db.execute(update).rowcount


@pytest.mark.parametrize("table", ["ent_notification_workflow", "ent_notification_template"])
def test_no_tenant_writes_global_rows(two_enterprises: Db, producer: Db, table: str) -> None:
    """It can read them, but not change or insert them, nor make its own row global."""
    speak_for(producer, "acme")
    name = sql.Identifier(table)

    changed = producer.execute(
        sql.SQL("UPDATE notify.{} SET name = 'mine' RETURNING enterprise_id").format(name)
    )
    assert [changed_row["enterprise_id"] for changed_row in changed] == ["acme"]
    assert read_owners(two_enterprises, table) == ["acme", "globex", None]
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        (a_workflow if table.endswith("workflow") else a_template)(producer, key="new")
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        producer.execute(sql.SQL("UPDATE notify.{} SET enterprise_id = NULL").format(name))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM notify.ent_notification",
        "TRUNCATE notify.ent_notification CASCADE",
        "UPDATE notify.ent_notification_delivery SET outcome = 'accepted'",
        "INSERT INTO notify.ent_notification_delivery VALUES (1, 2, 'acme', '{s}', 'xn-2')",
        "SELECT * FROM notify.deployment",
        "UPDATE notify.alembic_version SET version_num = 'mine'",
        "ALTER TABLE notify.ent_notification DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE notify.ent_notification DISABLE TRIGGER ALL",
        "SET ROLE xnovu_worker",
        "SET session_replication_role = replica",
    ],
)
def test_a_producer_cannot_bypass_its_limits(two_enterprises: Db, producer: Db, statement: str) -> None:
    """There is no way around the policies and the guards."""
    speak_for(producer, "acme")

    with pytest.raises(InsufficientPrivilege):
        producer.execute(statement.encode())


def test_a_producer_enqueues_only_for_itself(two_enterprises: Db, producer: Db) -> None:
    """The function has its caller's rights."""
    speak_for(producer, "acme")

    made = producer.execute("SELECT notify.enqueue('acme', 'order-shipped', '{s}') AS id").fetchone()
    assert made is not None
    own = two_enterprises.execute(
        "SELECT id FROM notify.ent_notification_workflow WHERE enterprise_id = 'acme'"
    ).fetchone()
    assert own is not None
    assert row(two_enterprises, made["id"])["notification_workflow_id"] == own["id"]
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        producer.execute("SELECT notify.enqueue('globex', 'order-shipped', '{s}')")


def test_a_producer_retracts_only_its_own_notifications(two_enterprises: Db, producer: Db) -> None:
    """It does not even learn the state of another producer's notification."""
    ids = {enterprise: id_of(two_enterprises, enterprise) for enterprise in ("acme", "globex")}
    assert [_retracted(producer, notification_id) for notification_id in ids.values()] == [None, None]

    speak_for(producer, "acme")
    assert [_retracted(producer, notification_id) for notification_id in ids.values()] == ["RETRACTED", None]
    assert row(two_enterprises, ids["globex"])["notification_status"] == Status.PENDING


def test_the_role_counts_and_not_the_login(two_enterprises: Db, producer: Db) -> None:
    """A superuser in a producer's role has only a producer's rights; the worker's role reaches all rows."""
    ids = [id_of(two_enterprises, enterprise) for enterprise in ("acme", "globex")]
    two_enterprises.execute("SET ROLE xnovu_producer")
    assert [_retracted(two_enterprises, notification_id) for notification_id in ids] == [None, None]
    speak_for(two_enterprises, "globex")
    assert read_owners(two_enterprises, "ent_notification") == ["globex"]
    assert [_retracted(two_enterprises, notification_id) for notification_id in ids] == [None, "RETRACTED"]

    two_enterprises.execute("SET ROLE xnovu_worker")
    assert [_retracted(two_enterprises, notification_id) for notification_id in ids] == [
        "RETRACTED",
        "RETRACTED",
    ]


def _retracted(db: Db, notification_id: int) -> str | None:
    found = db.execute("SELECT notify.retract(%s) AS status", [notification_id]).fetchone()
    assert found is not None
    status: str | None = found["status"]
    return status


def test_a_login_without_a_role_reaches_nothing(two_enterprises: Db, any_database: str) -> None:
    """It is a member of neither role."""
    login = a_login(any_database)
    with open_db(login) as plain:
        for statement in ("SELECT * FROM notify.ent_notification", "SELECT notify.retract(1)"):
            with pytest.raises(InsufficientPrivilege):
                plain.execute(statement.encode())
    without_login(any_database, login)


def test_a_worker_reaches_all_rows(two_enterprises: Db, any_database: str) -> None:
    """Rows of every enterprise, without a setting; but not the tables of the deployment and the migrations."""
    login = a_login(any_database, "xnovu_worker")
    with open_db(login) as worker:
        for table in TABLES:
            assert set(TENANTS) <= set(read_owners(worker, table))
            touch = sql.SQL("UPDATE notify.{} SET enterprise_id = enterprise_id")
            assert worker.execute(touch.format(sql.Identifier(table))).rowcount >= len(TENANTS)
        assert _stats(worker, "v_notification_stats") == {"acme": 1, "globex": 1}
        for statement in ("DELETE FROM notify.alembic_version", "DELETE FROM notify.deployment"):
            with pytest.raises(InsufficientPrivilege):
                worker.execute(statement.encode())
    without_login(any_database, login)


def test_the_views_count_the_tenants_own_rows(two_enterprises: Db, producer: Db) -> None:
    """They include global rows; without an enterprise they are empty."""
    assert _stats(producer, "v_notification_stats") == _stats(producer, "v_workflow_stats") == {}
    speak_for(producer, "acme")
    assert _stats(producer, "v_notification_stats") == {"acme": 1}
    assert _stats(producer, "v_workflow_stats") == {"acme": 1, None: 1}


def test_the_views_filter_without_the_invokers_rights_too(two_enterprises: Db, producer: Db) -> None:
    """This is how PostgreSQL 14 behaves, where a view reads with its owner's rights."""
    if two_enterprises.info.server_version >= 150000:
        for view in ("v_notification_stats", "v_workflow_stats"):
            two_enterprises.execute(f"ALTER VIEW notify.{view} RESET (security_invoker)".encode())

    test_the_views_count_the_tenants_own_rows(two_enterprises, producer)


def _stats(db: Db, view: str) -> dict[Any, int]:
    column = "notification_count" if view == "v_notification_stats" else "workflow_count"
    statement = sql.SQL("SELECT enterprise_id, {} AS counted FROM notify.{}")
    found = db.execute(statement.format(sql.Identifier(column), sql.Identifier(view)))
    return {kept_row["enterprise_id"]: kept_row["counted"] for kept_row in found}
