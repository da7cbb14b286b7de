WITH unchecked AS MATERIALIZED (
        -- The row, locked, if its schema was not compiled since it changed.
        SELECT r.id FROM notify.ent_notification_workflow r
        WHERE r.id = :id AND r.checked_status IS NULL AND r.payload_schema IS NOT NULL
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE notify.ent_notification_workflow AS r SET checked_status = 'ERROR', checked_error = 'payload_schema: its check has not ended; if this stays, it ends the process that compiles it, so simplify it'
    FROM unchecked WHERE r.id = unchecked.id
