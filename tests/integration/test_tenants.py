"""The logins that tenants hold: each is bound to its enterprise, and reaches it by views and functions."""

from collections.abc import Iterator
from functools import partial

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import (
    CheckViolation,
    ForeignKeyViolation,
    InsufficientPrivilege,
    UndefinedFunction,
    UndefinedObject,
)
from psycopg.types.json import Jsonb

from tests.support.enterprises import id_of, read_owners
from tests.support.logins import a_login, bind, name_of, speak_for, without_login
from tests.support.rows import Db, open_db, row, rule_row
from xnovu_poller.lifecycle import Status

ME = "SELECT notify.current_enterprise() AS me"


def acts_for(db: Db) -> str | None:
    """Return the enterprise for which a connection acts."""
    found = db.execute(ME).fetchone()
    assert found is not None
    enterprise: str | None = found["me"]
    return enterprise


def call(db: Db, statement: str, *values: object) -> object:
    """Return the value of a function."""
    found = db.execute(f"SELECT {statement} AS value".encode(), values).fetchone()
    assert found is not None
    return found["value"]


@pytest.fixture
def odd_login(any_database: str) -> Iterator[str]:
    """Yield the URL of a login of both roles whose name needs quotes."""
    url = a_login(any_database, "xnovu_tenant", "xnovu_producer")
    name = name_of(url)
    with psycopg.connect(any_database, autocommit=True) as admin:
        admin.execute(
            sql.SQL("ALTER ROLE {} RENAME TO {}").format(*map(sql.Identifier, (name, f"Odd-{name}")))
        )
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD 'plain'").format(sql.Identifier(f"Odd-{name}")))
    odd = url.replace(name, f"Odd-{name}")
    yield odd
    without_login(any_database, odd)


def test_a_bound_login_stays_in_its_enterprise(two_enterprises: Db, tenant: Db) -> None:
    """Also if it sets another, for its session or a transaction."""
    for setting in ("globex", "", "acme"):
        speak_for(tenant, setting)
        assert acts_for(tenant) == "acme"
        assert read_owners(tenant, "my_notifications") == ["acme"]
        with tenant.transaction():
            speak_for(tenant, "globex", local=True)
            assert read_owners(tenant, "my_notifications") == ["acme"]
    with pytest.raises(InsufficientPrivilege, match="not bound to it"):
        call(tenant, "notify.enqueue('globex', 'order-shipped', '{s}')")
    other = id_of(two_enterprises, "globex")
    assert call(tenant, "notify.retract(%s)", other) is None
    assert row(two_enterprises, other)["notification_status"] == Status.PENDING


def test_an_unbound_login_sees_nothing(two_enterprises: Db, tenant: Db) -> None:
    """It may set what it likes."""
    two_enterprises.execute("DELETE FROM notify.tenant_login")
    speak_for(tenant, "acme")

    assert acts_for(tenant) is None
    for view in ("my_notifications", "my_workflows", "my_templates", "my_rules", "my_enterprise"):
        assert read_owners(tenant, view) == []
    for function in (
        "enqueue('acme', 'order-shipped', '{s}')",
        "save_workflow('a', 'STATIC')",
        "delete_rule(1)",
    ):
        with pytest.raises(InsufficientPrivilege, match="acts for none"):
            call(tenant, f"notify.{function}")


def test_the_binding_wins_over_the_rights_of_a_producer(
    two_enterprises: Db, odd_login: str, any_database: str
) -> None:
    """The name is taken exactly, with its case and signs; on tables, functions and views."""
    bind(any_database, odd_login, "acme")
    with open_db(odd_login) as login:
        for _ in range(2):
            speak_for(login, "globex")
            assert acts_for(login) == "acme"
            assert read_owners(login, "ent_notification") == ["acme"]
            assert read_owners(login, "v_notification_stats") == ["acme"]
            assert call(login, "notify.retract(%s)", id_of(two_enterprises, "globex")) is None
            with pytest.raises(InsufficientPrivilege):
                call(login, "notify.enqueue('globex', 'order-shipped', '{s}')")
            login.execute("SET ROLE xnovu_producer")


def test_a_binding_is_void_after_a_rename(two_enterprises: Db, odd_login: str, any_database: str) -> None:
    """Until an administrator binds the login again; meanwhile it sees nothing, although it is a producer."""
    bind(any_database, odd_login, "acme")
    name, renamed = name_of(odd_login), f"{name_of(odd_login)}-2"
    rename = sql.SQL("ALTER ROLE {} RENAME TO {}")
    with open_db(odd_login) as login:
        two_enterprises.execute(rename.format(sql.Identifier(name), sql.Identifier(renamed)))
        speak_for(login, "globex")
        assert acts_for(login) == ""
        assert read_owners(login, "ent_notification") == []
        two_enterprises.execute("UPDATE notify.tenant_login SET login = %s WHERE login = %s", [renamed, name])
        assert read_owners(login, "ent_notification") == ["acme"]
        two_enterprises.execute(rename.format(sql.Identifier(renamed), sql.Identifier(name)))
        assert read_owners(login, "ent_notification") == []


def test_a_login_made_anew_does_not_inherit_a_binding(two_enterprises: Db, any_database: str) -> None:
    """Another person may have it now."""
    url = a_login(any_database, "xnovu_tenant")
    bind(any_database, url, "acme")
    without_login(any_database, url)
    two_enterprises.execute(
        sql.SQL("CREATE ROLE {0} LOGIN PASSWORD 'plain'; GRANT xnovu_tenant TO {0}").format(
            sql.Identifier(name_of(url))
        )
    )
    with open_db(url) as login:
        assert read_owners(login, "my_notifications") == []
    without_login(any_database, url)


def test_set_role_acts_for_the_role_unless_the_login_is_bound(
    two_enterprises: Db, tenant: Db, any_database: str
) -> None:
    """A gateway that takes its tenants' roles acts for each of them; `SET ROLE xnovu_tenant` acts for nobody."""
    gateway_url = a_login(any_database, tenant.info.user)
    with open_db(gateway_url) as gateway:
        assert acts_for(gateway) is None
        gateway.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(tenant.info.user)))
        assert acts_for(gateway) == "acme"
        gateway.execute("RESET ROLE")
        bind(any_database, gateway_url, "globex")
        gateway.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(tenant.info.user)))
        assert acts_for(gateway) == "globex"
    two_enterprises.execute("SET ROLE xnovu_tenant")
    speak_for(two_enterprises, "acme")
    assert acts_for(two_enterprises) is None
    assert read_owners(two_enterprises, "my_notifications") == []
    two_enterprises.execute("RESET ROLE")
    without_login(any_database, gateway_url)


def test_only_a_login_that_can_be_bounded_is_bound(two_enterprises: Db, any_database: str) -> None:
    """It exists under exactly this name, and does not have the worker's rights."""
    worker = a_login(any_database, "xnovu_worker")
    for wrong, error in (
        ("nobody has this name", UndefinedObject),
        ("Postgres", UndefinedObject),
        ("postgres", CheckViolation),
        (name_of(worker), CheckViolation),
    ):
        with pytest.raises(error, match="login"):
            two_enterprises.execute(
                "INSERT INTO notify.tenant_login (login, enterprise_id) VALUES (%s, 'acme')", [wrong]
            )
    without_login(any_database, worker)


def test_a_tenant_enqueues_and_retracts(two_enterprises: Db, tenant: Db) -> None:
    """With its own workflow, though a global workflow has the same key."""
    made = call(tenant, "notify.enqueue('acme', 'order-shipped', '{s}', dedup_key => 'a')")

    assert isinstance(made, int)
    kept = row(two_enterprises, made)
    own = tenant.execute("SELECT id FROM notify.my_workflows WHERE enterprise_id = 'acme'").fetchone()
    assert own == {"id": kept["notification_workflow_id"]}
    assert call(tenant, "notify.retract(%s, 'no more')", made) == "RETRACTED"
    seen = tenant.execute("SELECT retraction_reason FROM notify.my_notifications WHERE id = %s", [made])
    assert seen.fetchone() == {"retraction_reason": "no more"}


def test_a_tenant_writes_profiles_only_within_its_prefix(two_enterprises: Db, tenant: Db) -> None:
    """Novu would change the address of a subscriber for every enterprise."""
    enqueue = "notify.enqueue('acme', 'order-shipped', '{acme:s}', subscribers => '{\"acme:s\": {}}')"
    with pytest.raises(InsufficientPrivilege, match="it has no subscriber_prefix"), tenant.transaction():
        call(tenant, enqueue)

    two_enterprises.execute(
        "INSERT INTO notify.ent_enterprise (enterprise_id, subscriber_prefix) VALUES ('acme', 'acme:')"
        " ON CONFLICT (enterprise_id) DO UPDATE SET subscriber_prefix = 'acme:'"
    )

    assert isinstance(call(tenant, enqueue), int)
    with pytest.raises(CheckViolation, match="outside the bounds"), tenant.transaction():
        call(tenant, enqueue.replace("acme:s", "globex:s"))
    with pytest.raises(CheckViolation, match="outside the bounds"), tenant.transaction():
        call(tenant, "notify.enqueue('acme', 'order-shipped', '{acme:s}', actor => 'globex:s')")


def test_a_tenant_saves_and_deletes_what_is_its_own(two_enterprises: Db, tenant: Db) -> None:
    """A second save replaces; another's row or key is out of reach, as if it were not there."""
    workflow = call(tenant, "notify.save_workflow('order-shipped', 'DYNAMIC', publish_status => 'PUBLISH')")
    assert call(tenant, "notify.save_workflow('order-shipped', 'STATIC', name => 'again')") == workflow
    template = call(tenant, "notify.save_template('parcel', 'SMS', 'Hello')")
    assert call(tenant, "notify.save_template('parcel', 'SMS', 'Bye')") == template
    german = call(tenant, "notify.save_template('parcel', 'SMS', 'Hallo', locale => 'de')")
    assert german != template
    assert call(tenant, "notify.save_template('parcel', 'SMS', 'Ade', locale => 'de')") == german
    config, payload = Jsonb({"cron": "0 9 * * *", "timezone": "UTC"}), Jsonb({"recipients": ["s"]})
    rule = call(tenant, "notify.save_rule('daily', 'order-shipped', 'CRON', %s, %s)", config, payload)
    assert isinstance(rule, int)
    again = "notify.save_rule('weekly', 'order-shipped', 'CRON', %s, %s, id => %s)"
    assert call(tenant, again, config, payload, rule) == rule
    assert rule_row(two_enterprises, rule)["name"] == "weekly"
    assert rule_row(two_enterprises, rule)["notification_workflow_id"] == workflow

    others = two_enterprises.execute(
        "SELECT id FROM notify.ent_notification_rule WHERE enterprise_id = 'globex'"
    ).fetchone()
    assert others is not None
    for missing in (others["id"], 1 << 40):
        assert call(tenant, again, config, payload, missing) is None
        assert call(tenant, "notify.delete_rule(%s)", missing) is False
    with pytest.raises(ForeignKeyViolation, match="no workflow of this key"):
        call(tenant, "notify.save_rule('a', 'unknown', 'CRON', %s, %s)", config, payload)
    assert call(tenant, "notify.delete_rule(%s)", rule) is True
    assert call(tenant, "notify.delete_template(%s)", template) is True


@pytest.mark.parametrize(
    "argument", ["trusted => true", "enterprise_id => 'globex'", "send_context => true", "id => 1"]
)
def test_a_tenant_sets_nothing_that_an_administrator_sets(
    two_enterprises: Db, tenant: Db, argument: str
) -> None:
    """Its functions do not take it, and the views that have it cannot be written; a new row has the safe default."""
    for function in ("save_template('parcel', 'SMS', 'Hello'", "save_workflow('order-shipped', 'STATIC'"):
        with pytest.raises(UndefinedFunction):
            call(tenant, f"notify.{function}, {argument})")

    made = call(tenant, "notify.save_template('parcel', 'SMS', 'Hello')")
    kept = two_enterprises.execute(
        "SELECT enterprise_id, trusted FROM notify.ent_notification_template WHERE id = %s", [made]
    )
    assert kept.fetchone() == {"enterprise_id": "acme", "trusted": False}


def test_an_open_transaction_of_a_tenant_delays_no_other(
    two_enterprises: Db, tenant: Db, producer: Db
) -> None:
    """It has called every function; a producer of another enterprise goes on, and the tables can be read and written."""
    speak_for(producer, "globex")
    with tenant.transaction(force_rollback=True):
        call(tenant, "notify.save_workflow('order-shipped', 'STATIC', name => 'held')")
        call(tenant, "notify.save_template('parcel', 'EMAIL', 'held')")
        call(tenant, "notify.enqueue('acme', 'order-shipped', '{s}', dedup_key => 'same')")
        tenant.execute("SELECT FROM notify.my_notifications")
        producer.execute("SET lock_timeout = '1s'")
        producer.execute("SELECT notify.enqueue('globex', 'order-shipped', '{s}', dedup_key => 'same')")
        producer.execute("SELECT notify.save_workflow('order-shipped', 'STATIC')")
        two_enterprises.execute("SET lock_timeout = '1s'")
        two_enterprises.execute(
            "UPDATE notify.ent_notification_workflow SET name = 'mine' WHERE enterprise_id IS NULL"
        )


def note(seen: list[str], notice: psycopg.errors.Diagnostic) -> None:
    """Keep a notice of the server."""
    seen.append(str(notice.message_primary))


@pytest.mark.parametrize("view", ["my_notifications", "my_rules", "my_workflows", "v_notification_stats"])
def test_no_function_of_a_reader_sees_rows_of_others(
    two_enterprises: Db, tenant: Db, producer: Db, view: str
) -> None:
    """Not even the cheapest, which PostgreSQL would run first if the view had no barrier."""
    two_enterprises.execute(
        "CREATE FUNCTION public.peek(text) RETURNS boolean IMMUTABLE COST 0.0000001 LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$"
    )
    speak_for(producer, "acme")
    for reader in (producer, *([] if view.startswith("v_") else [tenant])):
        seen: list[str] = []
        reader.add_notice_handler(partial(note, seen))
        reader.execute(
            sql.SQL("SELECT FROM notify.{} WHERE public.peek(enterprise_id)").format(sql.Identifier(view))
        )
        assert "seen acme" in seen
        assert "seen globex" not in seen


def test_no_view_of_tenants_can_be_written(two_enterprises: Db, tenant: Db) -> None:
    """They have functions for that."""
    for statement in (
        "UPDATE notify.my_workflows SET name = 'mine'",
        "DELETE FROM notify.my_rules",
        "INSERT INTO notify.my_templates (name) VALUES ('a')",
    ):
        with pytest.raises(InsufficientPrivilege):
            tenant.execute(statement.encode())
