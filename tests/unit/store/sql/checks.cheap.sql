SELECT 0 AS number, sentence FROM (
    SELECT CASE WHEN i.indexrelid IS NULL
        THEN format('index %s: is missing, so a statement may scan the whole table; run: %s',
            required.name, replace(required.definition, 'INDEX', 'INDEX CONCURRENTLY'))
        ELSE format('index %1$s: is invalid, so no statement uses it; run: REINDEX INDEX CONCURRENTLY notify.%1$s',
            required.name) END
    FROM unnest(CAST(:names AS text[]), CAST(:definitions AS text[])) AS required (name, definition)
    LEFT JOIN (pg_class c JOIN pg_index i ON i.indexrelid = c.oid)
        ON c.relname = required.name AND c.relnamespace = to_regnamespace('notify')
    WHERE i.indisvalid IS NOT true
    ORDER BY required.name) AS found (sentence)
UNION ALL
SELECT 1 AS number, sentence FROM (
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
    WHERE used.recorded <> used.actual) AS found (sentence)
UNION ALL
SELECT 2 AS number, sentence FROM (
    SELECT format('trigger %s of notify.%s: is %s', split_part(required.name, '.', 2), split_part(required.name, '.', 1),
        CASE WHEN t.oid IS NULL THEN 'missing; create it as the migrations do'
            ELSE format('disabled; run: ALTER TABLE notify.%s ENABLE TRIGGER %s',
                split_part(required.name, '.', 1), split_part(required.name, '.', 2)) END)
    FROM unnest(CAST(:triggers AS text[])) AS required (name)
    LEFT JOIN pg_trigger t ON t.tgrelid = to_regclass('notify.' || split_part(required.name, '.', 1))
        AND t.tgname = split_part(required.name, '.', 2)
    WHERE t.tgenabled IS NULL OR t.tgenabled IN ('D', 'R')
    ORDER BY required.name) AS found (sentence)
UNION ALL
SELECT 3 AS number, sentence FROM (
    SELECT format('sequence of notify.ent_notification: is behind the ids of its rows, so inserts fail; run:'
        ' SELECT setval(''notify.ent_notification_id_seq'', %s)', newest)
    FROM notify.ent_notification_id_seq AS counter, (SELECT max(id) AS newest FROM notify.ent_notification) AS existing
    WHERE CASE WHEN counter.is_called THEN counter.last_value ELSE 0 END < newest) AS found (sentence)
UNION ALL
SELECT 4 AS number, sentence FROM (
    SELECT format('table notify.%1$s: row-level security is %2$s, so %3$s can read all rows;'
        ' run: ALTER TABLE notify.%1$s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relname,
        CASE WHEN relrowsecurity THEN 'not forced' ELSE 'off' END,
        CASE WHEN relrowsecurity THEN 'its owner' ELSE 'every tenant' END)
    FROM pg_class
    WHERE relnamespace = to_regnamespace('notify') AND relname = ANY (CAST(:tables AS text[]))
        AND NOT (relrowsecurity AND relforcerowsecurity)
    ORDER BY relname) AS found (sentence)
UNION ALL
SELECT 5 AS number, sentence FROM (
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
    ORDER BY held DESC NULLS LAST LIMIT 5) AS found (sentence)
UNION ALL
SELECT 6 AS number, sentence FROM (
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
    ORDER BY slot_name LIMIT 5) AS found (sentence)
UNION ALL
SELECT 7 AS number, sentence FROM (
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
    ORDER BY relname) AS found (sentence)
UNION ALL
SELECT 8 AS number, sentence FROM (
    SELECT format('NOTIFY queue: %s %% full, because a session that listens is in an old transaction; above 50 %%, rows'
        ' wait for the poll; find the session in pg_stat_activity by its xact_start, and run:'
        ' SELECT pg_terminate_backend(pid)', round(CAST(usage * 100 AS numeric)))
    FROM (SELECT pg_notification_queue_usage() AS usage) AS queue
    WHERE usage >= :usage) AS found (sentence)
UNION ALL
SELECT 9 AS number, sentence FROM (
    SELECT format('rescue: leases lapsed long ago, and their rows were not rescued (at least %s);'
        ' check that a worker runs, that it reaches Temporal, and that no session keeps these rows locked', number)
    FROM (
        SELECT count(*) AS number FROM (
            SELECT FROM notify.ent_notification
            WHERE notification_status = 'PROCESSING'
                AND lease_expires_at < clock_timestamp() - make_interval(secs => :waited)
                AND (send_until IS NULL OR send_until < clock_timestamp() - make_interval(secs => :waited))
            LIMIT 1000
        ) AS found
    ) AS lapsed
    WHERE number > 0) AS found (sentence)
UNION ALL
SELECT 10 AS number, sentence FROM (
    SELECT format('notifications: at least %s became DEAD in the last %s minutes (%s); look the code up in'
        ' docs/runbook.md, correct the cause, then revive them', number, round(CAST(:died AS numeric) / 60), code)
    FROM (
        SELECT code, count(*) AS number FROM (
            SELECT error_details ->> 'code' AS code, notification_status, updated_at FROM notify.ent_notification
            ORDER BY id DESC LIMIT 10000
        ) AS newest
        WHERE notification_status = 'DEAD' AND updated_at > clock_timestamp() - make_interval(secs => :died)
        GROUP BY code
    ) AS by_code
    WHERE number >= :deaths
    ORDER BY number DESC LIMIT 5) AS found (sentence)
UNION ALL
SELECT 11 AS number, sentence FROM (
    SELECT format('rules: %s INVALID and %s FAILED; run `xnovu rules list` to see why', invalid, failed)
    FROM (
        SELECT count(*) FILTER (WHERE rule_status = 'INVALID') AS invalid,
            count(*) FILTER (WHERE rule_status = 'FAILED') AS failed
        FROM notify.ent_notification_rule
    ) AS counted
    WHERE invalid + failed > 0) AS found (sentence)
UNION ALL
SELECT 12 AS number, sentence FROM (
    SELECT format('checks: published rows have an error, so notifications end DEAD; see checked_error of %s',
        string_agg(format('%s (%s): %s%s', kind, cardinality(ids), array_to_string(ids[1:5], ', '),
            CASE WHEN cardinality(ids) > 5 THEN ', …' END), '; ' ORDER BY kind))
    FROM (
        SELECT 'templates' AS kind, array_agg(id ORDER BY id) AS ids
        FROM notify.ent_notification_template WHERE publish_status = 'PUBLISH' AND NOT deactivated
            AND checked_status IS DISTINCT FROM 'OK' AND checked_status = 'ERROR'
        UNION ALL
        SELECT 'workflows', array_agg(id ORDER BY id)
        FROM notify.ent_notification_workflow WHERE publish_status = 'PUBLISH' AND NOT deactivated
            AND checked_status IS DISTINCT FROM 'OK' AND checked_status = 'ERROR'
    ) AS found
    WHERE ids IS NOT NULL HAVING count(*) > 0) AS found (sentence)
UNION ALL
SELECT 13 AS number, sentence FROM (
    SELECT format('pauses: they hold back %s, the oldest since %s; `xnovu pause --list` shows what waits, `xnovu resume` ends a pause',
        CASE WHEN everything > 0 THEN 'all notifications' ELSE concat_ws(' and ', nullif(enterprises, 0) || CASE enterprises WHEN 1 THEN ' enterprise' ELSE ' enterprises' END, nullif(workflows, 0) || CASE workflows WHEN 1 THEN ' workflow' ELSE ' workflows' END) END,
        to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
    FROM (
        SELECT count(*) FILTER (WHERE p.enterprise_id IS NULL AND p.workflow_key IS NULL) AS everything,
            count(*) FILTER (WHERE p.enterprise_id IS NOT NULL AND p.workflow_key IS NULL) AS enterprises,
            count(*) FILTER (WHERE p.workflow_key IS NOT NULL) AS workflows, min(p.paused_at) AS since
        FROM notify.pause p WHERE (p.ends_at IS NULL OR p.ends_at > now())
    ) AS counted
    WHERE since IS NOT NULL) AS found (sentence)
UNION ALL
SELECT 14 AS number, sentence FROM (
    SELECT format('chore %s: another session has locked its row, so it cannot be done or recorded; end that session', c.name)
    FROM notify.chore c
    WHERE NOT EXISTS (
        SELECT FROM (SELECT FROM notify.chore l WHERE l.name = c.name FOR NO KEY UPDATE SKIP LOCKED) AS free)
    ORDER BY c.name) AS found (sentence)
