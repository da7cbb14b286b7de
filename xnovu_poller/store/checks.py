"""Check the database for problems that an administrator should fix, as far as the worker's role can see them.

The checks are cheap. Each finding has a sentence that explains the problem and how to fix it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from xnovu_poller.models import Base
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.backlog import count_backlog, oldest_due


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem: its code, and a sentence that explains it and what to do."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """The sizes from which a problem is reported.

    Attributes:
        transaction: how long a transaction lasts, if the worker's role may see that.
        horizon: for how many transactions a session or a slot has kept vacuum from removing dead rows.
        wal: how many bytes of WAL a slot without a reader holds.
        dead: how many dead rows a table has.
        waited: how long a lapsed lease waits for its rescue, or a due row for its claim while nothing is in flight.
        skew: how far the clocks of worker and database differ.
    """

    transaction: timedelta = timedelta(hours=1)
    horizon: int = 1_000_000
    wal: int = 1 << 30
    dead: int = 100_000
    waited: timedelta = timedelta(minutes=10)
    skew: timedelta = timedelta(seconds=5)


USUAL = Bounds()

TRIGGERS = (
    "ent_notification.guard_frozen",
    "ent_notification.guard_insert",
    "ent_notification.guard_update",
    "ent_notification.wake",
    "ent_notification_rule.guard_insert",
    "ent_notification_rule.guard_update",
    "ent_notification_rule.keep_updated_at",
    "ent_notification_rule.wake",
    "ent_notification_rule.wake_on_change",
    "ent_notification_template.keep_updated_at",
    "ent_notification_workflow.keep_updated_at",
    "ent_enterprise_limit.keep_updated_at",
)
"""Our triggers, each after its table: they guard the states, wake the loops, and maintain `updated_at`."""

_TABLES = Base.metadata.tables.values()
_TENANT_TABLES = [table.name for table in _TABLES if "enterprise_id" in table.columns]
_INDEXES = {
    str(index.name): str(CreateIndex(index).compile(dialect=postgresql.dialect())).replace("\n", " ")  # type: ignore[no-untyped-call] # SQLAlchemy's dialects have no types
    for table in _TABLES
    for index in table.indexes
}

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

# Vacuum's own sessions block nothing. Do not show the name of a session, because a program may write anything into it.
_TRANSACTION = text("""
    SELECT format('session %s: its transaction %s, so vacuum cannot remove the rows that died since;'
        ' end it in its program, or run: SELECT pg_terminate_backend(%s)', pid,
        CASE WHEN lasted IS NULL THEN format('is older than the last %s', held)
            ELSE format('has lasted %s minutes', floor(lasted / 60)) END, pid)
    FROM (
        SELECT pid, greatest(age(backend_xmin), age(backend_xid)) AS held,
            extract(epoch FROM clock_timestamp() - xact_start) AS lasted
        FROM pg_stat_activity WHERE usesysid IS NOT NULL AND pid <> pg_backend_pid()
    ) AS session
    WHERE lasted >= :longest OR held >= :horizon
    ORDER BY held DESC NULLS LAST LIMIT 5""")

_SLOT = text("""
    SELECT format('replication slot %1$s: %2$s, and holds %3$s of WAL and the dead rows of %4$s transactions;'
        ' let its reader catch up, or run: SELECT pg_drop_replication_slot(%1$L)', slot_name,
        CASE WHEN active THEN 'is behind' ELSE 'has no reader' END,
        pg_size_pretty(coalesce(behind, 0)), coalesce(held, 0))
    FROM (
        SELECT slot_name, active, greatest(age(xmin), age(catalog_xmin)) AS held, pg_wal_lsn_diff(
            CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
            restart_lsn) AS behind
        FROM pg_replication_slots
    ) AS slot
    WHERE held >= :horizon OR NOT active AND behind >= :wal
    ORDER BY slot_name LIMIT 5""")

_VACUUM = text("""
    SELECT format('table notify.%s: has %s dead rows and %s live rows, because autovacuum %s', relname, dead, live,
        CASE WHEN off_for_table
            THEN format('is off for it; run: ALTER TABLE notify.%s RESET (autovacuum_enabled)', relname)
            WHEN off THEN 'is off; run: ALTER SYSTEM RESET autovacuum, then SELECT pg_reload_conf()'
            ELSE 'does not keep up; find what holds it up, or lower the table''s autovacuum_vacuum_scale_factor' END)
    FROM (
        SELECT s.relname, s.n_dead_tup AS dead, s.n_live_tup AS live, NOT current_setting('autovacuum')::bool AS off,
            EXISTS (SELECT FROM pg_options_to_table(c.reloptions)
                WHERE option_name = 'autovacuum_enabled' AND NOT option_value::bool) AS off_for_table
        FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
        WHERE s.schemaname = 'notify'
    ) AS vacuumed
    WHERE dead >= :dead AND (off OR off_for_table OR dead > live)
    ORDER BY relname""")

_LEASES = text("""
    SELECT format('rescue: at least %s leases lapsed long ago, and their rows were not rescued;'
        ' check that a worker runs and that it reaches Temporal', number)
    FROM (
        SELECT count(*) AS number FROM (
            SELECT FROM notify.ent_notification
            WHERE notification_status = 'PROCESSING'
                AND lease_expires_at < clock_timestamp() - make_interval(secs => :waited)
                AND (send_until IS NULL OR send_until < clock_timestamp() - make_interval(secs => :waited))
            LIMIT 1000
        ) AS found
    ) AS lapsed
    WHERE number > 0""")

_RULES = text("""
    SELECT format('rules: %s are INVALID and %s FAILED; run `xnovu rules list` to see why', invalid, failed)
    FROM (
        SELECT count(*) FILTER (WHERE rule_status = 'INVALID') AS invalid,
            count(*) FILTER (WHERE rule_status = 'FAILED') AS failed
        FROM notify.ent_notification_rule
    ) AS counted
    WHERE invalid + failed > 0""")

_CLOCK = text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS float8)")

_CLOCK_SKEW = "clocks: the clocks of this worker and the database differ by {:.0f} s; set both from the same time server"

_DUE_UNCLAIMED = (
    "{} loop: a row has been due for {} minutes, and nothing is in flight; check that a worker runs that serves its"
    " enterprise, and that its gate is open"
)


async def examine(
    engine: Engine, bounds: Bounds = USUAL, clock: Callable[[], float] = time.time
) -> list[Finding]:
    """Look for problems; return an empty list if there are none.

    PostgreSQL hides how long another login's transaction lasts, unless `xnovu_worker` was granted `pg_read_all_stats`.
    It always shows for how many transactions a session holds back vacuum.

    Args:
        clock: this process's clock, in seconds since 1970.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    findings: list[Finding] = []
    async with acquire(engine) as connection:
        for code, (statement, values) in _checks(bounds).items():
            findings += [Finding(code, sentence) for sentence in await connection.scalars(statement, values)]
        asked_at = clock()
        database_at = await connection.scalar(_CLOCK)
        answered_at = clock()
    # The database read its clock at some moment of the round trip, so a difference within that time is no skew.
    skew = max(asked_at - database_at, database_at - answered_at)
    if skew > bounds.skew.total_seconds():
        findings.append(Finding("clock_skew", _CLOCK_SKEW.format(skew)))
    return findings + await _find_unclaimed(engine, bounds)


async def _find_unclaimed(engine: Engine, bounds: Bounds) -> list[Finding]:
    """Find loops whose rows have been due for too long while nothing is in flight."""
    if (await count_backlog(engine))["in_flight"]:
        return []
    oldest = await oldest_due(engine, limited=False)
    return [
        Finding("due_unclaimed", _DUE_UNCLAIMED.format(loop, waited // timedelta(minutes=1)))
        for loop, waited in oldest.items()
        if waited is not None and waited > bounds.waited
    ]


def _checks(bounds: Bounds) -> dict[str, tuple[TextClause, dict[str, Any]]]:
    """Return the checks that are a single statement, by the code of their findings; each row is a sentence."""
    horizon = {"horizon": bounds.horizon}
    return {
        "index_unfit": (_INDEX, {"names": list(_INDEXES), "definitions": list(_INDEXES.values())}),
        "trigger_off": (_TRIGGER, {"triggers": list(TRIGGERS)}),
        "row_security_off": (_ROW_SECURITY, {"tables": _TENANT_TABLES}),
        "transaction_old": (_TRANSACTION, horizon | {"longest": bounds.transaction.total_seconds()}),
        "slot_holds": (_SLOT, horizon | {"wal": bounds.wal}),
        "vacuum_behind": (_VACUUM, {"dead": bounds.dead}),
        "leases_lapsed": (_LEASES, {"waited": bounds.waited.total_seconds()}),
        "rules_unscheduled": (_RULES, {}),
    }
