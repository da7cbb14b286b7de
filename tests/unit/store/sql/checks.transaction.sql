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
    ORDER BY held DESC NULLS LAST LIMIT 5
