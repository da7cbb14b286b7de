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
    ORDER BY relname
