"""What each role may do with each table, view, sequence and function; a new object without a line here fails."""

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.support.enterprises import read_owners
from tests.support.logins import a_login, bind, speak_for, without_login
from tests.support.rights import names_of, rights_on
from tests.support.rows import Db, open_db

ROLES = ("worker", "producer", "tenant", "unbound", "api", "reader", "nobody")

# r: SELECT. i, u: INSERT or UPDATE of some columns. d: DELETE. L: LOCK TABLE above ACCESS SHARE.
RELATIONS: dict[str, dict[str, str]] = {
    "alembic_version": {"worker": "r", "api": "r", "reader": "r"},
    "api_key": {"worker": "riu"},
    "brake_count": {"worker": "riudL", "reader": "r"},
    "chore": {"worker": "riudL", "reader": "r"},
    "deployment": {"worker": "ruL", "api": "r", "reader": "r"},
    "minute": {"worker": "riudL", "reader": "r"},
    "pause": {"worker": "riudL", "api": "r", "reader": "r"},
    "rate_bucket": {"worker": "riudL"},
    "tenant_login": {"worker": "r"},
    "worker_report": {"worker": "riudL", "reader": "r"},
    "workflow_sync": {"worker": "riudL", "reader": "r"},
    "ent_audit": {"worker": "riudL", "reader": "r"},
    "ent_enterprise": {"worker": "riudL", "producer": "r", "reader": "r"},
    "ent_enterprise_limit": {"worker": "riudL", "producer": "r", "reader": "r"},
    "ent_notification": {"worker": "riudL", "producer": "riu", "reader": "r"},
    "ent_notification_delivery": {"worker": "riudL", "producer": "r", "reader": "r"},
    "ent_notification_event": {"worker": "riudL", "api": "r", "reader": "r"},
    "ent_notification_rule": {"worker": "riudL", "producer": "riu", "reader": "r"},
    "ent_notification_template": {"worker": "riudL", "producer": "riu", "reader": "r"},
    "ent_notification_workflow": {"worker": "riudL", "producer": "riu", "reader": "r"},
    "v_notification_stats": {"worker": "r", "producer": "r"},
    "v_workflow_stats": {"worker": "r", "producer": "r"},
    "my_deliveries": {"producer": "r", "tenant": "r", "unbound": "r"},
    "my_enterprise": {"producer": "r", "tenant": "r", "unbound": "r"},
    "my_limits": {"producer": "r", "tenant": "r", "unbound": "r"},
    "my_notifications": {"producer": "r", "tenant": "r", "unbound": "r"},
    "my_rules": {"producer": "r", "tenant": "r", "unbound": "r"},
    "my_templates": {"producer": "r", "tenant": "r", "unbound": "r"},
    "my_workflows": {"producer": "r", "tenant": "r", "unbound": "r"},
}

for _rights in RELATIONS.values():
    # The API is a producer that reads a little more.
    if "producer" in _rights:
        _rights["api"] = _rights["producer"]

# The columns that a producer writes: never an id, a time of the row or a column of the machine.
PRODUCERS: dict[str, str] = {
    "ent_notification": "enterprise_id+ name notification_workflow_id notification_rule_id+ payload recipients channels"
    " overrides tags priority dedup_key publish_status deactivated scheduled_for expires_at locale"
    " time_zone actor context exclude subscribers",
    "ent_notification_rule": "enterprise_id+ name notification_workflow_id trigger_type trigger_config rule_payload"
    " publish_status deactivated channels priority overrides expires_after",
    "ent_notification_template": "enterprise_id+ name template_key channel_type subject_template body_template"
    " variables_description publish_status deactivated locale defaults format",
    "ent_notification_workflow": "enterprise_id+ name description workflow_type workflow_key default_channels"
    " payload_schema template_overrides publish_status deactivated send_context",
}
"""`+`: only at the insert."""

ALL = {"worker", "producer", "tenant", "unbound"}
WRITERS = ALL - {"worker"}
FUNCTIONS: dict[str, set[str]] = {
    "bound_enterprise": ALL,
    "current_enterprise": ALL,
    "named_enterprise": ALL,
    "require_enterprise": ALL,
    "enqueue": ALL,
    "retract": ALL,
    "enqueue_own": {"tenant", "unbound"},
    "save_workflow": WRITERS,
    "save_template": WRITERS,
    "save_rule": WRITERS,
    "delete_template": WRITERS,
    "delete_rule": WRITERS,
    "has_workflow": {"producer"},
    "is_within_bounds": set(),
    "wake_workers": {"worker", "producer"},
    "payload_bytes": {"worker", "producer"},
    "template_uses": set(ROLES),
    "are_profiles": set(ROLES),
    "is_context": set(ROLES),
    "is_locale": set(ROLES),
    "is_time_zone": set(ROLES),
    "append_event": set(),
    "bind_login": set(),
    "check_enterprise": set(ROLES),
    "check_language": set(),
    "check_notification": set(),
    "check_optional": set(),
    "check_rule": set(),
    "check_template": set(),
    "check_workflow": set(),
    "forget_check": set(),
    "guard_bounds": set(),
    "guard_created_by": set(),
    "guard_event": set(),
    "guard_frozen": set(),
    "guard_insert": set(),
    "guard_rule": set(),
    "guard_rule_bounds": set(),
    "guard_update": set(),
    "guard_workflow_bounds": set(),
    "keep_updated_at": set(),
    "read_recipients": set(ROLES),
    "refuse": set(ROLES),
    "refuse_ddl": set(),
    "wake": set(),
    "wake_rules": set(),
    "admit_request": {"api"},
    "count_workflows": {"api"},
    "enqueue_each": {"api"},
    "enqueue_many": {"api"},
    "retract_own": {"api"},
    "revive_own": {"api"},
    "switch_rule_own": {"api"},
    "audit_fire_own": {"api"},
    "find_in_step": {"api"},
    "take_token": set(),
}
for _callers in FUNCTIONS.values():
    if "producer" in _callers:
        _callers.add("api")
QUALIFIED = {"guard_insert", "guard_update", "wake", "wake_rules"}
"""They run for each row, so they have no SET clause: `test_search_path.py` sets traps for their names."""


@pytest.fixture
def logins(two_enterprises: Db, any_database: str) -> Iterator[dict[str, Db]]:
    """Yield a connection of each role; all but the tenant name acme."""
    groups = {
        "worker": ["xnovu_worker"],
        "producer": ["xnovu_producer"],
        "tenant": ["xnovu_tenant"],
        "unbound": ["xnovu_tenant"],
        "api": ["xnovu_api"],
        "reader": ["xnovu_reader"],
        "nobody": [],
    }
    urls = {role: a_login(any_database, *groups[role]) for role in ROLES}
    bind(any_database, urls["tenant"], "acme")
    with ExitStack() as stack:
        connections = {role: stack.enter_context(open_db(url)) for role, url in urls.items()}
        for connection in connections.values():
            speak_for(connection, "globex" if connection is connections["tenant"] else "acme")
        yield connections
    for url in urls.values():
        without_login(any_database, url)


def test_each_role_has_these_rights_on_each_relation(two_enterprises: Db, logins: dict[str, Db]) -> None:
    """A right to write all columns, to delete or to truncate would be a right to lock the table."""
    relations = names_of(two_enterprises, "rvm")
    assert relations == set(RELATIONS)

    for relation in sorted(relations):
        for role in ROLES:
            found = rights_on(two_enterprises, logins[role], relation)
            expected = RELATIONS[relation].get(role, "")
            assert (relation, role, found) == (relation, role, expected)


def test_nobody_may_truncate_refer_to_or_add_triggers(two_enterprises: Db, logins: dict[str, Db]) -> None:
    """These rights lock tables too."""
    for relation in names_of(two_enterprises, "rv"):
        for role in ROLES:
            for right in ("TRUNCATE", "REFERENCES", "TRIGGER"):
                found = two_enterprises.execute(
                    "SELECT has_table_privilege(%s, %s, %s) AS has",
                    [logins[role].info.user, f"notify.{relation}", right],
                ).fetchone()
                assert (relation, role, right, found) == (relation, role, right, {"has": False})


def test_a_producer_writes_these_columns(two_enterprises: Db, logins: dict[str, Db]) -> None:
    """So it cannot choose an id, not even by OVERRIDING SYSTEM VALUE."""
    for table in names_of(two_enterprises, "r"):
        wanted = PRODUCERS.get(table, "").split()
        for right, columns in (
            ("INSERT", {name.rstrip("+") for name in wanted}),
            ("UPDATE", {name for name in wanted if not name.endswith("+")}),
        ):
            found = two_enterprises.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
                " AND has_column_privilege(%s, attrelid, attnum, %s)",
                [f"notify.{table}", logins["producer"].info.user, right],
            )
            assert (table, right, {column["attname"] for column in found}) == (table, right, columns)


WITHOUT_ENTERPRISE = {
    "alembic_version",
    "chore",
    "deployment",
    "minute",
    "rate_bucket",
    "tenant_login",
    "worker_report",
    "workflow_sync",
}


def test_each_role_sees_these_rows(two_enterprises: Db, logins: dict[str, Db]) -> None:
    """The worker and the page's reader all, a producer and a tenant its own and global rows, others none."""
    for relation, roles in RELATIONS.items():
        if relation in WITHOUT_ENTERPRISE:
            continue
        own = {"acme", None} if "workflow" in relation or "template" in relation else {"acme"}
        for role, rights in roles.items():
            if "r" in rights:
                seen = set(read_owners(logins[role], relation))
                expected = own | {"globex"} if role in {"worker", "reader"} else own
                # The API may ask for pauses, and finds none.
                if role == "unbound" or (role, relation) == ("api", "pause"):
                    expected = set()
                assert (relation, role, seen) == (relation, role, expected)


def test_a_producer_locks_and_changes_only_its_own_rows(two_enterprises: Db, logins: dict[str, Db]) -> None:
    """Neither another's nor a global row, not even FOR KEY SHARE."""
    for table in PRODUCERS:
        name = sql.Identifier("notify", table)
        for strength in ("UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"):
            locked = logins["producer"].execute(
                sql.SQL("SELECT enterprise_id FROM {} FOR {}").format(name, sql.SQL(strength))
            )
            found = {locked_row["enterprise_id"] for locked_row in locked}
            assert (table, strength, found) == (table, strength, {"acme"})
        changed = logins["producer"].execute(
            sql.SQL("UPDATE {} SET name = name RETURNING enterprise_id").format(name)
        )
        assert (table, {changed_row["enterprise_id"] for changed_row in changed}) == (table, {"acme"})


def refusal(login: Db, statement: str) -> str:
    """Return the message with which a statement is refused; it is empty if the statement is run."""
    try:
        login.execute(statement.encode())
    except InsufficientPrivilege as error:
        return str(error.diag.message_primary)
    return ""


def test_an_upsert_reveals_nothing_of_others(two_enterprises: Db, logins: dict[str, Db]) -> None:
    """The refusal is the same whether the other enterprise has the key or not."""
    upsert = (
        "INSERT INTO notify.ent_notification_workflow (enterprise_id, name, workflow_key, workflow_type)"
        " VALUES ('globex', 'a', '{}', 'STATIC') ON CONFLICT (enterprise_id, workflow_key) DO {}"
    )
    keys, actions = ("order-shipped", "nobody has this key"), ("NOTHING", "UPDATE SET name = 'mine'")
    upserts = [upsert.format(key, action) for key in keys for action in actions]

    refusals = {each: refusal(logins["producer"], each) for each in upserts}

    expected = 'enterprise "globex": this session acts for the enterprise "acme" (row-level security)'
    assert refusals == dict.fromkeys(upserts, expected)


def test_each_role_may_call_these_functions(two_enterprises: Db, logins: dict[str, Db]) -> None:
    """A function that runs with its owner's rights, or calls anything by name, has a fixed search path."""
    found = two_enterprises.execute(
        "SELECT oid, proname, prosecdef, coalesce(array_to_string(proconfig, ' '), '') AS config"
        " FROM pg_proc WHERE pronamespace = 'notify'::regnamespace"
    ).fetchall()
    assert {function["proname"] for function in found} == set(FUNCTIONS)

    for function in found:
        name = function["proname"]
        fixed = "search_path=pg_catalog, pg_temp" in function["config"]
        assert (name, fixed) == (name, name not in QUALIFIED)
        assert not (function["prosecdef"] and name in QUALIFIED)
        for role in ROLES:
            may = two_enterprises.execute(
                "SELECT has_function_privilege(%s, %s, 'EXECUTE') AS may",
                [logins[role].info.user, function["oid"]],
            ).fetchone()
            assert (name, role, may) == (name, role, {"may": role in FUNCTIONS[name]})


def test_only_the_worker_writes_a_sequence(two_enterprises: Db, logins: dict[str, Db]) -> None:
    """And only that of the wake-ups; the ids come from identity columns."""
    for sequence in names_of(two_enterprises, "S"):
        for role in ROLES:
            may = two_enterprises.execute(
                "SELECT has_sequence_privilege(%s, %s, 'UPDATE, USAGE') AS may",
                [logins[role].info.user, f"notify.{sequence}"],
            ).fetchone()
            writes = role == "worker" and sequence == "last_heard_ms"
            assert (sequence, role, may) == (sequence, role, {"may": writes})


def test_a_login_without_a_role_reaches_nothing(two_enterprises: Db, logins: dict[str, Db]) -> None:
    """Not even the schema."""
    for statement in ("SELECT notify.enqueue('acme', 'a', '{s}')", "SELECT FROM notify.my_notifications"):
        with pytest.raises(InsufficientPrivilege, match="permission denied for schema notify"):
            logins["nobody"].execute(statement.encode())


def test_a_tenant_waits_for_no_lock_that_it_may_not_have(
    two_enterprises: Db, logins: dict[str, Db], any_database: str
) -> None:
    """PostgreSQL would let it queue behind a reader before it asks who owns the table, and everybody behind it."""
    statements = [
        "CREATE RULE r AS ON INSERT TO notify.ent_notification DO NOTHING",
        "CREATE RULE r AS ON INSERT TO pg_catalog.pg_class DO NOTHING",
        "CREATE TEMP TABLE mine (id bigint REFERENCES notify.ent_notification)",
        "CREATE TRIGGER t BEFORE INSERT ON notify.ent_notification EXECUTE FUNCTION pg_catalog.none()",
        "COMMENT ON TABLE notify.ent_notification IS 'mine'",
        "DROP TRIGGER guard_update ON notify.ent_notification",
        "ALTER TABLE notify.ent_notification DISABLE TRIGGER ALL",
    ]
    with psycopg.connect(any_database) as reader:
        reader.execute("LOCK TABLE notify.ent_notification IN ACCESS EXCLUSIVE MODE")
        for role in ("tenant", "unbound"):
            logins[role].execute("SET statement_timeout = '20s'")
            refusals = {statement: refusal(logins[role], statement) for statement in statements}
            allowed = [
                statement
                for statement, message in refusals.items()
                if "the login of a tenant may not run it" not in message
            ]
            assert (role, allowed) == (role, [])
