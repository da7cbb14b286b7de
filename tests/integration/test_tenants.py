"""The tenants: a real producer's login sees and writes its own rows, on every version of PostgreSQL."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.integration.test_guards import FREE, FROZEN, MACHINES
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


@pytest.fixture
def owner(any_database: str) -> Iterator[Db]:
    """Give the superuser's connection to a database where two enterprises and everybody have rows."""
    with open_db(any_database) as db:
        for enterprise in ("acme", "globex"):
            workflow = a_workflow(db, enterprise=enterprise)
            a_template(db, enterprise=enterprise)
            a_rule(db, enterprise=enterprise, workflow=workflow)
            made = a_notification(db, enterprise=enterprise, workflow=workflow)
            db.execute(
                "INSERT INTO notify.ent_notification_delivery VALUES (%s, 1, %s, '{s}', 'xn-1')",
                [made, enterprise],
            )
            db.execute(
                "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES (%s, 1)", [enterprise]
            )
        a_workflow(db)
        a_template(db)
        yield db


def seen(db: Db, table: str) -> list[str | None]:
    """Say whose rows a connection sees."""
    statement = sql.SQL("SELECT enterprise_id FROM notify.{} ORDER BY enterprise_id").format(
        sql.Identifier(table)
    )
    return [found["enterprise_id"] for found in db.execute(statement)]


def id_of(db: Db, enterprise: str) -> int:
    """Give the notification of an enterprise."""
    found = db.execute(
        "SELECT id FROM notify.ent_notification WHERE enterprise_id = %s", [enterprise]
    ).fetchone()
    assert found is not None
    return int(found["id"])


@pytest.mark.parametrize("table", TABLES)
def test_a_tenant_sees_its_own_rows(owner: Db, tenant: Db, table: str) -> None:
    """And the workflows and templates that are for all."""
    speak_for(tenant, "acme")

    everyones = [None] if table.endswith(("workflow", "template")) else []
    assert seen(tenant, table) == ["acme", *everyones]


@pytest.mark.parametrize("table", TABLES)
def test_who_speaks_for_nobody_sees_nothing(owner: Db, tenant: Db, table: str) -> None:
    """Never set, set to nothing, or set for a transaction that is over: the setting then reads ''."""
    assert seen(tenant, table) == []
    speak_for(tenant, "")
    assert seen(tenant, table) == []
    for end in ("COMMIT", "ROLLBACK"):
        tenant.execute("BEGIN")
        speak_for(tenant, "acme", local=True)
        assert "acme" in seen(tenant, table)
        tenant.execute(end.encode())
        assert seen(tenant, table) == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('acme', 9)",
        "UPDATE notify.ent_enterprise_limit SET rate = 9",
        "DELETE FROM notify.ent_enterprise_limit",
    ],
)
def test_a_tenant_does_not_set_its_own_limit(owner: Db, tenant: Db, statement: str) -> None:
    """It may read it, and no more."""
    speak_for(tenant, "acme")

    with pytest.raises(InsufficientPrivilege):
        tenant.execute(statement.encode())


def test_two_tenants_on_one_connection_never_meet(owner: Db, tenant: Db) -> None:
    """As in a pool: one after the other, also where one of them ends in an error."""
    for _ in range(2):
        for enterprise in ("acme", "globex"):
            with tenant.transaction():
                speak_for(tenant, enterprise, local=True)
                assert seen(tenant, "ent_notification") == [enterprise]
            with pytest.raises(psycopg.errors.DivisionByZero):
                _speak_and_fail(tenant, enterprise)
            assert seen(tenant, "ent_notification") == []


def test_an_error_within_a_savepoint_gives_the_former_tenant_back(owner: Db, tenant: Db) -> None:
    """The setting goes with the savepoint in which it was made."""
    with tenant.transaction():
        speak_for(tenant, "acme", local=True)
        with pytest.raises(psycopg.errors.DivisionByZero):
            _speak_and_fail(tenant, "globex")
        assert seen(tenant, "ent_notification") == ["acme"]


def _speak_and_fail(tenant: Db, enterprise: str) -> None:
    with tenant.transaction():
        speak_for(tenant, enterprise, local=True)
        tenant.execute("SELECT 1 / 0")


def test_a_tenant_writes_for_itself_alone(owner: Db, tenant: Db) -> None:
    """Another's rows it can neither make nor take nor touch."""
    speak_for(tenant, "acme")
    made = a_notification(tenant, enterprise="acme", priority=3, tags=["a"], dedup_key="d")
    assert (
        tenant.execute("UPDATE notify.ent_notification SET priority = 4 WHERE id = %s", [made]).rowcount == 1
    )

    for enterprise in ("globex", ""):
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            a_notification(tenant, enterprise=enterprise)
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        a_rule(tenant, enterprise="globex", workflow=a_workflow(tenant, enterprise="acme", key="k"))
    other = id_of(owner, "globex")
    changed = tenant.execute("UPDATE notify.ent_notification SET priority = 4 WHERE id = %s", [other])
    assert changed.rowcount == 0


def test_who_speaks_for_nobody_writes_nothing(owner: Db, tenant: Db) -> None:
    """Fail-closed."""
    with pytest.raises(InsufficientPrivilege):
        a_notification(tenant)
    with pytest.raises(InsufficientPrivilege):
        a_workflow(tenant, key="k")
    assert tenant.execute("UPDATE notify.ent_notification SET priority = 4").rowcount == 0


def test_no_column_of_the_machine_is_a_tenants(owner: Db, tenant: Db) -> None:
    """Neither in an insert nor in an update; the grants say so before any guard."""
    speak_for(tenant, "acme")

    for column, value in MACHINES.items():
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            a_notification(tenant, **{column: value})
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            _rewritten(tenant, column)


def test_a_producers_columns_are_the_tenants(owner: Db, tenant: Db) -> None:
    """All but whose it is."""
    speak_for(tenant, "acme")

    for column in {*FREE, *FROZEN} - {"enterprise_id"}:
        assert _rewritten(tenant, column) == 1
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        _rewritten(tenant, "enterprise_id")


def _rewritten(db: Db, column: str) -> int:
    update = sql.SQL("UPDATE notify.ent_notification SET {0} = {0}").format(sql.Identifier(column))
    return db.execute(update).rowcount


@pytest.mark.parametrize("table", ["ent_notification_workflow", "ent_notification_template"])
def test_what_is_for_all_is_written_by_none(owner: Db, tenant: Db, table: str) -> None:
    """Read, yes; not changed, not made, and no own row becomes one."""
    speak_for(tenant, "acme")
    name = sql.Identifier(table)

    changed = tenant.execute(
        sql.SQL("UPDATE notify.{} SET name = 'mine' RETURNING enterprise_id").format(name)
    )
    assert [one["enterprise_id"] for one in changed] == ["acme"]
    assert seen(owner, table) == ["acme", "globex", None]
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        (a_workflow if table.endswith("workflow") else a_template)(tenant, key="new")
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        tenant.execute(sql.SQL("UPDATE notify.{} SET enterprise_id = NULL").format(name))


def test_a_tenant_deletes_its_own_templates_and_no_workflow(owner: Db, tenant: Db) -> None:
    """A workflow is unpublished instead: to delete one scans all notifications for it."""
    speak_for(tenant, "acme")

    assert tenant.execute("DELETE FROM notify.ent_notification_template").rowcount == 1
    assert seen(owner, "ent_notification_template") == ["globex", None]
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        tenant.execute("DELETE FROM notify.ent_notification_workflow")


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
def test_a_tenant_may_not(owner: Db, tenant: Db, statement: str) -> None:
    """No way round the policies and the guards."""
    speak_for(tenant, "acme")

    with pytest.raises(InsufficientPrivilege):
        tenant.execute(statement.encode())


def test_a_tenant_enqueues_for_itself_alone(owner: Db, tenant: Db) -> None:
    """The function has its caller's rights."""
    speak_for(tenant, "acme")

    made = tenant.execute("SELECT notify.enqueue('acme', 'order-shipped', '{s}') AS id").fetchone()
    assert made is not None
    own = owner.execute(
        "SELECT id FROM notify.ent_notification_workflow WHERE enterprise_id = 'acme'"
    ).fetchone()
    assert own is not None
    assert row(owner, made["id"])["notification_workflow_id"] == own["id"]
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        tenant.execute("SELECT notify.enqueue('globex', 'order-shipped', '{s}')")


def test_a_tenant_retracts_its_own_alone(owner: Db, tenant: Db) -> None:
    """Of another's it does not even learn the state."""
    ids = {enterprise: id_of(owner, enterprise) for enterprise in ("acme", "globex")}
    assert [_retracted(tenant, one) for one in ids.values()] == [None, None]

    speak_for(tenant, "acme")
    assert [_retracted(tenant, one) for one in ids.values()] == ["RETRACTED", None]
    assert row(owner, ids["globex"])["notification_status"] == Status.PENDING


def test_the_role_counts_not_the_login(owner: Db, tenant: Db) -> None:
    """A superuser that works as a tenant is one; a worker's role reaches all."""
    ids = [id_of(owner, enterprise) for enterprise in ("acme", "globex")]
    owner.execute("SET ROLE xnovu_tenant")
    assert [_retracted(owner, one) for one in ids] == [None, None]
    speak_for(owner, "globex")
    assert seen(owner, "ent_notification") == ["globex"]
    assert [_retracted(owner, one) for one in ids] == [None, "RETRACTED"]

    owner.execute("SET ROLE xnovu_worker")
    assert [_retracted(owner, one) for one in ids] == ["RETRACTED", "RETRACTED"]


def _retracted(db: Db, notification_id: int) -> str | None:
    found = db.execute("SELECT notify.retract(%s) AS status", [notification_id]).fetchone()
    assert found is not None
    status: str | None = found["status"]
    return status


def test_a_stranger_reaches_nothing(owner: Db, any_database: str) -> None:
    """A login of neither role."""
    login = a_login(any_database)
    with open_db(login) as stranger:
        for statement in ("SELECT * FROM notify.ent_notification", "SELECT notify.retract(1)"):
            with pytest.raises(InsufficientPrivilege):
                stranger.execute(statement.encode())
    without_login(any_database, login)


def test_a_worker_reaches_all(owner: Db, any_database: str) -> None:
    """Whoever's rows they are, without a word for whom; but not the bookkeeping."""
    login = a_login(any_database, "xnovu_worker")
    with open_db(login) as worker:
        for table in TABLES:
            assert set(TENANTS) <= set(seen(worker, table))
            touch = sql.SQL("UPDATE notify.{} SET enterprise_id = enterprise_id")
            assert worker.execute(touch.format(sql.Identifier(table))).rowcount >= len(TENANTS)
        assert _stats(worker, "v_notification_stats") == {"acme": 1, "globex": 1}
        for statement in ("DELETE FROM notify.alembic_version", "DELETE FROM notify.deployment"):
            with pytest.raises(InsufficientPrivilege):
                worker.execute(statement.encode())
    without_login(any_database, login)


def test_the_views_count_the_tenants_own(owner: Db, tenant: Db) -> None:
    """And what is for all; nothing for who speaks for nobody."""
    assert _stats(tenant, "v_notification_stats") == _stats(tenant, "v_workflow_stats") == {}
    speak_for(tenant, "acme")
    assert _stats(tenant, "v_notification_stats") == {"acme": 1}
    assert _stats(tenant, "v_workflow_stats") == {"acme": 1, None: 1}


def test_the_views_filter_without_the_invokers_rights_too(owner: Db, tenant: Db) -> None:
    """As on PostgreSQL 14, where a view reads with its owner's."""
    if owner.info.server_version >= 150000:
        for view in ("v_notification_stats", "v_workflow_stats"):
            owner.execute(f"ALTER VIEW notify.{view} RESET (security_invoker)".encode())

    test_the_views_count_the_tenants_own(owner, tenant)


def _stats(db: Db, view: str) -> dict[Any, int]:
    column = "notification_count" if view == "v_notification_stats" else "workflow_count"
    statement = sql.SQL("SELECT enterprise_id, {} AS counted FROM notify.{}")
    found = db.execute(statement.format(sql.Identifier(column), sql.Identifier(view)))
    return {one["enterprise_id"]: one["counted"] for one in found}
