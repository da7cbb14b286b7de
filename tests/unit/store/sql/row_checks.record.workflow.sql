WITH result AS (
        -- The result of each check.
        SELECT id, at, status, error
        FROM unnest(CAST(:ids AS bigint[]), CAST(:ats AS timestamptz[]), CAST(:statuses AS text[]), CAST(:errors AS text[]))
            AS result (id, at, status, error)
    ), changed AS MATERIALIZED (
        -- The rows that are as they were read, and whose result differs, locked; those that somebody holds come again.
        SELECT r.id, result.status, result.error
        FROM notify.ent_notification_workflow r JOIN result ON result.id = r.id AND result.at = r.updated_at
        WHERE (r.checked_status, r.checked_error) IS DISTINCT FROM (result.status, result.error)
        ORDER BY r.id
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE notify.ent_notification_workflow AS r SET checked_status = changed.status, checked_error = changed.error
    FROM changed WHERE r.id = changed.id
