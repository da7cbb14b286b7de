"""What ails the database, as far as the worker's role can see it: cheap questions, and what to do about each answer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from xnovu_poller.lifecycle import seconds
from xnovu_poller.models import Base
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.reads import backlog
from xnovu_poller.store.statistics import oldest_due


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong: its name, what is the case and what to do."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where on something is found.

    Attributes:
        transaction: how long a transaction may last, where the worker's role may see that.
        horizon: for how many transactions a session or a slot may keep dead rows from vacuum.
        wal: how many bytes of WAL a slot that nobody reads may hold.
        dead: how many dead rows of a table are worth a word.
        waited: how long a lapsed lease may wait for its rescue, and a due row for its claim while none is in flight.
        skew: how far the clocks of worker and database may be apart.
    """

    transaction: timedelta = timedelta(hours=1)
    horizon: int = 1_000_000
    wal: int = 1 << 30
    dead: int = 100_000
    waited: timedelta = timedelta(minutes=10)
    skew: timedelta = timedelta(seconds=5)


USUAL = Bounds()


async def examine(
    engine: Engine, bounds: Bounds = USUAL, clock: Callable[[], float] = time.time
) -> list[Finding]:
    """Look for what is wrong; an empty list if nothing is found.

    A session of another login hides how long its transaction lasts, unless `xnovu_worker` has been granted
    `pg_read_all_stats`; how many transactions it holds up is seen all the same.

    Args:
        engine: where to look.
        bounds: from where on something is found.
        clock: this process's, in seconds since 1970.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    found: list[Finding] = []
    async with acquire(engine) as connection:
        for code, (statement, values) in _questions(bounds).items():
            found += [Finding(code, sentence) for sentence in await connection.scalars(statement, values)]
        asked = clock()
        told = await connection.scalar(_CLOCK)
        answered = clock()
    # Within one round trip nobody knows when the other looked at its clock.
    ahead = max(asked - told, told - answered)
    if ahead > seconds(bounds.skew):
        found.append(Finding("clock_skew", _SKEWED.format(ahead)))
    return found + await _unclaimed(engine, bounds)


async def _unclaimed(engine: Engine, bounds: Bounds) -> list[Finding]:
    """Find that rows are due for long, and nothing is in flight."""
    if (await backlog(engine))["in_flight"]:
        return []
    waited = await oldest_due(engine, limited=False)
    return [
        Finding("due_unclaimed", _UNCLAIMED.format(loop, span // timedelta(minutes=1)))
        for loop, span in waited.items()
        if span is not None and span > bounds.waited
    ]


def _questions(bounds: Bounds) -> dict[str, tuple[TextClause, dict[str, Any]]]:
    """Give the questions of one statement each, by what an answer to them is called; each row is a sentence."""
    horizon = {"horizon": bounds.horizon}
    return {
        "index_unfit": (_INDEX, {"names": list(_INDEXES), "texts": list(_INDEXES.values())}),
        "trigger_off": (_TRIGGER, {"triggers": list(TRIGGERS)}),
        "row_security_off": (_ROW_SECURITY, {"tables": _TENANTS}),
        "transaction_old": (_TRANSACTION, horizon | {"longest": seconds(bounds.transaction)}),
        "slot_holds": (_SLOT, horizon | {"wal": bounds.wal}),
        "vacuum_behind": (_VACUUM, {"dead": bounds.dead}),
        "leases_lapsed": (_LEASES, {"waited": seconds(bounds.waited)}),
        "rules_unscheduled": (_RULES, {}),
    }


_TABLES = Base.metadata.tables.values()
_TENANTS = [table.name for table in _TABLES if "enterprise_id" in table.columns]
_INDEXES = {
    str(index.name): str(CreateIndex(index).compile(dialect=postgresql.dialect())).replace("\n", " ")  # type: ignore[no-untyped-call] # SQLAlchemy's dialects have no types
    for table in _TABLES
    for index in table.indexes
}

TRIGGERS = (
    "ent_notification.guard_frozen",
    "ent_notification.guard_insert",
    "ent_notification.guard_update",
    "ent_notification.wake",
    "ent_notification_rule.guard_insert",
    "ent_notification_rule.guard_update",
    "ent_notification_rule.keep_updated_at",
    "ent_notification_rule.tell",
    "ent_notification_rule.tell_change",
    "ent_notification_template.keep_updated_at",
    "ent_notification_workflow.keep_updated_at",
    "ent_enterprise_limit.keep_updated_at",
)
"""All of ours, each under its table's name: the guards, the words that wake, the dates that copies are compared by."""

_INDEX = text("""
    SELECT CASE WHEN i.indexrelid IS NULL
        THEN format('index %s: is missing, and without it a statement may read the whole table; make it: %s',
            asked.name, replace(asked.made, 'INDEX', 'INDEX CONCURRENTLY'))
        ELSE format('index %1$s: is invalid, and no statement reads it; REINDEX INDEX CONCURRENTLY notify.%1$s',
            asked.name) END
    FROM unnest(CAST(:names AS text[]), CAST(:texts AS text[])) AS asked (name, made)
    LEFT JOIN (pg_class c JOIN pg_index i ON i.indexrelid = c.oid)
        ON c.relname = asked.name AND c.relnamespace = to_regnamespace('notify')
    WHERE i.indisvalid IS NOT true
    ORDER BY asked.name""")

_TRIGGER = text("""
    SELECT format('trigger %s of notify.%s: is %s', split_part(asked.name, '.', 2), split_part(asked.name, '.', 1),
        CASE WHEN t.oid IS NULL THEN 'missing, and nobody does what it did; make it as the migrations do'
            ELSE format('off, and nobody does what it does; ALTER TABLE notify.%s ENABLE TRIGGER %s',
                split_part(asked.name, '.', 1), split_part(asked.name, '.', 2)) END)
    FROM unnest(CAST(:triggers AS text[])) AS asked (name)
    LEFT JOIN pg_trigger t ON t.tgrelid = to_regclass('notify.' || split_part(asked.name, '.', 1))
        AND t.tgname = split_part(asked.name, '.', 2)
    WHERE t.tgenabled IS NULL OR t.tgenabled IN ('D', 'R')
    ORDER BY asked.name""")

_ROW_SECURITY = text("""
    SELECT format('table notify.%1$s: row-level security is %2$s, so that its rows are open to %3$s;'
        ' ALTER TABLE notify.%1$s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relname,
        CASE WHEN relrowsecurity THEN 'not forced' ELSE 'off' END,
        CASE WHEN relrowsecurity THEN 'whoever owns it' ELSE 'every tenant' END)
    FROM pg_class
    WHERE relnamespace = to_regnamespace('notify') AND relname = ANY (CAST(:tables AS text[]))
        AND NOT (relrowsecurity AND relforcerowsecurity)
    ORDER BY relname""")

# Of vacuum's own sessions nobody need wait. What a session calls itself is its own word, and is told to nobody.
_TRANSACTION = text("""
    SELECT format('session %s: its transaction %s, and vacuum removes no row that died since;'
        ' end it in its program, or SELECT pg_terminate_backend(%s)', pid,
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
        ' let its reader catch up, or SELECT pg_drop_replication_slot(%1$L)', slot_name,
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
    SELECT format('table notify.%s: holds %s dead rows beside %s live ones, for autovacuum %s', relname, dead, live,
        CASE WHEN here_off THEN format('is off for it; ALTER TABLE notify.%s RESET (autovacuum_enabled)', relname)
            WHEN off THEN 'is off; ALTER SYSTEM RESET autovacuum, and SELECT pg_reload_conf()'
            ELSE 'does not keep up; see what holds it up, or lower the table''s autovacuum_vacuum_scale_factor' END)
    FROM (
        SELECT s.relname, s.n_dead_tup AS dead, s.n_live_tup AS live, NOT current_setting('autovacuum')::bool AS off,
            EXISTS (SELECT FROM pg_options_to_table(c.reloptions)
                WHERE option_name = 'autovacuum_enabled' AND NOT option_value::bool) AS here_off
        FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
        WHERE s.schemaname = 'notify'
    ) AS swept
    WHERE dead >= :dead AND (off OR here_off OR dead > live)
    ORDER BY relname""")

_LEASES = text("""
    SELECT format('rescue: %s leases or more have lapsed for long, and nobody came for the rows;'
        ' see that a worker runs and that it reaches Temporal', counted)
    FROM (
        SELECT count(*) AS counted FROM (
            SELECT FROM notify.ent_notification
            WHERE notification_status = 'PROCESSING'
                AND lease_expires_at < clock_timestamp() - make_interval(secs => :waited)
                AND (send_until IS NULL OR send_until < clock_timestamp() - make_interval(secs => :waited))
            LIMIT 1000
        ) AS one
    ) AS lapsed
    WHERE counted > 0""")

_RULES = text("""
    SELECT format('rules: %s are INVALID and %s FAILED; `xnovu rules list` says why', invalid, failed)
    FROM (
        SELECT count(*) FILTER (WHERE rule_status = 'INVALID') AS invalid,
            count(*) FILTER (WHERE rule_status = 'FAILED') AS failed
        FROM notify.ent_notification_rule
    ) AS counted
    WHERE invalid + failed > 0""")

_CLOCK = text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS float8)")

_SKEWED = "clocks: those of this worker and of the database are {:.0f} s apart; set them by one time server"

_UNCLAIMED = (
    "{} loop: a row has been due for {} minutes, and nothing is in flight; see that a worker runs that serves its"
    " enterprise, and that Novu's gate is open"
)
