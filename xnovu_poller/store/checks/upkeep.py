"""Check what keeps PostgreSQL tidy: vacuum, and the transactions, slots and sessions that hold it up."""

from sqlalchemy import text

from xnovu_poller.store.checks.finding import Bounds, Check

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

# The queue is read in order, so its oldest reader keeps it full.
_NOTIFY_QUEUE = text("""
    SELECT format('NOTIFY queue: %s %% full, because a session that listens is in an old transaction; above 50 %%, rows'
        ' wait for the poll; find the session in pg_stat_activity by its xact_start, and run:'
        ' SELECT pg_terminate_backend(pid)', round(CAST(usage * 100 AS numeric)))
    FROM (SELECT pg_notification_queue_usage() AS usage) AS queue
    WHERE usage >= :usage""")

# Without tidy tables each claim reads the dead rows of all claims before it.
_AUTOVACUUM = text("""
    SELECT format('autovacuum: %s, so dead rows stay; run: %s', found.fact, found.mend)
    FROM (
        SELECT format('%s is off for the server', s.name) AS fact,
            format('ALTER SYSTEM RESET %s, then SELECT pg_reload_conf()', s.name) AS mend
        FROM pg_settings s WHERE s.name IN ('autovacuum', 'track_counts') AND s.setting = 'off'
        UNION ALL
        SELECT 'is off for notify.' || c.relname, format('ALTER TABLE notify.%s RESET (autovacuum_enabled)', c.relname)
        FROM pg_class c, pg_options_to_table(c.reloptions)
        WHERE c.relnamespace = to_regnamespace('notify') AND c.relkind = 'r'
            AND option_name = 'autovacuum_enabled' AND NOT option_value::bool
    ) AS found
    ORDER BY found.fact""")

_PREPARED = text("""
    SELECT format('prepared transaction: the oldest of %s is %s minutes old, so vacuum cannot remove the rows that died since;'
        ' find it in pg_prepared_xacts, and run: ROLLBACK PREPARED, or COMMIT PREPARED, with its gid',
        number, floor(lasted / 60))
    FROM (
        SELECT count(*) AS number, extract(epoch FROM clock_timestamp() - min(prepared)) AS lasted
        FROM pg_prepared_xacts WHERE database = current_database()
    ) AS prepared
    WHERE lasted >= :longest""")


def list_upkeep(bounds: Bounds) -> list[Check]:
    """Return the cheap checks."""
    horizon = {"horizon": bounds.horizon}
    longest = {"longest": bounds.transaction.total_seconds()}
    return [
        Check(
            "transaction_old",
            "no session keeps vacuum from dead rows for long",
            _TRANSACTION,
            horizon | longest,
        ),
        Check("slot_holds", "no replication slot falls behind", _SLOT, horizon | {"wal": bounds.wal}),
        Check("vacuum_behind", "vacuum removes dead rows in time", _VACUUM, {"dead": bounds.dead}),
        Check(
            "notify_queue_fills",
            "the queue of NOTIFY is nearly empty",
            _NOTIFY_QUEUE,
            {"usage": bounds.notify_queue},
        ),
    ]


def list_settings(bounds: Bounds) -> list[Check]:
    """Return the checks for `xnovu doctor` only."""
    longest = {"longest": bounds.transaction.total_seconds()}
    return [
        Check("autovacuum_off", "autovacuum is on for the server and for each table", _AUTOVACUUM),
        Check("prepared_old", "no prepared transaction is left behind", _PREPARED, longest),
    ]
