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
    ORDER BY slot_name LIMIT 5
