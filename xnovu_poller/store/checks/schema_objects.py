"""Check that tables, indexes, triggers and sequences are as the migrations made them."""

from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from xnovu_poller.models import Base
from xnovu_poller.store.checks.finding import Check
from xnovu_poller.store.fitness import TABLES, UNREACHABLE

TRIGGERS = (
    "ent_notification.append_event",
    "ent_notification.check_content",
    "ent_notification.check_optional",
    "ent_notification.guard_bounds",
    "ent_notification.guard_created_by",
    "ent_notification.guard_frozen",
    "ent_notification.guard_insert",
    "ent_notification.guard_update",
    "ent_notification.wake",
    "ent_notification_rule.check_content",
    "ent_notification_rule.guard_bounds",
    "ent_notification_rule.guard_insert",
    "ent_notification_rule.guard_rule",
    "ent_notification_rule.guard_update",
    "ent_notification_rule.keep_updated_at",
    "ent_notification_rule.wake",
    "ent_notification_rule.wake_on_change",
    "ent_notification_template.check_content",
    "ent_notification_template.forget_check",
    "ent_notification_template.keep_updated_at",
    "ent_notification_template.wake",
    "ent_notification_workflow.check_content",
    "ent_notification_workflow.forget_check",
    "ent_notification_workflow.guard_bounds",
    "ent_notification_workflow.keep_updated_at",
    "ent_notification_workflow.wake",
    "ent_enterprise.check_language",
    "ent_enterprise.keep_updated_at",
    "ent_enterprise_limit.keep_updated_at",
    "tenant_login.bind_login",
)
"""Our triggers, each after its table: they guard the states, wake the loops, and maintain `updated_at`."""

_TABLES = Base.metadata.tables.values()
_TENANT_TABLES = [table.name for table in _TABLES if "enterprise_id" in table.columns]
_INDEXES = {
    str(index.name): str(CreateIndex(index).compile(dialect=postgresql.dialect())).replace("\n", " ")  # type: ignore[no-untyped-call] # SQLAlchemy's dialects have no types
    for table in _TABLES
    for index in table.indexes
}

_UNREACHABLE = text(UNREACHABLE)

_INDEX = text("""
    SELECT CASE WHEN i.indexrelid IS NULL
        THEN format('index %s: is missing, so a statement may scan the whole table; run: %s',
            required.name, replace(required.definition, 'INDEX', 'INDEX CONCURRENTLY'))
        ELSE format('index %1$s: is invalid, so no statement uses it; run: REINDEX INDEX CONCURRENTLY notify.%1$s',
            required.name) END
    FROM unnest(CAST(:names AS text[]), CAST(:definitions AS text[])) AS required (name, definition)
    LEFT JOIN (pg_class c JOIN pg_index i ON i.indexrelid = c.oid)
        ON c.relname = required.name AND c.relnamespace = to_regnamespace('notify')
    WHERE i.indisvalid IS NOT true
    ORDER BY required.name""")

# From PostgreSQL 16 on, the collation "default" stands for that of the database; before, its version is null.
_COLLATION = text("""
    SELECT format('collation %s: the library of the operating system has version %s, and indexes were built with %s, so'
        ' indexes of text may find too little; run REINDEX DATABASE %s, then ALTER %s REFRESH COLLATION VERSION',
        used.name, used.actual, used.recorded, quote_ident(current_database()), used.statement)
    FROM (
        SELECT 'of the database' AS name, to_jsonb(d) ->> 'datcollversion' AS recorded,
            pg_collation_actual_version('"default"'::regcollation) AS actual,
            'DATABASE ' || quote_ident(d.datname) AS statement
        FROM pg_database d WHERE d.datname = current_database()
        UNION ALL
        SELECT c.collname, c.collversion, pg_collation_actual_version(c.oid), 'COLLATION ' || c.oid::regcollation
        FROM pg_collation c WHERE EXISTS (
            SELECT FROM pg_depend WHERE refclassid = 'pg_collation'::regclass AND refobjid = c.oid)
    ) AS used
    WHERE used.recorded <> used.actual""")

_TRIGGER = text("""
    SELECT format('trigger %s of notify.%s: is %s', split_part(required.name, '.', 2), split_part(required.name, '.', 1),
        CASE WHEN t.oid IS NULL THEN 'missing; create it as the migrations do'
            ELSE format('disabled; run: ALTER TABLE notify.%s ENABLE TRIGGER %s',
                split_part(required.name, '.', 1), split_part(required.name, '.', 2)) END)
    FROM unnest(CAST(:triggers AS text[])) AS required (name)
    LEFT JOIN pg_trigger t ON t.tgrelid = to_regclass('notify.' || split_part(required.name, '.', 1))
        AND t.tgname = split_part(required.name, '.', 2)
    WHERE t.tgenabled IS NULL OR t.tgenabled IN ('D', 'R')
    ORDER BY required.name""")

_ROW_SECURITY = text("""
    SELECT format('table notify.%1$s: row-level security is %2$s, so %3$s can read all rows;'
        ' run: ALTER TABLE notify.%1$s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relname,
        CASE WHEN relrowsecurity THEN 'not forced' ELSE 'off' END,
        CASE WHEN relrowsecurity THEN 'its owner' ELSE 'every tenant' END)
    FROM pg_class
    WHERE relnamespace = to_regnamespace('notify') AND relname = ANY (CAST(:tables AS text[]))
        AND NOT (relrowsecurity AND relforcerowsecurity)
    ORDER BY relname""")

# Logical replication copies rows, and no sequences. The worker may read only this sequence.
_SEQUENCE = text("""
    SELECT format('sequence of notify.ent_notification: is behind the ids of its rows, so inserts fail; run:'
        ' SELECT setval(''notify.ent_notification_id_seq'', %s)', newest)
    FROM notify.ent_notification_id_seq AS counter, (SELECT max(id) AS newest FROM notify.ent_notification) AS existing
    WHERE CASE WHEN counter.is_called THEN counter.last_value ELSE 0 END < newest""")

REACH = Check("table_unreachable", "the worker reaches each table", _UNREACHABLE, {"tables": TABLES})

CHECKS = (
    Check(
        "index_unfit",
        "each index of this program exists and is valid",
        _INDEX,
        {"names": list(_INDEXES), "definitions": list(_INDEXES.values())},
    ),
    Check("collation_changed", "text has the order in which indexes were built", _COLLATION),
    Check(
        "trigger_off", "each trigger of this program exists and is on", _TRIGGER, {"triggers": list(TRIGGERS)}
    ),
    Check("sequence_behind", "the sequence of ids is not behind the rows", _SEQUENCE),
    Check(
        "row_security_off",
        "row-level security is on and forced for each table with rows of enterprises",
        _ROW_SECURITY,
        {"tables": _TENANT_TABLES},
    ),
)
