WITH unsent AS (
        -- All rows that are not SENT, locked, with their current state.
        SELECT id, notification_status AS status, notification_status NOT IN ('DEAD', 'RETRACTED') AS waits
        FROM notify.ent_notification WHERE notification_status <> 'SENT'
        ORDER BY id FOR UPDATE
    ), renamed AS (
        -- The same rows with new transaction ids; PROCESSING rows are released, which is an arrow.
        UPDATE notify.ent_notification AS n SET
            transaction_id = 'xn-' || gen_random_uuid(),
            -- Only a row that came from FAILED has a time for its next attempt.
            notification_status = CASE WHEN unsent.status <> 'PROCESSING' THEN unsent.status
                WHEN n.next_attempt_at IS NULL THEN 'PENDING' ELSE 'FAILED' END,
            refusals = CASE WHEN unsent.waits THEN 0 ELSE n.refusals END,
            unknown_outcomes = CASE WHEN unsent.waits THEN 0 ELSE n.unknown_outcomes END,
            lapses = CASE WHEN unsent.waits THEN 0 ELSE n.lapses END,
            lease_expires_at = NULL, send_until = NULL
        FROM unsent
        WHERE n.id = unsent.id
        RETURNING unsent.status
    )
    SELECT count(*) AS renamed, count(*) FILTER (WHERE status = 'PROCESSING') AS taken_back FROM renamed
